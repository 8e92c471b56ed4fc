package cloudflareaudit

import (
	"slices"
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
			got = append(got, member{key: key, val: val})
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
				want = append(want, member{key: key, val: value(val)})
			}
		}
		assert.Equal(t, want, got)
	})
}

func TestObject_ReadIsTheSameWithAnotherToCompareWith(t *testing.T) {
	t.Parallel()
	texts := []string{
		`{}`, `{"a":1}`, `{"a":12}`, `{"a":1,"b":{"c":[]}}`, `{"a":1 ,"b":{"c":[]} }`, `{"b":{"c":[]},"a":1}`, `{"a":"x","b":"y\"}"}`,
		`{"a":"x","b":"y"}`, `{"a":"x","a":"x"}`, `{"\u0061":1}`, `[1]`, `null`, ``,
	}
	plain := func(o object) (list [][2]string) {
		for _, m := range o {
			list = append(list, [2]string{m.key, string(m.val)})
		}
		return list
	}
	for _, text := range texts {
		for _, other := range texts {
			alone := object(nil).read(value(text), nil)
			assert.Equal(t, plain(alone), plain(object(nil).read(value(text), object(nil).read(value(other), nil))), "%s like %s", text, other)
		}
	}
}

// Whatever two lists have in common may be left out, but the same of both.
func TestAppendDiffering_LeavesOutTheSameOfBoth(t *testing.T) {
	t.Parallel()
	lists := [][]string{nil}
	for _, a := range []string{"1", "2", "3"} {
		lists = append(lists, []string{a})
		for _, b := range []string{"1", "2", "3"} {
			lists = append(lists, []string{a, b})
			for _, c := range []string{"1", "2", "3"} {
				lists = append(lists, []string{a, b, c}, []string{a, b, c, "1"})
			}
		}
	}
	array := func(list []string) (text string, count map[value]int) {
		count = make(map[value]int)
		for i, id := range list {
			list[i] = `{"id":"` + strings.Trim(id, `{"id:}`) + `"}`
			count[value(list[i])]++
		}
		return "[" + strings.Join(list, ",") + "]", count
	}
	for _, old := range lists {
		for _, now := range lists {
			before, left := array(slices.Clone(old))
			after, right := array(slices.Clone(now))
			was, is := appendDiffering(nil, nil, before, after)
			for _, v := range was {
				left[v]--
			}
			for _, v := range is {
				right[v]--
			}
			for _, id := range []value{`{"id":"1"}`, `{"id":"2"}`, `{"id":"3"}`} {
				assert.Equal(t, left[id], right[id], "%s and %s differ in %v and %v", before, after, was, is)
				assert.GreaterOrEqual(t, left[id], 0)
			}
			if before == after {
				assert.Empty(t, was)
			}
		}
	}
	// The rules that stay as they are cost nothing.
	was, is := appendDiffering(nil, nil, `[{"id":1},{"id":2},{"id":3}]`, `[{"id":1},{"id":3}]`)
	assert.Equal(t, []value{`{"id":2}`}, was)
	assert.Empty(t, is)
	was, is = appendDiffering(nil, nil, `[{"id":1},{"id":3}]`, `[ {"id":1}, {"id":2,"x":0},{"id":3}]`)
	assert.Empty(t, was)
	assert.Equal(t, []value{`{"id":2,"x":0}`}, is)
}
