package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// host is a source of numbered entries, a sink and a store in one. It keeps a
// journal of what the runner makes it do.
type host struct {
	entries int // how many entries the source has
	page    int // how many of them a poll returns

	// failed is what a poll that fails accounts for.
	failed ingest.Coverage

	// What happens at the n-th call of each kind, counted from 1; an error
	// fails it. Nil hooks let all calls succeed.
	onLoad  func(ctx context.Context, n int) error
	onPoll  func(ctx context.Context, n int, batch *ingest.Batch) error
	onWrite func(ctx context.Context, n int) error
	onSave  func(ctx context.Context, n int) error

	loads, polls, writes, saves int

	mu        sync.Mutex
	journal   []step
	stored    ingest.Cursor
	delivered []string
}

type step struct {
	at   time.Time
	what string
}

func (h *host) note(err error, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := fmt.Sprintf(format, args...)
	if err != nil {
		what += " fails"
	}
	h.journal = append(h.journal, step{time.Now(), what})
}

// story is the journal in one line.
func (h *host) story() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for i, s := range h.journal {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.what)
	}
	return b.String()
}

// pauses are the times between the steps that begin with what.
func (h *host) pauses(what string) []time.Duration {
	var list []time.Duration
	var last time.Time
	for _, s := range h.journal {
		if !strings.HasPrefix(s.what, what) {
			continue
		}
		if !last.IsZero() {
			list = append(list, s.at.Sub(last))
		}
		last = s.at
	}
	return list
}

func (h *host) Descriptor() ingest.Descriptor { return ingest.Descriptor{} }

func (h *host) TestConnection(context.Context) error { return nil }

func (h *host) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	h.polls++
	from, _ := strconv.Atoi(string(cursor))
	to := min(from+max(h.page, 1), h.entries)
	batch := ingest.Batch{
		Cursor: ingest.Cursor(strconv.Itoa(to)),
		More:   to < h.entries,
		Coverage: ingest.Coverage{
			Requests: 1, Read: to - from + 1, Delivered: to - from,
			Dropped: map[string]int{"reads": 1}, Backlog: h.entries - to,
			Complete: time.Now().Add(-time.Minute),
		},
	}
	for i := from + 1; i <= to; i++ {
		batch.Events = append(batch.Events, ingest.Event{ExternalID: strconv.Itoa(i)})
	}
	var err error
	if h.onPoll != nil {
		err = h.onPoll(ctx, h.polls, &batch)
	}
	h.note(err, "poll %d", from)
	if err != nil {
		return ingest.Batch{Coverage: h.failed}, err
	}
	return batch, nil
}

func (h *host) Write(ctx context.Context, events []ingest.Event) (err error) {
	h.writes++
	if h.onWrite != nil {
		err = h.onWrite(ctx, h.writes)
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ExternalID)
	}
	if err == nil {
		h.delivered = append(h.delivered, ids...)
	}
	h.note(err, "write %s", strings.Join(ids, "+"))
	return err
}

func (h *host) Load(ctx context.Context, key string) (_ ingest.Cursor, err error) {
	h.loads++
	if h.onLoad != nil {
		err = h.onLoad(ctx, h.loads)
	}
	h.note(err, "load %s", key)
	if err != nil {
		return nil, err
	}
	return h.stored, nil
}

func (h *host) Save(ctx context.Context, _ string, cursor ingest.Cursor) (err error) {
	h.saves++
	if h.onSave != nil {
		err = h.onSave(ctx, h.saves)
	}
	h.note(err, "save %s", cursor)
	if err == nil {
		h.stored = cursor
	}
	return err
}

func (h *host) runner() *ingest.Runner {
	return &ingest.Runner{Source: h, Sink: h, Store: h, Key: "k"}
}

// runFor runs r for d of fake time. It must be called in a synctest bubble.
func runFor(t *testing.T, r *ingest.Runner, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, r.Run(ctx))
}

// bubble is t.Parallel and synctest.Test.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

var errDown = errors.New("down")

// busyFor is an error that asks for a pause.
type busyFor time.Duration

func (e busyFor) Error() string { return "busy" }

func (e busyFor) RetryAfter() time.Duration { return time.Duration(e) }

// firstFail fails the first n calls with err.
func firstFail(n int, err error) func(context.Context, int) error {
	return func(_ context.Context, call int) error {
		if call <= n {
			return err
		}
		return nil
	}
}

func firstPollsFail(n int, err error) func(context.Context, int, *ingest.Batch) error {
	fail := firstFail(n, err)
	return func(ctx context.Context, call int, _ *ingest.Batch) error { return fail(ctx, call) }
}

// assertPause checks that got is want plus at most 10 %.
func assertPause(t *testing.T, want, got time.Duration) {
	t.Helper()
	assert.GreaterOrEqual(t, got, want)
	assert.LessOrEqual(t, got, want+want/10)
}

func TestRunner_SavesOnlyAfterDelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 3, page: 2}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2, poll 2, write 3, save 3", h.story())
	})
}

