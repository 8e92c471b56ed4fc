package jsondoc

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

var oracleOptions = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// seeds are texts of every form, sound and not.
var seeds = []string{
	`{}`, `[]`, ` { } `, `[ ]`, `null`, `true`, `false`, `0`, `-0`, `1.5e+3`, `"a"`, `"\u00e9\n"`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\xff\"",
	`{"a":1,"a":2}`, `{"a":{"b":[1,2,{"c":null}]},"d":"x"}`, `{"\u0061":1}`, `[[[]]]`, `[{},{"a":[]}]`, "\t[1 ,\r\n2]\n",
	``, ` `, `{`, `[`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a" 1}`, `{a:1}`, `{1:1}`, `"a`, `"a\`, `"\x"`, `"\u12"`, `"\u12g4"`,
	"\"\n\"", `01`, `-`, `1.`, `1e`, `.5`, `+1`, `tru`, `nul`, `truex`, `1x`, `{}{}`, `[1]2`, `]`, `}`, `[}`, `{]`, `,`, `"\u0000"`, `{"":0}`, `{"a":"\\\""}`,
	`"\uD800\uDC00"`, `"\uDC00\uD800"`, "\xef\xbb\xbf{}", `{"k":"a_b-c:d=e%F{ [G "}`, `"\u002F"`, `"\u/000"`, `"\u00!0"`,
}

func TestParse_JudgesAsJsontextDoes(t *testing.T) {
	t.Parallel()
	for _, src := range seeds {
		sameAsOracle(t, src)
	}
	for _, depth := range []int{9_999, 10_000, 10_001} {
		sameAsOracle(t, strings.Repeat("[", depth)+strings.Repeat("]", depth))
		sameAsOracle(t, strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth))
	}
}

// The classes of a string are those of its bytes, one at a time and four at a
// time, whichever of them comes first.
func TestClass_OfEachByteAtEachPlace(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for before := range 9 {
			inner := strings.Repeat("a", before) + string([]byte{byte(c)}) + strings.Repeat("a", 8-before)
			sameAsOracle(t, `"`+inner+`"`)
			sameAsOracle(t, `{"`+inner+`":[]}`)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range seeds {
		f.Add(src)
	}
	f.Fuzz(sameAsOracle)
}

// sameAsOracle compares the verdict on src, and of a sound one every span, name
// and text, with what jsontext says.
func sameAsOracle(t *testing.T, src string) {
	var d Doc
	err := d.Parse(src)
	oracle := jsontext.Value(src).IsValid(oracleOptions...)
	require.Equal(t, oracle, err == nil, "%q: %v", src, err)
	checkTable(t, &d)
	if err != nil {
		var syntax *SyntaxError
		require.True(t, errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
		return
	}
	dec := jsontext.NewDecoder(bytes.NewBufferString(src), oracleOptions...)
	compare(t, dec, src, d.Root())
	require.Equal(t, src[len(src)-len(strings.TrimLeft(src, " \t\r\n")):][:d.Root().Len()], string(d.Root().AppendJSON(nil)))
}

// compare walks v beside the tokens of dec.
func compare(t *testing.T, dec *jsontext.Decoder, src string, v Value) {
	kind := dec.PeekKind()
	require.Equal(t, byte(kind), byte(v.Kind()))
	if kind != '{' && kind != '[' {
		want, err := dec.ReadValue()
		require.NoError(t, err)
		require.Equal(t, string(want), v.Source())
		require.Equal(t, int(dec.InputOffset()), int(v.node().end))
		require.Equal(t, oracleText(want), v.Text())
		if kind == '"' {
			require.Equal(t, oracleClass(v.Source()[1:v.Len()-1]), v.Class())
		}
		return
	}
	_, err := dec.ReadToken()
	require.NoError(t, err)
	require.Equal(t, int(dec.InputOffset())-1, int(v.node().start))
	var class Class
	for m := range v.All() {
		if kind == '{' {
			name, err := dec.ReadValue()
			require.NoError(t, err)
			require.Equal(t, oracleText(name), m.Name())
			require.Equal(t, oracleClass(string(name[1:len(name)-1])), m.NameClass())
		}
		compare(t, dec, src, m)
		class |= m.Class() | m.NameClass()
	}
	require.Equal(t, class, v.Class())
	_, err = dec.ReadToken()
	require.NoError(t, err, "there is more than the table has")
	require.Equal(t, int(dec.InputOffset()), int(v.node().end))
}

func oracleText(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return string(v[1 : len(v)-1])
		}
		b, _ := jsontext.AppendUnquote(nil, v)
		return strings.ReplaceAll(string(b), "\x00", "")
	case 'n':
		return ""
	}
	return string(v)
}

func oracleClass(inner string) (c Class) {
	for i := 0; i < len(inner); i++ {
		switch b := inner[i]; {
		case b == '\\':
			c |= Escape
			if i++; inner[i] == 'u' {
				c |= UnicodeEscape
				i += 4
			}
		case b >= 0x80:
			c |= Wide
		case b == '_' || b == '-':
			c |= Link
		case b == ':' || b == '=' || b == '%':
			c |= Mark
		case 'A' <= b && b <= 'Z':
			c |= Upper
		case b == '{' || b == '[':
			c |= Brace
		case b == ' ':
			c |= Space
		}
	}
	return c
}

// checkTable looks at what holds for every table, that of a broken text too:
// values stand within the ones around them, in order.
func checkTable(t *testing.T, d *Doc) {
	for i := range d.nodes {
		n := &d.nodes[i]
		require.NotZero(t, n.size)
		require.LessOrEqual(t, i+int(n.size), len(d.nodes))
		require.LessOrEqual(t, n.start, n.end)
		require.LessOrEqual(t, int(n.end), len(d.src))
		_ = Value{d, int32(i)}.Text()
		_ = Value{d, int32(i)}.Name()
	}
}

func TestView_KnowsHowDeepItNests(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	const deepest = 9 * shallow
	v := parsed(t, `["x",{},`+nested(shallow)+`,{"a":`+nested(deepest-1)+`,"b":[1]},`+nested(2*shallow)+`]`)
	var got []int
	for m := range v.All() {
		var part Doc
		m.View(&part)
		got = append(got, part.Depth())
	}
	require.Equal(t, []int{0, 1, shallow, deepest, 2 * shallow}, got)
}

func TestReplace_InAnyOrder(t *testing.T) {
	t.Parallel()
	const count = 1000
	var d Doc
	require.NoError(t, d.Parse(`[`+strings.Repeat(`{"a":[1,"x"]},`, count)+`null]`))
	var values []Value
	for v := range d.Root().All() {
		values = append(values, v.Get("a"))
	}
	for i := range count {
		d.Replace(values[i*7%count], "first")                 // 7 does not divide count
		d.Replace(values[i*7%count], strconv.Itoa(i*7%count)) // the last one counts
	}
	require.Equal(t, count, d.Replaced())
	want := "["
	for i := range count {
		want += `{"a":"` + strconv.Itoa(i) + `"},`
		require.Equal(t, strconv.Itoa(i), values[i].Text())
	}
	require.Equal(t, want+"null]", string(d.Root().AppendJSON(nil)))
}
