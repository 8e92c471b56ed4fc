package cloudflareaudit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
)

// maxTitle bounds a title, in bytes, and maxChanges the changed fields of an
// event.
const (
	maxTitle   = 200
	maxChanges = 16
)

func TestNormalize_FillsEveryFieldOfAnEvent(t *testing.T) {
	t.Parallel()
	raw := `{"id":"8e2a1c0e-0000-4000-8000-000000000001","when":"2026-05-12T09:14:27.305112Z","interface":"API",` +
		`"action":{"type":"rec_del","result":true},"owner":{"id":"` + account + `"},` +
		`"actor":{"id":"a1","type":"user","email":"mallory@example.com","ip":"::ffff:203.0.113.66"},` +
		`"resource":{"type":"DNS_record","id":"r1"},"metadata":{"zone_name":"Example.com"},` +
		`"oldValueJson":{"id":"r1","type":"MX","name":"example.com","content":"mail.example.com","zone_id":"z1"},"newValueJson":{}}`
	got, v := normalizer(t, Config{}).Normalize([]byte(raw))
	assert.Equal(t, ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "8e2a1c0e-0000-4000-8000-000000000001",
		Title: "DNS MX record deleted: example.com", Severity: medium, Action: "dns.record.delete",
		Actor: "mallory@example.com", SrcIP: "203.0.113.66", Hostname: "example.com",
		CreatedAt:       time.Date(2026, 5, 12, 9, 14, 27, 305112000, time.UTC),
		MITRETechniques: []string{"T1485", "T1565.002"},
		RawEvent:        ingest.RawJSON(raw),
		Audit: ingest.Audit{
			Outcome: "success", ActionType: "rec_del", ActorID: "a1", ActorType: "user", ActorEmail: "mallory@example.com",
			Interface: "API", Scope: "zone", AccountID: account, ResourceType: "DNS_record", ResourceID: "r1", ZoneID: "z1", ZoneName: "example.com",
			Target: "example.com",
			Changes: []ingest.FieldChange{
				{Field: "type", Old: "MX"}, {Field: "name", Old: "example.com"}, {Field: "content", Old: "mail.example.com"},
			},
			Rule: "dns-record-deleted-production", Why: v.Why, API: "v1", CorrelationID: got.Audit.CorrelationID,
		},
	}, got)
	assert.Equal(t, "dns-record-deleted-production", v.Rule)
	assert.NotEmpty(t, v.Why)
}

func TestNormalize_NamesTheActorInOneLine(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for actor, want := range map[string]string{
		`{"id":"a1","type":"user","email":"alice@example.com"}`: "alice@example.com",
		`{"id":"a1","type":"user"}`:                             "a1",
		`{"id":"1","type":"system"}`:                            "Cloudflare system",
		`{"id":"1","type":"Cloudflare"}`:                        "Cloudflare system",
		`{"id":"9","type":"admin","email":""}`:                  "Cloudflare staff",
		`{"id":"9","type":"system","email":"bot@example.com"}`:  "bot@example.com",
		`null`:    "",
		`"alice"`: "alice",
		`{"id":"a1","type":"user","email":"al\u0000ice@example.com"}`: "alice@example.com",
		`{"id":"a\u001bb\nc","type":"user"}`:                          "ab c",
	} {
		got, _ := n.Normalize([]byte(logged("zone", "purge", `"actor":`+actor)))
		assert.Equal(t, want, got.Actor, actor)
	}
}

func TestNormalize_AddressesAreValidOrNull(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:DB8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
		"": "", "unknown": "", "192.0.2.1:443": "", "192.0.2.256": "",
	} {
		got, _ := n.Normalize([]byte(logged("zone", "purge", `"actor":{"id":"a","ip":"`+ip+`"}`)))
		assert.Equal(t, want, got.SrcIP, ip)
	}
}

func TestNormalize_HostnamesAreValidOrNull(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for zone, want := range map[string]string{
		"Example.COM.": "example.com", "bücher.example": "xn--bcher-kva.example", "a-b.example": "a-b.example",
		"": "", "exa mple.com": "", "-a.example": "", "a..example": "", "under_score.example": "",
		strings.Repeat("a", 64) + ".example": "", strings.Repeat("abcdefg.", 40) + "example": "",
	} {
		got, _ := n.Normalize([]byte(logged("zone", "purge", `"metadata":{"zone_name":"`+zone+`"}`)))
		assert.Equal(t, want, got.Hostname, zone)
	}
}

