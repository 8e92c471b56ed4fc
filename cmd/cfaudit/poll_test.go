package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestPoll_SecondPollDeliversNothingTwice(t *testing.T) {
	t.Parallel()
	entries := recent(250)
	a := newAccount(t, entries...)
	state := filepath.Join(t.TempDir(), "state")
	poll := a.call("poll", "--state", state, "--drop-routine=false", "--overlap", "2h", "--page-size", "100")

	first := poll.run(t.Context())
	require.Equal(t, exitOK, first.code, first.err)
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, first.out))
	assert.Regexp(t, `^read 250 entries: 25\d events \(.*high.*; \d bursts?\), 0 dropped; 3 requests, no backlog\n$`, first.err)

	second := poll.run(t.Context())
	require.Equal(t, exitOK, second.code)
	assert.Empty(t, second.out)
	assert.Regexp(t, `^read (0) entries: 0 events, 0 dropped(; re-read \d+ to catch late ones)?; 1 request, no backlog\n$`, second.err)

	fresh := fakecloudflare.Entry("fresh", time.Now().Add(-time.Second), 6)
	a.Add(time.Time{}, fresh)
	third := poll.run(t.Context())
	assert.Equal(t, []string{"fresh"}, ids(t, third.out))
}

func TestPoll_SaysThatALongerLookbackComesTooLate(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(5)...)
	const said = "cfaudit backfill reads what is older"
	args := []string{"poll", "--state", filepath.Join(t.TempDir(), "state")}
	for _, step := range []struct {
		lookback string
		says     bool
	}{{"2h", false}, {"2h", false}, {"1h", false}, {"3d", true}, {"", false}} {
		with := args
		if step.lookback != "" {
			with = append(slices.Clone(args), "--initial-lookback", step.lookback)
		}
		got := a.call(with...).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Equal(t, step.says, strings.Contains(got.err, said), "%q: %s", step.lookback, got.err)
	}
}

func TestPoll_ReadsTheWholeBacklog(t *testing.T) {
	t.Parallel()
	entries := recent(1190)
	a := newAccount(t, entries...)
	out := filepath.Join(t.TempDir(), "events.jsonl")
	got := a.call("poll", "--state", t.TempDir(), "--out", out, "--drop-routine=false",
		"--page-size", "1000", "--max-events", "300", "-v").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Empty(t, got.out)
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, read(t, out)))
	assert.GreaterOrEqual(t, strings.Count(got.err, "msg=polled"), 4, got.err)
	assert.Contains(t, got.err, "backlog=1")
	assert.Contains(t, got.err, "; ")
}

func TestPoll_DroppedEntriesAreCountedByRule(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(300)...)
	got := a.call("poll", "--state", t.TempDir()).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Regexp(t, `read 300 entries: \d+ events \(.*\), \d+ dropped \(\d+ [a-z-]+.*\);`, got.err)
	assert.Less(t, len(ids(t, got.out)), 300)
}

func TestPoll_AFailureKeepsWhatWasWrittenAndTheNextPollGoesOn(t *testing.T) {
	t.Parallel()
	entries := recent(900)
	a := newAccount(t, entries...)
	a.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
		if n > 2 {
			return fakecloudflare.Status(http.StatusForbidden, 10000, "Authentication error", nil)
		}
		return nil
	})
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	poll := a.call("poll", "--state", state, "--out", out, "--drop-routine=false", "--page-size", "300", "--max-events", "300")

	failed := poll.run(t.Context())
	assert.Equal(t, exitFailed, failed.code)
	assert.Contains(t, failed.err, "1 window of backlog left\n")
	assert.Contains(t, failed.err, "cfaudit: cannot read the audit log: cloudflare answered HTTP 403, code 10000: Authentication error; ")
	assert.Contains(t, failed.err, "; 'cfaudit check' examines the token\n")
	assert.Contains(t, failed.err, "CLOUDFLARE_API_TOKEN or --token-file: the API token lacks")
	assert.Equal(t, 1, strings.Count(failed.err, "cfaudit: "))
	written := len(ids(t, read(t, out)))
	assert.Positive(t, written)
	assert.Less(t, written, 900)

	a.Fault(nil)
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, read(t, out)))
}

