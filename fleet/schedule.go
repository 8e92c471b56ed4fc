package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/aisoc/cloudflareaudit/internal/backoff"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

const (
	// pollQueue is the queue of the polls, and upkeepQueue that of the jobs
	// that keep the fleet in order, which must not wait behind polls.
	pollQueue   = "fleet"
	upkeepQueue = "fleet_upkeep"

	// spread is the time in which instances are polled that were just added or
	// changed. Together with the 5 s that River's scheduler takes, it is less
	// than a minute.
	spread = 45 * time.Second
	// schedulerDelay is how late River's scheduler may make a job available.
	schedulerDelay = 5 * time.Second
	// spreadPer is how much of it each of them takes up: a single one is polled
	// at once.
	spreadPer = 450 * time.Millisecond
)

// pollArgs is the job of an instance.
type pollArgs struct {
	Instance string `json:"instance"`
}

// Kind implements [river.JobArgs].
func (pollArgs) Kind() string { return "fleet_poll" }

// live are the states of a job that is still to come to its end. There is at
// most one such job for an instance.
var live = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// jobAt is how a poll due at a time is inserted. The attempts are not what ends
// it: a poll that fails completes its job and inserts the next one, and only
// those of a failing database and of workers that die are counted.
func jobAt(at time.Time) *river.InsertOpts {
	if !at.After(time.Now()) {
		// With a time it would wait for River's scheduler, also with one that
		// has come.
		at = time.Time{}
	}
	return &river.InsertOpts{
		Queue:       pollQueue,
		ScheduledAt: at,
		MaxAttempts: 1000,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: live},
	}
}

// setNext notes when the next poll of an instance is due, for people.
func setNext(ctx context.Context, db postgres.DB, id string, at time.Time) error {
	_, err := db.Exec(ctx, `UPDATE fleet_state SET next_poll = $2 WHERE id = $1`, id, at)
	return err
}

// cancelJob takes the job of an instance away that waits for its time. One that
// is running is left alone: it sees for itself what has become of its instance.
// Without the lock a worker could take the job in between, and its poll would be
// cut off.
func (f *Fleet) cancelJob(ctx context.Context, tx pgx.Tx, id string) error {
	rows, err := tx.Query(ctx, `SELECT id FROM river_job
		WHERE kind = $1 AND state IN ('available', 'pending', 'retryable', 'scheduled')
		AND args @> jsonb_build_object('instance', $2::text) FOR UPDATE`, pollArgs{}.Kind(), id)
	if err != nil {
		return err
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if _, err := f.jobs.JobCancelTx(ctx, tx, job); err != nil {
			return fmt.Errorf("cancel the job %d: %w", job, err)
		}
	}
	return nil
}

// phase is the place of an instance in an interval: always the same for it, and
// evenly spread over all instances.
func phase(id string, interval time.Duration) time.Duration {
	sum := sha256.Sum256([]byte(id))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(interval))
}

// next is the time of the next regular poll after one at now: the next place of
// the instance that is at least half an interval away. So polls keep to their
// places whatever came in between, those of different instances do not come to
// coincide, and between two there is never more than one and a half intervals.
func next(id string, interval time.Duration, now time.Time) time.Time {
	at := now.Truncate(interval).Add(phase(id, interval))
	for at.Sub(now) < interval/2 {
		at = at.Add(interval)
	}
	return at
}

// soon is the time of a poll of one of so many that should not wait for its
// place, but not coincide with all the others either.
func soon(id string, many int, interval time.Duration, now time.Time) time.Time {
	within := min(interval, spread, time.Duration(many-1)*spreadPer)
	if within <= 0 {
		return now
	}
	return now.Add(phase(id, within))
}

// retryIn is how long to wait after failures of an instance in a row, as
// [backoff.Pause] has it. River's scheduler is part of that.
func retryIn(id string, failures int, interval, asked time.Duration, needsAction bool) time.Duration {
	longest := backoff.Limit(interval, needsAction)
	d := jitter(id, backoff.Pause(failures, interval, 0, needsAction))
	return max(min(d, longest-schedulerDelay), jitter(id, asked))
}

// jitter makes a pause up to a tenth longer, always the same for an instance, so
// that what failed together does not come back together.
func jitter(id string, d time.Duration) time.Duration { return d + phase(id, d/10+1) }
