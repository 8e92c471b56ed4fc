package cloudflareaudit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every test has a token of its own, because the limiter of a token lives as
// long as the process.
var tokens atomic.Int64

// fixture is a fake endpoint and the configuration of a connector for it. The
// requests are served in memory.
func fixture(opts fakecloudflare.Options) (*fakecloudflare.Server, Config) {
	opts.Token = fmt.Sprintf("cfat_test-token-%d", tokens.Add(1))
	server := fakecloudflare.NewServer(opts)
	return server, Config{
		AccountID:  fakecloudflare.DefaultAccountID,
		APIToken:   NewSecret(opts.Token),
		HTTPClient: &http.Client{Transport: server.Transport()},
	}
}

func connect(t *testing.T, cfg Config) *Connector {
	t.Helper()
	c, err := New(cfg)
	require.NoError(t, err)
	return c
}

// fill adds n entries, a step apart, the newest a step before now.
func fill(server *fakecloudflare.Server, n int, step time.Duration) {
	now := time.Now()
	for i := range n {
		when := now.Add(-time.Duration(i+1) * step).Truncate(time.Microsecond)
		server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 6))
	}
}

func poll1(t *testing.T, c *Connector, cursor ingest.Cursor) ingest.Batch {
	t.Helper()
	b, err := c.Poll(t.Context(), cursor)
	require.NoError(t, err)
	sound(t, b.Events...)
	return b
}

// drain polls until no backlog remains and returns the ids in order.
func drain(t *testing.T, c *Connector, cursor ingest.Cursor) (ids []string, next ingest.Cursor, polls int) {
	t.Helper()
	for {
		b := poll1(t, c, cursor)
		polls++
		for _, e := range b.Events {
			ids = append(ids, e.ExternalID)
		}
		cursor = b.Cursor
		if !b.More {
			return ids, cursor, polls
		}
		require.Less(t, polls, 200, "the backlog does not end")
	}
}

func ids(b ingest.Batch) (out []string) {
	for _, e := range b.Events {
		out = append(out, e.ExternalID)
	}
	return out
}

func TestPoll_AsksWhatTheProductPageSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 250, time.Second)
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Events, 250)
		require.False(t, b.More)
		require.Equal(t, 3, b.Coverage.Requests)

		requests := server.Requests()
		require.Len(t, requests, 3)
		for i, r := range requests {
			assert.Equal(t, "/client/v4/accounts/"+fakecloudflare.DefaultAccountID+"/audit_logs", r.Path)
			assert.Equal(t, "api.cloudflare.com", r.Host)
			assert.Equal(t, "Bearer "+cfg.APIToken.Reveal(), r.Header.Get("Authorization"))
			want := map[string][]string{
				"since": {"1999-12-30T23:59:59Z"}, "before": {"2000-01-01T00:00:00Z"},
				"direction": {"desc"}, "per_page": {"100"},
			}
			if i > 0 {
				want["page"] = []string{fmt.Sprint(i + 1)}
			}
			assert.Equal(t, want, map[string][]string(r.Query))
		}
	})
}

func TestPoll_NewestFirstUpTo1000AndTheRestStaysInTheCursor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 2500, time.Second)
		c := connect(t, cfg)

		b := poll1(t, c, nil)
		require.True(t, b.More)
		got := ids(b)
		require.Greater(t, len(got), 800)
		require.LessOrEqual(t, len(got), 1000)
		// Six pages of what is not settled, one on which that ends, one of the rest.
		require.Equal(t, 8, b.Coverage.Requests)
		w := feedOf(t, b.Cursor).Backlog
		require.Len(t, w, 1)

		// Another instance goes on where this one was, within the same window.
		b = poll1(t, connect(t, cfg), b.Cursor)
		got = append(got, ids(b)...)
		last := server.Requests()[len(server.Requests())-1]
		first := server.Requests()[0]
		require.Equal(t, first.Query["since"], last.Query["since"])
		require.Equal(t, 1, b.Coverage.Requests)

		for b.More {
			b = poll1(t, c, b.Cursor)
			got = append(got, ids(b)...)
		}
		require.Len(t, got, 2500)
		for i, id := range got {
			require.Equal(t, fmt.Sprintf("id-%d", i), id)
		}
		require.Zero(t, feedOf(t, b.Cursor).open())
	})
}

func TestPoll_ABacklogOfTensOfThousandsTakesFewRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 20_000, 3*time.Second)
		cursorMost := 0
		var cursor ingest.Cursor
		c := connect(t, cfg)
		seen := map[string]bool{}
		for more := true; more; {
			b := poll1(t, c, cursor)
			for _, id := range ids(b) {
				require.False(t, seen[id], "%s twice", id)
				seen[id] = true
			}
			cursor, more = b.Cursor, b.More
			cursorMost = max(cursorMost, len(cursor))
		}
		require.Len(t, seen, 20_000)
		// Some pages of 100, 20 or 21 of 1000, and those that show the ends and
		// what is newer.
		require.LessOrEqual(t, len(server.Requests()), 34)
		require.Less(t, cursorMost, 16<<10, "the cursor grows with the overlap, not with the backlog")
	})
}

