package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// newWorlds is a fleet on two machines: the statements of the first can be held,
// those of the second run freely.
func newWorlds(t *testing.T) (w *world, faults *pgtest.Faults, other *Fleet) {
	t.Helper()
	url := pgtest.Database(t)
	pool := pgtest.PoolOf(t, url)
	_, err := Migrate(t.Context(), pool)
	require.NoError(t, err)
	faults = new(pgtest.Faults)
	w = newWorldIn(t, faults.Pool(t, url))
	vault, err := NewVault(w.key, "")
	require.NoError(t, err)
	other, err = New(pool, w.vendor.catalog(), vault)
	require.NoError(t, err)
	return w, faults, other
}

// waitFor waits for what another goroutine does.
func waitFor(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "never happened: "+what)
	}
}

// dueNow makes all polls due.
func (f *Fleet) dueNow(t *testing.T) {
	t.Helper()
	_, err := f.pool.Exec(t.Context(), `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE state = 'scheduled'`)
	require.NoError(t, err)
}

// blocked counts the statements that wait for a lock.
func (f *Fleet) blocked(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, f.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
	return n
}

// state is that of the newest job of an instance.
func (f *Fleet) state(t *testing.T, id string) (state string, metadata map[string]any) {
	t.Helper()
	var text []byte
	require.NoError(t, f.pool.QueryRow(t.Context(), `SELECT state::text, metadata FROM river_job
		WHERE args->>'instance' = $1 ORDER BY id DESC LIMIT 1`, id).Scan(&state, &text))
	require.NoError(t, json.Unmarshal(text, &metadata))
	return state, metadata
}

// A worker may take the job of an instance at the very time it is changed. The
// poll must not be cut off: with its job, the polling would end.
func TestChange_LeavesAJobAloneThatAWorkerTakesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world) error{
		"put": func(w *world) error {
			s := spec("a")
			s.Feed = "another"
			_, err := w.Put(t.Context(), s)
			return err
		},
		"resume": func(w *world) error { return w.Resume(t.Context(), "example-a") },
		"pause":  func(w *world) error { return w.Pause(t.Context(), "example-a") },
		"remove": func(w *world) error { return w.Remove(t.Context(), "example-a") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put(t, spec("a"))
			tx, err := w.pool.Begin(t.Context())
			require.NoError(t, err)
			defer tx.Rollback(t.Context())
			_, err = tx.Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() WHERE kind = 'fleet_poll'`)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- change(w) }()
			eventually(t, "the change waits", func() bool { return w.blocked(t) == 1 })
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-done)
			state, metadata := w.state(t, "example-a")
			assert.Equal(t, "running", state)
			assert.NotContains(t, metadata, "cancel_attempted_at")
		})
	}
}

// A job that finds its instance paused or gone ends, and the instance may come
// back in between: then there must be a job again.
func TestResume_WhileAJobOfThePausedInstanceEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ end, begin func(*Fleet) error }{
		"resume": {
			func(f *Fleet) error { return f.Pause(t.Context(), "example-a") },
			func(f *Fleet) error { return f.Resume(t.Context(), "example-a") },
		},
		"add again": {
			func(f *Fleet) error { return f.Remove(t.Context(), "example-a") },
			func(f *Fleet) error { _, err := f.Put(t.Context(), spec("a")); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, faults, other := newWorlds(t)
			w.vendor.account("a", 5)
			w.put(t, spec("a"))
			require.NoError(t, c.end(other))
			// As a poll that was cut off leaves it.
			_, err := other.jobs.Insert(t.Context(), pollArgs{"example-a"}, jobAt(time.Time{}))
			require.NoError(t, err)
			held := faults.Hold("JobSetStateIfRunningMany")
			stop := w.work(t)
			waitFor(t, "the end of the job", held.Reached)
			require.NoError(t, c.begin(other))
			close(held.On)
			eventually(t, "the job ends", func() bool {
				var n int
				require.NoError(t, other.pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job
					WHERE kind = 'fleet_poll' AND state IN ('completed', 'available')`).Scan(&n))
				return n > 0
			})
			stop()
			n, err := other.restore(t.Context())
			require.NoError(t, err)
			assert.Zero(t, n, "its polling goes on by itself")
		})
	}
}

