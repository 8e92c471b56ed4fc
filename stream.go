package cloudflareaudit

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/burst"
	"github.com/aisoc/cloudflareaudit/internal/entries"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
)

// A Stream accounts for a [Series.Normalize] call.
type Stream struct {
	// EmptyReplies counts API replies without a list of entries, such as those
	// of failed requests.
	EmptyReplies int
	// Unfinished says that the text ended in the middle of a list, so that
	// entries are missing.
	Unfinished bool
}

// NormalizeStream is [Series.Normalize] for a series of one stream.
func (n *Normalizer) NormalizeStream(r io.Reader, each func(*ingest.Event, Verdict) error) (Stream, error) {
	return n.NewSeries().Normalize(r, each)
}

// Series turns streams of saved entries into events, and finds bursts in all of
// them together. It is not safe for concurrent use. [Normalizer.NewSeries]
// returns one.
type Series struct {
	normalizer *Normalizer
	bursts     *burst.Tracker
}

// NewSeries begins a series of streams.
func (n *Normalizer) NewSeries() *Series { return &Series{n, burst.NewTracker()} }

// Add is [Normalizer.Normalize] for one more entry of the series. The last
// result holds the events about the bursts that the entry completes.
func (s *Series) Add(raw []byte) (ingest.Event, Verdict, []ingest.Event) {
	w := works.Get().(*work)
	defer w.release()
	event, v := w.normalize(s.normalizer, raw)
	w.count(s.normalizer, v, &event, s.bursts)
	var bursts []ingest.Event
	for s.bursts.Due() {
		about, _ := burstEvent(s.bursts.Take())
		bursts = append(bursts, about)
	}
	return event, v, bursts
}

// Uncounted returns how many entries are missing from the counts of bursts,
// because more was done at once than can be counted.
func (s *Series) Uncounted() int { return s.bursts.Forgotten() }

// Normalize turns the saved entries read from r into events, as
// [Normalizer.Normalize] does, and passes each one with its verdict to each. The
// event about a burst follows that of the entry which completes it, and is the
// same in whatever order the entries come. Normalize accepts JSON lines, lists of
// entries and whole API replies, concatenated and formatted in any way, and holds
// one entry of at most 8 MiB in memory.
//
// Entries may also be records of the Logpush datasets audit_logs and
// audit_logs_v2, may stand in the wrappers of other tools, such as {"event":{…}},
// and in events of the connector itself, which keep their ids, accounts, times
// and notes, but are graded anew. Those about bursts stay if the rules in force
// still raise them, each once.
//
// An entry without a time gets that of the entry before it, or else of the first
// one with a time after it, so that the events are the same on every reading. If
// there is none, it gets that of Config.Clock. A note says so. It counts towards
// no burst.
//
// Unreadable input becomes an event that holds up to 64 KiB of it as text; no
// more than the rest of its line is lost with it. An error of r or of each ends
// the reading and is returned. The event passed to each shares memory with the
// next one: keep a copy of its line, not the event.
func (s *Series) Normalize(r io.Reader, each func(*ingest.Event, Verdict) error) (Stream, error) {
	st := streaming{series: s, work: works.Get().(*work), each: each, now: s.normalizer.now()}
	defer st.work.release()
	in := entries.Reader{}
	in.Each = func(doc *jsondoc.Doc) error {
		if savedBurst(in.Event).Exists() {
			s.raiseSaved(in.Event)
			return st.handBursts()
		}
		st.work.entry.Decode(doc, "")
		return st.entry(doc.Root().Source(), in.Event, false)
	}
	in.Broken = func(beginning []byte, cut bool) error {
		st.work.decode(string(beginning))
		return st.entry(string(beginning), in.Event, cut)
	}
	err := in.Read(r)
	if release := st.releaseHeld(st.now); err == nil {
		err = release
	}
	return Stream{in.Empty, in.Unfinished}, err
}

const (
	// maxHeld and maxHeldBytes bound the entries that wait for a time.
	maxHeld      = 1000
	maxHeldBytes = 1 << 20
)

// streaming is one call of Series.Normalize.
type streaming struct {
	series *Series
	work   *work
	each   func(*ingest.Event, Verdict) error
	// now is the time of the call, and last that of the last entry with a time.
	now  standIn
	last time.Time
	// held are the first entries, which have no time and wait for one that has.
	held      []heldEntry
	heldBytes int
}

