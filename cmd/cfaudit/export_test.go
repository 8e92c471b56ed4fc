package main

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// busy serves an account with n entries of the last two days, one each few
// seconds.
func busy(t *testing.T, n int) account {
	now := time.Now()
	return newAccount(t, fakecloudflare.Generate(7, n, now.Add(-48*time.Hour), now.Add(-2*time.Hour))...)
}

// What is read, dropped, raised and left out has to add up to what is exported.
func TestExport_AccountsForEveryEntryRead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := newAccount(t, fakecloudflare.Story(1, now.Add(-60*24*time.Hour), now.Add(-20*time.Minute))...)
	a.Add(time.Time{}, fakecloudflare.Generate(3, 120, now.Add(-9*time.Minute), now.Add(-time.Second))...)
	r := a.call("export", "--since", "61d", "--format", "jsonl").run(t.Context())
	require.Equal(t, exitOK, r.code, r.err)
	number := func(pattern string) int {
		found := regexp.MustCompile(pattern).FindStringSubmatch(r.err)
		if found == nil {
			return 0
		}
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		return n
	}
	read, dropped, bursts := number(`read (\d+) entr`), number(`, (\d+) dropped`), number(`, (\d+) bursts? raised`)
	assert.Greater(t, read, 1000, r.err)
	assert.Positive(t, dropped, r.err)
	assert.Positive(t, bursts, r.err)
	assert.Equal(t, strings.Count(r.out, "\n"), read-dropped+bursts, r.err)
	assert.NotContains(t, r.err, "read again")
}

func TestProgress_NamesWhatMakesNoEvent(t *testing.T) {
	t.Parallel()
	p := progress{Events: 90, Coverage: ingest.Coverage{
		Read: 120, Delivered: 91, Raised: 2, Dropped: map[string]int{"routine": 9}, Repeated: 20, Requests: 3,
	}}
	assert.Equal(t, "read 100 entries, 9 dropped (9 routine), 2 bursts raised, 3 outside the span, 20 read again, 3 requests", p.reading())
}

// exported are the ids of an export in CSV.
func exported(t *testing.T, text string) []string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	column := slices.Index(rows[0], "external_id")
	var all []string
	for _, row := range rows[1:] {
		all = append(all, row[column])
	}
	return all
}

func TestExport_WritesTheSpanInEveryFormat(t *testing.T) {
	t.Parallel()
	a := busy(t, 300)
	lines := a.call("export", "--since", "3d").run(t.Context())
	require.Equal(t, exitOK, lines.code, lines.err)
	want := ids(t, lines.out)
	assert.NotEmpty(t, want)
	assert.Contains(t, lines.err, fmt.Sprintf("exported %d events", len(want)))
	assert.Contains(t, lines.err, "read 300 entries")

	table := a.call("export", "--since", "3d", "--format", "csv").run(t.Context())
	assert.Equal(t, want, exported(t, table.out))

	rows := a.call("export", "--since", "3d", "--format", "table").run(t.Context())
	assert.True(t, strings.HasPrefix(rows.out, "TIME"), rows.out)
	assert.NotContains(t, rows.out, "\x1b")
}

func TestExport_TheNameOfTheFileDecidesTheFormat(t *testing.T) {
	t.Parallel()
	a := busy(t, 20)
	for name, begins := range map[string]string{"a.csv": "created_at,", "a.jsonl": `{"source"`, "a.txt": "TIME", "a": `{"source"`} {
		out := filepath.Join(t.TempDir(), name)
		got := a.call("export", "--since", "3d", "--out", out).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.True(t, strings.HasPrefix(read(t, out), begins), name)
		assert.Empty(t, got.out)
		assert.Equal(t, []string{name}, names(t, filepath.Dir(out)), "nothing else is left")
	}
}

func TestExport_LeavesTheCursorAlone(t *testing.T) {
	t.Parallel()
	a := busy(t, 50)
	state := t.TempDir()
	require.Equal(t, exitOK, a.call("poll", "--state", state, "--initial-lookback", "3d").run(t.Context()).code)
	name := filepath.Join(state, "cloudflare-"+fakecloudflare.DefaultAccountID+".cursor")
	before := read(t, name)
	require.Equal(t, exitOK, a.call("export", "--since", "3d").run(t.Context()).code)
	assert.Equal(t, before, read(t, name))
}

