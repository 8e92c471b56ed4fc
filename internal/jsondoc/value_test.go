package jsondoc

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parsed(t testing.TB, src string) Value {
	t.Helper()
	var d Doc
	require.NoError(t, d.Parse(src), "%s", src)
	return d.Root()
}

func TestGet_OfARepeatedNameTheLastValueCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src  string
		path []string
		want string // the source of the value, or "" for the missing one
	}{
		{`{"a":1,"a":2}`, []string{"a"}, `2`},
		{`{"a":1,"b":3,"a":2,"b":4}`, []string{"b"}, `4`},
		{`{"a":{"b":1},"a":{"b":2}}`, []string{"a", "b"}, `2`},
		{`{"a":{"b":1},"a":{"c":2}}`, []string{"a", "b"}, ``},
		{`{"a":{"b":1},"a":null}`, []string{"a"}, `null`},
		{`{"a":1,"\u0061":2}`, []string{"a"}, `2`},
		{`{"A":1,"a":2,"A":3}`, []string{"a"}, `2`},
		{`{"":1,"":2}`, []string{""}, `2`},
		{`{"a":1}`, nil, `{"a":1}`},
		{`{"a":1}`, []string{"b"}, ``},
		{`["a"]`, []string{"a"}, ``},
		{`"a"`, []string{"a"}, ``},
		{`null`, []string{"a"}, ``},
	} {
		v := parsed(t, tt.src).Get(tt.path...)
		assert.Equal(t, tt.want, v.Source(), "%s %v", tt.src, tt.path)
		assert.Equal(t, tt.want != "", v.Exists(), "%s %v", tt.src, tt.path)
	}
}

func TestText_OfEachKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src, want string
		kind      Kind
	}{
		{`"a"`, "a", String},
		{`""`, "", String},
		{`"a\nb\"\\\/"`, "a\nb\"\\/", String},
		{`"\u00e9\ud83d\ude00"`, "é😀", String},
		{`1`, "1", Number},
		{`-1.50e3`, "-1.50e3", Number},
		{`true`, "true", True},
		{`false`, "false", False},
		{`null`, "", Null},
		{`{"a":"b"}`, "", Object},
		{`["a"]`, "", Array},
	} {
		v := parsed(t, tt.src)
		assert.Equal(t, tt.kind, v.Kind(), tt.src)
		assert.Equal(t, tt.want, v.Text(), tt.src)
	}
	assert.Equal(t, Missing, Value{}.Kind())
	assert.Empty(t, Value{}.Text())
}

func TestText_HasNoNULCharacters(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`"\u0000"`:              "",
		`"a\u0000b"`:            "ab",
		`"\u0000a\u0000\u0000"`: "a",
		`"\\u0000"`:             `\u0000`,
		`"a\u0001"`:             "a\x01",
	} {
		assert.Equal(t, want, parsed(t, src).Text(), src)
		named := parsed(t, `{`+src+`:1}`).First()
		assert.Equal(t, want, named.Name(), src)
	}
}

func TestAll_ReturnsMembersAndElementsInTheirOrder(t *testing.T) {
	t.Parallel()
	for src, want := range map[string][]string{
		`{"b":1,"a":2,"b":3}`:                   {"b=1", "a=2", "b=3"},
		`{"a":{"x":[1,{"y":2}]},"b":[],"":"z"}`: {`a={"x":[1,{"y":2}]}`, "b=[]", `="z"`},
		` [ "a" , {"b":[]},[[]] ,null] `:        {`="a"`, `={"b":[]}`, "=[[]]", "=null"},
		`{}`:                                    nil,
		`[]`:                                    nil,
		`"a"`:                                   nil,
		`null`:                                  nil,
		`1`:                                     nil,
	} {
		var got []string
		for m := range parsed(t, src).All() {
			got = append(got, m.Name()+"="+m.Source())
		}
		assert.Equal(t, want, got, src)
		first := parsed(t, src).First()
		if len(want) == 0 {
			assert.False(t, first.Exists(), src)
			continue
		}
		assert.Equal(t, want[0], first.Name()+"="+first.Source(), src)
	}
	for range (Value{}).All() {
		assert.Fail(t, "the missing value has no members")
	}
	// The caller may stop early.
	n := 0
	for range parsed(t, `[1,2,3]`).All() {
		if n++; n == 2 {
			break
		}
	}
	assert.Equal(t, 2, n)
}

// The members of an object or array are what a JSON reader finds, one after
// another; of a text that is no JSON they come to an end all the same.
func FuzzAll_FindsWhatAReaderReads(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, ` {"a" : "b\\\"c\\\\" , "d":[1,{"e":"}]"}],"f":null,"a":true}`, `{"":{"":{}},"x":-1.5e3}`, "{\n\t\"a\"\r:\n1\n}", `[1]`,
		`[]`, `[ "a" , {"b":[]},[[]] ,null]`, `{"a":"`, `{"a"`, `{"a":}`, `{"`, `{`, `["`, `[1,`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		type member struct{ name, source string }
		var d Doc
		err := d.Parse(src)
		var got []member
		for m := range d.Root().All() {
			got = append(got, member{m.Name(), m.Source()})
		}
		if err != nil {
			return
		}
		var want []member
		if k := d.Root().Kind(); k == Object || k == Array {
			dec := jsontext.NewDecoder(strings.NewReader(src), oracleOptions...)
			_, err := dec.ReadToken()
			require.NoError(t, err)
			for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
				name := ""
				if k == Object {
					v, err := dec.ReadValue()
					require.NoError(t, err)
					name = oracleText(slices.Clone(v))
				}
				v, err := dec.ReadValue()
				require.NoError(t, err)
				want = append(want, member{name, string(v)})
			}
		}
		assert.Equal(t, want, got)
	})
}

func TestValue_SoleIsTheOnlyOneThereIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":{"b":[1,2]}}`: `{"b":[1,2]}`, `[[1]]`: "[1]", `{"a":1,"b":2}`: "", `{"a":{},"b":2}`: "", `[]`: "", `{}`: "", `"a"`: "", "1": "",
	} {
		var doc Doc
		require.NoError(t, doc.Parse(text))
		assert.Equal(t, want, doc.Root().Sole().Source(), text)
	}
	assert.False(t, Value{}.Sole().Exists())
}