func TestNormalize_KeepsTheEntryByteForByte(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, raw := range []string{
		logged("zone", "purge"),
		logged("zone", "purge", `"x":{"b":1e5,"a":18446744073709551615,"b":2,"html":"<&>\u2028\u00e9/\/"}`),
		`{"id" : "x" , "action":	{"type":"purge"} }`,
		`  {"id":"x","action":{"type":"purge"}}  `,
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.Equal(t, strings.Trim(raw, " "), string(got.RawEvent))
		assert.False(t, got.RawTruncated)
		line := got.AppendJSON(nil)
		assert.True(t, bytes.Contains(line, []byte(`"raw_event":`+string(got.RawEvent)+`,`)))
	}
	// A line break would split the line. It goes with the white space around it, and
	// nothing else does.
	got, _ := n.Normalize([]byte("{\n\t\"id\": \"x\",\r\n \"n\": 1.50,\"s\":\"a\\nb\\u00e9 c\", \"n\":2 }"))
	assert.Equal(t, `{"id":"x","n":1.50,"s":"a\nb\u00e9 c","n":2}`, string(got.RawEvent))
	// Invalid UTF-8 would make the line invalid.
	got, _ = n.Normalize([]byte("{\"id\":\"x\",\"action\":{\"type\":\"a\xff\"}}"))
	assert.Equal(t, `{"id":"x","action":{"type":"a`+"\uFFFD"+`"}}`, string(got.RawEvent))
	assert.Contains(t, strings.Join(got.Audit.Notes, ";"), "UTF-8")
}

func TestNormalize_ReplacesEscapesThatHarmReaders(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const note = `NUL characters and lone surrogates in the entry are replaced by \ufffd`
	for text, want := range map[string]string{
		`\u0000`:                    `\ufffd`,
		`a\u0000b\u0000`:            `a\ufffdb\ufffd`,
		`\ud83d`:                    `\ufffd`,
		`\uD83D!`:                   `\ufffd!`,
		`\ude00\ud83d`:              `\ufffd\ufffd`,
		`\ud83d\ud83d\ude00`:        `\ufffd\ud83d\ude00`,
		`\ud83d\\ude00`:             `\ufffd\\ude00`,
		`\ud83d\n\ude00`:            `\ufffd\n\ufffd`,
		`\\\u0000`:                  `\\\ufffd`,
		`\ud83d\ude00`:              "",
		`\\u0000 \\ud83d \u00e9 \n`: "",
		`\\\\u0000\/\u0001`:         "",
		`\"u0000`:                   "",
		`u0000`:                     "",
	} {
		for _, entry := range []string{
			logged("zone", "purge", `"x":"`+text+`"`),
			logged("zone", "purge", `"`+text+`":1`),
		} {
			got, _ := n.Normalize([]byte(entry))
			if want == "" {
				assert.Equal(t, entry, string(got.RawEvent))
				assert.Empty(t, got.Audit.Notes, entry)
				continue
			}
			assert.Equal(t, strings.Replace(entry, text, want, 1), string(got.RawEvent))
			assert.Equal(t, []string{note}, got.Audit.Notes, entry)
			assert.False(t, got.RawTruncated)
		}
	}
}

// The memory of an entry is used again for the next one.
func TestNormalize_AnEventIsNotChangedByTheNext(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	want := []ingest.FieldChange{{Field: "content", Old: "192.0.2.1", New: "192.0.2.2"}}
	raw := func(old, now string) []byte {
		return []byte(logged("dns.record", "update", before(`{"content":"`+old+`"}`), after(`{"content":"`+now+`"}`)))
	}
	for range 10 {
		event, _ := n.Normalize(raw("192.0.2.1", "192.0.2.2"))
		explained := n.Explain(raw("192.0.2.1", "192.0.2.2")).Event
		_, _ = n.Normalize(raw("198.51.100.1", "198.51.100.2"))
		assert.Equal(t, want, event.Audit.Changes)
		assert.Equal(t, want, explained.Audit.Changes)
	}
}