func TestExport_FiltersAndNamesWhatMatchedNothing(t *testing.T) {
	t.Parallel()
	a := busy(t, 400)
	got := a.call("export", "--since", "3d", "--format", "csv", "--actor", "alice@*", "--action", "dns.*", "--actor", "nobody@*",
		"--min-severity", "low").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.NotEmpty(t, exported(t, got.out))
	assert.NotContains(t, got.out, "bob@example.com")
	assert.NotContains(t, got.out, ",zone.cache.purge,")
	assert.Contains(t, got.err, "cfaudit: --actor nobody@* matched no event\n")
	assert.NotContains(t, got.err, "alice@* matched")
}

// The whole promise of --out: whatever interrupts it, however often, the file is
// in the end the one that an undisturbed export writes.
func TestExport_InterruptedOftenIsTheSameFileInTheEnd(t *testing.T) {
	t.Parallel()
	a := busy(t, 6000)
	since := time.Now().Add(-72 * time.Hour).UTC().Format(time.RFC3339)
	until := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	folder := t.TempDir()
	whole, broken := filepath.Join(folder, "whole.csv"), filepath.Join(folder, "broken.csv")
	args := func(out string) []string {
		return []string{"export", "--since", since, "--until", until, "--drop-routine=false", "--out", out, "--rate-limit", "1200"}
	}
	got := a.call(args(whole)...).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)

	stops := 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		first := len(a.Requests())
		a.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n-first >= 3 {
				cancel()
			}
			return nil
		})
		got := a.call(args(broken)...).run(ctx)
		cancel()
		// A torn row, as a kill leaves it behind.
		if got.code != exitOK {
			require.Contains(t, got.err, "run the same command again to resume")
			f, err := os.OpenFile(broken, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString("2026-01-01T00:00:00Z,hi")
			require.NoError(t, err)
			require.NoError(t, f.Close())
			stops++
			require.Less(t, stops, 20, "it does not get on")
			continue
		}
		assert.Contains(t, got.err, "going on with "+broken)
		break
	}
	assert.Greater(t, stops, 1)
	assert.Equal(t, read(t, whole), read(t, broken))
	entries, bursts := sortOut(exported(t, read(t, broken)))
	assert.Len(t, entries, 6000)
	assert.NotEmpty(t, bursts)
	assert.Equal(t, []string{"broken.csv", "whole.csv"}, names(t, folder))
}

// Killed at any moment, also before anything has been read.
func TestExport_KilledAtAnyMomentIsTheSameFileInTheEnd(t *testing.T) {
	skipWithoutSignals(t)
	t.Parallel()
	a := busy(t, 3000)
	folder := t.TempDir()
	until := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	since := time.Now().Add(-72 * time.Hour).UTC().Format(time.RFC3339)
	for _, ext := range []string{".csv", ".jsonl", ".txt"} {
		whole, broken := filepath.Join(folder, "whole"+ext), filepath.Join(folder, "broken"+ext)
		args := func(out string) call {
			return a.call("export", "--since", since, "--until", until, "--out", out, "--rate-limit", "1200")
		}
		got := args(whole).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		finished := false
		for i := 0; i < 6 && !finished; i++ {
			cmd := args(broken).start(t, nil)
			time.Sleep(time.Duration(5+9*i*i) * time.Millisecond)
			_ = cmd.Process.Kill()
			finished = cmd.Wait() == nil
		}
		if !finished {
			got = args(broken).run(t.Context())
			require.Equal(t, exitOK, got.code, got.err)
		}
		assert.Equal(t, read(t, whole), read(t, broken), ext)
	}
}

func TestExport_RefusesToMixOrOverwrite(t *testing.T) {
	t.Parallel()
	a := busy(t, 20)
	out := write(t, "precious")
	got := a.call("export", "--since", "3d", "--out", out).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "already exists")
	assert.Equal(t, "precious", read(t, out))
	got = a.call("export", "--since", "3d", "--out", out, "--force").run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.NotContains(t, read(t, out), "precious")
}

