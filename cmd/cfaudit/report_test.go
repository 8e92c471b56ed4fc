package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
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

var (
	droppedByExport = regexp.MustCompile(`, (\d+) dropped`)
	leftOutByReport = regexp.MustCompile(`Left out by rules: (\d+) entr`)
)

// onlyRoutine serves what the machinery does in the account of a story, some entries a
// day, all of which a rule drops.
func onlyRoutine(t *testing.T) account {
	now := time.Now()
	all := slices.DeleteFunc(fakecloudflare.Story(1, now.AddDate(0, 0, -40), now), func(entry json.RawMessage) bool {
		return !strings.Contains(string(entry), "tls_settings_deployed")
	})
	return newAccount(t, all...)
}

func TestReport_LeftOutAreTheEntriesOfTheSpanAndNoSilence(t *testing.T) {
	t.Parallel()
	for _, a := range []account{storied(t), onlyRoutine(t)} {
		exported := a.call("export", "--since", "7d").run(t.Context())
		require.Equal(t, exitOK, exported.code, exported.err)
		want := droppedByExport.FindStringSubmatch(exported.err)
		require.NotEmpty(t, want, exported.err)
		require.NotEqual(t, "0", want[1])
		for _, args := range [][]string{nil, {"--baseline", "0"}, {"--resolve-members"}} {
			got := a.call(append([]string{"report", "--since", "7d", "--format", "text"}, args...)...).run(t.Context())
			require.Equal(t, exitOK, got.code, got.err)
			shown := leftOutByReport.FindStringSubmatch(got.out)
			require.NotEmpty(t, shown, got.out)
			assert.Equal(t, want[1], shown[1], args)
			text := strings.Join(strings.Fields(got.out), " ")
			assert.NotRegexp(t, `\d days?, from `, text, "the log had an entry every few hours")
			assert.NotContains(t, text, "a gap in what was saved", "nothing was saved")
			assert.Regexp(t, fmt.Sprintf("reported %d changes? ", strings.Count(exported.out, "\n")), got.err, "what is left out is no change")
		}
		kept := a.call("report", "--since", "7d", "--format", "text", "--drop-routine=false").run(t.Context())
		require.Equal(t, exitOK, kept.code, kept.err)
		assert.NotContains(t, kept.out, "Left out by rules")
	}
}

func TestReport_APatternStandsForFiles(t *testing.T) {
	t.Parallel()
	a := busy(t, 40)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	rows := strings.SplitAfter(a.call("export", "--since", "3d").run(t.Context()).out, "\n")
	require.NoError(t, os.WriteFile(at("older1.jsonl"), []byte(strings.Join(rows[:10], "")), 0o600))
	require.NoError(t, os.WriteFile(at("older2.jsonl"), []byte(strings.Join(rows[10:], "")), 0o600))
	require.NoError(t, os.WriteFile(at("older[1].jsonl"), []byte(rows[0]), 0o600))
	for _, command := range [][]string{{"report", "--format", "text"}, {"export", "--format", "jsonl"}} {
		run := func(from ...string) result {
			return call{args: append(append(command, "--since", "3d", "--from"), from...)}.run(t.Context())
		}
		whole := run(at("older1.jsonl"), at("older2.jsonl"))
		require.Equal(t, exitOK, whole.code, whole.err)
		byPattern := run(at("older?.jsonl"))
		require.Equal(t, exitOK, byPattern.code, byPattern.err)
		assert.Equal(t, whole.out, byPattern.out)
		literal := run(at("older[1].jsonl"))
		require.Equal(t, exitOK, literal.code, literal.err)
		assert.Contains(t, literal.err, "ed 1 ", "a name that exists is no pattern")

		none := run(at("older*.gz"))
		assert.Equal(t, exitFailed, none.code)
		assert.Contains(t, none.err, fmt.Sprintf("--from: %q: matches no file", at("older*.gz")))
		assert.Empty(t, none.out)
	}
}

func TestReport_OfFilesWithoutEventsIsNoAllClear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, file := range map[string]struct {
		content, want string
		code          int
	}{
		"junk.jsonl":  {"a\nb\n", "Nothing could be read: 2 lines could not be read as an event", exitFailed},
		"empty.jsonl": {"", "Nothing could be read: there is no event in empty.jsonl.", exitOK},
		"torn.jsonl":  {`{"external_id":"a`, "Nothing could be read: there is no whole event in torn.jsonl.", exitOK},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(file.content), 0o600))
		for _, form := range []string{formatHTML, formatText} {
			got := command(t, "report", "--format", form, "--from", path)
			assert.Equal(t, file.code, got.code, got.err)
			assert.Contains(t, strings.Join(strings.Fields(got.out), " "), file.want)
			assert.Contains(t, got.err, file.want)
			assert.NotContains(t, got.out, "No change was recorded")
		}
	}
}

func TestReport_TheEndingOfOutIsThatOfAForm(t *testing.T) {
	t.Parallel()
	saved := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(saved, nil, 0o600))
	for name, want := range map[string]string{
		"r.html": "<!doctype html>", "r.HTM": "<!doctype html>", "r": "<!doctype html>", "r.txt": "Cloudflare audit report", "r.md": "Cloudflare audit report",
	} {
		out := filepath.Join(t.TempDir(), name)
		got := command(t, "report", "--from", saved, "--out", out)
		require.Equal(t, exitOK, got.code, got.err)
		assert.True(t, strings.HasPrefix(read(t, out), want), name)
	}
	for _, name := range []string{"r.pdf", "r.csv", "r.json"} {
		out := filepath.Join(t.TempDir(), name)
		got := command(t, "report", "--from", saved, "--out", out)
		assert.Equal(t, exitUsage, got.code)
		assert.Contains(t, got.err, fmt.Sprintf("--out: %q: must end in .html, or in .txt", out))
		assert.NoFileExists(t, out)
		got = command(t, "report", "--from", saved, "--out", out, "--format", "html")
		assert.Equal(t, exitOK, got.code, got.err)
	}
}

func TestReport_AFullOutputIsNamedAsThatOfTheReport(t *testing.T) {
	t.Parallel()
	saved := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(saved, nil, 0o600))
	var errs strings.Builder
	code := execute(t.Context(), []string{"report", "--from", saved}, world{strings.NewReader(""), fullWriter{}, &errs, func(string) string { return "" }})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs.String(), "cannot write the report: ")
	assert.NotContains(t, errs.String(), "the events")
}

// fullWriter has no room.
type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
