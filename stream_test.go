package cloudflareaudit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// streamed are the event lines of a text.
func streamed(t *testing.T, n *Normalizer, text string) string {
	t.Helper()
	var lines []byte
	_, err := n.NormalizeStream(strings.NewReader(text), func(e *ingest.Event, _ Verdict) error {
		lines = append(e.AppendJSON(lines), '\n')
		return nil
	})
	require.NoError(t, err)
	return string(lines)
}

func TestNormalizeStream_ItsOwnEventsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	first := normalizer(t, Config{}).Normalizer
	other := normalizer(t, Config{AccountID: strings.Repeat("b", 32)}).Normalizer
	other.accountID = ""
	texts := append(fixtures(t),
		"no JSON", `{"id":"a"`, `[null,7,"x",{}]`, `{}`, `{"password":"open-sesame"}`, "password: open-sesame-31415926", strings.Repeat("x", 70_000),
		"{\n \"action\": {\"type\":\"purge\"},\n \"resource\": {\"type\":\"zone\"}\n}",
		`{"id":"deep","action":{"type":"purge","x":`+strings.Repeat("[", 600)+strings.Repeat("]", 600)+`},"resource":{"type":"zone"}}`,
		logged("identity_provider", "update", before(`{"config":{"client_secret":"a"},"name":"x"}`), after(`{"config":{"client_secret":"b"},"name":"y"}`)),
	)
	for _, text := range texts {
		if strings.Contains(text, `\u0000`) {
			continue // a NUL character is not in raw_event any more
		}
		lines := streamed(t, first, text)
		if lines == "" {
			continue // an empty list
		}
		assert.Equal(t, lines, streamed(t, first, lines))
		assert.Equal(t, lines, streamed(t, other, lines), "the account is that of the event")
		var wrapped strings.Builder
		for line := range strings.Lines(lines) {
			wrapped.WriteString(`{"time":1,"event":` + strings.TrimSpace(line) + `}`)
		}
		assert.Equal(t, lines, streamed(t, first, wrapped.String()))
	}
}

// What is masked in one place of an event is masked in all, so nothing is read
// differently the second time.
func TestNormalizeStream_EveryEventIsReadAgainAsItIs(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	var saved strings.Builder
	add := func(entry string) { saved.WriteString(strings.TrimSpace(entry) + "\n") }
	for _, p := range append(plantedBodies(t), plantedMembers(t)...) {
		add(p.raw)
	}
	for i, line := range linesOf(t, "testdata/secrets/routes.txt") {
		add(plantedEntry(t, i, line).raw)
	}
	for _, operation := range linesOf(t, "internal/product/testdata/operations.txt") {
		method, path := cutAfter(operation, strings.IndexByte(operation, ' '))
		path = strings.NewReplacer("{account_id}", account, "{zone_id}", zone).Replace(path)
		for _, id := range []string{"372e67954025e0ba6aaa6d586b9e0b59", "0d5f3c1a-7e55-4c1f-9d1e-0000000000aa"} {
			add(requested(method, pathMark.ReplaceAllString(path, id), `"response":{"result":{"id":"`+id+`","name":"x"}}`))
		}
	}
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, entry := range fakecloudflare.Generate(1, 1000, to.Add(-time.Hour), to) {
		add(string(entry))
	}
	for _, entry := range fakecloudflare.GenerateV2(1, 1000, to.Add(-time.Hour), to) {
		add(string(entry))
	}
	first := streamed(t, n, saved.String())
	lines, again := strings.Split(first, "\n"), strings.Split(streamed(t, n, first), "\n")
	require.Greater(t, len(lines), 5000)
	require.Len(t, again, len(lines))
	for i := range lines {
		require.Equal(t, lines[i], again[i])
	}
}

// An id that lets in is a secret wherever an entry has it, one that only names is not.
func TestNormalize_IDsInPathsThatLetIn(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const id = "b115d5ec15c641ee8b7692c449b5227b"
	for _, path := range []string{"/user/invites/" + id, "/accounts/" + account + "/pages/projects/shop/deploy_hooks/" + id} {
		for _, raw := range []string{
			requested("PATCH", path, `"id":"`+id+`","request":{"status":"accepted"},"response":{"id":"`+id+`","link":"see `+id+`"}`),
			`{"AuditLogID":"x","ActionTimestamp":"2026-05-12T08:02:32Z","ActionType":"update","Raw":"{\"method\":\"PATCH\",\"uri\":\"` + path + `\"}","ResourceID":"` + id + `","ResourceResponse":"{\"id\":\"` + id + `\"}"}`,
		} {
			event, _ := n.Normalize([]byte(raw))
			assert.NotContains(t, string(event.AppendJSON(nil)), id)
			assert.NotEqual(t, "unknown", event.Action)
		}
	}
	for _, path := range []string{
		"/accounts/" + account + "/alerting/v3/destinations/webhooks/" + id, "/accounts/" + account + "/data-security/posture/webhooks/" + id,
		"/accounts/" + account + "/realtime/kit/app/webhooks/" + id,
	} {
		event, _ := n.Normalize([]byte(requested("DELETE", path, `"response":{"id":"`+id+`"}`)))
		assert.Equal(t, id, event.Audit.ResourceID)
		assert.Equal(t, path, event.Audit.Request.URI)
		assert.NotContains(t, string(event.AppendJSON(nil)), "[masked]")
	}
}

