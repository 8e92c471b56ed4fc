package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

func TestWork_DeliversEveryEntryOfEveryAccountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var specs []Spec
	for n := range 20 {
		id := fmt.Sprintf("account-%d", n)
		w.vendor.account(id, 7*n)
		specs = append(specs, spec(id))
	}
	w.put(t, specs...)
	w.work(t)
	w.work(t)
	total := 7 * 19 * 20 / 2
	eventually(t, "all entries", func() bool { n, _ := w.sink.count(); return n == total })
	eventually(t, "further polls", func() bool {
		s, err := w.Summary(t.Context())
		require.NoError(t, err)
		return s.Behind == 0
	})
	_, repeats := w.sink.count()
	assert.Zero(t, repeats)
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 20)
	for _, s := range list {
		assert.WithinDuration(t, time.Now(), s.LastSuccess, 20*time.Second)
		assert.Empty(t, s.LastError)
		assert.False(t, s.NextPoll.IsZero())
	}
	w.vendor.set(func() {
		for id, a := range w.vendor.accounts {
			assert.Zero(t, a.overlapped, id)
			assert.IsIncreasing(t, append([]int{-1}, compact(a.cursors)...), id)
		}
	})
}

// compact leaves out what is the same as the one before.
func compact(list []int) (out []int) {
	for _, n := range list {
		if len(out) == 0 || out[len(out)-1] != n {
			out = append(out, n)
		}
	}
	return out
}

func TestWork_OneNoisyAccountDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noisy := w.vendor.account("noisy", 1_000_000)
	noisy.batch = 1
	w.put(t, spec("noisy"))
	// One poll at a time, so that the order is plain.
	w.work(t, func(o *WorkOptions) { o.Concurrency = 1 })
	eventually(t, "the backlog", func() bool { return polls(w, noisy) > 20 })
	var quiet []Spec
	for n := range 20 {
		id := fmt.Sprintf("quiet-%d", n)
		w.vendor.account(id, 1)
		quiet = append(quiet, spec(id))
	}
	w.put(t, quiet...)
	eventually(t, "a poll of each", func() bool { n := 0; w.vendor.set(func() { n = polledOf(&w.vendor, "quiet-") }); return n == 20 })
	before := polls(w, noisy)
	eventually(t, "the noisy one goes on", func() bool { return polls(w, noisy) > before+20 })
	w.vendor.set(func() {
		assert.Zero(t, noisy.overlapped)
		for id, a := range w.vendor.accounts {
			if id != "noisy" {
				// 5 s are the scheduler's.
				assert.Less(t, a.polls[0].Sub(noisy.polls[0]), 25*time.Second, id)
			}
		}
	})
}

// polledOf counts the accounts with a prefix that have been polled.
func polledOf(v *vendor, prefix string) (n int) {
	for id, a := range v.accounts {
		if strings.HasPrefix(id, prefix) && len(a.polls) > 0 {
			n++
		}
	}
	return n
}

// waitError asks to be tried again later.
type waitError struct{ wait time.Duration }

func (e waitError) Error() string             { return "slow down" }
func (e waitError) RetryAfter() time.Duration { return e.wait }

func TestWork_WhatAFailureAsksForIsTheTimeOfTheNextPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, err := range map[string]error{
		"plain":  errors.New("it \x00 broke\nhere"),
		"asks":   waitError{2 * time.Hour},
		"budget": &BudgetError{Wait: time.Hour},
		"held":   fmt.Errorf("%w: %w", errHeld, waitError{time.Hour}),
		"cursor": fmt.Errorf("cannot read it: %w", ingest.ErrCursor),
	} {
		w.vendor.account(id, 1).answer = answerWith(func(map[string]any) error { return err })
		w.put(t, spec(id))
	}
	w.work(t)
	var got map[string]Status
	eventually(t, "a poll of each", func() bool {
		got = w.statuses(t)
		for _, s := range got {
			if s.LastAttempt.IsZero() {
				return false
			}
		}
		return true
	})
	until := func(id string) time.Duration { return got[id].NextPoll.Sub(got[id].LastAttempt) }
	assert.GreaterOrEqual(t, until("plain"), 5*time.Second)
	assert.Less(t, until("plain"), 25*time.Second)
	assert.Equal(t, "it   broke here", got["plain"].LastError)
	assert.Equal(t, StepPoll, got["plain"].Step)
	assert.Positive(t, got["plain"].Failures)
	assert.GreaterOrEqual(t, until("asks"), 2*time.Hour)
	assert.LessOrEqual(t, until("asks"), 2*time.Hour*11/10+time.Second)
	for _, id := range []string{"budget", "held"} {
		assert.GreaterOrEqual(t, until(id), time.Hour)
		assert.Zero(t, got[id].Failures, "it is no failure")
		assert.Empty(t, got[id].LastError)
	}
	assert.True(t, got["cursor"].Halted)
	assert.True(t, got["cursor"].NextPoll.IsZero())
	assert.Empty(t, w.jobs(t, "example-cursor"), "a person has to act")
	n, err := w.restore(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n, "what has halted is not taken for lost")

	w.vendor.set(func() { w.vendor.accounts["cursor"].answer = nil })
	require.NoError(t, w.Resume(t.Context(), "example-cursor"))
	eventually(t, "it goes on", func() bool { return w.statuses(t)["cursor"].LastSuccess.After(time.Now().Add(-time.Minute)) })
	assert.False(t, w.statuses(t)["cursor"].Halted)
}

