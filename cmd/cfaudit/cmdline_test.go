package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
)

func TestExecute_SlipsOfTheCommandLineAreToldWithTheirRemedy(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"poll --drop-routine false":                       `unexpected argument "false": a switch takes its value after =, such as --drop-routine=false`,
		"poll --resolve-members true":                     `unexpected argument "true": a switch takes its value after =, such as --resolve-members=true`,
		"poll --state a --state b":                        "--state: is given twice",
		"run --out a --out=b":                             "--out: is given twice",
		"check --config a --config b":                     "--config: is given twice",
		"config shwo":                                     `there is no command "shwo"; did you mean show?`,
		"chekc":                                           `there is no command "chekc"; did you mean check?`,
		"fleet wrok":                                      `there is no command "wrok"; did you mean work?`,
		"reprot --since 7d":                               `there is no command "reprot"; did you mean report?`,
		"fleet wrok --out x":                              `there is no command "wrok"; did you mean work?`,
		"poll --stat x":                                   "unknown flag: --stat; did you mean --state?",
		"export --min-severty high":                       "did you mean --min-severity?",
		"poll --frobnicate":                               "unknown flag: --frobnicate\n",
		"export --min-severity loud":                      `--min-severity: "loud": must be critical, high, medium, low or info`,
		"help rnu":                                        `there is no command "rnu"; did you mean run?`,
		"check --base-url https://api.cloudflare.com":     `--base-url: "https://api.cloudflare.com": must end in /client/v4: https://api.cloudflare.com/client/v4`,
		"check --base-url https://api.cloudflare.com/v4/": `must end in /client/v4`,
	} {
		got := command(t, strings.Fields(line)...)
		assert.Equal(t, exitUsage, got.code, line)
		assert.Contains(t, got.err, want, line)
	}
	got := command(t, "cfat_0123456789012345678901234567890123456789")
	assert.Equal(t, exitUsage, got.code)
	assert.NotContains(t, got.err, "0123")
	for _, line := range []string{"poll --page-size 10 --page-size 20 --state x", "check --production-zone a.example.com --production-zone b.example.com"} {
		assert.NotContains(t, command(t, strings.Fields(line)...).err, "twice", line)
	}
}

func TestSettings_TwoDifferentTokensAreRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	got := a.call("check", "--token-file", write(t, "cfat_another\n")).run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Equal(t, "cfaudit: --token-file: holds another token than CLOUDFLARE_API_TOKEN: set only one of the two\n", got.err)
	assert.Empty(t, a.Requests())
	assert.Equal(t, exitOK, a.call("check", "--token-file", write(t, a.token+"\n")).run(t.Context()).code, "the same one")
}

func TestFiles_ExposedSecrets(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	a := newAccount(t, recent(3)...)
	exposed := write(t, a.token+"\n")
	require.NoError(t, os.Chmod(exposed, 0o644))
	check := a.call("check", "--token-file", exposed)
	delete(check.env, envToken)
	got := check.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--token-file: other users of this machine can read or change the file, whose mode is 0644: run 'chmod 600 "+exposed+"'")
	assert.Empty(t, a.Requests())
	require.NoError(t, os.Chmod(exposed, 0o600))
	assert.Equal(t, exitOK, check.run(t.Context()).code)

	key := write(t, strings.TrimSpace(command(t, "fleet", "key").out))
	require.NoError(t, os.Chmod(key, 0o604))
	got = call{args: []string{"fleet", "work", "--key-file", key}, env: map[string]string{envDatabase: "postgres://127.0.0.1:1/x"}}.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--key-file: other users of this machine can read or change the file, whose mode is 0604: run 'chmod 600 "+key+"'")
}