// Rules may have changed since.
func TestNormalizeStream_GradesItsOwnEventsAnew(t *testing.T) {
	t.Parallel()
	lines := streamed(t, normalizer(t, Config{}).Normalizer, logged("zone", "purge"))
	own, err := ParseRules([]byte(`[{"id":"mine","severity":"critical","match":{"action":"zone.cache.purge"}}]`))
	require.NoError(t, err)
	again := streamed(t, normalizer(t, Config{Rules: own}).Normalizer, lines)
	assert.Contains(t, again, `"severity":"critical"`)
}

func TestNormalizeStream_NoEventIsWithoutATime(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 5, 13, 0, 0, 0, 0, time.UTC)
	n := normalizer(t, Config{Clock: func() time.Time { return clock }}).Normalizer
	const (
		untimed = `{"id":"u","action":{"type":"purge"},"resource":{"type":"zone"}}`
		ten     = `{"id":"t","when":"2026-05-12T10:00:00Z","action":{"type":"purge"},"resource":{"type":"zone"}}`
		eleven  = `{"id":"e","when":"2026-05-12T11:00:00Z","action":{"type":"purge"},"resource":{"type":"zone"}}`
		byID    = `{"id":"019e1bc5-b5b2-7000-8000-000000000001","action":{"type":"delete"},"resource":{"product":"zones"}}`
		old     = `{"external_id":"o","created_at":"0001-01-01T00:00:00Z","raw_event":` + untimed + `}`
	)
	const after, before, read, id = "created_at is that of the entry after it", "created_at is that of the entry before it",
		"created_at is when the entry was read", "created_at is the time in the entry's id"
	for text, want := range map[string][]string{
		untimed:                           {"2026-05-13T00:00:00Z " + read},
		"torn line\n" + untimed + ten:     {"2026-05-12T10:00:00Z " + after, "2026-05-12T10:00:00Z " + after, "2026-05-12T10:00:00Z "},
		ten + untimed + eleven:            {"2026-05-12T10:00:00Z ", "2026-05-12T10:00:00Z " + before, "2026-05-12T11:00:00Z "},
		untimed + byID + ten:              {"2026-05-12T10:40:02.482Z " + after, "2026-05-12T10:40:02.482Z " + id, "2026-05-12T10:00:00Z "},
		`[null,` + ten + `]`:              {"2026-05-12T10:00:00Z " + after, "2026-05-12T10:00:00Z "},
		old + ten:                         {"2026-05-13T00:00:00Z " + read, "2026-05-12T10:00:00Z "},
		ten + old:                         {"2026-05-12T10:00:00Z ", "2026-05-12T10:00:00Z " + before},
		`{"event":` + untimed + `}` + ten: {"2026-05-12T10:00:00Z " + after, "2026-05-12T10:00:00Z "},
	} {
		var got []string
		_, err := n.NormalizeStream(strings.NewReader(text), func(e *ingest.Event, _ Verdict) error {
			note := ""
			for _, said := range e.Audit.Notes {
				if strings.HasPrefix(said, "created_at") {
					note = said
				}
			}
			got = append(got, e.CreatedAt.Format(time.RFC3339Nano)+" "+note)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
		for range 2 {
			assert.Equal(t, streamed(t, n, text), streamed(t, n, text))
		}
	}
	event, _ := n.Normalize([]byte(untimed))
	assert.Equal(t, clock, event.CreatedAt)
	assert.Equal(t, clock, n.Explain([]byte(untimed)).Event.CreatedAt)
}

// Entries wait for a time in bounded memory, and none of them is lost.
func TestNormalizeStream_HoldsNotTooMuch(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	for _, line := range []string{"x\n", strings.Repeat("x", 10_000) + "\n"} {
		got := 0
		early := 0
		text := strings.Repeat(line, 3*maxHeld) + logged("zone", "purge")
		_, err := n.NormalizeStream(strings.NewReader(text), func(e *ingest.Event, _ Verdict) error {
			if got++; e.CreatedAt.Day() == 13 {
				early++
			}
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 3*maxHeld+1, got)
		assert.Positive(t, early)
	}
}

func FuzzNormalizeStream(f *testing.F) {
	for _, raw := range savedEntries(f) {
		f.Add([]byte(raw))
	}
	for _, raw := range []string{
		"no JSON", `{"event":{"id":"a","action":{"type":"x"}}}`, `{"external_id":"a","created_at":5,"audit":{"notes":[1],"changes":7},"raw_event":"x"}`,
		`{"ID":"a","ActionType":"purge","When":1778577267,"NewValue":"{\"a\":1}","Metadata":"[]"}`, `{"AuditLogID":"a","Raw":"{\"uri\":7}","ActorTokenDetails":[]}`,
	} {
		f.Add([]byte(raw))
	}
	n := normalizer(f, Config{}).Normalizer
	lines := func(t *testing.T, text []byte) (lines []byte, events int) {
		_, err := n.NormalizeStream(bytes.NewReader(text), func(e *ingest.Event, _ Verdict) error {
			sound(t, *e)
			require.Greater(t, e.CreatedAt.Year(), 1)
			lines = append(e.AppendJSON(lines), '\n')
			events++
			return nil
		})
		require.NoError(t, err)
		return lines, events
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, events := lines(t, text)
		_, again := lines(t, first)
		require.Equal(t, events, again)
	})
}

// Events about bursts come once, whether they are saved, found anew, or both.
func TestNormalizeStream_SavedBurstsComeOnce(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	var text strings.Builder
	for _, e := range deletions(30, benchTime, "alice@example.com") {
		text.Write(append(e, '\n'))
	}
	lines := streamed(t, n, text.String())
	var bursts string
	for line := range strings.Lines(lines) {
		if strings.Contains(line, `"action":"burst.`) {
			bursts += line
		}
	}
	require.Equal(t, 2, strings.Count(bursts, "\n"))

	assert.Equal(t, lines, streamed(t, n, lines))
	assert.Equal(t, lines, streamed(t, n, lines+bursts))
	assert.Equal(t, bursts, streamed(t, n, bursts+bursts), "without the entries")
	first := streamed(t, n, bursts+lines)
	assert.True(t, strings.HasPrefix(first, bursts))
	assert.Len(t, first, len(lines), "ahead of the entries")
	var asText strings.Builder
	for line := range strings.Lines(bursts) {
		raw := line[strings.Index(line, `{"burst":`) : strings.Index(line, `"}}`)+3]
		asText.WriteString(strings.Replace(line, raw, string(ingest.RawJSON(jsondoc.Quote(raw))), 1))
	}
	assert.Equal(t, bursts, streamed(t, n, asText.String()))

	with := func(rules string) string {
		own, err := ParseRules([]byte(rules))
		require.NoError(t, err)
		return streamed(t, normalizer(t, Config{Rules: own}).Normalizer, bursts)
	}
	assert.Equal(t, 1, strings.Count(with(`[{"id":"mass-deletion","disabled":true}]`), "\n"))
	assert.Equal(t, 1, strings.Count(with(`[{"id":"mass-deletion","burst":{"count":21}}]`), "\n"))
	assert.Contains(t, with(`[{"id":"mass-deletion","severity":"critical"}]`), `"severity":"critical"`)
	damaged := strings.NewReplacer(`"created_at":"20`, `"created_at":"19`).Replace(bursts)
	assert.Empty(t, streamed(t, n, damaged))
}

// Entries count in whatever form they are saved.
func TestNormalizeStream_CountsLogpushRecordsAndWrappedEntries(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	var v1, v2, wrapped strings.Builder
	for i := range 30 {
		fmt.Fprintf(&v1, `{"ActionResult":true,"ActionType":"delete","ActorEmail":"alice@example.com","ActorID":"aa","ActorIP":"192.0.2.1","ActorType":"user","ID":"v1-%d","Interface":"UI","Metadata":{},"NewValue":{},"OldValue":{},"OwnerID":"%s","ResourceID":"r%d","ResourceType":"dns.record","When":"2026-03-02T12:03:00Z"}`+"\n", i, account, i)
		fmt.Fprintf(&v2, `{"AccountID":"%s","ActionResult":"success","ActionTimestamp":"2026-03-02T12:03:00Z","ActionType":"delete","ActorEmail":"alice@example.com","ActorID":"aa","ActorType":"user","AuditLogID":"v2-%d","RawMethod":"DELETE","RawURI":"/client/v4/zones/%s/dns_records/%032x","ResourceProduct":"dns_records","ResourceType":"dns_records","ZoneID":"%s"}`+"\n", account, i, zone, i, zone)
		fmt.Fprintf(&wrapped, `{"time":1,"event":%s}`, deletion(fmt.Sprint(i), benchTime, "alice@example.com"))
	}
	for _, text := range []string{v1.String(), v2.String(), wrapped.String()} {
		lines := streamed(t, n, text)
		assert.Equal(t, 1, strings.Count(lines, `"action":"burst.mass-deletion"`), lines[:200])
		assert.Equal(t, 1, strings.Count(lines, `"action":"burst.dns-mass-change"`))
		assert.Equal(t, 32, strings.Count(lines, "\n"))
	}
}