func TestPoll_SaysThatItRepairedTheOutput(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	whole := eventsOf(t, recent(1)...)[0]
	out := write(t, string(whole.AppendJSON(nil))+"\n"+`{"source":"clou`)
	got := a.call("poll", "--state", t.TempDir(), "--out", out, "--drop-routine=false").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "level=WARN")
	assert.Contains(t, got.err, "removed a torn last line")
	assert.Contains(t, got.err, "bytes=15")
	assert.Len(t, ids(t, read(t, out)), 4)
}

func TestPoll_TwoProcessesDoNotShareAFolderOrAFile(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Hang() })
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.call("run", "--state", state, "--out", out).run(ctx) })
	require.Eventually(t, func() bool { return len(a.Requests()) > 0 }, 5*time.Second, time.Millisecond)

	soon, cancelSoon := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancelSoon()
	got := a.call("poll", "--state", state).run(soon)
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: the folder")
	got = a.call("poll", "--state", t.TempDir(), "--out", out).run(soon)
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: another process writes to")
	cancel()
	wg.Wait()
}

func TestPoll_PlacesThatCannotBeUsedAreFailures(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	file := write(t, "this is no event\nand this neither")
	for _, args := range [][]string{
		{"--state", file},
		{"--state", filepath.Join(file, "below")},
		{"--state", t.TempDir(), "--out", file},
		{"--state", t.TempDir(), "--out", t.TempDir()},
		{"--state", t.TempDir(), "--out", "/does/not/exist/events"},
	} {
		got := a.call(append([]string{"poll"}, args...)...).run(t.Context())
		assert.Equal(t, exitFailed, got.code, args)
		assert.Equal(t, 1, strings.Count(got.err, "cfaudit: "), got.err)
		assert.Empty(t, a.Requests())
	}
	assert.Equal(t, "this is no event\nand this neither", read(t, file))
}

func TestPoll_ADamagedCursorIsNotStartedOver(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	state := t.TempDir()
	for _, content := range []string{"{", ""} {
		require.NoError(t, os.WriteFile(filepath.Join(state, "cloudflare-"+fakecloudflare.DefaultAccountID+".cursor"), []byte(content), 0o600))
		for _, name := range []string{"poll", "run"} {
			got := a.call(name, "--state", state).run(t.Context())
			assert.Equal(t, exitFailed, got.code, name)
			assert.Contains(t, got.err, "unusable cursor: ", name)
			assert.Contains(t, got.err, "; it is the file named after the account in the folder of --state\n", name)
			assert.Equal(t, 1, strings.Count(got.err, "\n"), got.err)
			assert.Empty(t, got.out, name)
			if content != "" {
				assert.True(t, strings.HasPrefix(got.err, "cfaudit: unusable cursor: "), got.err)
				assert.Contains(t, got.err, "start over with the initial lookback", name)
			}
		}
	}
	assert.Empty(t, a.Requests(), "nothing is read")
}

func TestExecute_NeverShowsTheToken(t *testing.T) {
	t.Parallel()
	echo := func(r *http.Request) string { return r.Header.Get("Authorization") }
	faults := map[string]func(r *http.Request) *fakecloudflare.Fault{
		"none": func(*http.Request) *fakecloudflare.Fault { return nil },
		"unauthorised": func(*http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(401, 1000, "Invalid API Token", nil)
		},
		"forbidden": func(*http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(403, 10000, "Authentication error", nil)
		},
		"echo": func(r *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Status(400, 6003, "bad header "+echo(r), nil)
		},
		"echo in page": func(r *http.Request) *fakecloudflare.Fault { return fakecloudflare.Reply(400, nil, "<html>"+echo(r)) },
		"echo in list": func(r *http.Request) *fakecloudflare.Fault { return fakecloudflare.Reply(200, nil, echo(r)) },
		"redirect": func(r *http.Request) *fakecloudflare.Fault {
			return fakecloudflare.Redirect("https://elsewhere.example/?" + strings.ReplaceAll(echo(r), " ", "="))
		},
		"html":         func(*http.Request) *fakecloudflare.Fault { return fakecloudflare.HTML(404) },
		"rate limited": func(*http.Request) *fakecloudflare.Fault { return fakecloudflare.Status(429, 971, "slow down", nil) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, recent(3)...)
			a.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault { return fault(r) })
			for _, args := range [][]string{{"check"}, {"check", "--json"}, {"poll", "-v", "--state", t.TempDir()}} {
				got := a.call(args...).run(t.Context())
				assert.NotContains(t, got.out+got.err, a.token, args)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			got := a.call("run", "-v", "--state", t.TempDir()).run(ctx)
			assert.Equal(t, exitOK, got.code, got.err)
			assert.NotContains(t, got.out+got.err, a.token)
		})
	}
}

