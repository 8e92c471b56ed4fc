package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// split reads text and returns the entries as they are and, behind "!", the
// texts that could not be read.
func split(r io.Reader) (found []string, in *entries, err error) {
	in = &entries{
		each: func(raw []byte) error { found = append(found, string(raw)); return nil },
		broken: func(beginning []byte, cut bool) error {
			if cut {
				beginning = append(bytes.Clone(beginning), "…"...)
			}
			found = append(found, "!"+string(beginning))
			return nil
		},
	}
	err = in.read(r)
	return found, in, err
}

func TestEntries_ReadsEveryLayout(t *testing.T) {
	t.Parallel()
	const a, b, c = `{"id":"a"}`, `{"id":"b","x":[{"result":[1]},null]}`, `{"id":"c"}`
	tests := map[string]struct {
		in   string
		want []string
	}{
		"nothing":              {"", nil},
		"white space":          {" \n\t\r\n", nil},
		"one":                  {a, []string{a}},
		"lines":                {a + "\n" + b + "\n" + c + "\n", []string{a, b, c}},
		"no last line break":   {a + "\n" + b, []string{a, b}},
		"carriage returns":     {a + "\r\n\r\n" + b + "\r\n", []string{a, b}},
		"no separators":        {a + b + c, []string{a, b, c}},
		"byte order mark":      {byteOrderMark + a + "\n" + b, []string{a, b}},
		"list":                 {"[" + a + "," + b + "]", []string{a, b}},
		"empty list":           {"[]", nil},
		"list, laid out":       {"[\n  " + a + ",\n  " + b + "\n]\n", []string{a, b}},
		"two lists":            {"[" + a + "]\n[" + b + "]", []string{a, b}},
		"list of lists":        {"[[" + a + "],[],[" + b + "]]", []string{a, b}},
		"reply":                {`{"result":[` + a + "," + b + `],"success":true,"errors":[],"messages":[]}`, []string{a, b}},
		"reply, success first": {`{"success":true,"errors":[],"messages":[],"result":[` + a + `]}`, []string{a}},
		"replies":              {`{"result":[` + a + `]}` + "\n" + `{"result":[` + b + `]}`, []string{a, b}},
		"list of replies":      {`[{"result":[` + a + `]},{"result":[` + b + `]}]`, []string{a, b}},
		"reply, laid out":      {"{\n  \"result\": [\n    {\n      \"id\": \"a\"\n    },\n    " + b + "\n  ],\n  \"success\": true\n}\n", []string{"{\n      \"id\": \"a\"\n    }", b}},
		"entry, laid out":      {"{\n  \"id\": \"a\"\n}\n" + b, []string{"{\n  \"id\": \"a\"\n}", b}},
		"mixed":                {a + "\n[" + b + `]{"result":[` + c + `]}`, []string{a, b, c}},
		"odd elements":         {`[null,1,"x",` + a + `]`, []string{"null", "1", `"x"`, a}},
		"repeated key":         {`{"id":"a","id":"b"}`, []string{`{"id":"a","id":"b"}`}},
		"invalid UTF-8":        {"{\"id\":\"\xff\"}", []string{"{\"id\":\"\xff\"}"}},

		"broken line":            {a + "\n{\"id\":\n" + b + "\n", []string{a, `!{"id":`, b}},
		"broken lines":           {"{\"id\"\n{]\n" + b + "\n{", []string{`!{"id"`, `!{]`, b, "!{"}},
		"text":                   {"hello\n" + a + "\nworld wide\n", []string{"!hello", a, "!world wide"}},
		"text like a number":     {"2026-01-02 started\n" + a, []string{"!2026-01-02 started", a}},
		"text like a list":       {"[info] started\n" + a, []string{"!info] started", a}},
		"scalars":                {"null\n12\n\"x\"\n" + a, []string{"!null", "!12", `!"x"`, a}},
		"half a line":            {a + "\n" + `{"id":"b","wh`, []string{a, `!{"id":"b","wh`}},
		"broken, laid out":       {"{\n  \"id\": b,\n  \"x\": 1\n}\n" + a, []string{"!{\n  \"id\": b,\n  \"x\": 1\n}", a}},
		"broken element":         {"[" + a + ",{\"id\":b}," + c + "]\n" + b, []string{a, "!{\"id\":b}," + c + "]", b}},
		"broken element, lines":  {"[\n" + a + ",\n{\"id\":b},\n" + c + "\n]\n", []string{a, `!{"id":b}`, c}},
		"comma is missing":       {"[" + a + "\n" + b + "\n" + c + "]\n", []string{a, b, c}},
		"a comma too many":       {"[" + a + ",]\n" + b, []string{a, b}},
		"end behind a list":      {"[" + a + "]]\n" + b, []string{a, b}},
		"text behind a value":    {a + " and so on\n" + b, []string{a, "!and so on", b}},
		"result is no list":      {`{"result":{"id":"a"},"success":true}` + b, []string{b}},
		"failure":                {`{"result":null,"success":false,"errors":[{"code":10000}]}`, nil},
		"reply, broken behind":   {`{"result":[` + a + `],"success":yes}` + "\n" + b, []string{a, `!],"success":yes}`, b}},
		"line break in a string": {"{\"id\":\"a\nb\"}\n" + c, []string{"!{\"id\":\"a", `!b"}`, c}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(test.in),
				"byte by byte": iotest.OneByteReader(strings.NewReader(test.in)),
				"with the end": iotest.DataErrReader(strings.NewReader(test.in)),
			} {
				got, _, err := split(r)
				require.NoError(t, err)
				assert.Equal(t, test.want, got, how)
			}
		})
	}
}

