package text

import (
	"strconv"
	"strings"
)

// Hidden takes a secret out of texts: it returns s with mask in place of the secret,
// and how often the secret stood there. It keeps the secret from anything that prints
// a struct.
type Hidden func(s, mask string) (shown string, n int)

// Hide makes a Hidden of a secret, which it finds in whatever way a text has it: as it
// is, in base64, and with characters percent-encoded or as escapes of JSON, also of
// JSON inside other JSON. In base64 the secret stands between its neighbours, and what
// they share with it goes too. An empty secret is nowhere.
func Hide(secret string) Hidden {
	var forms knownForms
	if secret != "" {
		forms.list = InBase64(secret)
	}
	for _, form := range forms.list {
		for _, c := range []byte(form) {
			forms.has[c] = true
		}
	}
	return func(s, mask string) (string, int) {
		for done, n := 0, 0; ; n++ {
			from, to := forms.first(s[done:])
			if to == 0 {
				return s, n
			}
			s = s[:done+from] + mask + s[done+to:]
			done += from + len(mask)
		}
	}
}

// knownForms are a secret as it is, and then in base64.
type knownForms struct {
	list []string
	// has are the characters of all of them.
	has [256]bool
}

// group is how many characters of base64 stand for three bytes.
const group = 4

// base64Signs are the characters of base64, in its two alphabets.
const base64Signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

// maxEscapes is how often a text may be escaped inside another one.
const maxEscapes = 4

// first is where in s the secret stands first, from zero to zero if it does not.
func (f *knownForms) first(s string) (from, to int) {
	from = len(s)
	plain := s
	// starts are where in s each byte of plain begins, and where the last one ends.
	// While plain is s they are nil.
	var starts []int
	for range 1 + maxEscapes {
		for i, form := range f.list {
			begin := strings.Index(plain, form)
			if begin < 0 {
				continue
			}
			end := begin + len(form)
			if i > 0 {
				// The characters around it may stand for bytes of it as well.
				least, most := max(0, begin-group), min(len(plain), end+group)
				for begin > least && strings.IndexByte(base64Signs, plain[begin-1]) >= 0 {
					begin--
				}
				for end < most && strings.IndexByte(base64Signs, plain[end]) >= 0 {
					end++
				}
			}
			if starts != nil {
				begin, end = starts[begin], starts[end]
			}
			if begin < from {
				from, to = begin, end
			}
		}
		// Most texts have no escape that may stand for a character of the secret, or
		// begin another escape. Undoing the others would cost too much.
		next := strings.IndexAny(s, `%\`)
		for i := next; i >= 0 && starts == nil; i += 1 + next {
			c, size := unescaped(s[i:])
			if size > 1 && (f.has[c] || c == '%' || c == '\\') {
				break
			}
			if next = strings.IndexAny(s[i+1:], `%\`); next < 0 {
				break
			}
		}
		if next < 0 {
			break
		}
		// One layer of escapes that stand for one byte.
		undone, at := make([]byte, 0, len(plain)), make([]int, 0, len(plain)+1)
		for i, size := 0, 0; i <= len(plain); i += size {
			start := i
			if starts != nil {
				start = starts[i]
			}
			at = append(at, start)
			if i == len(plain) {
				break
			}
			var c byte
			c, size = unescaped(plain[i:])
			undone = append(undone, c)
		}
		plain, starts = string(undone), at
	}
	return from, to
}

// unescaped is the character that s begins with, and how many bytes it takes.
func unescaped(s string) (c byte, size int) {
	digits, end := 0, 0
	switch {
	case s[0] == '%':
		digits, end = 1, 3
	case strings.HasPrefix(s, `\u`):
		digits, end = 2, 6
	case len(s) > 1 && s[0] == '\\' && strings.IndexByte(`\/"`, s[1]) >= 0:
		return s[1], 2
	}
	if 0 < end && end <= len(s) {
		if n, err := strconv.ParseUint(s[digits:end], 16, 8); err == nil {
			return byte(n), end
		}
	}
	return s[0], 1
}