// What is removed and added again under the same id is another instance: what a
// poll of the old one has found out is not that of the new one.
func TestPut_AddedAgainDuringAPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 30)
	w.vendor.account("b", 0)
	under, on := a.hold()
	first, second := spec("a"), spec("b")
	first.ID, second.ID = "x", "x"
	second.Interval = 24 * time.Hour
	w.put(t, first)
	stop := w.work(t)
	<-under
	require.NoError(t, w.Remove(t.Context(), "x"))
	w.put(t, second)
	close(on)
	eventually(t, "the poll is settled", func() bool { state, _ := w.state(t, "x"); return state != "running" })
	stop()
	cursor, _, err := postgres.Load(t.Context(), w.pool, "x")
	require.NoError(t, err)
	assert.NotEqual(t, ingest.Cursor("10"), cursor, "the cursor of another account")
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	assert.Zero(t, list[0].Events)
	assert.Len(t, w.jobs(t, "x"), 1)
}

// A transaction whose end is not known was committed.
func TestWork_ALostReplyToTheCommitIsNoFailure(t *testing.T) {
	t.Parallel()
	w, faults, other := newWorlds(t)
	a := w.vendor.account("a", 5)
	a.answer = answerWith(func(map[string]any) error { faults.LoseReply("UPDATE fleet_state", "commit"); return nil })
	s := spec("a")
	s.Interval = time.Hour
	w.put(t, s)
	other.dueNow(t)
	polled := make(chan Poll, 100)
	stop := w.work(t, func(o *WorkOptions) { o.OnPoll = func(p Poll) { polled <- p } })
	p := <-polled
	stop()
	assert.NoError(t, p.Err)
	list, err := other.Status(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 5, list[0].Events)
	cursor, version, err := postgres.Load(t.Context(), other.pool, "example-a")
	require.NoError(t, err)
	assert.Equal(t, ingest.Cursor("5"), cursor)
	assert.EqualValues(t, 1, version)
}

// An instance that is paused while the upkeep looks for lost jobs gets none.
func TestUpkeep_WhileAnInstanceIsPaused(t *testing.T) {
	t.Parallel()
	w, faults, other := newWorlds(t)
	w.put(t, spec("a"))
	_, err := other.pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	held := faults.Hold("UPDATE fleet_state")
	restored := make(chan error, 1)
	go func() { _, err := w.restore(t.Context()); restored <- err }()
	waitFor(t, "the upkeep has found it", held.Reached)
	paused := make(chan error, 1)
	go func() { paused <- other.Pause(t.Context(), "example-a") }()
	eventually(t, "the pause waits or is made", func() bool { return other.blocked(t) == 1 || len(paused) == 1 })
	close(held.On)
	require.NoError(t, <-restored)
	require.NoError(t, <-paused)
	assert.Empty(t, w.jobs(t, "example-a"))
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	assert.True(t, list[0].NextPoll.IsZero(), "it would count as overdue for ever")
}

// Two commands may add the same list at once.
func TestPut_OfOneInstanceFromTwoMachines(t *testing.T) {
	t.Parallel()
	w, faults, other := newWorlds(t)
	held := faults.Hold("INSERT INTO fleet_instance")
	type result struct {
		changes []Change
		err     error
	}
	put := make(chan result, 1)
	go func() {
		changes, err := w.Put(t.Context(), spec("a"))
		put <- result{changes, err}
	}()
	waitFor(t, "the first has found nothing", held.Reached)
	_, err := other.Put(t.Context(), spec("a"))
	require.NoError(t, err)
	close(held.On)
	got := <-put
	require.NoError(t, got.err)
	assert.Equal(t, []Change{Unchanged}, got.changes)
}

