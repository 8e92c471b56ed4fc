package text

import (
	"slices"
	"strconv"
	"strings"
)

// Hidden is a secret to take out of texts, in whatever way they have it: as it is,
// in base64, and with characters percent-encoded or as escapes of JSON, also of JSON
// inside other JSON. The zero Hidden is none.
type Hidden struct {
	// known keeps the secret from anything that prints a struct.
	known func() *knownForms
}

// knownForms are a secret as it is, and then in base64.
type knownForms struct {
	list []string
	// has are the characters of all of them.
	has [256]bool
}

// Hide makes a Hidden of a secret.
func Hide(secret string) Hidden {
	if secret == "" {
		return Hidden{}
	}
	forms := &knownForms{list: InBase64(secret)}
	for _, form := range forms.list {
		for i := range len(form) {
			forms.has[form[i]] = true
		}
	}
	return Hidden{func() *knownForms { return forms }}
}

// Shortest is the least length of a text with the secret in it, escapes undone.
func (h Hidden) Shortest() int {
	if h.known == nil {
		return 0
	}
	forms := h.known().list
	shortest := len(forms[0])
	for _, f := range forms {
		shortest = min(shortest, len(f))
	}
	return shortest
}

// Replace is s with mask in place of the secret, and how often the secret stood there.
// In base64 it stands between its neighbours, and what they share with it goes too.
func (h Hidden) Replace(s, mask string) (shown string, n int) {
	if h.known == nil {
		return s, 0
	}
	forms := h.known()
	for i, form := range forms.list {
		for from := 0; ; {
			at := strings.Index(s[from:], form)
			if at < 0 {
				break
			}
			start, end := from+at, from+at+len(form)
			if i > 0 {
				start, end = groupsAround(s, start, end)
			}
			s, from, n = s[:start]+mask+s[end:], start+len(mask), n+1
		}
	}
	s, more := forms.replaceEscaped(s, mask)
	return s, n + more
}

// group is how many characters of base64 stand for three bytes.
const group = 4

// groupsAround widens a part of a text in base64 by the characters before and after
// it that may stand for bytes of the secret as well.
func groupsAround(s string, start, end int) (from, to int) {
	for from = start; from > 0 && start-from < group && inBase64(s[from-1]); {
		from--
	}
	for to = end; to < len(s) && to-end < group && inBase64(s[to]); {
		to++
	}
	return from, to
}

func inBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/-_=", c) >= 0
}

// mayBeEscaped reports whether s has an escape that may stand for a character of the
// secret. Most texts have none, and undoing the others would cost too much.
func (f *knownForms) mayBeEscaped(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '%':
			c, size := unescaped(s[i:])
			if size > 1 && (f.has[c] || c == '%' || c == '\\') {
				return true
			}
		case '\\':
			if i+1 < len(s) && s[i+1] == '\\' && f.has['\\'] {
				return true
			}
			for i+1 < len(s) && s[i+1] == '\\' {
				i++ // the last one decides, however often the text is escaped
			}
			c, size := unescaped(s[i:])
			if size > 1 && f.has[c] || size > 2 && (c == '%' || c == '\\') {
				return true
			}
		}
	}
	return false
}

// maxEscapes is how often a text may be escaped inside another one.
const maxEscapes = 4

// replaceEscaped is Replace for the forms with escapes in them.
func (f *knownForms) replaceEscaped(s, mask string) (shown string, n int) {
	if !f.mayBeEscaped(s) {
		return s, 0
	}
	plain := s
	// starts are where in s each byte of plain begins, and where the last one ends.
	starts := make([]int, len(s)+1)
	for i := range starts {
		starts[i] = i
	}
	for range maxEscapes {
		var again bool
		if plain, starts, again = unescape(plain, starts); !again {
			break
		}
		found := f.findAll(plain)
		if len(found) == 0 {
			continue
		}
		for _, part := range slices.Backward(found) {
			s = s[:starts[part[0]]] + mask + s[starts[part[1]]:]
		}
		s, n = f.replaceEscaped(s, mask) // what is escaped more often
		return s, n + len(found)
	}
	return s, 0
}

// findAll are the places of the forms in s, in order and apart.
func (f *knownForms) findAll(s string) (parts [][2]int) {
	for from := 0; from < len(s); {
		next := [2]int{len(s), len(s)}
		for i, form := range f.list {
			at := strings.Index(s[from:], form)
			if at < 0 || from+at >= next[0] {
				continue
			}
			next = [2]int{from + at, from + at + len(form)}
			if i > 0 {
				next[0], next[1] = groupsAround(s, next[0], next[1])
				next[0] = max(next[0], from)
			}
		}
		if next[0] == len(s) {
			break
		}
		parts, from = append(parts, next), next[1]
	}
	return parts
}

// unescape undoes one layer of escapes that stand for one byte. again
// reports whether there were any. Its arguments remain as they are.
func unescape(s string, starts []int) (plain string, at []int, again bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		c, size := unescaped(s[i:])
		b.WriteByte(c)
		at = append(at, starts[i])
		again = again || size > 1
		i += size
	}
	return b.String(), append(at, starts[len(s)]), again
}

// unescaped is the character that s begins with, and how many bytes it takes.
func unescaped(s string) (c byte, size int) {
	switch {
	case s[0] == '%' && len(s) >= 3:
		if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return byte(n), 3
		}
	case s[0] == '\\' && len(s) >= 6 && s[1] == 'u':
		if n, err := strconv.ParseUint(s[2:6], 16, 7); err == nil {
			return byte(n), 6
		}
	case s[0] == '\\' && len(s) >= 2 && strings.IndexByte(`\/"`, s[1]) >= 0:
		return s[1], 2
	}
	return s[0], 1
}
