package backfill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// stateVersion is the version of a state. One with a higher version comes from a
// newer release and is refused.
const stateVersion = 1

// state is the content of the cursor of a backfill. It is JSON that an operator can
// read, and holds no secret:
//
//	{
//	 "version": 1,
//	 "account_id": "…",
//	 "logs": {
//	  "v1": {
//	   "done": [{"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}],
//	   "open": {"since": …, "until": …, "reached": …, "read": 2000, "events": 1950, "dropped": 50, "cursor": {…}}
//	  }
//	 }
//	}
type state struct {
	Version   int               `json:"version"`
	AccountID string            `json:"account_id"`
	Logs      map[string]*spans `json:"logs"`
}

// spans are what has been read of one log.
type spans struct {
	// Done are the spans that have been read to their end, oldest first. They
	// neither overlap nor touch.
	Done []selection.Span `json:"done,omitempty"`
	// Open is the span that is being read, or nil.
	Open *opened `json:"open,omitempty"`
}

// opened is a span that is being read, newest entries first.
type opened struct {
	selection.Span
	// Reached is the time of the oldest event so far.
	Reached time.Time `json:"reached"`
	Counts
	// Cursor is that of the reader of the span.
	Cursor json.RawMessage `json:"cursor"`
}

// Counts account for the entries that have been read.
type Counts struct {
	Read    int `json:"read"`
	Events  int `json:"events"`
	Dropped int `json:"dropped"`
}

func (c *Counts) add(from ingest.Coverage) {
	c.Read += from.Read - from.Repeated
	c.Events += from.Delivered + from.Raised
	c.Dropped += from.DroppedTotal()
}

// of is what has been read of a log.
func (s *state) of(log string) *spans {
	at := s.Logs[log]
	if at == nil {
		at = &spans{}
		s.Logs[log] = at
	}
	return at
}

// finish makes the open span one that has been read.
func (s *spans) finish() {
	s.Done, s.Open = with(s.Done, s.Open.Span), nil
}

// left is how much of a span is still to be read, the rest of the open one
// included.
func (s *spans) left(span selection.Span) time.Duration {
	done, sum := s.Done, time.Duration(0)
	if s.Open != nil {
		done, sum = with(done, s.Open.Span), s.Open.Reached.Sub(s.Open.Since)
	}
	for {
		gap, found := newestGap(span, done)
		if !found {
			return sum
		}
		done, sum = with(done, gap), sum+gap.Length()
	}
}

// with is done and one span more.
func with(done []selection.Span, span selection.Span) []selection.Span {
	all := append(slices.Clone(done), span)
	slices.SortFunc(all, func(a, b selection.Span) int { return a.Since.Compare(b.Since) })
	merged := all[:1]
	for _, s := range all[1:] {
		last := &merged[len(merged)-1]
		switch {
		case s.Since.After(last.Until):
			merged = append(merged, s)
		case s.Until.After(last.Until):
			last.Until = s.Until
		}
	}
	return merged
}

// newestGap is the newest part of a span that is in none of those done.
func newestGap(span selection.Span, done []selection.Span) (gap selection.Span, found bool) {
	gap = span
	for _, d := range slices.Backward(done) {
		if !d.Since.Before(gap.Until) {
			continue // it is newer
		}
		if d.Until.Before(gap.Until) {
			if d.Until.After(gap.Since) {
				gap.Since = d.Until
			}
			break
		}
		gap.Until = d.Since
	}
	return gap, gap.Since.Before(gap.Until)
}

func (s *state) encode() (ingest.Cursor, error) {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, prefixed.Errorf("backfill", "encode the position: %w", err)
	}
	return b, nil
}

// decode reads a state of the account. A nil cursor is a new one.
func decode(cursor ingest.Cursor, accountID string) (*state, error) {
	s := &state{Version: stateVersion, AccountID: accountID}
	if cursor != nil {
		dec := json.NewDecoder(bytes.NewReader(cursor))
		dec.DisallowUnknownFields()
		if err := dec.Decode(s); err != nil {
			return nil, unusable("it is damaged: %w", err)
		}
		switch {
		case s.Version != stateVersion:
			return nil, unusable("it has version %d, and this release reads version %d", s.Version, stateVersion)
		case s.AccountID != accountID:
			return nil, unusable("it belongs to another account")
		}
		if err := s.check(); err != nil {
			return nil, unusable("it is damaged: %w", err)
		}
	}
	if s.Logs == nil {
		s.Logs = make(map[string]*spans)
	}
	return s, nil
}

// check reports what no backfill can have written.
func (s *state) check() error {
	for log, at := range s.Logs {
		if at == nil {
			return fmt.Errorf("%q has nothing", log)
		}
		for i, d := range at.Done {
			if !d.Since.Before(d.Until) || i > 0 && !d.Since.After(at.Done[i-1].Until) {
				return fmt.Errorf("%q: done[%d] is from %s to %s", log, i, d.Since, d.Until)
			}
		}
		if o := at.Open; o != nil && (!o.Since.Before(o.Until) || o.Reached.Before(o.Since) || o.Reached.After(o.Until) || len(o.Cursor) == 0) {
			return fmt.Errorf("%q: open is from %s to %s, reached %s", log, o.Since, o.Until, o.Reached)
		}
	}
	return nil
}

func unusable(format string, args ...any) error {
	return prefixed.Errorf("backfill", "%w of the backfill: %w; remove it to read the span anew, which delivers it again",
		ingest.ErrCursor, fmt.Errorf(format, args...))
}