func TestRunner_CarriesOnFromTheStoredCursor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 4, page: 2, stored: ingest.Cursor("2")}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 2, write 3+4, save 4", h.story())
	})
}

func TestRunner_LoadsTheCursorOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 2}
		runFor(t, h.runner(), time.Hour)
		assert.Equal(t, 1, h.loads)
		assert.Greater(t, h.polls, 5)
	})
}

func TestRunner_PollsAtOnceWhileABacklogRemains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 4, page: 1}
		runFor(t, h.runner(), time.Minute)
		assert.Equal(t, []time.Duration{0, 0, 0}, h.pauses("poll"))
	})
}

func TestRunner_WaitsTheIntervalWithUpToTenPercentJitter(t *testing.T) {
	tests := map[string]struct{ interval, want time.Duration }{
		"default": {0, 300 * time.Second},
		"30 s":    {30 * time.Second, 30 * time.Second},
		"1 day":   {24 * time.Hour, 24 * time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := &host{}
				r := h.runner()
				r.Interval = test.interval
				runFor(t, r, 40*test.want)
				pauses := h.pauses("poll")
				assert.Greater(t, len(pauses), 30)
				different := make(map[time.Duration]bool)
				for _, p := range pauses {
					assertPause(t, test.want, p)
					different[p] = true
				}
				assert.Greater(t, len(different), 10, "no jitter: %v", pauses)
			})
		})
	}
}

func TestRunner_WaitsWhenABacklogMakesNoProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 2, page: 2}
		h.onPoll = func(_ context.Context, _ int, batch *ingest.Batch) error {
			batch.More = true
			return nil
		}
		runFor(t, h.runner(), 700*time.Second)
		// The first poll moves the cursor, the others do not.
		pauses := h.pauses("poll")
		require.Len(t, pauses, 3)
		assert.Zero(t, pauses[0])
		assertPause(t, 300*time.Second, pauses[1])
		assertPause(t, 300*time.Second, pauses[2])
	})
}

func TestRunner_SavesTheCursorOfABatchWithoutEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, save 0", h.story())
	})
}

func TestRunner_DoesNotSaveAnUnchangedCursor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{stored: ingest.Cursor("0")}
		runFor(t, h.runner(), 400*time.Second)
		assert.Equal(t, "load k, poll 0, poll 0", h.story())
	})
}

func TestRunner_RetriesTheLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, onLoad: firstFail(2, errDown)}
		r := h.runner()
		runFor(t, r, time.Minute)
		assert.Equal(t, "load k fails, load k fails, load k, poll 0, write 1, save 1", h.story())
		assert.Equal(t, 2, r.Status().StoreFailures)
	})
}

func TestRunner_RetriesThePollFromTheSameCursor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 2, page: 1}
		h.onPoll = func(_ context.Context, n int, _ *ingest.Batch) error {
			if n == 2 || n == 3 {
				return errDown
			}
			return nil
		}
		runFor(t, h.runner(), time.Minute)
		assert.Equal(t, "load k, poll 0, write 1, save 1, "+
			"poll 1 fails, poll 1 fails, poll 1, write 2, save 2", h.story())
	})
}

func TestRunner_RetriesDeliveryWithTheSameEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 3, page: 2, onWrite: firstFail(2, errDown)}
		runFor(t, h.runner(), time.Minute)
		assert.Equal(t, "load k, poll 0, write 1+2 fails, write 1+2 fails, write 1+2, save 2, "+
			"poll 2, write 3, save 3", h.story())
	})
}

func TestRunner_RetriesTheSaveWithoutDeliveringAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 3, page: 2, onSave: firstFail(2, errDown)}
		runFor(t, h.runner(), time.Minute)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2 fails, save 2 fails, save 2, "+
			"poll 2, write 3, save 3", h.story())
	})
}

// The other host may stop, and then nobody would poll.
func TestRunner_GoesOnFromTheCursorOfAnotherHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{entries: 3, page: 2}
		h.onSave = func(_ context.Context, call int) error {
			if call == 1 {
				h.stored = ingest.Cursor("1")
				return fmt.Errorf("cannot save: %w", ingest.ErrConflict)
			}
			return nil
		}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		runFor(t, r, 8*time.Minute)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2 fails, load k, poll 1, write 2+3, save 3", h.story())
		assertPause(t, 5*time.Minute, h.pauses("load")[0])
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		assert.Contains(t, log.String(), "another host polls from the same cursor")
		assert.Zero(t, r.Status().Failures)
	})
}

