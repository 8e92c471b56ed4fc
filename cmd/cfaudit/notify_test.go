package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
)

// hook serves an imitation of a webhook, and returns the file with its address.
func hook(t *testing.T, s *fakehttp.Server) (urlFile string) {
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	return write(t, listener.URL+s.Kind.Path()+"\n")
}

// severe are the ids of the events in JSON lines that are told by default.
func severe(t *testing.T, lines string) (all []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e struct {
			ID       string `json:"external_id"`
			Severity string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		if e.Severity == "high" || e.Severity == "critical" {
			all = append(all, e.ID)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func queueFile(state string) string {
	return strings.TrimSuffix(cursorFile(state), ".cursor") + ".notify.json"
}

// toldOf are the ids of the events that a webhook was told of.
func toldOf(s *fakehttp.Server) (all []string) {
	for id := range s.Accepted() {
		all = append(all, id)
	}
	return all
}

func TestNotify_PollTellsOfWhatIsSevereOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(300)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook}
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--notify-url-file", hook(t, server))
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	want := severe(t, got.out)
	require.Greater(t, len(want), 10)
	assert.ElementsMatch(t, want, toldOf(server))
	assert.Contains(t, got.err, fmt.Sprintf("no backlog; notifications: %d sent\n", len(want)))
	for id, n := range server.Accepted() {
		assert.Equal(t, 1, n, id)
	}
	requests := server.Requests()
	assert.Less(t, len(requests), len(want)/5, "several in a message")
	assert.Contains(t, string(requests[0].Body), `"link":"https://dash.cloudflare.com/`+fakecloudflare.DefaultAccountID+`/audit-log"`)
	assert.Contains(t, string(requests[0].Body), `"before":`)
	assert.NotContains(t, string(requests[0].Body), "raw_event")

	// The cursor is gone, and all comes again: nobody is told twice.
	require.NoError(t, os.Remove(cursorFile(state)))
	again := poll.run(t.Context())
	require.Equal(t, exitOK, again.code, again.err)
	assert.ElementsMatch(t, want, severe(t, again.out))
	assert.Contains(t, again.err, "; notifications: 0 sent\n")
	assert.Len(t, server.Requests(), len(requests))
	assert.Equal(t, []string{".lock", filepath.Base(cursorFile(state)), "cloudflare-" + fakecloudflare.DefaultAccountID + ".notify.dead-letter.jsonl", filepath.Base(queueFile(state))},
		names(t, state))
}

func TestNotify_TheConfigFileHasTheSameSettings(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(80)...)
	server := &fakehttp.Server{Kind: fakehttp.Slack}
	file := write(t, "notify_url_file: "+hook(t, server)+"\nnotify_form: slack\nnotify_severity: medium\n")
	got := a.call("poll", "--state", t.TempDir(), "--config", file).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	requests := server.Requests()
	require.NotEmpty(t, requests)
	var all strings.Builder
	for _, r := range requests {
		var said struct{ Text string }
		require.NoError(t, json.Unmarshal(r.Body, &said))
		all.WriteString(said.Text)
		assert.Equal(t, 200, r.Status)
	}
	assert.Contains(t, all.String(), "*HIGH* `")
	assert.Contains(t, all.String(), "*MEDIUM* `")
	assert.NotContains(t, all.String(), "*LOW*")
	// Flags go first.
	other := &fakehttp.Server{Kind: fakehttp.Webhook}
	got = a.call("poll", "--state", t.TempDir(), "--config", file, "--notify-form", "webhook", "--notify-url-file", hook(t, other),
		"--notify-severity", "info", "--drop-routine=false").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, server.Requests(), len(requests))
	assert.Len(t, toldOf(other), len(eventIDs(t, got.out)))

	// Commands that tell nobody take the file as well.
	for _, args := range [][]string{{"export", "--since", "2h"}, {"check"}} {
		got := a.call(append(args, "--config", file)...).run(t.Context())
		assert.Equal(t, exitOK, got.code, got.err)
	}
}