func TestPoll_ACrowdedSecondIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, past := range []bool{false, true} {
		// One that is not settled yet, and one that is.
		for _, age := range []time.Duration{time.Minute, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{PastEnd400: past})
				cfg.MaxEvents = 700
				at := time.Now().Add(-age).Truncate(time.Second)
				for i := range 5000 {
					server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), at, 0))
				}
				got, cursor, _ := drain(t, connect(t, cfg), nil)
				require.Len(t, got, 5000)
				require.Len(t, unique(got), 5000)
				time.Sleep(5 * time.Minute)
				got, _, _ = drain(t, connect(t, cfg), cursor)
				require.Empty(t, got)
			})
		}
	}
}

func unique(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

func TestPoll_ALateEntryIsFoundAndCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now()
		server.Add(now, fakecloudflare.Entry("in-time", now.Add(-time.Second), 3))
		// It shows up nine minutes after its own time.
		server.Add(now.Add(4*time.Minute), fakecloudflare.Entry("late", now.Add(-5*time.Minute), 0))
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		require.Equal(t, []string{"in-time"}, ids(first))
		require.Zero(t, first.Coverage.Late)
		time.Sleep(5 * time.Minute)
		second := poll1(t, c, first.Cursor)
		require.Equal(t, []string{"late"}, ids(second))
		require.Equal(t, 1, second.Coverage.Late)
		require.Equal(t, 1, second.Coverage.Repeated)
		require.Equal(t, 1, second.Coverage.Requests)
	})
}

func TestPoll_AQuietAccountRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.Overlap = time.Hour
		newest := time.Now().Add(-time.Second)
		server.Add(time.Time{}, fakecloudflare.Entry("one", newest, 0), fakecloudflare.Entry("two", newest, 0))
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		require.ElementsMatch(t, []string{"one", "two"}, ids(first))
		cursor := first.Cursor
		repeated := 0
		for range 20 {
			time.Sleep(5 * time.Minute)
			b := poll1(t, c, cursor)
			require.Empty(t, ids(b))
			require.Equal(t, 1, b.Coverage.Requests)
			repeated += b.Coverage.Repeated
			cursor = b.Cursor
		}
		// They are shown as long as they are within the overlap.
		require.Equal(t, 2*12, repeated)
		require.Empty(t, feedOf(t, cursor).Seen)
	})
}

func TestPoll_WhatAppearsWhileTheServerAnswersIsReadByTheNextPoll(t *testing.T) {
	t.Parallel()
	// What the local clock is off by, less than what is noticed.
	for _, off := range []time.Duration{0, 4 * time.Second, -4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			cfg.Overlap = time.Minute
			cfg.Clock = func() time.Time { return time.Now().Add(off) }
			// The server looks at once, and takes ten seconds to answer.
			server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
				return fakecloudflare.Custom(func(_ *http.Request, answer func() *http.Response) (*http.Response, error) {
					resp := answer()
					time.Sleep(10 * time.Second)
					resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
					return resp, nil
				})
			})
			now := time.Now()
			for i := range 10 {
				// Each appears between the two, as late as an entry may be.
				at := now.Add(time.Duration(i)*time.Second + time.Millisecond)
				server.Add(at, fakecloudflare.Entry(fmt.Sprintf("late-%d", i), at.Add(-cfg.Overlap), 3))
			}
			c := connect(t, cfg)
			first := poll1(t, c, nil)
			require.Empty(t, ids(first))
			require.Equal(t, 10*time.Second, time.Since(now))
			second := poll1(t, c, first.Cursor)
			require.Len(t, ids(second), 10)
		})
	}
}

func TestPoll_AnEntryMayBeAsLateAsTheOverlap(t *testing.T) {
	t.Parallel()
	for _, fraction := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, 999 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			time.Sleep(fraction)
			c := connect(t, cfg)
			first := poll1(t, c, nil)
			at := time.Now().Add(time.Microsecond)
			server.Add(at, fakecloudflare.Entry("late", at.Add(-10*time.Minute), 6))
			time.Sleep(5 * time.Minute)
			require.Equal(t, []string{"late"}, ids(poll1(t, c, first.Cursor)))
		})
	}
}

// meetings are the ways in which servers treat the ends of a window.
var meetings = []fakecloudflare.Options{
	{},
	{SinceExclusive: true},
	{BeforeExclusive: true},
	{SinceExclusive: true, BeforeExclusive: true},
}

func TestPoll_NoInstantIsLeftOutWhereTwoWindowsMeet(t *testing.T) {
	t.Parallel()
	for _, opts := range meetings {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(opts)
			cfg.MaxEvents = 50
			// The first poll cuts what it leaves unread in two here.
			border := time.Now().Add(-10 * time.Minute)
			for i := range 400 {
				when := border.Add(time.Duration(i-200) * 250 * time.Millisecond)
				server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 6))
			}
			c := connect(t, cfg)
			first := poll1(t, c, nil)
			require.Equal(t, border.UTC(), feedOf(t, first.Cursor).Settled)
			rest, cursor, _ := drain(t, c, first.Cursor)
			got := append(ids(first), rest...)
			require.Len(t, unique(got), 400)
			require.Len(t, got, 400)
			time.Sleep(5 * time.Minute)
			require.Empty(t, ids(poll1(t, c, cursor)))
		})
	}
}