func TestRunner_StopsAtAnUnusableCursor(t *testing.T) {
	unusable := fmt.Errorf("%w: it is damaged", ingest.ErrCursor)
	for name, test := range map[string]struct {
		host  *host
		story string
		err   string
	}{
		"of the source": {
			&host{entries: 2, page: 1, onPoll: func(_ context.Context, n int, _ *ingest.Batch) error {
				if n > 1 {
					return unusable
				}
				return nil
			}},
			"load k, poll 0, write 1, save 1, poll 1 fails",
			"ingest: k: poll: unusable cursor: it is damaged",
		},
		"of the store": {
			&host{entries: 1, onLoad: firstFail(1<<30, unusable)},
			"load k fails",
			"ingest: k: load the cursor: unusable cursor: it is damaged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log bytes.Buffer
				r := test.host.runner()
				r.Logger = slog.New(slog.NewTextHandler(&log, nil))
				err := r.Run(t.Context())
				assert.ErrorIs(t, err, ingest.ErrCursor)
				assert.EqualError(t, err, test.err)
				assert.Equal(t, test.story, test.host.story())
				assert.Empty(t, log.String(), "it is returned, so it is not logged")
				s := r.Status()
				assert.ErrorIs(t, s.Err, ingest.ErrCursor)
				assert.Equal(t, 1, s.Failures)
				assert.Zero(t, s.NextAttempt)
			})
		})
	}
}

// What a sink says about a cursor is about another one.
func TestRunner_RetriesADeliveryWhateverItsError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, onWrite: firstFail(1, ingest.ErrCursor), onSave: firstFail(1, ingest.ErrCursor)}
		runFor(t, h.runner(), time.Minute)
		assert.Equal(t, "load k, poll 0, write 1 fails, write 1, save 1 fails, save 1", h.story())
	})
}

func TestRunner_BacksOffFrom5SecondsDoublingToALimit(t *testing.T) {
	const never = 1 << 30
	tests := map[string]struct {
		step  string
		build func() *host
	}{
		"load":    {"load", func() *host { return &host{onLoad: firstFail(never, errDown)} }},
		"poll":    {"poll", func() *host { return &host{onPoll: firstPollsFail(never, errDown)} }},
		"deliver": {"write", func() *host { return &host{entries: 1, onWrite: firstFail(never, errDown)} }},
		"save":    {"save", func() *host { return &host{entries: 1, onSave: firstFail(never, errDown)} }},
	}
	for name, test := range tests {
		for intervalName, interval := range map[string]time.Duration{"short interval": 30 * time.Second, "long interval": time.Hour} {
			// Only a poll is a burden to somebody else.
			longest := time.Minute
			if test.step == "poll" {
				longest = max(longest, interval)
			}
			t.Run(name+"/"+intervalName, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := test.build()
					r := h.runner()
					r.Interval = interval
					runFor(t, r, 6*time.Hour)
					pauses := h.pauses(test.step)
					// The last one was cut short by the end of the run.
					if test.step == "write" || test.step == "save" {
						pauses = pauses[:len(pauses)-1]
					}
					want := 5 * time.Second
					for _, p := range pauses {
						assertPause(t, want, p)
						assert.LessOrEqual(t, p, longest, "jitter included")
						want = min(2*want, longest*10/11)
					}
					assert.Equal(t, longest*10/11, want, "the limit was not reached: %v", pauses)
				})
			})
		}
	}
}

// refusal is an error that comes again until a person acts.
type refusal string

func (e refusal) Error() string { return string(e) }

func (refusal) NeedsAction() bool { return true }

// Whoever mends a token looks at what becomes of it.
func TestRunner_PollsWithinAMinuteOfARepairHoweverLongTheInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{onPoll: firstPollsFail(1<<30, fmt.Errorf("read: %w", refusal("HTTP 403")))}
		r := h.runner()
		r.Interval = 24 * time.Hour
		runFor(t, r, 6*time.Hour)
		pauses := h.pauses("poll")
		require.Greater(t, len(pauses), 300)
		for _, p := range pauses {
			assert.LessOrEqual(t, p, time.Minute)
		}
	})
}

// One log of two that is refused is tried again as early as both would be.
func TestRunner_PollsSoonAfterAPollThatCouldNotReadOneLog(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		longest time.Duration
	}{
		"refused":           {refusal("HTTP 403"), time.Minute},
		"down":              {errDown, time.Hour},
		"asks for a pause":  {busyFor(40 * time.Minute), 55 * time.Minute},
		"asks for too long": {busyFor(40 * time.Hour), 66 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log bytes.Buffer
				h := &host{entries: 3}
				h.onPoll = func(_ context.Context, _ int, batch *ingest.Batch) error {
					batch.Coverage.Logs = []ingest.LogState{{Name: "one"}, {Name: "two", Error: c.err.Error(), Err: c.err, NeedsAction: ingest.NeedsAction(c.err)}}
					return nil
				}
				r := h.runner()
				r.Interval = time.Hour
				r.Logger = slog.New(slog.NewTextHandler(&log, nil))
				start := time.Now().UTC()
				runFor(t, r, 2*time.Hour-time.Second)
				for _, p := range h.pauses("poll") {
					assert.LessOrEqual(t, p, c.longest)
				}
				s := r.Status()
				assert.Zero(t, s.Failures, "the other one is read")
				assert.Equal(t, start, s.Totals.Logs[1].Since)
				assert.Zero(t, s.Totals.Logs[0].Since)
				assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
				assert.Regexp(t, `msg="a log cannot be read; the others go on" key=k log=two error="?`+c.err.Error(), log.String())
			})
		})
	}
}

func TestRunner_LogsThatALogCanBeReadAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{}
		h.onPoll = func(_ context.Context, n int, batch *ingest.Batch) error {
			state := ingest.LogState{Name: "two"}
			if n < 4 {
				state.Error = "down"
			}
			batch.Coverage.Logs = []ingest.LogState{{Name: "one"}, state}
			return nil
		}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		runFor(t, r, time.Hour)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 2, log.String())
		assert.Regexp(t, `level=INFO msg="a log can be read again" key=k log=two after=2[0-3]\.`, lines[1])
	})
}

// After a failure of all logs, one that still fails is the exception again.
func TestRunner_LogsWhatStillFailsAfterARecovery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		two := ingest.LogState{Name: "two", Error: "HTTP 500", Err: errors.New("HTTP 500")}
		h := &host{failed: ingest.Coverage{Logs: []ingest.LogState{{Name: "one", Error: "HTTP 403", Err: refusal("HTTP 403"), NeedsAction: true}, two}}}
		h.onPoll = func(_ context.Context, n int, batch *ingest.Batch) error {
			batch.Coverage.Logs = []ingest.LogState{{Name: "one"}, two}
			if n < 3 {
				return errors.Join(refusal("HTTP 403"), two.Err)
			}
			return nil
		}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		runFor(t, r, 2*time.Hour)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 5, log.String())
		assert.Contains(t, lines[0], `msg="ingest failed"`)
		assert.Contains(t, lines[1], `msg="ingest still failing"`)
		assert.Contains(t, lines[2], `msg="a log can be read again" key=k log=one`)
		assert.Contains(t, lines[3], `msg="a log cannot be read; the others go on" key=k log=two error="HTTP 500"`)
		assert.Contains(t, lines[4], `msg="ingest recovered"`)
	})
}

func TestRunner_StatusTellsWhichStepIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now().UTC()
		h := &host{entries: 1, onLoad: lasting(time.Minute), onWrite: lasting(time.Minute), onSave: lasting(time.Minute)}
		h.onPoll = func(ctx context.Context, n int, _ *ingest.Batch) error { return lasting(time.Minute)(ctx, n) }
		r := h.runner()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		for i, step := range []ingest.Step{ingest.StepLoad, ingest.StepPoll, ingest.StepDeliver, ingest.StepSave, ""} {
			time.Sleep(time.Until(start.Add(time.Duration(i)*time.Minute + 30*time.Second)))
			s := r.Status()
			assert.Equal(t, step, s.Doing)
			if step == "" {
				assert.Zero(t, s.DoingSince)
				continue
			}
			assert.Equal(t, start.Add(time.Duration(i)*time.Minute), s.DoingSince)
		}
		cancel()
		require.NoError(t, <-done)
	})
}

// The first cursor fixes where the feed begins, also when nothing can be read.
func TestRunner_ABatchOfWhichNoLogWasReadIsNoSuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{}
		h.onPoll = func(_ context.Context, n int, batch *ingest.Batch) error {
			if n > 1 {
				return refusal("HTTP 403")
			}
			batch.More = true
			batch.Coverage.Logs = []ingest.LogState{{Name: "one", Error: "HTTP 403", Err: refusal("HTTP 403"), NeedsAction: true}}
			return nil
		}
		r := h.runner()
		runFor(t, r, time.Hour)
		s := r.Status()
		assert.Equal(t, ingest.Cursor("0"), h.stored, "it is saved all the same")
		assert.Zero(t, s.LastSuccess)
		assert.Greater(t, s.Failures, 50)
		assert.Equal(t, ingest.StepPoll, s.Step)
		assert.True(t, ingest.NeedsAction(s.Err))
	})
}

func TestRunner_BackoffStartsAnewAfterASuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 2, page: 1}
		h.onPoll = func(_ context.Context, n int, _ *ingest.Batch) error {
			if n != 4 {
				return errDown
			}
			return nil
		}
		runFor(t, h.runner(), 45*time.Second)
		pauses := h.pauses("poll")
		require.Len(t, pauses, 5)
		assertPause(t, 20*time.Second, pauses[2])
		assert.Zero(t, pauses[3])
		assertPause(t, 5*time.Second, pauses[4])
	})
}

