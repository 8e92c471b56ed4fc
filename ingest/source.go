// Package ingest is the contract between a host that ingests security events
// and the connectors that fetch them.
//
// A connector implements [Source]. A host registers it in a [Catalog], builds
// it from a configuration object, and then repeats four steps, which [Runner]
// implements for one source in one process:
//
//	load the cursor -> Poll -> deliver the events -> save the cursor
//
// A whole host is a runner:
//
//	runner := &ingest.Runner{Source: source, Sink: sink, Store: store, Key: "cloudflare-" + account}
//	err := runner.Run(ctx) // until ctx ends, or a person has to act
//
// The cursor is saved only after the sink has accepted the events, so delivery
// is at least once: a host that stops between the two steps sees the events of
// that one batch again, with the same ids. Everything a source knows about its
// progress is in the cursor, so any process may make the next poll.
package ingest

import (
	"context"
	"errors"
	"time"
)

// MaxEvents is the most events one [Batch] holds.
const MaxEvents = 1000

// Cursor is a source's position: opaque bytes that only the source that wrote
// them can read. It holds no secret. The nil cursor means that nothing has been
// read yet.
type Cursor []byte

// ErrCursor is in the tree of every error about a cursor that cannot be used: a
// damaged one, one of another instance, or one that a newer release wrote. A
// host stops polling the instance until an operator intervenes, because a retry
// fails again, and starting without the cursor repeats or skips events.
var ErrCursor = errors.New("unusable cursor")

// ErrConflict is in the tree of the error of a save that lost a race: another
// host has moved the cursor since it was loaded. The events of that batch have
// been or will be delivered twice, under the same ids. A host reloads the
// cursor before the next poll.
var ErrConflict = errors.New("another host has moved the cursor")

// Source is one configured connector instance, such as one account of a vendor.
//
// A source starts no goroutine and stores nothing: two polls differ only by
// their cursors. Its methods are safe for concurrent use, but a host must not
// poll the same instance from the same cursor twice at once, because both polls
// would return the same events.
type Source interface {
	// Descriptor returns the catalog entry of the connector this source is an
	// instance of. It does no I/O and always returns the same value.
	Descriptor() Descriptor

	// TestConnection reports whether the configuration works: it returns nil
	// when the next Poll can be expected to succeed, and otherwise an error
	// that tells a person what is wrong and what to do about it. The host calls
	// it when a person presses "Test connection", at any time, also while a
	// poll is under way. It moves no position.
	TestConnection(ctx context.Context) error

	// Poll fetches the entries that follow cursor, newest first, and returns at
	// most [MaxEvents] events and the cursor after them.
	//
	// The host passes the cursor it saved last, or nil on the first run. It
	// delivers the events, then saves the returned cursor, then polls again: at
	// once while Batch.More is set, else after the poll interval. Calling Poll
	// twice with one cursor is allowed and returns the same entries again, plus
	// any that have appeared since.
	//
	// An error means that the poll made no progress and that the host keeps the
	// cursor it has. A poll that made some progress returns that as a batch and
	// no error; if the failure persists, the next poll returns it. Errors that
	// say when to come back implement [RetryAfterer], and those about a cursor
	// that cannot be used wrap [ErrCursor]: the host stops polling this
	// instance. Those that only a person can fix implement [ActionNeeder]. Of
	// the batch that comes with an error, Coverage may account for the requests
	// sent and the state of each log; the rest is zero.
	//
	// The very first poll may return a batch and no error although it could
	// read nothing, because its cursor fixes where the feed begins; see
	// [Coverage.Unread].
	//
	// Poll honours ctx at every wait and returns promptly when ctx ends.
	Poll(ctx context.Context, cursor Cursor) (Batch, error)
}

// Batch is the outcome of one poll.
type Batch struct {
	// Events are at most [MaxEvents] events. There may be none.
	Events []Event
	// Cursor is the position after Events, never empty. It is saved after the
	// events have been delivered, even when there are none.
	Cursor Cursor
	// More says that a backlog remains: the next poll should follow at once.
	More bool
	// Coverage accounts for what this poll read.
	Coverage Coverage
}