// heldEntry is an entry that waits for a time.
type heldEntry struct {
	text string
	cut  bool
}

// entry makes the event of the entry in s.work, which was made of source. event is
// the one that it was taken from, if any.
func (s *streaming) entry(source string, event jsondoc.Value, cut bool) error {
	w := s.work
	w.origin = originOf(event)
	if w.origin != nil && w.entry.When.IsZero() {
		w.entry.When = w.origin.created
	}
	at := w.entry.When
	if at.IsZero() {
		at = audit.TimeOfID(w.entry.ID)
	}
	switch {
	case !at.IsZero():
		if err := s.releaseHeld(standIn{at, "created_at is that of the entry after it"}); err != nil {
			return err
		}
		s.last = at
	case s.last.IsZero() && w.origin == nil && s.hold(source, cut):
		return nil
	}
	fallback := s.now
	if !s.last.IsZero() {
		fallback = standIn{s.last, "created_at is that of the entry before it"}
	}
	return s.hand(w, fallback, cut)
}

func (s *streaming) hand(w *work, fallback standIn, cut bool) error {
	n := s.series.normalizer
	w.understand(n)
	if w.origin != nil {
		w.facts.Changes = w.origin.withMasked(w.facts.Changes)
	}
	v := w.verdict(n)
	w.event(n, v, fallback, &w.out)
	w.out.RawTruncated = cut
	w.count(n, v, &w.out, s.series.bursts)
	if err := s.each(&w.out, v); err != nil {
		return err
	}
	return s.handBursts()
}

// handBursts hands on the events about the bursts noticed.
func (s *streaming) handBursts() error {
	for bursts := s.series.bursts; bursts.Due(); {
		event, verdict := burstEvent(bursts.Take())
		if err := s.each(&event, verdict); err != nil {
			return err
		}
	}
	return nil
}

// hold keeps the entry made of source for later, unless too much is held.
func (s *streaming) hold(source string, cut bool) bool {
	if len(s.held) >= maxHeld || s.heldBytes+len(source) > maxHeldBytes {
		return false
	}
	s.held = append(s.held, heldEntry{strings.Clone(source), cut})
	s.heldBytes += len(source)
	return true
}

// releaseHeld makes the events of the entries held, with the time of fallback.
func (s *streaming) releaseHeld(fallback standIn) error {
	if len(s.held) == 0 {
		return nil
	}
	held := s.held
	s.held, s.heldBytes = nil, 0
	w := works.Get().(*work)
	defer w.release()
	for _, h := range held {
		w.decode(h.text)
		if err := s.hand(w, fallback, h.cut); err != nil {
			return err
		}
	}
	return nil
}

// origin is what an event knows of its entry that raw_event does not.
type origin struct {
	id, accountID string
	created       time.Time
	notes         []string
	// masked are the changes from one secret to another, which raw_event does not
	// show, each with its place among all changes.
	masked []placedChange
}

type placedChange struct {
	at     int
	change ingest.FieldChange
}

// withMasked adds the masked changes to those that raw_event shows.
func (o *origin) withMasked(changes []ingest.FieldChange) []ingest.FieldChange {
	for _, m := range o.masked {
		if !slices.Contains(changes, m.change) {
			changes = slices.Insert(changes, min(m.at, len(changes)), m.change)
		}
	}
	return changes
}

// originOf reads an event, or returns nil if there is none.
func originOf(event jsondoc.Value) *origin {
	if !event.Exists() {
		return nil
	}
	o := &origin{id: event.Get("external_id").Text(), accountID: event.Get("audit", "account_id").Text()}
	// Earlier versions wrote the year 1 for an entry without a time.
	if at := audit.TimeOf(event.Get("created_at")); at.Year() > 1 {
		o.created = at
	}
	for note := range event.Get("audit", "notes").All() {
		o.notes = append(o.notes, note.Text())
	}
	at := 0
	for change := range event.Get("audit", "changes").All() {
		if was, is := change.Get("old").Text(), change.Get("new").Text(); was == redact.Masked && is == redact.Masked {
			o.masked = append(o.masked, placedChange{at, ingest.FieldChange{Field: change.Get("field").Text(), Old: was, New: is}})
		}
		at++
	}
	return o
}
