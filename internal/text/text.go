// Package text bounds and cleans texts from outside before they reach a log
// line, an error or an event.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Redacted replaces a secret in all printed forms.
const Redacted = "[redacted]"

// Shorten cuts s to at most n bytes, between characters, and marks the cut with
// an ellipsis.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// OneLine makes s one line of valid UTF-8 without control characters: line
// breaks and tabs become spaces, other controls are removed. It cuts s as
// [Shorten] does.
func OneLine(s string, n int) string {
	// Most texts need no change, and checking for that is cheap.
	if len(s) <= n && IsPlain(s) {
		return s
	}
	return flatten(s, n)
}

func flatten(s string, n int) string {
	s = Shorten(strings.ToValidUTF8(s, "\uFFFD"), n)
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// Clean prepares a message for a log line: valid UTF-8 of at most n characters,
// with a space in place of each control character. It marks a cut with an
// ellipsis.
func Clean(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if utf8.RuneCountInString(s) > n {
		return string([]rune(s)[:n]) + "…"
	}
	return s
}

// Excerpt is the beginning of a document, such as the body of a reply, by which
// a person can recognise it: as [Clean] makes it, with each run of white space
// and control characters as one space.
func Excerpt(s string, n int) string {
	s = s[:min(len(s), 4*utf8.UTFMax*n)]
	fields := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	return Clean(strings.Join(fields, " "), n)
}

// Suggest is the end of an error about an unknown name. It suggests the nearest
// known name. If none is near it lists all of them, or nothing if there are
// more than 30.
func Suggest(name string, known []string) string {
	best := nearest(name, known, min(len(name)/2, 4))
	switch {
	case best != "":
		return DidYouMean(best)
	case len(known) > 30:
		return ""
	}
	return "; there are " + strings.Join(known, ", ")
}

// Alternatives lists the texts one of which is allowed, such as "a, b or c".
func Alternatives[T ~string](list []T) string {
	var b strings.Builder
	for i, one := range list {
		switch {
		case i > 0 && i == len(list)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(one))
	}
	return b.String()
}

// DidYouMean is the end of an error that suggests a name.
func DidYouMean(name string) string { return fmt.Sprintf("; did you mean %q?", name) }

// Nearest is the known name that differs from name so little that name is
// probably mistyped, or "".
func Nearest(name string, known []string) string { return nearest(name, known, min(len(name)/4, 2)) }

// nearest is the known name with the least distance, at most that given, or "".
// Case is ignored.
func nearest(name string, known []string, most int) string {
	best, distance := "", most+1
	for _, candidate := range known {
		if max(len(name)-len(candidate), len(candidate)-len(name)) >= distance {
			continue // at least as far
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance is the number of bytes to insert, delete or replace to turn a
// into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
