package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/backoff"
	"github.com/aisoc/cloudflareaudit/internal/jitter"
)

const (
	defaultInterval  = 300 * time.Second
	defaultStopGrace = 10 * time.Second
)

// Runner is the reference host for one source in one process. It loads the
// source's cursor once and then repeats: poll, deliver, save the cursor, wait.
//
// Failures of the source, the sink and the store are retried with exponential
// backoff: from 5 s, doubling up to a minute, or for polls up to Interval if
// that is longer, and never less than an error's [RetryAfterer] asks for. Where
// a person has to act, see [NeedsAction], the pause is never more than a
// minute. Within these limits, jitter of up to 10 % is added to every pause, so
// that many runners do not act in step. While one of several logs cannot be
// read, the next poll comes as early as a retry would. A batch that was not
// delivered is kept and offered to the sink again, event for event, before
// anything else is read; a cursor that was not saved is saved again without a
// second delivery. An unusable cursor, see [ErrCursor], is not retried.
//
// All exported fields are set before the first call and not changed after it.
// A Runner starts no goroutine that outlives a call and must not be copied.
type Runner struct {
	// Source is polled, Sink receives its events, and Store keeps its cursor
	// under Key. All four are required.
	Source Source
	Sink   Sink
	Store  CursorStore
	Key    string

	// Interval is the pause between a poll that left no backlog and the next
	// one. Zero means 300 s.
	Interval time.Duration

	// StopGrace bounds the delivery and saving of the current batch after the
	// context of Run or Drain has ended. Zero means 10 s.
	StopGrace time.Duration

	// Logger gets the failures and recoveries of Run, of single logs too;
	// normal running logs nothing. A failure is logged in full when it begins
	// or changes, and briefly while it lasts. Nil is silent.
	Logger *slog.Logger

	// OnBatch, when set, is called with each batch after its cursor has been
	// saved, even if it has no events. The runner waits for it to return.
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
	// whether the failure persists.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Err is the error that LastError shows, for errors.Is and errors.As.
	// Health checks ask it whether a person has to act.
	Err error `json:"-"`
	// Step is the step in which the last error occurred.
	Step Step `json:"step,omitempty"`
	// Failures counts the attempts of any kind that have failed since
	// LastSuccess. StepFailures counts the most recent of these that were all
	// of Step, and FailingSince is the time of the first of them. All are zero
	// after a recovery.
	Failures     int       `json:"failures"`
	StepFailures int       `json:"step_failures"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Doing is the step under way, since DoingSince. Both are zero while the
	// runner waits. A step that does not end, such as a delivery to a pipe that
	// nobody reads, is no failure yet.
	Doing      Step      `json:"doing,omitempty"`
	DoingSince time.Time `json:"doing_since,omitzero"`
	// NextAttempt is when the waiting runner will poll or retry the failed
	// step. It is zero while the runner is busy or not running.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// Polls counts the polls, PollFailures those of them that failed.
	Polls        int `json:"polls"`
	PollFailures int `json:"poll_failures"`
	// SinkFailures counts the deliveries that failed, and StoreFailures the
	// loads and saves of the cursor that did.
	SinkFailures  int `json:"sink_failures"`
	StoreFailures int `json:"store_failures"`
	// Totals adds up the batches that were delivered and saved, and the
	// requests of the polls that failed. Its Backlog is that of the last batch,
	// and its Logs are those of the last poll that reported any, failed or not.
	Totals Coverage `json:"totals"`
	// Lag is the age of Totals.Complete. It is zero until the first batch has
	// set it. In JSON it is lag_seconds, and null until then.
	Lag time.Duration `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (s Status) MarshalJSON() ([]byte, error) {
	type fields Status
	out := struct {
		fields
		LagSeconds *float64 `json:"lag_seconds"`
	}{fields: fields(s)}
	if !s.Totals.Complete.IsZero() {
		lag := s.Lag.Seconds()
		out.LagSeconds = &lag
	}
	return json.Marshal(out)
}

// Run ingests until ctx ends. It then finishes the current batch: a delivery or
// save in progress is not interrupted, one that waits for a retry is retried at
// once, and both must be done within StopGrace. A batch that cannot be finished
// is read and delivered again by the next run.
//
// Run returns nil once it has stopped because ctx ended. It returns an error,
// which would recur on another call, when a required field is missing, when the
// runner runs already, when the cursor cannot be used (see [ErrCursor]), or
// when the source breaks the contract of [Source]. When another host has moved
// the cursor (see [ErrConflict]), it continues from there.
func (r *Runner) Run(ctx context.Context) error {
	_, err := r.run(ctx, false)
	return err
}

// Drain polls, delivers and saves until no backlog remains, and returns what
// its polls covered. It retries nothing: the first failure ends it and is
// returned, with the coverage of the batches before, which are delivered and
// saved. The end of ctx is such a failure, though the current batch is finished
// as in [Runner.Run]. Calling Drain again continues from there.
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
	s.Totals.Logs = slices.Clone(s.Totals.Logs)
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

	// Retries of Run stop on an unusable cursor, or because ctx has ended,
	// which is not an error of Run.
	stop := func(err error) (Coverage, error) {
		if once || errors.Is(err, ErrCursor) {
			return total, err
		}
		return total, nil
	}

	var saved Cursor
	load := func() error {
		return r.retry(ctx, once, StepLoad, func() (err error) {
			saved, err = r.Store.Load(ctx, r.Key)
			return err
		})
	}
	if err := load(); err != nil {
		return stop(err)
	}
	for {
		var batch Batch
		err := r.retry(ctx, once, StepPoll, func() (err error) {
			batch, err = r.poll(ctx, saved)
			return err
		})
		if err != nil {
			return stop(err)
		}
		if err := batch.Check(); err != nil {
			r.failed(StepPoll, err)
			return total, fmt.Errorf("ingest: %s: %w", r.Key, err)
		}
		// An unchanged cursor would only return the same batch again, so More
		// must not turn it into a busy loop.
		moved := !bytes.Equal(batch.Cursor, saved)
		err = r.settle(ctx, once, batch, moved)
		if errors.Is(err, ErrConflict) && !once && ctx.Err() == nil {
			r.logger().Warn("another host polls from the same cursor and has moved it; the events of the last batch are delivered twice",
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
			r.wait(ctx, r.jitter(batch.Coverage.UntilNextPoll(r.interval(), time.Now())))
		case batch.More:
			return total, fmt.Errorf("ingest: %s: the source reports a backlog, but its cursor does not move", r.Key)
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
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	logs := MergeLogs(r.status.Totals.Logs, batch.Coverage.Logs, now)
	if err == nil {
		batch.Coverage.Logs = logs
		return batch, nil
	}
	r.status.Totals.AddRequests(batch.Coverage)
	if len(logs) > 0 {
		r.status.Totals.Logs = logs
	}
	return batch, err
}

// settle delivers batch and saves its cursor, in this order.
func (r *Runner) settle(ctx context.Context, once bool, batch Batch, moved bool) error {
	grace, cancel := linger(ctx, r.stopGrace())
	defer cancel()
	if len(batch.Events) > 0 {
		err := r.retry(ctx, once, StepDeliver, func() error {
			return r.Sink.Write(grace, batch.Events)
		})
		if err != nil {
			return err
		}
	}
	if moved {
		err := r.retry(ctx, once, StepSave, func() error {
			return r.Store.Save(grace, r.Key, batch.Cursor)
		})
		if err != nil {
			return err
		}
	}
	r.settled(batch, once)
	if r.OnBatch != nil {
		r.OnBatch(batch)
	}
	return nil
}

// Step is a step of a [Runner] that can fail.
type Step string

// The steps.
const (
	StepLoad    Step = "load the cursor"
	StepPoll    Step = "poll"
	StepDeliver Step = "deliver"
	StepSave    Step = "save the cursor"
)

// StepError is the failure of a step that a [Runner] does not retry.
type StepError struct {
	// Key is the Key of the runner.
	Key  string
	Step Step
	Err  error
}

// Error implements error.
func (e *StepError) Error() string { return fmt.Sprintf("ingest: %s: %s: %v", e.Key, e.Step, e.Err) }

// Unwrap returns why the step failed.
func (e *StepError) Unwrap() error { return e.Err }

// retry calls attempt until it succeeds, the cursor is unusable or moved by
// another host, ctx ends or, with once, it has failed. After ctx has ended, a
// step that works on a batch gets one last attempt, and the others none.
func (r *Runner) retry(ctx context.Context, once bool, s Step, attempt func() error) error {
	inHand := s == StepDeliver || s == StepSave
	for n := 1; ; n++ {
		last := ctx.Err() != nil
		if last && !inHand {
			return ctx.Err()
		}
		r.setDoing(s, time.Now().UTC())
		err := attempt()
		r.setDoing("", time.Time{})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && !inHand {
			return ctx.Err()
		}
		told := r.failed(s, err)
		if once || s == StepSave && errors.Is(err, ErrConflict) || !inHand && errors.Is(err, ErrCursor) {
			return &StepError{Key: r.Key, Step: s, Err: err}
		}
		if last {
			r.logger().Error("stopped with a batch in hand; the next run reads its entries again",
				"key", r.Key, "step", string(s), "error", err)
			return err
		}
		if ctx.Err() != nil {
			continue // to the last attempt, which follows at once
		}
		pause := r.jitter(r.backoff(n, s, err))
		r.logFailure(s, err, told, pause)
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

func (r *Runner) setDoing(s Step, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Doing, r.status.DoingSince = s, since
}

// failed records a failure and reports whether the previous one was the same.
func (r *Runner) failed(s Step, err error) (same bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.status
	now := time.Now().UTC()
	if st.Failures == 0 {
		r.downSince = now
	}
	if st.Failures == 0 || st.Step != s {
		st.FailingSince, st.StepFailures = now, 0
	}
	text := string(s) + ": " + err.Error()
	same = st.Failures > 0 && st.LastError == text
	st.Failures++
	st.StepFailures++
	st.Step, st.LastError, st.LastErrorAt, st.Err = s, text, now, err
	switch s {
	case StepPoll:
		st.PollFailures++
	case StepDeliver:
		st.SinkFailures++
	default:
		st.StoreFailures++
	}
	return same
}

// logFailure logs a failure: in full when it differs from the previous one, and
// otherwise only that it persists, because the remedy in it is long.
func (r *Runner) logFailure(s Step, err error, told bool, pause time.Duration) {
	st := r.Status()
	if !told {
		r.logger().Warn("ingest failed", "key", r.Key, "step", string(s),
			"error", err, "failures", st.Failures, "retry_in", pause)
		return
	}
	r.logger().Warn("ingest still failing", "key", r.Key, "step", string(s),
		"since", st.FailingSince, "failures", st.Failures, "retry_in", pause)
}

// settled records that batch is delivered and its cursor saved. That is a
// success if a log was read. With once it logs nothing about the logs: the
// caller of Drain has their states in the coverage.
func (r *Runner) settled(batch Batch, once bool) {
	r.mu.Lock()
	before := r.status.Totals.Logs
	r.status.Totals.Add(batch.Coverage)
	r.mu.Unlock()
	if err := batch.Coverage.Unread(); err != nil {
		r.failed(StepPoll, err)
		if once {
			return
		}
		r.logger().Warn("ingest failed", "key", r.Key, "step", string(StepPoll), "error", err, "failures", r.Status().Failures)
		return
	}
	r.mu.Lock()
	failures, down := r.status.Failures, time.Since(r.downSince)
	r.mu.Unlock()
	if !once {
		r.logLogs(before, batch.Coverage.Logs, failures > 0)
	}
	r.mu.Lock()
	r.status.Failures, r.status.StepFailures, r.status.FailingSince = 0, 0, time.Time{}
	r.status.LastSuccess = time.Now().UTC()
	r.mu.Unlock()
	if failures > 0 {
		r.logger().Info("ingest recovered", "key", r.Key, "failures", failures, "after", down)
	}
}

// logLogs logs which of the logs have failed or recovered. After a recovery of the
// whole it also logs those that still fail, which are the exception from then on.
func (r *Runner) logLogs(before, after []LogState, recovered bool) {
	for _, s := range after {
		i := slices.IndexFunc(before, func(b LogState) bool { return b.Name == s.Name })
		failed := i >= 0 && before[i].Failed()
		switch {
		case s.Failed() && (recovered || !failed || before[i].Error != s.Error):
			r.logger().Warn("a log cannot be read; the others go on", "key", r.Key, "log", s.Name, "error", s.cause())
		case !s.Failed() && !s.Skipped && failed:
			r.logger().Info("a log can be read again", "key", r.Key, "log", s.Name, "after", time.Since(before[i].Since))
		}
	}
}

func (r *Runner) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Logger
}

// backoff is the pause after n consecutive failures of a step. Only polls put
// load on the vendor, so only their pause may grow to the interval.
func (r *Runner) backoff(n int, s Step, err error) time.Duration {
	interval := time.Duration(0)
	if s == StepPoll {
		interval = r.interval()
	}
	return backoff.Pause(n, interval, retryAfter(err), NeedsAction(err))
}

// jitter adds up to 10 % to d, which is not negative.
func (r *Runner) jitter(d time.Duration) time.Duration {
	// A vendor can ask for any pause: the sum must not overflow to a negative
	// one, which would end at once.
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