func TestPoll_TimesAreComparedHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, opts := range meetings {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(opts)
			cfg.MaxEvents = 3
			border := time.Now().Add(-10 * time.Minute).UTC()
			want := map[string]time.Time{}
			for offset := -2; offset <= 2; offset++ {
				at := border.Add(time.Duration(offset) * 500 * time.Millisecond)
				for zone, layout := range map[int]string{
					0:   "2006-01-02T15:04:05.999999Z07:00",
					1:   "2006-01-02T15:04:05.000000-07:00",
					9:   "2006-01-02T15:04:05.0-07:00",
					-5:  "2006-01-02T15:04:05.999999999-07:00",
					-11: "2006-01-02T15:04:05.000Z07:00",
				} {
					id := fmt.Sprintf("%d, zone %d", offset, zone)
					want[id] = at
					server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(
						`{"id":%q,"when":%q,"action":{"type":"rec_add"},"resource":{"type":"DNS_record"}}`,
						id, at.In(time.FixedZone("", zone*3600)).Format(layout))))
				}
			}
			c := connect(t, cfg)
			got := map[string]time.Time{}
			n := 0
			var cursor ingest.Cursor
			for more := true; more; {
				b := poll1(t, c, cursor)
				for _, e := range b.Events {
					if !strings.HasPrefix(e.Action, burstAction) {
						got[e.ExternalID] = e.CreatedAt
						n++
					}
				}
				require.LessOrEqual(t, n, len(want), "none twice")
				cursor, more = b.Cursor, b.More
			}
			require.Equal(t, want, got)
		})
	}
}

func TestPoll_DroppedEntriesMoveTheCursorToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.PageSize = 1
		now := time.Now()
		server.Add(time.Time{}, fakecloudflare.Entry("kept", now.Add(-time.Hour), 0))
		for i := range 3 * feed.MaxRequests {
			server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(
				`{"id":"id-%d","when":%q,"action":{"type":"tls_settings_deployed"},"actor":{"type":"system","id":"1"},"resource":{"type":"zone"}}`,
				i, now.Add(-time.Duration(i+1)*time.Second).UTC().Format(time.RFC3339))))
		}
		c := connect(t, cfg)
		var cursor ingest.Cursor
		dropped := 0
		for range 3 {
			b := poll1(t, c, cursor)
			require.Empty(t, b.Events)
			require.True(t, b.More)
			require.NotEqual(t, string(cursor), string(b.Cursor))
			require.Equal(t, map[string]int{"tls-settings-deployed-by-system": feed.MaxRequests}, b.Coverage.Dropped)
			dropped += b.Coverage.Read
			cursor = b.Cursor
		}
		require.Equal(t, 3*feed.MaxRequests, dropped)
		got, _, _ := drain(t, c, cursor)
		require.Equal(t, []string{"kept"}, got)
	})
}

func TestPoll_NewerEntriesComeBeforeAnOldBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 3000, 20*time.Second)
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.True(t, b.More)
		old := len(b.Events)
		server.Add(time.Time{}, fakecloudflare.Entry("today", time.Now().Add(time.Minute), 0))
		time.Sleep(5 * time.Minute)
		b = poll1(t, c, b.Cursor)
		require.Equal(t, "today", b.Events[0].ExternalID)
		require.True(t, b.More)
		require.Greater(t, len(b.Events), 900, "the backlog fills the rest of the batch")
		rest, _, _ := drain(t, c, b.Cursor)
		require.Equal(t, 3001, old+len(b.Events)+len(rest))
	})
}

// oldOnes are the entries of fill that so many polls deliver. Each poll comes
// late enough for newer entries to go first.
func oldOnes(t *testing.T, c *Connector, polls int) map[string]bool {
	t.Helper()
	var cursor ingest.Cursor
	old := map[string]bool{}
	for range polls {
		b := poll1(t, c, cursor)
		for _, id := range ids(b) {
			if strings.HasPrefix(id, "id-") {
				old[id] = true
			}
		}
		cursor = b.Cursor
		time.Sleep(c.cfg.PollInterval + time.Second)
	}
	return old
}

func TestPoll_ABacklogShrinksUnderASlowHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.PollInterval = time.Minute
		now := time.Now()
		fill(server, 5000, 10*time.Second)
		for i := range 400 {
			at := now.Add(time.Duration(i) * 30 * time.Second)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("new-%d", i), at, 0))
		}
		require.Len(t, oldOnes(t, connect(t, cfg), 10), 5000)
	})
}

func TestPoll_WhatIsNewestAndTheBacklogTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		// A poll has room for half of what is within the overlap, of which there
		// is always more, and the next one comes late enough to begin with that.
		cfg.PageSize = 1
		cfg.PollInterval = time.Minute
		fill(server, 400, 3*time.Second)
		now := time.Now()
		for i := range 600 {
			at := now.Add(time.Duration(i) * 3 * time.Second)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("new-%d", i), at, 0))
		}
		require.Len(t, oldOnes(t, connect(t, cfg), 14), 400)
	})
}

func TestPoll_AReplicaThatLagsHidesNothingThatIsSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		server, cfg := fixture(fakecloudflare.Options{Lag: func() time.Duration {
			// The second page comes without the newest entries.
			if requests++; requests == 2 {
				return 10 * time.Second
			}
			return 0
		}})
		cfg.PageSize = 10
		now := time.Now()
		for i := range 5 {
			at := now.Add(-time.Duration(i) * time.Second)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("newest-%d", i), at, 0))
		}
		for i := range 5 {
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("newer-%d", i), now.Add(-time.Minute), 0))
		}
		for i := range 8 {
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("settled-%d", i), now.Add(-time.Hour/2), 0))
		}
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Len(t, unique(got), 18)
		require.Len(t, got, 18)
	})
}

