package sink

import (
	"context"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// defaultGroupTimeout bounds one write of a [Group].
const defaultGroupTimeout = 5 * time.Minute

// Group is an [ingest.Sink] that combines what several sources deliver at the
// same time, for a sink whose calls are expensive whatever their size: a POST
// that takes a second, a sync of the disk. While one call of the sink is under
// way, events gather for the next one, up to [ingest.MaxEvents] of them; when
// none is, a Write does not wait. Each Write returns when its own events have
// been accepted.
//
// When a call fails, so do all the Writes in it. Until a call succeeds again,
// each Write then gets a call of its own, so that events which the sink cannot
// take do not hold up those of others.
//
// Create one with [NewGroup]; its methods are safe for concurrent use.
type Group struct {
	next ingest.Sink
	// Timeout bounds one call of the sink, which does not end with the context
	// of a single Write; 5 minutes by default. Set it before the first Write.
	Timeout time.Duration

	mu      sync.Mutex
	busy    bool
	alone   bool
	waiting []*delivery
}

// delivery is one Write.
type delivery struct {
	ctx    context.Context
	events []ingest.Event
	done   chan error
}

// NewGroup returns a sink in front of next.
func NewGroup(next ingest.Sink) *Group { return &Group{next: next, Timeout: defaultGroupTimeout} }

// Write implements [ingest.Sink]. When ctx ends, it returns at once with an
// error; the events may still be delivered, so the caller must not modify them.
func (g *Group) Write(ctx context.Context, events []ingest.Event) error {
	if err := ctx.Err(); err != nil {
		return prefixed.Errorf("sink", "%w", err)
	}
	if len(events) == 0 {
		return nil
	}
	d := &delivery{ctx, events, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, d)
	if !g.busy {
		g.busy = true
		go g.work(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-d.done:
		return err
	case <-ctx.Done():
		return prefixed.Errorf("sink", "%w", context.Cause(ctx))
	}
}

// work calls the sink until nothing waits.
func (g *Group) work(ctx context.Context) {
	for {
		group := g.take()
		if len(group) == 0 {
			return
		}
		events := group[0].events
		for i, d := range group[1:] {
			if i == 0 {
				events = append(make([]ingest.Event, 0, ingest.MaxEvents), events...)
			}
			events = append(events, d.events...)
		}
		within, cancel := context.WithTimeout(ctx, g.Timeout)
		err := g.next.Write(within, events)
		cancel()
		g.mu.Lock()
		g.alone = err != nil
		g.mu.Unlock()
		for _, d := range group {
			d.done <- err
		}
	}
}

// take is what the next call delivers, in the order of arrival. When there is
// nothing, the group is idle.
func (g *Group) take() (group []*delivery) {
	g.mu.Lock()
	defer g.mu.Unlock()
	total := 0
	for len(g.waiting) > 0 {
		d := g.waiting[0]
		// Who has gone is left out.
		if d.ctx.Err() == nil {
			if total > 0 && (g.alone || total+len(d.events) > ingest.MaxEvents) {
				break
			}
			group, total = append(group, d), total+len(d.events)
		}
		g.waiting[0], g.waiting = nil, g.waiting[1:]
	}
	g.busy = len(group) > 0
	return group
}
