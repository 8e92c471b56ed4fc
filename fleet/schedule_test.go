package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNext_KeepsToThePlaceOfTheInstance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		interval := time.Duration(rapid.IntRange(1, 86400).Draw(t, "interval")) * time.Second
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "now"), rapid.Int64Range(0, 1e9).Draw(t, "ns"))
		at := next(id, interval, now)
		if gap := at.Sub(now); gap < interval/2 || gap >= interval/2+interval {
			t.Fatalf("%s after now, of an interval of %s", gap, interval)
		}
		if again := next(id, interval, at); !again.Equal(at.Add(interval)) {
			t.Fatalf("a punctual poll at %s is followed by one at %s", at, again)
		}
		late := at.Add(time.Duration(rapid.Int64Range(0, int64(3*interval)).Draw(t, "late")))
		if off := next(id, interval, late).Sub(at) % interval; off != 0 {
			t.Fatalf("after a late poll the place is %s off", off)
		}
	})
}

func TestPhase_SpreadsInstancesEvenly(t *testing.T) {
	t.Parallel()
	const instances, slots = 20_000, 60
	var counts [slots]int
	for n := range instances {
		counts[int(phase(fmt.Sprintf("cloudflare-%032x", n), 300*time.Second)/(5*time.Second))]++
	}
	for slot, n := range counts {
		assert.InDelta(t, instances/slots, n, 100, "slot %d", slot)
	}
}

func TestSoon_IsAtOnceForOneAndWithinAMinuteForMany(t *testing.T) {
	t.Parallel()
	now := time.Now()
	assert.Equal(t, now, soon("one", 1, 24*time.Hour, now), "whoever adds an account waits for it")
	for many, most := range map[int]time.Duration{2: time.Second, 10: 5 * time.Second, 100_000: time.Minute - 10*time.Second} {
		for n := range 1000 {
			at := soon(fmt.Sprint(n), many, 24*time.Hour, now)
			require.False(t, at.Before(now))
			require.Less(t, at.Sub(now), most)
		}
	}
}

func TestRetryIn_KeepsWithinItsLimitsWithTheSchedulerOfTheQueue(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for failures := 1; failures <= 4; failures++ {
		d := retryIn("id", failures, time.Minute, 0, false)
		assert.Greater(t, d, last)
		last = d
	}
	for interval, longest := range map[time.Duration]time.Duration{time.Second: time.Minute, 5 * time.Minute: 5 * time.Minute, time.Hour: time.Hour} {
		for n := range 100 {
			id := fmt.Sprint(n)
			for needsAction, most := range map[bool]time.Duration{false: longest, true: time.Minute} {
				d := retryIn(id, 1_000_000, interval, 0, needsAction)
				assert.Greater(t, d, most*8/10)
				assert.LessOrEqual(t, d+schedulerDelay, most)
			}
		}
	}
	assert.GreaterOrEqual(t, retryIn("id", 1, time.Minute, 17*time.Minute, true), 17*time.Minute)
}
