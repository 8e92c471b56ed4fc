package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/jitter"
)

const (
	defaultInterval  = 300 * time.Second
	defaultStopGrace = 10 * time.Second

	firstBackoff = 5 * time.Second
	maxBackoff   = 5 * time.Minute
)

// Runner is the reference host for one source in one process. It loads the
// source's cursor once and then repeats: poll, deliver, save the cursor, wait.
//
// Failures of the source, the sink and the store are retried with a growing
// pause: from 5 s, doubling up to the larger of Interval and 5 minutes, and
// never less than an error's [RetryAfterer] asks for. Up to 10 % is added to
// every pause, so that many runners do not act in step. A batch that was not
// delivered stays in hand and is offered to the sink again, event for event,
// before anything else is read; a cursor that was not saved is saved again
// without a second delivery. An unusable cursor, see [ErrCursor], is not
// retried.
//
// All exported fields are set before the first call and not changed after it.
// A Runner starts no goroutine that outlives a call and must not be copied.
type Runner struct {
	// Source is polled, Sink gets what it returns, and Store keeps its cursor
	// under Key. All four are required.
	Source Source
	Sink   Sink
	Store  CursorStore
	Key    string

	// Interval is the pause between a poll that left no backlog and the next
	// one. Zero means 300 s.
	Interval time.Duration

	// StopGrace is how long the batch in hand may still take to be delivered
	// and saved once the context of Run or Drain has ended. Zero means 10 s.
	StopGrace time.Duration

	// Logger gets the failures and recoveries of Run; normal running logs
	// nothing. Nil is silent.
	Logger *slog.Logger

	// OnBatch, when set, is called with each batch after its cursor has been
	// saved, also when it has no events. The runner waits for it to return.
	OnBatch func(Batch)

	mu     sync.Mutex
	busy   bool
	status Status
	// downSince is when the first of status.Failures happened.
	downSince time.Time
}

// Status is a snapshot of a [Runner]. Times are in UTC and zero for what has
// not happened yet. Counters start when the process does.
type Status struct {
	// LastAttempt is when the last poll began, and LastSuccess when a batch
	// was last delivered and its cursor saved.
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	// LastError and LastErrorAt are kept after a recovery: Failures tells
	// whether the trouble persists.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Err is the error that LastError shows, for errors.Is and errors.As. Who
	// judges the health of a feed asks it whether a person has to act.
	Err error `json:"-"`
	// Failures counts the attempts of any kind that have failed since
	// LastSuccess.
	Failures int `json:"failures"`
	// NextAttempt is when the runner, which now waits, will poll or try again
	// what failed. It is zero while the runner is at work or not running.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Polls counts the polls, PollFailures those of them that failed.
	Polls        int `json:"polls"`
	PollFailures int `json:"poll_failures"`
	// SinkFailures counts the deliveries that failed, and StoreFailures the
	// loads and saves of the cursor that did.
	SinkFailures  int `json:"sink_failures"`
	StoreFailures int `json:"store_failures"`
	// Totals adds up the batches that were delivered and saved, and the
	// requests of the polls that failed. Its Backlog is that of the last batch.
	Totals Coverage `json:"totals"`
	// Lag is how far Totals.Complete lies in the past. It is zero until the
	// first batch has told.
	Lag time.Duration `json:"lag_ns"`
}

// Run ingests until ctx ends. It then finishes the batch in hand: a delivery
// or save under way is not cut short, one that waits for its next attempt gets
// that attempt at once, and both must be done within StopGrace. What cannot be
// finished is read and delivered again by the next run.
//
// Run returns nil once it has stopped because ctx ended. It returns an error,
// which a repetition would only return again, when a required field is
// missing, when the runner runs already, when the cursor cannot be used (see
// [ErrCursor]), or when the source breaks the contract of [Source]. When another
// host has moved the cursor (see [ErrConflict]), it goes on from there.
func (r *Runner) Run(ctx context.Context) error {
	_, err := r.run(ctx, false)
	return err
}

// Drain polls, delivers and saves until no backlog remains, and returns what
// its polls covered. It retries nothing: the first failure ends it and is
// returned, with the coverage of the batches before, which are delivered and
// saved. The end of ctx is such a failure, though the batch in hand is
// finished as in [Runner.Run]. Calling Drain again carries on from there.
func (r *Runner) Drain(ctx context.Context) (Coverage, error) {
	return r.run(ctx, true)
}

