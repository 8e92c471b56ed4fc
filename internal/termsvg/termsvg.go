// Package termsvg draws what a command wrote to a terminal as a picture in SVG:
// text in a window, with the colours of ANSI escape sequences. It knows colours
// and bold, and leaves out every other sequence.
package termsvg

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// The size of a character and the space around the text, in pixels.
const (
	charWidth, lineHeight = 8.4, 19
	margin, bar           = 16, 34
)

// colours are those of SGR codes, legible on the background.
var colours = map[string]string{
	"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#ff7be5", "36": "#76e3ea", "90": "#8b949e",
}

const background, foreground, prompt = "#0d1117", "#e6edf3", "#7ee787"

// sequence is an escape sequence; the group has the codes of one for colours.
var sequence = regexp.MustCompile(`\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07]*\x07`)

// Draw draws a command line and what it wrote, which has at most that many columns.
func Draw(command, output string, columns int) []byte {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(output, "\r\n", "\n"), "\n"), "\n")
	width, height := 2*margin+charWidth*float64(columns), bar+margin+lineHeight*(len(lines)+1)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img" aria-label="%s in a terminal">
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:%s}.b{font-weight:bold}</style>
<rect width="100%%" height="100%%" rx="8" fill="%s"/>
`, width, height, width, height, escaped(command), foreground, background)
	for i, colour := range []string{"#ff5f56", "#ffbd2e", "#27c93f"} {
		fmt.Fprintf(&b, "<circle cx=\"%d\" cy=\"17\" r=\"6\" fill=\"%s\"/>\n", margin+6+20*i, colour)
	}
	at := func(line int) int { return bar + lineHeight*(line+1) - 5 }
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\"><tspan fill=\"%s\">$</tspan> %s</text>\n", margin, at(0), prompt, escaped(command))
	style := ""
	for i, line := range lines {
		var text string
		if text, style = spans(line, style); text != "" {
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", margin, at(i+1), text)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// spans are the parts of a line, each with the style that holds for it, and the
// style at its end.
func spans(line, style string) (text, after string) {
	var b strings.Builder
	add := func(part string) {
		if part == "" {
			return
		}
		if style == "" {
			b.WriteString(escaped(part))
			return
		}
		fmt.Fprintf(&b, "<tspan%s>%s</tspan>", style, escaped(part))
	}
	for {
		at := sequence.FindStringSubmatchIndex(line)
		if at == nil {
			add(line)
			return b.String(), style
		}
		add(line[:at[0]])
		if at[2] >= 0 {
			style = styled(line[at[2]:at[3]])
		}
		line = line[at[1]:]
	}
}

// styled are the attributes for the codes of a sequence.
func styled(codes string) (attributes string) {
	for code := range strings.SplitSeq(codes, ";") {
		switch colour, known := colours[code]; {
		case known:
			attributes += ` fill="` + colour + `"`
		case code == "1":
			attributes += ` class="b"`
		}
	}
	return attributes
}

// escaped is a text in XML.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes all
	return b.String()
}
