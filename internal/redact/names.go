package redact

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

var (
	// wordsInNames is secretWords. Every name of a secret contains one of
	// signsInNames, except for names with a letter that only lower-casing makes
	// ASCII.
	wordsInNames = newWords(texts(secretWords))
	signsInNames = newWords(texts(secretWords, secretEnds, secretNames, headerParts, headerEnds))
)

// isSecretName is isSecretMember for a name whose class is known.
func (m *masker) isSecretName(name string, class jsondoc.Class) bool {
	if class&jsondoc.Wide == 0 && class&jsondoc.Escape == 0 && !m.thorough && !signsInNames.in(name) {
		return false
	}
	return matchesSecretName(name)
}

// isSecretMember reports whether a member holds a secret, judged by its name,
// rather than something public about one.
func isSecretMember(name string) bool {
	return (signsInNames.in(name) || !text.IsASCII(name)) && matchesSecretName(name)
}

// matchesSecretName matches a name against the lists.
func matchesSecretName(name string) bool {
	lower := strings.ToLower(name)
	switch {
	case isSecretHeader(lower):
		return true
	case isOpenEnd(name) || !wordsInNames.in(name) && !hasSuffix(lower, secretEnds):
		return slices.ContainsFunc(secretNames, func(r row) bool { return strings.EqualFold(name, r.text) })
	}
	return !contains(lower, harmlessParts) && !hasSuffix(lower, harmlessEnds) && !hasPrefix(lower, harmlessBeginnings)
}

// isOpenEnd reports whether the end of a name marks the member as public.
func isOpenEnd(name string) bool { return hasSuffix(name, openEnds) }

// isSecretHeader reports whether a header authenticates its sender, judged by its
// name in lower case.
func isSecretHeader(name string) bool {
	return strings.IndexByte(name, '-') >= 0 && (contains(name, headerParts) || hasSuffix(name, headerEnds))
}

// isHeaders reports whether the members of a member with this name are headers.
func isHeaders(name string) bool { return name == "header" || name == "headers" }

// isPlainHeader reports whether a header is never secret.
func isPlainHeader(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(plainHeaders, func(r row) bool { return lower == r.text })
}

// isSignature reports whether a parameter is the signature of its address.
func isSignature(name string) bool {
	return slices.ContainsFunc(signatureNames, func(r row) bool { return strings.EqualFold(name, r.text) }) ||
		hasSuffix(strings.ToLower(name), signatureEnds)
}

// IsValue reports whether a member is the value of a variable or of a secret.
func IsValue(name string) bool { return name == "value" || name == "text" || name == "json" }

// isHidden reports whether a member of a text that cannot be read as JSON may be
// a secret.
func isHidden(name string) bool { return name == "value" || name == "text" || isSecretMember(name) }

func hasSuffix(s string, rows []row) bool {
	for i := range rows {
		if strings.HasSuffix(s, rows[i].text) {
			return true
		}
	}
	return false
}

func hasPrefix(s string, rows []row) bool {
	for i := range rows {
		if strings.HasPrefix(s, rows[i].text) {
			return true
		}
	}
	return false
}

func contains(s string, rows []row) bool {
	for i := range rows {
		if strings.Contains(s, rows[i].text) {
			return true
		}
	}
	return false
}
