package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// screen is a terminal that keeps what is written to it.
type screen struct {
	bytes.Buffer
	width int
}

func (s *screen) Terminal() (int, bool) { return s.width, true }

// shownOn runs a command line whose output and errors go to a terminal.
func (c call) shownOn(ctx context.Context, width int) (code int, out, errs string) {
	o, e := &screen{width: width}, &screen{width: width}
	code = execute(ctx, c.args, world{
		stdin: strings.NewReader(c.stdin), stdout: o, stderr: e, getenv: func(name string) string { return c.env[name] },
	})
	return code, o.String(), e.String()
}

func TestPoll_OnATerminalIsATableWithASummary(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(40)...)
	for _, width := range []int{60, 100, 200} {
		code, out, errs := a.call("poll", "--state", t.TempDir()).shownOn(t.Context(), width)
		require.Equal(t, exitOK, code, errs)
		assert.Contains(t, out, "TITLE")
		assert.NotContains(t, out, `{"source"`)
		assert.Contains(t, out, "\x1b[1m", "colour")
		for line := range strings.Lines(ansi.ReplaceAllString(out, "")) {
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width)
		}
		assert.Contains(t, errs, "read 40 entries: ")
		assert.Contains(t, errs, "Reading the audit log.", "the status line")
		assert.True(t, strings.HasSuffix(errs, "no backlog\n"), "the status line is gone: %q", errs)
	}
}

func TestPoll_NoColourAndDumbTerminalsAreRespected(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(10)...)
	for _, env := range [][2]string{{envNoColor, "1"}, {envTerm, "dumb"}} {
		c := a.call("poll", "--state", t.TempDir())
		c.env[env[0]] = env[1]
		code, out, errs := c.shownOn(t.Context(), 100)
		require.Equal(t, exitOK, code, errs)
		assert.Contains(t, out, "TITLE")
		assert.NotContains(t, out, "\x1b[1m", env)
		if env[0] == envTerm {
			assert.NotContains(t, errs, "\x1b", env)
		}
	}
}

func TestPoll_TheFormatCanBeChosen(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(10)...)
	for format, begins := range map[string]string{"jsonl": `{"source"`, "csv": "created_at,", "table": "TIME"} {
		got := a.call("poll", "--state", t.TempDir(), "--format", format).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.True(t, strings.HasPrefix(got.out, begins), format)
		code, out, errs := a.call("poll", "--state", t.TempDir(), "--format", format).shownOn(t.Context(), 100)
		require.Equal(t, exitOK, code, errs)
		assert.True(t, strings.HasPrefix(ansi.ReplaceAllString(out, ""), begins), format)
	}
	got := a.call("poll", "--state", t.TempDir(), "--format", "xml").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, `--format: "xml": must be table, jsonl, csv, ecs or ocsf`)
	got = a.call("poll", "--state", t.TempDir(), "--format", "csv", "--out", t.TempDir()+"/x").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "cfaudit export writes such files")
}

func TestRun_OnATerminalSaysWhatItWaitsForAndWhatItDid(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(5)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		time.AfterFunc(1500*time.Millisecond, cancel)
		return nil
	})
	code, out, errs := a.call("run", "--state", t.TempDir()).shownOn(ctx, 120)
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "TITLE")
	assert.Contains(t, errs, "Waiting, next poll in ")
	assert.Contains(t, errs, "stopped after ")
	assert.Contains(t, errs, "read 5 entries: ")

	a.Fault(nil)
	quiet, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	got := a.call("run", "--state", t.TempDir()).run(quiet)
	assert.Equal(t, exitOK, got.code)
	assert.Empty(t, got.err, "a service logs nothing in normal running")
}

func TestRunnerLine_NamesTheFailureAndTheNextAttempt(t *testing.T) {
	t.Parallel()
	now := time.Now()
	failing := ingest.Status{Failures: 1, Step: ingest.StepPoll, NextAttempt: now.Add(5 * time.Second)}
	failing.Err = &cloudflareaudit.ReadError{Log: "the audit log", Err: &cloudflareaudit.APIError{Status: 403, Remedy: "is refused", Field: "api_token"}}
	line := runnerLine(failing, now)
	assert.True(t, strings.HasPrefix(line, "Failing, next attempt in 5s: cannot read the audit log: "), line)
	assert.Contains(t, line, "--token-file", "in terms of the command line, as in the log")
	assert.NotContains(t, line, "cloudflareaudit")
	failing.Step, failing.Err = ingest.StepDeliver, errors.New("no space left on device")
	assert.Contains(t, runnerLine(failing, now), ": cannot deliver the events: no space left on device. 0 events")
	assert.Equal(t, "Reading a backlog of 2 windows. 7 events so far",
		runnerLine(ingest.Status{Totals: ingest.Coverage{Backlog: 2, Delivered: 7}}, now))
}

// A terminal of 80 columns shows 79 of them.
func TestRunnerLine_FitsIntoATerminalInNormalRunning(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 30, 0, 0, time.Local)
	s := ingest.Status{NextAttempt: now.Add(299 * time.Second), Totals: ingest.Coverage{Delivered: 1234}}
	s.Totals.Complete = now.Add(-time.Minute)
	line := runnerLine(s, now)
	assert.Equal(t, "Waiting, next poll in 4m59s. 1234 events so far, complete up to 12:29:00", line)
	assert.Less(t, len(line), 80)
	s.Totals.Complete = now.AddDate(0, 0, -1)
	assert.Contains(t, runnerLine(s, now), "complete up to 2026-11-26 12:30:00")
}

func TestDemo_OnATerminalShowsTheRiskiestFirstWhyAndWhatIsNext(t *testing.T) {
	t.Parallel()
	for _, width := range []int{60, 80, 120} {
		code, out, errs := call{args: []string{"demo"}}.shownOn(t.Context(), width)
		require.Equal(t, exitOK, code, errs)
		out = ansi.ReplaceAllString(out, "")
		for line := range strings.Lines(out) {
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width)
		}
		_, rows, _ := strings.Cut(out, "\n")
		assert.Contains(t, strings.SplitN(rows, "\n", 2)[0], "critical")
		assert.NotRegexp(t, `[0-9a-f]{32}`, out, "names and no ids")
		assert.Contains(t, out, "\n3. ")
		assert.Contains(t, errs, "cfaudit demo --serve")
		assert.Less(t, strings.Count(out, "\n"), 60, "it is short")
	}
}

func TestTerminal_IsFoundBehindTheStatusLine(t *testing.T) {
	t.Parallel()
	s := &screen{width: 90}
	w := world{stdout: s, stderr: s, getenv: func(string) string { return "" }}
	var d display
	d.begin(&w)
	width, ok := table.Terminal(w.stdout)
	assert.True(t, ok)
	assert.Equal(t, 90, width)
}
