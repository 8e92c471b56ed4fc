package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
)

func TestPoll_ADepthLimitLosesNoEntryBehindIt(t *testing.T) {
	t.Parallel()
	for total := 1000; total < 1006; total++ {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := fixture(fakecloudflare.Options{MostDepth: 999})
			now := time.Now()
			for i := range total {
				server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), now.Add(-time.Hour-time.Duration(i)*10*time.Second), 0))
			}
			got, _, _ := drain(t, connect(t, cfg), nil)
			require.Equal(t, total, len(unique(got)))
			require.Equal(t, total, len(got))
		})
	}
}

func TestPoll_ATwinOfTheEntryReadLastHidesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.MaxEvents = 100
		at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		twin := json.RawMessage(fmt.Sprintf(`{"when":%q,"action":{"type":"rec_add"}}`, at.Format(time.RFC3339)))
		// The first of the two ends a page, and nothing tells them apart.
		for i := 109; i >= 0; i-- {
			e := fakecloudflare.Entry(fmt.Sprintf("id-%d", i), at, 0)
			if i == 99 || i == 103 {
				e = twin
			}
			server.Add(time.Time{}, e)
		}
		got, _, _ := drain(t, connect(t, cfg), nil)
		for i := range 110 {
			if i != 99 && i != 103 {
				require.Contains(t, got, fmt.Sprintf("id-%d", i))
			}
		}
	})
}

func TestPoll_AnEntryWithoutTimeFarFromTheNextComesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		now := time.Now()
		server.Add(time.Time{}, fakecloudflare.Entry("old", now.Add(-time.Hour), 0))
		server.Add(now.Add(-time.Second), json.RawMessage(`{"id":"timeless","action":{"type":"rec_add"}}`))
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		got := ids(b)
		for range 4 {
			time.Sleep(5 * time.Minute)
			b = poll1(t, c, b.Cursor)
			got = append(got, ids(b)...)
		}
		require.Equal(t, []string{"timeless", "old"}, got)
	})
}

func TestPoll_ADamagedReplyThatPassesCostsNoEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.PageSize = 1
		fill(server, 3, time.Minute)
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n <= 3 {
				return fakecloudflare.Reply(200, nil, `{"success":true,"result":[{"id":oops}`)
			}
			return nil
		})
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Equal(t, []string{"id-0", "id-1", "id-2"}, got)
	})
}

func TestPoll_AnEntryWithoutTimeDoesNotVouchForTheSettledOnesBehindIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lag := time.Duration(0)
		server, cfg := fixture(fakecloudflare.Options{Lag: func() time.Duration { return lag }})
		now := time.Now()
		cfg.PageSize = 10
		for i := range 10 {
			at := now.Add(-time.Second - time.Duration(i)*time.Millisecond)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("new-%d", i), at, 0))
		}
		for i := range 8 {
			at := now.Add(-time.Hour - time.Duration(i)*time.Minute)
			server.Add(at, fakecloudflare.Entry(fmt.Sprintf("old-%d", i), at, 0))
		}
		// Without a time, right behind old-2
		at := now.Add(-time.Hour - 150*time.Second)
		server.Add(at, json.RawMessage(`{"id":"timeless","action":{"type":"rec_add"}}`))
		n := 0
		server.Fault(func(_ int, _ *http.Request) *fakecloudflare.Fault {
			n++
			lag = 0
			if n == 2 {
				// 3 of the newest are not there.
				lag = 1003 * time.Millisecond
			}
			return nil
		})
		// make exactly three invisible at lag
		c := connect(t, cfg)
		got, cursor, _ := drain(t, c, nil)
		for range 4 {
			time.Sleep(5 * time.Minute)
			more, next, _ := drain(t, c, cursor)
			cursor = next
			got = append(got, more...)
		}
		require.Len(t, unique(got), 19, got)
	})
}

func TestPoll_TwinsDoNotStopTheFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.PageSize = 1
		at := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
		server.Add(time.Time{}, fakecloudflare.Entry("older", at.Add(-time.Second), 0))
		for range 12 {
			server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(`{"when":%q,"action":{"type":"rec_add"}}`, at.Format(time.RFC3339))))
		}
		got, _, _ := drain(t, connect(t, cfg), nil)
		require.Contains(t, got, "older")
	})
}

func TestPoll_CoverageClaimsNoMoreThanTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{PastEnd400: true})
		b := poll1(t, connect(t, cfg), nil)
		settled := feedOf(t, b.Cursor).Settled
		time.Sleep(feed.AllEvery)
		// Exactly a page, and an overlap that reaches back before what is settled.
		fill(server, 100, time.Millisecond)
		cfg.Overlap = time.Hour
		b = poll1(t, connect(t, cfg), b.Cursor)
		require.Len(t, b.Events, 100)
		require.Len(t, b.Coverage.Windows, 1)
		require.Equal(t, settled, b.Coverage.Windows[0].Since)
	})
}

func TestPoll_AnUnreadableEntryAtADepthLimitHidesNothingBehindIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{MostDepth: 999})
		at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		for i := 1199; i >= 0; i-- {
			e := fakecloudflare.Entry(fmt.Sprintf("id-%d", i), at, 0)
			if i == 999 {
				e = json.RawMessage(fmt.Sprintf(`{"id":"id-999","when":%q,"action":oops}`, at.Format(time.RFC3339)))
			}
			server.Add(at, e)
		}
		c := connect(t, cfg)
		var cursor ingest.Cursor
		for range 10 {
			b, err := c.Poll(t.Context(), cursor)
			if err != nil {
				require.ErrorContains(t, err, "does not return all")
				return
			}
			require.True(t, b.More, "the window stays open")
			cursor = b.Cursor
		}
	})
}

// Between two looks at all that is not settled, a poll reads the last minute
// again, and no more.
func TestPoll_ReadsTheMostRecentAgainAndNowAndThenAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.Overlap = time.Hour
		c := connect(t, cfg)
		var cursor ingest.Cursor
		delivered := make(map[string]time.Duration)
		began := time.Now()
		for i, late := range []time.Duration{30 * time.Second, 10 * time.Minute, 50 * time.Minute} {
			shown := began.Add(5*time.Minute + time.Duration(i+1)*time.Second)
			server.Add(shown, fakecloudflare.Entry(late.String(), shown.Add(-late), 0))
		}
		for range 20 {
			b := poll1(t, c, cursor)
			for _, e := range b.Events {
				delivered[e.ExternalID] = time.Since(began).Truncate(time.Second)
			}
			cursor = b.Cursor
			time.Sleep(time.Minute)
		}
		require.Equal(t, map[string]time.Duration{
			"30s": 6 * time.Minute, "10m0s": 10 * time.Minute, "50m0s": 10 * time.Minute,
		}, delivered)
	})
}

func TestLimiter_SlowsDownToWhatIsLeftOfTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		fill(server, 2000, time.Second)
		left := `"default";r=20;t=40`
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Header(http.Header{"Ratelimit": {left}})
		})
		cfg.PageSize, cfg.MaxEvents = 1, 20
		c := connect(t, cfg)
		// The burst is used up first; then two seconds a request.
		b := poll1(t, c, nil)
		began := time.Now()
		b = poll1(t, c, b.Cursor)
		require.GreaterOrEqual(t, time.Since(began), 38*time.Second)
		require.Equal(t, 20, b.Coverage.Requests)

		// Once there is enough again, so is the pace.
		left = `"default";r=1000;t=40`
		b = poll1(t, c, b.Cursor)
		began = time.Now()
		poll1(t, c, b.Cursor)
		require.Less(t, time.Since(began), 10*time.Second)

		// Nothing left: nothing is sent until there is.
		left = `"default";r=0;t=120`
		b = poll1(t, c, b.Cursor)
		_, err := c.Poll(t.Context(), b.Cursor)
		require.ErrorContains(t, err, "try again in 2m0s")
	})
}
