package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

const configText = `# the account of the company
account_id: ` + testID + `
audit_log_api: both
poll_interval_seconds: 60
production_zones: [example.com, "*.example.org"]
overlap: 5m
drop_routine: false
rules:
  - id: mine
    match: {action: "dns.*"}
    severity: high
`

func TestConfigFile_GivesTheFieldsAndFlagsAndTheEnvironmentWin(t *testing.T) {
	t.Parallel()
	name := write(t, configText)
	cfg, err := parse(t, map[string]string{envToken: "cfat_token"}, "--config", name)
	require.NoError(t, err)
	assert.Equal(t, testID, cfg.AccountID)
	assert.Equal(t, "both", cfg.AuditLogAPI)
	assert.Equal(t, time.Minute, cfg.PollInterval)
	assert.Equal(t, []string{"example.com", "*.example.org"}, cfg.ProductionZones)
	assert.Equal(t, 5*time.Minute, cfg.Overlap)
	assert.False(t, *cfg.DropRoutine)
	require.Len(t, cfg.Rules, 1)

	other := strings.Repeat("a", 32)
	cfg, err = parse(t, map[string]string{envToken: "cfat_token", envAccountID: other}, "--config", name, "--overlap", "7m", "--drop-routine")
	require.NoError(t, err)
	assert.Equal(t, other, cfg.AccountID)
	assert.Equal(t, 7*time.Minute, cfg.Overlap)
	assert.True(t, *cfg.DropRoutine)
	assert.Equal(t, time.Minute, cfg.PollInterval)
}

func TestConfigFile_ServesEveryCommand(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(5)...)
	name := write(t, configText)
	for _, args := range [][]string{
		{"rules"}, {"normalize"}, {"config", "check"}, {"poll", "--state", t.TempDir()}, {"export", "--since", "2h"}, {"report", "--since", "2h"},
	} {
		c := a.call(append(args, "--config", name)...)
		if args[0] == "rules" || args[0] == "normalize" {
			c.args = append(args, "--config", name)
		}
		got := c.run(t.Context())
		assert.Equal(t, exitOK, got.code, "%v: %s", args, got.err)
	}
}

func TestConfigFile_NamesTheLineOfEveryFault(t *testing.T) {
	t.Parallel()
	name := write(t, strings.NewReplacer("both", "v3", "severity: high", "severity: urgent", "overlap:", "overlapp:").Replace(configText))
	got := call{args: []string{"config", "check", "--config", name}, env: map[string]string{envToken: "cfat_token"}}.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, name+", line 3: audit_log_api: \"v3\": must be")
	assert.Contains(t, got.err, name+", line 6: overlapp: there is no such field; did you mean \"overlap\"?")
	assert.Contains(t, got.err, name+", line 8: rules: line 11: rules[0] \"mine\": severity: \"urgent\"")

	for text, want := range map[string]string{
		"":                          "must be a list of fields",
		"- a\n":                     "line 1: must be a list of fields",
		"overlap: 5m\noverlap: 6m":  "line 2: overlap: duplicate key, first used in line 1",
		"account_id: [\n":           "did not find expected",
		"a: &a [*a]\n":              "aliases",
		"overlap: 5m\n---\nb: true": "something follows",
	} {
		got := command(t, "config", "check", "--config", write(t, text))
		assert.Equal(t, exitUsage, got.code, text)
		assert.Contains(t, got.err, want, text)
	}
	got = command(t, "config", "chekc")
	assert.Equal(t, exitUsage, got.code)
	got = command(t, "config", "check", "--config", name, "--config", name)
	assert.Contains(t, got.err, "is given twice")
	got = command(t, "config", "check", "--config", filepath.Join(t.TempDir(), "none"))
	assert.Contains(t, got.err, "cannot read the file: no such file")
}

func TestConfigFile_ATokenThatEverybodyCanReadIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("permissions are different there")
	}
	name := write(t, configText+"api_token: cfat_secret000000000000000000000000000000000\n")
	got := command(t, "config", "check", "--config", name)
	assert.Equal(t, exitOK, got.code, got.err)
	require.NoError(t, os.Chmod(name, 0o644))
	got = command(t, "config", "check", "--config", name)
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "line 12: api_token: other users of this machine can read or change the file")
}

func TestConfigShow_SaysWhereEachValueComesFromAndHidesSecrets(t *testing.T) {
	t.Parallel()
	const token = "cfat_secret000000000000000000000000000000000"
	name := write(t, configText+"api_token: "+token+"\n")
	got := call{args: []string{"config", "show", "--config", name, "--interval", "2m", "--verified-worker", "a", "--verified-worker", "b"}}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.NotContains(t, got.out+got.err, token)
	for _, want := range []string{
		`(?m)^api_token +\[redacted\] +.*, line 12: api_token$`, `(?m)^overlap +5m +.*, line 6: overlap$`, `(?m)^poll_interval_seconds +120 +--interval$`,
		`(?m)^production_zones +example\.com, \*\.example\.org +.*: production_zones$`, `(?m)^verified_workers +a, b +--verified-worker$`,
		`(?m)^page_size +100 +default$`, `(?m)^rules +1 rule +.*, line 8: rules$`,
	} {
		assert.Regexp(t, want, got.out)
	}
	got = call{args: []string{"config", "show", "--page-size", token}, env: map[string]string{envToken: token, envAccountID: fakecloudflare.DefaultAccountID}}.run(t.Context())
	assert.NotContains(t, got.out+got.err, token, "a token in the wrong place is not repeated")
	assert.Equal(t, exitUsage, got.code)
}

func TestCompletionAndMan_CoverEveryCommand(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := command(t, "completion", shell)
		assert.Equal(t, exitOK, got.code, got.err)
		assert.Contains(t, got.out, "cfaudit", shell)
	}
	folder := t.TempDir()
	got := command(t, "man", "--dir", folder)
	require.Equal(t, exitOK, got.code, got.err)
	pages := names(t, folder)
	for _, page := range []string{"cfaudit.1", "cfaudit-export.1", "cfaudit-report.1", "cfaudit-fleet-work.1"} {
		assert.Contains(t, pages, page)
	}
	got = command(t, "man")
	assert.Equal(t, exitUsage, got.code)
}