func TestEntries_NoticesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		empty      int
		unfinished bool
	}{
		`{"id":"a"}`:                            {0, false},
		`[{"id":"a"}]`:                          {0, false},
		`[{"id":"a"}`:                           {0, true},
		`[{"id":"a"},{"id":"b`:                  {0, true},
		`{"result":[{"id":"a"}],"succ`:          {0, true},
		`{"result":[`:                           {0, true},
		`{"id":"a`:                              {0, false},
		`{"success":false}` + `{"result":null}`: {2, false},
		`{"result":[]}`:                         {0, false},
	} {
		_, in, err := split(strings.NewReader(text))
		require.NoError(t, err)
		assert.Equal(t, want.empty, in.empty, text)
		assert.Equal(t, want.unfinished, in.unfinished, text)
	}
}

func TestEntries_AReadErrorIsNotTakenForABrokenEntry(t *testing.T) {
	t.Parallel()
	failure := errors.New("disk on fire")
	for _, text := range []string{"", `{"id":"a"}`, `{"id":"a"}` + "\n{\"id\"", "text", `[{"id":"a"}`} {
		got, _, err := split(io.MultiReader(strings.NewReader(text), iotest.ErrReader(failure)))
		assert.ErrorIs(t, err, failure, text)
		for _, entry := range got {
			assert.Equal(t, `{"id":"a"}`, entry)
		}
	}
}

func TestEntries_ACallbackEndsTheReading(t *testing.T) {
	t.Parallel()
	failure := errors.New("enough")
	calls := 0
	in := entries{each: func([]byte) error { calls++; return failure }}
	assert.ErrorIs(t, in.read(strings.NewReader(`[{"id":"a"},{"id":"b"}]{"id":"c"}`)), failure)
	assert.Equal(t, 1, calls)
}