// refusal is an error that comes again until a person acts.
type refusal string

func (e refusal) Error() string { return string(e) }

func (refusal) NeedsAction() bool { return true }

// A poll that is put off says nothing about why those before it have failed.
func TestWork_ARefusalStandsWhileThePollIsPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 1)
	fail := func(err error) {
		w.vendor.set(func() { a.answer = answerWith(func(map[string]any) error { return err }) })
	}
	fail(refusal("HTTP 403"))
	w.put(t, spec("a"))
	w.work(t)
	eventually(t, "a refusal", func() bool { return w.statuses(t)["a"].Failures > 0 })
	refused := w.statuses(t)["a"]
	fail(&BudgetError{Wait: time.Hour})
	eventually(t, "a poll that is put off", func() bool {
		return w.statuses(t)["a"].LastAttempt.After(refused.LastAttempt) && time.Until(w.statuses(t)["a"].NextPoll) > 2*time.Minute
	})
	s := w.statuses(t)["a"]
	assert.True(t, s.NeedsAction)
	assert.Equal(t, "failing", s.State)
	assert.Equal(t, "HTTP 403", s.LastError)
	assert.Equal(t, refused.FailingSince, s.FailingSince)
}

// The first cursor fixes where the feed begins, also when nothing can be read, and
// must not look like a success.
func TestWork_APollThatReadsNoLogIsNoSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 0)
	a.logs = []ingest.LogState{{Name: "Log 1", Error: "HTTP 403", Err: refusal("HTTP 403"), NeedsAction: true}}
	w.put(t, spec("a"))
	w.work(t)
	eventually(t, "a poll", func() bool { return !w.statuses(t)["a"].LastAttempt.IsZero() })
	s := w.statuses(t)["a"]
	assert.True(t, s.LastSuccess.IsZero(), "never")
	assert.Positive(t, s.Failures)
	assert.True(t, s.NeedsAction)
	assert.Equal(t, "failing", s.State)
	assert.Regexp(t, `^a person has to act: Log 1 cannot be read since 20\S+Z: HTTP 403$`, s.Reason)
	cursor, err := w.Cursor(t.Context(), "example-a")
	require.NoError(t, err)
	assert.NotEmpty(t, cursor, "it is saved all the same")
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.NotContains(t, string(text), `"last_success"`)

	w.vendor.set(func() { a.logs = nil })
	eventually(t, "a success", func() bool { return !w.statuses(t)["a"].LastSuccess.IsZero() })
}

func TestWork_OneLogOfTwoThatCannotBeReadShowsUntilItCan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := ingest.LogState{Name: "Log 1", Complete: time.Now().UTC().Truncate(time.Second)}
	a := w.vendor.account("a", 5)
	a.logs = []ingest.LogState{one, {Name: "Log 2", Error: "HTTP 403", Err: refusal("HTTP 403"), NeedsAction: true}}
	daily := spec("a")
	daily.Interval = 24 * time.Hour
	w.put(t, daily)
	began := time.Now().Add(-time.Second)
	w.work(t)
	eventually(t, "a poll", func() bool { return !w.statuses(t)["a"].LastSuccess.IsZero() })
	s := w.statuses(t)["a"]
	assert.Zero(t, s.Failures, "the other one is read")
	assert.Equal(t, "failing", s.State)
	require.Len(t, s.Logs, 2)
	assert.Equal(t, one, s.Logs[0])
	since := s.Logs[1].Since
	assert.True(t, since.After(began), since)
	assert.LessOrEqual(t, time.Until(s.NextPoll), time.Minute, "as early as a failed poll would be tried again")
	eventually(t, "another poll", func() bool { return w.statuses(t)["a"].LastSuccess.After(s.LastSuccess) })
	assert.True(t, since.Equal(w.statuses(t)["a"].Logs[1].Since), "since when is kept")

	sum, err := w.Summary(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, sum.Failing)
	assert.Zero(t, sum.OK)

	w.vendor.set(func() { a.logs = []ingest.LogState{one, {Name: "Log 2", Complete: one.Complete}} })
	eventually(t, "a recovery", func() bool { return w.statuses(t)["a"].State == "ok" })
	s = w.statuses(t)["a"]
	assert.Empty(t, s.Reason)
	assert.Greater(t, time.Until(s.NextPoll), time.Hour, "back to the interval")
}

