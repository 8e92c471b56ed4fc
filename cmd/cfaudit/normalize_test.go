package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// eventsOf makes events of entries.
func eventsOf(t *testing.T, entries ...json.RawMessage) []ingest.Event {
	t.Helper()
	n, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{DropRoutine: new(bool)})
	require.NoError(t, err)
	events := make([]ingest.Event, len(entries))
	for i, e := range entries {
		events[i], _ = n.Normalize(e)
	}
	return events
}

// zipped is a text compressed with gzip.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestNormalize_TakesEveryFormOfInput(t *testing.T) {
	t.Parallel()
	entries := recent(20)
	list, err := json.MarshalIndent(entries, "", "  ")
	require.NoError(t, err)
	var lines strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&lines, "%s\n", e)
	}
	want := idsOf(t, entries)
	for name, text := range map[string]string{
		"lines":   lines.String(),
		"list":    string(list),
		"reply":   `{"result":` + string(list) + `,"success":true,"errors":[],"messages":[]}`,
		"replies": `{"result":` + string(list[:len(list)-1]) + "]}" + `{"result":[]}`,
		"gzip":    zipped(t, lines.String()),
	} {
		got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: text}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Equal(t, want, ids(t, got.out), name)
		assert.Regexp(t, `^read 20 entries: 20 events \(.*\), 0 dropped\n$`, got.err, name)
	}
}

func TestNormalize_ReadsFilesInTheirOrder(t *testing.T) {
	t.Parallel()
	entries := recent(3)
	got := call{
		args:  []string{"normalize", "--drop-routine=false", write(t, string(entries[0])), "-", write(t, string(entries[2]))},
		stdin: string(entries[1]),
	}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, idsOf(t, entries), ids(t, got.out))

	got = command(t, "normalize", "--drop-routine=false", "/does/not/exist", write(t, string(entries[0])))
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "cfaudit: open /does/not/exist")
	assert.Len(t, ids(t, got.out), 1, "a missing file does not stop the others")
}

func TestNormalize_WhatCannotBeReadBecomesAnEvent(t *testing.T) {
	t.Parallel()
	entry := string(recent(1)[0])
	text := "{\"id\":\nnot JSON\n" + entry + "\n" + strings.Repeat("x", 2*64<<10) + "\n[null]\n"
	got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: text}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "read 5 entries: 5 events (")
	assert.Contains(t, got.err, "4 undecodable)")
	assert.Len(t, ids(t, got.out), 5)
	var raw []string
	for line := range strings.Lines(got.out) {
		var event struct {
			Raw       any  `json:"raw_event"`
			Truncated bool `json:"raw_truncated"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &event))
		if s, ok := event.Raw.(string); ok {
			raw = append(raw, s)
			assert.Equal(t, len(s) == 64<<10, event.Truncated)
		}
	}
	assert.Equal(t, []string{`{"id":`, "not JSON", strings.Repeat("x", 64<<10)}, raw)
}

func TestNormalize_DropsAndGradesByTheRules(t *testing.T) {
	t.Parallel()
	entry := string(fakecloudflare.Entry("a", time.Now(), 0))
	run := func(args ...string) result {
		return call{args: append([]string{"normalize"}, args...), stdin: entry}.run(t.Context())
	}
	rules := write(t, `[{"id":"mine","match":{"action":"d1.database.create"},"drop":true}]`)
	got := run("--rules", rules)
	assert.Empty(t, got.out)
	assert.Equal(t, "read 1 entry: 0 events, 1 dropped (1 mine)\n", got.err)
	assert.Contains(t, run("--rules", rules, "--drop-routine=false").out, `"severity":"info"`)

	entry = fakecloudflare.Logged("dns.record", "delete", `"metadata":{"zone_name":"example.com"}`)
	inProduction, outside := run("--production-zone", "example.com").out, run("--production-zone", "example.net").out
	assert.NotEqual(t, inProduction, outside)
	assert.Contains(t, run("--account-id", testID).out, `"account_id":"`+testID+`"`)
}

func TestNormalize_MissingEntriesAreAFailure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"success":false,"errors":[{"code":10000}],"result":null}`: "1 reply without a list of entries",
		`[{"id":"a"}`:                  "ends in the middle of a list",
		zipped(t, `[{"id":"a"}]`)[:30]: "the compressed file ends too early",
	} {
		got := call{args: []string{"normalize"}, stdin: text}.run(t.Context())
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.err, "cfaudit: standard input: ")
		assert.Contains(t, got.err, want)
	}
}

func TestNormalize_AnOutputThatFailsEndsIt(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	var errs strings.Builder
	code := execute(t.Context(), []string{"normalize"}, world{
		stdin: &endless{text: string(fakecloudflare.Entry("a", time.Now(), 0)) + "\n"}, stdout: full, stderr: &errs,
		getenv: func(string) string { return "" },
	})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs.String(), "no space left on device")
}

// endless repeats a text.
type endless struct {
	text string
	n    int
}

// Read implements [io.Reader].
func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.n%len(e.text)]
		e.n++
	}
	return len(p), nil
}
