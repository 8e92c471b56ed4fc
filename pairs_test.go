package cloudflareaudit

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/product"
)

// agreement counts how often the two events of a change agree.
type agreement struct {
	pairs, action, severity, correlation, alert int
}

// alertOf is the fields by which a host tells alerts apart.
func alertOf(e ingest.Event) string {
	return fmt.Sprint([]string{e.Title, e.Actor, e.SrcIP, e.Hostname}, e.MITRETechniques)
}

const historyPairs = 8000

var historyFrom = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// pairedHistory is a month of changes.
var pairedHistory = sync.OnceValue(func() []fakecloudflare.Pair {
	return fakecloudflare.GeneratePairs(1, historyPairs, historyFrom, historyFrom.AddDate(0, 1, 0))
})

// comparison is the agreement by canonical action and in total.
type comparison struct {
	of    map[string]*agreement
	total agreement
}

// compareLogs compares the two events of every change in the history.
var compareLogs = sync.OnceValue(func() comparison {
	n, err := NewNormalizer(Config{AccountID: account, AuditLogAPI: AuditLogBoth, DropRoutine: new(false)})
	if err != nil {
		panic(err)
	}
	c := comparison{of: make(map[string]*agreement)}
	of := c.of
	for _, p := range pairedHistory() {
		a := of[p.Action]
		if a == nil {
			a = new(agreement)
			of[p.Action] = a
		}
		v1, _ := n.Normalize(p.V1)
		v2, _ := n.Normalize(p.V2)
		for _, sum := range []*agreement{a, &c.total} {
			sum.pairs++
			for count, same := range map[*int]bool{
				&sum.action:      v1.Audit.API == "v1" && v2.Audit.API == "v2" && v1.Action == v2.Action && v1.Action == canonical(p),
				&sum.severity:    v1.Severity == v2.Severity,
				&sum.correlation: v1.Audit.CorrelationID == v2.Audit.CorrelationID,
				&sum.alert:       alertOf(v1) == alertOf(v2),
			} {
				if same {
					*count++
				}
			}
		}
	}
	return c
})

// canonical is the action of the events of p.
func canonical(p fakecloudflare.Pair) string {
	if p.Failed {
		return p.Action + ".failed"
	}
	return p.Action
}

// correlationSpans are the spans of time that docs/two-logs.md compares.
var correlationSpans = []time.Duration{10 * time.Second, time.Minute, product.CorrelationSpan, 10 * time.Minute, 30 * time.Minute}

// spanShare is how often both sides of a change have one id with a span, and how
// many entries of a busy account share their id with another one.
type spanShare struct{ agree, shared float64 }

// spanShares has a share for each of correlationSpans.
func spanShares(t testing.TB) []spanShare {
	ids := func(raw []byte) []ingest.CorrelationID {
		var doc jsondoc.Doc
		require.NoError(t, doc.Parse(string(raw)))
		var e audit.Entry
		e.Decode(&doc, "")
		var f product.Facts
		product.Understand(&e, &f)
		ids := make([]ingest.CorrelationID, len(correlationSpans))
		for i, span := range correlationSpans {
			ids[i] = f.Correlate(&e, account, e.When, span)
		}
		return ids
	}
	shares := make([]spanShare, len(correlationSpans))
	for _, p := range pairedHistory() {
		v1, v2 := ids(p.V1), ids(p.V2)
		for i := range shares {
			if v1[i] == v2[i] {
				shares[i].agree++
			}
		}
	}
	people := 0
	times := make([]map[ingest.CorrelationID]int, len(shares))
	for _, raw := range fakecloudflare.Generate(1, 10_000, historyFrom, historyFrom.AddDate(0, 0, 5)) {
		if bytes.Contains(raw, []byte(`"type":"system"`)) {
			continue
		}
		people++
		for i, id := range ids(raw) {
			if times[i] == nil {
				times[i] = make(map[ingest.CorrelationID]int)
			}
			times[i][id]++
		}
	}
	for i := range shares {
		for _, n := range times[i] {
			if n > 1 {
				shares[i].shared += float64(n)
			}
		}
		shares[i].agree /= historyPairs
		shares[i].shared /= float64(people)
	}
	return shares
}