// Status returns a snapshot. It may be called at any time.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Totals.Dropped = maps.Clone(s.Totals.Dropped)
	s.Totals.Statuses = maps.Clone(s.Totals.Statuses)
	s.Totals.Notices = slices.Clone(s.Totals.Notices)
	if !s.Totals.Complete.IsZero() {
		s.Lag = time.Since(s.Totals.Complete)
	}
	return s
}

// run is Run, or Drain when once is set.
func (r *Runner) run(ctx context.Context, once bool) (total Coverage, err error) {
	if err := r.begin(); err != nil {
		return total, err
	}
	defer r.end()

	// The retries of Run give up because of an unusable cursor, or because ctx
	// has ended, which is not an error of Run.
	stop := func(err error) (Coverage, error) {
		if once || errors.Is(err, ErrCursor) {
			return total, err
		}
		return total, nil
	}

	var saved Cursor
	load := func() error {
		return r.retry(ctx, once, loading, func() (err error) {
			saved, err = r.Store.Load(ctx, r.Key)
			return err
		})
	}
	if err := load(); err != nil {
		return stop(err)
	}
	for {
		var batch Batch
		err := r.retry(ctx, once, polling, func() (err error) {
			batch, err = r.poll(ctx, saved)
			return err
		})
		if err != nil {
			return stop(err)
		}
		if err := r.check(batch); err != nil {
			return total, err
		}
		// An unchanged cursor would only get the same answer again, so More
		// must not turn it into a busy loop.
		moved := !bytes.Equal(batch.Cursor, saved)
		err = r.settle(ctx, once, batch, moved)
		if errors.Is(err, ErrConflict) && !once && ctx.Err() == nil {
			r.logger().Warn("another host polls from the same cursor and has moved it; what this one has delivered comes twice",
				"key", r.Key, "error", err)
			r.wait(ctx, r.jitter(r.interval()))
			err = load()
			if err == nil {
				continue
			}
		}
		if err != nil {
			return stop(err)
		}
		saved = batch.Cursor
		total.Add(batch.Coverage)
		switch {
		case batch.More && moved:
		case !once:
			r.wait(ctx, r.jitter(r.interval()))
		case batch.More:
			return total, fmt.Errorf("ingest: %s: the source reports a backlog but its cursor does not move", r.Key)
		default:
			return total, nil
		}
	}
}

// begin checks the fields and claims the runner.
func (r *Runner) begin() error {
	var faults []error
	if r.Source == nil {
		faults = append(faults, errors.New("Source is nil"))
	}
	if r.Sink == nil {
		faults = append(faults, errors.New("Sink is nil"))
	}
	if r.Store == nil {
		faults = append(faults, errors.New("Store is nil"))
	}
	if r.Key == "" {
		faults = append(faults, errors.New("Key is empty"))
	}
	if r.Interval < 0 {
		faults = append(faults, fmt.Errorf("Interval is negative: %s", r.Interval))
	}
	if r.StopGrace < 0 {
		faults = append(faults, fmt.Errorf("StopGrace is negative: %s", r.StopGrace))
	}
	if len(faults) > 0 {
		return fmt.Errorf("ingest: runner: %w", errors.Join(faults...))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return fmt.Errorf("ingest: runner %s is running already", r.Key)
	}
	r.busy = true
	return nil
}

func (r *Runner) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}

func (r *Runner) interval() time.Duration {
	if r.Interval == 0 {
		return defaultInterval
	}
	return r.Interval
}

func (r *Runner) stopGrace() time.Duration {
	if r.StopGrace == 0 {
		return defaultStopGrace
	}
	return r.StopGrace
}

func (r *Runner) poll(ctx context.Context, cursor Cursor) (Batch, error) {
	r.mu.Lock()
	r.status.Polls++
	r.status.LastAttempt = time.Now().UTC()
	r.mu.Unlock()
	batch, err := r.Source.Poll(ctx, cursor)
	if err != nil {
		r.mu.Lock()
		r.status.Totals.addRequests(batch.Coverage)
		r.mu.Unlock()
	}
	return batch, err
}

// check reports whether batch breaks the contract of Source. Delivering it
// could lose entries: without a cursor they would be read again for ever, and
// a sink may cut a batch that is too large.
func (r *Runner) check(batch Batch) error {
	var err error
	switch {
	case len(batch.Cursor) == 0:
		err = fmt.Errorf("ingest: %s: the source returned a batch without a cursor", r.Key)
	case len(batch.Events) > MaxEvents:
		err = fmt.Errorf("ingest: %s: the source returned %d events, but a batch holds at most %d", r.Key, len(batch.Events), MaxEvents)
	default:
		return nil
	}
	r.failed(polling, err)
	return err
}

