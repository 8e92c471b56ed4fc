package text

import (
	"slices"
	"strings"
)

// Glob is a pattern in which * matches any text, even empty. Case is ignored.
// The zero Glob matches the empty text alone.
type Glob struct {
	pattern string // in lower case
	wild    bool
}

// NewGlob makes a Glob of a pattern. Every text is a pattern.
func NewGlob(pattern string) Glob {
	return Glob{strings.ToLower(pattern), strings.Contains(pattern, "*")}
}

// String is the pattern in lower case.
func (g Glob) String() string { return g.pattern }

// IsZero reports whether the pattern is empty.
func (g Glob) IsZero() bool { return g.pattern == "" }

// IsWild reports whether the pattern has a *.
func (g Glob) IsWild() bool { return g.wild }

// Match reports whether s fits the pattern.
func (g Glob) Match(s string) bool {
	if !g.wild {
		return strings.EqualFold(g.pattern, s)
	}
	if !IsASCII(s) {
		s = strings.ToLower(s)
	}
	// star is the position after the last *, and back is where its match ends.
	p, i, star, back := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(g.pattern) && g.pattern[p] == '*':
			p++
			star, back = p, i
		case p < len(g.pattern) && g.pattern[p] == Lower(s[i]):
			p++
			i++
		case star >= 0:
			back++
			p, i = star, back
		default:
			return false
		}
	}
	return strings.Trim(g.pattern[p:], "*") == ""
}

// Among are the texts of a sorted list, in lower case, that may fit the pattern: those
// with what it has before its first *.
func (g Glob) Among(sorted []string) []string {
	prefix, _, _ := strings.Cut(g.pattern, "*")
	from, _ := slices.BinarySearch(sorted, prefix)
	to := from
	for to < len(sorted) && strings.HasPrefix(sorted[to], prefix) {
		to++
	}
	return sorted[from:to]
}

// Covers reports whether g matches every text that other matches. It may return
// false negatives, but no false positives: only a * of g can match a * of
// other, so the latter may be treated as a literal.
func (g Glob) Covers(other Glob) bool { return g.Match(other.pattern) }

// MatchAny reports whether s fits one of the patterns.
func MatchAny(globs []Glob, s string) bool {
	for i := range globs {
		if globs[i].Match(s) {
			return true
		}
	}
	return false
}

// Lower is an ASCII letter in lower case, and any other byte as it is.
func Lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// IsASCII reports whether s has no byte outside ASCII.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// FoldPrefix reports whether s begins with prefix, which is in lower case, in
// any case.
func FoldPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if Lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// IsHexID reports whether s has the form of a Cloudflare id: 32 hexadecimal
// digits, in any case.
func IsHexID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
