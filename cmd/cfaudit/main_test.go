package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/gobuild"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

// built is the folder of the command, once that has been built.
var built string

func TestMain(m *testing.M) {
	// The tests wait for intervals, retries and processes more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(pgtest.Main{M: m}, goleak.Cleanup(func(code int) {
		if built != "" {
			_ = os.RemoveAll(built)
		}
		os.Exit(code)
	}))
}

// build builds the command. The test binary could stand in for it, but with the
// race detector it takes long to start. Like that of a release it needs no library
// of the system.
var build = sync.OnceValues(func() (string, error) {
	var err error
	if built, err = os.MkdirTemp("", "cfaudit-test-"); err != nil {
		return "", err
	}
	command := filepath.Join(built, "cfaudit.exe")
	return command, gobuild.Program(command, ".", nil, "CGO_ENABLED=0")
})

// result is how a command went.
type result struct {
	code     int
	out, err string
}

// call is a command line with what surrounds it.
type call struct {
	args  []string
	env   map[string]string
	stdin string
}

func (c call) run(ctx context.Context) result {
	var out, err bytes.Buffer
	code := execute(ctx, c.args, world{
		stdin: strings.NewReader(c.stdin), stdout: &out, stderr: &err,
		getenv: func(name string) string { return c.env[name] },
	})
	return result{code, out.String(), err.String()}
}

// command runs a command line without an environment.
func command(t *testing.T, args ...string) result {
	return call{args: args}.run(t.Context())
}

// account is a fake account and how to get at it.
type account struct {
	*fakecloudflare.Server
	url, token string
}

// cursorName is the file of the cursor in a folder of state.
const cursorName = "cloudflare-" + fakecloudflare.DefaultAccountID + ".cursor"

var accounts atomic.Int64

// newAccount serves an account with the entries. Each has a token of its own,
// because the request budget of a token is shared in the process.
func newAccount(t *testing.T, entries ...json.RawMessage) account {
	token := fmt.Sprintf("cfat_secret%033d", accounts.Add(1))
	server := fakecloudflare.NewServer(fakecloudflare.Options{Token: token})
	server.Add(time.Time{}, entries...)
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return account{server, listener.URL + fakecloudflare.Prefix, token}
}

// call is a command line that reads the account.
func (a account) call(args ...string) call {
	return call{
		args: append(args, "--base-url", a.url),
		env:  map[string]string{envToken: a.token, envAccountID: fakecloudflare.DefaultAccountID},
	}
}

