package cloudflareaudit

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// growth is what a number of accounts in one process costs.
type growth struct {
	accounts int
	memory   float64 // of all of them, in MB; 0 where the measurement itself is a part
	cpu      float64 // per cent of a core
	requests float64 // a second
}

// The plot in docs/growth.svg is drawn anew by
//
//	go test -run '^TestCost_OfManyAccounts$' . -figures -update
func writeGrowth(t *testing.T, rows []growth) {
	t.Helper()
	require.NoError(t, os.WriteFile("docs/growth.svg", []byte(plotGrowth(rows)), 0o644))
}

// Both axes of its panels are logarithmic, so that what grows with the number of
// accounts is a line of the same slope.
func plotGrowth(rows []growth) string {
	const width, height, panel, left, top, bottom = 780, 250, 250, 52, 34, 40
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" role="img" aria-label="memory, CPU and requests by the number of accounts">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for i, p := range []struct {
		title, colour string
		of            func(growth) float64
	}{
		{"memory, MB", "#0b6", func(g growth) float64 { return g.memory }},
		{"CPU, % of a core", "#06c", func(g growth) float64 { return g.cpu }},
		{"requests a second", "#c50", func(g growth) float64 { return g.requests }},
	} {
		x0, x1 := float64(i*(panel+10)+left), float64(i*(panel+10)+panel-8)
		y0, y1 := float64(height-bottom), float64(top)
		rows := slices.DeleteFunc(slices.Clone(rows), func(g growth) bool { return p.of(g) <= 0 })
		low, high := math.Inf(1), math.Inf(-1)
		for _, g := range rows {
			low, high = min(low, math.Floor(math.Log10(p.of(g)))), max(high, math.Ceil(math.Log10(p.of(g))))
		}
		most := math.Ceil(math.Log10(float64(rows[len(rows)-1].accounts)))
		x := func(accounts int) float64 { return x0 + (x1-x0)*math.Log10(float64(accounts))/most }
		y := func(v float64) float64 { return y0 + (y1-y0)*(math.Log10(v)-low)/(high-low) }
		fmt.Fprintf(&b, `<text x="%.0f" y="18" font-weight="bold">%s</text>`+"\n", x0, p.title)
		for e := low; e <= high; e++ {
			at := y(math.Pow(10, e))
			fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", x0, at, x1, x0-5, at+4, strconv.FormatFloat(math.Pow(10, e), 'f', -1, 64))
		}
		for e := 0.0; e <= most; e++ {
			at := x(int(math.Pow(10, e)))
			fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle">%g</text>`+"\n", at, y0, y1, at, y0+15, math.Pow(10, e))
		}
		var line []string
		for _, g := range rows {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(g.accounts), y(p.of(g))))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(g.accounts), y(p.of(g)), p.colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(line, " "), p.colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">accounts</text>`+"\n", (x0+x1)/2, height-8)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
