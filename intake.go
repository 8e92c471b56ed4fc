package cloudflareaudit

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// intake makes the events of one poll. It implements [feed.Handler].
type intake struct {
	normalizer *Normalizer
	resolver   *resolver // nil unless something is to be looked up
	events     []ingest.Event
	// dropped counts the entries that a rule has dropped, by its id, and
	// undecodable the events of entries that could not be understood.
	dropped     map[string]int
	undecodable int
	// gaps are the events whose entries leave something out.
	gaps []gap
	// page decodes one entry at a time.
	page *page
}

var _ feed.Handler = (*intake)(nil)

func (c *Connector) newIntake() *intake {
	return &intake{normalizer: c.normalizer, resolver: c.resolver, page: singles.Get().(*page)}
}

// release lets the memory of the decoder be reused.
func (in *intake) release() { releaseSingle(in.page) }

// Entry implements [feed.Handler].
func (in *intake) Entry(from feed.Entry) feed.Kept {
	e := in.page.decode(from.Log, from.Doc)
	f := in.normalizer.facts(e)
	verdict := in.normalizer.classifier.classify(e, &f)
	if verdict.Drop {
		if in.dropped == nil {
			in.dropped = make(map[string]int)
		}
		in.dropped[verdict.Rule]++
		return feed.Kept{}
	}
	if e.undecodable {
		in.undecodable++
	}
	if len(in.events) == cap(in.events) {
		in.events = slices.Grow(in.events, from.Following)
	}
	in.events = append(in.events, in.normalizer.eventOf(e, &f, verdict, from.Place))
	in.noteGap(e, &f, from.Place)
	return feed.Kept{Events: 1, Bytes: len(e.raw)}
}

// Unreadable implements [feed.Handler]: the event holds as text what there is of
// the entry.
func (in *intake) Unreadable(t cloudflare.Torn, cause error, place time.Time) feed.Kept {
	e := entry{id: t.ID, when: t.When, undecodable: true, notes: []string{
		"the entry could not be read: " + cause.Error() + "; raw_event holds its beginning as text",
	}}
	e.keepText(t.Text)
	if t.Log == cloudflare.V2 {
		e.call = new(call)
	}
	event, _ := in.normalizer.event(&e, place)
	event.RawTruncated = true
	in.undecodable++
	in.events = append(in.events, event)
	return feed.Kept{Events: 1}
}

// decode decodes an entry of a log, until the next one is.
func (p *page) decode(log *cloudflare.Log, doc *jsondoc.Doc) *entry {
	p.layout = &layoutV1
	if log == cloudflare.V2 {
		p.layout = &layoutV2
	}
	p.body = append(p.body[:0], doc.Source()...)
	if p.scanOne() != nil {
		p.decoded = notJSON(string(p.body))
		return &p.decoded
	}
	return p.entry(0)
}

// noteGap notes what the entry e, that of the newest event of the batch, leaves
// out.
func (in *intake) noteGap(e *entry, f *facts, when time.Time) {
	r := in.resolver
	if r == nil {
		return
	}
	g := gap{index: len(in.events) - 1, entry: *e, when: when}
	// A failed attempt changed nothing, so there is nothing to look up.
	failed := e.outcome == outcomeFailure
	if r.withMembers {
		g.actor = e.actorID != "" && e.actorEmail == "" && !f.systemActor && !f.staffActor
		if strings.HasPrefix(f.name, "member.") && !failed {
			g.member = memberKey(e, f)
			g.moved = g.member != "" && f.verb != verbAccept && f.role != roleUnchanged
			g.role = g.member != "" && f.role == roleUnknown
		}
	}
	if r.withScopes && f.scope == scopeUnknown && isHexID(f.tokenID) && !failed {
		switch f.verb {
		case verbCreate, verbUpdate, verbEnable, verbRoll:
			g.token = strings.ToLower(f.tokenID)
		}
	}
	if g.actor || g.member != "" || g.token != "" {
		in.gaps = append(in.gaps, g)
	}
}

// resolve fills in what the entries of the batch leave out. It comes once in a
// poll and after everything has been read, so that it neither delays nor ends
// the reading.
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
