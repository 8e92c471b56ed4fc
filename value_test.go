package cloudflareaudit

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// value.each only looks for the end of each value; it must read what a JSON
// reader does.
func FuzzValue_EachReadsWhatAReaderReads(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, ` {"a" : "b\\\"c\\\\" , "d":[1,{"e":"}]"}],"f":null,"a":true}`, `{"":{"":{}},"x":-1.5e3}`, "{\n\t\"a\"\r:\n1\n}", `[1]`,
		`[]`, `[ "a" , {"b":[]},[[]] ,null]`, `{"a":"`, `{"a"`, `{"a":}`, `{"`, `{`, `["`, `[1,`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []member
		each := func(key string, val value) bool {
			got = append(got, member{key, val})
			return true
		}
		v := value(strings.TrimSpace(s))
		if !jsontext.Value(v).IsValid(readOptions...) {
			v.each(each) // it must come to an end all the same
			return
		}
		v.each(each)
		var want []member
		if k := v.kind(); k == '{' || k == '[' {
			dec := jsontext.NewDecoder(strings.NewReader(string(v)), readOptions...)
			_, err := dec.ReadToken()
			require.NoError(t, err)
			for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
				key := ""
				if k == '{' {
					name, err := dec.ReadValue()
					require.NoError(t, err)
					key = unquote(string(name))
				}
				val, err := dec.ReadValue()
				require.NoError(t, err)
				want = append(want, member{key, value(val)})
			}
		}
		assert.Equal(t, want, got)
	})
}
