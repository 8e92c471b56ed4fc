package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// poller makes the polls.
type poller struct {
	river.WorkerDefaults[pollArgs]
	*Fleet
	opts WorkOptions
}

// NextRetry implements [river.Worker]: it is for what failed because of the
// database, or because the worker died or stopped. What cannot be saved is
// delivered again each time, so it comes less and less often.
func (p *poller) NextRetry(job *river.Job[pollArgs]) time.Time {
	return time.Now().Add(retryIn(job.Args.Instance, job.Attempt, 0, 0, false))
}

// task is a poll under way.
type task struct {
	Instance
	job      *river.Job[pollArgs]
	cursor   ingest.Cursor
	version  int64 // of the cursor
	failures int   // in a row, before this poll
	// step is what failed then, stepFailures times in a row since failingSince.
	step         Step
	stepFailures int
	failingSince time.Time
	needsAction  bool
	logs         []ingest.LogState // after the poll before
	// completed is when the last try to settle has completed the job, whether
	// or not that try came to its end.
	completed time.Time
}

// Work implements [river.Worker]: it makes one poll. Its error is for River and
// means that the job is to be made again; what fails of the poll itself is dealt
// with by settle.
func (p *poller) Work(ctx context.Context, job *river.Job[pollArgs]) error {
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, p.opts.PollTimeout)
	defer cancel()
	t, err := p.load(within, job)
	if errors.Is(err, ErrUnknown) || err == nil && t.Paused {
		// It was removed or paused, and with its job ends its polling.
		return p.retire(within, job)
	}
	if err != nil {
		return err
	}
	poll := p.poll(within, t)
	if poll.Err != nil && ctx.Err() != nil {
		// The worker stops. Another one makes the poll anew.
		return fmt.Errorf("%s: %w", poll.Step, poll.Err)
	}
	poll.Late, poll.Took = max(0, began.Sub(job.ScheduledAt)), time.Since(began)
	err = p.settle(context.WithoutCancel(ctx), t, &poll)
	if err != nil {
		poll.Step, poll.Err, poll.Deferred = StepSave, err, false
	}
	p.log(t, &poll)
	if p.opts.OnPoll != nil {
		p.opts.OnPoll(poll)
	}
	if errors.Is(err, errLost) {
		// The job is another's, who does not need to be told.
		return nil
	}
	return err
}

// retire ends the job of an instance that is paused or removed.
func (p *poller) retire(ctx context.Context, job *river.Job[pollArgs]) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := completeJob(ctx, tx, job); err != nil {
			return err
		}
		return p.follow(ctx, tx, job.Args.Instance)
	})
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

// follow inserts a job for an instance that was taken for paused or removed when
// its last one was completed, if it is not so any more. What brought it back may
// have found that job, which only ends with this transaction, and inserted none.
func (p *poller) follow(ctx context.Context, tx pgx.Tx, id string) error {
	var at time.Time
	err := tx.QueryRow(ctx, `SELECT coalesce(s.next_poll, now()) FROM fleet_instance i JOIN fleet_state s ON s.id = i.id
		WHERE i.id = $1 AND NOT i.paused AND NOT s.halted`, id).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = p.jobs.InsertTx(ctx, tx, pollArgs{id}, jobAt(at))
	}
	return err
}

// load loads what a poll needs.
func (p *poller) load(ctx context.Context, job *river.Job[pollArgs]) (*task, error) {
	t := &task{job: job}
	id := job.Args.Instance
	var since *time.Time
	err := p.pool.QueryRow(ctx, `SELECT `+columns+`, s.failures, s.step, s.step_failures, s.failing_since, s.needs_action, s.logs
		FROM fleet_instance i JOIN fleet_state s ON s.id = i.id WHERE i.id = $1`, id).
		Scan(append(t.fields(), &t.failures, &t.step, &t.stepFailures, &since, &t.needsAction, &t.logs)...)
	t.failingSince = utcOf(since)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil || t.Paused {
		return t, err
	}
	t.cursor, t.version, err = postgres.Load(ctx, p.pool, id)
	return t, err
}

// poll polls and delivers.
func (p *poller) poll(ctx context.Context, t *task) Poll {
	out := Poll{Instance: t.Instance}
	failed := func(s Step, err error) Poll {
		out.Step, out.Err = s, err
		out.Deferred = s == StepPoll && putOff(err, out.Batch.Coverage)
		return out
	}
	source, err := p.source(&t.Instance)
	if err != nil {
		return failed(StepBuild, err)
	}
	batch, err := source.Poll(ctx, t.cursor)
	batch.Coverage.Logs = ingest.MergeLogs(t.logs, batch.Coverage.Logs, time.Now())
	if err == nil {
		err = batch.Check()
	}
	if err != nil {
		out.Batch.Coverage = batch.Coverage
		return failed(StepPoll, err)
	}
	if err := batch.Coverage.Unread(); err != nil {
		// Its cursor counts all the same: it fixes where the feed begins.
		out.Batch = batch
		return failed(StepPoll, err)
	}
	if len(batch.Events) > 0 {
		sink, err := p.opts.Sink(t.Instance)
		if err == nil {
			err = sink.Write(ctx, batch.Events)
		}
		if err != nil {
			out.Batch.Coverage = ingest.Coverage{
				Requests: batch.Coverage.Requests, Statuses: batch.Coverage.Statuses, Throttled: batch.Coverage.Throttled,
				Logs: batch.Coverage.Logs,
			}
			return failed(StepDeliver, err)
		}
	}
	out.Batch = batch
	return out
}

