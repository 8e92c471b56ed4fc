package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/backfill"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
)

// fed is an account with a feed that has begun some hours ago.
type fed struct {
	account
	state, live, older string
	// entries are the ids of all entries.
	entries []string
}

// newFed serves n entries of each log, one a minute up to an hour ago, and begins a
// feed of the logs that reaches back over two hours of them.
func newFed(t *testing.T, n int, logs string) *fed {
	t.Helper()
	now := time.Now()
	from, to := now.Add(-time.Duration(n+60)*time.Minute), now.Add(-time.Hour)
	v1 := fakecloudflare.Generate(5, n, from, to)
	f := &fed{account: newAccount(t, v1...), state: t.TempDir(), entries: idsOf(t, v1)}
	if logs != "v1" {
		for i := range n {
			id := fmt.Sprintf("v2-%05d", i)
			f.AddV2(time.Time{}, fakecloudflare.EntryV2(id, from.Add(time.Duration(i)*time.Minute), 6))
			f.entries = append(f.entries, id)
		}
	}
	dir := t.TempDir()
	f.live, f.older = filepath.Join(dir, "live.jsonl"), filepath.Join(dir, "older.jsonl")
	got := f.with("poll", "--state", f.state, "--out", f.live, "--audit-log-api", logs, "--initial-lookback", "3h").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	require.NotEmpty(t, read(t, f.live))
	return f
}

func (f *fed) with(args ...string) call {
	return f.call(append(args, "--drop-routine=false", "--rate-limit", "1200")...)
}

// backfill is the command line of a backfill of everything.
func (f *fed) backfill(more ...string) call {
	return f.with(append([]string{"backfill", "--since", "30d", "--state", f.state, "--out", f.older}, more...)...)
}

// written are the ids of the entries in the two files, sorted.
func (f *fed) written(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(slices.Values(slices.Concat(ids(t, read(t, f.live)), ids(t, read(t, f.older)))))
}

func (f *fed) sorted() []string { return slices.Sorted(slices.Values(f.entries)) }

func TestBackfill_DeliversWhatIsOlderThanTheFeedOnce(t *testing.T) {
	t.Parallel()
	for _, logs := range []string{"v1", "v2", "both"} {
		t.Run(logs, func(t *testing.T) {
			t.Parallel()
			f := newFed(t, 2500, logs)
			if logs == "v2" {
				f.entries = f.entries[2500:]
			}
			cursor := read(t, filepath.Join(f.state, cursorName))
			got := f.backfill("--audit-log-api", logs).run(t.Context())
			require.Equal(t, exitOK, got.code, got.err)
			assert.Equal(t, f.sorted(), f.written(t))
			assert.Equal(t, cursor, read(t, filepath.Join(f.state, cursorName)), "the cursor of the feed has been touched")
			assert.Equal(t, []string{".lock", "backfill", cursorName}, names(t, f.state))
			assert.Equal(t, []string{".lock", cursorName}, names(t, filepath.Join(f.state, "backfill")))
			assert.NotContains(t, read(t, filepath.Join(f.state, "backfill", cursorName)), f.token)
			read := len(f.entries) - len(ids(t, read(t, f.live)))
			assert.Regexp(t, fmt.Sprintf(`read %d entries: \d+ events \(.*\), 0 dropped; .*\d+ requests\n`, read), got.err)
			done := map[string][]string{"v1": {"audit log v1"}, "v2": {"Audit Logs v2"}, "both": {"audit log v1", "Audit Logs v2"}}[logs]
			for _, log := range done {
				assert.Contains(t, got.err, "done: "+log+" from ")
			}
			assert.Equal(t, len(done), strings.Count(got.err, "done: "))

			// A second one has nothing to do, and asks nobody. The feed goes on.
			before := len(f.Requests())
			again := f.backfill("--audit-log-api", logs).run(t.Context())
			require.Equal(t, exitOK, again.code, again.err)
			assert.Len(t, f.Requests(), before)
			assert.Equal(t, len(done), strings.Count(again.err, "nothing to do: "), again.err)
			assert.Contains(t, again.err, " has been backfilled from ")
			poll := f.with("poll", "--state", f.state, "--out", f.live, "--audit-log-api", logs).run(t.Context())
			require.Equal(t, exitOK, poll.code, poll.err)
			assert.Equal(t, f.sorted(), f.written(t))
		})
	}
}

