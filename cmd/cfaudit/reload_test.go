package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// gradeAll grades every entry alike.
func gradeAll(severity string) string {
	return `[{"id":"everything","match":{"action":"*","outcome":["success","failure","unknown"]},"severity":"` + severity + `"}]`
}

// reloading is a connector whose rules can be reloaded.
type reloading struct {
	*swappable
	rules *ownRules
	log   bytes.Buffer
}

func newReloading(t *testing.T, a account, args ...string) *reloading {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := addSettings(world{getenv: func(string) string { return "" }}, flags)
	require.NoError(t, flags.Parse(append(args, "--account-id", fakecloudflare.DefaultAccountID,
		"--token-file", write(t, a.token), "--base-url", a.url)))
	cfg, err := s.config()
	require.NoError(t, err)
	source, err := newSwappable(cfg)
	require.NoError(t, err)
	r := &reloading{swappable: source}
	r.rules = newOwnRules(s, cfg.Rules, slog.New(slog.NewTextHandler(&r.log, nil)), source.use)
	return r
}

// severities polls from a cursor and returns what the entries are graded.
func (r *reloading) severities(t *testing.T, cursor ingest.Cursor) map[ingest.Severity]int {
	t.Helper()
	batch, err := r.Poll(t.Context(), cursor)
	require.NoError(t, err)
	graded := make(severities)
	graded.add(batch.Events)
	return graded
}

func TestReload_GoodRulesCountFromTheNextPoll(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(40)...)
	file := write(t, gradeAll("critical"))
	r := newReloading(t, a, "--rules", file)
	assert.Equal(t, map[ingest.Severity]int{ingest.Critical: 40}, r.severities(t, nil))

	// A poll under way keeps the rules it began with, for all of its entries.
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		return fakecloudflare.Custom(func(_ *http.Request, reply func() *http.Response) (*http.Response, error) {
			asked <- struct{}{}
			<-answer
			return reply(), nil
		})
	})
	graded := make(chan map[ingest.Severity]int)
	go func() { graded <- r.severities(t, nil) }()
	<-asked
	require.NoError(t, os.WriteFile(file, []byte(gradeAll("medium")), 0o600))
	r.rules.reload()
	close(answer)
	assert.Equal(t, map[ingest.Severity]int{ingest.Critical: 40}, <-graded)
	a.Fault(nil)
	assert.Equal(t, map[ingest.Severity]int{ingest.Medium: 40}, r.severities(t, nil))
	assert.Contains(t, r.log.String(), `msg="reloaded the rules, for the next poll" rules=1`)
	h := r.rules.report()
	assert.Equal(t, []int{1, 1, 0}, []int{h.Own, h.Reloads, h.ReloadFailures})
}

func TestReload_AFaultKeepsTheRulesBefore(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(5)...)
	file := write(t, gradeAll("critical"))
	r := newReloading(t, a, "--rules", file)
	for i, bad := range []string{"", "[", `[{"id":"everything","match":{"action":"*"},"severity":"urgent"},{"id":"x"}]`} {
		require.NoError(t, os.WriteFile(file, []byte(bad), 0o600))
		r.rules.reload()
		h := r.rules.report()
		assert.Equal(t, i+1, h.ReloadFailures)
		assert.NotEmpty(t, h.LastError)
	}
	assert.Contains(t, r.rules.report().LastError, `--rules: line 1: rules[0] "everything": severity: "urgent"`)
	assert.Contains(t, r.rules.report().LastError, `; --rules: line 1: rules[1] "x": `, "every fault is told")
	assert.Equal(t, 3, strings.Count(r.log.String(), "those loaded before stay in force"))
	require.NoError(t, os.Remove(file))
	r.rules.reload()
	assert.Contains(t, r.rules.report().LastError, "cannot read the file")
	assert.Equal(t, map[ingest.Severity]int{ingest.Critical: 5}, r.severities(t, nil))

	require.NoError(t, os.WriteFile(file, []byte(gradeAll("low")), 0o600))
	r.rules.reload()
	assert.Equal(t, map[ingest.Severity]int{ingest.Low: 5}, r.severities(t, nil))
	h := r.rules.report()
	assert.Equal(t, []int{1, 4}, []int{h.Reloads, h.ReloadFailures})
	assert.Empty(t, h.LastError)
}

func TestReload_TakesOnlyTheRulesOfAConfiguration(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(5)...)
	file := write(t, "rules: []\nproduction_zones: [example.com]\n")
	r := newReloading(t, a, "--config", file)
	require.NoError(t, os.WriteFile(file, []byte("page_size: many\nproduction_zones: [example.org]\nrules: "+gradeAll("high")), 0o600))
	r.rules.reload()
	assert.Equal(t, map[ingest.Severity]int{ingest.High: 5}, r.severities(t, nil), r.log.String())
	assert.Equal(t, []string{"example.com"}, r.cfg.ProductionZones)

	// Rules of --rules take precedence, so the other file does not matter.
	mine := write(t, gradeAll("low"))
	r = newReloading(t, a, "--config", write(t, "rules: []\n"), "--rules", mine)
	require.NoError(t, os.Remove(r.rules.settings.file))
	require.NoError(t, os.WriteFile(mine, []byte(gradeAll("medium")), 0o600))
	r.rules.reload()
	assert.Equal(t, map[ingest.Severity]int{ingest.Medium: 5}, r.severities(t, nil), r.log.String())

	assert.Nil(t, newReloading(t, a).rules.report(), "without a file there is nothing to reload")
	file = write(t, "rules: []\n")
	pipe := newReloading(t, a, "--config", file)
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700)) // like a pipe, not a regular file
	pipe.rules.reload()
	assert.Contains(t, pipe.rules.report().LastError, "is not a regular file")
}

