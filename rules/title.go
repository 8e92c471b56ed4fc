package rules

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// maxTitle bounds a title, and maxTitlePart the value of a placeholder, in
// bytes.
const (
	maxTitle     = 200
	maxTitlePart = 100
)

// defaultTitle is the title of a rule that has none.
const defaultTitle = "{words}[: {target}]"

// Template is a title with placeholders. A placeholder such as {target} is
// replaced by the value of the entry, or by "unknown" where it has none. They
// are action, actor, decision, new, old, record_type, role, scope, setting,
// target, words, worker and zone; {words} is the action in words, such as "Queue
// consumer changed" for queue.consumer.update, and {old} and {new} are the values
// of the first field that changed.
//
// A part in square brackets is the detail that tells one incident from another.
// It is left out when one of its placeholders has no value, and from events
// graded low or info, so that routine work does not raise an alert for every
// single change.
//
// The zero Template is no title.
type Template struct{ parts []part }

// part is literal text or a placeholder. Parts of the same bracket have the same
// number; the others have 0.
type part struct {
	literal string
	placeholder
	bracket int
}

// placeholder is a name that a title may have in braces. The target is passed
// separately, because the name that both logs share may differ from the target of
// an entry.
type placeholder struct {
	name  string
	value func(f *Facts, target string) string
	// inWords says that the value is an action to be put into words.
	inWords bool
}

var placeholders = []placeholder{
	{name: "action", value: func(f *Facts, _ string) string { return f.Action }},
	{name: "actor", value: func(f *Facts, _ string) string { return f.Actor }},
	{name: "decision", value: func(f *Facts, _ string) string { return f.Decision }},
	{name: "new", value: func(f *Facts, _ string) string {
		if len(f.Changes) == 0 {
			return ""
		}
		return f.Changes[0].New
	}},
	{name: "old", value: func(f *Facts, _ string) string {
		if len(f.Changes) == 0 {
			return ""
		}
		return f.Changes[0].Old
	}},
	{name: "record_type", value: func(f *Facts, _ string) string {
		if f.RecordType == "unknown" {
			return ""
		}
		return f.RecordType
	}},
	{name: "role", value: func(f *Facts, _ string) string { return f.RoleName }},
	{name: "scope", value: func(f *Facts, _ string) string { return f.Scope }},
	{name: "setting", value: func(f *Facts, _ string) string { return f.Setting }},
	{name: "target", value: func(_ *Facts, target string) string { return target }},
	{name: "words", value: func(f *Facts, _ string) string { return f.Action }, inWords: true},
	{name: "worker", value: func(f *Facts, _ string) string { return f.Script }},
	{name: "zone", value: func(f *Facts, _ string) string { return f.ZoneName }},
}

// ParseTemplate reads a title, which must be one line of at most 200 bytes.
func ParseTemplate(title string) (Template, error) {
	t, fault := parseTemplate(title)
	if fault != "" {
		return Template{}, errors.New("title " + strconv.Quote(text.Shorten(title, maxTitle)) + ": " + fault)
	}
	return t, nil
}

// MustTemplate is [ParseTemplate] for titles in source code. It panics when the
// title is faulty.
func MustTemplate(title string) Template {
	t, err := ParseTemplate(title)
	if err != nil {
		panic("rules: " + err.Error())
	}
	return t
}

// parseTemplate reads a title. Its second result is the fault, or "".
func parseTemplate(title string) (t Template, fault string) {
	if title != text.OneLine(title, maxTitle) {
		return t, "must be one line of at most " + strconv.Itoa(maxTitle) + " bytes"
	}
	bracket, brackets, bare := 0, 0, title == ""
	for title != "" {
		i := strings.IndexAny(title, "[]{}")
		if i < 0 {
			t.parts = append(t.parts, part{literal: title, bracket: bracket})
			break
		}
		if i > 0 {
			t.parts = append(t.parts, part{literal: title[:i], bracket: bracket})
		}
		switch c := title[i]; {
		case c == '[' && bracket == 0:
			brackets++
			bracket = brackets
		case c == ']' && bracket > 0:
			bracket = 0
		case c == '{':
			name, rest, closed := strings.Cut(title[i+1:], "}")
			if !closed {
				return t, "has a { without a }"
			}
			i := slices.IndexFunc(placeholders, func(p placeholder) bool { return p.name == name })
			if i < 0 {
				return t, "there is no placeholder {" + name + "}" + text.Suggest(name, placeholderNames())
			}
			t.parts = append(t.parts, part{placeholder: placeholders[i], bracket: bracket})
			title = rest
			continue
		default:
			return t, "has an unmatched " + string(c)
		}
		title = title[i+1:]
	}
	for i := range t.parts {
		p := &t.parts[i]
		bare = bare || p.bracket == 0 && (p.value != nil || strings.TrimSpace(p.literal) != "")
	}
	switch {
	case bracket > 0:
		return t, "has a [ without a ]"
	case !bare:
		return t, "must have text outside of its square brackets, which are left out of some events"
	}
	return t, ""
}

func placeholderNames() []string {
	names := make([]string, len(placeholders))
	for i := range placeholders {
		names[i] = placeholders[i].name
	}
	return names
}

// isZero reports whether t is no title.
func (t Template) isZero() bool { return len(t.parts) == 0 }

// failedSuffix ends the titles of failed attempts.
const failedSuffix = " (failed)"

// render fills t in. The book puts actions into words. Without detail it leaves
// the brackets out. It allocates nothing but the title, and not even that for a
// title of one literal.
func (t Template) render(f *Facts, target string, book *Book, detail, failed bool) string {
	if len(t.parts) == 1 && t.parts[0].value == nil && !failed && (detail || t.parts[0].bracket == 0) {
		return t.parts[0].literal
	}
	var buf [2 * maxTitle]byte
	b := buf[:0]
	skip := 0
	start, at := 0, 0 // where the bracket at hand began
	for i := range t.parts {
		p := &t.parts[i]
		if p.bracket != at {
			at, start = p.bracket, len(b)
		}
		if p.bracket > 0 && (!detail || p.bracket == skip) {
			continue
		}
		if p.value == nil {
			b = append(b, p.literal...)
			continue
		}
		before := len(b)
		if value := p.value(f, target); p.inWords && value != "" {
			b = book.appendWords(b, value)
		} else {
			b = appendPart(b, value)
		}
		switch {
		case len(b) > before:
		case p.bracket > 0:
			b, skip = b[:start], p.bracket
		default:
			b = append(b, "unknown"...)
		}
	}
	if len(b) > maxTitle {
		cut := maxTitle
		for cut > 0 && !utf8.RuneStart(b[cut]) {
			cut--
		}
		b = append(b[:cut], "…"...)
	}
	if failed {
		b = append(b, failedSuffix...)
	}
	return string(b)
}

// appendPart appends s as part of a title. A text that is too long loses its
// middle: names of one kind often share a prefix, and alerts are distinguished
// by their titles.
func appendPart(b []byte, s string) []byte {
	if len(s) <= maxTitlePart {
		return append(b, text.OneLine(s, maxTitlePart)...)
	}
	const tail = maxTitlePart / 3
	head := strings.ToValidUTF8(s[:maxTitlePart-tail-len("…")], "")
	b = append(b, text.OneLine(head, maxTitlePart)...)
	b = append(b, "…"...)
	return append(b, text.OneLine(strings.ToValidUTF8(s[len(s)-tail:], ""), maxTitlePart)...)
}

// isTechnique reports whether s has the form T#### or T####.###.
func isTechnique(s string) bool {
	const form = "T0000.000"
	if len(s) != 5 && len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}
