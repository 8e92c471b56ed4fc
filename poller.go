package cloudflareaudit

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/burst"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/redact"
)

// Poll implements [ingest.Source]. The first cursor fixes where the feed
// begins. It is returned even when nothing could be read, so that later entries
// are not missed.
//
// Of two logs, the one that has newer entries to read goes first. When one of
// them fails, the other is still read; Coverage.Logs reports the failure, and
// so does Coverage.Notices for hosts that look only there.
func (c *Connector) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	in := c.newIntake()
	defer in.work.release()
	read, err := c.reader.Poll(ctx, cursor, in)
	if err != nil {
		return ingest.Batch{Coverage: read.Coverage}, err
	}
	coverage := read.Coverage
	in.resolve(ctx, &coverage)
	coverage.Notices = append(append(coverage.Notices, in.notices...), c.notices(ctx, &read)...)
	coverage.Dropped, coverage.Undecodable, coverage.Raised = in.dropped, in.undecodable, in.raised
	coverage.Delivered = len(in.events) - in.raised
	more := read.More || in.bursts.Due()
	return ingest.Batch{Events: in.events, Cursor: read.Cursor, More: more, Coverage: coverage}, nil
}

// notices says why a log is not read.
func (c *Connector) notices(ctx context.Context, read *feed.Result) (all []string) {
	failures := read.Failures
	if ctx.Err() != nil {
		failures = nil // the host is about to stop
	}
	for _, err := range failures {
		all = append(all, err.Error())
	}
	for _, ahead := range read.Ahead {
		notice := fmt.Sprintf("%s is not read before %s, because a clock that was ahead has moved the cursor there: "+
			"restore an older cursor, or remove it", ahead.Log.Title, ahead.Until.Format(time.RFC3339))
		all = append(all, notice)
		c.cfg.Logger.Warn(notice)
	}
	return all
}

// intake builds the events of one poll. It implements [feed.Handler].
type intake struct {
	normalizer *Normalizer
	resolver   *resolver // nil when no look-ups are configured
	events     []ingest.Event
	// dropped counts the entries that a rule has dropped, by its id, and
	// undecodable counts the events of entries that could not be understood.
	dropped     map[string]int
	undecodable int
	// gaps are the events with details to look up.
	gaps []gap
	// bursts counts what each actor does. raised counts the events about it.
	bursts *burst.Tracker
	raised int
	// most is how many events fit into the batch.
	most    int
	notices []string
	logger  *slog.Logger
	work    *work
}

var _ feed.Handler = (*intake)(nil)

func (c *Connector) newIntake() *intake {
	return &intake{
		normalizer: c.normalizer, resolver: c.resolver, most: c.cfg.MaxEvents, logger: c.cfg.Logger,
		work: works.Get().(*work),
	}
}

// Entry implements [feed.Handler].
func (in *intake) Entry(from feed.Entry) feed.Kept {
	w := in.work
	w.entry.Decode(from.Doc, from.Log.Name)
	verdict := w.grade(in.normalizer)
	if verdict.Drop {
		if in.dropped == nil {
			in.dropped = make(map[string]int)
		}
		in.dropped[verdict.Rule]++
		return feed.Kept{}
	}
	if w.entry.Undecodable {
		in.undecodable++
	}
	if len(in.events) == cap(in.events) {
		in.events = slices.Grow(in.events, from.Following)
	}
	in.events = append(in.events, ingest.Event{})
	event := &in.events[len(in.events)-1]
	w.event(in.normalizer, verdict, inPlace(from.Place), event)
	keepChanges(event)
	in.noteGap(from, verdict)
	w.count(in.normalizer, verdict, event, in.bursts)
	return feed.Kept{Events: 1 + in.addBursts(), Bytes: len(from.Doc.Source())}
}

// Unreadable implements [feed.Handler]: the event holds the readable part of
// the entry as text.
func (in *intake) Unreadable(t cloudflare.Torn, cause error, place time.Time) feed.Kept {
	shown, masked := redact.Text(t.Text)
	w := in.work
	w.entry = audit.Torn(t.Log.Name, t.ID, t.When, t.Text, shown, cause)
	w.entry.NoteMasked(masked)
	var event ingest.Event
	w.event(in.normalizer, w.grade(in.normalizer), inPlace(place), &event)
	keepChanges(&event)
	event.RawTruncated = true
	in.undecodable++
	in.events = append(in.events, event)
	return feed.Kept{Events: 1}
}

// noteGap records the details missing from the current entry, that of the event
// added last.
func (in *intake) noteGap(from feed.Entry, v Verdict) {
	if in.resolver == nil {
		return
	}
	e, f := &in.work.entry, &in.work.facts
	g, found := in.resolver.gapOf(e, f, from.Place)
	if in.resolver.wantsHistory(in.normalizer, e, f, v) {
		g.changed, g.grave, found = strings.Clone(e.ID), isGrave(v), true
	}
	if found {
		g.index, g.log, g.source = len(in.events)-1, from.Log, from.Doc.Source()
		in.gaps = append(in.gaps, g)
	}
}

// resolve fills in the details missing from the entries of the batch. It runs
// once per poll, after everything has been read, so that it neither delays nor
// ends the reading.
func (in *intake) resolve(ctx context.Context, coverage *ingest.Coverage) {
	r := in.resolver
	if r == nil {
		return
	}
	if len(in.gaps) > 0 {
		found := r.lookUp(ctx, in.gaps, coverage)
		for i := range in.gaps {
			if event, ok := in.normalizer.resolved(&in.gaps[i], &found); ok {
				in.events[in.gaps[i].index] = event
			}
		}
	}
	if notices := r.said.Load(); notices != nil {
		coverage.Notices = slices.Clone(*notices)
	}
}
