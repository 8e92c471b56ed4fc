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

func TestSoon_IsWithinAMinute(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for n := range 1000 {
		at := soon(fmt.Sprint(n), 24*time.Hour, now)
		require.False(t, at.Before(now))
		require.Less(t, at.Sub(now), time.Minute-10*time.Second)
	}
}

func TestBackoff_GrowsToItsLimitAndKeepsToWhatIsAsked(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for failures := 1; failures <= 7; failures++ {
		d := backoff("id", time.Minute, failures, 0)
		assert.Greater(t, d, last)
		last = d
	}
	assert.GreaterOrEqual(t, backoff("id", time.Minute, 1_000_000, 0), maxBackoff)
	assert.LessOrEqual(t, backoff("id", time.Minute, 1_000_000, 0), maxBackoff*11/10)
	assert.GreaterOrEqual(t, backoff("id", time.Hour, 1_000_000, 0), time.Hour)
	assert.GreaterOrEqual(t, backoff("id", time.Minute, 1, 17*time.Minute), 17*time.Minute)
}