func TestExport_ReadsSavedEventsAlsoGzipEachOnce(t *testing.T) {
	t.Parallel()
	a := busy(t, 100)
	all := a.call("export", "--since", "3d").run(t.Context()).out
	lines := strings.SplitAfter(all, "\n")
	lines = lines[:len(lines)-1]
	half := len(lines) / 2
	plain := write(t, strings.Join(lines[:half+5], "")+`{"source":"cloudf`)
	packed := filepath.Join(t.TempDir(), "b.jsonl.gz")
	f, err := os.Create(packed)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(strings.Join(lines[half:], "")))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())

	got := command(t, "export", "--since", "3d", "--from", plain, packed)
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, all, got.out, "byte for byte")
	assert.Contains(t, got.err, "left out 5 events that had come before")
	assert.Contains(t, got.err, "ends in the middle of an event")

	got = command(t, "export", "--since", "3d", "--from", plain, "--from", packed)
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, all, got.out, "--from can be repeated")

	got = command(t, "export", "--since", "3d", "--until", "2d", "--from", plain)
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Empty(t, got.out)

	bad := write(t, "no event\n"+lines[0])
	got = command(t, "export", "--since", "3d", "--from", bad)
	assert.Equal(t, exitFailed, got.code)
	assert.Equal(t, lines[0], got.out, "the rest is there")
	assert.Contains(t, got.err, "1 line could not be read as an event; the first is "+bad+", line 1")
}

func TestExport_ACutFileLeavesNoOutput(t *testing.T) {
	t.Parallel()
	bad := write(t, "\x1f\x8b\x08\x00broken")
	out := filepath.Join(t.TempDir(), "out.csv")
	got := command(t, "export", "--from", bad, "--out", out)
	assert.Equal(t, exitFailed, got.code)
	assert.Empty(t, names(t, filepath.Dir(out)))
}

func TestExport_DryRunWritesNothingAndCountsRequests(t *testing.T) {
	t.Parallel()
	a := busy(t, 60)
	out := filepath.Join(t.TempDir(), "out.csv")
	got := a.call("export", "--since", "3d", "--out", out, "--dry-run").run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Regexp(t, `^60 entries from .* to .*: about \d requests, 1s at the rate limit \(the estimate took \d requests?\)\n$`, got.out)
	assert.Empty(t, names(t, filepath.Dir(out)))
}

func TestExport_EveryWrongFlagIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	got := command(t, "export", "--since", "soon", "--format", "xml", "--min-severity", "urgent", "--time-zone", "Mars/Olympus")
	assert.Equal(t, exitUsage, got.code)
	for _, want := range []string{
		`--since: "soon": must be 7d`, `--format: "xml": must be table, jsonl, csv, ecs or ocsf`, `--min-severity: "urgent": must be critical`,
		`--time-zone: "Mars/Olympus": must be the name`, "--account-id or CLOUDFLARE_ACCOUNT_ID: is required",
	} {
		assert.Equal(t, 1, strings.Count(got.err, want), "%s in %s", want, got.err)
	}
	got = command(t, "export", "--from", "x", "--rules", "y", "--dry-run")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--rules: applies only to reading the API; saved events are already graded")
	assert.Contains(t, got.err, "--dry-run: estimates requests")
	got = command(t, "export", "extra")
	assert.Equal(t, exitUsage, got.code)
	a := newAccount(t)
	got = a.call("export", "--since", "600d").run(t.Context())
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "must be within the last 548 days")
}

func TestExport_AFailureOfTheAPISaysWhatToDo(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.Deny("audit_logs")
	out := filepath.Join(t.TempDir(), "out.csv")
	got := a.call("export", "--out", out).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "HTTP 403")
	assert.Contains(t, got.err, "run the same command again to resume")
	assert.NotContains(t, got.err, a.token)
}

func TestExport_ProgressHasTheCountTheDateReachedAndTheTimeLeft(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	x := &export{spanned: &spanned{times: times{location: time.UTC}}}
	p := progress{Span: selection.Span{Since: since, Until: since.AddDate(0, 0, 10)}, Exported: 1, Coverage: ingest.Coverage{Read: 1234567}}
	assert.Equal(t, "Exporting: 1 event of 1,234,567 entries, 0 %", x.progressLine(p, 0, time.Minute, 0))
	p.Reached = since.AddDate(0, 0, 5)
	assert.Equal(t, "Exporting: 1 event of 1,234,567 entries, reached 2026-03-06 00:00, 50 %, about 1m0s left", x.progressLine(p, 0, time.Minute, 0))
	assert.Equal(t, "Exporting: 1 event of 1,234,567 entries, reached 2026-03-06 00:00, 50 %, about 4m0s left", x.progressLine(p, 0.375, time.Minute, 0),
		"what an earlier export has read took none of the time")
	assert.Contains(t, x.progressLine(p, 0, time.Minute, 7*time.Second), "50 %, waiting 7s for the request budget")
}
