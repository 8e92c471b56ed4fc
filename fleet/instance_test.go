package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// jobs are the jobs of an instance that are still to come to their end.
func (w *world) jobs(t *testing.T, id string) (due []time.Time) {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), `SELECT scheduled_at FROM river_job WHERE args->>'instance' = $1
		AND state NOT IN ('completed', 'cancelled', 'discarded')`, id)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var at time.Time
		require.NoError(t, rows.Scan(&at))
		due = append(due, at)
	}
	require.NoError(t, rows.Err())
	return due
}

func TestPut_AddsChangesAndLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := spec("a"), spec("b")
	changes, err := w.Put(t.Context(), a, b)
	require.NoError(t, err)
	assert.Equal(t, []Change{Added, Added}, changes)
	require.Len(t, w.jobs(t, "example-a"), 1)

	b.Interval = 24 * time.Hour
	changes, err = w.Put(t.Context(), a, b)
	require.NoError(t, err)
	assert.Equal(t, []Change{Unchanged, Changed}, changes)
	due := w.jobs(t, "example-b")
	require.Len(t, due, 1)
	assert.Less(t, time.Until(due[0]), time.Minute, "a change takes effect within a minute")

	b.Config = Object{"account": "b", "api_token": "another secret"}
	changes, err = w.Put(t.Context(), b)
	require.NoError(t, err)
	assert.Equal(t, []Change{Changed}, changes, "a new token is a change")
	list, err := w.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.EqualValues(t, 3, list[1].Version)
	assert.Equal(t, 24*time.Hour, list[1].Interval)
	assert.Equal(t, "example", list[1].Feed)
}

func TestPut_StoresNoSecretInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, spec("a"))
	for _, table := range []string{"fleet_instance", "fleet_state", "river_job"} {
		rows, err := w.pool.Query(t.Context(), `SELECT r::text FROM `+table+` r`)
		require.NoError(t, err)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			assert.NotContains(t, text, "secret-of-a", table)
			assert.NotContains(t, text, fmt.Sprintf("%x", "secret-of-a"), table)
		}
		require.NoError(t, rows.Err())
	}
	s := spec("a")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", s, s, s, s.Config), "secret-of")
	list, err := w.List(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%+v", list), "secret-of")
}

func TestPut_FaultsNameTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, change := range map[string]func(*Spec){
		"tenant: is required":  func(s *Spec) { s.Tenant = "" },
		"account: is required": func(s *Spec) { s.Account = "" },
		`connector: "other": is not in the catalog, which has ["example"]`: func(s *Spec) { s.Connector = "other" },
		"interval: 500ms: must be whole seconds from 1s":                   func(s *Spec) { s.Interval = time.Second / 2 },
		`id: "a\nb": must not have control characters`:                     func(s *Spec) { s.ID = "a\nb" },
		"feed: has 201 bytes, but at most 200 are allowed":                 func(s *Spec) { s.Feed = strings.Repeat("f", 201) },
		"api_token: must be a string":                                      func(s *Spec) { s.Config["api_token"] = 3.0 },
		"api_token: is required":                                           func(s *Spec) { delete(s.Config, "api_token") },
		"api_token_ref: cannot be given with api_token":                    func(s *Spec) { s.SecretRefs = map[string]string{"api_token": "name"} },
		"account_ref: example has no secret field of that":                 func(s *Spec) { s.SecretRefs = map[string]string{"account": "name"} },
	} {
		s := spec("a")
		change(&s)
		require.ErrorContains(t, w.Validate(s), want)
		_, err := w.Put(t.Context(), spec("fine"), s)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret-of-a")
	}
	list, err := w.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list, "all or none")
}

func TestPut_AnAccountIsReadOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, spec("a"))
	second := spec("a")
	second.ID = "second"
	_, err := w.Put(t.Context(), second)
	require.ErrorContains(t, err, "the instance example-a of this tenant reads it already")
	second.Tenant = "tenant-b"
	w.put(t, second)
	second.Tenant = "tenant-a"
	_, err = w.Put(t.Context(), second)
	require.ErrorContains(t, err, "the instance example-a of this tenant reads it already")

	moved := spec("b")
	moved.ID = "second"
	_, err = w.Put(t.Context(), moved)
	require.ErrorContains(t, err, "cannot be changed", "its cursor is that of another account")
}

func TestPut_SecretsMayStandInFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "token-of-a"), []byte("first\n"), 0o600))
	var err error
	w.Fleet, err = New(w.pool, w.vendor.catalog(), newVault(t, "", folder))
	require.NoError(t, err)
	a := w.vendor.account("a", 3)
	seen := make(chan string, 100)
	a.answer = answerWith(func(config map[string]any) error { seen <- config["api_token"].(string); return nil })
	s := spec("a")
	delete(s.Config, "api_token")
	s.SecretRefs = map[string]string{"api_token": "token-of-a"}
	w.put(t, s)
	w.work(t)
	require.Equal(t, "first", <-seen)
	// A file that is replaced needs no change of the instance.
	require.NoError(t, os.WriteFile(filepath.Join(folder, "token-of-a"), []byte("second\n"), 0o600))
	eventually(t, "the new token", func() bool { return <-seen == "second" })

	_, err = w.Put(t.Context(), spec("b"))
	require.ErrorIs(t, err, errNoKey)
}