func TestExecute_NeverShowsATokenThatIsInTheWrongPlace(t *testing.T) {
	t.Parallel()
	const token = "cfat_0123456789abcdefghijklmnopqrstuvwxyz0123"
	for _, token := range []string{token, strings.TrimPrefix(token, "cfat_")} {
		for _, args := range [][]string{
			{token}, {"poll", token}, {"check", token}, {"poll", "--token", token}, {"poll", "--token=" + token},
			{"poll", "--" + token}, {"poll", "-t", token}, {"poll", "-t" + token}, {"poll", "-v" + token},
			{"poll", "--account-id", token}, {"poll", "--token-file", token}, {"poll", "--rules", token},
			{"poll", "--page-size", token}, {"poll", "--interval", token}, {"poll", "--overlap=" + token},
			{"poll", "--drop-routine=" + token}, {"poll", "--base-url", "https://user:" + token + "@example.com"},
			{"poll", "--base-url", token}, {"poll", "--production-zone", token + "/"}, {"help", token},
		} {
			got := command(t, args...)
			assert.NotContains(t, got.out+got.err, token[5:], args)
			assert.Equal(t, exitUsage, got.code, args)
		}
		for _, value := range []string{token + "\n", "Bearer " + token, "'" + token + "'", token + " ", token + "\x00", token + "é"} {
			got := call{args: []string{"check", "--account-id", testID}, env: map[string]string{envToken: value}}.run(t.Context())
			assert.Equal(t, exitUsage, got.code, "%q", value)
			assert.NotContains(t, got.out+got.err, token[5:])
			got = command(t, "check", "--account-id", testID, "--token-file", write(t, value+"\nmore"))
			assert.Equal(t, exitUsage, got.code, "%q", value)
			assert.NotContains(t, got.out+got.err, token[5:])
		}
	}
}

func TestRun_LogsFailuresAndRecoveriesOnly(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	got := a.call("run", "--state", t.TempDir()).run(ctx)
	assert.Equal(t, exitOK, got.code)
	assert.Empty(t, got.err)

	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		return fakecloudflare.Status(403, 10000, "Authentication error", nil)
	})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	failing := a.call("run", "--state", t.TempDir())
	var log strings.Builder
	code := execute(ctx, failing.args, world{
		stdout: io.Discard, getenv: func(name string) string { return failing.env[name] },
		stderr: writerFunc(func(p []byte) (int, error) {
			if strings.Contains(string(p), "ingest failed") {
				cancel()
			}
			return log.Write(p)
		}),
	})
	assert.Equal(t, exitOK, code)
	assert.Equal(t, strings.Count(log.String(), "\n"), strings.Count(log.String(), "level=WARN"), &log)
	assert.Equal(t, 1, strings.Count(log.String(), `msg="ingest failed"`), &log)
	assert.Contains(t, log.String(), "cannot read the audit log: cloudflare answered HTTP 403")
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestRun_TerminatesCleanly(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	entries := recent(500)
	a := newAccount(t, entries...)
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	var errs strings.Builder
	cmd := a.call("run", "--state", state, "--out", out, "--drop-routine=false", "--page-size", "1000", "--max-events", "100").
		start(t, func(cmd *exec.Cmd) { cmd.Stderr = &errs })
	require.Eventually(t, func() bool {
		info, err := os.Stat(out)
		return err == nil && info.Size() > 0
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), errs.String())
	assert.Empty(t, errs.String())
	// The signal may cut off a poll, whose batch is a smaller one then. All that was
	// written has its cursor saved, so the rest is just what is missing.
	assert.NotEmpty(t, ids(t, read(t, out)))

	rest := a.call("poll", "--state", state, "--out", out, "--drop-routine=false").run(t.Context())
	require.Equal(t, exitOK, rest.code, rest.err)
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, read(t, out)), "the batch in hand was not saved")
}