func TestPoll_AnEntryOutOfPlaceDoesNotEndAWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		c := connect(t, cfg)
		cursor := poll1(t, c, nil).Cursor
		since := feedOf(t, cursor).Settled
		// The window that begins here is shown with an entry in front that is
		// older.
		list := []string{string(fakecloudflare.Entry("older", since.Add(-time.Second), 0))}
		var want []string
		for i := range 20 {
			id := fmt.Sprintf("id-%d", i)
			want = append(want, id)
			list = append(list, string(fakecloudflare.Entry(id, since.Add(time.Duration(40-i)*time.Second), 0)))
		}
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Reply(200, nil, `{"success":true,"errors":null,"result":[`+strings.Join(list, ",")+`]}`)
		})
		time.Sleep(5 * time.Minute)
		require.Equal(t, want, ids(poll1(t, c, cursor)))
	})
}

func TestPoll_HidingUserEntriesHalfWayLosesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now()
		for i := range 3000 {
			owner := "account"
			if i%2 == 0 {
				owner = "someone"
			}
			server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(
				`{"id":"id-%d","when":%q,"actor":{"id":"someone"},"owner":{"id":%q},"action":{"type":"rec_add"}}`,
				i, now.Add(-time.Duration(i+1)*20*time.Second).UTC().Format(time.RFC3339), owner)))
		}
		first := poll1(t, connect(t, cfg), nil)
		cfg.HideUserLogs = true
		rest, _, _ := drain(t, connect(t, cfg), first.Cursor)
		got := unique(append(rest, ids(first)...))
		for i := 1; i < 3000; i += 2 {
			require.True(t, got[fmt.Sprintf("id-%d", i)], i)
		}
		require.Len(t, got, len(rest)+len(first.Events), "none twice")
	})
}

func TestPoll_ADepthLimitInsideACrowdedSecondIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		at := time.Now().Add(-time.Hour)
		for i := range 3000 {
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), at, 0))
		}
		server.Add(time.Time{}, fakecloudflare.Entry("older", at.Add(-time.Minute), 0))
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
			if (page-1)*size >= 1000 {
				return fakecloudflare.Status(400, 1004, "page out of range", nil)
			}
			return nil
		})
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		for range 5 {
			require.True(t, b.More, "the window stays open")
			next, err := c.Poll(t.Context(), b.Cursor)
			if err != nil {
				require.ErrorContains(t, err, "does not return all")
				return
			}
			b = next
		}
		require.Fail(t, "no error")
	})
}

func TestPoll_TheFirstCursorFixesTheStartEvenWhenNothingCanBeRead(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*fakecloudflare.Fault{
		"refused":  fakecloudflare.Status(503, 0, "", nil),
		"no reply": fakecloudflare.Reset(),
	} {
		for _, off := range []time.Duration{0, -26 * time.Hour, 26 * time.Hour} {
			t.Run(fmt.Sprintf("%s, clock off by %s", name, off), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					server, cfg := fixture(fakecloudflare.Options{})
					server.Add(time.Time{}, fakecloudflare.Entry("during-the-outage", time.Now().Add(time.Minute), 0))
					server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fault })
					cfg.InitialLookback = time.Minute
					cfg.Clock = func() time.Time { return time.Now().Add(off) }
					c := connect(t, cfg)
					b := poll1(t, c, nil)
					require.Empty(t, b.Events)
					require.True(t, b.More)
					_, err := c.Poll(t.Context(), b.Cursor)
					require.Error(t, err)

					time.Sleep(3 * time.Hour)
					server.Fault(nil)
					got, _, _ := drain(t, connect(t, cfg), b.Cursor)
					require.Equal(t, []string{"during-the-outage"}, got)
				})
			})
		}
	}
}

func TestPoll_ReturnsWhatItHasAndTheNextPollMeetsTheError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 450, time.Second)
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n > 2 {
				return fakecloudflare.Status(403, 10000, "Authentication error", nil)
			}
			return nil
		})
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Len(t, b.Events, 200)
		require.True(t, b.More)
		_, err := c.Poll(t.Context(), b.Cursor)
		api, ok := errors.AsType[*APIError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, KindCredentials, api.Kind)
		server.Fault(nil)
		rest, _, _ := drain(t, c, b.Cursor)
		require.Len(t, rest, 250)
		require.Equal(t, "id-200", rest[0])
	})
}

func TestPoll_TheWindowFollowsTheClockOfTheServer(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-26 * time.Hour, -time.Minute, time.Minute, 26 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			cfg.Clock = func() time.Time { return time.Now().Add(skew) }
			fill(server, 3, time.Second)
			c := connect(t, cfg)
			b := poll1(t, c, nil)
			require.Len(t, b.Events, 3)
			require.Equal(t, 2, b.Coverage.Requests, "one to learn the clock")
			require.Equal(t, time.Now().UTC(), feedOf(t, b.Cursor).Through)
			time.Sleep(time.Hour)
			server.Add(time.Time{}, fakecloudflare.Entry("new", time.Now().Add(-time.Second), 0))
			b = poll1(t, c, b.Cursor)
			require.Equal(t, []string{"new"}, ids(b))
			require.Equal(t, 1, b.Coverage.Requests)
		})
	}
}

