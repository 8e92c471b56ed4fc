package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
)

const testID = "023e105f4ecef8ad9ca31a8372d0c353"

// parse reads a configuration from flags.
func parse(t *testing.T, env map[string]string, args ...string) (cloudflareaudit.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := addSettings(world{getenv: func(name string) string { return env[name] }}, flags)
	require.NoError(t, flags.Parse(args))
	return s.config()
}

func TestSettings_EveryFieldOfTheConfigurationHasAFlag(t *testing.T) {
	t.Parallel()
	odd := map[string]string{
		"api_token": "token-file", "poll_interval_seconds": "interval",
		"production_zones": "production-zone", "verified_workers": "verified-worker",
	}
	want := make(map[string]string)
	for _, f := range descriptor().Fields {
		want[f.Name] = strings.ReplaceAll(f.Name, "_", "-")
		if flag, ok := odd[f.Name]; ok {
			want[f.Name] = flag
		}
	}
	got := make(map[string]string)
	for _, o := range options {
		got[o.field] = o.flag
	}
	assert.Equal(t, want, got)
}

func TestSettings_FlagsReachTheirFields(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, nil,
		"--account-id", testID, "--token-file", write(t, "cfat_token\n"), "--base-url", "https://proxy.example.com/v4",
		"--page-size", "7", "--max-events", "8", "--overlap", "11m", "--initial-lookback", "7d", "--hide-user-logs",
		"--production-zone", "a.example,b.example", "--production-zone", "*.c.example", "--verified-worker", "checkout",
		"--drop-routine=false", "--rate-limit", "9", "--request-timeout", "5s", "--interval", "2m",
		"--resolve-members", "--resolve-scopes", "--resolve-history",
		"--rules", write(t, `[{"id":"mine","match":{"action":"dns.*"},"severity":"high"}]`))
	require.NoError(t, err)
	assert.Equal(t, testID, cfg.AccountID)
	assert.Equal(t, "cfat_token", cfg.APIToken.Reveal())
	assert.Equal(t, "https://proxy.example.com/v4", cfg.BaseURL)
	assert.Equal(t, 7, cfg.PageSize)
	assert.Equal(t, 8, cfg.MaxEvents)
	assert.Equal(t, 11*time.Minute, cfg.Overlap)
	assert.Equal(t, 7*24*time.Hour, cfg.InitialLookback)
	assert.True(t, cfg.HideUserLogs)
	assert.True(t, cfg.ResolveMembers)
	assert.True(t, cfg.ResolveScopes)
	assert.True(t, cfg.ResolveHistory)
	assert.Equal(t, []string{"a.example", "b.example", "*.c.example"}, cfg.ProductionZones)
	assert.Equal(t, []string{"checkout"}, cfg.VerifiedWorkers)
	assert.False(t, *cfg.DropRoutine)
	assert.Equal(t, 9, cfg.RateLimit)
	assert.Equal(t, 5*time.Second, cfg.RequestTimeout)
	assert.Equal(t, 2*time.Minute, cfg.PollInterval)
	require.Len(t, cfg.Rules, 1)
	assert.Equal(t, "mine", cfg.Rules[0].ID)
}

func TestSettings_FlagsGoBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{envToken: "cfat_environment", envAccountID: strings.Repeat("0", 32)}
	cfg, err := parse(t, env)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("0", 32), cfg.AccountID)
	assert.Equal(t, "cfat_environment", cfg.APIToken.Reveal())

	cfg, err = parse(t, env, "--account-id", testID)
	require.NoError(t, err)
	assert.Equal(t, testID, cfg.AccountID)

	delete(env, envToken)
	cfg, err = parse(t, env, "--token-file", write(t, "cfat_file"))
	require.NoError(t, err)
	assert.Equal(t, "cfat_file", cfg.APIToken.Reveal())
}