func TestRun_ASecondSignalKills(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := newAccount(t, recent(500)...)
	var pipe io.ReadCloser
	cmd := a.call("run", "--state", t.TempDir(), "--drop-routine=false", "--page-size", "1000").
		start(t, func(cmd *exec.Cmd) {
			var err error
			pipe, err = cmd.StdoutPipe()
			require.NoError(t, err)
		})
	// Nobody reads any further, so the command waits in its write for ever.
	_, err := io.ReadFull(pipe, make([]byte, 1))
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := cmd.Process.Wait()
		ended <- err
	}()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-ended:
		t.Fatal("the batch in hand was given up at the first signal")
	case <-time.After(300 * time.Millisecond):
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		assert.NoError(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("the second signal was not heeded")
	}
}

func TestPoll_AReaderThatGoesAwayLosesNothing(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	entries := recent(1500)
	a := newAccount(t, entries...)
	state := t.TempDir()
	args := []string{"poll", "--state", state, "--drop-routine=false", "--page-size", "1000", "--max-events", "300"}
	var errs strings.Builder
	var pipe io.ReadCloser
	cmd := a.call(args...).start(t, func(cmd *exec.Cmd) {
		var err error
		pipe, err = cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = &errs
	})
	lines := bufio.NewReader(pipe)
	var got string
	for range 400 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		got += line
	}
	require.NoError(t, pipe.Close())
	require.Error(t, cmd.Wait(), "the exit code tells")
	assert.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
	assert.Contains(t, errs.String(), "cfaudit: standard output has no reader any more; the cursor stays before what was not written\n")

	rest := a.call(args...).run(t.Context())
	require.Equal(t, exitOK, rest.code, rest.err)
	all := append(ids(t, got), ids(t, rest.out)...)
	assert.Subset(t, all, idsOf(t, entries))
	assert.LessOrEqual(t, len(all), len(entries)+300, "more than one batch is repeated")
}

func skipWithoutSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such signals")
	}
}

func TestDemo_ShowsEventsAsJSONInAPipe(t *testing.T) {
	t.Parallel()
	got := command(t, "demo")
	require.Equal(t, exitOK, got.code, got.err)
	written := ids(t, got.out)
	assert.Greater(t, len(written), 50)
	var newest struct {
		At time.Time `json:"created_at"`
	}
	first, _, _ := strings.Cut(got.out, "\n")
	require.NoError(t, json.Unmarshal([]byte(first), &newest))
	assert.WithinDuration(t, time.Now(), newest.At, time.Minute)
	assert.Contains(t, got.err, fmt.Sprintf("wrote %d events (", len(written)))
	assert.Regexp(t, `dropped: +[1-9]\d* \(.+\), repeated: 0\n`, got.err)
	assert.Regexp(t, `second poll: 0 new, [1-9]\d* recognised\n`, got.err)
	assert.NotContains(t, got.err, "undecodable")
}

// A container may have no folder for temporary files.
func TestDemo_NeedsNoFolder(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	for _, early := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "absent")
		var pipe io.ReadCloser
		var errs strings.Builder
		cmd := call{args: []string{"demo"}, env: map[string]string{"TMPDIR": dir}}.start(t, func(cmd *exec.Cmd) {
			var err error
			pipe, err = cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.Stderr = &errs
		})
		if early {
			require.NoError(t, pipe.Close())
			assert.NoError(t, cmd.Wait(), "who looks at a demo may stop where they like")
			assert.Empty(t, errs.String())
		} else {
			_, err := io.Copy(io.Discard, pipe)
			require.NoError(t, err)
			assert.NoError(t, cmd.Wait())
		}
		assert.NoDirExists(t, dir)
	}
}