func TestBackfill_BesideARunThatGoesOn(t *testing.T) {
	t.Parallel()
	f := newFed(t, 3000, "both")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var ran result
	running.Go(func() {
		ran = f.with("run", "--state", f.state, "--out", f.live, "--audit-log-api", "both", "--interval", "30s").run(ctx)
	})
	before := len(f.Requests())
	require.Eventually(t, func() bool { return len(f.Requests()) > before }, 10*time.Second, time.Millisecond)

	same := f.with("backfill", "--since", "30d", "--state", f.state, "--out", f.live, "--audit-log-api", "both").run(t.Context())
	assert.Equal(t, exitFailed, same.code)
	assert.Contains(t, same.err, "another process writes to "+f.live+"; stop that one or choose another file")

	got := f.backfill("--audit-log-api", "both").run(t.Context())
	stop()
	running.Wait()
	require.Equal(t, exitOK, got.code, got.err)
	require.Equal(t, exitOK, ran.code, ran.err)
	assert.Equal(t, f.sorted(), f.written(t))
}

// Killed at any moment, it loses nothing, and a kill costs no more than a batch.
func TestBackfill_KilledAtAnyMomentResumes(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	const batch = 50
	f := newFed(t, 2500, "both")
	args := f.backfill("--audit-log-api", "both", "--max-events", fmt.Sprint(batch))
	kills, finished := 0, false
	for kills < 8 && !finished {
		cmd := args.start(t, nil)
		began := len(f.Requests())
		for deadline := time.Now().Add(10 * time.Second); len(f.Requests()) < began+1+kills%3 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(3*kills) * time.Millisecond)
		_ = cmd.Process.Kill()
		if finished = cmd.Wait() == nil; !finished {
			kills++
		}
	}
	assert.Greater(t, kills, 3)
	got := f.backfill("--audit-log-api", "both").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	all := f.written(t)
	assert.Equal(t, f.sorted(), slices.Compact(slices.Clone(all)))
	assert.LessOrEqual(t, len(all)-len(f.entries), kills*batch)
	t.Logf("%d kills, %d repeats", kills, len(all)-len(f.entries))
}

func TestBackfill_InterruptedSaysHowToResumeAndResumes(t *testing.T) {
	t.Parallel()
	f := newFed(t, 2500, "v1")
	ctx, cancel := context.WithCancel(t.Context())
	f.older = filepath.Join(t.TempDir(), "older.jsonl")
	first := len(f.Requests())
	f.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n-first >= 3 {
			cancel()
		}
		return nil
	})
	got := f.backfill("--max-events", "100").run(ctx)
	assert.Equal(t, exitStopped, got.code, got.err)
	assert.Contains(t, got.err, "stopped before the end of the span; run the same command again to resume")
	assert.NotContains(t, got.err, "done: ")
	f.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		return fakecloudflare.Status(http.StatusForbidden, 10000, "Authentication error", nil)
	})
	got = f.backfill().run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "HTTP 403")
	assert.Contains(t, got.err, "the backfill is not complete; run the same command again to resume")
	f.Fault(nil)
	got = f.backfill().run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	older := len(ids(t, read(t, f.older)))
	assert.Contains(t, got.err, fmt.Sprintf("; with what was read before: %d entries, ", older))
	assert.Equal(t, f.sorted(), f.written(t))

	// More than that is read when more is asked for.
	f.Add(time.Time{}, fakecloudflare.Entry("very-old", time.Now().Add(-60*24*time.Hour), 6))
	got = f.with("backfill", "--since", "90d", "--state", f.state, "--out", f.older).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "read 1 entry: 1 event ")
	assert.Contains(t, read(t, f.older), "very-old")
}

func TestBackfill_RefusesWhatWouldComeTwiceOrBeMissed(t *testing.T) {
	t.Parallel()
	f := newFed(t, 200, "v1")
	for args, want := range map[string]string{
		"--until now":            `--until: "now": must be no later than `,
		"--until today":          `, where the feed begins in audit log v1: what is later would come twice`,
		"--since 2h":             `--since: "2h": must be earlier than `,
		"--since 600d":           `must be within the last 548 days, for which Cloudflare keeps its audit logs`,
		"--since soon":           `--since: "soon": must be 7d`,
		"--time-zone Mars/North": `--time-zone: "Mars/North": must be`,
		"--audit-log-api both":   "the feed has not read Audit Logs v2 yet, so where it begins there is not known",
		"--audit-log-api v2":     "the feed has not read Audit Logs v2 yet, so where it begins there is not known",
		"--format csv":           `--format: "csv": is for standard output alone`,
		"--tenant x":             `--tenant: "x": requires --aisoc`,
		"--max-events 0":         "--max-events",
	} {
		c := f.backfill(strings.Fields(args)...)
		if args == "--max-events 0" {
			c = f.backfill("--max-events", "-1")
		}
		got := c.run(t.Context())
		assert.Equal(t, exitUsage, got.code, "%s: %s", args, got.err)
		assert.Contains(t, got.err, want, args)
	}
	got := f.with("backfill").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--state: is required: the folder of the feed")
	assert.Contains(t, got.err, "--since: is required: 7d, 2w or 36h")

	empty := filepath.Join(t.TempDir(), "none")
	got = f.with("backfill", "--since", "30d", "--state", empty).run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "there is no cursor of the account "+fakecloudflare.DefaultAccountID+" in it. poll begins one")
	assert.NoDirExists(t, empty)
	assert.NoFileExists(t, f.older)
	assert.NoDirExists(t, filepath.Join(f.state, "backfill"))

	require.NoError(t, os.WriteFile(filepath.Join(f.state, cursorName), []byte("{}"), 0o600))
	got = f.backfill().run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "unusable cursor")
}

