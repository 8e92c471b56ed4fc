package sink

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Distinct delivers an event once that the logs of several accounts show: an
// event of scope "user" is in the log of every account of that user, under one
// id. The sinks of a Distinct leave out such an event once one of them has
// delivered it.
//
// It remembers a bounded number of events, in memory. After a restart, or when
// two accounts deliver the same event at the same moment, the event may be
// delivered twice; none is left out that has not been accepted. So Distinct
// saves alerts, but does not replace deduplication by id.
//
// Create one with [NewDistinct] for each tenant; its methods are safe for
// concurrent use.
type Distinct struct {
	most    int
	omitted atomic.Int64

	mu    sync.Mutex
	known map[string]bool
	// order are the ids in the order of their arrival, from the oldest on. It is
	// a ring once it is full.
	order  []string
	oldest int
}

// NewDistinct returns a Distinct that remembers the latest most events of scope
// "user"; below 1, most counts as 1. Each takes about 200 bytes.
func NewDistinct(most int) *Distinct {
	return &Distinct{most: max(most, 1), known: make(map[string]bool)}
}

// Omitted returns how many events were left out.
func (d *Distinct) Omitted() int { return int(d.omitted.Load()) }

// Before returns a sink that passes to next, the sink of one or more accounts,
// what no sink of d has delivered before.
func (d *Distinct) Before(next ingest.Sink) ingest.Sink { return &distinctSink{d, next} }

type distinctSink struct {
	*Distinct
	next ingest.Sink
}

// Write implements [ingest.Sink].
func (s *distinctSink) Write(ctx context.Context, events []ingest.Event) error {
	rest := s.unknown(events)
	if len(rest) > 0 {
		if err := s.next.Write(ctx, rest); err != nil {
			return err
		}
		s.remember(rest)
	}
	s.omitted.Add(int64(len(events) - len(rest)))
	return nil
}

// unknown are the events that have not been delivered. They are events itself
// when all are.
func (d *Distinct) unknown(events []ingest.Event) []ingest.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var rest []ingest.Event
	for i := range events {
		switch key, shared := sharedKey(&events[i]); {
		case shared && d.known[key]:
			if rest == nil {
				rest = append(make([]ingest.Event, 0, len(events)), events[:i]...)
			}
		case rest != nil:
			rest = append(rest, events[i])
		}
	}
	if rest == nil {
		return events
	}
	return rest
}

func (d *Distinct) remember(events []ingest.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range events {
		key, shared := sharedKey(&events[i])
		if !shared || d.known[key] {
			continue
		}
		d.known[key] = true
		if len(d.order) < d.most {
			d.order = append(d.order, key)
			continue
		}
		delete(d.known, d.order[d.oldest])
		d.order[d.oldest] = key
		d.oldest = (d.oldest + 1) % d.most
	}
}

// sharedKey is what tells an event that several accounts show from others.
func sharedKey(e *ingest.Event) (key string, shared bool) {
	return e.Source + " " + e.ExternalID, e.Audit.Scope == "user"
}
