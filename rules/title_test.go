package rules

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestTemplate_FillsInPlaceholdersAndBrackets(t *testing.T) {
	t.Parallel()
	full := &Facts{
		Action: "a", Actor: "b", Decision: "c", RecordType: "MX", RoleName: "e", Scope: "f", Setting: "g", Target: "h", Script: "i", ZoneName: "j",
		Changes: []ingest.FieldChange{{Field: "x", Old: "k", New: "l"}, {Field: "y", Old: "m", New: "n"}},
	}
	book := &Book{words: func(action string) string { return "thing of " + action + " made" }}
	for _, tt := range []struct {
		title  string
		facts  *Facts
		detail bool
		want   string
	}{
		{"{action} {actor} {decision} {record_type} {role} {scope} {setting} {target} {worker} {zone} {old} {new}", full, false, "a b c MX e f g h i j k l"},
		{"{old} {record_type}", &Facts{}, true, "unknown unknown"},
		{"{record_type}[ {record_type}]", &Facts{RecordType: "unknown"}, true, "unknown"},
		{"a[: {target}]", full, true, "a: h"},
		{"a[: {target}]", full, false, "a"},
		{"a[: {target}]", &Facts{}, true, "a"},
		{"a[: {target} of {zone}]", &Facts{Target: "h"}, true, "a"},
		{"a[: {zone} of {target} x] b", &Facts{Target: "h"}, true, "a b"},
		{"a[ {target}][ for {zone}]", &Facts{ZoneName: "j"}, true, "a for j"},
		{"a[ {target}]b[ for {zone}]c", &Facts{Target: "h"}, true, "a hbc"},
		{"{words}: {words}", full, true, "Thing of a made: thing of a made"},
		{"[{words} ]a", full, true, "Thing of a made a"},
		{"{words}", &Facts{}, true, "unknown"},
		{"a[ b]", full, true, "a b"},
		{"a[ b]", full, false, "a"},
	} {
		got := MustTemplate(tt.title).render(tt.facts, tt.facts.Target, book, tt.detail, false)
		assert.Equal(t, tt.want, got, tt.title)
		assert.Equal(t, tt.want+" (failed)", MustTemplate(tt.title).render(tt.facts, tt.facts.Target, book, tt.detail, true))
	}
}

func TestTemplate_TitlesAreOneBoundedLine(t *testing.T) {
	t.Parallel()
	c := newClassifier(t, Config{})
	titled := func(target string) string {
		return c.Grade(did("zone.delete", func(f *Facts) { f.Target = target })).Title
	}
	for target, want := range map[string]string{
		"a\nb\r\nc":               "Zone deleted: a b  c",
		"\u001b[31mred\x00\u007f": "Zone deleted: [31mred",
		"\u202egnp.exe":           "Zone deleted: gnp.exe",
		"a\xffb":                  "Zone deleted: a\uFFFDb",
		"":                        "Zone deleted",
		"\x01":                    "Zone deleted",
		strings.Repeat("x", 100):  "Zone deleted: " + strings.Repeat("x", 100),
		"head" + strings.Repeat("x", 200) + "tail": "Zone deleted: head" + strings.Repeat("x", 60) + "…" + strings.Repeat("x", 29) + "tail",
	} {
		assert.Equal(t, want, titled(target))
	}
	for _, long := range []string{strings.Repeat("€", 5000), strings.Repeat("\xff", 5000), strings.Repeat("a\n", 5000), strings.Repeat("a", 64) + strings.Repeat("€", 100)} {
		got := titled(long)
		assert.LessOrEqual(t, len(got), maxTitle+len("…"))
		assert.True(t, utf8.ValidString(got), "%q", got)
		assert.NotContains(t, got, "\n")
		assert.Contains(t, got, "…")
	}
	// A title as a whole loses its end, between characters, and says that it failed
	// all the same.
	wide := MustTemplate("{target} {target} {target}")
	for _, s := range []string{strings.Repeat("y", 100), strings.Repeat("€", 33), "a" + strings.Repeat("€", 33), "ab" + strings.Repeat("€", 32)} {
		got := wide.render(&Facts{}, s, new(Book), true, true)
		assert.True(t, utf8.ValidString(got), "%q", got)
		assert.True(t, strings.HasSuffix(got, "… (failed)"), "%q", got)
		assert.LessOrEqual(t, len(got), maxTitle+len("…")+len(" (failed)"))
		assert.Greater(t, len(got), maxTitle-3)
	}
}

func TestParseTemplate_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		"{who}":                         "there is no placeholder {who}",
		"{zon}":                         `did you mean "zone"?`,
		"a {target":                     "has a { without a }",
		"a [b":                          "has a [ without a ]",
		"a [b [c]]":                     "has an unmatched [",
		"a ] b":                         "has an unmatched ]",
		"a } b":                         "has an unmatched }",
		"[a]":                           "must have text outside of its square brackets",
		" [{target}]":                   "must have text outside of its square brackets",
		"a\nb":                          "must be one line of at most 200 bytes",
		"a\xffb":                        "must be one line of at most 200 bytes",
		strings.Repeat("x", maxTitle+1): "must be one line of at most 200 bytes",
	} {
		_, err := ParseTemplate(title)
		assert.ErrorContains(t, err, want, title)
		assert.Panics(t, func() { MustTemplate(title) }, title)
	}
	none, err := ParseTemplate("")
	require.NoError(t, err)
	assert.True(t, none.isZero())
	assert.True(t, Template{}.isZero())
	_, err = ParseTemplate(strings.Repeat("x", maxTitle))
	assert.NoError(t, err)
}
