package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// deletion is an entry of the audit log: somebody deletes a DNS record.
func deletion(id string, when time.Time, email string) json.RawMessage {
	raw := logged("dns.record", "delete", production,
		`"actor":{"id":"`+strings.Repeat("a", 31)+email[:1]+`","type":"user","email":"`+email+`"}`,
		`"resource":{"type":"dns.record","id":"`+id+`"}`)
	return json.RawMessage(strings.NewReplacer("11111111-2222-4333-8444-555555555555", id,
		"2026-05-12T09:00:00Z", when.UTC().Format(time.RFC3339)).Replace(raw))
}

// burstLines are the events about bursts as lines.
func burstLines(events []ingest.Event) (lines []string) {
	for i := range events {
		if strings.HasPrefix(events[i].Action, burstAction) {
			lines = append(lines, string(events[i].AppendJSON(nil)))
		}
	}
	return lines
}

// series are the events of a stream of saved entries.
func series(t *testing.T, cfg Config, entries ...json.RawMessage) (all []ingest.Event) {
	t.Helper()
	n := normalizer(t, cfg)
	var text strings.Builder
	for _, e := range entries {
		text.Write(e)
		text.WriteByte('\n')
	}
	_, err := n.NormalizeStream(strings.NewReader(text.String()), func(e *ingest.Event, v Verdict) error {
		event := *e
		keepChanges(&event)
		sound(t, event)
		assert.Equal(t, v.Burst, strings.HasPrefix(e.Action, burstAction))
		all = append(all, event)
		return nil
	})
	require.NoError(t, err)
	return all
}

// deletions are n deletions within a second.
func deletions(n int, when time.Time, email string) (all []json.RawMessage) {
	for i := range n {
		all = append(all, deletion(fmt.Sprintf("%s-%d", email, i), when, email))
	}
	return all
}

var benchTime = time.Date(2026, 3, 2, 12, 3, 0, 0, time.UTC)

func TestBursts_TwoHundredDeletionsAreOneAlarm(t *testing.T) {
	t.Parallel()
	events := series(t, Config{}, deletions(200, benchTime, "alice@example.com")...)
	require.Len(t, events, 202)
	var got ingest.Event
	for _, e := range events {
		if e.Audit.Rule == "mass-deletion" {
			got = e
		}
	}
	assert.Equal(t, high, got.Severity)
	assert.Equal(t, "At least 20 deletions by alice@example.com within 10 minutes", got.Title)
	assert.Equal(t, "burst.mass-deletion", got.Action)
	assert.Equal(t, "alice@example.com", got.Actor)
	assert.Equal(t, []string{"T1485", "T1489"}, got.MITRETechniques)
	assert.Equal(t, benchTime.Add(-3*time.Minute), got.CreatedAt)
	assert.Equal(t, account, got.Audit.AccountID)
	assert.Regexp(t, `^burst-[0-9a-f]{32}$`, got.ExternalID)
	assert.JSONEq(t, `{"burst":{"rule":"mass-deletion","count":20,"within":"10m","actor":"alice@example.com",
		"since":"2026-03-02T11:51:00Z","before":"2026-03-02T12:10:00Z"}}`, string(got.RawEvent))

	// Fewer, or as many by several people, are none.
	assert.Len(t, burstLines(series(t, Config{}, deletions(9, benchTime, "alice@example.com")...)), 0)
	assert.Len(t, burstLines(series(t, Config{}, slices.Concat(
		deletions(9, benchTime, "alice@example.com"), deletions(9, benchTime, "bob@example.com"))...)), 0)
	// Nor are repeats of one entry.
	again := deletions(9, benchTime, "alice@example.com")
	assert.Len(t, burstLines(series(t, Config{}, slices.Concat(again, again, again)...)), 0)
	// Attempts that failed delete nothing.
	var failed []json.RawMessage
	for _, e := range deletions(30, benchTime, "alice@example.com") {
		failed = append(failed, json.RawMessage(failing(string(e))))
	}
	assert.Len(t, burstLines(series(t, Config{}, failed...)), 0)
}

func TestBursts_RulesOfTheUserChangeSwitchOffAndExcept(t *testing.T) {
	t.Parallel()
	found := func(rules string) (titles []string) {
		list, err := ParseRules([]byte(rules))
		require.NoError(t, err)
		for _, e := range series(t, Config{Rules: list}, deletions(30, benchTime, "alice@example.com")...) {
			if strings.HasPrefix(e.Action, burstAction) {
				titles = append(titles, string(e.Severity)+" "+e.Title)
			}
		}
		return titles
	}
	const dnsOff = `{"id":"dns-mass-change","disabled":true}`
	assert.Equal(t, []string{"high At least 20 deletions by alice@example.com within 10 minutes"}, found(`[`+dnsOff+`]`))
	assert.Empty(t, found(`[`+dnsOff+`,{"id":"mass-deletion","burst":{"count":31}}]`))
	assert.Equal(t, []string{"low At least 30 deletions within 1 hour"},
		found(`[`+dnsOff+`,{"id":"mass-deletion","severity":"low","burst":{"count":30,"within":"1h"}}]`))
	assert.Empty(t, found(`[{"id":"tool","severity":"info","match":{"action":"dns.*","actor":"alice@example.com"}}]`), "an exception holds for bursts")
	assert.Empty(t, found(`[{"id":"tool","drop":true,"match":{"action":"dns.*","actor":"alice@example.com"}}]`))
	assert.Equal(t, []string{"critical Burst mine: 25 or more within 5 minutes by alice@example.com"},
		found(`[`+dnsOff+`,{"id":"mass-deletion","disabled":true},
			{"id":"mine","severity":"critical","match":{"action":"dns.record.delete","zone":"*"},"burst":{"count":25,"within":"5m"}}]`))
}

