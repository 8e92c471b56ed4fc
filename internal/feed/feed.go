// Package feed reads the audit logs of an account without loss. It knows
// windows, overlaps, backlogs and cursors, and passes each entry not handled
// before to a [Handler]. It does not interpret entries.
//
// An entry may appear in a log up to an overlap after its own time. So every
// poll re-reads the entries within the overlap and recognises them by id. Older
// entries are settled: they are read once more, in fixed windows that newer
// entries cannot shift.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

const (
	// MinPollInterval is the least time between polls that leave no backlog.
	MinPollInterval = 30 * time.Second
	// MaxRequests bounds the pages of one poll, and with them its time.
	MaxRequests = 100
	// ClockTolerance is how far the local clock may differ from the server's. A
	// new window that ends farther from the server's clock is requested again.
	ClockTolerance = 5 * time.Second
	// AllEvery bounds the wait of a late entry when polls follow each other
	// closely. It is below the usual interval.
	AllEvery = 270 * time.Second
	// MaxBacklog bounds the settled windows that a cursor holds for each log.
	MaxBacklog = 16
	// MaxBatchBytes bounds the entries of one poll, in bytes. These and the
	// current page are what a poll holds in memory.
	MaxBatchBytes = 64 << 20
	// MaxKept bounds the text of an entry that cannot be read, in bytes.
	MaxKept = 64 << 10
)

// Options configure a [Reader]. All but MaxIDs are required.
type Options struct {
	AccountID string
	// Logs are the logs to read, one or two.
	Logs []*cloudflare.Log
	// PollInterval is the time between polls: a backlog gives way to newer
	// entries once in each.
	PollInterval time.Duration
	// PageSize is the number of entries to request at once. Settled windows are
	// read in pages of up to 1000.
	PageSize int
	// MaxEvents is the most events of one poll.
	MaxEvents int
	// Overlap and OverlapV2 are how late an entry of each log may appear.
	Overlap, OverlapV2 time.Duration
	// InitialLookback is how far back a feed begins.
	InitialLookback time.Duration
	// HideUserLogs leaves out the entries of users, in the log that supports
	// it.
	HideUserLogs bool
	// Clock is the local clock. It must be roughly right until a reply has
	// shown the server's.
	Clock  func() time.Time
	Logger *slog.Logger

	// MaxIDs bounds the ids that a cursor remembers for each log; 131072 by
	// default.
	MaxIDs int
}

// Reader reads the audit logs of one account. It holds no position, which is in
// the cursors. It is safe for concurrent use.
type Reader struct {
	opts   Options
	client *cloudflare.Client
	clock  serverClock
}

// New makes a reader. It does no I/O.
func New(client *cloudflare.Client, o Options) *Reader {
	if o.MaxIDs == 0 {
		o.MaxIDs = maxSeen
	}
	return &Reader{opts: o, client: client}
}

// Handler turns entries into events. A poll calls it from one goroutine, newest
// entries first, and never twice for one entry.
type Handler interface {
	// Begin comes first. memory is what End returned at the end of the poll
	// that wrote the cursor, or nil. Begin returns the events that the batch
	// has before any entry is read.
	Begin(memory json.RawMessage) Kept
	// End comes last, unless the poll fails. It returns what to remember in the
	// cursor, as JSON, or nil. open reports whether a later poll may bring
	// entries from first to last of a log, or of any if log is empty.
	End(open func(log string, first, last time.Time) bool) json.RawMessage
	// Entry handles an entry. If it drops the entry, it must count that.
	Entry(e Entry) Kept
	// Unreadable handles an entry that cannot be read, because of cause. place
	// is its time in the log.
	Unreadable(t cloudflare.Torn, cause error, place time.Time) Kept
}

// Entry is one entry to handle.
type Entry struct {
	Log *cloudflare.Log
	// Doc is the entry as received. Its table is valid until the handler
	// returns, and its bytes for as long as they are in use.
	Doc *jsondoc.Doc
	// Place is the time of the entry in the log, which is its own time unless
	// it has none.
	Place time.Time
	// Following is how many entries of the same page, this one included, may
	// become events.
	Following int
}

// Kept is what a [Handler] keeps of an entry: how many events, which is none,
// one, or more if there is room for them in the batch, and how many bytes of the
// entry they hold.
type Kept struct{ Events, Bytes int }

// Result is the outcome of a poll.
type Result struct {
	// Cursor is the position after the handled entries.
	Cursor ingest.Cursor
	// More says that a backlog remains.
	More bool
	// Coverage accounts for the entries read, except for the counters that only
	// the handler knows: Delivered, Dropped and Undecodable.
	Coverage ingest.Coverage
	// Failures are the errors of logs that could not be read while the other
	// could.
	Failures []error
	// Ahead are the logs that make no progress because a clock that was ahead
	// moved their positions into the future.
	Ahead []Ahead
}

// Ahead is a log that is not read until a time in the future.
type Ahead struct {
	Log   *cloudflare.Log
	Until time.Time
}

