package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

const (
	defaultConcurrency = 64
	defaultPollTimeout = 2 * time.Minute
	defaultStopGrace   = 15 * time.Second

	// retention is how long the row of a finished job is kept, and that of one
	// that was given up, for a person to look at. River's cleaner looks every
	// 30 s.
	retention        = time.Minute
	discardRetention = time.Hour
)

// settleTime is how long the transaction after a poll may take, with its
// repetitions.
func settleTime(pollTimeout time.Duration) time.Duration { return min(10*time.Second, pollTimeout/4) }

// lease says when River ends the context of a job, and when it takes the job for
// that of a dead worker, which it looks for every 30 s. By the first of these a
// worker has settled, and by the second it has noticed.
func lease(pollTimeout time.Duration) (timeout, rescue time.Duration) {
	settle := settleTime(pollTimeout)
	return pollTimeout + 2*settle, pollTimeout + 3*settle
}

// workerID tells workers apart, for River and for people.
func workerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), rand.Text()[:8])
}

// WorkOptions are the settings of a worker. Sink is required.
type WorkOptions struct {
	// Sink returns where the events of an instance go. It is called for every
	// poll that has events, so it should return the same sink for the same
	// tenant and feed; a [github.com/aisoc/cloudflareaudit/sink.Group] lets
	// instances share the calls of one.
	Sink func(Instance) (ingest.Sink, error)
	// Concurrency is how many instances are polled at once; 64 by default.
	Concurrency int
	// PollTimeout is how long a poll and the delivery of its events may take; 2
	// minutes by default. All workers must have the same value.
	PollTimeout time.Duration
	// StopGrace is how long polls may still take once the context of Work has
	// ended; 15 s by default.
	StopGrace time.Duration
	// Logger gets the beginning and the end of each failure. Nil means no log.
	Logger *slog.Logger
	// OnPoll, when set, is called after each poll, by several goroutines at
	// once.
	OnPoll func(Poll)
}

// Poll is the outcome of a poll.
type Poll struct {
	Instance Instance
	// Batch is what it returned. If it failed, Coverage may account for the
	// requests.
	Batch ingest.Batch
	// Step is where it failed, and Err why. Err is nil when it succeeded.
	Step Step
	Err  error
	// Deferred says that it was put off before it sent a request, because the
	// budget of the token is used up. It does not count as a failure.
	Deferred bool
	// Late is how long after its due time it began, and Took how long it took.
	Late, Took time.Duration
}

// A Step is a part of a poll that can fail.
type Step string

// The steps.
const (
	StepBuild   Step = "build"   // the source, of its configuration and secrets
	StepPoll    Step = "poll"    // the source
	StepDeliver Step = "deliver" // to the sink
	StepSave    Step = "save"    // the cursor, and the next job
)

// Work polls the instances that are due until ctx ends, and then lets the polls
// under way finish, for at most StopGrace. Failures of the sources, the sinks
// and the database are retried. It returns an error when it cannot start: when
// a field of opts is wrong, the tables are outdated ([ErrOutdated]), the clock
// differs from that of the database by more than 30 s, or a key is missing
// ([ErrNoKey]).
func (f *Fleet) Work(ctx context.Context, opts WorkOptions) error {
	switch {
	case opts.Sink == nil:
		return prefixed.Errorf("fleet", "Sink is nil")
	case opts.Concurrency < 0:
		return prefixed.Errorf("fleet", "Concurrency is negative: %d", opts.Concurrency)
	case opts.PollTimeout < 0:
		return prefixed.Errorf("fleet", "PollTimeout is negative: %s", opts.PollTimeout)
	case opts.StopGrace < 0:
		return prefixed.Errorf("fleet", "StopGrace is negative: %s", opts.StopGrace)
	}
	opts.Concurrency = cmp.Or(opts.Concurrency, defaultConcurrency)
	opts.PollTimeout = cmp.Or(opts.PollTimeout, defaultPollTimeout)
	opts.StopGrace = cmp.Or(opts.StopGrace, defaultStopGrace)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := f.Check(ctx); err != nil {
		return err
	}
	if err := f.clock(ctx); err != nil {
		return err
	}
	if err := f.checkKey(ctx); err != nil {
		return err
	}

	timeout, rescue := lease(opts.PollTimeout)
	workers := river.NewWorkers()
	river.AddWorker(workers, &poller{Fleet: f, opts: opts})
	river.AddWorker(workers, &upkeep{Fleet: f, log: opts.Logger})
	client, err := river.NewClient(riverpgxv5.New(f.pool), &river.Config{
		Queues: map[string]river.QueueConfig{
			pollQueue:   {MaxWorkers: opts.Concurrency},
			upkeepQueue: {MaxWorkers: 1},
		},
		Workers:                     workers,
		PeriodicJobs:                []*river.PeriodicJob{periodicUpkeep()},
		ID:                          workerID(),
		JobTimeout:                  timeout,
		RescueStuckJobsAfter:        rescue,
		CompletedJobRetentionPeriod: retention,
		CancelledJobRetentionPeriod: retention,
		DiscardedJobRetentionPeriod: discardRetention,
		SoftStopTimeout:             opts.StopGrace,
		Logger:                      slog.New(warnings{opts.Logger.Handler()}),
	})
	if err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	// The context of Start would stop it, too; this way it is stopped once.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	<-ctx.Done()
	if err := client.Stop(context.WithoutCancel(ctx)); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	return nil
}

// ErrNoKey is wrapped by the error of [Fleet.Work] when the vault has no key
// and instances have encrypted secrets.
var ErrNoKey = errors.New("there is no key to decrypt secrets with")

// checkKey reports whether the worker has a key when it needs one. Else it would
// take jobs from workers that have one, and fail.
func (f *Fleet) checkKey(ctx context.Context) error {
	if len(f.vault.identities) > 0 {
		return nil
	}
	var n int
	if err := f.pool.QueryRow(ctx, `SELECT count(*) FROM fleet_instance WHERE secrets IS NOT NULL`).Scan(&n); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	if n > 0 {
		return prefixed.Errorf("fleet", "%w, and %d of the instances have some that are encrypted", ErrNoKey, n)
	}
	return nil
}

// warnings is a handler that leaves out what River says in normal running.
type warnings struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
