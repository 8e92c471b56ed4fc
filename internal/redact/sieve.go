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
// contain a secret. A string of at least minPlain bytes may with any.
var needed, minPlain = func() (maybe [256]bool, least int) {
	var forms []jsondoc.Class
	least = minBase64
	for _, text := range slices.Concat(texts(cloudflareTokens), []string{originKey, privateKey, puttyKey, pemBlock, webToken}) {
		forms = append(forms, classOf(text))
	}
	for i := range tokenForms {
		if class := classOf(tokenForms[i].text); class != 0 {
			forms = append(forms, class)
		} else {
			least = min(least, len(tokenForms[i].text)+tokenForms[i].least)
		}
	}
	for c := range maybe {
		for _, class := range forms {
			maybe[c] = maybe[c] || jsondoc.Class(c)&class == class
		}
		// An escape may denote any character.
		maybe[c] = maybe[c] || jsondoc.Class(c)&(jsondoc.UnicodeEscape|jsondoc.Mark|jsondoc.Brace|jsondoc.Space) != 0
	}
	return maybe, least
}()

// plainForms are the prefixes that have no class. Each has a dot or a tilde in it, or
// the token is longer than minLength.
var plainForms = func() *words {
	var plain []string
	for _, text := range prefixTexts() {
		if classOf(text) == 0 {
			plain = append(plain, text)
		}
	}
	return newWords(plain)
}()

// classOf is the least set of classes of a string that contains text.
func classOf(text string) jsondoc.Class {
	var doc jsondoc.Doc
	if doc.Parse(jsondoc.Quote(text)) != nil {
		return 0
	}
	return doc.Root().Class() & (jsondoc.Link | jsondoc.Mark | jsondoc.Brace | jsondoc.Space | jsondoc.Upper)
}

// mayHoldSecret reports whether a string may contain a secret by its form, or
// JSON with a secret.
func mayHoldSecret(v jsondoc.Value) bool {
	class, length := v.Class(), v.Len()-len(`""`)
	if length <= 0 || !needed[class] && length < minPlain {
		return false
	}
	raw := v.Source()
	raw = raw[1 : len(raw)-1]
	switch {
	case class&jsondoc.UnicodeEscape != 0:
		return true
	case class&jsondoc.Brace != 0 && mayBeginJSON(raw):
		return mayHoldJSON(v, raw)
	case class&jsondoc.Mark != 0 && strings.IndexByte(raw, '=') >= 0, class&jsondoc.Escape != 0 && strings.Contains(raw, `\/`):
		return true
	case class&jsondoc.Space != 0 && mayBeAuthorization(raw), strings.HasPrefix(raw, "--"):
		return true
	case mayBeEncoded(raw, class):
		return true
	case !needed[class]:
		// An id of 32 digits is none of them.
		return (len(raw) > minLength || strings.IndexByte(raw, '.') >= 0 || strings.IndexByte(raw, '~') >= 0) && plainForms.in(raw)
	}
	return inTexts.in(raw)
}

// inTexts finds the signs of a secret in a string that holds no JSON: of a form, of an
// address, and of the name that a secret is assigned to.
var inTexts = newWords(slices.Concat(prefixTexts(), texts(secretStems, headerParts, headerEnds, schemes),
	[]string{signedCall, passWord, lowerASCII(privateKey), lowerASCII(puttyKey), lowerASCII(pemBlock), lowerASCII(webToken), "://", "curl "}))

// mayBeEncoded reports whether a text may be another one in base64, or contain a
// token without a prefix.
func mayBeEncoded(raw string, class jsondoc.Class) bool {
	switch {
	case len(raw) >= globalKeyLength && hasRun(raw, globalKeyLength, &isIDByte) && (class&jsondoc.Escape != 0 || holdsBareToken(raw)):
		return true
	case strings.HasPrefix(raw, originKey):
		return true
	case class&jsondoc.Upper == 0, class&jsondoc.Space != 0, len(raw) < minBase64:
		return false
	}
	return class&jsondoc.Escape != 0 || mayBeBase64(raw) || strings.Contains(raw, ";base64,")
}

