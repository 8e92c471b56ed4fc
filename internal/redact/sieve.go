package redact

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// This file is the sieve. It tells of a string as it stands in a JSON text
// whether a secret may be in it, without reading what its escapes stand for.
// Where the answer is no, there is nothing to mask and nothing to count; FuzzSieve
// holds it to that.

// needed says which classes a string must have for a secret to be in it: where
// none is set, there is none.
var needed = func() (possible [256]bool) {
	// An escape may stand for any character.
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

// classOf are the classes of every string that has a text in it in any case.
func classOf(text string) jsondoc.Class {
	var doc jsondoc.Doc
	if doc.Parse(jsondoc.Quote(text)) != nil {
		return 0
	}
	return doc.Root().Class() & (jsondoc.Link | jsondoc.Mark | jsondoc.Brace | jsondoc.Space)
}

// mayHoldSecret reports whether a string may have a secret in it by its form, or
// JSON in which there is one.
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

// mayHoldLink reports whether an address or an assignment may stand in a text.
func mayHoldLink(raw string, class jsondoc.Class) bool {
	return strings.IndexByte(raw, '=') >= 0 || strings.Contains(raw, "://") ||
		class&jsondoc.Escape != 0 && strings.Contains(raw, `\/`)
}

// mayHoldKey reports whether a private key or a web token may stand in a text.
func mayHoldKey(raw string) bool {
	return strings.Contains(raw, privateKey) ||
		len(raw) >= minLength && (strings.HasPrefix(raw, pemBlock) || strings.Contains(raw, webToken))
}

// signsInJSON stand in every string that holds JSON, whole or torn, in which
// there is a secret, however often it is quoted. Left out are the equals sign,
// and letters outside ASCII that count as one of ASCII.
var signsInJSON = slices.Concat(
	texts(secretWords, secretEnds, secretNames, headerParts, headerEnds, tokenPrefixes, schemes),
	[]string{
		strings.ToLower(privateKey), originKey, strings.ToLower(pemBlock), strings.ToLower(webToken),
		`\u0`, `\u212`, // ASCII, and the Kelvin sign, in escapes
		"://", `:\/`, `/\/`, `\\/`, // an address, its slashes in escapes
		`value\`, `text\`, `json\`, `codes\`, `header\`, `headers\`, // members that may be secrets
	})

// Those in a string that holds JSON, and those in an object or array where
// values are settings and where they may be secrets. A text in a text there may
// have been cut off.
var (
	inString   = newWords(signsInJSON)
	inSettings = newWords(append(signsInJSON, `\\\`))
	inValues   = newWords(append(signsInJSON, `\\\`, `value"`, `text"`, `json"`, `codes"`, `header"`, `headers"`))
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
	case m.doc.Depth() > maxDepth, class&jsondoc.UnicodeEscape != 0, class&jsondoc.Mark != 0 && strings.IndexByte(raw, '=') >= 0:
		return true
	case class&jsondoc.Wide != 0 && strings.ContainsAny(raw, foldingLetters):
		return true
	case class&jsondoc.Brace != 0 && opens(raw) > maxDepth: // a text may hold JSON that is too deep
		return true
	}
	return signs.in(raw)
}

// foldingLetters are k and i in lower case.
const foldingLetters = "\u212a\u0130"

// opens is how many objects and arrays there are at most in JSON.
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

// isPlainShape reports whether JSON in a string is neither so deep that it is
// masked nor cut off in the middle of a text.
func isPlainShape(raw string) bool {
	// How many backslashes stand in front of the quotes that are part of a text in
	// the JSON, and in front of those in a text in such a text.
	const quotedOnce, quotedTwice = 3, 7
	depth, inText := 0, false
	for start := 0; ; {
		quote := start
		for {
			n := strings.IndexByte(raw[quote:], '"')
			if n < 0 {
				return !inText && descend(&depth, raw[start:])
			}
			quote += n
			backslashes := 0
			for quote-backslashes > 0 && raw[quote-backslashes-1] == '\\' {
				backslashes++
			}
			if backslashes >= quotedTwice || backslashes == quotedOnce && !inText {
				return false
			}
			if backslashes != quotedOnce {
				break
			}
			quote++
		}
		switch part := raw[start:quote]; {
		case inText && len(part) > maxDepth && opens(part) > maxDepth:
			return false
		case !inText && !descend(&depth, part):
			return false
		}
		inText = !inText
		start = quote + 1
	}
}

// descend counts the objects and arrays that begin and end in a part of a JSON
// text in which there is no string. It reports whether there were never too many.
func descend(depth *int, part string) bool {
	for i := range len(part) {
		switch part[i] {
		case '{', '[':
			if *depth++; *depth > maxDepth {
				return false
			}
		case '}', ']':
			*depth--
		}
	}
	return true
}

// mayHaveQuery reports whether there may be a query with a secret in it in the
// string that is a URI.
func mayHaveQuery(v jsondoc.Value) bool {
	return v.Class()&jsondoc.UnicodeEscape != 0 || strings.IndexByte(v.Source(), '?') >= 0
}
