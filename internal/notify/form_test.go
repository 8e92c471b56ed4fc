package notify

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
)

// message is a message about events in a form.
func message(form Form, dropped int, events ...ingest.Event) []byte {
	items := make([]deliver.Item, len(events))
	for i := range events {
		items[i] = deliver.Item{Event: &events[i], Line: shapes[form].line(nil, &events[i], LogPage(account))}
	}
	return shapes[form].body(items, LogPage(account), dropped)
}

// slackMessage is the text of a message in Slack.
func slackMessage(t require.TestingT, dropped int, events ...ingest.Event) string {
	var said map[string]any
	require.NoError(t, json.Unmarshal(message(Slack, dropped, events...), &said))
	assert.Equal(t, false, said["unfurl_links"])
	assert.Equal(t, false, said["unfurl_media"])
	text, _ := said["text"].(string)
	return text
}

func TestSlack_SaysWhatHappenedToWhomAndWhy(t *testing.T) {
	t.Parallel()
	second := event("b", ingest.Critical)
	second.Actor, second.SrcIP, second.Audit.ZoneName, second.Audit.Changes, second.Audit.ChangesOmitted = "", "", "", nil, 3
	assert.Equal(t, "*HIGH* `DNS record deleted: a`\n"+
		"by `alice@example.com` from `192.0.2.10` in zone `example.com` at 2026-05-12 09:00:00 UTC\n"+
		"• `content`: `192.0.2.1` → –\n"+
		"• `proxied`: `true` → `false`\n"+
		"Mail &amp; web stop. Rule `dns-record-deleted`\n\n"+
		"*CRITICAL* `DNS record deleted: b`\n"+
		"by – at 2026-05-12 09:00:00 UTC\n"+
		"• more changed fields: 3\n"+
		"Mail &amp; web stop. Rule `dns-record-deleted`\n\n"+
		"*Not told: 7* events, because too many were waiting. They are in the main output.\n"+
		"<https://dash.cloudflare.com/"+account+"/audit-log|Audit log in the dashboard>",
		slackMessage(t, 7, event("a", ingest.High), second))
	assert.NotContains(t, slackMessage(t, 0, second), "Not told")
}

// codeSpan is a code span in Slack, which does not end before the line does.
var codeSpan = regexp.MustCompile("`[^`\n]*`")

// slackFrame is what is left of a message about one event without its code spans
// and without its reason.
var slackFrame = regexp.MustCompile(`^\*HIGH\* C\nby (?:C|–)(?: from (?:C|–))?(?: in zone (?:C|–))? at 2026-05-12 09:00:00 UTC\n(?:• (?:C|–): (?:C|–) → (?:C|–)\n)*(?:• more changed fields: \d+\n)?` +
	`(?:([^\n]*) )?Rule (?:C|–)\n\n<https://dash\.cloudflare\.com/` + account + `/audit-log\|Audit log in the dashboard>$`)

// checkSlack checks that nothing of an event can do anything in Slack.
func checkSlack(t require.TestingT, e ingest.Event) {
	text := slackMessage(t, 0, e)
	frame := slackFrame.FindStringSubmatch(codeSpan.ReplaceAllString(text, "C"))
	require.NotNil(t, frame, "%q", text)
	assert.NotContains(t, frame[1], "<", "%q", text)
	assert.NotContains(t, frame[1], ">", "%q", text)
	for _, span := range codeSpan.FindAllString(text, -1) {
		assert.NotContains(t, span, "<", text)
		assert.NotContains(t, span, ">", text)
		inside := strings.Trim(span, "`")
		assert.Equal(t, strings.TrimSpace(inside), inside, "a span must not begin or end with a space")
		assert.NotEmpty(t, inside)
		assert.NotRegexp(t, `&(?:$|[^agl])`, inside, "a bare &")
		assert.NotRegexp(t, `[\x{202A}-\x{202E}\x{2066}-\x{2069}\x00-\x1f]`, inside)
	}
}

// hostile are texts that try to be more than texts.
var hostile = []string{
	"<!channel> look", "<@U012AB3CD>", "<https://evil.example.com|your bank>", "https://evil.example.com", "mailto:a@example.com",
	"`", "``` ``", "` <!here> `", "*bold* _it_ ~no~", "a\n*CRITICAL* `forged`\nby `nobody`", "\r\n> quoted", ":skull:", "&lt;!channel&gt;", "&", "a & b",
	"\u202egnp.exe", "\u2028<!everyone>", "  ", "\x00", "\xff<!channel>", strings.Repeat("<", 5000), strings.Repeat("`<!channel>", 500),
}

func hostileEvent(title, actor, zone, value, why string) ingest.Event {
	e := event("x", ingest.High)
	e.Title, e.Actor, e.SrcIP, e.Audit.ZoneName, e.Audit.Why, e.Audit.Rule = "T"+title, actor, value, zone, why, value
	e.Audit.Changes = []ingest.FieldChange{{Field: value, Old: value, New: actor}, {Field: "f", Old: title}}
	return e
}

