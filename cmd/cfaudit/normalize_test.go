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
	entry := string(recent(1)[0]) + "\n"
	text := "{\"id\":\nnot JSON\n" + strings.Repeat(entry, 4) + strings.Repeat("x", 2*64<<10) + "\n[null]\n"
	got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: text}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.err, "read 8 entries: 8 events (")
	assert.Contains(t, got.err, "4 undecodable)")
	assert.Len(t, ids(t, got.out), 8)
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

func TestNormalize_SaysWhatAnInputLooksLike(t *testing.T) {
	t.Parallel()
	utf16 := "\xff\xfe{\x00\"\x00i\x00d\x00"
	for text, want := range map[string]string{
		"When,Action,Actor\n2026-05-12,login,alice\n2026-05-13,login,bob\n": "CSV",
		"When;Action;Actor\n2026-05-12;login;alice\n":                       "CSV",
		"<!DOCTYPE html>\n<html><body>Sign in</body></html>":                "HTML",
		"<?xml version=\"1.0\"?>\n<a/>":                                     "XML",
		"<134>1 2026-05-12T09:00:00Z h cloudflare - - {}":                   "syslog lines",
		"CEF:0|Cloudflare|Audit|1|x|y|5|":                                   "CEF",
		"hello\nworld":                                                      "plain text",
		"\x00\x01\x02\x03\x04\x05":                                          "binary data",
		"\x28\xb5\x2f\xfd\x04\x00\x00":                                      "zstd",
		"PK\x03\x04\x14\x00":                                                "ZIP",
		utf16:                                                               "UTF-16",
		`{"EdgeStartTimestamp":"2026-05-12T09:00:00Z","ClientRequestHost":"example.com","EdgeResponseStatus":200}`: "the Logpush dataset http_requests",
		`{"RuleID":"x","MatchIndex":0,"Kind":"firewall","Source":"waf","Datetime":"x"}`:                            "the Logpush dataset firewall_events",
		`[{"QueryName":"example.com","QueryType":1,"ResponseCode":0}]`:                                             "the Logpush dataset dns_logs",
		`{"AppDomain":"example.com","Allowed":true,"Email":"a@example.com"}`:                                       "the Logpush dataset access_requests",
		`{"eventVersion":"1.08","userIdentity":{},"eventTime":"x","a":1,"b":2,"c":3}`:                              "JSON objects of another kind, with the members eventVersion, userIdentity, eventTime, a, b, …",
		`{"data":[{"x":1}]}`: "with the members x",
		"[null,1]":           "JSON without audit-log entries",
	} {
		for form, in := range map[string]string{"plain": text, "gzip": zipped(t, text)} {
			got := call{args: []string{"normalize"}, stdin: in}.run(t.Context())
			assert.Equal(t, exitFailed, got.code, "%s %q", form, text)
			assert.Regexp(t, `cfaudit: standard input: \d+ of \d+ entr(y|ies) could not be read: it looks like `, got.err)
			assert.Contains(t, got.err, want, "%s %q", form, text)
			assert.NotEmpty(t, got.out, "it is still in events")
		}
	}
	// Half of an input is not most of it, and each file counts alone.
	entry := string(recent(1)[0])
	got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: entry + "\ntorn\n"}.run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	got = command(t, "normalize", "--drop-routine=false", write(t, strings.Repeat(entry+"\n", 9)), write(t, "a,b,c\n1,2,3\n"))
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.err, "2 of 2 entries could not be read: it looks like CSV")
}

func TestNormalize_ReadsADamagedGzipUpToTheDamage(t *testing.T) {
	t.Parallel()
	entries := recent(2000)
	var lines strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&lines, "%s\n", e)
	}
	sound := zipped(t, lines.String())
	half := len(sound) / 2
	flipped := []byte(sound)
	for i := half; i < half+50; i++ {
		flipped[i] ^= 0xff
	}
	sum := []byte(sound)
	sum[len(sum)-8] ^= 1
	for _, tt := range []struct {
		in, want string
		least    int
	}{
		{string(flipped), "the compressed file is damaged", 1},
		{string(sum), "the compressed file is damaged: gzip: invalid checksum", 2000},
		{sound[:half], "the compressed file ends too early", 1},
		{sound + "garbage after the end", "something other than gzip", 2000},
		{sound[:5], "the compressed file ends too early", 0},
	} {
		got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: tt.in}.run(t.Context())
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.err, tt.want)
		read := entryLines(got.out)
		assert.GreaterOrEqual(t, read, tt.least, tt.want)
		if tt.least > 0 {
			assert.Regexp(t, fmt.Sprintf("cfaudit: standard input: .*, after %d entr", read), got.err)
		}
	}
	two := call{args: []string{"normalize", "--drop-routine=false"}, stdin: sound + sound}.run(t.Context())
	assert.Equal(t, exitOK, two.code, two.err)
	assert.Equal(t, 4000, entryLines(two.out))
	assert.Contains(t, two.out, `"action":"burst.`, "what is compressed counts too")
}

// entryLines counts the events about entries, not bursts.
func entryLines(lines string) int {
	return strings.Count(lines, "\n") - strings.Count(lines, `"action":"burst.`)
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

func TestNormalize_NamesTheZonesAndWorkersThatNothingMatched(t *testing.T) {
	t.Parallel()
	entry := `{"id":"a","action":{"result":true,"type":"add"},"actor":{"id":"b","type":"user"},"metadata":{"zone_name":"example.com"},` +
		`"owner":{"id":"c"},"resource":{"id":"d","type":"dns.record"},"when":"2026-05-12T09:00:00Z"}`
	run := func(args ...string) string {
		got := call{args: append([]string{"normalize", "--drop-routine=false"}, args...), stdin: entry}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		return got.err
	}
	assert.Contains(t, run("--production-zone", "exmaple.com"), "cfaudit: --production-zone exmaple.com matched none of 1 event that it could match")
	for _, zone := range []string{"example.com", "EXAMPLE.com.", "*.com", "exa*"} {
		assert.NotContains(t, run("--production-zone", zone), "matched none", zone)
	}
	assert.NotContains(t, run("--verified-worker", "checkout"), "matched none", "no event is about a Worker")

	entry = `{"id":"a","when":"2026-05-12T09:00:00Z","action":{"type":"purge"},"resource":{"type":"zone"},"metadata":{"zone_name":"bu\u0308cher.example"}}`
	for _, zone := range []string{"bücher.example", "bu\u0308cher.example", "BÜCHER\u3002example", "xn--bcher-kva.example", "*\u3002example"} {
		assert.NotContains(t, run("--production-zone", zone), "matched none", zone)
	}
	assert.Contains(t, run("--production-zone", "bucher.example"), "--production-zone bucher.example matched none")

	entry = `{"id":"a","when":"2026-05-12T09:00:00Z","action":{"type":"deploy"},"resource":{"type":"worker_script","id":"checkout"},"newValueJson":{"script":"checkout"}}`
	assert.Contains(t, run("--verified-worker", "chekout"), "--verified-worker chekout matched none of 1 event")
	assert.NotContains(t, run("--verified-worker", "check*"), "matched none")
}