func TestPauseResumeRemove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	a := w.vendor.account("a", 5)
	w.put(t, spec("a"))
	w.work(t)
	eventually(t, "the first entries", func() bool { n, _ := w.sink.count(); return n == 5 })

	require.NoError(t, w.Pause(ctx, "example-a"))
	eventually(t, "the poll under way", func() bool { return len(w.jobs(t, "example-a")) == 0 })
	w.vendor.set(func() { a.entries = 9 })
	n := polls(w, a)
	time.Sleep(3 * time.Second)
	assert.Equal(t, n, polls(w, a))
	list, err := w.Status(ctx)
	require.NoError(t, err)
	assert.True(t, list[0].Paused)
	assert.True(t, list[0].NextPoll.IsZero())

	require.NoError(t, w.Resume(ctx, "example-a"))
	eventually(t, "what happened meanwhile", func() bool { n, _ := w.sink.count(); return n == 9 })
	_, repeats := w.sink.count()
	assert.Zero(t, repeats, "the cursor has stayed")

	require.NoError(t, w.Remove(ctx, "example-a"))
	eventually(t, "the job is gone", func() bool { return len(w.jobs(t, "example-a")) == 0 })
	cursor, _, err := postgres.Load(ctx, w.pool, "example-a")
	require.NoError(t, err)
	assert.Nil(t, cursor)
	for _, err := range []error{w.Pause(ctx, "example-a"), w.Resume(ctx, "example-a"), w.Remove(ctx, "example-a")} {
		assert.ErrorIs(t, err, ErrUnknown)
	}

	w.put(t, spec("a"))
	eventually(t, "it begins anew", func() bool { _, repeats := w.sink.count(); return repeats == 9 })
}

func polls(w *world, a *account) (n int) {
	w.vendor.set(func() { n = len(a.polls) })
	return n
}

func TestPauseAndRemove_WhileAPollIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world) error{
		"pause":  func(w *world) error { return w.Pause(t.Context(), "example-a") },
		"remove": func(w *world) error { return w.Remove(t.Context(), "example-a") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.vendor.account("a", 30)
			under, on := a.hold()
			w.put(t, spec("a"))
			stop := w.work(t)
			<-under
			require.NoError(t, end(w))
			close(on)
			eventually(t, "the job is gone", func() bool { return len(w.jobs(t, "example-a")) == 0 })
			stop()
			n, _ := w.sink.count()
			assert.Equal(t, 10, n, "the poll under way is delivered, and no other follows")
			cursor, _, err := postgres.Load(t.Context(), w.pool, "example-a")
			require.NoError(t, err)
			if name == "pause" {
				assert.Equal(t, ingest.Cursor("10"), cursor)
			} else {
				assert.Nil(t, cursor, "a removed cursor does not come back")
			}
		})
	}
}

// A change that has begun when a poll ends is as good as made.
func TestPause_WhileAPollIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 5)
	under, on := a.hold()
	w.put(t, spec("a"))
	w.work(t)
	<-under
	waiting := func() (n int) {
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%fleet_%'`).Scan(&n))
		return n
	}
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM fleet_state WHERE id = 'example-a' FOR UPDATE`)
	require.NoError(t, err)
	paused := make(chan error, 1)
	go func() { paused <- w.Pause(t.Context(), "example-a") }()
	eventually(t, "the pause waits", func() bool { return waiting() == 1 })
	close(on)
	eventually(t, "the poll waits", func() bool { return waiting() == 2 })
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-paused)

	eventually(t, "the poll is settled", func() bool {
		list, err := w.Status(t.Context())
		require.NoError(t, err)
		return list[0].Events == 5
	})
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	assert.True(t, list[0].NextPoll.IsZero())
	assert.Empty(t, w.jobs(t, "example-a"))
}

func TestReseal_UsesTheFirstKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, spec("a"), spec("b"))
	after := newKey(t)
	var err error
	w.Fleet, err = New(w.pool, w.vendor.catalog(), newVault(t, after+"\n"+w.key, ""))
	require.NoError(t, err)
	n, err := w.Reseal(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	w.Fleet, err = New(w.pool, w.vendor.catalog(), newVault(t, after, ""))
	require.NoError(t, err)
	changes, err := w.Put(t.Context(), spec("a"), spec("b"))
	require.NoError(t, err)
	assert.Equal(t, []Change{Unchanged, Unchanged}, changes)
}

func TestPut_AnInstanceMayGoOnFromACursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.account("a", 30)
	s := spec("a")
	s.Cursor = ingest.Cursor("17")
	w.put(t, s)
	w.work(t)
	eventually(t, "the rest", func() bool { n, _ := w.sink.count(); return n == 13 })
	s.Cursor = ingest.Cursor("3")
	s.Feed = "another"
	w.put(t, s)
	eventually(t, "the end", func() bool {
		cursor, err := w.Cursor(t.Context(), "example-a")
		require.NoError(t, err)
		return string(cursor) == "30"
	})
	_, err := w.Cursor(t.Context(), "example-b")
	require.ErrorIs(t, err, ErrUnknown)
}

func TestPut_AChangeDuringAPollTakesEffectWithinAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 5)
	under, on := a.hold()
	s := spec("a")
	w.put(t, s)
	stop := w.work(t)
	<-under
	s.Interval = 24 * time.Hour
	w.put(t, s)
	close(on)
	eventually(t, "the poll", func() bool { n, _ := w.sink.count(); return n == 5 })
	stop()
	due := w.jobs(t, "example-a")
	require.Len(t, due, 1)
	polledAgain := len(under) > 0
	assert.True(t, polledAgain || time.Until(due[0]) < time.Minute, "the next poll is in %v", time.Until(due[0]))
}