// putOff reports whether a poll failed only because it is not its time: the
// fleet, or a limiter of the source itself, has held back its first request.
func putOff(err error, c ingest.Coverage) bool {
	var budget *BudgetError
	var asks ingest.RetryAfterer
	return errors.As(err, &budget) || c.Requests == 0 && errors.As(err, &asks) && asks.RetryAfter() > 0
}

// errLost says that the job is not this worker's any more.
var errLost = errors.New("another worker has taken over the poll, because this one took too long; the events it has delivered will be delivered again")

// errSettled says that the try before has settled a poll, although its reply got
// lost.
var errSettled = errors.New("settled already")

// complete completes a job that is still this worker's, and returns when that
// was.
func completeJob(ctx context.Context, tx pgx.Tx, job *river.Job[pollArgs]) (at time.Time, err error) {
	row, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
	switch {
	case errors.Is(err, rivertype.ErrNotFound):
		return at, fmt.Errorf("%w (its job is gone)", errLost)
	case err != nil:
		return at, err
	case row.State != rivertype.JobStateCompleted || row.Attempt != job.Attempt:
		return at, fmt.Errorf("%w (its job is %s)", errLost, row.State)
	}
	return *row.FinalizedAt, nil
}

// settle puts down how a poll went. While the database cannot, it tries again
// for as long as the job is its own, so that a restart of the database does not
// have everything delivered again that is in hand.
func (p *poller) settle(ctx context.Context, t *task, poll *Poll) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime(p.opts.PollTimeout))
	defer cancel()
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return p.settleTx(ctx, tx, t, poll) })
		if errors.Is(err, errSettled) {
			return nil
		}
		if err == nil || errors.Is(err, errLost) || errors.Is(err, ingest.ErrConflict) {
			return err
		}
		if httpx.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// outcome is what is put down about a poll.
type outcome struct {
	lastError    string
	failures     int
	step         Step
	stepFailures int
	failingSince time.Time
	needsAction  bool
	halted       bool
	at           time.Time // of the next poll
}

// failed is the outcome of a poll that failed, after t.
func (t *task) failed(poll *Poll, asked time.Duration, now time.Time) outcome {
	o := outcome{
		lastError:    clean(prefixed.Bare(poll.Err)),
		failures:     t.failures + 1,
		step:         poll.Step,
		stepFailures: 1,
		failingSince: now,
		needsAction:  poll.Step == StepBuild || ingest.NeedsAction(poll.Err),
		halted:       poll.Step == StepPoll && errors.Is(poll.Err, ingest.ErrCursor),
	}
	if t.failures > 0 && t.step == poll.Step && !t.failingSince.IsZero() {
		o.stepFailures, o.failingSince = t.stepFailures+1, t.failingSince
	}
	o.at = now.Add(retryIn(t.ID, o.failures, t.Interval, asked, o.needsAction))
	return o
}

