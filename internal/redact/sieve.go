package redact

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// This file is the sieve. It decides from the source of a value, without
// unescaping anything, whether the value may contain a secret. False positives
// are allowed, false negatives are not: when it says no, masking must change
// and count nothing. FuzzSieve checks that.

// needed says for each set of classes whether a string with these classes may
// contain a secret.
var needed = func() (possible [256]bool) {
	// An escape may denote any character.
	enough := []jsondoc.Class{jsondoc.UnicodeEscape, jsondoc.Mark, jsondoc.Brace, jsondoc.Space, jsondoc.Upper}
	for _, r := range tokenPrefixes {
		enough = append(enough, classOf(r.text))
	}
	enough = append(enough, classOf(originKey))
	for c := range possible {
		for _, e := range enough {
			possible[c] = possible[c] || jsondoc.Class(c)&e == e
		}
	}
	return possible
}()

// classOf is the least set of classes of a string that contains text in any
// case.
func classOf(text string) jsondoc.Class {
	var doc jsondoc.Doc
	if doc.Parse(jsondoc.Quote(text)) != nil {
		return 0
	}
	return doc.Root().Class() & (jsondoc.Link | jsondoc.Mark | jsondoc.Brace | jsondoc.Space)
}

// mayHoldSecret reports whether a string may contain a secret by its form, or
// JSON with a secret.
func mayHoldSecret(v jsondoc.Value) bool {
	class := v.Class()
	if !needed[class] {
		return false
	}
	literal := v.Source()
	raw := literal[1 : len(literal)-1]
	switch {
	case class&jsondoc.UnicodeEscape != 0:
		return true
	case class&jsondoc.Brace != 0 && mayBeginJSON(raw):
		return mayHoldJSON(raw, class)
	case class&jsondoc.Mark != 0 && mayHoldLink(raw, class):
		return true
	case class&jsondoc.Space != 0 && mayBeAuthorization(raw):
		return true
	case class&jsondoc.Upper != 0 && mayHoldKey(raw):
		return true
	case strings.HasPrefix(raw, originKey):
		return true
	}
	return prefixesInTexts.in(raw)
}

// mayBeginJSON reports whether the content of a string may begin as an object or
// an array does, with white space in front.
func mayBeginJSON(raw string) bool {
	switch c := raw[0]; c {
	case '{', '[', ' ', '\\':
		return true
	default:
		return c >= 0x80
	}
}

// mayHoldLink reports whether a text may contain an address or an assignment.
func mayHoldLink(raw string, class jsondoc.Class) bool {
	return strings.IndexByte(raw, '=') >= 0 || strings.Contains(raw, "://") ||
		class&jsondoc.Escape != 0 && strings.Contains(raw, `\/`)
}

// mayHoldKey reports whether a text may contain a private key or a web token.
func mayHoldKey(raw string) bool {
	return strings.Contains(raw, privateKey) ||
		len(raw) >= minLength && (strings.HasPrefix(raw, pemBlock) || strings.Contains(raw, webToken))
}

// signsInJSON are the signs of a secret in JSON, whole or torn, however often it
// is quoted. Every secret comes with one of them, with an equals sign, or with
// one of foldingLetters.
var signsInJSON = slices.Concat(
	texts(secretWords, secretEnds, secretNames, headerParts, headerEnds, tokenPrefixes, schemes),
	[]string{
		strings.ToLower(privateKey), originKey, strings.ToLower(pemBlock), strings.ToLower(webToken),
		`\u0`, `\u212`, // ASCII, and the Kelvin sign, in escapes
		"://", `:\/`, `/\/`, `\\/`, // an address, its slashes in escapes
		`value\`, `text\`, `json\`, `codes\`, `header\`, `headers\`, // members that may be secrets
	})

// quotedQuote begins a quote in a string that is part of JSON in a string. Such
// JSON may be cut off inside that string, which is then masked.
const quotedQuote = `\\\`

// The signs in a string that holds JSON, in an object or array whose values are
// settings, and in one whose values may be secrets.
var (
	inString   = newWords(signsInJSON)
	inSettings = newWords(slices.Concat(signsInJSON, []string{quotedQuote}))
	inValues   = newWords(slices.Concat(signsInJSON, []string{quotedQuote, `value"`, `text"`, `json"`, `codes"`, `header"`, `headers"`}))
)

// mayHoldSecrets reports whether there may be something to mask in an object or
// array.
func (m *masker) mayHoldSecrets(v jsondoc.Value) bool {
	raw, class, signs := v.Source(), v.Class(), inSettings
	if m.Values {
		signs = inValues
	}
	switch {
	case len(raw) <= len("{}"):
		return false
	case m.doc.Depth() > maxDepth, class&jsondoc.Mark != 0 && strings.IndexByte(raw, '=') >= 0:
		return true
	case class&jsondoc.Wide != 0 && strings.ContainsAny(raw, foldingLetters):
		return true
	case class&jsondoc.Brace != 0 && opens(raw) > maxDepth: // a text may hold JSON that is too deep
		return true
	}
	return signs.in(raw)
}

// foldingLetters are outside ASCII and become k and i when lower-cased.
const foldingLetters = "\u212a\u0130"

// opens is an upper bound for the number of objects and arrays in JSON.
func opens(raw string) int { return strings.Count(raw, "{") + strings.Count(raw, "[") }

// mayHoldJSON reports whether a string may hold JSON with a secret in it.
func mayHoldJSON(raw string, class jsondoc.Class) bool {
	switch {
	case strings.IndexByte(raw, '=') >= 0, inString.in(raw):
		return true
	case class&jsondoc.Wide != 0 && strings.ContainsAny(raw, foldingLetters):
		return true
	}
	return !isPlainShape(raw)
}

// isPlainShape reports whether JSON in a string is neither so deep that it would
// be masked nor cut off inside a string. It may report false for some that is
// neither.
func isPlainShape(raw string) bool {
	// The numbers of backslashes before the quotes of a string in the JSON, and
	// before those of a string quoted in such a string.
	const quotedOnce, quotedTwice = 3, 7
	depth, outside, inside := 0, 0, false // of a string
	for i := 0; i < len(raw); i++ {
		if !isShape[raw[i]] {
			continue
		}
		switch raw[i] {
		case '{', '[':
			// A string may hold JSON again, whose depth counts from zero.
			if depth++; depth > maxDepth {
				return false
			}
		case '}', ']':
			depth--
		case '\\':
			n := backslashes(raw[i:])
			if i += n; i == len(raw) || raw[i] != '"' {
				continue // no bracket directly follows a backslash
			}
			switch {
			case n >= quotedTwice, n == quotedOnce && !inside:
				return false
			case n == quotedOnce:
			case inside:
				inside, depth = false, outside
			default:
				inside, depth, outside = true, 0, depth
			}
		}
	}
	return !inside
}

// isShape says of each byte whether it matters for the shape of JSON in a string.
var isShape = [256]bool{'{': true, '[': true, '}': true, ']': true, '\\': true}

// backslashes counts the backslashes that s begins with.
func backslashes(s string) int {
	n := 0
	for n < len(s) && s[n] == '\\' {
		n++
	}
	return n
}

// mayHaveQuery reports whether there may be a query with a secret in it in the
// string that is a URI.
func mayHaveQuery(v jsondoc.Value) bool {
	return v.Class()&jsondoc.UnicodeEscape != 0 || strings.IndexByte(v.Source(), '?') >= 0
}
