package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// storied serves the account of a story of 40 days.
func storied(t *testing.T) account {
	now := time.Now()
	return newAccount(t, fakecloudflare.Story(1, now.AddDate(0, 0, -40), now)...)
}

func TestReport_FromTheAPIIsAPageWithABaseline(t *testing.T) {
	t.Parallel()
	a := storied(t)
	out := filepath.Join(t.TempDir(), "report.html")
	got := a.call("report", "--since", "7d", "--out", out).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	page := read(t, out)
	assert.True(t, strings.HasPrefix(page, "<!doctype html>"))
	assert.Contains(t, page, "Super Administrator added: mallory@example.org")
	assert.Contains(t, page, "New actor")
	assert.Contains(t, page, "read without a gap")
	assert.Contains(t, got.err, "1 actor was first seen in this period.")
	assert.NotContains(t, page, a.token)
	assert.Equal(t, []string{"report.html"}, names(t, filepath.Dir(out)))

	got = a.call("report", "--since", "7d", "--out", out).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "already exists")
	got = a.call("report", "--since", "7d", "--out", out, "--force", "--baseline", "0").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.NotContains(t, got.err, "first seen")
	assert.Contains(t, read(t, out), "New actors and addresses cannot be told")
}

func TestReport_FromFilesTakesWhatIsBeforeTheSpanAsBaseline(t *testing.T) {
	t.Parallel()
	a := storied(t)
	saved := filepath.Join(t.TempDir(), "events.jsonl")
	require.Equal(t, exitOK, a.call("export", "--since", "40d", "--out", saved).run(t.Context()).code)
	got := command(t, "report", "--since", "7d", "--format", "text", "--from", saved)
	require.Equal(t, exitOK, got.code, got.err)
	got.out = strings.Join(strings.Fields(got.out), " ")
	assert.Contains(t, got.out, "CRITICAL Access policy bypasses authentication: Staff only")
	assert.Contains(t, got.out, "mallory@example.org: ")
	assert.Contains(t, got.out, "first seen in this period")
	assert.Contains(t, got.out, "STILL IN PLACE")
	assert.Contains(t, got.out, "undone later")
	assert.Contains(t, got.out, "Saved events in events.jsonl")

	f, err := os.OpenFile(saved, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("no event\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	got = command(t, "report", "--since", "7d", "--from", saved)
	assert.Equal(t, exitFailed, got.code, "what is missing is an error")
	assert.Contains(t, got.err, "1 line could not be read as an event")
	assert.Contains(t, got.out, "1 line could not be read as an event", "and stands in the report")
}

func TestReport_OnATerminalIsText(t *testing.T) {
	t.Parallel()
	a := storied(t)
	code, out, errs := a.call("report", "--since", "7d").shownOn(t.Context(), 80)
	require.Equal(t, exitOK, code, errs)
	assert.True(t, strings.HasPrefix(out, "Cloudflare audit report, "), out[:40])
	got := a.call("report", "--since", "7d").run(t.Context())
	assert.True(t, strings.HasPrefix(got.out, "<!doctype html>"))
}

func TestReport_EveryWrongFlagIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	got := command(t, "report", "--format", "pdf", "--baseline", "-3d", "--working-hours", "never", "--list", "0", "--since", "soon")
	assert.Equal(t, exitUsage, got.code)
	for _, want := range []string{
		`--format: "pdf": must be html or text`, `--baseline: "-3d": must be a duration`, `--working-hours: "never": must be days and hours`,
		`--list: "0": must be from 1 to 100000`, `--since: "soon"`,
	} {
		assert.Contains(t, got.err, want)
	}
}
