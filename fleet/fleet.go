// Package fleet polls thousands of source instances from several processes,
// with their work in a Postgres database:
//
//	vault, err := fleet.NewVault(key, "") // the key that encrypts the tokens
//	...
//	f, err := fleet.New(pool, &catalog, vault)
//	...
//	changes, err := f.Put(ctx, fleet.Spec{Connector: "cloudflare", Tenant: tenant, Account: account, …})
//	err = f.Work(ctx, fleet.WorkOptions{Sink: func(fleet.Instance) (ingest.Sink, error) { return out, nil }})
//
// # When to use it
//
// One process with [ingest.Runner] and a folder serves hundreds of accounts. A
// fleet is for more than that, or for when no single machine may be missed. It
// needs a Postgres server, and machines whose clocks agree within a few
// seconds. The connections of the pool should have an
// idle_in_transaction_session_timeout: without it the server may wait for hours
// for a machine that is gone, whose locks keep the others from taking over the
// polls of machines that died.
//
// # How it works
//
// The engine is River, a job queue on Postgres: this package has no scheduler
// of its own. Every instance has exactly one job, due at its next poll. A
// worker takes the job, loads the instance and its cursor, polls, delivers the
// events, and then, in one transaction, saves the cursor, records the state of
// the instance, completes the job and inserts the next one. Since a poll
// depends on nothing but the cursor, any worker can make it.
//
// # What it promises
//
// The cursor is saved after the sink has accepted the events, by compare-and-swap
// on its version. So nothing is lost, whenever a worker or the database stops;
// what a stopped worker had delivered without saving the cursor, at most one
// batch of each instance it was polling, is delivered again under the same ids.
//
// A job is unique, so an instance is never polled twice at once. A worker has
// PollTimeout for a poll. If it dies, River's leader, which is one of the
// workers, makes its jobs available again, at the latest about a minute after
// that time. A worker that was suspended for that long and then resumes cannot
// save its cursor.
//
// # Fairness
//
// Jobs are taken in the order in which they are due. An instance with a backlog
// is due again at once, which puts it behind everything that is due already:
// between two of its polls, all others get theirs.
//
// Only programs that import this package compile pgx, River and age.
package fleet

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgmigrate"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// Fleet is the set of instances in a database. Its methods are safe for
// concurrent use. Those that take the id of an instance return an error that
// wraps [ErrUnknown] when there is none.
type Fleet struct {
	pool    *pgxpool.Pool
	catalog *ingest.Catalog
	vault   *Vault
	jobs    *river.Client[pgx.Tx]
}

// New returns the fleet in the database of pool. The catalog builds its sources
// and the vault decrypts its secrets; all three are required. It does no I/O.
func New(pool *pgxpool.Pool, catalog *ingest.Catalog, vault *Vault) (*Fleet, error) {
	if pool == nil || catalog == nil || vault == nil {
		return nil, prefixed.Errorf("fleet", "the pool, the catalog and the vault are required")
	}
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	return &Fleet{pool, catalog, vault, jobs}, nil
}

//go:embed migrations
var migrations embed.FS

// line is the name of the migrations of this package.
const migrationLine = "fleet"

// lock keeps two processes from migrating at once, also the tables of River,
// which has no lock of its own. The number means nothing.
const migrationLock = 0x63666c656574

// Migrate creates the tables of the fleet, of its cursors and of River, or
// upgrades them, and returns the names of the migrations applied: none when all
// is up to date. It may run while workers are at work; those of an older
// release keep working until they are restarted.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (applied []string, err error) {
	held, err := pool.Acquire(ctx)
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	// Taken out of the pool, which may allow but one connection.
	conn := held.Hijack()
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// It only holds the lock, for as long as that takes.
		if _, err := tx.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '0', true), pg_advisory_xact_lock($1)`,
			int64(migrationLock)); err != nil {
			return prefixed.Errorf("fleet", "%w", err)
		}
		applied, err = migrate(ctx, pool)
		return err
	})
	return applied, err
}

func migrate(ctx context.Context, pool *pgxpool.Pool) (applied []string, err error) {
	add := func(names []string) {
		applied = append(applied, names...)
	}
	names, err := postgres.Migrate(ctx, pool)
	if err != nil {
		return applied, prefixed.Errorf("fleet", "%w", err)
	}
	add(names)
	if names, err = pgmigrate.Apply(ctx, pool, migrationLine, migrations); err != nil {
		return applied, prefixed.Errorf("fleet", "%w", err)
	}
	add(names)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return applied, prefixed.Errorf("fleet", "%w", err)
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return applied, prefixed.Errorf("fleet", "migrate the tables of River: %w", err)
	}
	for _, v := range result.Versions {
		add([]string{fmt.Sprintf("river %03d %s", v.Version, v.Name)})
	}
	return applied, nil
}

// ErrOutdated is wrapped by the errors about tables that are missing or old,
// which [Migrate] creates or upgrades.
var ErrOutdated = pgmigrate.ErrOutdated

// maxSkew is how far the clock of a machine may be from that of the database:
// what lies between the end of a poll and the search for dead workers by default.
const maxSkew = 30 * time.Second

// clock reports whether the clock of this machine is that of the database. The
// next poll of an instance would be as far off as the clock is ahead, and then
// nobody would see that it is overdue.
func (f *Fleet) clock(ctx context.Context) error {
	before := time.Now()
	var theirs time.Time
	if err := f.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	// The reply was made at some time in between.
	ahead, behind := before.Sub(theirs), time.Until(theirs)
	const fault = "the clock of this machine is %s %s that of the database, and they must agree within %s"
	switch {
	case ahead > maxSkew:
		return prefixed.Errorf("fleet", fault, ahead.Round(time.Second), "ahead of", maxSkew)
	case behind > maxSkew:
		return prefixed.Errorf("fleet", fault, behind.Round(time.Second), "behind", maxSkew)
	}
	return nil
}

// Check returns nil when the database has the tables that this release works
// with. The error wraps [ErrOutdated] when [Migrate] is what is missing.
func (f *Fleet) Check(ctx context.Context) error {
	if err := postgres.Check(ctx, f.pool); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	if err := pgmigrate.Check(ctx, f.pool, migrationLine, migrations); err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(f.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	result, err := migrator.Validate(ctx, nil)
	if err != nil {
		return prefixed.Errorf("fleet", "%w", err)
	}
	if !result.OK {
		return prefixed.Errorf("fleet", "the tables of River are not up to date: %w", ErrOutdated)
	}
	return nil
}
