package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestDemoServe_PrintsCommandsThatWork(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &printed{has: make(chan struct{})}
	ended := make(chan int)
	go func() {
		ended <- execute(ctx, []string{"demo", "--serve", "--listen", "127.0.0.1:0", "--every", "1s"}, world{
			stdin: strings.NewReader(""), stdout: out, stderr: out, getenv: func(string) string { return "" },
		})
	}()
	<-out.has
	help := out.text
	value := func(name string) string {
		_, rest, ok := strings.Cut(help, name+"=")
		require.True(t, ok, name)
		return strings.Fields(rest)[0]
	}
	env := map[string]string{envToken: value("export " + envToken), envAccountID: value("export " + envAccountID)}
	dir := t.TempDir()
	_, mine, _ := strings.Cut(help, "<<'END'\n")
	mine, _, _ = strings.Cut(mine, "  END\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(mine), 0o600))
	notified := make(chan struct{}, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { notified <- struct{}{} }))
	defer hook.Close()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hook-url"), []byte(hook.URL), 0o600))
	ran := 0
	for line := range strings.Lines(help) {
		rest, ok := strings.CutPrefix(line, "  cfaudit ")
		if !ok || strings.HasPrefix(rest, "fleet ") {
			continue
		}
		rest, _, _ = strings.Cut(rest, " |")
		args := strings.Fields(strings.NewReplacer("$API", value("API"), "'", "").Replace(rest))
		for i, arg := range args {
			if inFolder.MatchString(arg) {
				args[i] = filepath.Join(dir, arg)
			}
		}
		c := call{args: args, env: env}
		ran++
		switch {
		case args[0] == "run":
			c.args = append(c.args, "--listen", "127.0.0.1:0")
			grows(t, filepath.Join(dir, "events.jsonl"), c)
		case slices.Contains(args, "--serve"):
			page := serveReport(t, slices.DeleteFunc(args[1:], func(arg string) bool { return arg == "--serve" })...)
			_, _, text := page.fetchPage(t, "")
			assert.Contains(t, text, "mallory@example.org")
			assert.Equal(t, exitOK, page.stop())
		default:
			got := c.run(t.Context())
			assert.Equal(t, exitOK, got.code, "%v: %s%s", args, got.out, got.err)
			assert.NotEmpty(t, got.out+got.err, args)
		}
	}
	assert.Equal(t, 16, ran)
	assert.NotEmpty(t, notified)
	got := call{args: []string{"export", "--base-url", value("API"), "--since", "5m", "--audit-log-api", "both", "--drop-routine=false", "--format", "jsonl"},
		env: env}.run(t.Context())
	for _, log := range []string{"v1", "v2"} {
		assert.True(t, slices.ContainsFunc(written(t, got.out), func(e ingest.Event) bool { return e.Audit.API == log }), "%s goes on", log)
	}
	cancel()
	assert.Equal(t, exitOK, <-ended)
}

// inFolder are the files and folders that the commands of demo --serve name.
var inFolder = regexp.MustCompile(`^([a-z]+-state|hook-url|[a-z]+\.(html|csv|yaml|jsonl\*?))$`)

// grows requires that a command goes on writing to a file.
func grows(t *testing.T, name string, c call) {
	t.Helper()
	before, err := os.Stat(name)
	require.NoError(t, err)
	_, stop := c.background(t)
	require.Eventually(t, func() bool {
		now, err := os.Stat(name)
		return err == nil && now.Size() > before.Size()
	}, 20*time.Second, 100*time.Millisecond, "the history goes on")
	code, log := stop()
	assert.Equal(t, exitOK, code, log)
}

// written are the events of an output.
func written(t *testing.T, out string) (list []ingest.Event) {
	t.Helper()
	for line := range strings.Lines(out) {
		var e ingest.Event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		list = append(list, e)
	}
	return list
}

// Both logs of the imitation tell of the same changes, the break-in among them.
func TestDemoServe_HasTheSameChangesInBothLogs(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(imitated(demoAccounts[1], 2, time.Now()))
	defer api.Close()
	got := call{args: []string{"export", "--base-url", api.URL + fakecloudflare.Prefix, "--since", "59d", "--audit-log-api", "both",
		"--drop-routine=false", "--format", "jsonl"}, env: map[string]string{envToken: fakecloudflare.DefaultToken, envAccountID: demoAccounts[1]}}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	logs := make(map[ingest.CorrelationID]map[string]bool)
	attack := make(map[string]int)
	for _, e := range written(t, got.out) {
		if e.Action == "zone.tls_settings.deploy" || e.Action == "account.staff_login" {
			assert.Equal(t, "v1", e.Audit.API, "what Cloudflare does is in v1 alone")
			continue
		}
		if logs[e.Audit.CorrelationID] == nil {
			logs[e.Audit.CorrelationID] = make(map[string]bool)
		}
		logs[e.Audit.CorrelationID][e.Audit.API] = true
		if e.Actor == "mallory@example.org" {
			attack[e.Audit.API]++
		}
	}
	both := 0
	for _, in := range logs {
		if len(in) == 2 {
			both++
		}
	}
	assert.Greater(t, len(logs), 400)
	assert.Greater(t, both*100, len(logs)*98, "the rest lies across a boundary of the spans of time")
	assert.Equal(t, map[string]int{"v1": 10, "v2": 10}, attack)
}

// printed keeps the first text that is written to it.
type printed struct {
	text string
	has  chan struct{}
}

func (p *printed) Write(b []byte) (int, error) {
	if p.text == "" {
		p.text = string(b)
		close(p.has)
	}
	return len(b), nil
}

func TestDemoServe_StaysOnThisMachine(t *testing.T) {
	t.Parallel()
	got := command(t, "demo", "--serve", "--listen", "0.0.0.0:8788", "--every", "1ms")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--listen: \"0.0.0.0:8788\": must be an address of this machine alone")
	assert.Contains(t, got.err, "--every: \"1ms\": must be at least 1s")
	got = command(t, "demo", "--serve", "--listen", "127.0.0.1:99999")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, `--listen: "127.0.0.1:99999": cannot be listened on: `)
	got = command(t, "demo", "--listen", "127.0.0.1:0")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--listen: requires --serve")
}