// Coverage accounts for every entry that one poll read:
//
//	Read = Delivered + sum of Dropped + Repeated
//
// A batch has Delivered + Raised events.
type Coverage struct {
	// Windows are the spans of time read from, newest first.
	Windows []Window `json:"windows"`
	// Requests counts the requests sent, retries included.
	Requests int `json:"requests"`
	// Statuses counts the requests by the HTTP status of their replies. Those
	// that got no reply count under 0.
	Statuses map[int]int `json:"statuses,omitempty"`
	// Throttled is how long requests were delayed to stay within the vendor's
	// rate limit.
	Throttled time.Duration `json:"throttled_ns"`
	// Read counts the entries received.
	Read int `json:"read"`
	// Delivered counts the entries that became an event of the batch.
	Delivered int `json:"delivered"`
	// Raised counts the events of the batch that stand for many entries, and for
	// none of their own, such as those about bursts.
	Raised int `json:"raised,omitempty"`
	// Dropped counts the entries dropped by an explicit rule, by rule id.
	Dropped map[string]int `json:"dropped,omitempty"`
	// Repeated counts the entries that were recognised as already handled.
	Repeated int `json:"repeated"`
	// Late counts the delivered entries that an earlier read of the same span
	// had not returned: those that the overlap caught.
	Late int `json:"late"`
	// Undecodable counts the delivered entries that could not be understood.
	// Their events say so and carry the entry as received.
	Undecodable int `json:"undecodable"`
	// Complete is the time up to which everything the vendor has shown so far is
	// delivered once this batch is. Without a backlog that is the time of the
	// poll; an entry of before it that the vendor shows later is found by the
	// overlap. It does not move on while a backlog remains, and is zero before
	// anything has been read.
	Complete time.Time `json:"complete"`
	// Backlog counts the windows that remain open.
	Backlog int `json:"backlog"`
	// Logs are the states of the logs that the source reads, in the same order
	// in every batch. A log that fails while others are read shows only here. A
	// source that reads one log may leave it empty.
	Logs []LogState `json:"logs,omitempty"`
	// Notices are conditions worth knowing about that cost no event, such as an
	// optional feature that lacks its permission. Each appears, worded alike,
	// in every batch while the condition lasts, so a host that reports only new
	// notices reports it once.
	Notices []string `json:"notices,omitempty"`
}

// Window is a span of time a poll read from.
type Window struct {
	// Since and Before bound the span, in UTC.
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// Read counts the entries received from this window by this poll.
	Read int `json:"read"`
	// Exhausted says that the window has been read to its end.
	Exhausted bool `json:"exhausted"`
}

// Add adds the counters of d, a later poll, to c and adopts its Complete,
// Backlog, Logs and Notices, so that a host can keep totals. Windows are not
// kept.
func (c *Coverage) Add(d Coverage) {
	c.AddRequests(d)
	c.Read += d.Read
	c.Delivered += d.Delivered
	c.Raised += d.Raised
	c.Repeated += d.Repeated
	c.Late += d.Late
	c.Undecodable += d.Undecodable
	for rule, n := range d.Dropped {
		if c.Dropped == nil {
			c.Dropped = make(map[string]int)
		}
		c.Dropped[rule] += n
	}
	c.Complete = d.Complete
	c.Backlog = d.Backlog
	c.Logs = d.Logs
	c.Notices = d.Notices
}

// AddRequests adds the counters of the requests of d alone: those of a poll
// that failed, or whose batch is not used.
func (c *Coverage) AddRequests(d Coverage) {
	c.Requests += d.Requests
	c.Throttled += d.Throttled
	for status, n := range d.Statuses {
		if c.Statuses == nil {
			c.Statuses = make(map[int]int)
		}
		c.Statuses[status] += n
	}
}

// DroppedTotal returns the sum of Dropped.
func (c Coverage) DroppedTotal() int {
	total := 0
	for _, n := range c.Dropped {
		total += n
	}
	return total
}

// RetryAfterer is implemented by errors that know when the host should try
// again. Hosts find it with errors.As.
type RetryAfterer interface {
	error
	// RetryAfter is how long to wait before the next attempt, or zero when
	// the error does not say.
	RetryAfter() time.Duration
}

// HeldBacker is implemented by errors of requests that were not sent, because of
// a limit. Such an error says nothing about what the request was for.
type HeldBacker interface {
	error
	// HeldBack reports whether the request was not sent.
	HeldBack() bool
}

// heldBack reports whether err is of a request that was not sent.
func heldBack(err error) bool {
	held, ok := errors.AsType[HeldBacker](err)
	return ok && held.HeldBack()
}

// Sink delivers events.
type Sink interface {
	// Write delivers all events, in order. Nil means that every one of them is
	// durably accepted; the host moves its cursor on that basis alone. On an
	// error the host calls Write again with the same events, so a sink that
	// failed half-way may deliver the first half twice, under the same ids. The
	// slice and its events belong to the caller again on return.
	Write(ctx context.Context, events []Event) error
}

// CursorStore keeps the cursors of sources, each under a key the host chooses.
type CursorStore interface {
	// Load returns the cursor last saved under key, or nil and no error when
	// there is none. A store that cannot tell the two apart, or finds its
	// record damaged, returns an error. It wraps [ErrCursor] when only a person
	// can repair the record.
	Load(ctx context.Context, key string) (Cursor, error)

	// Save replaces the cursor under key. When it returns nil the cursor is
	// durable; after an error or a crash the store holds either the old or the
	// new cursor, never a part of one. An empty cursor is refused, because it
	// could not be distinguished from a damaged record. A store that notices
	// that the cursor is not the one it last loaded or saved changes nothing
	// and returns an error that wraps [ErrConflict].
	Save(ctx context.Context, key string, cursor Cursor) error
}