// settle delivers batch and saves its cursor, in this order.
func (r *Runner) settle(ctx context.Context, once bool, batch Batch, moved bool) error {
	grace, cancel := linger(ctx, r.stopGrace())
	defer cancel()
	if len(batch.Events) > 0 {
		err := r.retry(ctx, once, delivering, func() error {
			return r.Sink.Write(grace, batch.Events)
		})
		if err != nil {
			return err
		}
	}
	if moved {
		err := r.retry(ctx, once, saving, func() error {
			return r.Store.Save(grace, r.Key, batch.Cursor)
		})
		if err != nil {
			return err
		}
	}
	r.settled(batch)
	if r.OnBatch != nil {
		r.OnBatch(batch)
	}
	return nil
}

// stage is a step of the loop that can fail.
type stage string

const (
	loading    stage = "load the cursor"
	polling    stage = "poll"
	delivering stage = "deliver"
	saving     stage = "save the cursor"
)

// retry calls step until it succeeds, the cursor is unusable or another host's, ctx
// ends or, with once, it has failed.
// Once ctx has ended, a stage that works on a batch in hand gets one last
// attempt, and the others none.
func (r *Runner) retry(ctx context.Context, once bool, s stage, step func() error) error {
	inHand := s == delivering || s == saving
	for n := 0; ; n++ {
		last := ctx.Err() != nil
		if last && !inHand {
			return ctx.Err()
		}
		err := step()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && !inHand {
			return ctx.Err()
		}
		failures := r.failed(s, err)
		if once || s == saving && errors.Is(err, ErrConflict) || !inHand && errors.Is(err, ErrCursor) {
			return fmt.Errorf("ingest: %s: %s: %w", r.Key, s, err)
		}
		if last {
			r.logger().Error("stopped with a batch in hand; the next run reads its entries again",
				"key", r.Key, "step", string(s), "error", err)
			return err
		}
		pause := r.jitter(max(r.backoff(n), retryAfter(err)))
		r.logger().Warn("ingest failed", "key", r.Key, "step", string(s),
			"error", err, "failures", failures, "retry_in", pause)
		r.wait(ctx, pause)
	}
}

// wait returns after d or when ctx ends.
func (r *Runner) wait(ctx context.Context, d time.Duration) {
	r.setNext(time.Now().UTC().Add(d))
	defer r.setNext(time.Time{})
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *Runner) setNext(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.NextAttempt = t
}

// failed notes a failure and returns how many there have been since the last
// success.
func (r *Runner) failed(s stage, err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.status
	now := time.Now().UTC()
	if st.Failures == 0 {
		r.downSince = now
	}
	st.Failures++
	st.LastError = string(s) + ": " + err.Error()
	st.LastErrorAt = now
	st.Err = err
	switch s {
	case polling:
		st.PollFailures++
	case delivering:
		st.SinkFailures++
	default:
		st.StoreFailures++
	}
	return st.Failures
}

// settled notes that batch is delivered and its cursor saved.
func (r *Runner) settled(batch Batch) {
	r.mu.Lock()
	failures, down := r.status.Failures, time.Since(r.downSince)
	r.status.Failures = 0
	r.status.LastSuccess = time.Now().UTC()
	r.status.Totals.Add(batch.Coverage)
	r.mu.Unlock()
	if failures > 0 {
		r.logger().Info("ingest recovered", "key", r.Key, "failures", failures, "after", down)
	}
}

func (r *Runner) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Logger
}

// backoff is the pause after n failures in a row before this one.
func (r *Runner) backoff(n int) time.Duration {
	limit := max(r.interval(), maxBackoff)
	d := firstBackoff
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}

// retryAfter is how long err asks to wait, or zero.
func retryAfter(err error) time.Duration {
	var asks RetryAfterer
	if errors.As(err, &asks) {
		return asks.RetryAfter()
	}
	return 0
}

// jitter adds up to 10 % to d, which is not negative.
func (r *Runner) jitter(d time.Duration) time.Duration {
	// A vendor can ask for any pause: the sum must not wrap to a negative one,
	// which would end at once.
	return max(d, d+jitter.Below(r.Key, d/10+1))
}

// linger returns a context that ends grace after ctx does, so that the end of
// ctx cuts no delivery short. The caller must call cancel.
func linger(ctx context.Context, grace time.Duration) (_ context.Context, cancel context.CancelFunc) {
	late, cancelLate := context.WithCancelCause(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancelLate(fmt.Errorf("ingest: the stop grace of %s is over", grace))
		case <-late.Done():
		}
	})
	return late, func() {
		unhook()
		cancelLate(context.Canceled)
	}
}
