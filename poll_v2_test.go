package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// fixtureV2 is fixture for Audit Logs v2.
func fixtureV2(opts fakecloudflare.Options) (*fakecloudflare.Server, Config) {
	server, cfg := fixture(opts)
	cfg.AuditLogAPI = AuditLogV2
	return server, cfg
}

// fillV2 adds n entries, a step apart, the newest a step before now.
func fillV2(server *fakecloudflare.Server, n int, step time.Duration) {
	now := time.Now()
	for i := range n {
		server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprintf("id-%d", i), now.Add(-time.Duration(i+1)*step).Truncate(time.Microsecond), 6))
	}
}

// numbered are the ids that fill and fillV2 give.
func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("id-%d", i)
	}
	return ids
}

func TestPoll_V2AsksForAWindowAndFollowsItsPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		fillV2(server, 250, time.Second)
		b := poll1(t, connect(t, cfg), nil)
		require.Equal(t, numbered(250), ids(b))
		require.False(t, b.More)
		requests := server.Requests()
		require.Len(t, requests, 3)
		for i, r := range requests {
			assert.Equal(t, "/client/v4/accounts/"+fakecloudflare.DefaultAccountID+"/logs/audit", r.Path)
			assert.Equal(t, "Bearer "+cfg.APIToken.Reveal(), r.Header.Get("Authorization"))
			assert.Equal(t, i > 0, r.Query.Has("cursor"))
			query := map[string][]string(r.Query)
			delete(query, "cursor")
			assert.Equal(t, map[string][]string{
				"since": {"1999-12-30T23:59:59Z"}, "before": {"2000-01-01T00:00:00Z"},
				"direction": {"desc"}, "limit": {"100"},
			}, query)
		}
	})
}

// However long its pages are, whatever they lead to, and for however long it
// remembers them.
func TestPoll_V2ReadsEachEntryOnceFromEveryKindOfServer(t *testing.T) {
	t.Parallel()
	const entries = 1230
	for name, opts := range map[string]fakecloudflare.Options{
		"usual":              {},
		"short pages":        {MostLimit: 100},
		"refuses long pages": {MostLimit: 100, OverLimit400: true},
		"empty last page":    {EmptyLastPage: true},
		"out of order":       {Disorder: 48 * time.Millisecond},
		"forgets pages":      {CursorLife: 1},
	} {
		for _, step := range []time.Duration{time.Second, 0} {
			for _, batch := range []int{1000, 70} {
				t.Run(fmt.Sprintf("%s, %v apart, batches of %d", name, step, batch), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						server, cfg := fixtureV2(opts)
						cfg.MaxEvents = batch
						fillV2(server, entries, step)
						// So that a page is not used again at once.
						c := connect(t, cfg)
						var got []string
						var cursor ingest.Cursor
						for more := true; more; {
							b := poll1(t, c, cursor)
							got = append(got, ids(b)...)
							cursor, more = b.Cursor, b.More
							_ = c.TestConnection(t.Context())
							_ = c.TestConnection(t.Context())
							require.Less(t, len(server.Requests()), 2*entries)
						}
						slices.Sort(got)
						require.Len(t, slices.Compact(slices.Clone(got)), entries, "none is lost")
						require.Len(t, got, entries, "none comes twice")
					})
				})
			}
		}
	}
}

// An expired page may be shown as an empty one.
func TestPoll_V2AnEmptyPageInPlaceOfARememberedOneIsNotTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		cfg.MaxEvents = 100
		fillV2(server, 300, 10*time.Millisecond)
		time.Sleep(time.Hour)
		first := poll1(t, connect(t, cfg), nil)
		require.Len(t, first.Events, 100)
		forgotten := true
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if !r.URL.Query().Has("cursor") || !forgotten {
				return nil
			}
			forgotten = false
			return fakecloudflare.Reply(200, nil, `{"success":true,"errors":[],"result":[],"result_info":{"count":0}}`)
		})
		rest, _, _ := drain(t, connect(t, cfg), first.Cursor)
		require.Equal(t, numbered(300), append(ids(first), rest...))
		require.False(t, forgotten)
	})
}

