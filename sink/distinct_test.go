package sink_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

// collector is a sink that keeps the ids, or fails.
type collector struct {
	mu  sync.Mutex
	ids []string
	err error
}

func (c *collector) Write(_ context.Context, events []ingest.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	for _, e := range events {
		c.ids = append(c.ids, e.ExternalID)
	}
	return nil
}

func scoped(scope string, ids ...string) (events []ingest.Event) {
	for _, id := range ids {
		events = append(events, ingest.Event{Source: "vendor", ExternalID: id, Audit: ingest.Audit{Scope: scope}})
	}
	return events
}

func TestDistinct_AnEventOfAUserComesOnceFromAllAccounts(t *testing.T) {
	t.Parallel()
	d := sink.NewDistinct(100)
	var one, two collector
	first, second := d.Before(&one), d.Before(&two)
	events := append(scoped("user", "u1", "u2"), scoped("account", "a1")...)
	require.NoError(t, first.Write(t.Context(), events))
	events = append(scoped("account", "a1", "a2"), scoped("user", "u1", "u3", "u2")...)
	require.NoError(t, second.Write(t.Context(), events))
	require.Equal(t, []string{"u1", "u2", "a1"}, one.ids)
	require.Equal(t, []string{"a1", "a2", "u3"}, two.ids, "only what is of users is shared")
	require.Equal(t, 2, d.Omitted())
	require.Len(t, events, 5)
	require.Equal(t, "u1", events[2].ExternalID, "the events are the caller's")
}

func TestDistinct_WhatWasNotAcceptedIsNotLeftOut(t *testing.T) {
	t.Parallel()
	d := sink.NewDistinct(100)
	one, two := &collector{err: errors.New("full")}, &collector{}
	require.Error(t, d.Before(one).Write(t.Context(), scoped("user", "u1")))
	require.NoError(t, d.Before(two).Write(t.Context(), scoped("user", "u1")))
	require.Equal(t, []string{"u1"}, two.ids)
	one.err = nil
	require.NoError(t, d.Before(one).Write(t.Context(), scoped("user", "u1")))
	require.Empty(t, one.ids)
	require.Equal(t, 1, d.Omitted())
}

func TestDistinct_RemembersTheLast(t *testing.T) {
	t.Parallel()
	d := sink.NewDistinct(3)
	var got collector
	s := d.Before(&got)
	for i := range 10 {
		require.NoError(t, s.Write(t.Context(), scoped("user", fmt.Sprint(i))))
	}
	got.ids = nil
	require.NoError(t, s.Write(t.Context(), scoped("user", "7", "8", "9", "6")))
	require.Equal(t, []string{"6"}, got.ids)
	// That one took the place of the oldest.
	require.NoError(t, s.Write(t.Context(), scoped("user", "8", "9", "6", "7")))
	require.Equal(t, []string{"6", "7"}, got.ids)
}

func TestDistinct_ManyAccountsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	d := sink.NewDistinct(1000)
	var got collector
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s := d.Before(&got)
			for i := range 200 {
				if err := s.Write(t.Context(), scoped("user", fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for _, id := range got.ids {
		seen[id] = true
	}
	require.Len(t, seen, 200)
	require.Equal(t, 8*200, len(got.ids)+d.Omitted())
}