// Both entries of a change get the same action and correlation id, and where both
// say enough about it the same grade and alert.
func TestPairs_BothLogsAgree(t *testing.T) {
	t.Parallel()
	of, total := compareLogs().of, compareLogs().total
	// These are graded by what only one log knows: the scopes of a token, the role
	// of a member, the type of a deleted record.
	graded := []string{"api_token.create", "member.add", "dns.record.delete", "dns.record.update"}
	// Of these one log tells the name, the values before or the roles, and the other
	// one an id or nothing. Titles tell what there is.
	told := []string{"dns.record.delete", "api_token.create", "api_token.roll", "access_app.delete", "access_policy.update", "access_policy.delete",
		"firewall_rule.disable", "gateway.rule.delete", "identity_provider.delete", "logpush.job.delete", "member.add", "member.update", "member.remove",
		"zone.firewall.rule.delete", "zone.firewall.rule.update", "zone.settings.update"}
	for action, a := range of {
		assert.Equal(t, a.pairs, a.action, action)
		if !slices.Contains(graded, action) {
			assert.Equal(t, a.pairs, a.severity, "the severity of %s", action)
		}
		if slices.Contains(told, action) {
			assert.Less(t, a.alert, a.pairs, "%s can be told alike after all", action)
		} else {
			assert.GreaterOrEqual(t, a.alert*100, a.pairs*96, "the alerts of %s", action)
		}
		assert.GreaterOrEqual(t, a.correlation*100, a.pairs*93, "the correlation ids of %s", action)
	}
	assert.Equal(t, total.pairs, total.action)
	assert.GreaterOrEqual(t, total.correlation*1000, total.pairs*990)
	assert.GreaterOrEqual(t, total.alert*1000, total.pairs*700)
}

// An event tells what its entry tells, whichever other log is read, and so does one
// that is made of it once more.
func TestPairs_TitlesDependOnNothingButTheEntry(t *testing.T) {
	t.Parallel()
	both, alone := normalizer(t, Config{AuditLogAPI: AuditLogBoth}), normalizer(t, Config{AuditLogAPI: AuditLogV1})
	for _, p := range pairedHistory()[:2000] {
		for _, raw := range [][]byte{p.V1, p.V2} {
			e, v := both.Normalize(raw)
			single, _ := alone.Normalize(raw)
			again, w := alone.Normalize([]byte(e.RawEvent))
			require.Equal(t, e.Title, single.Title)
			require.Equal(t, e.Title, again.Title, "%s", raw)
			require.Equal(t, v, w)
		}
	}
	e, _ := both.Normalize([]byte(logged("dns.record", "delete", production, before(`{"type":"MX","name":"mail.example.com"}`))))
	require.Equal(t, "DNS MX record deleted: mail.example.com", e.Title)
}

// Both logs agree on what belongs to a user rather than to the account.
func TestPairs_BothLogsTellAlikeWhatBelongsToAUser(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, p := range pairedHistory()[:500] {
		v1, _ := n.Normalize(p.V1)
		v2, _ := n.Normalize(p.V2)
		if strings.Contains(v2.Audit.URI, "/accounts/") && strings.HasPrefix(p.Action, "api_token.") {
			continue // the audit log files the tokens of an account under whoever made them
		}
		assert.Equal(t, v1.Audit.Scope == "user", v2.Audit.Scope == "user", "%s\n%s", p.V1, p.V2)
	}
}

// The times may differ within a span, everything else may not.
func TestCorrelation_TellsChangesApart(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	id := func(raw string) ingest.CorrelationID {
		got, _ := n.Normalize([]byte(raw))
		return got.Audit.CorrelationID
	}
	record := func(more ...string) string {
		return logged("dns.record", "delete", append([]string{inZone, `"owner":{"id":"` + account + `"}`}, more...)...)
	}
	of := func(resource string) string { return `"resource":{"type":"dns.record","id":"` + resource + `"}` }
	base := id(record())
	assert.Equal(t, base, id(requested("DELETE", "/zones/"+zone+"/dns_records/r1")))
	assert.Equal(t, base, id(strings.Replace(record(), "09:00:00Z", "09:04:59.9Z", 1)))
	for _, other := range []string{
		record(of("r2")),
		record(`"actor":{"id":"a2","type":"user","email":"alice@example.com"}`),
		record(`"action":{"type":"delete","result":false}`),
		strings.Replace(record(), "09:00:00Z", "09:05:00Z", 1),
		strings.Replace(record(), `"example.com"`, `"example.net"`, 1),
		strings.Replace(record(), `"type":"delete"`, `"type":"update"`, 1),
	} {
		assert.NotEqual(t, base, id(other), other)
	}
	got, _ := normalizer(t, Config{AccountID: "another"}).Normalize([]byte(record()))
	assert.NotEqual(t, base, got.Audit.CorrelationID)
}

