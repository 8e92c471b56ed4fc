package cloudflareaudit

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/entries"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
)

// A Stream accounts for a [Normalizer.NormalizeStream] call.
type Stream struct {
	// EmptyReplies counts API replies without a list of entries, such as those
	// of failed requests.
	EmptyReplies int
	// Unfinished says that the text ended in the middle of a list, so that
	// entries are missing.
	Unfinished bool
}

// NormalizeStream turns the saved entries read from r into events, as Normalize
// does, and passes each one with its verdict to each. It accepts JSON lines,
// lists of entries and whole API replies, concatenated and formatted in any
// way, and holds one entry of at most 8 MiB in memory.
//
// Entries may also be records of the Logpush datasets audit_logs and
// audit_logs_v2, may stand in the wrappers of other tools, such as {"event":{…}},
// and in events of the connector itself, which keep their ids, accounts, times
// and notes, but are graded anew.
//
// An entry without a time gets that of the entry before it, or else of the first
// one with a time after it, so that the events are the same on every reading. If
// there is none, it gets that of Config.Clock. A note says so.
//
// Unreadable input becomes an event that holds up to 64 KiB of it as text; no
// more than the rest of its line is lost with it. An error of r or of each ends
// the reading and is returned. The event passed to each shares memory with the
// next one: keep a copy of its line, not the event.
func (n *Normalizer) NormalizeStream(r io.Reader, each func(*ingest.Event, Verdict) error) (Stream, error) {
	s := streaming{n: n, work: works.Get().(*work), each: each, now: n.now()}
	defer s.work.release()
	in := entries.Reader{}
	in.Each = func(doc *jsondoc.Doc) error {
		s.work.entry.Decode(doc, "")
		return s.entry(doc.Root().Source(), in.Event, false)
	}
	in.Broken = func(beginning []byte, cut bool) error {
		s.work.decode(string(beginning))
		return s.entry(string(beginning), in.Event, cut)
	}
	err := in.Read(r)
	if release := s.releaseHeld(s.now); err == nil {
		err = release
	}
	return Stream{in.Empty, in.Unfinished}, err
}

const (
	// maxHeld and maxHeldBytes bound the entries that wait for a time.
	maxHeld      = 1000
	maxHeldBytes = 1 << 20
)

// streaming is one call of NormalizeStream.
type streaming struct {
	n    *Normalizer
	work *work
	each func(*ingest.Event, Verdict) error
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
	w.understand(s.n)
	if w.origin != nil {
		w.facts.Changes = w.origin.withMasked(w.facts.Changes)
	}
	v := w.verdict(s.n)
	w.event(s.n, v, fallback, &w.out)
	w.out.RawTruncated = cut
	return s.each(&w.out, v)
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
