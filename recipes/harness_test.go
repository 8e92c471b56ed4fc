package recipes

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

var programs = flag.String("programs", "", "the folder of programs that are not in the path, such as that of make recipes")

// program is where a program is. Without it the test is skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	if *programs != "" {
		if path := filepath.Join(*programs, name); exec.Command(path, "--version").Run() == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Skipf("NOT RUN: there is no %s, neither in the path nor in -programs", name)
	}
	return path
}

// start runs a program until the test ends, or the function returned stops it.
func start(t *testing.T, dir, path string, args ...string) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "CLOUDFLARE_API_TOKEN="+fakecloudflare.DefaultToken, "CLOUDFLARE_ACCOUNT_ID="+fakecloudflare.DefaultAccountID)
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text := out.String()
			t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-8000):])
		}
	})
	return stop
}

// cfaudit is the command, built once.
var cfaudit = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "recipes")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cfaudit")
	out, err := exec.Command("go", "build", "-C", "..", "-o", path, "./cmd/cfaudit").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if path, err := cfaudit(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// account is an account with a history, and what reads it.
type account struct {
	api *fakecloudflare.Server
	url string
	dir string
}

// newAccount has the entries of the last three days.
func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{api: fakecloudflare.NewServer(fakecloudflare.Options{}), dir: t.TempDir()}
	now := time.Now()
	a.api.Add(time.Time{}, fakecloudflare.Story(7, now.Add(-3*24*time.Hour), now.Add(-time.Minute))...)
	server := httptest.NewServer(a.api)
	t.Cleanup(server.Close)
	a.url = server.URL + fakecloudflare.Prefix
	return a
}

// grow adds entries that are new.
func (a *account) grow(n int) {
	for i := range n {
		at := time.Now().Add(-time.Duration(n-i) * time.Second)
		a.api.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("later-%d-%d", at.UnixNano(), i), at, 6))
	}
}

// poll lets cfaudit deliver what is new, with a cursor of that name.
func (a *account) poll(t *testing.T, cursor string, args ...string) {
	t.Helper()
	command, err := cfaudit()
	require.NoError(t, err)
	cmd := exec.Command(command, append([]string{"poll", "--base-url", a.url, "--initial-lookback", "96h", "--drop-routine=false",
		"--state", filepath.Join(a.dir, cursor)}, args...)...)
	cmd.Env = append(os.Environ(), "CLOUDFLARE_API_TOKEN="+fakecloudflare.DefaultToken, "CLOUDFLARE_ACCOUNT_ID="+fakecloudflare.DefaultAccountID)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	refused, err := filepath.Glob(filepath.Join(a.dir, cursor, "*.dead-letter.jsonl"))
	require.NoError(t, err)
	for _, name := range refused {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Empty(t, string(text), "dead letters")
	}
}

// event is what the tests compare of an event.
type event struct {
	ID       string    `json:"external_id"`
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	Action   string    `json:"action"`
	At       time.Time `json:"created_at"`
	line     string
}

// events are those in a file of cfaudit, by their ids.
func events(t *testing.T, names ...string) map[string]event {
	t.Helper()
	all := make(map[string]event)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			var e event
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			e.line = strings.TrimSuffix(line, "\n")
			require.NotContains(t, all, e.ID)
			all[e.ID] = e
		}
	}
	return all
}

// expected are the events that a poll delivers now, read with a cursor of its own.
func (a *account) expected(t *testing.T) map[string]event {
	t.Helper()
	name := filepath.Join(t.TempDir(), "expected.jsonl")
	a.poll(t, fmt.Sprintf("expected-%d", time.Now().UnixNano()), "--out", name)
	all := events(t, name)
	require.Greater(t, len(all), 40)
	return all
}

// recipe is the text of a recipe, with what differs in a test put in place of what
// stands there.
func recipe(t *testing.T, name string, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, string(text), pairs[i], name)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

func save(t *testing.T, name, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// wait waits until a number of events is there, and fails with what there is instead.
func wait(t *testing.T, want int, got func() int) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for got() < want {
		if time.Now().After(deadline) {
			require.Equal(t, want, got(), "events that have come")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// tail has cfaudit write its file and rename it amid that, as for rotation, and
// returns the events once the program at the other end has as many.
func tail(t *testing.T, a *account, file string, got func() int) map[string]event {
	t.Helper()
	wait(t, len(events(t, file)), got)
	a.grow(25)
	a.poll(t, "tailed", "--out", file)
	wait(t, len(events(t, file)), got)
	require.NoError(t, os.Rename(file, file+".1"))
	a.grow(25)
	a.poll(t, "tailed", "--out", file)
	all := events(t, file+".1", file)
	wait(t, len(all), got)
	time.Sleep(time.Second) // for what comes twice
	return all
}