// However the entries are read, in whatever pages, batches and polls, and however
// often a host goes back to an older cursor, the bursts are those of the entries.
func TestBursts_AreTheSameHoweverTheEntriesAreRead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			server, cfg := fixture(fakecloudflare.Options{})
			cfg.PageSize, cfg.MaxEvents = []int{1, 7, 100}[rng.IntN(3)], []int{1, 2, 13, 1000}[rng.IntN(4)]
			cfg.InitialLookback, cfg.Overlap = 3*time.Hour, 10*time.Minute
			cfg.RateLimit = 1200
			var all []json.RawMessage
			began := time.Now()
			for i := range 250 {
				at := began.Add(-time.Duration(rng.IntN(9000)) * time.Second)
				if i%2 == 0 {
					at = began.Add(-time.Duration(1200+rng.IntN(900)) * time.Second)
				}
				who := []string{"alice@example.com", "bob@example.com"}[rng.IntN(2)]
				e := deletion(fmt.Sprint(i), at, who)
				all = append(all, e)
				shown := time.Time{}
				if late := began.Add(time.Duration(rng.IntN(500)) * time.Second); at.After(began.Add(-5 * time.Minute)) {
					shown = late
				}
				server.Add(shown, e)
			}
			want := unique(burstLines(series(t, Config{}, all...)))
			require.NotEmpty(t, want)

			var got []string
			var cursor ingest.Cursor
			for polls := 0; time.Since(began) < 30*time.Minute; polls++ {
				require.Less(t, polls, 5000)
				b := poll1(t, connect(t, cfg), cursor)
				require.LessOrEqual(t, len(b.Events), cfg.MaxEvents)
				require.Len(t, b.Events, b.Coverage.Delivered+b.Coverage.Raised)
				if rng.IntN(5) == 0 {
					continue // killed before it was delivered
				}
				lines := burstLines(b.Events)
				if rng.IntN(5) == 0 {
					for _, line := range lines { // killed after that
						require.Contains(t, want, line)
					}
					continue
				}
				got = append(got, lines...)
				cursor = b.Cursor
				if !b.More {
					time.Sleep(time.Duration(rng.IntN(300)) * time.Second)
				}
			}
			require.ElementsMatch(t, slices.Collect(maps.Keys(want)), got, "each once: seed %d", seed)
			// In time all of it is forgotten.
			time.Sleep(2 * time.Hour)
			for range 3 {
				b := poll1(t, connect(t, cfg), cursor)
				cursor = b.Cursor
				time.Sleep(10 * time.Minute)
			}
			require.NotContains(t, string(cursor), "memory")
		})
	}
}

// The two logs tell of each change twice, seconds apart.
func TestBursts_BothLogsTogetherRaiseNoMoreThanOne(t *testing.T) {
	t.Parallel()
	cfg := Config{AuditLogAPI: AuditLogBoth}
	v2 := func(n int) (all []json.RawMessage) {
		for i := range n {
			all = append(all, json.RawMessage(strings.Replace(requested("DELETE", fmt.Sprintf("/zones/%s/dns_records/%032x", zone, i),
				`.actor:{"id":"`+strings.Repeat("a", 32)+`","type":"user","email":"alice@example.com"}`,
				`.action:{"type":"delete","result":"success","time":"`+benchTime.Add(2*time.Second).Format(time.RFC3339)+`"}`),
				"0196c3a1-0000-7000-8000-000000000001", fmt.Sprintf("v2-%d", i), 1)))
		}
		return all
	}
	v1 := func(n int) []json.RawMessage { return deletions(n, benchTime, "alice@example.com") }
	assert.Empty(t, burstLines(series(t, cfg, slices.Concat(v1(9), v2(9))...)), "nine changes are not eighteen")
	both := burstLines(series(t, cfg, slices.Concat(v1(30), v2(30))...))
	assert.Len(t, both, 2)
	assert.ElementsMatch(t, both, burstLines(series(t, cfg, slices.Concat(v2(30), v1(30))...)))
	assert.ElementsMatch(t, both, burstLines(series(t, cfg, v2(30)...)))
}

// A cursor of a newer release, or a damaged one, costs the counts at most.
func TestBursts_AMemoryThatCannotBeUsedIsGivenUpVisibly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now()
		server.Add(time.Time{}, deletions(15, now.Add(-time.Minute), "alice@example.com")...)
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		require.Len(t, burstLines(first.Events), 1)
		server.Add(time.Time{}, deletion("late", now.Add(-time.Minute), "alice@example.com"))
		time.Sleep(5 * time.Minute)
		for was, is := range map[string]string{`"memory": {` + "\n" + `  "version": 1,`: `"memory": {"version": 9,`, `"rows": [`: `"rows": [{"rule":"mass-deletion","within":"10m","due":["x"]},`} {
			require.Contains(t, string(first.Cursor), was)
			b := poll1(t, c, ingest.Cursor(strings.Replace(string(first.Cursor), was, is, 1)))
			require.Equal(t, []string{"late"}, ids(b))
			require.Len(t, b.Coverage.Notices, 1)
			require.Contains(t, b.Coverage.Notices[0], "bursts are counted anew")
		}
	})
}
