// Package history reads a past span of an account's audit log, once, from the
// API. It touches no saved cursor: the position is the caller's to keep or to
// forget.
//
// A connector reads up to the server's current time. To make it stop at an
// earlier time, its clock and the dates of the replies are set to the end of
// the span.
package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

const (
	// Kept is how long Cloudflare keeps entries: 18 months.
	Kept = 548 * 24 * time.Hour
	// shortest is the shortest lookback of a connector. For a shorter span, Next
	// filters out the events around it.
	shortest = time.Minute
	// unsettled is how long entries may still appear after their own time. Older
	// spans need no overlap.
	unsettled       = time.Hour
	shortestOverlap = 10 * time.Second
	// fullPage is the most entries of one page.
	fullPage = 1000
	// patience is how long to wait for a budget that others have used up.
	patience = 15 * time.Minute
)

// Reader reads one span, newest first. It is not safe for concurrent use.
type Reader struct {
	// OnWait, when set, is called for each wait for the request budget.
	OnWait func(time.Duration)

	source ingest.Source
	span   selection.Span
	cursor ingest.Cursor
	done   bool
	total  ingest.Coverage
	// last is the part of total that the last Next added.
	last ingest.Coverage
	// reached is the time of the oldest event so far.
	reached time.Time
}

// New returns a reader of the span of cfg's account. A cursor, when it is not
// nil, is one of [Reader.Cursor] for the same span: reading resumes from there.
// The settings of cfg that concern a lookback, a clock and pages are replaced.
//
// [CheckSpan] says whether a span can be read. New does not ask it, because a span
// that it has accepted grows older while it is read and until reading resumes.
func New(cfg cloudflareaudit.Config, span selection.Span, cursor ingest.Cursor) (*Reader, error) {
	return newReader(cfg, span, cursor, fullPage)
}

func newReader(cfg cloudflareaudit.Config, span selection.Span, cursor ingest.Cursor, page int) (*Reader, error) {
	cfg.PageSize = page
	cfg.InitialLookback = min(max(span.Length(), shortest), Kept)
	cfg.Clock = func() time.Time { return span.Until }
	if time.Since(span.Until) > unsettled {
		cfg.Overlap, cfg.OverlapV2 = shortestOverlap, shortestOverlap
	}
	base := transport()
	if cfg.HTTPClient != nil && cfg.HTTPClient.Transport != nil {
		base = cfg.HTTPClient.Transport
	}
	cfg.HTTPClient = &http.Client{Transport: &asOf{base: base, date: span.Until.Format(http.TimeFormat)}}
	source, err := cloudflareaudit.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{source: source, span: span, cursor: cursor, reached: span.Until}, nil
}

// CheckSpan says whether a span is too old to be read: the error names the flag
// --since, the value and what is allowed.
func CheckSpan(span selection.Span) error {
	// An hour of tolerance: Cloudflare may just have deleted the oldest entries,
	// which is harmless.
	if time.Since(span.Since) > Kept+time.Hour {
		return fmt.Errorf("--since: %q: must be within the last 548 days, for which Cloudflare keeps its audit logs",
			span.Since.Format(time.RFC3339))
	}
	return nil
}

// transport is the transport of all readers, without the proxy settings of the
// environment, like that of a connector.
var transport = sync.OnceValue(func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
})

// asOf makes every reply be from one time.
type asOf struct {
	base http.RoundTripper
	date string
}

// RoundTrip implements [http.RoundTripper].
func (a *asOf) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(r)
	if err == nil {
		resp.Header.Set("Date", a.date)
	}
	return resp, err
}

// Next returns the next events, newest first, at most [ingest.MaxEvents]. There
// may be none although more follow; once Done reports true, none do. An event
// whose entry has no time that can be read is among them.
//
// Next waits for an exhausted request budget. After any other error, which the
// connector has already retried, the position is unchanged.
func (r *Reader) Next(ctx context.Context) ([]ingest.Event, error) {
	r.last = ingest.Coverage{}
	batch, err := r.poll(ctx)
	if err != nil {
		r.total.AddRequests(r.last)
		return nil, err
	}
	r.cursor, r.done = batch.Cursor, !batch.More
	r.last.Add(batch.Coverage)
	r.total.Add(r.last)
	within := batch.Events[:0]
	for _, e := range batch.Events {
		if cloudflareaudit.IsBurst(&e) {
			// It has the time at which a span of its rule begins, which may be
			// a little before its entries.
			within = append(within, e)
			continue
		}
		if timed := e.CreatedAt.Year() > 1; timed && !r.span.Contains(e.CreatedAt) {
			continue
		} else if timed && e.CreatedAt.Before(r.reached) {
			r.reached = e.CreatedAt
		}
		within = append(within, e)
	}
	return within, nil
}

