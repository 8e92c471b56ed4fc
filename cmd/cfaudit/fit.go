package main

import (
	"io"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/table"
)

// below is the indentation of what stands below the row it belongs to.
const below = "    "

// writeFitting writes the table wide. On a terminal that is narrower it writes the
// rows of narrow, whose cells from the column on stand below the others, wrapped.
func writeFitting(w io.Writer, wide, narrow [][]string, column int) error {
	width, isTerminal := table.Terminal(w)
	var b strings.Builder
	if err := writeTable(&b, wide); err != nil {
		return err
	}
	if isTerminal && widest(b.String()) > width {
		return writeStacked(w, narrow, column, max(width, table.MinWidth))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widest is the number of characters in the longest line of s.
func widest(s string) (most int) {
	for line := range strings.Lines(s) {
		most = max(most, len([]rune(strings.TrimRight(line, "\n"))))
	}
	return most
}

// writeStacked writes rows whose cells from the column on stand below the others, in
// lines of at most width characters.
func writeStacked(w io.Writer, rows [][]string, column, width int) error {
	heads := make([][]string, len(rows))
	for i, row := range rows {
		heads[i] = row[:column:column]
	}
	var b, out strings.Builder
	if err := writeTable(&b, heads); err != nil {
		return err
	}
	i := 0
	for line := range strings.Lines(b.String()) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(line)
		}
		for _, cell := range rows[i][column:] {
			if cell == "" || i == 0 {
				continue // a heading of what is below would say nothing
			}
			for _, line := range table.Wrap(table.Clean(cell), width-len(below)) {
				out.WriteString(below + line + "\n")
			}
		}
		i++
	}
	_, err := io.WriteString(w, out.String())
	return err
}