func TestNormalizeStream_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	text := "no JSON\n" + strings.Repeat("x", 64<<10+1) + "\n" + logged("zone", "purge") + "\n" +
		`{"success":false}` + "\n" + `[` + logged("zone", "purge")
	var cut []bool
	stream, err := n.NormalizeStream(strings.NewReader(text), func(event *ingest.Event, _ Verdict) error {
		cut = append(cut, event.RawTruncated)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []bool{false, true, false, false}, cut)
	assert.Equal(t, Stream{EmptyReplies: 1, Unfinished: true}, stream)
}

// A host's detections compare the keys at the top of the JSON object.
func TestNormalize_PutsWhatDetectionsCompareAtTheTopOfTheEvent(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, tt := range []struct{ raw, action, decision string }{
		{logged("zone", "transfer_out", production), "zone.transfer_out", ""},
		{logged("wafrule", "disable", production), "waf_rule.disable", ""},
		{logged("firewallrules", "update", production, after(`{"id":"1","paused":true}`)), "firewall_rule.disable", ""},
		{logged("access.policy", "create", after(`{"decision":"bypass"}`)), "access_policy.create", "bypass"},
	} {
		got, _ := n.Normalize([]byte(tt.raw))
		var object map[string]any
		require.NoError(t, json.Unmarshal(got.AppendJSON(nil), &object))
		assert.Equal(t, tt.action, object["action"], tt.raw)
		if tt.decision != "" {
			assert.Equal(t, tt.decision, object["decision"], tt.raw)
		}
	}
}

func TestNormalize_AFailedAttemptDoesNotLookLikeASuccess(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, action := range map[string]string{
		logged("zone", "transfer_out", production):                                       "zone.transfer_out",
		logged("firewallrules", "update", production, after(`{"id":"1","paused":true}`)): "firewall_rule.disable",
		logged("wafrule", "disable", production):                                         "waf_rule.disable",
		logged("access.policy", "create", after(`{"decision":"bypass"}`)):                "access_policy.create",
		logged("account", "login"):                                                       "account.login",
	} {
		done, _ := n.Normalize([]byte(raw))
		assert.Equal(t, action, done.Action, raw)
		failed, _ := n.Normalize([]byte(strings.Replace(raw, `"result":true`, `"result":false`, 1)))
		assert.Equal(t, "failure", failed.Audit.Outcome, raw)
		assert.Equal(t, action+".failed", failed.Action, raw)
		assert.Empty(t, failed.Decision, raw)
		if done.Decision != "" {
			assert.Contains(t, failed.Audit.Changes, ingest.FieldChange{Field: "decision", New: done.Decision})
		}
	}
	unreadable, _ := n.Normalize([]byte(`{"id":"x","action":{"result":false}}`))
	assert.Equal(t, "unknown", unreadable.Action)
}

func TestNormalize_UnreadableEntriesBecomeEventsToo(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{DropRoutine: new(true)})
	for raw, kept := range map[string]string{
		``:                 `""`,
		`{`:                `"{"`,
		`{"id":"x"} extra`: `"{\"id\":\"x\"} extra"`,
		"\xff\x00":         `"` + "\uFFFD" + `\ufffd"`,
		`null`:             `null`,
		`42`:               `42`,
		`"text"`:           `"text"`,
		`[{"id":"x"}]`:     `[{"id":"x"}]`,
		`{}`:               `{}`,
		`{"id":"x"}`:       `{"id":"x"}`,
	} {
		got, v := n.Normalize([]byte(raw))
		assert.Equal(t, kept, string(got.RawEvent), "%q", raw)
		assert.False(t, v.Drop)
		assert.Equal(t, "unreadable", v.Rule, "%q", raw)
		assert.Equal(t, "unknown", got.Action)
		assert.Equal(t, low, got.Severity)
		assert.NotEmpty(t, got.ExternalID)
		assert.NotEmpty(t, got.Audit.Notes)
		assert.True(t, json.Valid(got.AppendJSON(nil)), "%q", raw)
	}
	again, _ := n.Normalize([]byte(`{`))
	first, _ := n.Normalize([]byte(`{`))
	assert.Equal(t, first.ExternalID, again.ExternalID, "the id is the same on every replay")
	deep := strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	got, _ := n.Normalize([]byte(deep))
	assert.True(t, json.Valid(got.AppendJSON(nil)), "an entry may not be nested too deep to stand in an event")
}