// Poll reads the entries that follow cursor and passes them to h. The first
// cursor fixes where the feed begins. It is returned even when nothing could be
// read, so that later entries are not missed.
//
// Of two logs, the one that has newer entries to read goes first. When one of
// them fails, the other is still read. An error means that the cursor is
// unusable or that no log could be read; in the latter case the Coverage still
// accounts for the requests and the state of each log.
func (r *Reader) Poll(ctx context.Context, cursor ingest.Cursor, h Handler) (Result, error) {
	pos, err := decodePosition(cursor, r.opts.AccountID)
	if err != nil {
		return Result{}, err
	}
	in := &intake{handler: h, page: cloudflare.NewPage()}
	defer func() { in.page.Release() }()
	in.add(h.Begin(pos.Memory))
	polls := r.begin(pos, in)
	out := Result{}
	states := make(map[*cloudflare.Log]ingest.LogState, len(polls))
	for _, p := range polls {
		if p.full() {
			// It goes first in the next poll.
			out.More = true
			states[p.log] = ingest.LogState{Skipped: true}
			continue
		}
		already := in.coverage.Read
		err := p.read(ctx)
		if err != nil && ctx.Err() == nil {
			states[p.log] = failedState(err, p.progressed && !(p.isNew && in.coverage.Read == already))
		}
		if err != nil && !p.progressed {
			out.Failures = append(out.Failures, err)
			continue
		}
		out.More = out.More || p.feed.unread() > 0 || p.feed.Settled.IsZero() || err == nil && p.stale()
	}
	for _, log := range r.opts.Logs {
		state := states[log]
		state.Name, state.Complete = log.Title, (*pos.place(log)).Complete
		in.coverage.Logs = append(in.coverage.Logs, state)
	}
	if len(out.Failures) == len(polls) {
		return Result{Coverage: in.coverage}, errors.Join(out.Failures...)
	}
	for i, p := range polls {
		if p.feed.Settled.Sub(p.now()) > ClockTolerance {
			out.Ahead = append(out.Ahead, Ahead{p.log, p.feed.Settled})
		}
		in.coverage.Backlog += p.feed.unread()
		if i == 0 || p.feed.Complete.Before(in.coverage.Complete) {
			in.coverage.Complete = p.feed.Complete
		}
	}
	out.Coverage = in.coverage
	pos.Memory = h.End(pos.open)
	out.Cursor, err = pos.encode()
	return out, err
}

// open reports whether a later poll may bring entries from first to last of a
// log, or of any if log is empty.
func (p *position) open(log string, first, last time.Time) bool {
	if log == "" {
		return p.open(cloudflare.V1.Name, first, last) || p.open(cloudflare.V2.Name, first, last)
	}
	f := p.AuditLogs
	if log == cloudflare.V2.Name {
		f = p.AuditLogsV2
	}
	return f != nil && f.open(first, last)
}

// begin starts the polls of all logs, in the order in which they are to be read.
func (r *Reader) begin(pos *position, in *intake) []*poll {
	polls := make([]*poll, len(r.opts.Logs))
	for i, log := range r.opts.Logs {
		p := &poll{reader: r, log: log, intake: in, biggest: cloudflare.MaxPageSize, most: cloudflare.MaxPageSize}
		f := pos.place(log)
		if log == cloudflare.V2 {
			p.endpoint, p.overlap = &followedPages{poll: p}, r.opts.OverlapV2
			p.spans = recentSpans(p.overlap)
		} else {
			p.endpoint, p.overlap = &numberedPages{poll: p}, r.opts.Overlap
			p.spans = []recentSpan{{long: mostlyWithin}}
		}
		if *f == nil {
			*f = &feed{Seen: seen{}, Start: p.startBefore(r.serverTime())}
			p.isNew, p.progressed = true, true
		}
		p.feed, p.complete = *f, (*f).Complete
		polls[i] = p
	}
	if len(polls) == 2 && polls[1].feed.first(polls[0].feed) < 0 {
		polls[0], polls[1] = polls[1], polls[0]
	}
	return polls
}

// failedState is the state of a log that cannot be read, or only in part, because of
// err.
func failedState(err error, partly bool) ingest.LogState {
	state := ingest.LogState{Error: err.Error(), Err: err, NeedsAction: ingest.NeedsAction(err), Partly: partly}
	if read, ok := errors.AsType[*apierror.ReadError](err); ok {
		state.Error = read.Err.Error() // the name identifies the log
	}
	return state
}

// place is the field of the position that holds the feed of a log.
func (p *position) place(log *cloudflare.Log) **feed {
	if log == cloudflare.V2 {
		return &p.AuditLogsV2
	}
	return &p.AuditLogs
}

// serverTime is the server's time, or the local time while it is unknown.
func (r *Reader) serverTime() time.Time { return r.clock.now(r.opts.Clock()) }

// Now is the server's time, to the second, as far as it is known.
func (r *Reader) Now() time.Time { return r.serverTime().Truncate(time.Second) }
