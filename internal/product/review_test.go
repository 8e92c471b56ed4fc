package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// objectTexts are objects that differ in the value, the number, the order or the
// spelling of their members, and texts that are no objects.
var objectTexts = []string{
	`{}`, `{"a":1}`, `{"a":12}`, `{"a":1,"b":{"c":[]}}`, `{"a":1 ,"b":{"c":[]} }`, `{"b":{"c":[]},"a":1}`, `{"a":"x","b":"y\"}"}`,
	`{"a":"x","b":"y"}`, `{"a":"x","a":"x"}`, `{"\u0061":1}`, `[1]`, `null`,
}

func TestObject_ReadsTheSameIntoUsedMemory(t *testing.T) {
	t.Parallel()
	plain := func(o object) (list [][2]string) {
		for _, m := range o {
			list = append(list, [2]string{m.key, m.val.Source()})
		}
		return list
	}
	for _, src := range objectTexts {
		for _, used := range objectTexts {
			fresh := object(nil).read(parsed(t, src))
			memory := object(nil).read(parsed(t, used))
			assert.Equal(t, plain(fresh), plain(memory.read(parsed(t, src))), "%s into %s", src, used)
		}
	}
}

func TestObject_OfARepeatedKeyTheLastValueThatIsNotNullCounts(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`{"a":1,"a":2}`:          "2",
		`{"a":1,"a":null}`:       "1",
		`{"a":null}`:             "",
		`{"\u0061":1,"a":"x"}`:   "x",
		`{"b":1,"a":2,"b":"y"}`:  "2",
		`{"b":"y"}`:              "y",
		`{"a":"","b":"y"}`:       "y",
		`{"a":{"b":1},"b":true}`: "true",
		`["a"]`:                  "",
	} {
		assert.Equal(t, want, object(nil).read(parsed(t, src)).text("a", "b"), src)
	}
	o := object(nil).read(parsed(t, `{"a":null,"b":1}`))
	assert.True(t, o.has("a"))
	assert.False(t, o.has("c"))
	assert.False(t, o.get("a", "c").Exists())
	assert.Equal(t, "1", o.get("a", "b").Text())
}

func TestObject_IsBounded(t *testing.T) {
	t.Parallel()
	o := object(nil).read(parsed(t, "{"+strings.TrimSuffix(strings.Repeat(`"a":1,`, maxMembers+10), ",")+"}"))
	assert.Len(t, o, maxMembers)
}

// The members of most objects stand in the same order before and after. The
// changes must be the same where they do not.
func TestCompare_IgnoresTheOrderOfMembers(t *testing.T) {
	t.Parallel()
	changes := func(was, is string) []ingest.FieldChange {
		list := understood(t, logged("spectrum.app", "update", values(was, is))).Changes
		slices.SortFunc(list, func(a, b ingest.FieldChange) int { return strings.Compare(a.Field, b.Field) })
		return list
	}
	const was = `{"a":1,"b":{"c":"x","d":2},"e":[1],"f":null}`
	for _, is := range [][]string{
		{`"a":1`, `"b":{"c":"x","d":2}`, `"e":[1]`, `"f":null`},
		{`"a":2`, `"b":{"d":2,"c":"y"}`, `"e":[1]`},
		{`"b":{"c":"x"}`, `"g":1`, `"f":7`, `"a":1`},
		{`"e":[2]`},
	} {
		want := changes(was, "{"+strings.Join(is, ",")+"}")
		backwards := slices.Clone(is)
		slices.Reverse(backwards)
		assert.Equal(t, want, changes(was, "{"+strings.Join(backwards, ",")+"}"), "%s", is)
		for i := range is {
			turned := slices.Concat(is[i:], is[:i])
			assert.Equal(t, want, changes(was, "{"+strings.Join(turned, ",")+"}"), "%s", turned)
		}
	}
}