// Masking ends most deep nesting, but not that of objects which say who acted.
func TestNormalize_AnEntryThatNestsTooDeepIsHeldAsText(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for levels, asText := range map[int]bool{maxNesting: false, maxNesting + 1: true, 9000: true} {
		const around = 2 // the entry, and the innermost object
		deep := strings.Repeat(`{"token":`, levels-around) + "{}" + strings.Repeat("}", levels-around)
		raw := `{"id":"x","when":"2026-05-12T09:00:00Z","action":{"type":"purge"},"actor":` + deep + `,"resource":{"type":"zone"}}`
		got, _ := n.Normalize([]byte(raw))
		assert.Equal(t, "zone.cache.purge", got.Action, levels)
		assert.Equal(t, "x", got.ExternalID, levels)
		assert.Equal(t, asText, strings.HasPrefix(string(got.RawEvent), `"`), levels)
		const note = "the entry nests deeper than 500 levels; raw_event holds it as text"
		assert.Equal(t, asText, slices.Contains(got.Audit.Notes, note), "%d: %v", levels, got.Audit.Notes)
	}
	const deep = 600
	got, _ := n.Normalize([]byte(`{"id":"x","when":"2026-05-12T09:00:00Z","action":{"type":"purge","x":` +
		strings.Repeat("[", deep) + strings.Repeat("]", deep) + `},"resource":{"type":"zone"}}`))
	assert.Contains(t, string(got.RawEvent), `[["[masked]"]]`)
	assert.Equal(t, []string{"1 value that is or may be a secret is masked in raw_event"}, got.Audit.Notes)
}

func TestNormalize_OddEntriesKeepWhatCanBeRead(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for name, tt := range map[string]struct{ raw, action, actor, note string }{
		"no id":             {`{"when":"2026-05-12T09:00:00Z","action":{"type":"purge"},"resource":{"type":"zone"}}`, "zone.cache.purge", "", "the entry has no id"},
		"a number for text": {`{"id":42,"action":{"type":"purge"},"resource":{"type":"zone"},"actor":{"email":{"a":1},"id":"a1"}}`, "zone.cache.purge", "a1", "the entry has no time"},
		"null sections":     {`{"id":"x","action":{"type":"login"},"actor":null,"metadata":null,"oldValueJson":null,"resource":null}`, "account.login", "", "the entry has no time"},
		"action as text":    {`{"id":"x","action":"purge","resource":{"type":"zone"}}`, "zone.cache.purge", "", "the action is not an object"},
		"odd time":          {`{"id":"x","when":"yesterday","action":{"type":"purge"},"resource":{"type":"zone"}}`, "zone.cache.purge", "", "time could not be read"},
	} {
		got, _ := n.Normalize([]byte(tt.raw))
		assert.Equal(t, tt.action, got.Action, name)
		assert.Equal(t, tt.actor, got.Actor, name)
		assert.Contains(t, strings.Join(got.Audit.Notes, ";"), tt.note, name)
		assert.NotEmpty(t, got.ExternalID, name)
	}
}

func TestEvent_WithoutATimeGetsTheFallback(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	fallback := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	w := new(work)
	w.decode(`{"id":"x","when":"soon","action":{"type":"purge"},"resource":{"type":"zone"}}`)
	v := w.grade(n)
	notes := len(w.entry.Notes)
	w.entry.Notes = append(w.entry.Notes, "spare")[:notes]
	w.event(n, v, inPlace(fallback), &w.out)
	sound(t, w.out)
	assert.Equal(t, fallback, w.out.CreatedAt)
	assert.Len(t, w.out.Audit.Notes, notes+1)
	assert.Equal(t, "spare", w.entry.Notes[:notes+1][notes], "the entry is left as it was")
	w.decode(logged("zone", "purge"))
	w.event(n, w.grade(n), inPlace(fallback), &w.out)
	sound(t, w.out)
	assert.Equal(t, time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC), w.out.CreatedAt)
	assert.Empty(t, w.out.Audit.Notes)
}

// identity is the fields by which a host tells alerts apart.
func identity(e ingest.Event) string {
	return fmt.Sprintf("%s|%s|%s|%s|%s|%v", e.Source, e.Title, e.SrcIP, e.Hostname, e.Actor, e.MITRETechniques)
}

