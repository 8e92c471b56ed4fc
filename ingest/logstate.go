package ingest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/backoff"
)

// LogState is the state of one of the logs that a source reads.
type LogState struct {
	// Name names the log for people, such as "Audit Logs v2". It is the same
	// in every batch.
	Name string `json:"name"`
	// Error is why the log cannot be read, or empty when it can.
	Error string `json:"error,omitempty"`
	// Err is the error behind Error, for errors.Is and errors.As. It is nil
	// where the state was stored in between.
	Err error `json:"-"`
	// NeedsAction says that the error recurs until a person acts, see
	// [NeedsAction].
	NeedsAction bool `json:"needs_action,omitempty"`
	// Since is when the first of the failures in a row was seen. A source
	// remembers nothing and leaves it zero; the host fills it in with
	// [MergeLogs].
	Since time.Time `json:"since,omitzero"`
	// HeldBack says that the log was not asked, see [HeldBacker]. The host fills
	// it in with [MergeLogs].
	HeldBack bool `json:"held_back,omitempty"`
	// Complete is the time up to which everything that this log has shown is
	// delivered, once the batch is. It is zero before the first read.
	Complete time.Time `json:"complete,omitzero"`
	// Partly says that a part of the log was read before Error, which may be all
	// that comes of it, or the beginning of more. It is a failure only of a log
	// that was failing already, see [MergeLogs].
	Partly bool `json:"-"`
	// Skipped says that the poll had no room left to read this log, so that its
	// previous state still holds.
	Skipped bool `json:"-"`
}

// Failed reports whether the log could not be read.
func (s LogState) Failed() bool { return s.Error != "" }

// cause is the error of a log that cannot be read.
func (s LogState) cause() error {
	if s.Err != nil {
		return s.Err
	}
	return errors.New(s.Error)
}

// MergeLogs returns the states after a poll at now, given those before it and
// those that the poll found. A log that keeps failing keeps its Since, and also its
// error while it is not asked again. It keeps failing until a poll reads it without
// an error.
func MergeLogs(before, found []LogState, now time.Time) []LogState {
	merged := slices.Clone(found)
	for i := range merged {
		s := &merged[i]
		was := slices.IndexFunc(before, func(b LogState) bool { return b.Name == s.Name })
		switch {
		case s.Skipped && was >= 0:
			*s = before[was]
		case !s.Failed():
		case s.Partly && (was < 0 || !before[was].Failed()):
			s.Error, s.Err, s.NeedsAction = "", nil, false
		case was >= 0 && before[was].Failed():
			s.follow(before[was])
		default:
			s.Since, s.HeldBack = now.UTC(), heldBack(s.Err)
		}
	}
	return merged
}

// follow makes s, of a log that fails, the state after another one.
func (s *LogState) follow(before LogState) {
	s.Since, s.HeldBack = before.Since, heldBack(s.Err)
	if s.HeldBack && !before.HeldBack {
		// Nothing has shown that the failure before is over.
		s.Error, s.Err, s.NeedsAction, s.HeldBack = before.Error, before.Err, before.NeedsAction, false
	}
}

// Unread returns why none of the logs could be read, or nil when one could or
// when the source does not report logs. If it returns an error, the poll has
// failed, and only the cursor of the batch matters: it fixes where the feed
// begins.
func (c Coverage) Unread() error {
	var causes []error
	for _, s := range c.Logs {
		switch {
		case s.Skipped:
		case !s.Failed() || s.Partly:
			return nil
		default:
			causes = append(causes, s.cause())
		}
	}
	return errors.Join(causes...)
}

// UntilNextPoll returns how long a host waits, counted from now, after a batch
// that left no backlog: normally interval. While a log cannot be read, the next
// poll comes as early as a retry would.
func (c Coverage) UntilNextPoll(interval time.Duration, now time.Time) time.Duration {
	for _, s := range c.Logs {
		if s.Failed() {
			interval = min(interval, backoff.While(now.Sub(s.Since), interval, retryAfter(s.Err), s.NeedsAction))
		}
	}
	return interval
}

// retryAfter is how long err asks to wait, or zero.
func retryAfter(err error) time.Duration {
	var asks RetryAfterer
	if errors.As(err, &asks) {
		return asks.RetryAfter()
	}
	return 0
}

// ActionNeeder is implemented by errors that know whether a person has to act.
// Hosts ask with [NeedsAction].
type ActionNeeder interface {
	error
	// NeedsAction reports whether the error recurs until a person acts, such as
	// one about a revoked token.
	NeedsAction() bool
}

// NeedsAction reports whether err recurs until a person acts: whether an error
// in its tree is [ErrCursor], or an [ActionNeeder] that says so.
func NeedsAction(err error) bool {
	if err == nil {
		return false
	}
	if err == ErrCursor {
		return true
	}
	if needer, ok := err.(ActionNeeder); ok && needer.NeedsAction() {
		return true
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return NeedsAction(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), NeedsAction)
	}
	return false
}

// Check reports how b breaks the contract of [Source.Poll], or nil. A host
// delivers nothing of such a batch: without a cursor its entries would be read
// again in every poll, and a sink may truncate a batch that is too large.
func (b Batch) Check() error {
	switch {
	case len(b.Cursor) == 0:
		return errors.New("the source returned a batch without a cursor")
	case len(b.Events) > MaxEvents:
		return fmt.Errorf("the source returned %d events, but a batch holds at most %d", len(b.Events), MaxEvents)
	}
	return nil
}