// The output does not wait for a service that is slow, and poll no longer than it
// says.
func TestNotify_AServiceThatIsSlowHoldsUpNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(900)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook, Latency: time.Hour}
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	pollTo := func(s *fakehttp.Server) call {
		return a.call("poll", "--state", state, "--out", out, "--drop-routine=false", "--page-size", "100", "--max-events", "100",
			"--rate-limit", "1200", "--notify-url-file", hook(t, s))
	}
	poll := pollTo(server)
	began := time.Now()
	done := make(chan result, 1)
	go func() { done <- poll.run(t.Context()) }()
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(out)
		return err == nil && strings.Count(string(b), "\n") >= 900
	}, 9*time.Second, 20*time.Millisecond, "all is in the output while the first message hangs")
	written := time.Since(began)
	got := <-done
	assert.Equal(t, exitOK, got.code, "the exit code does not depend on it: %s", got.err)
	assert.Less(t, time.Since(began), written+notifyPatience+5*time.Second)
	want := severe(t, read(t, out))
	assert.Contains(t, got.err, fmt.Sprintf(`level=WARN msg="notifications are left for the next start" waiting=%d`, len(want)))
	assert.Contains(t, got.err, fmt.Sprintf("; notifications: 0 sent, %d waiting\n", len(want)))

	quick := &fakehttp.Server{Kind: fakehttp.Webhook}
	got = pollTo(quick).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.ElementsMatch(t, want, toldOf(quick), "the next poll tells of them")
}

func TestNotify_ASecondStartTellsWhatAServiceThatWasDownHasMissed(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(200)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 404, Body: "no_service"} }}
	urlFile := hook(t, server)
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	poll := a.call("poll", "--state", state, "--out", out, "--notify-url-file", urlFile)
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	want := severe(t, read(t, out))
	assert.Contains(t, got.err, `msg="notifications cannot be sent; they wait" error="the service answered HTTP 404: no_service; check the address, and whether its webhook and channel still exist"`)
	assert.Contains(t, got.err, fmt.Sprintf("waiting=%d", len(want)))
	assert.NotContains(t, got.err, "exampleexampleexample", "the address is a secret")

	server.SetFault(nil)
	args := []string{"run", "--state", state, "--out", out, "--notify-url-file", urlFile, "--listen", "127.0.0.1:0"}
	address, stop := a.call(args...).background(t)
	require.Eventually(t, func() bool { return len(server.Accepted()) == len(want) }, 20*time.Second, 20*time.Millisecond)
	assert.ElementsMatch(t, want, toldOf(server))
	require.Eventually(t, func() bool {
		return strings.Contains(textAt(t, address+"/metrics"), fmt.Sprintf("\ncfaudit_notify_sent_total %d\n", len(want)))
	}, 10*time.Second, 20*time.Millisecond)
	metrics := textAt(t, address+"/metrics")
	assert.Contains(t, metrics, "\ncfaudit_notify_waiting 0\n")
	assert.Contains(t, metrics, "\ncfaudit_notify_failures_in_a_row 0\n")
	assert.Contains(t, textAt(t, address+"/healthz"), `"notify": {`)
	code, log := stop()
	assert.Equal(t, exitOK, code)
	assert.NotContains(t, log, "left for the next start")
}

func TestNotify_HealthTellsWhyAndIsNotTouched(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(100)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook, Fault: func(int) fakehttp.Fault { return fakehttp.Fault{Status: 403} }}
	address, stop := a.call("run", "--state", t.TempDir(), "--out", filepath.Join(t.TempDir(), "e"), "--notify-url-file", hook(t, server), "--listen", "127.0.0.1:0").background(t)
	var said struct {
		Status string
		Notify struct {
			Waiting, Failures int
			LastError         string `json:"last_error"`
		}
	}
	require.Eventually(t, func() bool {
		require.NoError(t, json.Unmarshal([]byte(textAt(t, address+"/healthz")), &said))
		return said.Notify.Failures > 0 && said.Status == "ok"
	}, 20*time.Second, 20*time.Millisecond)
	assert.Contains(t, said.Notify.LastError, "the service answered HTTP 403")
	assert.Positive(t, said.Notify.Waiting)
	began := time.Now()
	code, log := stop()
	assert.Equal(t, exitOK, code)
	assert.Less(t, time.Since(began), notifyHaste+3*time.Second)
	assert.Contains(t, log, "notifications are left for the next start")
}