func TestNormalize_DistinctIncidentsAreDistinctAlertsAndRoutineIsOne(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}})
	record := func(name string) string {
		return logged("dns.record", "delete", production, before(`{"type":"MX","name":"`+name+`"}`))
	}
	for name, tt := range map[string]struct {
		a, b string
		same bool
	}{
		"two records":       {record("a.example.com"), record("b.example.com"), false},
		"two long names":    {record(strings.Repeat("long.", 40) + "a.example.com"), record(strings.Repeat("long.", 40) + "b.example.com"), false},
		"two record types":  {record("a.example.com"), strings.Replace(record("a.example.com"), "MX", "NS", 1), false},
		"two members":       {logged("member", "add", `"metadata":{"user_email":"a@example.com"}`), logged("member", "add", `"metadata":{"user_email":"b@example.com"}`), false},
		"two tokens":        {logged("account", "token_create", `"metadata":{"token_name":"a"}`), logged("account", "token_create", `"metadata":{"token_name":"b"}`), false},
		"two zones":         {logged("zone", "delete", `"metadata":{"zone_name":"a.example"}`), logged("zone", "delete", `"metadata":{"zone_name":"b.example"}`), false},
		"two scripts":       {logged("script", "script_deploy", `"resource":{"type":"script","id":"a"}`), logged("script", "script_deploy", `"resource":{"type":"script","id":"b"}`), false},
		"two settings":      {setting("example.com", "ssl", "ssl", "full", "off"), setting("example.com", "min_tls_version", "ssl", "1.2", "1.0"), false},
		"two values":        {setting("example.com", "ssl", "ssl", "full", "off"), setting("example.com", "ssl", "ssl", "full", "flexible"), false},
		"two policies":      {logged("access.policy", "create", after(`{"decision":"bypass","name":"a"}`)), logged("access.policy", "create", after(`{"decision":"bypass","name":"b"}`)), false},
		"two applications":  {logged("access.policy", "create", after(`{"decision":"bypass","name":"everyone"}`), `"metadata":{"app_name":"Intranet"}`), logged("access.policy", "create", after(`{"decision":"bypass","name":"everyone"}`), `"metadata":{"app_name":"Shop"}`), false},
		"two app ids":       {logged("access.policy", "create", after(`{"decision":"bypass","name":"everyone","app_id":"a"}`)), logged("access.policy", "create", after(`{"decision":"bypass","name":"everyone","app_id":"b"}`)), false},
		"two users' 2FA":    {logged("user", "MFA_disabled", `"metadata":{"user_email":"a@example.com"}`), logged("user", "MFA_disabled", `"metadata":{"user_email":"b@example.com"}`), false},
		"two unnamed rules": {logged("firewallrules", "delete", production, `"resource":{"type":"firewallrules","id":"f1"}`), logged("firewallrules", "delete", production, `"resource":{"type":"firewallrules","id":"f2"}`), false},
		"two roles":         {logged("member", "add", `"metadata":{"user_email":"a@example.com"}`, after(`{"roles":[{"name":"DNS"}]}`)), logged("member", "add", `"metadata":{"user_email":"a@example.com"}`, after(`{"roles":[{"name":"Firewall"}]}`)), false},
		"two unproxied":     {logged("dns.record", "update", production, before(`{"type":"A","name":"a.example.com","proxied":true}`), after(`{"type":"A","name":"a.example.com","proxied":false}`)), logged("dns.record", "update", production, before(`{"type":"A","name":"b.example.com","proxied":true}`), after(`{"type":"A","name":"b.example.com","proxied":false}`)), false},
		"two groups":        {logged("iam.user_group", "update", `"resource":{"type":"iam.user_group","id":"g1"}`), logged("iam.user_group", "update", `"resource":{"type":"iam.user_group","id":"g2"}`), false},
		"two addresses":     {record("a.example.com"), strings.Replace(record("a.example.com"), "192.0.2.10", "192.0.2.11", 1), false},
		"two rules":         {logged("firewallrules", "delete", production, before(`{"description":"a"}`)), logged("firewallrules", "delete", production, before(`{"description":"b"}`)), false},
		"two removed":       {logged("member", "remove", `"metadata":{"user_email":"a@example.com"}`), logged("member", "remove", `"metadata":{"user_email":"b@example.com"}`), false},
		"two routes":        {logged("route", "route_create", `"metadata":{"pattern":"a.example.com/*","script":"x"}`), logged("route", "route_create", `"metadata":{"pattern":"b.example.com/*","script":"x"}`), false},
		"two route scripts": {logged("route", "route_create", `"metadata":{"pattern":"a.example.com/*","script":"x"}`), logged("route", "route_create", `"metadata":{"pattern":"a.example.com/*","script":"y"}`), false},
		"two buckets":       {logged("r2.bucket", "ChangeBucketVisibility", `"metadata":{"bucket":"a"}`, after(`{"public":true}`)), logged("r2.bucket", "ChangeBucketVisibility", `"metadata":{"bucket":"b"}`, after(`{"public":true}`)), false},
		"two jobs":          {logged("logpush job", "job_delete", `"resource":{"type":"logpush job","id":"1"}`), logged("logpush job", "job_delete", `"resource":{"type":"logpush job","id":"2"}`), false},
		"two providers":     {logged("access.identity_provider", "delete", before(`{"name":"a"}`)), logged("access.identity_provider", "delete", before(`{"name":"b"}`)), false},
		"two disabled":      {logged("firewallrules", "update", production, before(`{"description":"a","paused":false}`), after(`{"description":"a","paused":true}`)), logged("firewallrules", "update", production, before(`{"description":"b","paused":false}`), after(`{"description":"b","paused":true}`)), false},
		"two transfers":     {logged("zone", "transfer_out", `"metadata":{"zone_name":"a.example"}`), logged("zone", "transfer_out", `"metadata":{"zone_name":"b.example"}`), false},
		"two tunnels":       {logged("cfd_tunnel", "create", after(`{"name":"a"}`)), logged("cfd_tunnel", "create", after(`{"name":"b"}`)), false},
		"two people":        {record("a.example.com"), strings.Replace(record("a.example.com"), "alice@example.com", "bob@example.com", 1), false},
		"tried and done":    {logged("zone", "delete", production), logged("zone", "delete", production, `"action":{"type":"delete","result":false}`), false},
		"the same again":    {record("a.example.com"), strings.Replace(record("a.example.com"), "09:00:00", "10:00:00", 1), true},

		"two created records":           {logged("dns.record", "create", production, after(`{"type":"A","name":"a.example.com"}`)), logged("dns.record", "create", production, after(`{"type":"TXT","name":"b.example.com"}`)), true},
		"two denied sign-ins":           {logged("account", "login", `"action":{"type":"login","result":false}`), strings.Replace(logged("account", "login", `"action":{"type":"login","result":false}`), "09:00:00", "10:00:00", 1), true},
		"two revoked tokens":            {logged("account", "token_revoke", `"metadata":{"token_name":"a"}`), logged("account", "token_revoke", `"metadata":{"token_name":"b"}`), true},
		"two rules made stricter":       {logged("firewallrules", "update", production, before(`{"description":"a","action":"allow"}`), after(`{"description":"a","action":"block"}`)), logged("firewallrules", "update", production, before(`{"description":"b","action":"allow"}`), after(`{"description":"b","action":"block"}`)), true},
		"two cron jobs":                 {logged("script", "script_schedules", `"resource":{"type":"script","id":"a"}`), logged("script", "script_schedules", `"resource":{"type":"script","id":"b"}`), true},
		"two sign-ins":                  {logged("account", "login"), strings.Replace(logged("account", "login"), "09:00:00", "10:00:00", 1), true},
		"two purges":                    {logged("zone", "purge", production), logged("zone", "purge", production, `"metadata":{"zone_name":"example.com","files":["x"]}`), true},
		"two page rules":                {logged("pagerule", "create", `"metadata":{"pr_match":"a"}`), logged("pagerule", "create", `"metadata":{"pr_match":"b"}`), true},
		"two unknown ones":              {logged("hologram.app", "create", after(`{"name":"a"}`)), logged("hologram.app", "create", after(`{"name":"b"}`)), true},
		"two settings of no importance": {setting("example.com", "ipv6", "network", "on", "off"), setting("example.com", "minify", "speed", "on", "off"), true},
		"two unreadable ones":           {`{"id":"a"}`, `{"id":"b"}`, true},
	} {
		a, _ := n.Normalize([]byte(tt.a))
		b, _ := n.Normalize([]byte(tt.b))
		if tt.same {
			assert.Equal(t, identity(a), identity(b), name)
		} else {
			assert.NotEqual(t, identity(a), identity(b), name)
		}
	}
}