// Each instance is in exactly one state, in the sum as in the list.
func TestSummary_CountsTheStatesOfTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, err := range map[string]error{
		"well": nil, "paused": nil, "retrying": errors.New("down"), "refused": refusal("HTTP 403"), "halted": ingest.ErrCursor,
	} {
		w.vendor.account(id, 1).answer = answerWith(func(map[string]any) error { return err })
		w.put(t, spec(id))
	}
	require.NoError(t, w.Pause(t.Context(), "example-paused"))
	stop := w.work(t)
	eventually(t, "a poll of each", func() bool {
		for id, s := range w.statuses(t) {
			if s.LastAttempt.IsZero() && id != "paused" {
				return false
			}
		}
		return true
	})
	stop()
	w.vendor.account("new", 1)
	w.put(t, spec("new"))
	states := make(map[string]string)
	for id, s := range w.statuses(t) {
		states[id] = s.State
	}
	assert.Equal(t, map[string]string{
		"well": "ok", "paused": "paused", "retrying": "retrying", "refused": "failing", "halted": "halted", "new": "starting",
	}, states)
	s, err := w.Summary(t.Context())
	require.NoError(t, err)
	s.Lag = 0
	assert.Equal(t, Summary{Instances: 6, OK: 1, Paused: 1, Retrying: 1, Failing: 1, Halted: 1, Starting: 1, Overdue: s.Overdue}, s)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"lag_seconds":0`)
	assert.NotContains(t, string(text), "lag_ns")
}

// Whoever adds an account or mends its token looks at what becomes of it.
func TestPut_ASingleInstanceIsDueAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.account("a", 1)
	daily := spec("a")
	daily.Interval = 24 * time.Hour
	for _, token := range []string{"first", "second"} {
		daily.Config["api_token"] = token
		before := time.Now()
		w.put(t, daily)
		at := w.statuses(t)["a"].NextPoll
		assert.Less(t, at.Sub(before), 5*time.Second, token)
		require.Len(t, w.jobs(t, "example-a"), 1)
	}
}

// statuses are how the instances fare, by account.
func (w *world) statuses(t *testing.T) map[string]Status {
	t.Helper()
	list, err := w.Status(t.Context())
	require.NoError(t, err)
	m := make(map[string]Status)
	for _, s := range list {
		m[s.Account] = s
	}
	return m
}

func TestWork_NothingIsLostWhileTheSinkFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.account("a", 35)
	w.sink.set(errors.New("no space left"))
	w.put(t, spec("a"))
	w.work(t)
	eventually(t, "a failure", func() bool { return w.statuses(t)["a"].Failures > 0 })
	s := w.statuses(t)["a"]
	assert.Equal(t, "no space left", s.LastError)
	assert.Equal(t, StepDeliver, s.Step)
	assert.Equal(t, "retrying", s.State)
	assert.Contains(t, s.Reason, "the events cannot be delivered since ")
	assert.True(t, s.LastSuccess.IsZero())
	w.sink.set(nil)
	eventually(t, "all entries", func() bool { n, _ := w.sink.count(); return n == 35 })
	_, repeats := w.sink.count()
	assert.Zero(t, repeats)
	eventually(t, "the end of the trouble", func() bool { return w.statuses(t)["a"].Failures == 0 })
	assert.NotEmpty(t, w.statuses(t)["a"].LastError, "kept, with its time")
}

func TestWork_AWorkerThatStoodStillMovesNoCursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 30)
	under, on := a.hold()
	w.put(t, spec("a"))
	var mu sync.Mutex
	var seen []Poll
	w.work(t, func(o *WorkOptions) {
		o.OnPoll = func(p Poll) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, p)
		}
	})
	<-under
	// While it stands still, another has made the poll.
	_, err := postgres.Save(t.Context(), w.pool, "example-a", ingest.Cursor("20"), 0)
	require.NoError(t, err)
	close(on)
	eventually(t, "the rest", func() bool { n, _ := w.sink.count(); return n == 20 })
	mu.Lock()
	assert.Equal(t, StepSave, seen[0].Step)
	assert.ErrorIs(t, seen[0].Err, ingest.ErrConflict)
	mu.Unlock()
	eventually(t, "its cursor", func() bool {
		cursor, _, err := postgres.Load(t.Context(), w.pool, "example-a")
		require.NoError(t, err)
		return string(cursor) == "30"
	})
	w.vendor.set(func() { assert.Equal(t, []int{0, 20, 30}, compact(append(a.cursors, 30))) })
}

func TestWork_AJobTakenOverByAnotherIsNotCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 30)
	under, on := a.hold()
	w.put(t, spec("a"))
	polled := make(chan Poll, 100)
	w.work(t, func(o *WorkOptions) { o.OnPoll = func(p Poll) { polled <- p } })
	<-under
	// As the rescuer and the next worker do.
	_, err := w.pool.Exec(t.Context(), `UPDATE river_job SET attempt = attempt + 1 WHERE state = 'running' AND kind = 'fleet_poll'`)
	require.NoError(t, err)
	close(on)
	p := <-polled
	assert.ErrorIs(t, p.Err, errLost)
	cursor, _, err := postgres.Load(t.Context(), w.pool, "example-a")
	require.NoError(t, err)
	assert.Nil(t, cursor, "nothing of its transaction stays")
}

func TestWork_APollThatHangsIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.account("a", 1).answer = func(ctx context.Context, _ map[string]any) error {
		<-ctx.Done()
		return ctx.Err()
	}
	w.put(t, spec("a"))
	w.work(t, func(o *WorkOptions) { o.PollTimeout = 300 * time.Millisecond })
	eventually(t, "a failure", func() bool { return w.statuses(t)["a"].Failures > 0 })
	assert.Contains(t, w.statuses(t)["a"].LastError, context.DeadlineExceeded.Error())
}

func TestWork_AStopLetsPollsComeToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 5)
	under := make(chan bool, 100)
	a.answer = answerWith(func(map[string]any) error { under <- true; time.Sleep(time.Second); return nil })
	w.put(t, spec("a"))
	stop := w.work(t)
	<-under
	stop()
	n, _ := w.sink.count()
	assert.Equal(t, 5, n)
	cursor, _, err := postgres.Load(t.Context(), w.pool, "example-a")
	require.NoError(t, err)
	assert.Equal(t, ingest.Cursor("5"), cursor)
	require.Len(t, w.jobs(t, "example-a"), 1)
}

func TestWork_AStopCutsOffWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.vendor.account("a", 5)
	under := make(chan bool, 100)
	a.answer = func(ctx context.Context, _ map[string]any) error { under <- true; <-ctx.Done(); return ctx.Err() }
	w.put(t, spec("a"))
	stop := w.work(t, func(o *WorkOptions) { o.StopGrace = 100 * time.Millisecond })
	<-under
	stop()
	require.Zero(t, w.statuses(t)["a"].Failures, "it is no failure of the account")
	w.vendor.set(func() { a.answer = nil })
	w.work(t)
	eventually(t, "another worker makes the poll", func() bool { n, _ := w.sink.count(); return n == 5 })
}

func TestUpkeep_RestoresLostJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 5 {
		id := fmt.Sprint(n)
		w.vendor.account(id, 3)
		w.put(t, spec(id))
	}
	require.NoError(t, w.Pause(t.Context(), "example-4"))
	_, err := w.pool.Exec(t.Context(), `DELETE FROM river_job WHERE args->>'instance' <> 'example-0'`)
	require.NoError(t, err)
	n, err := w.restore(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	n, err = w.restore(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	for n := range 4 {
		assert.Len(t, w.jobs(t, fmt.Sprintf("example-%d", n)), 1)
	}

	_, err = w.pool.Exec(t.Context(), `DELETE FROM river_job`)
	require.NoError(t, err)
	w.work(t) // which begins with it
	eventually(t, "all but the paused one", func() bool { n, _ := w.sink.count(); return n == 12 })
}

func TestWork_NeedsItsTables(t *testing.T) {
	t.Parallel()
	w := newWorldIn(t, pgtest.Pool(t))
	err := w.Work(t.Context(), WorkOptions{Sink: func(Instance) (ingest.Sink, error) { return &w.sink, nil }})
	require.ErrorContains(t, err, "migrate first")
	require.ErrorContains(t, w.Work(t.Context(), WorkOptions{}), "Sink is nil")
}

func TestJob_ThereIsOneForEachInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, at := range []time.Time{time.Now().Add(time.Hour), {}, time.Now().Add(time.Minute)} {
		result, err := w.Fleet.jobs.Insert(t.Context(), pollArgs{"a"}, jobAt(at))
		require.NoError(t, err)
		assert.Equal(t, n > 0, result.UniqueSkippedAsDuplicate)
	}
	result, err := w.Fleet.jobs.Insert(t.Context(), pollArgs{"b"}, jobAt(time.Time{}))
	require.NoError(t, err)
	assert.False(t, result.UniqueSkippedAsDuplicate)
}
