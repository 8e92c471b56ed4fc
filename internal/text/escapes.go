package text

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ReplaceEscapes replaces the escapes of NUL and of lone surrogates in a JSON
// text by that of U+FFFD. Databases refuse the former, and some readers fail on
// the latter.
func ReplaceEscapes(s string) (out string, replaced bool) {
	if !strings.Contains(s, `\u`) {
		return s, false
	}
	var b []byte
	for i := strings.IndexByte(s, '\\'); ; {
		skip := 2
		if code, ok := escaped(s[i:]); ok {
			skip = len(`\u0000`)
			low, paired := escaped(s[i+skip:])
			switch {
			case utf16.IsSurrogate(code) && paired && utf16.DecodeRune(code, low) != utf8.RuneError:
				skip *= 2
			case utf16.IsSurrogate(code) || code == 0:
				if b == nil {
					b = []byte(s)
				}
				copy(b[i:], `\ufffd`)
			}
		}
		next := strings.IndexByte(s[i+skip:], '\\')
		if next < 0 {
			break
		}
		i += skip + next
	}
	if b == nil {
		return s, false
	}
	return string(b), true
}

// escaped is the code unit that s begins with as an escape of the form \u0000.
func escaped(s string) (rune, bool) {
	if len(s) < len(`\u0000`) || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