func TestPoll_V2PagesThatLeadNowhereAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// More entries within one second than a page can have.
		server, cfg := fixtureV2(fakecloudflare.Options{CursorStuck: true, MostLimit: 100})
		for i := range 300 {
			server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprintf("id-%d", i), time.Now().Add(-time.Minute), 6))
		}
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		_, err := c.Poll(t.Context(), first.Cursor)
		require.ErrorContains(t, err, "Audit Logs v2")
		require.ErrorContains(t, err, "the page leads to itself")
	})
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		n := 0
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			n++
			return fakecloudflare.Reply(200, nil, fmt.Sprintf(`{"success":true,"result":[],"result_info":{"cursor":"page-%d"}}`, n))
		})
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		_, err := c.Poll(t.Context(), first.Cursor)
		require.ErrorContains(t, err, "one empty page leads to another")
		require.Less(t, n, 3*50)
	})
}

func TestPoll_V2AnUnreadableEntryBecomesAnEventWhereverItStands(t *testing.T) {
	t.Parallel()
	for _, at := range [][]int{{0}, {57}, {99}, {149}, {148, 149}, {100, 101, 102}} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixtureV2(fakecloudflare.Options{})
				now := time.Now()
				for i := range 150 {
					when := now.Add(-time.Duration(i+1) * time.Second)
					e := fakecloudflare.EntryV2(fmt.Sprintf("id-%d", i), when, 0)
					if slices.Contains(at, i) {
						// What the call itself says of pages is not about those of the log.
						e = json.RawMessage(fmt.Sprintf(`{"id":"id-%d","action":{"time":%q,"type":oops},"resource":{"request":{"cursor":"x"}}}`,
							i, when.Format(time.RFC3339)))
					}
					server.AddV2(time.Time{}, e)
				}
				c := connect(t, cfg)
				first := poll1(t, c, nil)
				rest, cursor, _ := drain(t, c, first.Cursor)
				require.Equal(t, numbered(150), append(ids(first), rest...))
				require.Equal(t, len(at), first.Coverage.Undecodable)
				for _, i := range at {
					assert.Contains(t, first.Events[i].RawEvent, "oops")
				}
				for range 10 {
					time.Sleep(5 * time.Minute)
					b := poll1(t, c, cursor)
					require.Empty(t, b.Events)
					cursor = b.Cursor
				}
			})
		})
	}
}

// A log of which nothing can be read is not passed over.
func TestPoll_V2ALogThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		fillV2(server, 20, time.Second)
		c := connect(t, cfg)
		for _, body := range []string{
			`{"success":true,"result":[{"id":oops}]}`,
			`{"success":true,"result":[{"id":oops}],"result_info":{"cursor":"next"}}`,
		} {
			server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Reply(200, nil, body) })
			first := poll1(t, c, nil)
			require.Empty(t, first.Events)
			time.Sleep(5 * time.Minute)
			_, err := c.Poll(t.Context(), first.Cursor)
			require.ErrorContains(t, err, "not the JSON of an API reply")
			time.Sleep(5 * time.Minute)
			server.Fault(nil)
			got, _, _ := drain(t, c, first.Cursor)
			require.Equal(t, numbered(20), got)
		}
	})
}

func TestPoll_V2EntriesMayBeFifteenMinutesLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixtureV2(fakecloudflare.Options{})
		began := time.Now()
		var want []string
		for i := range 60 {
			shown := began.Add(time.Duration(i) * time.Minute)
			for _, late := range []time.Duration{0, 450 * time.Second, 15 * time.Minute} {
				id := fmt.Sprintf("%d-%v", i, late)
				want = append(want, id)
				server.AddV2(shown, fakecloudflare.EntryV2(id, shown.Add(-late), 0))
			}
		}
		c := connect(t, cfg)
		var got []string
		var cursor ingest.Cursor
		for time.Since(began) < 80*time.Minute {
			b := poll1(t, c, cursor)
			got = append(got, ids(b)...)
			cursor = b.Cursor
			if !b.More {
				time.Sleep(5 * time.Minute)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		require.Equal(t, want, got)
	})
}