const twoLogsIntro = `# Two logs of one account

<!-- Made from the code. Do not edit: go test . -run TestDocs -update -->

How do the two audit logs differ, and how are their events joined? The audit log
(v1) says what a thing was before and what it is now. Audit Logs v2 says how the API
was called: the method, the URI, the body and the API token, and with it the scopes of
a new token. A change is in both, under unrelated ids and with times some seconds
apart. When both logs are read, both entries become events, and neither waits for the
other.

**One change, one correlation id.** ` + "`audit.correlation_id`" + ` joins them: a digest
of the account, the actor's id, the canonical action, whether it failed, the
zone, the thing acted upon and the five minutes that contain the time. Only what
both logs know is included. The thing acted upon is the name of what is created, the
id of what is changed or deleted, the id of an API token, and nothing where the logs
have no name for it in common, as for what users do to themselves or whole rule sets.
A changed rule of a rule set counts as a change of the set, and an uploaded Worker as an
update.

**The exact join.** ` + "`audit.request_id`" + ` is the ray id of the request. Audit Logs v2
always has it, and v1 in the metadata of some entries, such as those of rule sets.
If both entries have it, it joins their events with certainty, whatever the time between
them and the action that each log names; one request may have several entries in
v1. It cannot be part of the correlation id: an entry of v2 does not know whether
that of v1 has it.

The five minutes of the correlation id are a compromise. Shorter spans separate more
pairs at a boundary, and with longer ones more changes that one person makes to one
thing count as one. The first column of figures is measured on the history below, whose
pairs are 0 to 5 seconds apart, and the second on what people do in five days of a v1
log of 2,000 entries a day:

$spans
**Two titles, where one log knows more.** Each event tells all that its entry
tells, so its title does not depend on whether the other log is read, and an event
that is made from ` + "`raw_event`" + ` again has the same one. Where one log has the name and the
other the id, as for most of what is deleted, the two titles differ, and a host that
tells alerts apart by their titles raises two. Group them by
` + "`audit.correlation_id`" + `.

**What else differs.** The grade, where one log knows more: v1 does not know the
scopes of a token or the role of a new member, and assumes the worst; v2 does
not know the type of a deleted record, nor the previous value of a setting.
` + "`audit.action`" + ` differs where v1 has a whole rule set before and after, which shows
that a rule was disabled or deleted.

An event of a user is in the log of every account of that user. Its
` + "`audit.scope`" + ` is ` + "`user`" + `, from either log. A host with several accounts can
receive it once: with ` + "`sink.Distinct`" + `, or with ` + "`--user-events-once`" + ` of
` + "`cfaudit fleet work`" + `.

## Old values in Audit Logs v2

Entries of v2 say what was sent and not what was there before. With
` + "`resolve_history`" + ` the connector asks for the history of the resource, which is
the earlier entries about it, up to 20 of them and as far back as the log goes.
What the newest of them sent or received is the old value. With it an event
of v2 gets the changes, the direction, the action and the grade that v1 gives the
same change.

* **Which changes.** Those that succeeded and sent members of a resource that was
  there before, and that are graded medium or higher, or would be if they weakened
  something. Creating and deleting need no old value.
* **Which entries.** Those that succeeded, before the change, at the same address,
  back to where the resource was created or last deleted. The newest one that has a
  member decides for that member, because a change may send only some members; a
  member that none of them has gets no old value. Members that a PUT
  leaves out count as changed where both answers show that they were.
* **How sure.** ` + "`audit.notes`" + ` names the newest entry that was used. Cloudflare finds
  a resource by its address (` + "`exact`" + `); where it does so in another way
  (` + "`approximate`" + `), the note says so. Nothing is taken from a history that is
  ` + "`unavailable`" + ` or has no such status.
* **What it does not see.** A change made at another address: a record in a batch,
  a setting among several, a rule by replacing its rule set. The old value is then
  the one before.
* **A replay.** ` + "`raw_event`" + ` is the entry as received. If it is normalized again, the
  event has only what the entry itself says.

The titles of v2 entries follow the direction as well, unless both logs are read:
then they say only what both logs know.

`

func percent(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of)) }

func TestDocs_TwoLogsIsCurrent(t *testing.T) {
	t.Parallel()
	const name = "docs/two-logs.md"
	of, total := compareLogs().of, compareLogs().total
	var b strings.Builder
	spans := "| Span | Pairs with one id | Changes that share the id of another |\n|---|---|---|\n"
	for i, share := range spanShares(t) {
		spans += fmt.Sprintf("| %.0f s | %.1f %% | %.1f %% |\n", correlationSpans[i].Seconds(), 100*share.agree, 100*share.shared)
	}
	b.WriteString(strings.Replace(twoLogsIntro, "$spans", spans, 1))
	fmt.Fprintf(&b, "## Measured\n\nOn a generated history of %d changes of every kind that both logs can express:\n"+
		"the same action in %s, the same severity in %s, the same correlation id in\n%s and the same alert (title, actor, address, hostname and techniques) in %s.\n\n",
		total.pairs, percent(total.action, total.pairs), percent(total.severity, total.pairs),
		percent(total.correlation, total.pairs), percent(total.alert, total.pairs))
	b.WriteString("| Action | Severity | Correlation id | Alert |\n|---|---|---|---|\n")
	for _, action := range slices.Sorted(maps.Keys(of)) {
		a := of[action]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", action, percent(a.severity, a.pairs), percent(a.correlation, a.pairs), percent(a.alert, a.pairs))
	}
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(b.String()), 0o644))
	}
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(got), b.String(), "run go test . -run TestDocs -update")
}
