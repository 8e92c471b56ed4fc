package entries

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// recent is n entries of the last hour.
func recent(n int) []json.RawMessage {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return fakecloudflare.Generate(1, n, now.Add(-time.Hour), now)
}

// split reads text and returns the entries as they are and, behind "!", the
// texts that could not be read.
func split(r io.Reader) (found []string, in *Reader, err error) {
	in = &Reader{
		Each: func(doc *jsondoc.Doc) error { found = append(found, strings.Clone(doc.Root().Source())); return nil },
		Broken: func(beginning []byte, cut bool) error {
			if cut {
				beginning = append(bytes.Clone(beginning), "…"...)
			}
			found = append(found, "!"+string(beginning))
			return nil
		},
	}
	err = in.Read(r)
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
		"odd elements":         {`[null,-12.5e3,"x",` + a + `]`, []string{"null", "-12.5e3", `"x"`, a}},
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
		`{"x":1,"result":[{"id":"a"}]}`:         {0, false},
	} {
		_, in, err := split(strings.NewReader(text))
		require.NoError(t, err)
		assert.Equal(t, want.empty, in.Empty, text)
		assert.Equal(t, want.unfinished, in.Unfinished, text)
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
	in := Reader{Each: func(*jsondoc.Doc) error { calls++; return failure }}
	assert.ErrorIs(t, in.Read(strings.NewReader(`[{"id":"a"},{"id":"b"}]{"id":"c"}`)), failure)
	assert.Equal(t, 1, calls)
}

func TestEntries_HandsOutAnEntryAsSoonAsItIsComplete(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "[", `{"success":true,"result":[`} {
		r, w := io.Pipe()
		found := make(chan string)
		in := Reader{Each: func(doc *jsondoc.Doc) error { found <- strings.Clone(doc.Root().Source()); return nil }}
		done := make(chan error, 1)
		go func() { done <- in.Read(r) }()
		_, err := io.WriteString(w, before+`{"id":"a"}`)
		require.NoError(t, err)
		assert.Equal(t, `{"id":"a"}`, <-found)
		require.NoError(t, w.Close())
		require.NoError(t, <-done)
	}
}

// A reader of a live pipe does not wait for more than the rest of an entry, in
// however many writes it comes.
func TestEntries_HandsOutAnEntryThatComesInPieces(t *testing.T) {
	t.Parallel()
	entry := `{"id":"` + strings.Repeat("a", 2000) + `"}`
	for _, behind := range []string{"", "\n", "\n" + entry[:50]} {
		r, w := io.Pipe()
		found := make(chan string, 1)
		in := Reader{Each: func(doc *jsondoc.Doc) error { found <- strings.Clone(doc.Root().Source()); return nil }, Broken: func([]byte, bool) error { return nil }}
		done := make(chan error, 1)
		go func() { done <- in.Read(r) }()
		for _, piece := range []string{entry[:1900], entry[1900:1950], entry[1950:] + behind} {
			_, err := io.WriteString(w, piece)
			require.NoError(t, err)
		}
		assert.Equal(t, entry, <-found)
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
		in := Reader{
			Each:    func(*jsondoc.Doc) error { return sample() },
			Broken:  func([]byte, bool) error { return sample() },
			Longest: longest,
		}
		start := time.Now()
		require.NoError(t, in.Read(io.LimitReader(test.in, test.size<<20)), name)
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
		`{"event":{"id":"a","action":{"type":"x"}}}`, `{"message":"{\"id\":\"a\",\"action\":{\"type\":\"x\"}}"}`, `{"external_id":"a","raw_event":"x"}`,
		`{"data":{"result":[{"id":"a","action":{"type":"x"}},1`, `{"hits":{"hits":[{"_source":{"ID":"a","ActionType":"x"}},7]}}`,
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
		// What is handed out is in the text, in order, and none of it twice. In a
		// wrapper, originals go first, and texts are written with escapes.
		if strings.ContainsAny(text, `\`) || slices.ContainsFunc(originals, func(name string) bool { return strings.Contains(text, name) }) || strings.Contains(text, "raw_event") {
			return
		}
		rest := text
		for _, entry := range got {
			_, after, found := strings.Cut(rest, strings.TrimPrefix(entry, "!"))
			require.True(t, found, "%q", entry)
			rest = after
		}
	})
}

// parts is a reader that returns at most one of its parts in a read.
type parts []string

func (p *parts) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

func TestEntries_NameStandsInFrontOfAMove(t *testing.T) {
	t.Parallel()
	entry := `{"id":"` + strings.Repeat("a", 1000) + `"}`
	last := `{"id":"` + strings.Repeat("z", 100_000) + `"}`
	// The buffer has room by the third part and is moved to read it, right behind
	// the name.
	found, in, err := split(&parts{
		strings.Repeat(entry+"\n", 300),
		strings.Repeat(entry+"\n", 10) + `{"result"`,
		`:[{"id":"x"},` + last + `]}` + "\n",
	})
	require.NoError(t, err)
	assert.Zero(t, in.Empty)
	require.Len(t, found, 312)
	assert.Equal(t, []string{`{"id":"x"}`, last}, found[310:])
}

func TestEntries_ListsNestAsDeepAsTheyLike(t *testing.T) {
	t.Parallel()
	// Ten million frames would be more than a stack can have.
	const deep = 10_000_000
	_, in, err := split(strings.NewReader(strings.Repeat("[", deep)))
	require.NoError(t, err)
	assert.True(t, in.Unfinished)

	found, _, err := split(strings.NewReader(strings.Repeat("[", 3*maxDepth) + `{"id":"x"}` + strings.Repeat("]", 3*maxDepth) + "\n" + `{"id":"y"}`))
	require.NoError(t, err)
	assert.Equal(t, []string{`{"id":"x"}`, `{"id":"y"}`}, found)
}

func TestEntries_SpaceInSmallParts(t *testing.T) {
	t.Parallel()
	cost := func(n int) time.Duration {
		start := time.Now()
		found, _, err := split(iotest.OneByteReader(strings.NewReader("{" + strings.Repeat(" ", n) + `"id":"x"}`)))
		require.NoError(t, err)
		require.Len(t, found, 1)
		return time.Since(start)
	}
	// Looking at the space again at every byte would take a minute.
	assert.Less(t, cost(500_000), 5*time.Second)
}
