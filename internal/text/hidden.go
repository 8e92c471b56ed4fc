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
	layers := 1
	if f.mayBeEscaped(s) {
		layers += maxEscapes
	}
	l := layer{text: s}
	for n := range layers {
		if n > 0 {
			l = l.undone()
		}
		for i, form := range f.list {
			begin := strings.Index(l.text, form)
			if begin < 0 {
				continue
			}
			end := begin + len(form)
			if i > 0 {
				begin, end = widened(l.text, begin, end)
			}
			if begin = l.at(begin); begin < from {
				from, to = begin, l.at(end)
			}
		}
	}
	return from, to
}

// widened are the bounds of a form in base64 with the characters around it that may
// stand for bytes of the secret as well.
func widened(s string, begin, end int) (from, to int) {
	least, most := max(0, begin-group), min(len(s), end+group)
	for begin > least && strings.IndexByte(base64Signs, s[begin-1]) >= 0 {
		begin--
	}
	for end < most && strings.IndexByte(base64Signs, s[end]) >= 0 {
		end++
	}
	return begin, end
}

// mayBeEscaped reports whether s has an escape that may stand for a character of the
// secret, or begin another escape. Most texts have none, and undoing the others would
// cost too much.
func (f *knownForms) mayBeEscaped(s string) bool {
	for {
		next := strings.IndexAny(s, `%\`)
		if next < 0 {
			return false
		}
		c, size := unescaped(s[next:])
		if size > 1 && (f.has[c] || c == '%' || c == '\\') {
			return true
		}
		s = s[next+1:]
	}
}

// layer is a text with some layers of escapes undone.
type layer struct {
	text string
	// starts are where in the original each byte of text begins, and where the last
	// one ends. If nothing has been undone they are nil.
	starts []int
}

// at is where in the original the byte i begins.
func (l layer) at(i int) int {
	if l.starts == nil {
		return i
	}
	return l.starts[i]
}

// undone is l with one layer more undone, of the escapes that stand for one byte.
func (l layer) undone() layer {
	plain, starts := make([]byte, 0, len(l.text)), make([]int, 0, len(l.text)+1)
	for i := 0; i < len(l.text); {
		c, size := unescaped(l.text[i:])
		plain, starts = append(plain, c), append(starts, l.at(i))
		i += size
	}
	return layer{string(plain), append(starts, l.at(len(l.text)))}
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