func TestRunner_HonoursRetryAfter(t *testing.T) {
	tests := map[string]struct {
		err  error
		want time.Duration
	}{
		"longer than the back-off":  {busyFor(17 * time.Minute), 17 * time.Minute},
		"wrapped":                   {fmt.Errorf("poll: %w", busyFor(time.Minute)), time.Minute},
		"shorter than the back-off": {busyFor(time.Second), 5 * time.Second},
		"not said":                  {busyFor(0), 5 * time.Second},
		"negative":                  {busyFor(-time.Hour), 5 * time.Second},
	}
	hosts := map[string]func(error) *host{
		"poll":  func(err error) *host { return &host{entries: 1, onPoll: firstPollsFail(1, err)} },
		"write": func(err error) *host { return &host{entries: 1, onWrite: firstFail(1, err)} },
		"save":  func(err error) *host { return &host{entries: 1, onSave: firstFail(1, err)} },
	}
	for name, test := range tests {
		for step, build := range hosts {
			t.Run(name+"/"+step, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := build(test.err)
					r := h.runner()
					r.Interval = 24 * time.Hour
					runFor(t, r, time.Hour)
					pauses := h.pauses(step)
					require.NotEmpty(t, pauses)
					assertPause(t, test.want, pauses[0])
				})
			})
		}
	}
}

func TestRunner_AnEndlessRetryAfterIsNotABusyLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{onPoll: firstPollsFail(1<<30, busyFor(math.MaxInt64))}
		runFor(t, h.runner(), 30*24*time.Hour)
		assert.Equal(t, 1, h.polls)
	})
}

func TestRunner_StopsAtOnceWhileItWaits(t *testing.T) {
	tests := map[string]*host{
		"for the next poll":  {entries: 1},
		"after a bad poll":   {onPoll: firstPollsFail(1<<30, errDown)},
		"after a bad load":   {onLoad: firstFail(1<<30, errDown)},
		"before a retry":     {entries: 1, onWrite: firstFail(1, errDown)},
		"before a save":      {entries: 1, onSave: firstFail(1, errDown)},
		"long RetryAfter":    {onPoll: firstPollsFail(1, busyFor(time.Hour))},
		"long sink deferral": {entries: 1, onWrite: firstFail(1, busyFor(time.Hour))},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				runFor(t, h.runner(), 3*time.Second)
				assert.Equal(t, 3*time.Second, time.Since(start))
			})
		})
	}
}

func TestRunner_StopBeforeTheStartDoesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, h.runner().Run(ctx))
		assert.Empty(t, h.story())
	})
}

func TestRunner_StopDuringAPollKeepsTheCursor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, stored: ingest.Cursor("0")}
		h.onPoll = func(ctx context.Context, _ int, _ *ingest.Batch) error {
			<-ctx.Done()
			return ctx.Err()
		}
		r := h.runner()
		runFor(t, r, time.Second)
		assert.Equal(t, "load k, poll 0 fails", h.story())
		assert.Zero(t, r.Status().Failures, "a stop is not a failure")
	})
}

func TestRunner_StopDuringAPollFinishesTheBatchItReturns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 4, page: 2}
		h.onPoll = func(ctx context.Context, _ int, _ *ingest.Batch) error {
			<-ctx.Done()
			return nil
		}
		alive := func(ctx context.Context, _ int) error { return ctx.Err() }
		h.onWrite, h.onSave = alive, alive
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2", h.story())
	})
}

// lasting takes d unless its context ends before.
func lasting(d time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestRunner_StopDoesNotCutADeliveryShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		h := &host{entries: 4, page: 2, onWrite: lasting(5 * time.Second), onSave: lasting(4 * time.Second)}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2", h.story())
		assert.Equal(t, 9*time.Second, time.Since(start))
	})
}

func TestRunner_StopFinishesTheBatchInHand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// The runner waits for its next attempt when the stop comes.
		h := &host{entries: 4, page: 2, onWrite: firstFail(1, errDown)}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2 fails, write 1+2, save 2", h.story())
	})
}

func TestRunner_StopFinishesTheSave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 4, page: 2, onSave: firstFail(1, errDown)}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2 fails, save 2", h.story())
	})
}

func TestRunner_StopTriesTheBatchInHandOnlyOnceMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 4, page: 2, onWrite: firstFail(1<<30, errDown)}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1+2 fails, write 1+2 fails", h.story())
		assert.Nil(t, h.stored)
	})
}

func TestRunner_StopGraceBoundsTheDelivery(t *testing.T) {
	tests := map[string]struct{ grace, want time.Duration }{
		"default": {0, 10 * time.Second},
		"set":     {3 * time.Second, 3 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				h := &host{entries: 1, onWrite: lasting(time.Hour)}
				r := h.runner()
				r.StopGrace = test.grace
				runFor(t, r, time.Second)
				assert.Equal(t, time.Second+test.want, time.Since(start))
				assert.Nil(t, h.stored)
				assert.Contains(t, r.Status().LastError, "grace")
			})
		})
	}
}

func TestRunner_StopWhileTheBatchFailedInFlightStillRetriesIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1}
		h.onWrite = func(ctx context.Context, n int) error {
			if n == 1 {
				time.Sleep(2 * time.Second)
				return errDown
			}
			return ctx.Err()
		}
		runFor(t, h.runner(), time.Second)
		assert.Equal(t, "load k, poll 0, write 1 fails, write 1, save 1", h.story())
	})
}