func TestEntries_HandsOutAnEntryAsSoonAsItIsComplete(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "[", `{"success":true,"result":[`} {
		r, w := io.Pipe()
		found := make(chan string)
		in := entries{each: func(raw []byte) error { found <- string(raw); return nil }}
		done := make(chan error, 1)
		go func() { done <- in.read(r) }()
		_, err := io.WriteString(w, before+`{"id":"a"}`)
		require.NoError(t, err)
		assert.Equal(t, `{"id":"a"}`, <-found)
		require.NoError(t, w.Close())
		require.NoError(t, <-done)
	}
}

// endless repeats a text.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.n%len(e.text)]
		e.n++
	}
	return len(p), nil
}

// liveHeap is what the process has in use, without what awaits collection: how
// much that is depends on how busy the machine is.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestEntries_MemoryIsBoundedByOneEntry(t *testing.T) {
	// Not in parallel, because it measures the memory of the process.
	const longest, small, large = 1 << 20, 2, 8
	entry := string(fakecloudflare.Entry("a", time.Now(), 6))
	for name, test := range map[string]struct {
		in   io.Reader
		size int64  // in MB
		most uint64 // of the heap that is in use, in MB
	}{
		"list":         {io.MultiReader(strings.NewReader("["), &endless{text: entry + ","}), 4, small},
		"reply":        {io.MultiReader(strings.NewReader(`{"success":true,"result":[`), &endless{text: entry + ",\n"}), 4, small},
		"lines":        {&endless{text: entry + "\n"}, 2, small},
		"broken":       {&endless{text: entry[1:] + "\n"}, 2, small},
		"one line":     {&endless{text: "no JSON at all "}, 2, small},
		"only opening": {&endless{text: "["}, 1, small},
		"only closing": {&endless{text: "]"}, 2, small},
		"commas":       {&endless{text: ","}, 2, small},
		"white space":  {&endless{text: " \n"}, 2, large},
		"one string":   {io.MultiReader(strings.NewReader(`{"id":"`), &endless{text: "a"}), 2, large},
		"one object":   {io.MultiReader(strings.NewReader(`{`), &endless{text: `"a":"bbbbbbbbbbbbbbbbbbbb",`}), 2, large},
	} {
		before, peak, n := liveHeap(), uint64(0), 0
		sample := func() error {
			if n%1000 == 0 {
				peak = max(peak, liveHeap())
			}
			n++
			return nil
		}
		in := entries{
			each:    func([]byte) error { return sample() },
			broken:  func([]byte, bool) error { return sample() },
			longest: longest,
		}
		start := time.Now()
		require.NoError(t, in.read(io.LimitReader(test.in, test.size<<20)), name)
		n = 0
		require.NoError(t, sample())
		peak -= min(peak, before)
		t.Logf("%-12s %4.0f MB/s, %d MB", name, float64(test.size)/time.Since(start).Seconds(), peak>>20)
		assert.Less(t, peak>>20, test.most, name)
	}
}

func TestEntries_EveryEntryIsFoundInAnyArrangement(t *testing.T) {
	t.Parallel()
	pool := recent(30)
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []string
		space := rapid.SampledFrom([]string{"", " ", "\n", "\r\n", "\n\n  "})
		take := func() string {
			e := string(rapid.SampledFrom(pool).Draw(t, "entry"))
			if rapid.Bool().Draw(t, "laid out") {
				var b bytes.Buffer
				_ = json.Indent(&b, []byte(e), "", "  ")
				e = b.String()
			}
			want = append(want, e)
			return e
		}
		list := func() string {
			n := rapid.IntRange(0, 4).Draw(t, "length")
			items := make([]string, n)
			for i := range items {
				items[i] = space.Draw(t, "space") + take() + space.Draw(t, "space")
			}
			return "[" + strings.Join(items, ",") + "]"
		}
		for range rapid.IntRange(0, 5).Draw(t, "values") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				text.WriteString(take())
			case 1:
				text.WriteString(list())
			case 2:
				text.WriteString(`{"result":` + list() + `,"success":true}`)
			case 3:
				text.WriteString(`{"errors":[],"success":true,` + "\n" + ` "result":` + list() + "}")
			}
			text.WriteString(space.Draw(t, "space"))
			// Broken lines cost nothing but themselves.
			if rapid.IntRange(0, 3).Draw(t, "broken") == 0 {
				line := rapid.SampledFrom([]string{`{"id":`, "oops", `"`, "{]", `{"a":tru}`}).Draw(t, "line")
				text.WriteString("\n" + line + "\n")
				want = append(want, "!"+line)
			}
		}
		size := rapid.IntRange(1, 5000).Draw(t, "read size")
		got, _, err := split(iotest.OneByteReader(strings.NewReader(text.String())))
		if size > 1 {
			got, _, err = split(chunks{strings.NewReader(text.String()), size})
		}
		if err != nil || !slices.Equal(want, got) {
			t.Fatalf("err %v\nin   %q\nwant %q\ngot  %q", err, text.String(), want, got)
		}
	})
}

