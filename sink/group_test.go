package sink_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

// slow is a sink whose every call takes a second. It refuses a call that holds
// an event named "poison", and everything while it is down.
type slow struct {
	mu    sync.Mutex
	calls [][]string
	down  bool
}

var errRefused = errors.New("refused")

func (s *slow) Write(ctx context.Context, events []ingest.Event) error {
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ExternalID)
	}
	s.mu.Lock()
	s.calls = append(s.calls, ids)
	down := s.down
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, id := range ids {
		if down || id == "poison" {
			return errRefused
		}
	}
	return nil
}

func named(prefix string, n int) []ingest.Event {
	events := make([]ingest.Event, n)
	for i := range events {
		events[i].ExternalID = fmt.Sprintf("%s%d", prefix, i)
	}
	return events
}

func TestGroup_OneCallForAllThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		began := time.Now()
		var wg sync.WaitGroup
		for account := range 100 {
			wg.Go(func() { assert.NoError(t, g.Write(t.Context(), named(fmt.Sprintf("%d.", account), 3))) })
		}
		wg.Wait()
		// The first goes at once, alone or with those that were as quick.
		assert.LessOrEqual(t, len(s.calls), 2)
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
		seen := make(map[string]int)
		for _, ids := range s.calls {
			for _, id := range ids {
				seen[id]++
			}
		}
		assert.Len(t, seen, 300)
	})
}

func TestGroup_NoCallIsLargerThanABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		var wg sync.WaitGroup
		for account := range 5 {
			wg.Go(func() { assert.NoError(t, g.Write(t.Context(), named(fmt.Sprintf("%d.", account), 400))) })
		}
		wg.Wait()
		total := 0
		for _, ids := range s.calls {
			assert.LessOrEqual(t, len(ids), ingest.MaxEvents)
			total += len(ids)
		}
		assert.Equal(t, 2000, total)
		assert.LessOrEqual(t, len(s.calls), 4)
	})
}

func TestGroup_EachWriteReturnsWithItsOwnEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		began := time.Now()
		var first, second time.Duration
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.NoError(t, g.Write(t.Context(), named("a", 1)))
			first = time.Since(began)
		})
		time.Sleep(time.Millisecond)
		wg.Go(func() {
			assert.NoError(t, g.Write(t.Context(), named("b", 1)))
			second = time.Since(began)
		})
		wg.Wait()
		assert.Equal(t, time.Second, first)
		assert.Equal(t, 2*time.Second, second)
	})
}

func TestGroup_WhatTheSinkCannotTakeHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		poison := []ingest.Event{{ExternalID: "poison"}}
		// Each tries until it is done, as a host does.
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		poisoned := 0
		wg.Go(func() {
			for ctx.Err() == nil {
				if g.Write(ctx, poison) != nil {
					poisoned++
				}
			}
		})
		var delivered atomic.Int64
		for account := range 20 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if g.Write(ctx, named(fmt.Sprintf("%d.", account), 1)) == nil {
						delivered.Add(1)
						return
					}
				}
			})
		}
		time.Sleep(time.Minute)
		assert.EqualValues(t, 20, delivered.Load())
		cancel()
		wg.Wait()
		assert.Positive(t, poisoned)
		time.Sleep(time.Second) // for the call under way
	})
}

func TestGroup_AfterAFailureNobodyShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slow{down: true}
		g := sink.NewGroup(&s)
		assert.ErrorIs(t, g.Write(t.Context(), named("first", 1)), errRefused)
		var wg sync.WaitGroup
		for account := range 5 {
			wg.Go(func() { assert.ErrorIs(t, g.Write(t.Context(), named(fmt.Sprintf("%d.", account), 1)), errRefused) })
		}
		wg.Wait()
		for _, ids := range s.calls {
			assert.Len(t, ids, 1)
		}
		s.down = false
		calls := len(s.calls)
		for account := range 5 {
			wg.Go(func() { assert.NoError(t, g.Write(t.Context(), named(fmt.Sprintf("%d.", account), 1))) })
		}
		wg.Wait()
		assert.Equal(t, calls+2, len(s.calls), "one alone, and then the rest together")
	})
}

func TestGroup_TheEndOfOneCutsNoOtherShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, g.Write(ctx, named("gone", 1)), context.DeadlineExceeded) })
		wg.Go(func() { assert.NoError(t, g.Write(t.Context(), named("stays", 1))) })
		time.Sleep(100 * time.Millisecond)
		wg.Go(func() { assert.ErrorIs(t, g.Write(ctx, named("gone before its turn", 1)), context.DeadlineExceeded) })
		wg.Wait()
		time.Sleep(5 * time.Second)
		for _, ids := range s.calls {
			assert.NotContains(t, ids, "gone before its turn0")
		}
	})
}

func TestGroup_ACallThatNeverEndsIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g := sink.NewGroup(&s)
		g.Timeout = 300 * time.Millisecond
		assert.ErrorIs(t, g.Write(t.Context(), named("a", 1)), context.DeadlineExceeded)
		assert.NoError(t, g.Write(t.Context(), nil), "nothing is nothing")
	})
}
