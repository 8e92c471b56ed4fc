package deliver

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

const (
	// maxProbes is how many events are sent alone to see whether the service
	// accepts anything at all.
	maxProbes = 3
	// maxBlamed is the most events of one Write that are held to be the cause
	// of failures. When it seems to be more, the cause is another.
	maxBlamed = 10
	// maxGood bounds the size of the event that is kept to test the service.
	maxGood = 64 << 10
)

// batches cuts items into what one POST holds.
func (e *Engine) batches(items []Item) iter.Seq[[]Item] {
	maxEvents, maxBytes := e.service.MaxEvents, e.service.MaxBytes
	return func(yield func([]Item) bool) {
		for len(items) > 0 {
			n, size := 0, 0
			for n < len(items) && n < maxEvents && (n == 0 || size+len(items[n].Line) <= maxBytes) {
				size += len(items[n].Line)
				n++
			}
			if !yield(items[:n]) {
				return
			}
			items = items[n:]
		}
	}
}

// delivery is one Write.
type delivery struct {
	*Engine
	refused []refusal
	blamed  int
	// proven says that the service has accepted an event after the last one
	// was refused.
	proven bool
	// isolating says that one event is sought that makes its batch fail.
	isolating bool
}

// refusal is an event that the service does not take, and why.
type refusal struct {
	Item
	reason string
	// rejected says that the service said so in a reply to the whole batch.
	rejected bool
}

// deliver has items accepted or notes them as refused.
func (d *delivery) deliver(ctx context.Context, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	patience := maxAttempts
	if d.isolating && len(items) > 1 {
		// Its halves are tried anyway.
		patience = 1
	}
	reply, err := d.send(ctx, items, patience)
	f := failureOf(err)
	switch {
	case err == nil:
		return d.settle(ctx, items, reply)
	case f == nil || !f.byEvents():
		return err
	case d.service.DeadLetter == "" && (len(items) == 1 || !f.tooLarge()):
		return prefixed.Errorf("", "%w; if only this batch fails, one of its events is the cause: name a dead-letter file to go on without it", err)
	case len(items) == 1:
		if d.blamed++; d.blamed > maxBlamed {
			return prefixed.Errorf("", "%w; it refuses so many events that they are not the cause", err)
		}
		d.refuse(refusal{Item: items[0], reason: f.Error()})
		return nil
	case f.tooLarge() || d.isolating:
		return d.halve(ctx, items)
	}
	return d.isolate(ctx, items, err)
}

// settle does what the reply to items says. Where that is how many were
// rejected, but not which, the halves are sent again.
func (d *delivery) settle(ctx context.Context, items []Item, r Reply) error {
	switch {
	case len(r.Refused)+len(r.Unread) > 0:
		return d.settleEach(ctx, items, r)
	case r.Rejected == 0:
		d.accept(items)
		return nil
	case d.service.DeadLetter == "":
		return prefixed.Errorf(d.service.Name, "the service rejects %d of %d events: %s; name a dead-letter file to go on without them",
			r.Rejected, len(items), d.reason(r, 0))
	case r.Rejected < len(items):
		return d.halve(ctx, items)
	}
	for i, it := range items {
		d.refuse(refusal{Item: it, reason: "rejected: " + d.reason(r, i), rejected: true})
	}
	return nil
}

// settleEach does what the reply says about each of items.
func (d *delivery) settleEach(ctx context.Context, items []Item, r Reply) error {
	if len(r.Refused) > 0 && d.service.DeadLetter == "" {
		return prefixed.Errorf(d.service.Name, "the service rejects %d of %d events: %s; name a dead-letter file to go on without them",
			len(r.Refused), len(items), d.clean(r.Refused[0].Reason))
	}
	taken := make([]bool, len(items))
	for i := range taken {
		taken[i] = true
	}
	for _, refused := range r.Refused {
		taken[refused.Index] = false
		d.refuse(refusal{Item: items[refused.Index], reason: "rejected: " + d.clean(refused.Reason), rejected: true})
	}
	var unread []Item
	for _, i := range r.Unread {
		taken[i] = false
		unread = append(unread, items[i])
	}
	var accepted []Item
	for i, it := range items {
		if taken[i] {
			accepted = append(accepted, it)
		}
	}
	if len(accepted) > 0 {
		d.accept(accepted)
	}
	switch {
	case len(unread) == 0:
		return nil
	case r.Busy != "":
		if httpx.Sleep(ctx, firstBackoff+rand.N(firstBackoff/2)) != nil {
			return prefixed.Errorf(d.service.Name, "%w", context.Cause(ctx))
		}
	default:
		// The service stops at the first event that it rejects.
		if d.blamed += len(r.Refused); d.blamed > maxBlamed {
			return prefixed.Errorf(d.service.Name, "the service rejects so many events that they are not the cause: %s", d.clean(r.Refused[0].Reason))
		}
	}
	return d.deliver(ctx, unread)
}