// For each rule: the same action on another target is another alert where it is
// graded medium or higher, and the same one where it is routine.
func TestNormalize_AnotherTargetIsAnotherAlertWhereItMatters(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com", "*.example.com"}, VerifiedWorkers: []string{"*checkout*"}})
	tried := 0
	for rule, example := range examples() {
		a, v := n.Normalize([]byte(example))
		b, w := n.Normalize([]byte(strings.ReplaceAll(example, a.Audit.Target, "x2."+a.Audit.Target)))
		if v.Drop || a.Audit.Target == "" || a.Audit.Target == b.Audit.Target || v.Rule != w.Rule {
			continue // the target is what the rule is about
		}
		tried++
		b.Hostname, b.Actor = a.Hostname, a.Actor // which may hold the target, too
		switch v.Severity {
		case low, info:
			assert.Equal(t, identity(a), identity(b), rule)
		default:
			if rule != "2fa-enforcement-removed" && rule != "2fa-enforced" { // there is one for each account
				assert.NotEqual(t, identity(a), identity(b), rule)
			}
		}
	}
	assert.Greater(t, tried, len(examples())*3/4)
}

func TestNormalize_TitlesOfHighAndMediumEventsNameTheTarget(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout*"}})
	for rule, example := range examples() {
		got, v := n.Normalize([]byte(example))
		switch v.Severity {
		case critical, high, medium:
		default:
			continue
		}
		switch rule {
		case "2fa-enforcement-removed", "2fa-enforced", "access-keys-changed", "payload-log-changed", "flood-protection-disabled", "network-routes-emptied", "gateway-logging-reduced":
			continue // there is one for each account
		}
		if v.Rule != rule {
			continue // the rule counts, and grades nothing
		}
		if assert.NotEmpty(t, got.Audit.Target, rule) {
			assert.Contains(t, got.Title, got.Audit.Target, rule)
		}
	}
}