// hasRun reports whether a text has a run of some kinds of bytes of at least a
// length. It looks at one byte in so many that it cannot miss one.
func hasRun(raw string, length int, is *[256]bool) bool {
	for i := length - 1; i < len(raw); i += length {
		if !is[raw[i]] {
			continue
		}
		start, end := i, i+1
		for start > 0 && is[raw[start-1]] {
			start--
		}
		for end < len(raw) && is[raw[end]] && end-start < length {
			end++
		}
		if end-start >= length {
			return true
		}
		i = end - 1
	}
	return false
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

// mayHoldRun reports whether a text may be another one in base64, or contain a token
// without a prefix: whether there is a long run of the characters of these. It looks
// at one character in so many that it cannot miss a run.
func mayHoldRun(raw string) bool {
	for i := minBase64 - 1; i < len(raw); i += minBase64 {
		if !isRunByte[raw[i]] {
			continue
		}
		start, end := i, i+1
		for start > 0 && isRunByte[raw[start-1]] {
			start--
		}
		for end < len(raw) && isRunByte[raw[end]] {
			end++
		}
		if end-start >= globalKeyLength || end-start >= minBase64 && hasCapital(raw[start:end]) {
			return true
		}
		i = max(i, end-minBase64)
	}
	return false
}

// isRunByte are the characters of base64 and of tokens, and the backslash that may
// precede a slash.
var isRunByte = func() (is [256]bool) {
	for c := range is {
		is[c] = isAlnum(byte(c)) || strings.IndexByte("-_+/=\\", byte(c)) >= 0
	}
	return is
}()

func hasCapital(s string) bool {
	for i := range len(s) {
		if isCapital(s[i]) {
			return true
		}
	}
	return false
}

// signsInJSON are the signs of a secret in JSON, whole or torn, however often it
// is quoted. Every secret comes with one of them, with an equals sign, in a long run
// of letters and digits, or with one of foldingLetters.
var signsInJSON = slices.Concat(
	texts(secretStems, headerParts, headerEnds, schemes), prefixTexts(),
	[]string{
		lowerASCII(privateKey), lowerASCII(puttyKey), lowerASCII(pemBlock), lowerASCII(webToken), "curl ", signedCall, passWord,
		`\u0`, `\u212`, // ASCII, and the Kelvin sign, in escapes
		"://", `:\/`, `/\/`, `\\/`, // an address, its slashes in escapes
		`value\`, `text\`, `json\`, `base64\`, // members that may be secrets
	},
	endings(`\`),
)

// endings are the ends of the names of members that count, with what follows them.
func endings(quote string) []string {
	tails := slices.Concat(texts(secretNames, secretEnds, weakEnds),
		[]string{"code", "codes", "header", "headers", "kty", "sql", "uri", "request", "response", "resourcevalue"})
	for i := range tails {
		tails[i] += quote
	}
	return slices.Concat(tails, signsOf(secretPhrases, quote))
}

// quotedQuote begins a quote in a string that is part of JSON in a string. Such
// JSON may be cut off inside that string, which is then masked.
const quotedQuote = `\\\`

// The signs in a string that holds JSON, in an object or array whose values are
// settings, and in one whose values may be secrets.
var (
	inString   = newWords(signsInJSON)
	inSettings = newWords(slices.Concat(signsInJSON, endings(`"`), []string{quotedQuote}))
	inValues   = newWords(slices.Concat(signsInJSON, endings(`"`), []string{quotedQuote, `value"`, `text"`, `json"`, `base64"`}))
)

// mayHoldSecrets reports whether there may be something to mask in an object or
// array.
func (m *masker) mayHoldSecrets(v jsondoc.Value) bool {
	raw, class, signs := v.Source(), v.Class(), inSettings
	if m.Values || m.BareTexts {
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
	return signs.in(raw) || v.AnyText(minBase64, mayBeEncoded)
}

// foldingLetters are outside ASCII and become k and i when lower-cased.
const foldingLetters = "\u212a\u0130"

// opens is an upper bound for the number of objects and arrays in JSON.
func opens(raw string) int { return strings.Count(raw, "{") + strings.Count(raw, "[") }

// mayHoldJSON reports whether a string, whose content is raw, may hold JSON with a
// secret in it.
func mayHoldJSON(v jsondoc.Value, raw string) bool {
	switch {
	case strings.IndexByte(raw, '=') >= 0, inString.in(raw):
		return true
	case v.Class()&jsondoc.Wide != 0 && strings.ContainsAny(raw, foldingLetters):
		return true
	case mayHoldRun(raw):
		return true
	}
	// What has been parsed is not cut off, and its depth is known.
	if inner := v.ParsedInner(); inner.Exists() && inner.Doc().Depth() <= maxDepth && !inner.AnyText(len("{}"), mayBeJSONAsWritten) {
		return false
	}
	return !isPlainShape(raw)
}

func mayBeJSONAsWritten(raw string, _ jsondoc.Class) bool { return mayBeginJSON(raw) }

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

// mayBeSecretURI reports whether there may be a query, or a path with a secret in it,
// in the string that is a URI.
func mayBeSecretURI(v jsondoc.Value) bool {
	raw := v.Source()
	return v.Class()&(jsondoc.Escape|jsondoc.Wide) != 0 || strings.IndexByte(raw, '?') >= 0 || admissionInPaths.in(raw) || mayHoldSecret(v)
}

// admissionInPaths finds the segments of admissionPaths.
var admissionInPaths = newWords(texts(admissionPaths))