func TestMigrate_FromSeveralMachinesAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	faults := new(pgtest.Faults)
	first, second := faults.Pool(t, url), pgtest.PoolOf(t, url)
	held := faults.Hold("CREATE TABLE river_migration")
	done := make(chan error, 2)
	go func() { _, err := Migrate(t.Context(), first); done <- err }()
	waitFor(t, "the first migrates", held.Reached)
	go func() { _, err := Migrate(t.Context(), second); done <- err }()
	f := &Fleet{pool: second}
	eventually(t, "the second waits or is done", func() bool { return f.blocked(t) == 1 || len(done) == 1 })
	close(held.On)
	require.NoError(t, <-done)
	require.NoError(t, <-done)
}

func TestMigrate_MayTakeLong(t *testing.T) {
	t.Parallel()
	faults := new(pgtest.Faults)
	pool := faults.Pool(t, pgtest.Database(t))
	name := pool.Config().ConnConfig.Database
	_, err := pool.Exec(t.Context(), `ALTER DATABASE `+name+` SET idle_in_transaction_session_timeout = '200ms'`)
	require.NoError(t, err)
	pool.Reset()
	held := faults.Hold("-- name: TableExists")
	done := make(chan error, 1)
	go func() { _, err := Migrate(t.Context(), pool); done <- err }()
	waitFor(t, "the tables of River are next", held.Reached)
	time.Sleep(400 * time.Millisecond)
	close(held.On)
	require.NoError(t, <-done)
}

// statements counts those of a pool.
type statements struct{ n atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.n.Add(1)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// With a statement for each instance, a database that is far away would let the
// upkeep of thousands run out of time each time.
func TestUpkeep_TakesFewStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.pool.Exec(t.Context(), `INSERT INTO fleet_instance (id, connector, tenant, account, feed, config, secret_refs, interval_s)
		SELECT 'x-' || n, 'example', 't', n, 'f', '{}', '{}', 60 FROM generate_series(1, 100) n`)
	require.NoError(t, err)
	_, err = w.pool.Exec(t.Context(), `INSERT INTO fleet_state (id) SELECT id FROM fleet_instance`)
	require.NoError(t, err)
	cfg := w.pool.Config()
	counted := new(statements)
	cfg.ConnConfig.Tracer = counted
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()
	n, err := newWorldIn(t, pool).restore(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 100, n)
	assert.Less(t, counted.n.Load(), int64(20))
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	for _, s := range list {
		due := w.jobs(t, s.ID)
		require.Len(t, due, 1)
		assert.WithinDuration(t, due[0], s.NextPoll, time.Millisecond)
	}
}

