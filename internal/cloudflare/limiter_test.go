package cloudflare

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/apierror"
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

func TestLimiter_LeavesARequestForTheAuditLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for perSpan, want := range map[int]int{1: 0, 2: 0, 3: 1, 10: 4, 20: 9, 900: 30} {
			l := limiterFor(fmt.Sprintf("spare-%d", perSpan), perSpan)
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

// Which of the two holds a request back decides what a person can do about it.
func TestLimiter_SaysWhetherTheWaitWasAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiterFor("asked-pause", 900)
		asked := func() bool {
			var wait *apierror.WaitError
			_, err := l.wait(t.Context())
			require.ErrorAs(t, err, &wait)
			return wait.Asked
		}
		l.holdUntil(time.Minute, true)
		require.True(t, asked())
		time.Sleep(time.Minute)
		l.holdUntil(time.Minute, false)
		require.False(t, asked())
		l.holdUntil(time.Second, true)
		require.False(t, asked(), "the longer of the two counts")
	})
}

func TestLimiter_NothingIsSpareInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiterFor("spare-pause", 900)
		l.holdUntil(2*time.Second, true)
		began := time.Now()
		var wait *apierror.WaitError
		require.ErrorAs(t, l.spare(t.Context()), &wait)
		require.Equal(t, 2*time.Second, wait.Wait)
		require.Zero(t, time.Since(began))
		time.Sleep(2 * time.Second)
		require.NoError(t, l.spare(t.Context()))
	})
}