func TestPoll_LooksUpWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	when := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	a := newAccount(t, json.RawMessage(`{"id":"a","when":"`+when+`","actor":{"id":"ca201000000000000000000000000001","type":"user"},`+
		`"action":{"type":"member_add","result":true},"resource":{"type":"account","id":"`+fakecloudflare.DefaultAccountID+`"},`+
		`"owner":{"id":"`+fakecloudflare.DefaultAccountID+`"},"metadata":{"user_email":"dave@example.com"}}`))
	a.SetMembers(
		json.RawMessage(`{"id":"1","email":"carol@example.com","roles":[],"user":{"id":"ca201000000000000000000000000001","email":"carol@example.com"}}`),
		json.RawMessage(`{"id":"2","email":"dave@example.com","roles":[{"id":"3","name":"DNS"}],"user":null}`))

	plain := a.call("poll", "--state", t.TempDir()).run(t.Context())
	require.Equal(t, exitOK, plain.code, plain.err)
	assert.Contains(t, plain.out, `"title":"Member added, role unknown: dave@example.com"`)

	resolved := a.call("poll", "--state", t.TempDir(), "--resolve-members").run(t.Context())
	require.Equal(t, exitOK, resolved.code, resolved.err)
	assert.Contains(t, resolved.out, `"title":"Member added: dave@example.com as DNS"`)
	assert.Contains(t, resolved.out, `"severity":"medium"`)
	assert.Contains(t, resolved.out, `"actor":"carol@example.com"`)
	assert.Contains(t, resolved.err, "2 requests")

	a.Deny("members")
	denied := a.call("poll", "--state", t.TempDir(), "--resolve-members").run(t.Context())
	require.Equal(t, exitOK, denied.code, denied.err)
	assert.Equal(t, plain.out, denied.out)
	assert.Equal(t, 1, strings.Count(denied.err, "level=WARN"), denied.err)
	assert.Contains(t, denied.err, "resolve_members: the list of members cannot be read")
}

// Of two logs, one that cannot be read is named, and does not stop the other.
func TestPoll_SaysWhichOfTwoLogsCannotBeRead(t *testing.T) {
	t.Parallel()
	a := newAccount(t, fakecloudflare.Entry("one", time.Now().Add(-time.Minute), 6))
	state := t.TempDir()
	a.Deny("logs/audit")
	one := a.call("poll", "--state", state, "--audit-log-api", "both").run(t.Context())
	require.Equal(t, exitFailed, one.code, "somebody has to know")
	assert.Contains(t, one.out, `"external_id":"one"`)
	assert.Contains(t, one.err, "cannot read Audit Logs v2: cloudflare answered HTTP 403")
	assert.Equal(t, 1, strings.Count(one.err, "CLOUDFLARE_API_TOKEN or --token-file: the API token lacks"), one.err)
	assert.NotContains(t, one.err, "cannot read the audit log")

	a.Deny("logs/audit", "audit_logs")
	both := a.call("poll", "--state", state, "--audit-log-api", "both").run(t.Context())
	require.Equal(t, exitFailed, both.code, both.err)
	assert.Contains(t, both.err, "cannot read the audit log: cloudflare answered HTTP 403")
	assert.Contains(t, both.err, "cannot read Audit Logs v2: cloudflare answered HTTP 403")
	assert.Contains(t, both.err, "; cannot read ")
	assert.Equal(t, 1, strings.Count(both.err, "\n"))

	check := a.call("check", "--audit-log-api", "v2").run(t.Context())
	assert.Contains(t, check.out, "Audit Logs v2 cannot be read: cloudflare answered HTTP 403")

	got := a.call("check", "--audit-log-api", "both", "--hide-user-logs").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "must be false where Audit Logs v2 are read")
}