// A list of accounts has their tokens, and the URL of a database may name files with
// a password or a key.
func TestFiles_ExposedSecretsOfAFleet(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	list := filepath.Join(t.TempDir(), "list.csv")
	const header, account = "account_id,tenant,", "023e105f4ecef8ad9ca31a8372d0c353,acme,"
	env := map[string]string{envDatabase: "postgres://127.0.0.1:1/x"}
	add := func(content string) result {
		require.NoError(t, os.WriteFile(list, []byte(content), 0o600))
		require.NoError(t, os.Chmod(list, 0o644))
		return call{args: []string{"fleet", "add", "--from", list}, env: env}.run(t.Context())
	}
	got := add(header + "api_token\n" + account + "cfat_x\n")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--from: "+list+": line 2: api_token: other users of this machine can read or change the file, whose mode is 0644: run 'chmod 600 "+list+"'")
	got = add(header + "api_token_ref\n" + account + "acme\n")
	assert.NotContains(t, got.err, "chmod", "it has no token in it")

	for _, name := range []string{"passfile", "sslkey"} {
		env[envDatabase] = "postgres://127.0.0.1:1/x?" + name + "=" + list
		got = call{args: []string{"fleet", "status"}, env: env}.run(t.Context())
		assert.Equal(t, exitUsage, got.code, got.err)
		assert.Contains(t, got.err, envDatabase+": "+name+": other users of this machine can read or change the file")
	}
}

func TestFiles_AnOutputThatOthersCanReadIsToldOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	a := newAccount(t, recent(3)...)
	out := write(t, "")
	require.NoError(t, os.Chmod(out, 0o644))
	got := a.call("poll", "--state", t.TempDir(), "--out", out, "--drop-routine=false").run(t.Context())
	assert.Equal(t, exitOK, got.code, "it is written all the same")
	assert.Contains(t, got.err, "run 'chmod 600 "+out+"'")
	assert.Len(t, ids(t, read(t, out)), 3)
	require.NoError(t, os.Chmod(out, 0o640))
	got = a.call("poll", "--state", t.TempDir(), "--out", out, "--drop-routine=false").run(t.Context())
	assert.NotContains(t, got.err, "chmod", "the group may forward it")
}

// Who can replace a file of the command line decides what is read, or where it goes.
func TestFiles_AFolderThatEveryUserCanWriteToIsToldOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	a := newAccount(t, recent(3)...)
	folder := t.TempDir()
	token, out := filepath.Join(folder, "token"), filepath.Join(folder, "out")
	require.NoError(t, os.WriteFile(token, []byte(a.token), 0o600))
	for mode, told := range map[os.FileMode]int{0o700: 0, 0o777: 2, 0o777 | os.ModeSticky: 0} {
		require.NoError(t, os.Chmod(folder, mode))
		got := a.call("poll", "--state", t.TempDir(), "--token-file", token, "--out", out).run(t.Context())
		assert.Equal(t, exitOK, got.code, got.err)
		assert.Equal(t, told, strings.Count(got.err, "run 'chmod o-w "+folder+"'"), got.err)
	}
}

// What is refused for good is a whole event.
func TestFiles_OutputsBesidesTheEventsThatOthersCanReadAreToldOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	a := newAccount(t, recent(3)...)
	server := httptest.NewServer(&fakehttp.Server{Kind: fakehttp.Lines})
	defer server.Close()
	exposed := func() string {
		name := write(t, "")
		require.NoError(t, os.Chmod(name, 0o644))
		return name
	}
	letters, table := exposed(), exposed()
	got := a.call("poll", "--state", t.TempDir(), "--http", server.URL+fakehttp.Lines.Path(), "--dead-letter", letters).run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "the dead-letter file shows who may do what in the account")
	assert.Contains(t, got.err, "run 'chmod 600 "+letters+"'")
	got = a.call("export", "--since", "2h", "--format", "csv", "--out", table).run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "cfaudit: warning: --out: other users of this machine can read or change the file, whose mode is 0644: run 'chmod 600 "+table+"'")
}

