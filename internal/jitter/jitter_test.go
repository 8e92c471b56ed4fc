package jitter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jitter"
)

func TestBelow_StaysBelowAndDiffersByKeyAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = time.Hour
		seen := map[time.Duration]bool{}
		for range 50 {
			for _, key := range []string{"a", "b"} {
				d := jitter.Below(key, most)
				require.GreaterOrEqual(t, d, time.Duration(0))
				require.Less(t, d, most)
				require.Equal(t, d, jitter.Below(key, most), "it can be repeated on a fake clock")
				seen[d] = true
			}
			time.Sleep(time.Second)
		}
		require.Len(t, seen, 100)
		require.Zero(t, jitter.Below("a", 1))
	})
}