func TestRunner_RefusesABatchThatBreaksTheContract(t *testing.T) {
	tests := map[string]struct {
		spoil func(*ingest.Batch)
		want  string
	}{
		"nil cursor":      {func(b *ingest.Batch) { b.Cursor = nil }, "without a cursor"},
		"empty cursor":    {func(b *ingest.Batch) { b.Cursor = ingest.Cursor{} }, "without a cursor"},
		"too many events": {func(b *ingest.Batch) { b.Events = make([]ingest.Event, ingest.MaxEvents+1) }, "1001 events"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := &host{entries: 1}
				h.onPoll = func(_ context.Context, _ int, batch *ingest.Batch) error {
					test.spoil(batch)
					return nil
				}
				r := h.runner()
				assert.ErrorContains(t, r.Run(t.Context()), test.want)
				_, err := r.Drain(t.Context())
				assert.ErrorContains(t, err, test.want)
				assert.Equal(t, "load k, poll 0, load k, poll 0", h.story())
				assert.Contains(t, r.Status().LastError, test.want)
			})
		})
	}
}

func TestRunner_AcceptsTheLargestBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: ingest.MaxEvents, page: ingest.MaxEvents}
		runFor(t, h.runner(), time.Second)
		assert.Len(t, h.delivered, ingest.MaxEvents)
	})
}

func TestRunner_NamesEveryMissingField(t *testing.T) {
	t.Parallel()
	r := &ingest.Runner{Interval: -1, StopGrace: -1}
	err := r.Run(t.Context())
	for _, field := range []string{"Source", "Sink", "Store", "Key", "Interval", "StopGrace"} {
		assert.ErrorContains(t, err, field)
	}
	_, drainErr := r.Drain(t.Context())
	assert.EqualError(t, drainErr, err.Error())
}

func TestRunner_RunsOnlyOnceAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1}
		r := h.runner()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		assert.ErrorContains(t, r.Run(t.Context()), "running already")
		_, err := r.Drain(t.Context())
		assert.ErrorContains(t, err, "running already")
		cancel()
		require.NoError(t, <-done)
		_, err = r.Drain(t.Context())
		assert.NoError(t, err)
	})
}

func TestRunner_PanicsReachTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1}
		h.onWrite = func(context.Context, int) error { panic("bug") }
		assert.PanicsWithValue(t, "bug", func() { _ = h.runner().Run(t.Context()) })
	})
}

func TestRunner_CallsOnBatchOnceTheCursorIsSaved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 3, page: 2, onWrite: firstFail(1, errDown), onSave: firstFail(1, errDown)}
		r := h.runner()
		var seen []string
		r.OnBatch = func(b ingest.Batch) {
			assert.Equal(t, h.stored, b.Cursor)
			assert.Equal(t, len(h.delivered), r.Status().Totals.Delivered)
			seen = append(seen, fmt.Sprintf("%d/%v", len(b.Events), b.More))
		}
		runFor(t, r, 400*time.Second)
		assert.Equal(t, []string{"2/true", "1/false", "0/false"}, seen)
	})
}

func TestRunner_LogsNothingInNormalRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{entries: 5, page: 2}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		runFor(t, r, 24*time.Hour)
		assert.Empty(t, log.String())
	})
}

func TestRunner_LogsEachFailureAndOneRecovery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{entries: 4, page: 2, onPoll: firstPollsFail(2, errDown), onWrite: firstFail(1, errDown)}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		runFor(t, r, time.Minute)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 4, log.String())
		for i, want := range []string{
			`level=WARN msg="ingest failed" key=k step=poll error=down failures=1 retry_in=5`,
			`level=WARN msg="ingest still failing" key=k step=poll since=\S+ failures=2 retry_in=10`,
			`level=WARN msg="ingest failed" key=k step=deliver error=down failures=3 retry_in=5`,
			`level=INFO msg="ingest recovered" key=k failures=3 after=2[0-2]\.`,
		} {
			assert.Regexp(t, want, lines[i])
		}
	})
}

func TestRunner_LogsABatchThatAStopLeavesUndelivered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{entries: 1, onWrite: firstFail(1<<30, errDown)}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		runFor(t, r, time.Second)
		assert.Contains(t, log.String(), "stopped with a batch in hand")
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	})
}

func TestRunner_DrainLogsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &host{entries: 1, onWrite: firstFail(1, errDown)}
		r := h.runner()
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		_, err := r.Drain(t.Context())
		assert.Error(t, err)
		assert.Empty(t, log.String())
	})
}