func (r *Reader) poll(ctx context.Context) (ingest.Batch, error) {
	for deadline := time.Now().Add(patience); ; {
		batch, err := r.source.Poll(ctx, r.cursor)
		if err == nil && r.cursor == nil && batch.More && len(batch.Coverage.Windows) == 0 {
			// The first poll of a feed never fails: it returns where the feed
			// begins. The second one returns why nothing could be read.
			r.cursor = batch.Cursor
			r.last.AddRequests(batch.Coverage)
			continue
		}
		if err == nil {
			return batch, nil
		}
		r.last.AddRequests(batch.Coverage)
		if ctx.Err() != nil {
			return batch, err
		}
		wait := time.Duration(0)
		if later, ok := errors.AsType[ingest.RetryAfterer](err); ok {
			wait = later.RetryAfter()
		}
		if wait <= 0 || time.Now().Add(wait).After(deadline) {
			return batch, err
		}
		if r.OnWait != nil {
			r.OnWait(wait)
		}
		if err := httpx.Sleep(ctx, wait); err != nil {
			return batch, err
		}
	}
}

// Done reports whether the span has been read to its end.
func (r *Reader) Done() bool { return r.done }

// Cursor is the position of the reader, or nil before the first events.
func (r *Reader) Cursor() ingest.Cursor { return r.cursor }

// Coverage accounts for what has been read. Its Delivered counts events from
// outside the span as well, of which a very short span can have some.
func (r *Reader) Coverage() ingest.Coverage { return r.total }

// Last is the part of Coverage that the last call of [Reader.Next] added.
func (r *Reader) Last() ingest.Coverage { return r.last }

// Reached is the time of the oldest event so far, and the share of the span that
// has been read, from 0 to 1, by time.
func (r *Reader) Reached() (time.Time, float64) {
	if r.done {
		return r.span.Since, 1
	}
	return r.reached, float64(r.span.Until.Sub(r.reached)) / float64(r.span.Length())
}

// Resume tells a reader that was given a cursor how far its predecessor had
// come.
func (r *Reader) Resume(reached time.Time) {
	if !reached.IsZero() {
		r.reached = reached
	}
}

// Estimate is the cost of reading a span.
type Estimate struct {
	// Entries is how many entries the span has, and Requests how many requests
	// it takes to read them.
	Entries, Requests int
	// Exact says that the entries have been counted. Otherwise the numbers come
	// from samples.
	Exact bool
	// Asked is how many requests the estimate itself took.
	Asked int
	// Time is how long the requests take at the limit of the configuration.
	Time time.Duration
}

// samples is the number of places in which a long span is sampled.
const samples = 6

// Measure estimates what it takes to read the span: it asks for one page in
// several places and takes the entries in between for as frequent.
func Measure(ctx context.Context, cfg cloudflareaudit.Config, span selection.Span) (Estimate, error) {
	logs := 1
	if cfg.AuditLogAPI == cloudflareaudit.AuditLogBoth {
		logs = 2
	}
	const page = 100
	cfg.MaxEvents = page * logs
	// Dropped entries have no time, which the density is computed from.
	cfg.DropRoutine, cfg.Rules = new(bool), nil
	cfg.ResolveMembers, cfg.ResolveScopes, cfg.ResolveHistory = false, false, false
	out := Estimate{Exact: true}
	probe := func(s selection.Span) (entries float64, whole bool, err error) {
		r, err := newReader(cfg, s, nil, page)
		if err != nil {
			return 0, false, err
		}
		events, err := r.Next(ctx)
		if err != nil {
			return 0, false, err
		}
		out.Asked += r.total.Requests
		n := float64(len(slices.DeleteFunc(events, func(e ingest.Event) bool { return cloudflareaudit.IsBurst(&e) })))
		at, _ := r.Reached()
		if r.done || !at.Before(s.Until) {
			return n, r.done, nil
		}
		return n * float64(s.Length()) / float64(s.Until.Sub(at)), false, nil
	}
	entries, whole, err := probe(span)
	if err != nil {
		return out, err
	}
	if part := span.Length() / samples; !whole && part >= time.Minute {
		entries, out.Exact = 0, true
		for i := range time.Duration(samples) {
			s := selection.Span{Since: span.Since.Add(i * part), Until: span.Since.Add((i + 1) * part)}
			if i == samples-1 {
				s.Until = span.Until
			}
			n, whole, err := probe(s)
			if err != nil {
				return out, err
			}
			entries += n
			out.Exact = out.Exact && whole
		}
	} else {
		out.Exact = whole
	}
	out.Entries = int(entries + 0.5)
	// One page more finds the end of each log.
	out.Requests = out.Entries/fullPage + 2*logs
	limit := cfg.RateLimit
	if limit == 0 {
		limit = 900
	}
	perSecond := float64(limit) / (5 * time.Minute).Seconds()
	out.Time = max(time.Duration(float64(out.Requests)/perSecond*float64(time.Second)), time.Second).Round(time.Second)
	return out, nil
}