func (p *poller) judge(t *task, poll *Poll, now time.Time) outcome {
	var asked time.Duration
	var asks ingest.RetryAfterer
	if errors.As(poll.Err, &asks) {
		asked = min(max(asks.RetryAfter(), 0), maxInterval)
	}
	switch {
	case poll.Deferred:
		// All that share the token are put off alike, so they are spread over
		// as long again.
		return outcome{
			failures: t.failures, step: t.step, stepFailures: t.stepFailures, failingSince: t.failingSince, needsAction: t.needsAction,
			at: now.Add(asked + phase(t.ID, max(asked, time.Second))),
		}
	case poll.Err != nil:
		return t.failed(poll, asked, now)
	// An unchanged cursor would only get the same answer again, so More must
	// not turn it into a busy loop.
	case poll.Batch.More && !bytes.Equal(poll.Batch.Cursor, t.cursor):
		return outcome{at: now}
	}
	at := next(t.ID, t.Interval, now)
	// A log that cannot be read is tried again as early as a failed poll would be.
	if pause := poll.Batch.Coverage.UntilNextPoll(t.Interval, now); pause < t.Interval {
		at = earlier(at, now.Add(pause))
	}
	return outcome{at: at}
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settleTx notes how the instance fares, completes the job, saves the cursor and
// inserts the next job.
func (p *poller) settleTx(ctx context.Context, tx pgx.Tx, t *task, poll *Poll) error {
	now := time.Now()
	o := p.judge(t, poll, now)
	c := poll.Batch.Coverage
	done := poll.Err == nil
	notices, logs := reported(c, done)
	var paused bool
	var at *time.Time
	// What has changed meanwhile takes effect soon. The lock makes this wait for
	// a change under way, which would not be seen otherwise. What was removed and
	// added again is another instance, with a time of its own.
	err := tx.QueryRow(ctx, `WITH i AS (SELECT id, paused, version FROM fleet_instance WHERE id = $1 AND created_at = $14 FOR SHARE)
		UPDATE fleet_state s SET
			last_attempt = $2::timestamptz,
			last_success = CASE WHEN $3::boolean THEN $2 ELSE s.last_success END,
			last_error = CASE WHEN $4::text <> '' THEN $4 ELSE s.last_error END,
			last_error_at = CASE WHEN $4 <> '' THEN $2 ELSE s.last_error_at END,
			failures = $5,
			step = $15, step_failures = $16, failing_since = $17, needs_action = $18,
			logs = coalesce($19::jsonb, s.logs),
			halted = $6::boolean,
			complete = CASE WHEN $3 THEN coalesce($7::timestamptz, s.complete) ELSE s.complete END,
			backlog = CASE WHEN $3 THEN $8 ELSE s.backlog END,
			notices = CASE WHEN $3 THEN $9 ELSE s.notices END,
			events = s.events + $10,
			next_poll = CASE WHEN i.paused OR $6 THEN NULL WHEN i.version <> $11 THEN $12::timestamptz ELSE $13::timestamptz END
		FROM i WHERE s.id = i.id
		RETURNING i.paused, s.next_poll`,
		t.ID, now, done, o.lastError, o.failures, o.halted, nullTime(c.Complete), c.Backlog, notices, len(poll.Batch.Events),
		t.Version, soon(t.ID, 1, t.Interval, now), o.at, t.CreatedAt,
		string(o.step), o.stepFailures, nullTime(o.failingSince), o.needsAction, logs).Scan(&paused, &at)
	removed := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !removed {
		return err
	}
	completed, err := completeJob(ctx, tx, t.job)
	if err != nil {
		return err
	}
	if completed.Equal(t.completed) {
		return errSettled
	}
	t.completed = completed
	if len(poll.Batch.Cursor) > 0 && !removed && !bytes.Equal(poll.Batch.Cursor, t.cursor) {
		if _, err := postgres.Save(ctx, tx, t.ID, poll.Batch.Cursor, t.version); err != nil {
			return err
		}
	}
	if removed {
		return p.follow(ctx, tx, t.ID)
	}
	if paused || at == nil {
		return nil
	}
	_, err = p.jobs.InsertTx(ctx, tx, pollArgs{t.ID}, jobAt(*at))
	return err
}

// log tells the beginning and the end of trouble, and when it becomes another one.
func (p *poller) log(t *task, poll *Poll) {
	log := p.opts.Logger.With("instance", t.ID, "tenant", t.Tenant)
	switch {
	case poll.Deferred:
	case poll.Step == StepSave:
		log.Warn("cannot save the cursor; the poll will be repeated", "error", poll.Err)
	case poll.Err != nil && errors.Is(poll.Err, ingest.ErrCursor):
		log.Error("halted: the cursor cannot be used, a person has to act", "error", poll.Err)
	case poll.Err != nil && (t.failures == 0 || t.step != poll.Step || !t.needsAction && ingest.NeedsAction(poll.Err)):
		log.Warn("poll failed", "step", string(poll.Step), "error", poll.Err)
	case poll.Err == nil && t.failures > 0:
		log.Info("poll recovered", "failures", t.failures)
	}
	if poll.Err != nil {
		return
	}
	for _, s := range poll.Batch.Coverage.Logs {
		i := slices.IndexFunc(t.logs, func(before ingest.LogState) bool { return before.Name == s.Name })
		failed := i >= 0 && t.logs[i].Failed()
		switch {
		case s.Failed() && (!failed || t.failures > 0 || s.NeedsAction && !t.logs[i].NeedsAction):
			log.Warn("a log cannot be read; the others go on", "log", s.Name, "error", s.Error)
		case !s.Failed() && failed:
			log.Info("a log can be read again", "log", s.Name)
		}
	}
}

// stored are the notices and the states of the logs as they are put down. The
// states are nil where a poll that failed has not told any. What a state says is
// no notice besides.
func reported(c ingest.Coverage, told bool) (notices []string, logs []byte) {
	notices = []string{}
	for _, n := range c.Notices {
		if !slices.ContainsFunc(c.Logs, func(s ingest.LogState) bool { return s.Err != nil && s.Err.Error() == n }) {
			notices = append(notices, clean(n))
		}
	}
	if len(c.Logs) == 0 && !told {
		return notices, nil
	}
	states := append([]ingest.LogState{}, c.Logs...)
	for i := range states {
		states[i].Error = clean(states[i].Error)
	}
	logs, err := json.Marshal(states)
	if err != nil {
		return notices, nil // which texts and times never bring about
	}
	return notices, logs
}

// nullTime is t, or nil for the zero time.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// clean makes a message fit for the database and for a line of a table.
func clean(s string) string { return text.Clean(s, 1000) }