func TestPoll_BothLogsHaveWindowsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.AuditLogAPI = AuditLogBoth
		now := time.Now()
		var want []string
		for i := range 2500 {
			for name, add := range map[string]func(string, time.Time){
				"one": func(id string, at time.Time) { server.Add(time.Time{}, fakecloudflare.Entry(id, at, 6)) },
				"two": func(id string, at time.Time) { server.AddV2(time.Time{}, fakecloudflare.EntryV2(id, at, 6)) },
			} {
				id := fmt.Sprintf("%s-%d", name, i)
				want = append(want, id)
				add(id, now.Add(-time.Duration(i+1)*time.Second))
			}
		}
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		require.Len(t, first.Events, 1000)
		require.Equal(t, "one-0", first.Events[0].ExternalID)
		// The other one comes next, so that neither hides what is newest in the
		// other.
		second := poll1(t, c, first.Cursor)
		require.Contains(t, second.Events[0].ExternalID, "two-")
		got, cursor, _ := drain(t, c, second.Cursor)
		got = append(append(ids(first), ids(second)...), got...)
		slices.Sort(got)
		slices.Sort(want)
		require.Equal(t, want, got)

		// Once more what was within the overlap, now that it is settled.
		time.Sleep(time.Hour)
		cursor = poll1(t, c, cursor).Cursor
		time.Sleep(time.Hour)
		sent := len(server.Requests())
		quiet := poll1(t, c, cursor)
		require.Empty(t, quiet.Events)
		require.Equal(t, 2, len(server.Requests())-sent, "a request for each")
		require.Zero(t, quiet.Coverage.Backlog)
		require.WithinDuration(t, time.Now(), quiet.Coverage.Complete, 2*time.Second)
	})
}

// A token that may read only one of the logs still brings in that one, and what
// is missing can be seen.
func TestPoll_OneLogThatFailsDoesNotStopTheOther(t *testing.T) {
	t.Parallel()
	for _, denied := range []string{"logs/audit", "audit_logs"} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			cfg.AuditLogAPI = AuditLogBoth
			server.Deny(denied)
			fill(server, 5, time.Second)
			fillV2(server, 5, time.Second)
			c := connect(t, cfg)
			b := poll1(t, c, nil)
			got := ids(b)
			for range 3 {
				time.Sleep(5 * time.Minute)
				b = poll1(t, c, b.Cursor)
				got = append(got, ids(b)...)
				require.False(t, b.More, "the host must not come back at once")
				require.Len(t, b.Coverage.Notices, 1)
				require.Contains(t, b.Coverage.Notices[0], "the API token lacks")
				require.Zero(t, b.Coverage.Complete, "one log has not been read")
			}
			require.Equal(t, numbered(5), got)

			server.Deny(denied, "logs/audit", "audit_logs")
			_, err := c.Poll(t.Context(), b.Cursor)
			require.ErrorContains(t, err, "the audit log")
			require.ErrorContains(t, err, "Audit Logs v2")

			server.Deny()
			got, _, _ = drain(t, c, b.Cursor)
			require.Equal(t, numbered(5), got, "what could not be read comes once it can")
		})
	}
}

// Each log goes on where it was left, whichever others were read meanwhile.
func TestPoll_TheLogsReadMayBeChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		var cursor ingest.Cursor
		for i, step := range []struct {
			api  string
			want []string
		}{
			{AuditLogV1, []string{"one-0"}},
			{AuditLogBoth, []string{"one-1", "two-0", "two-1"}},
			{AuditLogV2, []string{"two-2"}},
			{AuditLogV1, []string{"one-2", "one-3"}},
			{AuditLogBoth, []string{"one-4", "two-3", "two-4"}},
		} {
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("one-%d", i), time.Now(), 0))
			server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprintf("two-%d", i), time.Now(), 0))
			time.Sleep(time.Hour)
			cfg.AuditLogAPI = step.api
			var got []string
			got, cursor, _ = drain(t, connect(t, cfg), cursor)
			require.ElementsMatch(t, step.want, got)
		}
	})
}

func TestConnection_AsksEveryLogThatIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.AuditLogAPI = AuditLogBoth
		c := connect(t, cfg)
		require.NoError(t, c.TestConnection(t.Context()))
		requests := server.Requests()
		require.Len(t, requests, 2)
		require.Equal(t, "1", requests[0].Query.Get("per_page"))
		require.Equal(t, "1", requests[1].Query.Get("limit"))
		server.Deny("logs/audit")
		require.ErrorContains(t, c.TestConnection(t.Context()), "read Audit Logs v2")
	})
}

func TestConfig_AuditLogAPI(t *testing.T) {
	t.Parallel()
	_, cfg := fixture(fakecloudflare.Options{})
	cfg.AuditLogAPI = "v3"
	require.ErrorContains(t, cfg.Validate(), `audit_log_api: "v3": must be v1, v2 or both`)
	cfg.AuditLogAPI, cfg.HideUserLogs = AuditLogBoth, true
	require.ErrorContains(t, cfg.Validate(), "hide_user_logs")
}
