package table

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// cells measures text in the columns of a terminal, whatever the locale: wide
// characters take two.
var cells = &runewidth.Condition{}

// Clean is s in one line without characters that would move the cursor, change
// the colours, or show the text in another order than it is stored in.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// Wrap breaks s, which has been cleaned, into lines of at most width columns. It
// breaks at spaces, and within a word only where the word alone is wider.
// Nothing but the spaces at the breaks is lost.
func Wrap(s string, width int) []string {
	var lines []string
	line, used := "", 0
	flush := func() { lines, line, used = append(lines, line), "", 0 }
	for word := range strings.FieldsSeq(s) {
		n := cells.StringWidth(word)
		if used > 0 && used+1+n > width {
			flush()
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		for n > width-used {
			head := cells.Truncate(word, width-used, "")
			if head == "" {
				if used > 0 {
					flush()
					continue
				}
				// A character that is wider than the column.
				head = string([]rune(word)[:1])
			}
			line += head
			flush()
			word = word[len(head):]
			n = cells.StringWidth(word)
		}
		line, used = line+word, used+n
	}
	if line != "" || lines == nil {
		flush()
	}
	return lines
}

// pad fills s up with spaces to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-cells.StringWidth(s)))
}
