package cloudflareaudit

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestParseRateLimit_TakesTheTightestPolicyAndNoNonsense(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]struct {
		left  int
		reset time.Duration
		ok    bool
	}{
		`"default";r=50;t=30`:                      {50, 30 * time.Second, true},
		`"default";r=50;t=30, "burst";r=1;t=60`:    {1, time.Minute, true},
		`"default"; r=0; t=7`:                      {0, 7 * time.Second, true},
		`"default";r=-1;t=30`:                      {},
		`"default";r=50`:                           {},
		`"default";r=50;t=0`:                       {},
		`"default";r=50;t=99999999999`:             {},
		`"default";r=99999999999999999999999;t=30`: {},
		`"default";r=5;t=1767225600000`:            {},
		`r=x;t=y`:                                  {},
		``:                                         {},
	} {
		left, reset, ok := parseRateLimit(header)
		require.Equal(t, want.ok, ok, header)
		require.Equal(t, want.left, left, header)
		require.Equal(t, want.reset, reset, header)
	}
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

func TestLimiter_LeavesARequestForTheAuditLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for perSpan, want := range map[int]int{1: 0, 2: 0, 3: 1, 10: 4, 20: 9, 900: 30} {
			l := limiterFor(NewSecret(fmt.Sprintf("spare-%d", perSpan)), perSpan)
			passed := 0
			for passed < 30 && l.spare(t.Context()) == nil {
				passed++
			}
			require.Equal(t, want, passed, "with %d requests in five minutes", perSpan)
			began := time.Now()
			_, err := l.wait(t.Context())
			require.NoError(t, err, perSpan)
			require.LessOrEqual(t, time.Since(began), soon, perSpan)
		}
	})
}

func TestLimiter_NothingIsSpareInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiterFor(NewSecret("spare-pause"), 900)
		l.holdUntil(2 * time.Second)
		began := time.Now()
		var wait *WaitError
		require.ErrorAs(t, l.spare(t.Context()), &wait)
		require.Equal(t, 2*time.Second, wait.Wait)
		require.Zero(t, time.Since(began))
		time.Sleep(2 * time.Second)
		require.NoError(t, l.spare(t.Context()))
	})
}
