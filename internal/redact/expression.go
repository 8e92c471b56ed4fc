package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// expression masks the secrets in an expression of the rules language: the texts that
// are one by their form, the key of a signature, and what a field with the name of a
// secret is compared with. What other fields are compared with cannot be told from
// what is no secret.
func (m *masker) expression(v jsondoc.Value) {
	if !m.thorough && !mayHoldSecret(v) {
		return
	}
	whole := v.Text()
	shown := m.comparisons(whole)
	if HoldsSecret(shown) {
		m.mask(v)
	} else if shown != whole {
		m.doc.Replace(v, shown)
	}
}

// comparisons masks the texts in an expression that are secrets.
func (m *masker) comparisons(s string) string {
	if !namesInExpressions.in(s) && !HoldsSecret(s) {
		return s
	}
	var b strings.Builder
	done, field := 0, "" // field is the one with the name of a secret that is compared
	for i := 0; i < len(s); {
		next := strings.IndexByte(s[i:], '"')
		if next < 0 {
			break
		}
		from := i + next + 1
		between := s[i : from-1]
		end := literalEnd(s, from-1)
		to := max(from, end-1)
		i = end
		if endsCondition(between) {
			field = ""
		}
		content := s[from:to]
		switch {
		case strings.HasPrefix(s[end:], "]"):
			field = ""
			if namesInExpressions.in(content) && isSecretMember(content) {
				field = content
			}
			continue
		case HoldsSecret(content):
		case strings.HasSuffix(between, "("):
			if call := strings.TrimRight(between, "("); !strings.Contains(call[max(0, len(call)-maxName):], signedCall) {
				continue
			}
		case field != "" && isAssigned(content, comparesWhole(between), field):
		default:
			value := valueInPair(content)
			if value == 0 || !isAssigned(content[value:], true, "") {
				continue
			}
			from += value
		}
		m.n++
		b.WriteString(s[done:from])
		b.WriteString(Masked)
		done = to
	}
	return b.String() + s[done:]
}

// signedCall is part of the name of a function whose first argument is a key.
const signedCall = "hmac_valid"

// namesInExpressions are the signs of secrets in expressions.
var namesInExpressions = newWords(append(texts(secretStems, headerParts, headerEnds), signedCall))

// valueInPair is where in a text the value of a parameter begins that has the name of
// a secret, or 0.
func valueInPair(s string) int {
	at := strings.IndexByte(s, '=')
	if at <= 0 || !isAssignable(lastName(s[:at])) {
		return 0
	}
	return at + 1
}

// endsCondition reports whether another comparison begins in a part of an expression.
func endsCondition(between string) bool {
	for _, word := range []string{" and ", " or ", " xor ", "&&", "||"} {
		if strings.Contains(between, word) {
			return true
		}
	}
	return false
}

// comparesWhole reports whether the operator at the end of a part of an expression
// compares with a whole value, rather than with a part of one.
func comparesWhole(between string) bool {
	before := strings.TrimRight(between, " (r#")
	for _, operator := range []string{" eq", " ne", "==", "!=", "{"} {
		if strings.HasSuffix(before, operator) {
			return true
		}
	}
	return false
}