func TestSlack_NothingOfAnEventBecomesALinkAMentionOrAFormat(t *testing.T) {
	t.Parallel()
	for _, s := range hostile {
		checkSlack(t, hostileEvent(s, s, s, s, s))
	}
	text := slackMessage(t, 0, hostileEvent("<!channel>", "`*x*`", "<https://evil.example.com|a>", "v", "<!here>"))
	for _, want := range []string{"`T&lt;!channel&gt;`", "by `'*x*'`", "`&lt;https://evil.example.com|a&gt;`", "&lt;!here&gt; Rule"} {
		assert.Contains(t, text, want)
	}
	part := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile), rapid.StringOf(rapid.SampledFrom([]rune("<>&`*_~\n \t|!@#:'\u202e\u00a0\u200b"))))
	rapid.Check(t, func(t *rapid.T) {
		one := func(name string) string { return strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, name), "") }
		checkSlack(t, hostileEvent(one("title"), one("actor"), one("zone"), one("value"), one("why")))
	})
}

func TestSlack_AMessageIsBounded(t *testing.T) {
	t.Parallel()
	e := event("x", ingest.High)
	e.Title, e.Audit.Why, e.Audit.ChangesOmitted = strings.Repeat("&", 2000), strings.Repeat("<", 2000), 1
	e.Audit.Changes = nil
	for i := range maxChanges {
		e.Audit.Changes = append(e.Audit.Changes, ingest.FieldChange{Field: fmt.Sprint(i), Old: strings.Repeat("&", 256), New: strings.Repeat(">", 256)})
	}
	line := shapes[Slack].line(nil, &e, "")
	assert.Less(t, len(line), shapes[Slack].maxBytes)
	// All changes are there or counted.
	shown := strings.Count(string(line), "→")
	assert.Contains(t, string(line), fmt.Sprintf("• more changed fields: %d\n", maxChanges-shown+1))
	assert.Positive(t, shown)
	assert.Less(t, shown, maxChanges)
	// Even a message of the largest lines is within the 40,000 characters of Slack.
	assert.Less(t, utf8.RuneCountInString(slackMessage(t, 1, e))+shapes[Slack].maxBytes, 40_000)
}

func TestWebhook_IsAnObjectWithTheEvents(t *testing.T) {
	t.Parallel()
	second := event("b <!channel> \xff", ingest.Critical)
	second.Title, second.Actor, second.SrcIP, second.Audit = "<b>", "", "", ingest.Audit{}
	second.CreatedAt = second.CreatedAt.AddDate(0, 0, 1)
	const link = `"link":"https://dash.cloudflare.com/` + account + `/audit-log"`
	got := message(Webhook, 2, event("a", ingest.High), second)
	assert.JSONEq(t, `{"dropped":2,"events":[
		{"external_id":"a","severity":"high","title":"DNS record deleted: a","why":"Mail & web stop.","rule":"dns-record-deleted",
		 "action":"dns.record.delete","outcome":"success","actor":"alice@example.com","src_ip":"192.0.2.10","zone":"example.com",
		 "target":"www.example.com","created_at":"2026-05-12T09:00:00.123000Z","account_id":"`+account+`",
		 "changes":[{"field":"content","before":"192.0.2.1","after":null},{"field":"proxied","before":"true","after":"false"}],
		 "changes_omitted":0,`+link+`},
		{"external_id":"b <!channel> `+"\ufffd"+`","severity":"critical","title":"<b>","why":null,"rule":null,
		 "action":"dns.record.delete","outcome":null,"actor":null,"src_ip":null,"zone":null,
		 "target":null,"created_at":"2026-05-13T09:00:00.123000Z","account_id":null,"changes":[],"changes_omitted":0,`+link+`}]}`, string(got))
	assert.NotContains(t, string(got), "\n")
}

// The messages of the documentation are those of its event.
func TestDocs_TheMessagesAreThoseOfAnEvent(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/notifications.md")
	require.NoError(t, err)
	block := func(language string) string {
		_, shown, found := strings.Cut(string(page), "```"+language+"\n")
		require.True(t, found)
		shown, _, _ = strings.Cut(shown, "```")
		return shown
	}
	e := ingest.Event{
		ExternalID: "8d3f8a9e-2f0c-4c0e-9f37-0d1f6f3b1c11", Severity: ingest.High, Title: "Firewall rule disabled: block scanners for example.com",
		Action: "firewall_rule.disable", Actor: "mallory@example.org", SrcIP: "203.0.113.7", CreatedAt: time.Date(2026, 11, 28, 6, 0, 12, 0, time.UTC),
		Audit: ingest.Audit{
			Outcome: "success", AccountID: account, ZoneName: "example.com", Target: "block scanners", Rule: "firewall-disabled-production",
			Why: "What the rule kept out reaches a zone in production.", Changes: []ingest.FieldChange{{Field: "paused", Old: "false", New: "true"}},
		},
	}
	assert.JSONEq(t, block("json"), string(message(Webhook, 0, e)))
	said, _, _ := strings.Cut(slackMessage(t, 0, e), "\n\n")
	assert.Equal(t, block("text"), said+"\n")
	for _, bound := range []int{maxWaiting, maxSeen} {
		assert.Contains(t, string(page), fmt.Sprint(bound))
	}
}