func TestRunner_StatusTellsHowItStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 3, page: 2}
		h.onPoll = func(_ context.Context, n int, _ *ingest.Batch) error {
			if n == 3 || n == 4 {
				return errDown
			}
			return nil
		}
		r := h.runner()
		assert.Zero(t, r.Status())

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		start := time.Now().UTC()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := r.Status()
		assert.Equal(t, start, s.LastAttempt)
		assert.Equal(t, start, s.LastSuccess)
		assertPause(t, 300*time.Second, s.NextAttempt.Sub(start))
		assert.Equal(t, 2, s.Polls)
		assert.Zero(t, s.Failures)
		assert.Empty(t, s.LastError)
		assert.Equal(t, ingest.Coverage{
			Requests: 2, Read: 5, Delivered: 3, Dropped: map[string]int{"reads": 2},
			Complete: start.Add(-time.Minute).Local(),
		}, s.Totals)
		assert.Equal(t, 70*time.Second, s.Lag)

		failing := s.NextAttempt
		time.Sleep(time.Until(failing) + 6*time.Second)
		synctest.Wait()
		s = r.Status()
		assert.Equal(t, 2, s.Failures)
		assert.Equal(t, 2, s.StepFailures)
		assert.Equal(t, ingest.StepPoll, s.Step)
		assert.Equal(t, 2, s.PollFailures)
		assert.True(t, s.FailingSince.Before(s.LastErrorAt) && !s.FailingSince.Before(failing), s)
		assert.Equal(t, "poll: down", s.LastError)
		assert.True(t, s.LastErrorAt.After(failing) && s.LastErrorAt.Equal(s.LastAttempt), s)
		assert.Equal(t, start, s.LastSuccess)
		assertPause(t, 10*time.Second, s.NextAttempt.Sub(s.LastErrorAt))
		assert.Equal(t, time.Since(start)+time.Minute, s.Lag)

		time.Sleep(time.Minute)
		synctest.Wait()
		s = r.Status()
		assert.Zero(t, s.Failures)
		assert.Zero(t, s.StepFailures)
		assert.Zero(t, s.FailingSince)
		assert.Equal(t, "poll: down", s.LastError, "kept after the recovery")
		assert.True(t, s.LastSuccess.After(s.LastErrorAt))
		assert.Equal(t, 5, s.Polls)

		cancel()
		require.NoError(t, <-done)
		assert.Zero(t, r.Status().NextAttempt)
	})
}

func TestRunner_StatusTellsWhenAPollBeganAndWhenItsBatchWasSaved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now().UTC()
		h := &host{entries: 1, onWrite: lasting(2 * time.Second), onSave: lasting(time.Second)}
		h.onPoll = func(ctx context.Context, n int, _ *ingest.Batch) error { return lasting(time.Second)(ctx, n) }
		r := h.runner()
		runFor(t, r, time.Minute)
		assert.Equal(t, start, r.Status().LastAttempt)
		assert.Equal(t, start.Add(4*time.Second), r.Status().LastSuccess)
	})
}

func TestRunner_StatusCountsTheFailuresOfEachPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, onLoad: firstFail(1, errDown), onPoll: firstPollsFail(2, errDown),
			onWrite: firstFail(3, errDown), onSave: firstFail(1<<30, errDown)}
		r := h.runner()
		ctx, cancel := context.WithTimeout(t.Context(), 72*time.Second)
		defer cancel()
		r.StopGrace = time.Hour
		require.NoError(t, r.Run(ctx))
		s := r.Status()
		assert.Equal(t, 3, s.Polls)
		assert.Equal(t, 2, s.PollFailures)
		assert.Equal(t, 3, s.SinkFailures)
		assert.Equal(t, 1+h.saves, s.StoreFailures)
		assert.Equal(t, 6+h.saves, s.Failures)
		assert.Equal(t, "save the cursor: down", s.LastError)
		assert.Zero(t, s.Totals, "nothing counts before its cursor is saved")
		assert.Zero(t, s.LastSuccess)
	})
}

func TestRunner_StatusCountsTheRequestsOfFailedPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, failed: ingest.Coverage{
			Requests: 3, Statuses: map[int]int{503: 3}, Throttled: time.Second, Read: 99,
		}}
		h.onPoll = func(_ context.Context, n int, batch *ingest.Batch) error {
			if n == 1 {
				return errDown
			}
			batch.Coverage.Statuses = map[int]int{200: 1}
			return nil
		}
		r := h.runner()
		runFor(t, r, time.Minute)
		s := r.Status()
		assert.Equal(t, map[int]int{503: 3, 200: 1}, s.Totals.Statuses)
		assert.Equal(t, 4, s.Totals.Requests)
		assert.Equal(t, time.Second, s.Totals.Throttled)
		assert.Equal(t, s.Totals.Delivered+s.Totals.DroppedTotal(), s.Totals.Read, "a failed poll has read nothing")
		assert.Equal(t, errDown, s.Err)
	})
}

func TestRunner_StatusIsACopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 1, onPoll: func(_ context.Context, _ int, batch *ingest.Batch) error {
			batch.Coverage.Statuses = map[int]int{200: 1}
			return nil
		}}
		r := h.runner()
		runFor(t, r, time.Second)
		r.Status().Totals.Dropped["reads"] = 99
		r.Status().Totals.Statuses[200] = 99
		assert.Equal(t, 1, r.Status().Totals.Dropped["reads"])
		assert.Equal(t, 1, r.Status().Totals.Statuses[200])
	})
}

func TestRunner_StatusMayBeCalledAtAnyTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 200, page: 1}
		r := h.runner()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_ = r.Status()
					time.Sleep(time.Second)
				}
			})
		}
		require.NoError(t, r.Run(ctx))
		wg.Wait()
	})
}