// The job of a worker that died is taken for running for a long time.
func TestUpkeep_DoesNotWaitForThatOfADeadWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, spec("a"))
	args, opts := newUpkeep()
	_, err := w.Fleet.jobs.Insert(t.Context(), args, opts)
	require.NoError(t, err)
	_, err = w.pool.Exec(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() WHERE kind = 'fleet_upkeep'`)
	require.NoError(t, err)
	_, err = w.pool.Exec(t.Context(), `DELETE FROM river_job WHERE kind = 'fleet_poll'`)
	require.NoError(t, err)
	w.vendor.account("a", 1)
	w.work(t)
	eventually(t, "the lost job is restored", func() bool { return len(w.jobs(t, "example-a")) == 1 })
}

func TestWork_WithAPoolOfOneConnection(t *testing.T) {
	t.Parallel()
	cfg := pgtest.Pool(t).Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = Migrate(t.Context(), pool)
	require.NoError(t, err)
	w := newWorldIn(t, pool)
	for n := range 10 {
		id := fmt.Sprint(n)
		w.vendor.account(id, 5)
		w.put(t, spec(id))
	}
	w.dueNow(t)
	w.work(t)
	eventually(t, "all entries", func() bool { n, _ := w.sink.count(); return n == 50 })
}

// A list that is given again must not hold up the polls of all that is in it, for
// as long as a command that is far from the database takes.
func TestPut_OfWhatIsUnchangedLocksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, spec("a"))
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), `SELECT FROM fleet_instance FOR SHARE`)
	require.NoError(t, err)
	within, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	changes, err := w.Put(within, spec("a"))
	require.NoError(t, err)
	assert.Equal(t, []Change{Unchanged}, changes)
}

// What cannot be saved is delivered again with each try.
func TestNextRetry_ComesLessAndLessOften(t *testing.T) {
	t.Parallel()
	w := newWorldIn(t, pgtest.PoolOf(t, "postgres://nobody@/nowhere"))
	p := &poller{Fleet: w.Fleet}
	last := time.Duration(0)
	for attempt := 1; attempt <= 5; attempt++ {
		job := &river.Job[pollArgs]{JobRow: &rivertype.JobRow{Attempt: attempt}, Args: pollArgs{"example-a"}}
		pause := time.Until(p.NextRetry(job))
		assert.Greater(t, pause, last, "attempt %d", attempt)
		last = pause
	}
	assert.Greater(t, last, 50*time.Second)
	assert.Less(t, last, time.Minute)
}

// Whoever changes an account during a reseal may still have the old key alone.
func TestReseal_WhileAnInstanceIsChanged(t *testing.T) {
	t.Parallel()
	w, faults, other := newWorlds(t)
	w.put(t, spec("a"))
	after := newKey(t)
	f, err := New(w.pool, w.vendor.catalog(), newVault(t, after+"\n"+w.key, ""))
	require.NoError(t, err)
	held := faults.Hold("WHERE id = $1 FOR UPDATE")
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() { n, err := f.Reseal(t.Context()); done <- result{n, err} }()
	waitFor(t, "it comes to the instance", held.Reached)
	s := spec("a")
	s.Config["api_token"] = "another secret"
	_, err = other.Put(t.Context(), s)
	require.NoError(t, err)
	close(held.On)
	assert.Equal(t, result{1, nil}, <-done)
	f, err = New(w.pool, w.vendor.catalog(), newVault(t, after, ""))
	require.NoError(t, err)
	changes, err := f.Put(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, []Change{Unchanged}, changes, "the new key opens it")
}

// The next poll of an instance would be as far off as the clock that it is
// reckoned by.
func TestWork_NeedsAClockThatAgreesWithThatOfTheDatabase(t *testing.T) {
	t.Parallel()
	for offset, want := range map[string]string{ // of the database
		"- interval '1 hour'":  "the clock of this machine is 1h0m0s ahead of that of the database, and they must agree within 30s",
		"+ interval '1 day'":   "the clock of this machine is 24h0m0s behind that of the database, and they must agree within 30s",
		"+ interval '10 secs'": "",
	} {
		t.Run(offset, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t)
			pool := pgtest.PoolOf(t, url)
			_, err := Migrate(t.Context(), pool)
			require.NoError(t, err)
			_, err = pool.Exec(t.Context(), `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
				$$ SELECT pg_catalog.clock_timestamp() `+offset+` $$`)
			require.NoError(t, err)
			_, err = pool.Exec(t.Context(), `ALTER DATABASE `+pool.Config().ConnConfig.Database+` SET search_path = public, pg_catalog`)
			require.NoError(t, err)
			w := newWorldIn(t, pgtest.PoolOf(t, url))
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, put := w.Put(ctx, spec("a"))
			resume := w.Resume(ctx, "example-a")
			work := w.Work(ctx, WorkOptions{Sink: func(Instance) (ingest.Sink, error) { return &w.sink, nil }})
			for _, err := range []error{put, resume, work} {
				if want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, want)
				}
			}
		})
	}
}

// A database may be set to another isolation than that of Postgres.
func TestPause_WhereTransactionsAreSerializable(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	pool := pgtest.PoolOf(t, url)
	_, err := Migrate(t.Context(), pool)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `ALTER DATABASE `+pool.Config().ConnConfig.Database+` SET default_transaction_isolation = 'serializable'`)
	require.NoError(t, err)
	w := newWorldIn(t, pgtest.PoolOf(t, url))
	w.put(t, spec("a"))
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), `UPDATE fleet_instance SET version = version + 1`)
	require.NoError(t, err)
	paused := make(chan error, 1)
	go func() { paused <- w.Pause(t.Context(), "example-a") }()
	eventually(t, "the pause waits", func() bool { return w.blocked(t) == 1 })
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-paused)
}