func TestPoll_A400BehindAFullPageIsTheEndOnlyWhenTheRestSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{PastEnd400: true})
		fill(server, 200, time.Second)
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Len(t, got, 200)
	})
	// A server that pages no deeper than three pages loses nothing.
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 1234, time.Second)
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if p := r.URL.Query().Get("page"); p != "" && p > "3" {
				return fakecloudflare.Status(400, 1004, "page out of range", nil)
			}
			return nil
		})
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Len(t, got, 1234)
		require.Len(t, unique(got), 1234)
	})
	// Nor does one that pages no deeper than 500 entries, of which many share
	// a second, although no ids are remembered of what is settled.
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 1234, 11*time.Millisecond)
		time.Sleep(time.Hour)
		cfg.InitialLookback = 2 * time.Hour
		cfg.MaxEvents = 150
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
			if (page-1)*size >= 500 {
				return fakecloudflare.Status(400, 1004, "page out of range", nil)
			}
			return nil
		})
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Len(t, got, 1234)
		require.Len(t, unique(got), 1234)
	})
	// And a 400 that page 1 gets too is an error.
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 100, time.Second)
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n > 1 {
				return fakecloudflare.Status(400, 1004, "no", nil)
			}
			return nil
		})
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Len(t, b.Events, 100)
		require.True(t, b.More, "the window is still open")
		_, err := c.Poll(t.Context(), b.Cursor)
		require.Error(t, err)
	})
}

func TestPoll_FailuresUnder200AreErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault *fakecloudflare.Fault
		kind  Kind
	}{
		"success is false":  {fakecloudflare.NotSuccess(), KindCredentials},
		"result is null":    {fakecloudflare.NullResult(), KindMalformed},
		"a page for people": {fakecloudflare.HTML(200), KindMalformed},
		"half a body":       {fakecloudflare.Garbage(), KindMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				fill(server, 5, time.Second)
				c := connect(t, cfg)
				b := poll1(t, c, nil)
				server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return tc.fault })
				time.Sleep(5 * time.Minute)
				_, err := c.Poll(t.Context(), b.Cursor)
				api, ok := errors.AsType[*APIError](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, tc.kind, api.Kind)
				require.NotEmpty(t, api.Remedy)
			})
		})
	}
}

func TestPoll_ATornReplyIsReadAgain(t *testing.T) {
	t.Parallel()
	// A reply of which a part is missing, and nothing says so.
	cut := func(n int) *fakecloudflare.Fault {
		return fakecloudflare.Custom(func(_ *http.Request, answer func() *http.Response) (*http.Response, error) {
			resp := answer()
			resp.ContentLength = -1
			resp.Body = io.NopCloser(io.LimitReader(resp.Body, int64(n)))
			return resp, nil
		})
	}
	for _, n := range []int{0, 1, 20, 100, 700, 5000, 30_000} {
		for _, fault := range []*fakecloudflare.Fault{fakecloudflare.Truncate(n), cut(n)} {
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				fill(server, 250, time.Second)
				server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
					if n == 2 {
						return fault
					}
					return nil
				})
				b := poll1(t, connect(t, cfg), nil)
				require.Len(t, unique(ids(b)), 250)
				require.Len(t, ids(b), 250)
				require.False(t, b.More)
				require.Equal(t, 4, b.Coverage.Requests)
			})
		}
	}
}

func TestPoll_LongWaitsAreTheHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(429, 971, "Please wait", http.Header{"Retry-After": {"240"}})
		})
		began, sent := time.Now(), len(server.Requests())
		_, err := c.Poll(t.Context(), first.Cursor)
		asks, ok := errors.AsType[ingest.RetryAfterer](err)
		require.True(t, ok)
		require.Equal(t, 240*time.Second, asks.RetryAfter())
		require.Zero(t, time.Since(began))
		require.Equal(t, 1, len(server.Requests())-sent)

		// Until then no connector with this token sends anything.
		server.Fault(nil)
		time.Sleep(100 * time.Second)
		_, err = connect(t, cfg).Poll(t.Context(), first.Cursor)
		wait, ok := errors.AsType[*WaitError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, 140*time.Second, wait.RetryAfter())
		require.Equal(t, 1, len(server.Requests())-sent)
		time.Sleep(140 * time.Second)
		poll1(t, c, first.Cursor)
	})
}

func TestPoll_CountsRequestsByStatusAndWhatTheyWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 3, time.Second)
		c := connect(t, cfg)
		faults := []*fakecloudflare.Fault{fakecloudflare.Reset(), fakecloudflare.HTML(502), nil}
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault { return faults[(n-1)%3] })
		b := poll1(t, c, nil)
		require.Equal(t, map[int]int{0: 1, 502: 1, 200: 1}, b.Coverage.Statuses)
		require.Equal(t, 3, b.Coverage.Requests)
		require.Zero(t, b.Coverage.Throttled)

		// What a failed poll has sent counts as well.
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Reply(200, nil, "<html>") })
		failed, err := c.Poll(t.Context(), b.Cursor)
		require.Error(t, err)
		require.Len(t, failed.Coverage.Logs, 1)
		require.True(t, failed.Coverage.Logs[0].Failed())
		failed.Coverage.Logs = nil
		require.Equal(t, ingest.Batch{Coverage: ingest.Coverage{Requests: 3, Statuses: map[int]int{200: 3}}}, failed)

		// Retry-After and the limiter's own pace hold requests back.
		n := 0
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			if n++; n == 1 {
				return fakecloudflare.Status(429, 971, "Please wait", http.Header{"Retry-After": {"3"}})
			}
			return nil
		})
		began := time.Now()
		b = poll1(t, c, b.Cursor)
		require.Equal(t, map[int]int{429: 1, 200: 1}, b.Coverage.Statuses)
		require.InDelta(t, 3, b.Coverage.Throttled.Seconds(), 0.5, "the backoff between the two is not part of it")
		require.LessOrEqual(t, b.Coverage.Throttled, time.Since(began))
	})
}

func TestPoll_KeepsToTheBudgetOfTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.RateLimit = 300 // one a second
		cfg.PageSize, cfg.MaxEvents = 1, 50
		fill(server, 400, time.Second)
		began := time.Now()
		// Two instances share what the token may send.
		a, b := connect(t, cfg), connect(t, cfg)
		cursorA, cursorB := poll1(t, a, nil).Cursor, poll1(t, b, nil).Cursor
		for range 3 {
			cursorA, cursorB = poll1(t, a, cursorA).Cursor, poll1(t, b, cursorB).Cursor
		}
		n := len(server.Requests())
		require.Greater(t, n, 300)
		require.LessOrEqual(t, float64(n), time.Since(began).Seconds()+cloudflare.Burst+1)
	})
}

func TestPoll_AnOversizedPageIsReadInSmallerOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now().Add(-time.Hour)
		for i := range 150 {
			when := now.Add(time.Duration(i) * time.Second)
			raw := fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 0)
			if i == 77 {
				raw = json.RawMessage(fmt.Sprintf(`{"id":"id-77","when":%q,"action":{"type":"rec_add"},"metadata":{"x":"%s"}}`,
					when.UTC().Format(time.RFC3339), strings.Repeat("x", 300_000)))
			}
			server.Add(time.Time{}, raw)
		}
		c := connectTuned(t, cfg, func(o *cloudflare.Options, _ *feed.Options) { o.MaxBody = 200_000 })
		var events []ingest.Event
		var cursor ingest.Cursor
		undecodable := 0
		for more := true; more; {
			b := poll1(t, c, cursor)
			events, cursor, more = append(events, b.Events...), b.Cursor, b.More
			undecodable += b.Coverage.Undecodable
		}
		require.Len(t, events, 150)
		require.Equal(t, 1, undecodable)
		for _, e := range events {
			require.Equal(t, e.ExternalID == "id-77", e.RawTruncated)
			require.True(t, json.Valid(e.AppendJSON(nil)))
		}
	})
}

func TestPoll_OneBrokenEntryDoesNotCostThePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now().Add(-time.Hour)
		for i := range 120 {
			raw := fakecloudflare.Entry(fmt.Sprintf("id-%d", i), now.Add(time.Duration(i)*time.Second), 0)
			if i == 60 || i == 61 {
				raw = json.RawMessage(`{"id":"id-` + fmt.Sprint(i) + `","when":"` + now.Add(time.Duration(i)*time.Second).UTC().Format(time.RFC3339) + `","actor":{"email":nonsense}}`)
			}
			server.Add(time.Time{}, raw)
		}
		got, cursor, _ := drain(t, connect(t, cfg), nil)
		require.Len(t, unique(got), 120)
		require.Len(t, got, 120)
		time.Sleep(5 * time.Minute)
		got, _, _ = drain(t, connect(t, cfg), cursor)
		require.Empty(t, got)
	})
}