// What may still appear in the log would never be read once the span is done.
func TestBackfill_WaitsUntilNoEntryCanAppearInTheSpan(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	state := t.TempDir()
	require.Equal(t, exitOK, a.call("poll", "--state", state, "--initial-lookback", "1m").run(t.Context()).code)
	got := a.call("backfill", "--since", "30d", "--state", state, "--rate-limit", "1200").run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "may still appear in audit log v1: run it again after ")
	until := time.Now().Add(-20 * time.Minute).UTC().Format(time.RFC3339)
	got = a.call("backfill", "--since", "30d", "--until", until, "--state", state, "--rate-limit", "1200").run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
}

func TestBackfill_LeavesTheFeedMostOfTheBudget(t *testing.T) {
	t.Parallel()
	config := write(t, `{"rate_limit": 900, "notify_url_file": "slack", "notify_severity": "high", "account_id": "`+fakecloudflare.DefaultAccountID+`"}`)
	for args, want := range map[string]int{
		"":                                       backfill.RateLimit,
		"--config " + config:                     backfill.RateLimit,
		"--config " + config + " --rate-limit 7": 7,
	} {
		b := new(backfilling)
		cmd := b.command(newAccount(t).world())
		require.NoError(t, cmd.ParseFlags(append(strings.Fields(args), "--state", "x", "--since", "7d")))
		cfg, _, err := b.parse()
		require.NoError(t, err)
		assert.Equal(t, want, cfg.RateLimit, args)
	}
	assert.Contains(t, command(t, "backfill", "-h").out, "1 to 1200 (default 250)")
}

// world is what surrounds a command that reads the account.
func (a account) world() world {
	env := a.call().env
	return world{strings.NewReader(""), new(lines), new(lines), func(name string) string { return env[name] }}
}

// A dead letter of the backfill is in its own file, because a run may write to that
// of the feed.
func TestBackfill_AServiceGetsItUnderTheSameIDs(t *testing.T) {
	t.Parallel()
	f := newFed(t, 500, "v1")
	poison := f.entries[100]
	server := &fakehttp.Server{Kind: fakehttp.Lines, Reject: func(e map[string]any) string {
		if e["external_id"] == poison {
			return "cannot take it"
		}
		return ""
	}}
	got := f.with(append([]string{"backfill", "--since", "30d", "--state", f.state}, serveHTTP(t, server)...)...).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "; HTTP: ")
	all := ids(t, read(t, f.live))
	for id := range server.Accepted() {
		if !isBurst(id) {
			all = append(all, id)
		}
	}
	assert.ElementsMatch(t, without(f.entries, poison), without(all, poison))
	assert.Equal(t, []string{poison}, deadLetters(t, deadLetterFile(filepath.Join(f.state, "backfill"))))
	assert.NoFileExists(t, deadLetterFile(f.state))
}

func TestBackfill_ProgressHasTheCountTheDateReachedAndTheTimeLeft(t *testing.T) {
	t.Parallel()
	b := &backfilling{times: times{location: time.UTC}}
	p := backfill.Progress{}
	assert.Equal(t, "Backfilling: 0 %, waiting 7s for the request budget", b.progressLine(p, time.Minute, 7*time.Second))
	p = backfill.Progress{Log: "v2", Reached: time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), Share: 0.5, Counts: backfill.Counts{Read: 2, Events: 1}}
	assert.Equal(t, "Backfilling: 50 %, about 1m0s left, Audit Logs v2 reached 2026-03-06 00:00, 1 event", b.progressLine(p, time.Minute, 0))
}
