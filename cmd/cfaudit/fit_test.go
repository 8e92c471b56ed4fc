package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// narrowTerminal is a terminal of 80 columns.
type narrowTerminal struct{ bytes.Buffer }

// Terminal is what the package table asks an output for.
func (*narrowTerminal) Terminal() (width int, ok bool) { return 80, true }

// onNarrow runs a command line on a terminal of 80 columns.
func onNarrow(t *testing.T, args ...string) string {
	t.Helper()
	var out narrowTerminal
	var err bytes.Buffer
	env := map[string]string{envToken: "cfat_token", envAccountID: fakecloudflare.DefaultAccountID}
	code := execute(t.Context(), args, world{strings.NewReader(savedEntries), &out, &err, func(name string) string { return env[name] }})
	require.Equal(t, exitOK, code, err.String())
	return out.String()
}

func TestTables_FitIntoANarrowTerminal(t *testing.T) {
	t.Parallel()
	mine := ruleFileNamed(t, ".yaml", tuningRules)
	for line, want := range map[string]string{
		"rules":                       "dns-record-created",
		"rules --stats":               "by-bob",
		"rules --stats --all":         "never fired: ",
		"rules --explain":             "by rule dns-record-created",
		"rules --explain --all":       "wanted",
		"rules --try " + mine:         "-> by-bob",
		"config show":                 "page_size",
		"config show --rules " + mine: "from --rules",
	} {
		args := strings.Fields(line)
		if strings.HasPrefix(line, "rules --stats") {
			args = append(args, "--rules", mine)
		}
		out := onNarrow(t, args...)
		assert.Contains(t, out, want, line)
		for row := range strings.Lines(out) {
			assert.LessOrEqual(t, len([]rune(strings.TrimRight(row, "\n"))), 80, "%s: %s", line, row)
		}
	}
}

func TestRules_StatsCountWhatNeverFired(t *testing.T) {
	t.Parallel()
	run := func(args ...string) string {
		got := call{args: append([]string{"rules", "--stats"}, args...), stdin: savedEntries}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		return got.out
	}
	assert.Regexp(t, `\nnever fired: \d+ rules; --all lists them\n$`, run())
	assert.NotContains(t, run(), "token-created")
	assert.Contains(t, run("--all"), "token-created")
}

func TestRules_ExplainsSomeEntriesAlone(t *testing.T) {
	t.Parallel()
	run := func(args ...string) result {
		return call{args: append([]string{"rules", "--explain"}, args...), stdin: savedEntries}.run(t.Context())
	}
	got := run("--id", "e3")
	assert.Equal(t, exitOK, got.code, got.err)
	assert.True(t, strings.HasPrefix(got.out, "e3\n"), got.out)
	assert.Equal(t, 1, strings.Count(got.out, "\n  graded "), got.out)
	got = run("--id", "e3,e1", "--id", "none")
	assert.Equal(t, 2, strings.Count(got.out, "\n  graded "), got.out)
	assert.Equal(t, "cfaudit: --id none matched no entry\n", got.err)
	all, some := run(), run("--min-severity", "medium")
	assert.Equal(t, 5, strings.Count(all.out, "\n  graded "))
	assert.Equal(t, strings.Count(all.out, "graded   medium")+strings.Count(all.out, "graded   high"), strings.Count(some.out, "\n  graded "))
	assert.NotContains(t, some.out, "graded   low")
	for line, want := range map[string]string{
		"rules --id x":                          "--id requires --explain",
		"rules --stats --min-severity low":      "--min-severity requires --explain",
		"rules --explain --min-severity urgent": `--min-severity: "urgent": must be critical, high, medium, low or info`,
		"rules --all":                           "--all requires --explain or --stats",
	} {
		got := command(t, strings.Fields(line)...)
		assert.Equal(t, exitUsage, got.code, line)
		assert.Contains(t, got.err, want, line)
	}
}