// However the process dies, everything severe in the output has been told or is
// told by the next one, and no more than a message is told twice for each kill.
func TestNotify_KilledAtAnyMomentLosesNothing(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	const kills, together = 10, 10
	a := newAccount(t, recent(1500)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook, Latency: 10 * time.Millisecond}
	out := filepath.Join(t.TempDir(), "events.jsonl")
	poll := a.call("poll", "--state", t.TempDir(), "--out", out, "--drop-routine=false", "--rate-limit", "1200",
		"--page-size", "100", "--max-events", "100", "--notify-url-file", hook(t, server))
	killed := 0
	for range kills {
		requests := len(a.Requests())
		cmd := poll.start(t, nil)
		require.Eventually(t, func() bool { return len(a.Requests()) > requests }, 10*time.Second, time.Millisecond)
		time.Sleep(time.Duration(rand.Int64N(int64(150 * time.Millisecond))))
		require.NoError(t, cmd.Process.Kill())
		if err := cmd.Wait(); err != nil {
			killed++
		}
	}
	got := poll.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.ElementsMatch(t, severe(t, read(t, out)), toldOf(server))
	repeated := 0
	for _, n := range server.Accepted() {
		repeated += n - 1
	}
	t.Logf("%d kills, %d events told, %d of them again", killed, len(server.Accepted()), repeated)
	assert.LessOrEqual(t, repeated, killed*together)
}

func TestNotify_AHangupReopensTheFileBehindIt(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := newAccount(t, recent(30)...)
	out := filepath.Join(t.TempDir(), "events.jsonl")
	var errs lines
	cmd := a.call("run", "--state", t.TempDir(), "--out", out, "--notify-url-file", hook(t, &fakehttp.Server{Kind: fakehttp.Webhook})).
		start(t, func(cmd *exec.Cmd) { cmd.Stderr = &errs })
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(out)
		return err == nil && len(b) > 0
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), "reopened the output") }, 10*time.Second, time.Millisecond, &errs)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), errs.String())
}

func TestNotify_ADamagedQueueStopsNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(100)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook}
	state := t.TempDir()
	require.NoError(t, os.WriteFile(queueFile(state), []byte(`{"version":1,"ev`), 0o600))
	got := a.call("poll", "--state", state, "--notify-url-file", hook(t, server)).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, `level=ERROR msg="the queue of notifications cannot be used and is set aside; what waited in it is not sent" file=`+queueFile(state)+".unusable-")
	assert.ElementsMatch(t, severe(t, got.out), toldOf(server))
}

func TestNotify_AQueueFileThatCannotBeUsedIsAFailureAtTheStart(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(100)...)
	server := &fakehttp.Server{Kind: fakehttp.Webhook}
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--notify-url-file", hook(t, server))
	require.NoError(t, os.MkdirAll(filepath.Join(queueFile(state)+".tmp", "x"), 0o700))
	got := poll.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: cannot remove the remains of a crash: ")
	require.NoError(t, os.RemoveAll(queueFile(state)+".tmp"))
	require.NoError(t, os.MkdirAll(queueFile(state), 0o700))
	got = poll.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: cannot read the queue of notifications: ")
	assert.NoFileExists(t, cursorFile(state))
}