func TestSettings_ATokenFileHasOneLine(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"cfat_token":                 "",
		"cfat_token\n":               "",
		"cfat_token\r\n":             "",
		"":                           "the file is empty",
		"\n":                         "the file is empty",
		strings.Repeat("x", 1<<20+1): "it is larger than 1 MiB",
		"cfat_token\n\n":             "line break",
		"cfat_token\ncfat_b\n":       "line break",
		"Bearer cfat_token\n":        `begins with "Bearer "`,
		"'cfat_token'\n":             "quotes",
		" cfat_token\n":              "space",
	} {
		cfg, err := parse(t, nil, "--account-id", testID, "--token-file", write(t, content))
		if want == "" {
			require.NoError(t, err, "%q", content)
			assert.Equal(t, "cfat_token", cfg.APIToken.Reveal())
			continue
		}
		require.ErrorContains(t, err, want, "%q", content)
		assert.True(t, strings.HasPrefix(err.Error(), "--token-file: "), err)
		assert.NotContains(t, err.Error(), "cfat_")
	}
}

func TestSettings_AllFaultsAreReportedAtOnceInTermsOfFlags(t *testing.T) {
	t.Parallel()
	rules := write(t, `[{"id":"mine","match":{"action":"dns.*"},"severity":"urgent"}]`)
	got := call{
		args: []string{
			"poll", "--account-id", "zone", "--base-url", "http://example.com", "--page-size", "many", "--max-events", "0",
			"--overlap", "1s", "--initial-lookback", "yesterday", "--rate-limit", "9999", "--request-timeout", "1h",
			"--interval", "5s", "--production-zone", "a b", "--token-file", "/does/not/exist", "--rules", rules,
		},
	}.run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
	for _, want := range []string{
		"--state: is required",
		`--account-id: "zone": must be the Account ID`,
		`--base-url: "http://example.com": would send the token unencrypted`,
		`--page-size: "many": must be a whole number`,
		`--max-events: "0": must be at least 1`,
		`--overlap: "1s": must be between`,
		`--initial-lookback: "yesterday": must be a duration`,
		`--rate-limit: "9999": must be between 1 and 1200`,
		`--request-timeout: "1h": must be between 1s and 5m`,
		`--interval: "5s": must be between 30 and 86400 seconds`,
		`--token-file: cannot read the file: no such file or directory`,
		`--rules: line 1: rules[0] "mine": severity: "urgent": must be critical, high, medium, low or info`,
	} {
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "cfaudit: "+want) {
				found++
			}
		}
		assert.Equal(t, 1, found, "%s\nin\n%s", want, got.err)
	}
	assert.Contains(t, got.err, "--production-zone")
	assert.NotContains(t, got.err, "_id")
	assert.Len(t, lines, 13, got.err)
}

func TestSettings_WhatIsMissingIsNamedByAllItsPlaces(t *testing.T) {
	t.Parallel()
	_, err := parse(t, nil)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "--account-id or CLOUDFLARE_ACCOUNT_ID: is required")
	assert.Contains(t, err.Error(), "CLOUDFLARE_API_TOKEN or --token-file: is required")

	_, err = parse(t, map[string]string{envAccountID: "x", envToken: "a b"})
	require.Error(t, err)
	assert.Contains(t, err.Error(), `CLOUDFLARE_ACCOUNT_ID: "x": must be`)
	assert.Contains(t, err.Error(), "CLOUDFLARE_API_TOKEN: has a space in it")
}

func TestSettings_RuleFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                             "--rules: the file is empty",
		"{}":                           "must be a JSON list of rules",
		"[":                            "must be a JSON list of rules",
		"null":                         "",
		"[]":                           "",
		`[{"id":"other","drop":true}]`: `rules[0] "other"`,
	} {
		got := command(t, "rules", "--rules", write(t, content))
		if want == "" {
			assert.Equal(t, exitOK, got.code, "%s: %s", content, got.err)
			continue
		}
		assert.Equal(t, exitUsage, got.code, content)
		assert.Contains(t, got.err, want)
		assert.Equal(t, 1, strings.Count(got.err, "\n"), got.err)
	}
}

func TestSettings_IntervalsAreWholeSeconds(t *testing.T) {
	t.Parallel()
	env := map[string]string{envToken: "cfat_token", envAccountID: testID}
	for text, want := range map[string]string{
		"90s": "", "1h": "", "1d": "",
		"30.5s": "must be in whole seconds", "soon": "must be a duration", "-1m": "must be", "300": "must be a duration",
	} {
		_, err := parse(t, env, "--interval", text)
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, `--interval: "`+text+`": `)
	}
}