func TestRun_AHangupReloadsTheRules(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := newAccount(t, recent(3)...)
	file := write(t, gradeAll("critical"))
	var errs lines
	cmd := a.call("run", "--state", t.TempDir(), "--out", filepath.Join(t.TempDir(), "events.jsonl"), "--rules", file, "--listen", "127.0.0.1:0").
		start(t, func(cmd *exec.Cmd) { cmd.Stderr = &errs })
	logged := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(errs.String(), text) }, 10*time.Second, time.Millisecond, text)
	}
	logged("listening on ")
	_, address, _ := strings.Cut(errs.String(), "listening on ")
	url := strings.TrimSpace(address)
	require.NoError(t, os.WriteFile(file, []byte("["), 0o600))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	logged("cannot reload the rules")
	_, body := fetch(t, url+"/healthz")
	assert.Contains(t, body, `"reload_failures": 1`)
	_, body = fetch(t, url+"/metrics")
	assert.Contains(t, body, "\ncfaudit_rules_reloads_total{result=\"failed\"} 1\n")
	require.NoError(t, os.WriteFile(file, []byte("[]"), 0o600))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	logged(`msg="reloaded the rules, for the next poll" rules=0`)
	_, body = fetch(t, url+"/metrics")
	assert.Contains(t, body, "\ncfaudit_rules_reloads_total{result=\"ok\"} 1\n")
	assert.Contains(t, body, "\ncfaudit_rules 0\n")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), errs.String())
}

// The accounts of a fleet that have rules of their own keep them.
func TestFleet_SharedRulesAreForAccountsWithoutTheirOwn(t *testing.T) {
	t.Parallel()
	shared := []cloudflareaudit.Rule{{ID: "shared", Severity: ingest.High, Match: cloudflareaudit.Match{Action: []string{"*"}}}}
	s := &station{world: world{}, budget: 900, rules: func() []cloudflareaudit.Rule { return shared }}
	adjust := s.adjust(nil, nil)
	var cfg cloudflareaudit.Config
	adjust(&cfg)
	assert.Equal(t, shared, cfg.Rules)
	own := []cloudflareaudit.Rule{{ID: "own", Severity: ingest.Low, Match: cloudflareaudit.Match{Action: []string{"*"}}}}
	cfg.Rules = own
	adjust(&cfg)
	assert.Equal(t, own, cfg.Rules)
}

// A token that was refused is taken from its file again, where somebody mends it.
func TestReload_ATokenThatWasRefusedIsReadAgain(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	configured := func(token string) string {
		return `{"account_id":"` + fakecloudflare.DefaultAccountID + `","api_token":"` + token + `","base_url":"` + a.url + `"}`
	}
	for flag, content := range map[string]func(token string) string{
		"--token-file": func(token string) string { return token + "\n" },
		"--config":     configured,
	} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			const revoked = "cfat_revoked0000000000000000000000000000000"
			file := write(t, content(revoked))
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			s := addSettings(world{getenv: func(string) string { return "" }}, flags)
			require.NoError(t, flags.Parse([]string{flag, file, "--account-id", fakecloudflare.DefaultAccountID, "--base-url", a.url, "--drop-routine=false"}))
			cfg, err := s.config()
			require.NoError(t, err)
			var log bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			source, err := newSwappable(cfg)
			require.NoError(t, err)
			source.token = s.tokenAgain()
			require.NotNil(t, source.token)
			poll := func() (events int) {
				batch, err := source.Poll(t.Context(), nil)
				if err == nil {
					err = batch.Coverage.Unread()
				}
				if err != nil {
					require.True(t, ingest.NeedsAction(err), err)
				}
				return len(batch.Events)
			}
			assert.Zero(t, poll())
			assert.Zero(t, poll(), "it is the same one")
			assert.Empty(t, log.String())

			require.NoError(t, os.WriteFile(file, nil, 0o600))
			assert.Zero(t, poll())
			assert.Zero(t, poll())
			assert.Equal(t, 1, strings.Count(log.String(), "its file cannot be read again"), log.String())

			require.NoError(t, os.WriteFile(file, []byte(content(a.token)), 0o600))
			require.NoError(t, source.use(nil), "other rules change nothing about it")
			assert.Equal(t, 3, poll())
			assert.Contains(t, log.String(), "its file has another one now")
			assert.NotContains(t, log.String(), a.token)
			require.NoError(t, os.WriteFile(file, []byte(content(revoked)), 0o600))
			assert.Equal(t, 3, poll(), "nothing is read again without a refusal")
		})
	}
}

func TestReload_ATokenFromElsewhereIsNotReadAgain(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := addSettings(world{getenv: func(string) string { return "" }}, flags)
	require.NoError(t, flags.Parse([]string{"--config", write(t, `{"page_size":10}`)}))
	assert.Nil(t, s.tokenAgain(), "it is in the environment")
	flags = pflag.NewFlagSet("test", pflag.ContinueOnError)
	s = addSettings(world{getenv: func(string) string { return "" }}, flags)
	require.NoError(t, flags.Parse([]string{"--token-file", os.DevNull}))
	assert.Nil(t, s.tokenAgain(), "a pipe can be read only once")
}