// Who can replace the cursor decides what is read.
func TestFiles_AStateThatEveryUserCanWriteToIsToldOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	a := newAccount(t, recent(3)...)
	state := t.TempDir()
	for mode, told := range map[os.FileMode]bool{0o700: false, 0o770: false, 0o777: true, 0o777 | os.ModeSticky: true} {
		require.NoError(t, os.Chmod(state, mode))
		got := a.call("poll", "--state", state).run(t.Context())
		assert.Equal(t, exitOK, got.code, got.err)
		assert.Equal(t, told, strings.Contains(got.err, "run 'chmod o-w "+state+"'"), "%v: %s", mode, got.err)
	}
	require.NoError(t, os.Chmod(state, 0o777))
	backfill := a.call("backfill", "--state", state, "--since", "30d", "--until", "2d")
	got := backfill.run(t.Context())
	assert.Contains(t, got.err, "run 'chmod o-w "+state+"'")
	require.NoError(t, os.Chmod(state, 0o700))
	positions := filepath.Join(state, backfillFolder)
	require.NoError(t, os.Chmod(positions, 0o777))
	got = backfill.run(t.Context())
	assert.Contains(t, got.err, "run 'chmod o-w "+positions+"'")
}

func TestExport_NamesTheFolderOfAnOutputThatCannotBeMade(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	dir := filepath.Join(t.TempDir(), "none")
	for _, c := range []call{
		a.call("export", "--out", filepath.Join(dir, "x.csv")),
		{args: []string{"export", "--from", write(t, ""), "--out", filepath.Join(dir, "x.csv")}},
	} {
		got := c.run(t.Context())
		assert.Equal(t, exitFailed, got.code)
		assert.Equal(t, "cfaudit: --out: the folder "+dir+" does not exist\n", got.err)
	}
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		return // to whom no folder is read-only
	}
	require.NoError(t, os.Mkdir(dir, 0o500))
	got := a.call("export", "--out", filepath.Join(dir, "x.csv")).run(t.Context())
	assert.Equal(t, "cfaudit: --out: cannot make a file in the folder "+dir+": permission denied\n", got.err)
}

// A worker without a key would take polls from those that have one, and fail.
func TestFleetWork_RefusesToBeginWithoutAKey(t *testing.T) {
	t.Parallel()
	got := call{args: []string{"fleet", "work"}, env: map[string]string{envDatabase: "postgres://127.0.0.1:1/x"}}.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "CFAUDIT_FLEET_KEY or --key-file: is required: the key of the tokens, unless all of them are in files of --secrets")

	f := newWard(t)
	a, token := f.account(1, 1)
	f.env[envToken] = token
	f.ok("add", "--tenant", tenantA, "--account-id", a, "--base-url", f.url)
	delete(f.env, envFleetKey)
	got = f.call("work", "--secrets", t.TempDir()).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: there is no key to decrypt secrets with, and 1 of the instances have some that are encrypted")
}

// What a list names as the API gets the tokens.
func TestFleetAdd_AnAddressOnTheMachineOfTheWorkersNeedsAFlag(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	const row = "account_id,tenant,api_token,base_url\n023e105f4ecef8ad9ca31a8372d0c353,acme,cfat_x,"
	add := func(url string, flags ...string) result {
		list := filepath.Join(t.TempDir(), "list.csv")
		require.NoError(t, os.WriteFile(list, []byte(row+url+"\n"), 0o600))
		return call{args: append([]string{"fleet", "add", "--from", list}, flags...), env: f.env}.run(t.Context())
	}
	for _, url := range []string{
		"http://127.0.0.1:8080/client/v4", "https://localhost/client/v4", "http://[::1]:1/client/v4", "https://127.0.0.2/client/v4",
		"https://0.0.0.0/client/v4", "https://[::]/client/v4", "https://[::ffff:127.0.0.1]/client/v4", "https://LOCALHOST./client/v4",
		"https://2130706433/client/v4", "https://0x7f000001/client/v4", "https://127.1/client/v4", "https://０x7f.1/client/v4", "https://１２７.0.0.1/client/v4",
	} {
		got := add(url)
		assert.Equal(t, exitUsage, got.code, url)
		shown := strings.NewReplacer("０", "%EF%BC%90", "１", "%EF%BC%91", "２", "%EF%BC%92", "７", "%EF%BC%97").Replace(url)
		assert.Contains(t, got.err, "line 2: base_url: \""+shown+"\": is on the machine of each worker, which is accepted with --allow-loopback only", url)
		assert.Equal(t, exitOK, add(url, "--allow-loopback").code, url)
	}
	for _, hidden := range []string{"https://u:p@localhost/client/v4", "https://api.cloudflare.com@127.0.0.1/client/v4"} {
		assert.Contains(t, add(hidden, "--allow-loopback").err, "line 2: base_url: ", hidden)
		assert.Equal(t, exitUsage, add(hidden, "--allow-loopback").code, hidden)
	}
	assert.Equal(t, exitOK, add("https://proxy.example.com/client/v4").code)
	got := add("https://api.cloudflare.com")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "line 2: base_url: \"https://api.cloudflare.com\": must end in /client/v4")
}

