package fleet

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// upkeepInterval is how often the fleet is looked after.
const upkeepInterval = 30 * time.Second

// upkeepArgs is the job that looks after the fleet.
type upkeepArgs struct{}

// Kind implements [river.JobArgs].
func (upkeepArgs) Kind() string { return "fleet_upkeep" }

// periodicUpkeep has River's leader insert the job.
func periodicUpkeep() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(upkeepInterval), newUpkeep, &river.PeriodicJobOpts{RunOnStart: true})
}

func newUpkeep() (river.JobArgs, *river.InsertOpts) {
	return upkeepArgs{}, &river.InsertOpts{
		Queue: upkeepQueue,
		// The next one comes anyway. It is not unique: that of a worker that
		// died is taken for running until it is rescued, and two at once do
		// no harm.
		MaxAttempts: 1,
	}
}

// upkeep restores what should never be missing.
type upkeep struct {
	river.WorkerDefaults[upkeepArgs]
	*Fleet
	log *slog.Logger
}

// Timeout implements [river.Worker].
func (u *upkeep) Timeout(*river.Job[upkeepArgs]) time.Duration { return upkeepInterval }

// Work implements [river.Worker].
func (u *upkeep) Work(ctx context.Context, _ *river.Job[upkeepArgs]) error {
	n, err := u.restore(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		u.log.Warn("restored the jobs of instances that had none", "instances", n)
	}
	_, err = u.pool.Exec(ctx, `DELETE FROM fleet_budget
		WHERE filled_at < clock_timestamp() - make_interval(secs => $1) AND paused_until < clock_timestamp()`, forget.Seconds())
	return err
}

// restore gives a job to each instance that should have one and has none, so
// that none is ever forgotten, and returns how many that were. In normal running
// there are none; after rows of River were lost, or a job was discarded or
// cancelled by hand, there may be. What is being changed at the time is left to
// the change, or to the next upkeep.
func (f *Fleet) restore(ctx context.Context) (n int, err error) {
	err = pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT i.id, i.interval_s FROM fleet_instance i JOIN fleet_state s ON s.id = i.id
			WHERE NOT i.paused AND NOT s.halted AND NOT EXISTS (
				SELECT FROM river_job j WHERE j.kind = $1 AND j.args->>'instance' = i.id
				AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
			LIMIT 5000 FOR SHARE OF i SKIP LOCKED`, pollArgs{}.Kind())
		if err != nil {
			return err
		}
		type missing struct {
			ID      string
			Seconds int
		}
		lost, err := pgx.CollectRows(rows, pgx.RowToStructByPos[missing])
		if err != nil || len(lost) == 0 {
			return err
		}
		now := time.Now()
		jobs := make([]river.InsertManyParams, len(lost))
		ids, times := make([]string, len(lost)), make([]time.Time, len(lost))
		for i, m := range lost {
			ids[i], times[i] = m.ID, soon(m.ID, len(lost), time.Duration(m.Seconds)*time.Second, now)
			jobs[i] = river.InsertManyParams{Args: pollArgs{m.ID}, InsertOpts: jobAt(times[i])}
		}
		if _, err := tx.Exec(ctx, `UPDATE fleet_state s SET next_poll = l.at
			FROM unnest($1::text[], $2::timestamptz[]) AS l (id, at) WHERE s.id = l.id`, ids, times); err != nil {
			return err
		}
		_, err = f.jobs.InsertManyTx(ctx, tx, jobs)
		n = len(lost)
		return err
	})
	return n, err
}