func TestNotify_WrongSettingsAreExitCode2AndShowNoAddress(t *testing.T) {
	t.Parallel()
	good := "--notify-url-file " + write(t, "https://hooks.example.com/hunter2")
	url := func(text string) string { return "--notify-url-file " + write(t, text) }
	config := func(text string) string { return "--config " + write(t, text) }
	exposed := write(t, "https://hooks.example.com/hunter2")
	require.NoError(t, os.Chmod(exposed, 0o644))
	for line, want := range map[string]string{
		"--notify-form slack":                                `--notify-form: "slack": requires --notify-url-file`,
		"--notify-severity low":                              `--notify-severity: "low": requires --notify-url-file`,
		"--notify-url-file=":                                 "--notify-url-file: must not be empty",
		"--notify-url-file https://h.example.com/hunter2":    "--notify-url-file: must be the name of a file that holds the address, because that is a secret, not the address itself",
		"--notify-url-file /does/not/exist":                  "--notify-url-file: cannot read the file: no such file",
		"--notify-url-file " + exposed:                       "--notify-url-file: other users of this machine can read or change the file, whose mode is 0644",
		url(""):                                              "--notify-url-file: the file is empty",
		url("\n"):                                            "--notify-url-file: the file is empty",
		url("https://a.example.com/hunter2\nsecond\n"):       "--notify-url-file: the file must hold the address alone, on one line",
		url("hunter2"):                                       "--notify-url-file: must be an https URL",
		url("http://hooks.example.com/hunter2"):              `--notify-url-file: "http://hooks.example.com/…": would send the messages and the address unencrypted`,
		url("https://hunter2@hooks.example.com/"):            "must not hold credentials in front of the host",
		good + " --notify-form teams":                        `--notify-form: "teams": must be slack or webhook`,
		good + " --notify-severity urgent":                   `--notify-severity: "urgent": must be critical, high, medium, low or info`,
		config("notify_url_file: [a]"):                       "line 1: notify_url_file: must be a text",
		config("overlap: 5m\nnotify_form: slack"):            `line 2: notify_form: "slack": requires notify_url_file`,
		config("notify_severity: loud"):                      `line 1: notify_severity: "loud": must be critical, high, medium, low or info`,
		"--notify-form teams":                                `--notify-form: "teams": must be slack or webhook`,
		config("notify_url_file: https://x.example/hunter2"): "line 1: notify_url_file: must be the name of a file",
		config("notify_ulr_file: x"):                         `line 1: notify_ulr_file: there is no such field; did you mean "notify_url_file"?`,
		config("notify_form: teams") + " " + good:            `line 1: notify_form: "teams": must be slack or webhook`,
	} {
		if runtime.GOOS == "windows" && strings.Contains(want, "0644") {
			continue
		}
		for _, command := range [][]string{{"poll", "--state", filepath.Join(t.TempDir(), "s")}, {"config", "check"}, {"config", "show"}} {
			c := call{args: slices.Concat(command, strings.Fields(line)), env: map[string]string{envToken: "cfat_token", envAccountID: fakecloudflare.DefaultAccountID}}
			got := c.run(t.Context())
			assert.Equal(t, exitUsage, got.code, "%v", c.args)
			assert.Equal(t, 1, strings.Count(got.err, want), "%v: %s", c.args, got.err)
			assert.NotContains(t, got.out+got.err, "hunter2", "%v", c.args)
		}
	}
}

func TestNotify_ConfigShowNamesTheFileAndNotTheAddress(t *testing.T) {
	t.Parallel()
	urlFile := write(t, "https://hooks.slack.com/services/hunter2")
	file := write(t, "notify_url_file: "+urlFile+"\n")
	c := call{args: []string{"config", "show", "--config", file, "--notify-severity", "medium"},
		env: map[string]string{envToken: "cfat_token", envAccountID: fakecloudflare.DefaultAccountID}}
	got := c.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Regexp(t, `(?m)^notify_url_file +\S+/file +.*, line 1: notify_url_file$`, got.out)
	assert.Regexp(t, `(?m)^notify_severity +medium +--notify-severity$`, got.out)
	assert.NotContains(t, got.out, "hunter2")
}

// The settings of the notifications are documented with their defaults.
func TestDocs_TheNotificationsAreThoseOfTheFlags(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "../../docs/configuration.md"), "\n## Notifications\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n#")
	var listed []string
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); len(cells) == 4 && strings.HasPrefix(line, "| `") {
			listed = append(listed, strings.Trim(cells[0], "|` ")+" "+strings.Trim(cells[1], "`-"))
		}
	}
	var are []string
	for _, o := range notifyOptions {
		are = append(are, o.field+" "+o.flag)
	}
	assert.Equal(t, are, listed)
}