func TestRunner_DrainReadsTheBacklogAndReturnsItsCoverage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 5, page: 2}
		r := h.runner()
		total, err := r.Drain(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2, poll 2, write 3+4, save 4, poll 4, write 5, save 5", h.story())
		assert.Equal(t, 5, total.Delivered)
		assert.Equal(t, 3, total.Requests)
		assert.Equal(t, map[string]int{"reads": 3}, total.Dropped)
		assert.Equal(t, total, r.Status().Totals)

		h.entries = 6
		total, err = r.Drain(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, total.Delivered, "only what this call covered")
		assert.Equal(t, 6, r.Status().Totals.Delivered)
	})
}

func TestRunner_DrainEndsAtTheFirstFailure(t *testing.T) {
	tests := map[string]struct {
		host *host
		want string
	}{
		"load":    {&host{onLoad: firstFail(1, errDown)}, "load k fails"},
		"poll":    {&host{onPoll: firstPollsFail(1, errDown)}, "load k, poll 0 fails"},
		"deliver": {&host{entries: 1, onWrite: firstFail(1, errDown)}, "load k, poll 0, write 1 fails"},
		"save":    {&host{entries: 1, onSave: firstFail(1, errDown)}, "load k, poll 0, write 1, save 1 fails"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				total, err := test.host.runner().Drain(t.Context())
				assert.ErrorIs(t, err, errDown)
				assert.ErrorContains(t, err, "ingest: k: ")
				assert.Equal(t, test.want, test.host.story())
				assert.Nil(t, test.host.stored)
				assert.Zero(t, total)
				assert.Zero(t, time.Since(start), "a drain does not wait")
			})
		})
	}
}

func TestRunner_DrainReturnsTheCoverageBeforeAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{entries: 5, page: 2}
		h.onPoll = func(_ context.Context, n int, _ *ingest.Batch) error {
			if n == 3 {
				return errDown
			}
			return nil
		}
		total, err := h.runner().Drain(t.Context())
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 4, total.Delivered)
		assert.Equal(t, "4", string(h.stored))
	})
}

func TestRunner_DrainRefusesABacklogWithoutProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &host{stored: ingest.Cursor("0")}
		h.onPoll = func(_ context.Context, _ int, batch *ingest.Batch) error {
			batch.More = true
			return nil
		}
		_, err := h.runner().Drain(t.Context())
		assert.ErrorContains(t, err, "does not move")
		assert.Equal(t, 1, h.polls)
	})
}

func TestRunner_DrainFinishesTheBatchInHandWhenStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h := &host{entries: 5, page: 2}
		h.onWrite = func(ctx context.Context, n int) error {
			if n == 2 {
				cancel()
			}
			return lasting(time.Second)(ctx, n)
		}
		total, err := h.runner().Drain(ctx)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 4, total.Delivered)
		assert.Equal(t, "load k, poll 0, write 1+2, save 2, poll 2, write 3+4, save 4", h.story())
	})
}

func TestRunner_DrainThatIsDoneWhenStoppedHasNotFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &host{entries: 1, onWrite: func(context.Context, int) error { cancel(); return nil }}
		_, err := h.runner().Drain(ctx)
		assert.NoError(t, err)
	})
}

// The promise of the whole: whatever fails and whenever the process stops,
// each entry is delivered, in order, and repeated only after a stop.
func TestRunner_NoEntryIsLostOrRepeatedWithoutAStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// A bubble allows no t.Deadline, which rapid calls on a bare *testing.T.
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			h := &host{
				entries: rapid.IntRange(0, 12).Draw(rt, "entries"),
				page:    rapid.IntRange(1, 5).Draw(rt, "page"),
			}
			failing := rapid.IntRange(0, 5).Draw(rt, "failures in ten")
			fail := func(context.Context, int) error {
				if rapid.IntRange(1, 10).Draw(rt, "call") <= failing {
					return errDown
				}
				return nil
			}
			h.onLoad, h.onWrite, h.onSave = fail, fail, fail
			h.onPoll = func(ctx context.Context, n int, _ *ingest.Batch) error { return fail(ctx, n) }

			stops := rapid.IntRange(0, 4).Draw(rt, "stops")
			for range stops {
				after := rapid.Int64Range(0, int64(time.Minute)).Draw(rt, "stop after")
				runFor(t, h.runner(), time.Duration(after))
			}
			failing = 0
			_, err := h.runner().Drain(t.Context())
			require.NoError(rt, err)

			next := 1
			for _, id := range h.delivered {
				n, _ := strconv.Atoi(id)
				require.LessOrEqual(rt, n, next, "entry %d is lost: %v", next, h.delivered)
				if stops == 0 {
					require.Equal(rt, next, n, "repeated: %v", h.delivered)
				}
				next = max(next, n+1)
			}
			require.Equal(rt, h.entries+1, next, "missing at the end: %v", h.delivered)
		})
	})
}