func TestNormalize_TitlesAreOneBoundedLine(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for target, want := range map[string]string{
		`a\nb\r\nc`:                 "API token with unknown scopes created: a b  c",
		`\u001b[31mred\u0000\u007f`: "API token with unknown scopes created: [31mred",
		`\u202egnp.exe`:             "API token with unknown scopes created: gnp.exe",
		``:                          "API token with unknown scopes created: r1",
	} {
		got, _ := n.Normalize([]byte(logged("token", "create", `"metadata":{"token_name":"`+target+`"}`)))
		assert.Equal(t, want, got.Title)
	}
	got, _ := n.Normalize([]byte(logged("token", "create", `"metadata":{"token_name":"`+strings.Repeat("€", 5000)+`"}`)))
	assert.LessOrEqual(t, len(got.Title), maxTitle+len("…"))
	assert.True(t, utf8.ValidString(got.Title))
	assert.Contains(t, got.Title, "…")
	got, _ = n.Normalize([]byte(logged("zone", "purge", `"resource":{"id":"`+strings.Repeat("x", 5000)+`","type":"zone"}`)))
	assert.LessOrEqual(t, len(got.Audit.ResourceID), audit.MaxText+len("…"))
	got, _ = n.Normalize([]byte(strings.Replace(logged("zone", "purge"), "11111111", strings.Repeat("1", 5000), 1)))
	assert.LessOrEqual(t, len(got.ExternalID), maxID)
}

func TestNormalize_SecretsStayOutOfTheEvent(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	n := normalizer(t, Config{})
	for _, raw := range []string{
		logged("access.identity_provider", "create", after(`{"config":{"client_secret":"`+secret+`"}}`)),
		logged("logpush job", "job_create", after(`{"destination_conf":"s3://b?secret-access-key=`+secret+`"}`)),
		logged("logpush job", "job_update", after(`{"output":{"auth":{"password":"`+secret+`"}}}`)),
		logged("zone.certificate", "create", after(`{"private_key":"`+secret+`","certificate":"-----BEGIN PRIVATE KEY-----`+secret+`"}`)),
		logged("x", "create", `"newValue":"cfut_`+secret+`"`),
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.NotContains(t, string(got.AppendJSON(nil)), secret, raw)
		assert.Contains(t, string(got.RawEvent), masked)
		assert.NotEmpty(t, got.Audit.Notes, raw)
	}
	// The digest of a token is not a secret, but useless as a change.
	got, _ := n.Normalize([]byte(logged("account", "token_roll", `"metadata":{"token_name":"ci","old_token_hash":"`+secret+`","new_token_hash":"`+secret+`1"}`)))
	assert.Contains(t, string(got.RawEvent), secret)
	got.RawEvent = ""
	assert.NotContains(t, string(got.AppendJSON(nil)), secret)
}

