package redact

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// maskedJSON replaces a secret in a JSON text.
const maskedJSON = `"` + Masked + `"`

// torn masks the secrets in damaged JSON. Its subject is unknown, so values
// count as secrets.
func (m *masker) torn(text string) string {
	var b []byte
	done := 0
	key := ""              // of the value that follows
	depth, hidden := 0, -1 // how deep we are, and since when all is a secret
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		default:
			end := i + 1
			if (c == '-' || '0' <= c && c <= '9') && (hidden >= 0 || isHidden(key)) {
				for end < len(text) && strings.IndexByte("0123456789.+-eE", text[end]) >= 0 {
					end++
				}
				m.n++
				b = append(append(b, text[done:i]...), maskedJSON...)
				done = end
			}
			i = end
			continue
		case ',':
			key = ""
		case '{', '[':
			if depth++; hidden < 0 && isHidden(key) {
				hidden = depth
			}
			key = ""
		case '}', ']':
			if depth--; depth < hidden {
				hidden = -1
			}
		case '"':
			end := literalEnd(text, i)
			behind := len(text) - len(strings.TrimLeft(text[end:], " \n\t\r"))
			if behind < len(text) && text[behind] == ':' {
				key, i = unquote(text[i:end]), end
				continue
			}
			if shown := m.tornText(text[i:end], hidden >= 0 || isHidden(key)); shown != text[i:end] {
				b = append(b, text[done:i]...)
				b = append(b, shown...)
				done = end
			}
			i = end
			continue
		}
		i++
	}
	if b == nil {
		return text
	}
	return string(append(b, text[done:]...))
}

// tornText masks a string literal, whose end may be missing.
func (m *masker) tornText(literal string, secret bool) string {
	if len(literal) < 2 || literal[len(literal)-1] != '"' {
		// The part cut off is unknown, but may continue like the beginning.
		if !secret && !strings.Contains(literal, `\"`) && !HoldsSecret(literal[1:]) {
			return literal
		}
		m.n++
		return maskedJSON
	}
	text := unquote(literal)
	switch {
	case text == "":
	case secret || HoldsSecret(text):
		m.n++
		return maskedJSON
	case strings.Contains(literal, `\"`):
		if shown := m.torn(text); shown != text {
			return jsondoc.Quote(shown)
		}
	default:
		unread := masker{Policy: Policy{Addresses: true, Hooks: true}}
		if shown := unread.links(text); shown != text {
			m.n += unread.n
			return jsondoc.Quote(shown)
		}
	}
	return literal
}

// literalEnd is where the string literal at i ends.
func literalEnd(s string, i int) int {
	for i++; i < len(s); {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			break
		}
		// A quote behind an odd number of backslashes is part of the string.
		escaped := false
		for back := i + n - 1; back >= i && s[back] == '\\'; back-- {
			escaped = !escaped
		}
		i += n + 1
		if !escaped {
			return i
		}
	}
	return len(s)
}

// unquote is the content of a string literal, which may be wrong, without NUL
// characters.
func unquote(literal string) string {
	inner := literal[1 : len(literal)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// On an error it is what stands before the fault, and invalid UTF-8 has been
	// replaced.
	b, _ := jsontext.AppendUnquote(make([]byte, 0, len(inner)), literal)
	return strings.ReplaceAll(string(b), "\x00", "")
}
