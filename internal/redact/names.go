package redact

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

var (
	// wordsInNames are looked for in names, and signsInNames are what stands in
	// every name that IsSecretName accepts, unless letters outside ASCII count as
	// one of ASCII.
	wordsInNames = newWords(texts(secretWords))
	signsInNames = newWords(texts(secretWords, secretEnds, secretNames, headerParts, headerEnds))
)

// isSecretName reports whether a member whose name has a class is a secret.
func (m *masker) isSecretName(name string, class jsondoc.Class) bool {
	if class&jsondoc.Wide == 0 && class&jsondoc.Escape == 0 && !m.thorough && !signsInNames.in(name) {
		return false
	}
	return isSecretNameExactly(name)
}

// IsSecretName reports whether a member by its name holds a secret, rather than
// what everybody may know of one.
func IsSecretName(name string) bool {
	return (signsInNames.in(name) || !text.IsASCII(name)) && isSecretNameExactly(name)
}

func isSecretNameExactly(name string) bool {
	lower := strings.ToLower(name)
	switch {
	case isSecretHeader(lower):
		return true
	case isOpenEnd(name) || !wordsInNames.in(name) && !hasSuffix(lower, secretEnds):
		return slices.ContainsFunc(secretNames, func(r row) bool { return strings.EqualFold(name, r.text) })
	}
	return !contains(lower, harmlessParts) && !hasSuffix(lower, harmlessEnds) && !hasPrefix(lower, harmlessBeginnings)
}

// isOpenEnd reports whether a name by its end is that of what everybody may
// know.
func isOpenEnd(name string) bool { return hasSuffix(name, openEnds) }

// isSecretHeader reports whether a header by its name, in lower case, proves who
// sends it.
func isSecretHeader(name string) bool {
	return strings.IndexByte(name, '-') >= 0 && (contains(name, headerParts) || hasSuffix(name, headerEnds))
}

// isHeaders reports whether the members of a member with this name are headers.
func isHeaders(name string) bool { return name == "header" || name == "headers" }

// isPlainHeader reports whether a header by its name says nothing secret.
func isPlainHeader(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(plainHeaders, func(r row) bool { return lower == r.text })
}

// isSignature reports whether a parameter of an address by its name signs it.
func isSignature(name string) bool {
	return slices.ContainsFunc(signatureNames, func(r row) bool { return strings.EqualFold(name, r.text) }) ||
		hasSuffix(strings.ToLower(name), signatureEnds)
}

// IsValue reports whether a member is that of a variable or of a secret.
func IsValue(name string) bool { return name == "value" || name == "text" || name == "json" }

// isHidden reports whether a member of a text that cannot be read as JSON may be
// a secret.
func isHidden(name string) bool { return name == "value" || name == "text" || IsSecretName(name) }

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
