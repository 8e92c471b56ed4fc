package termsvg_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/termsvg"
)

func TestDraw(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ output, line string }{
		"plain":         {"a  b", `>a  b</text>`},
		"escaped":       {"a <b> & c", `>a &lt;b&gt; &amp; c</text>`},
		"colour":        {"a \x1b[31mb\x1b[0m c", `>a <tspan fill="#ff7b72">b</tspan> c</text>`},
		"bold":          {"\x1b[1;35mb\x1b[0m", `><tspan class="b" fill="#ff7be5">b</tspan></text>`},
		"over two":      {"\x1b[33ma\r\nb", `><tspan fill="#e3b341">b</tspan></text>`},
		"other":         {"\x1b[2K\x1b]0;title\x07a", `>a</text>`},
		"unknown codes": {"\x1b[4;99ma", `>a</text>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svg := string(termsvg.Draw("cfaudit demo", c.output+"\n", 80))
			assert.Contains(t, svg, c.line)
			assert.Contains(t, svg, `</tspan> cfaudit demo</text>`)
			assert.NotContains(t, svg, "\x1b")
			for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
				_, err := dec.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
			}
		})
	}
}

// Each line has a place of its own, and the picture room for all of them.
func TestDraw_GrowsWithTheLines(t *testing.T) {
	t.Parallel()
	svg := string(termsvg.Draw("x", "a\nb\n\nc\n\n", 10))
	assert.Contains(t, svg, `width="116" height="145"`)
	for _, at := range []string{`y="48"`, `y="67"`, `y="86"`, `y="124"`} {
		assert.Contains(t, svg, at)
	}
}