// A log that is refused is no reason to stop reading the other, but one to tell.
func TestPoll_TellsOfALogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	a.Deny("logs/audit")
	state := t.TempDir()
	got := a.call("poll", "--state", state, "--audit-log-api", "both", "--drop-routine=false").run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Len(t, ids(t, got.out), 3, "the other one is written")
	assert.Regexp(t, `\ncfaudit: cannot read Audit Logs v2: cloudflare answered HTTP 403.*; it has never been read\n$`, got.err)
	assert.Contains(t, got.err, "CLOUDFLARE_API_TOKEN or --token-file: the API token lacks")
	a.Deny()
	got = a.call("poll", "--state", state, "--audit-log-api", "both", "--drop-routine=false").run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	a.Deny("audit_logs")
	got = a.call("poll", "--state", state, "--audit-log-api", "both", "--drop-routine=false").run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Regexp(t, `cfaudit: cannot read the audit log: .*; it has been read up to \d{4}-\d\d-\d\dT[\d:]+Z\n$`, got.err)
}

// What is read again on purpose does not look like a fault.
func TestPoll_DoesNotCountWhatIsReadAgainAsEntries(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(300)...)
	got := a.call("poll", "--state", t.TempDir(), "--max-events", "100", "--drop-routine=false").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Regexp(t, `^read 300 entries: 3\d\d events \(.*bursts?\), 0 dropped; `, got.err)
	assert.NotContains(t, got.err, "repeated")
}

func TestRun_AHangupReopensTheOutputAndDoesNotEndIt(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := newAccount(t, recent(3)...)
	out := filepath.Join(t.TempDir(), "events.jsonl")
	var errs lines
	cmd := a.call("run", "--state", t.TempDir(), "--out", out, "--drop-routine=false", "--interval", "30s").
		start(t, func(cmd *exec.Cmd) { cmd.Stderr = &errs })
	written := func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.Size() > 0
	}
	require.Eventually(t, func() bool { return written(out) }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.Rename(out, out+".1"))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { _, err := os.Stat(out); return err == nil }, 10*time.Second, time.Millisecond, "the new file")
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), "reopened the output") }, 10*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), errs.String())
	assert.Len(t, ids(t, read(t, out+".1")), 3)

	stdout := a.call("run", "--state", t.TempDir(), "--drop-routine=false").start(t, func(cmd *exec.Cmd) { cmd.Stdout = &errs })
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), `{"source"`) }, 10*time.Second, time.Millisecond)
	require.NoError(t, stdout.Process.Signal(syscall.SIGHUP))
	require.NoError(t, stdout.Process.Signal(syscall.SIGTERM))
	require.NoError(t, stdout.Wait(), "it lives on without a file, too")
}

// To write to a pipe that nothing reads would fail for ever.
func TestRun_EndsWhenNothingReadsItsOutput(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := newAccount(t, recent(200)...)
	var errs lines
	var pipe io.ReadCloser
	cmd := a.call("run", "--state", t.TempDir(), "--drop-routine=false", "--max-events", "10").start(t, func(cmd *exec.Cmd) {
		var err error
		pipe, err = cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = &errs
	})
	_, err := bufio.NewReader(pipe).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, pipe.Close())
	require.Error(t, cmd.Wait())
	assert.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
	assert.Contains(t, errs.String(), "cfaudit: standard output has no reader any more")
	assert.NotContains(t, errs.String(), "retry_in", "there is no further attempt to announce")
}