func TestPoll_ALogThatIsUnreadableForAWhileLosesNothing(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		`{"debug":"%d` + strings.Repeat("x", 600_000) + `"}`,
		`{"success":true,"result":[{"id":"%d","when":oops}]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			fill(server, 300, time.Second)
			c := connectTuned(t, cfg, func(o *cloudflare.Options, _ *feed.Options) { o.MaxBody = 500_000 })
			server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
				return fakecloudflare.Reply(200, nil, fmt.Sprintf(reply, n))
			})
			b := poll1(t, c, nil)
			require.Empty(t, b.Events)
			_, err := c.Poll(t.Context(), b.Cursor)
			require.Error(t, err)
			server.Fault(nil)
			time.Sleep(time.Minute)
			got, _, _ := drain(t, c, b.Cursor)
			require.Len(t, got, 300)
		})
	}
}

func TestPoll_AServerThatDoesNotPageIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 100, time.Second)
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Reply(200, nil, samePage())
		})
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Len(t, unique(ids(b)), 100)
		_, err := c.Poll(t.Context(), b.Cursor)
		require.ErrorContains(t, err, "same entries")
	})
}

// samePage is a page of a hundred entries.
func samePage() string {
	list := make([]string, 100)
	for i := range list {
		list[i] = string(fakecloudflare.Entry(fmt.Sprintf("same-%d", i), time.Now().Add(-time.Hour), 0))
	}
	return `{"success":true,"errors":null,"result":[` + strings.Join(list, ",") + `]}`
}

func TestPoll_StopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*fakecloudflare.Fault{
		"no reply":     fakecloudflare.Hang(),
		"half a reply": fakecloudflare.Stall(20),
		"in a wait":    fakecloudflare.Status(429, 971, "Please wait", http.Header{"Retry-After": {"4"}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				c := connect(t, cfg)
				first := poll1(t, c, nil)
				server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fault })
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				began := time.Now()
				_, err := c.Poll(ctx, first.Cursor)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 3*time.Second, time.Since(began))
			})
		})
	}
}

func TestPoll_ARequestThatHangsTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.RequestTimeout = 7 * time.Second
		c := connect(t, cfg)
		first := poll1(t, c, nil)
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n == 2 {
				return fakecloudflare.Stall(20)
			}
			return nil
		})
		began := time.Now()
		poll1(t, c, first.Cursor)
		require.GreaterOrEqual(t, time.Since(began), 7*time.Second)
		require.Less(t, time.Since(began), 9*time.Second)
	})
}

func TestPoll_FullOfRememberedIDsItReadsAgainAndLosesNothing(t *testing.T) {
	t.Parallel()
	// A large page shows all there is in one reply.
	for _, size := range []int{100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{})
			cfg.PollInterval, cfg.PageSize = 30*time.Second, size
			fill(server, 500, 3*time.Second)
			c := connectTuned(t, cfg, func(_ *cloudflare.Options, o *feed.Options) { o.MaxIDs = 120 })
			var cursor ingest.Cursor
			got := map[string]int{}
			for range 120 {
				b := poll1(t, c, cursor)
				for _, id := range ids(b) {
					got[id]++
				}
				require.LessOrEqual(t, feedOf(t, b.Cursor).remembered(t), 120)
				cursor = b.Cursor
				if !b.More {
					time.Sleep(cfg.PollInterval)
				}
			}
			require.Len(t, got, 500)
			for id, n := range got {
				require.Equal(t, 1, n, id)
			}
		})
	}
}

func TestCursor_RefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	_, cfg := fixture(fakecloudflare.Options{})
	c := connect(t, cfg)
	good := func(change func(map[string]any)) string {
		m := map[string]any{"version": 1, "account_id": cfg.AccountID, "audit_logs": map[string]any{"start": "2026-01-01T00:00:00Z"}}
		change(m)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		return string(b)
	}
	log := func(key string, v any) string {
		return good(func(m map[string]any) { m["audit_logs"].(map[string]any)[key] = v })
	}
	for want, cursor := range map[string]string{
		"damaged":            "{",
		"at most 8388608":    strings.Repeat(" ", 8<<20) + "{",
		"is damaged: json":   "[]",
		"no version":         good(func(m map[string]any) { delete(m, "version") }),
		"written by a newer": good(func(m map[string]any) { m["version"] = 3 }),
		"belongs to account": good(func(m map[string]any) { m["account_id"] = strings.Repeat("0", 32) }),
		"start is missing":   good(func(m map[string]any) { m["audit_logs"] = map[string]any{} }),
		"unknown field":      log("surprise", 1),
		"settled is missing": log("through", "2026-01-01T00:00:00Z"),
		"not a minute":       log("seen", map[string]string{"2026-01-01T00:00:01Z": ""}),
		"illegal base64":     log("seen", map[string]string{"2026-01-01T00:01:00Z": "AAA"}),
		"backlog[0]: it is from": good(func(m map[string]any) {
			m["audit_logs"] = map[string]any{
				"start": "2026-01-01T00:00:00Z", "settled": "2026-01-01T00:00:00Z",
				"backlog": []any{map[string]any{"since": "2026-01-01T00:00:00Z", "before": "2025-01-01T00:00:00Z"}},
			}
		}),
		"after top-level value": good(func(map[string]any) {}) + "{}",
		"restore the last good": "null",
		"it is damaged":         "",
	} {
		_, err := c.Poll(t.Context(), ingest.Cursor(cursor))
		require.ErrorIs(t, err, ErrCursor, cursor)
		require.ErrorContains(t, err, want)
	}
}

func TestTestConnection_AsksForOneEntryAndNamesTheRemedy(t *testing.T) {
	t.Parallel()
	server, cfg := fixture(fakecloudflare.Options{})
	c := connect(t, cfg)
	require.NoError(t, c.TestConnection(t.Context()), "an empty log is no fault")
	require.Equal(t, "per_page=1", server.Requests()[0].Query.Encode())

	for _, tc := range []struct {
		fault  *fakecloudflare.Fault
		kind   Kind
		remedy string
	}{
		{fakecloudflare.Status(403, 10000, "Authentication error", nil), KindCredentials, "owner has left"},
		{fakecloudflare.Status(403, 9109, "Unauthorized to access requested resource", nil), KindCredentials, "Account Settings > Read"},
		{fakecloudflare.Status(401, 1000, "Invalid API Token", nil), KindCredentials, "expired or revoked"},
		{fakecloudflare.Status(400, 6003, "Invalid request headers", nil), KindCredentials, "Bearer"},
		{fakecloudflare.Status(404, 7003, "Could not route to /accounts/x", nil), KindAccount, "zone id"},
		{fakecloudflare.Status(429, 10000, "Authentication error", http.Header{"Retry-After": {"30"}}), KindRateLimited, "1200 requests"},
		{fakecloudflare.HTML(200), KindMalformed, "base_url"},
	} {
		server, cfg := fixture(fakecloudflare.Options{})
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return tc.fault })
		err := connect(t, cfg).TestConnection(t.Context())
		api, ok := errors.AsType[*APIError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, tc.kind, api.Kind)
		require.Contains(t, err.Error(), tc.remedy)
	}
}

func TestToken_IsShownNowhere(t *testing.T) {
	t.Parallel()
	server, cfg := fixture(fakecloudflare.Options{})
	token := cfg.APIToken.Reveal()
	c := connect(t, cfg)
	hostile := []*fakecloudflare.Fault{
		fakecloudflare.Status(403, 10000, "your token "+token+" is bad", nil),
		fakecloudflare.HTML(500), fakecloudflare.Reset(), fakecloudflare.Truncate(3),
		fakecloudflare.Redirect("https://evil.example/?t=" + token),
		fakecloudflare.Reply(200, nil, token),
		fakecloudflare.Reply(200, nil, strings.Repeat("x ", 30)+token),
		fakecloudflare.Status(403, 1, strings.Repeat("x", 190)+token, nil),
		fakecloudflare.Reply(502, nil, strings.Repeat("x ", 35)+token),
		fakecloudflare.Reply(200, nil, `{"result":[{"`+token+`":nonsense}]}`),
		fakecloudflare.Reply(200, nil, `{"success":false,"errors":[{"code":1,"message":"`+token+`"}]}`),
	}
	for _, fault := range hostile {
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fault })
		err := c.TestConnection(t.Context())
		require.Error(t, err)
		for e := err; e != nil; e = errors.Unwrap(e) {
			require.NotContains(t, fmt.Sprintf("%s %v %+v %#v", e, e, e, e), token[:12])
		}
	}
	for _, v := range []any{cfg, &cfg, cfg.APIToken, &cfg.APIToken, c, c.cfg} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), token)
		}
	}
	b, err := json.Marshal(map[string]any{"a": cfg.APIToken})
	require.NoError(t, err)
	require.JSONEq(t, `{"a":"[redacted]"}`, string(b))
}

func TestToken_IsNotSentToAnotherHost(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer other.Close()
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusFound)
	}))
	defer first.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	c := connect(t, Config{AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret("cfat_redirect"), BaseURL: first.URL, HTTPClient: client})
	require.ErrorContains(t, c.TestConnection(t.Context()), "refused a redirect to another host")
	require.False(t, reached.Load())
}

func TestNew_ReadsNothingFromTheEnvironment(t *testing.T) {
	for _, name := range []string{"CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_BASE_URL", "HTTPS_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1/poison")
	}
	server, cfg := fixture(fakecloudflare.Options{})
	require.NoError(t, connect(t, cfg).TestConnection(t.Context()))
	for name, values := range server.Requests()[0].Header {
		require.NotContains(t, strings.Join(values, " "), "poison", name)
	}
}

func TestPoll_EveryFixtureEntryBecomesOneEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		entries, err := fakecloudflare.Load(os.DirFS("testdata/entries"))
		require.NoError(t, err)
		server.Add(time.Time{}, fakecloudflare.Shift(time.Now().Add(-time.Second), entries)...)
		drop := false
		cfg.DropRoutine = &drop
		cfg.InitialLookback = maxLookback
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Events, len(unique(ids(b))))
		require.Equal(t, len(b.Events), b.Coverage.Delivered+b.Coverage.Raised)
		require.Equal(t, len(entries), b.Coverage.Read-b.Coverage.Repeated)
		for _, e := range b.Events {
			require.True(t, e.Severity.Valid())
			require.NotEmpty(t, e.Title)
			require.NotEmpty(t, e.ExternalID)
			require.True(t, json.Valid(e.AppendJSON(nil)))
		}
	})
}

// What a wrong Date has moved the feed past is not read, which must not look as
// if nothing happened.
func TestPoll_SaysThatTheCursorIsAheadOfTheClock(t *testing.T) {
	t.Parallel()
	for _, api := range []string{AuditLogV1, AuditLogV2, AuditLogBoth} {
		synctest.Test(t, func(t *testing.T) {
			var ahead time.Duration
			server, cfg := fixture(fakecloudflare.Options{Clock: func() time.Time { return time.Now().Add(ahead) }})
			var log strings.Builder
			cfg.AuditLogAPI, cfg.Logger = api, slog.New(slog.NewTextHandler(&log, nil))
			fill(server, 3, time.Second)
			ahead = 30 * 24 * time.Hour
			b := poll1(t, connect(t, cfg), nil)
			require.Empty(t, b.Coverage.Notices)

			ahead = 0
			c := connect(t, cfg)
			time.Sleep(5 * time.Minute)
			fill(server, 3, time.Second)
			b = poll1(t, c, b.Cursor)
			require.Empty(t, b.Events)
			require.Len(t, b.Coverage.Notices, len(cfg.logs()))
			require.Contains(t, b.Coverage.Notices[0], "is not read before 2000-01-30T23:")
			require.Contains(t, log.String(), "is not read before 2000-01-30T23:")
			time.Sleep(5 * time.Minute)
			require.Equal(t, b.Coverage.Notices, poll1(t, c, b.Cursor).Coverage.Notices, "in the same words")

			// Once that time has come, all is as ever.
			time.Sleep(30 * 24 * time.Hour)
			require.Empty(t, poll1(t, c, b.Cursor).Coverage.Notices)
		})
	}
}