func (d *delivery) halve(ctx context.Context, items []Item) error {
	d.count(func(s *Stats) { s.Bisections++ })
	half := len(items) / 2
	if err := d.deliver(ctx, items[:half]); err != nil {
		return err
	}
	return d.deliver(ctx, items[half:])
}

// isolate finds the events of items that make them fail, unless it is the
// service that fails, with cause. The order is random, so that the next Write
// succeeds where this one had no luck with the events it tried first or last.
func (d *delivery) isolate(ctx context.Context, items []Item, cause error) error {
	items = slices.Clone(items)
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	for i := range min(maxProbes, len(items)) {
		ok, err := d.probe(ctx, items[i])
		if err != nil {
			return err
		}
		if ok {
			d.isolating = true
			return d.deliver(ctx, slices.Delete(items, i, i+1))
		}
	}
	// The only events there are may be the cause.
	if len(items) <= maxProbes && d.prove(ctx, items[0], maxAttempts) == nil {
		d.isolating = true
		return d.deliver(ctx, items)
	}
	return cause
}

// probe reports whether the service accepts it.
func (d *delivery) probe(ctx context.Context, it Item) (bool, error) {
	reply, err := d.send(ctx, []Item{it}, 1)
	if f := failureOf(err); f != nil && f.byEvents() {
		return false, nil
	}
	if err != nil || reply.rejects() {
		return false, err
	}
	d.accept([]Item{it})
	return true, nil
}

// finish keeps the refused events in the dead-letter file, once the service
// has proved that it is not to blame: it accepts another event before and after
// each of them has been refused once more.
func (d *delivery) finish(ctx context.Context) error {
	if len(d.refused) == 0 {
		return nil
	}
	if !d.proven {
		if err := d.prove(ctx, d.refused[0].Item, maxAttempts); err != nil {
			return err
		}
	}
	refused := d.refused
	d.refused = nil
	for _, r := range refused {
		if r.rejected {
			d.refused = append(d.refused, r)
			continue
		}
		reply, err := d.send(ctx, []Item{r.Item}, 1)
		switch f := failureOf(err); {
		case err == nil && !reply.rejects():
			// It was an outage after all.
			d.accept([]Item{r.Item})
		case err == nil:
			r.reason, r.rejected = "rejected: "+d.reason(reply, 0), true
			d.refuse(r)
		case f == nil || !f.byEvents():
			return err
		default:
			d.refuse(r)
			d.deliverBare(ctx, r.Item)
		}
	}
	if len(d.refused) == 0 {
		return nil
	}
	if !d.proven {
		// Without patience: an outage may have begun, and must not be waited out.
		if err := d.prove(ctx, d.refused[0].Item, 1); err != nil {
			return err
		}
	}
	return d.bury(d.refused)
}

// deliverBare has the service accept a refused event without its raw event, if
// that is what it stumbles over, so that its alert is not missed.
func (d *delivery) deliverBare(ctx context.Context, it Item) {
	it = d.service.bare(it)
	if reply, err := d.send(ctx, []Item{it}, 1); err == nil && !reply.rejects() {
		d.accept([]Item{it})
	}
}

// prove has the service accept an event that it has accepted before. If there
// is none, as in a process that has just begun, the suspect has to do, without
// its raw event: so one that is alone does not stop the feed either.
func (d *delivery) prove(ctx context.Context, suspect Item, patience int) error {
	d.mu.Lock()
	it := d.good
	d.mu.Unlock()
	known := it.Line != nil
	if !known {
		it, patience = d.service.bare(suspect), 1
	}
	reply, err := d.send(ctx, []Item{it}, patience)
	f := failureOf(err)
	switch {
	case !known && (err == nil && reply.rejects() || f != nil && f.byEvents()):
		return prefixed.Errorf(d.service.Name, "the service has accepted nothing yet, so it may be at fault and not the events that it refuses (%s)",
			d.firstReason())
	case err != nil:
		return err
	case reply.rejects():
		return prefixed.Errorf(d.service.Name, "the service rejects what it has accepted before: %s; check the tenant and the connector there", d.reason(reply, 0))
	case !known:
		d.mu.Lock()
		d.remember(it)
		d.mu.Unlock()
	}
	d.proven = true
	return nil
}

func (d *delivery) firstReason() string {
	if len(d.refused) == 0 {
		return "a whole batch"
	}
	return d.refused[0].reason
}

func (d *delivery) refuse(r refusal) {
	d.refused = append(d.refused, r)
	d.proven = false
}

func (d *delivery) accept(items []Item) {
	d.proven = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Accepted += len(items)
	for _, it := range items {
		if it.Truncated {
			d.stats.Truncated++
		}
	}
	d.remember(items[0])
}

// remember keeps an event that the service has accepted. e is locked.
func (e *Engine) remember(it Item) {
	if len(it.Line) <= maxGood {
		e.good = Item{Event: &ingest.Event{ExternalID: it.Event.ExternalID, CreatedAt: it.Event.CreatedAt, Severity: it.Event.Severity},
			Line: slices.Clone(it.Line)}
	}
}

func (e *Engine) count(add func(*Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	add(&e.stats)
}
