// Package backfill reads what lies before the beginning of a feed, once, and beside
// it. Its position is a cursor of its own; it never writes that of the feed.
//
// A [Source] is an [ingest.Source] with an end: polling it until Batch.More is false
// reads the spans that are asked for, except what has been read before according to
// the cursor. So a host resumes a backfill, extends it, and gets nothing from one
// that is done, by polling from the cursor that it saved last.
package backfill

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// RateLimit is how many requests in five minutes a backfill sends by default, so
// that of the 1200 that Cloudflare allows a token, the feed has its 900.
const RateLimit = 250

// Part is what to read of one log.
type Part struct {
	// Log is the name of the log.
	Log string
	// Span is what to read of it. It ends no later than Begins.
	Span selection.Span
	// Begins is where the feed begins in the log.
	Begins time.Time
}

// Finished is a span of a log that has been read to its end.
type Finished struct {
	Log  string
	Span selection.Span
	// Counts are those of all sittings.
	Counts
	// Resumed says that it took several sittings.
	Resumed bool
}

// Progress is how far a backfill has come.
type Progress struct {
	// Log is the one that is being read, or "" before the first reply. Reached is
	// the time down to which it has been read.
	Log     string
	Reached time.Time
	// Counts are those of this sitting.
	Counts
	// Share is the part of what was left at the beginning of this sitting that has
	// been read, from 0 to 1, by time.
	Share float64
	// Finished are the spans that this sitting has brought to an end.
	Finished []Finished
}

// Source reads parts of the audit logs of an account. It implements
// [ingest.Source].
type Source struct {
	// OnWait, when set, is called for each wait for the request budget.
	OnWait func(time.Duration)

	cfg   cloudflareaudit.Config
	parts []Part

	polling sync.Mutex
	// reader reads the open span of the log named in the cursor returned last. It
	// is kept for what it has looked up.
	reader *history.Reader
	cursor ingest.Cursor
	// resumed are the logs whose open span was there at the first poll.
	resumed map[string]bool

	mu       sync.Mutex
	progress Progress
	// left is how much there was to be read at the first poll.
	left time.Duration
}

var _ ingest.Source = (*Source)(nil)

// New returns a source of the parts, which are read one after the other. Of cfg, the
// choice of logs is replaced.
func New(cfg cloudflareaudit.Config, parts []Part) *Source {
	return &Source{cfg: cfg, parts: parts}
}

// Descriptor implements [ingest.Source].
func (*Source) Descriptor() ingest.Descriptor { return new(cloudflareaudit.Connector).Descriptor() }

// TestConnection implements [ingest.Source].
func (s *Source) TestConnection(ctx context.Context) error {
	c, err := cloudflareaudit.New(s.cfg)
	if err != nil {
		return err
	}
	return c.TestConnection(ctx)
}

// Progress is how far the polls have come.
func (s *Source) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress
}

// Poll implements [ingest.Source].
func (s *Source) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	s.polling.Lock()
	defer s.polling.Unlock()
	st, err := decode(cursor, s.cfg.AccountID)
	if err != nil {
		return ingest.Batch{}, err
	}
	if s.resumed == nil {
		s.begin(st)
	}
	part, open, err := s.next(st)
	if err != nil {
		return ingest.Batch{}, err
	}
	var batch ingest.Batch
	if open != nil {
		if batch, err = s.read(ctx, st, part, open, cursor); err != nil {
			return batch, err
		}
	}
	if batch.Cursor, err = st.encode(); err != nil {
		return ingest.Batch{}, err
	}
	s.cursor = batch.Cursor
	_, open, err = s.next(st)
	batch.More = open != nil
	return batch, err
}

// begin notes where this sitting begins.
func (s *Source) begin(st *state) {
	s.resumed = make(map[string]bool)
	for log, at := range st.Logs {
		s.resumed[log] = at.Open != nil
	}
	s.left = s.leftOf(st)
}

func (s *Source) leftOf(st *state) (sum time.Duration) {
	for _, part := range s.parts {
		sum += st.of(part.Log).left(part.Span)
	}
	return sum
}

// next is the span to read from, which may not have been begun. It is nil when all
// parts have been read.
func (s *Source) next(st *state) (part Part, open *opened, err error) {
	for _, part = range s.parts {
		at := st.of(part.Log)
		if at.Open != nil {
			if at.Open.Until.After(part.Begins) {
				return part, nil, unusable("it is on the way from %s back, and the feed begins as early as %s by now, so that events would come twice",
					at.Open.Until.Format(time.RFC3339), part.Begins.Format(time.RFC3339))
			}
			return part, at.Open, nil
		}
		if gap, found := newestGap(part.Span, at.Done); found {
			return part, &opened{Span: gap, Reached: gap.Until}, nil
		}
	}
	return part, nil, nil
}

// read reads one batch of a span, and notes it in the state.
func (s *Source) read(ctx context.Context, st *state, part Part, open *opened, cursor ingest.Cursor) (ingest.Batch, error) {
	if s.reader == nil || len(open.Cursor) == 0 || !bytes.Equal(cursor, s.cursor) {
		cfg := s.cfg
		cfg.AuditLogAPI = part.Log
		reader, err := history.New(cfg, open.Span, ingest.Cursor(open.Cursor))
		if err != nil {
			return ingest.Batch{}, err
		}
		reader.Resume(open.Reached)
		reader.OnWait = s.OnWait
		s.reader = reader
	}
	events, err := s.reader.Next(ctx)
	covered := s.reader.Last()
	if err != nil {
		return ingest.Batch{Coverage: covered}, err
	}
	// What is outside of a span of seconds is not passed on.
	outside := covered.Delivered + covered.Raised - len(events)
	covered.Delivered, covered.Repeated = covered.Delivered-outside, covered.Repeated+outside
	// The reader's own log ends where the span does, which says nothing of the feed.
	covered.Complete, covered.Backlog, covered.Logs = time.Time{}, 0, nil

	at := st.of(part.Log)
	open.Reached, _ = s.reader.Reached()
	open.Cursor = []byte(s.reader.Cursor())
	open.add(covered)
	at.Open = open
	done := s.reader.Done()
	if done {
		at.finish()
		s.reader = nil
	}
	s.note(st, part, open, covered, done)
	return ingest.Batch{Events: events, Coverage: covered}, nil
}

// note notes the progress that a batch of covered entries is.
func (s *Source) note(st *state, part Part, open *opened, covered ingest.Coverage, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.progress
	p.Log, p.Reached, p.Share = part.Log, open.Reached, 1
	p.add(covered)
	if s.left > 0 {
		p.Share = 1 - float64(s.leftOf(st))/float64(s.left)
	}
	if done {
		// A snapshot shares the earlier ones.
		p.Finished = append(p.Finished[:len(p.Finished):len(p.Finished)], Finished{part.Log, open.Span, open.Counts, s.resumed[part.Log]})
		s.resumed[part.Log] = false
	}
}