// chunks reads at most size bytes at once.
type chunks struct {
	io.Reader
	size int
}

func (c chunks) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), c.size)]) }

func FuzzEntries(f *testing.F) {
	for _, seed := range []string{
		`{"id":"a"}`, `[{"id":"a"},{"id":`, `{"result":[{"id":"a"}],"success":tru`, "[[[[", "]]]]", "\n\n ,", `{"a":"` + "\n",
		byteOrderMark + "[1,2", "{}{}[]null", `{"result":[],"result":[1]}`, "\xff\xfe", `[{"x":1}` + "\n  ,]\n{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := split(strings.NewReader(text))
		require.NoError(t, err)
		slow, _, err := split(iotest.OneByteReader(strings.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, got, slow, "it depends on how the text arrives")
		// What is handed out is in the text, in order, and none of it twice.
		rest := text
		for _, entry := range got {
			_, after, found := strings.Cut(rest, strings.TrimPrefix(entry, "!"))
			require.True(t, found, "%q", entry)
			rest = after
		}
	})
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
	} {
		got := call{args: []string{"normalize", "--drop-routine=false"}, stdin: text}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Equal(t, want, ids(t, got.out), name)
		assert.Regexp(t, `^read 20 entries: 20 events \(.*\), 0 dropped, 0 repeated\n$`, got.err, name)
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
	text := "{\"id\":\nnot JSON\n" + entry + "\n" + strings.Repeat("x", 2*maxKept) + "\n[null]\n"
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
			assert.Equal(t, len(s) == maxKept, event.Truncated)
		}
	}
	assert.Equal(t, []string{`{"id":`, "not JSON", strings.Repeat("x", maxKept)}, raw)
}

func TestNormalize_DropsAndGradesByTheRules(t *testing.T) {
	t.Parallel()
	entry := string(fakecloudflare.Entry("a", time.Now(), 0))
	run := func(args ...string) result {
		return call{args: append([]string{"normalize"}, args...), stdin: entry}.run(t.Context())
	}
	rules := write(t, `[{"id":"mine","match":{"action":"dns.record.create"},"drop":true}]`)
	got := run("--rules", rules)
	assert.Empty(t, got.out)
	assert.Equal(t, "read 1 entry: 0 events, 1 dropped (1 mine), 0 repeated\n", got.err)
	assert.Contains(t, run("--rules", rules, "--drop-routine=false").out, `"severity":"info"`)

	entry = strings.Replace(entry, `"type":"create"`, `"type":"delete"`, 1)
	inProduction, outside := run("--production-zone", "example.com").out, run("--production-zone", "example.net").out
	assert.NotEqual(t, inProduction, outside)
	assert.Contains(t, run("--account-id", testID).out, `"account_id":"`+testID+`"`)
}

func TestNormalize_MissingEntriesAreAFailure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"success":false,"errors":[{"code":10000}],"result":null}`: "1 reply without a list of entries",
		`[{"id":"a"}`: "ends in the middle of a list",
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