// start starts a command line as a process of its own.
func (c call) start(t *testing.T, prepare func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	name, err := build()
	require.NoError(t, err)
	cmd := exec.Command(name, c.args...)
	cmd.Env = []string{}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if prepare != nil {
		prepare(cmd)
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// recent returns n entries of the last hour.
func recent(n int) []json.RawMessage {
	now := time.Now()
	return fakecloudflare.Generate(1, n, now.Add(-time.Hour), now.Add(-time.Minute))
}

// since are n entries of the last seconds, in the order of time.
func since(n int) []json.RawMessage {
	now := time.Now()
	return fakecloudflare.Generate(2, n, now.Add(-30*time.Second), now.Add(-time.Second))
}

// ids are the external ids of JSON lines, each of which must be an event as the
// published schema has it. Events about bursts are left out: see burstIDs.
func ids(t *testing.T, lines string) []string {
	t.Helper()
	all, _ := sortOut(eventIDs(t, lines))
	return all
}

// burstIDs are the external ids of the events about bursts, each once.
func burstIDs(t *testing.T, lines string) map[string]bool {
	t.Helper()
	_, bursts := sortOut(eventIDs(t, lines))
	return set(bursts)
}

// isBurst reports whether an event with the id is about a burst.
func isBurst(id string) bool { return strings.HasPrefix(id, "burst-") }

// sortOut sorts ids by whether they are those of bursts.
func sortOut(all []string) (entries, bursts []string) {
	for _, id := range all {
		if isBurst(id) {
			bursts = append(bursts, id)
		} else {
			entries = append(entries, id)
		}
	}
	return entries, bursts
}

// eventIDs are the external ids of JSON lines.
func eventIDs(t *testing.T, lines string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(lines) {
		var event struct {
			ID string `json:"external_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &event), "%q", line)
		require.True(t, strings.HasSuffix(line, "\n"), "a torn line: %q", line)
		require.NoError(t, eventschema.Check([]byte(line)))
		all = append(all, event.ID)
	}
	return all
}

// idsOf are the ids of entries.
func idsOf(t *testing.T, entries []json.RawMessage) []string {
	t.Helper()
	all := make([]string, len(entries))
	for i, e := range entries {
		var entry struct{ ID string }
		require.NoError(t, json.Unmarshal(e, &entry))
		all[i] = entry.ID
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func write(t *testing.T, content string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestExecute_WrongUseIsExitCode2(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"pol":                              `there is no command "pol"; did you mean poll?`,
		"poll --foo":                       "unknown flag: --foo",
		"poll -x":                          "unknown shorthand flag: 'x'",
		"poll extra":                       `unexpected argument "extra"`,
		"poll --token abc":                 "give the token in CLOUDFLARE_API_TOKEN or --token-file",
		"poll --api-token=abc":             "give the token in CLOUDFLARE_API_TOKEN or --token-file",
		"poll --drop-routine=maybe":        "--drop-routine",
		"poll --page-size":                 "flag needs an argument",
		"run extra":                        `unexpected argument "extra"`,
		"check extra":                      `unexpected argument "extra"`,
		"rules extra":                      `unexpected argument "extra"`,
		"schema extra":                     `unexpected argument "extra"`,
		"demo extra":                       `unexpected argument "extra"`,
		"version extra":                    `unexpected argument "extra"`,
		"normalize --page-size 3":          "unknown flag: --page-size",
		"check":                            "--account-id or CLOUDFLARE_ACCOUNT_ID: is required",
		"rules --rules /does/not/exist":    "--rules: cannot read the file: no such file",
		"normalize --production-zone a..b": "--production-zone",
	} {
		got := command(t, strings.Fields(line)...)
		assert.Equal(t, exitUsage, got.code, line)
		assert.Empty(t, got.out, line)
		assert.Contains(t, got.err, want, line)
		assert.True(t, strings.HasPrefix(got.err, "cfaudit: "), "%s: %s", line, got.err)
		assert.Equal(t, 1, strings.Count(got.err, want), "%s: said more than once: %s", line, got.err)
	}
}

func TestExecute_HelpGoesToStandardOutput(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "--help", "poll --help", "help run", "check -h", "demo -h", "export -h", "report -h", "normalize -h", "rules -h", "schema -h", "version -h"} {
		got := command(t, strings.Fields(line)...)
		assert.Equal(t, exitOK, got.code, line)
		assert.Contains(t, got.out, "Usage:", line)
		assert.Empty(t, got.err, line)
		for text := range strings.Lines(got.out) {
			assert.LessOrEqual(t, len([]rune(text)), 121, "%s: %s", line, text)
		}
	}
}

func TestExecute_HelpNamesTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--help", "poll --help", "run --help", "check --help"} {
		got := command(t, strings.Fields(line)...)
		assert.Contains(t, got.out, envToken, line)
		assert.Contains(t, got.out, envAccountID, line)
	}
}

func TestExecute_ReadsNoOtherEnvironment(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, line := range []string{"check", "poll --state " + t.TempDir(), "rules", "schema", "demo", "version", "normalize"} {
		args := strings.Fields(line)
		if line == "check" || strings.HasPrefix(line, "poll") {
			args = append(args, "--base-url", a.url)
		}
		env := a.call().env
		var out, errs bytes.Buffer
		code := execute(t.Context(), args, world{strings.NewReader(""), &out, &errs, func(name string) string {
			assert.Contains(t, []string{envToken, envAccountID, envNoColor, envTerm}, name, line)
			return env[name]
		}})
		assert.Equal(t, exitOK, code, "%s: %s", line, &errs)
	}
}

func TestVersion_IsPrintedBothWays(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"version", "--version"} {
		got := command(t, line)
		assert.Equal(t, exitOK, got.code)
		assert.Equal(t, "cfaudit "+version()+"\n", got.out)
	}
}

// set holds each string once.
func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// names are the files in a folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	var list []string
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}