func TestLists_EndWellWhenTheirReaderHasSeenEnough(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	for _, line := range []string{"rules", "rules --json", "schema", "demo"} {
		var errs lines
		var pipe io.ReadCloser
		cmd := call{args: strings.Fields(line)}.start(t, func(cmd *exec.Cmd) {
			var err error
			pipe, err = cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.Stderr = &errs
		})
		require.NoError(t, pipe.Close())
		assert.NoError(t, cmd.Wait(), line)
		assert.NotContains(t, errs.String(), "broken pipe", line)
	}
}

func TestDemo_AnInterruptIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := call{args: []string{"demo"}}.run(ctx)
	assert.Equal(t, exitStopped, got.code)
	assert.Empty(t, got.err)
}

func TestFleetStatus_SaysNeverAndWhichLogIsRefused(t *testing.T) {
	t.Parallel()
	f := newWard(t)
	id, token := fmt.Sprintf("%032x", 0xacc1111), fmt.Sprintf("cfat_ward%036d", accounts.Add(1))
	server := fakecloudflare.NewServer(fakecloudflare.Options{AccountID: id, Token: token})
	f.api.Add(server)
	f.env[envToken] = token
	server.Deny("audit_logs")
	f.ok("add", "--tenant", tenantA, "--account-id", id, "--base-url", f.url)
	_, stop := f.call("work", "--out", filepath.Join(t.TempDir(), "out"), "--listen", "127.0.0.1:0").background(t)
	require.Eventually(t, func() bool { return strings.Contains(f.ok("status").out, "failing") }, 20*time.Second, 50*time.Millisecond)
	out := f.ok("status", "--failing").out
	assert.Regexp(t, `(?m)^cloudflare-`+id+` +`+tenantA+` +failing +never +- .*a person has to act: the audit log cannot be read since 20\S+Z: cloudflare answered HTTP 403`, out)
	assert.Contains(t, out, "\n1 account, 1 failing\n")
	assert.NotContains(t, f.ok("status", "--json").out, `"last_success"`)
	server.Deny()
	began := time.Now()
	require.Eventually(t, func() bool { return strings.Contains(f.ok("status").out, " ok ") }, time.Minute, 100*time.Millisecond)
	assert.Less(t, time.Since(began), time.Minute, "within a minute after it was mended")
	stop()
}

// waits is a standard input that nothing is written to, such as a terminal. It
// tells of the first read.
type waits struct{ begun, over chan struct{} }

func (w waits) Read([]byte) (int, error) {
	close(w.begun)
	<-w.over
	return 0, io.EOF
}

// The first interrupt ends a command that waits for its standard input.
func TestStandardInput_WaitingForItCanBeInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"batch":  {[]string{"batch"}, exitFailed, `"kind":"cancelled","message":"stopped before the request was complete`},
		"check":  {[]string{"check", "--stdin"}, exitFailed, `"kind":"cancelled"`},
		"export": {[]string{"export", "--from", "-"}, exitStopped, "stopped before the end of the files"},
		"report": {[]string{"report", "--from", "-"}, exitStopped, "stopped before the report was complete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			stdin := waits{make(chan struct{}), make(chan struct{})}
			t.Cleanup(func() { close(stdin.over) })
			go func() {
				<-stdin.begun
				interrupt()
			}()
			var said lines
			ended := make(chan int)
			go func() {
				ended <- execute(ctx, c.args, world{stdin, &said, &said, func(string) string { return "" }})
			}()
			select {
			case code := <-ended:
				assert.Equal(t, c.code, code, said.String())
				assert.Contains(t, said.String(), c.says)
			case <-time.After(10 * time.Second):
				t.Fatal("the command has not ended")
			}
		})
	}
}

// The lines of a help text are broken by hand, which is easily forgotten when a
// word is put in. Indented ones are examples and lists.
func TestHelp_HasNoLineThatWasLeftUnbroken(t *testing.T) {
	t.Parallel()
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Long) {
			if strings.HasPrefix(line, "  ") {
				continue
			}
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 84, "%s: %s", cmd.CommandPath(), line)
		}
		for _, child := range cmd.Commands() {
			check(child)
		}
	}
	check(newRoot(world{getenv: func(string) string { return "" }}))
}