func TestNormalize_ADeletedPolicyDecidesNothing(t *testing.T) {
	t.Parallel()
	got, _ := normalizer(t, Config{}).Normalize([]byte(logged("access.policy", "delete", before(`{"decision":"bypass"}`))))
	assert.Empty(t, got.Decision)
	assert.Equal(t, "safer", got.Audit.Direction)
}

func FuzzNormalize(f *testing.F) {
	for _, raw := range savedEntries(f) {
		f.Add([]byte(raw))
	}
	for _, raw := range []string{``, `{`, `null`, `[[]]`, "{\"id\":\"\\ud800\"}", "{\"a\":\"\xff\"}", `{"metadata":{"zone_name":"ü\u0000"}}`,
		`{"id":"x","when":"9999-12-31T23:59:59.999999999+23:59","resource":{"type":"ruleset"},"newValueJson":{"modified_rules":[[],{},{"action":{"mode":[]}}]}}`} {
		f.Add([]byte(raw))
	}
	n := normalizer(f, Config{DropRoutine: new(true), ProductionZones: []string{"example.com"}}).Normalizer
	keys := func(line []byte) []string {
		var keys []string
		dec := json.NewDecoder(bytes.NewReader(line))
		_, _ = dec.Token()
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil
			}
			keys = append(keys, key.(string))
			var skip json.RawMessage
			if dec.Decode(&skip) != nil {
				return nil
			}
		}
		return keys
	}
	plain, _ := n.Normalize([]byte(logged("zone", "purge")))
	want := keys(plain.AppendJSON(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		input := bytes.Clone(raw)
		got, v := n.Normalize(raw)
		require.Equal(t, input, raw, "the entry is not written to")
		line := got.AppendJSON(nil)
		require.True(t, json.Valid(line), "%q", line)
		require.True(t, utf8.Valid(line))
		require.False(t, bytes.ContainsAny(line, "\n\r"))
		require.Equal(t, want, keys(line))
		require.True(t, got.Severity.Valid())
		require.Equal(t, got.Severity, v.Severity)
		require.NotEmpty(t, v.Rule)
		require.NotEmpty(t, got.ExternalID)
		require.NotEmpty(t, got.Action)
		require.Equal(t, v.Drop, got.Title == "")
		if !v.Drop {
			sound(t, got)
		}
		for _, s := range []string{got.Title, got.Actor, got.Hostname, got.SrcIP, got.Action, got.Audit.Target} {
			require.Less(t, strings.IndexFunc(s, unicode.IsControl), 0, "%q", s)
			require.LessOrEqual(t, len(s), audit.MaxText+len("…"))
		}
		require.LessOrEqual(t, len(got.Audit.Changes), maxChanges)
		again, _ := n.Normalize(raw)
		require.Equal(t, got, again)
	})
}

// BenchmarkEvent is an event of an entry, from its bytes on. There is an entry for
// every default rule.
func BenchmarkEvent(b *testing.B) {
	var entries [][]byte
	for _, id := range slices.Sorted(maps.Keys(examples())) {
		entries = append(entries, []byte(examples()[id]))
	}
	benchmarkEvents(b, entries)
}

func benchmarkEvents[T ~[]byte](b *testing.B, entries []T) {
	n := normalizer(b, Config{}).Normalizer
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = n.Normalize(entries[i%len(entries)])
	}
}

// Cloudflare states a result of true for some of these: that it was logged.
func TestEvent_AnActionTypeThatSaysItFailedIsAFailure(t *testing.T) {
	t.Parallel()
	for _, result := range []string{"true", "false", "null"} {
		event, verdict := normalizer(t, Config{}).Normalize([]byte(`{"id":"a","when":"2026-05-12T09:00:00Z","action":{"type":"login_failed","result":` + result +
			`},"actor":{"email":"alice@example.com","type":"user"},"resource":{"type":"user"}}`))
		assert.Equal(t, "failure", event.Audit.Outcome, result)
		assert.Equal(t, "account.login.failed", event.Action, result)
		assert.Equal(t, "login-failed", verdict.Rule, result)
		assert.Equal(t, "login_failed", event.Audit.ActionType, "as Cloudflare names it")
	}
}
