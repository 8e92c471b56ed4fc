package fleet

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

// newWorlds is a fleet on two machines: the statements of the first can be held,
// those of the second run freely.
func newWorlds(t *testing.T) (w *world, faults *pgtest.Faults, other *Fleet) {
	t.Helper()
	url := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = Migrate(t.Context(), pool)
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
