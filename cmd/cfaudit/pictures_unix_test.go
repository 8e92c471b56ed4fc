//go:build unix

package main

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/termsvg"
)

var drawPictures = flag.Bool("pictures", false, "draw docs/demo.svg again")

// The terminal of the picture is as wide as what GitHub shows without scaling.
func TestPictures_DrawTheDemo(t *testing.T) {
	t.Parallel()
	if !*drawPictures {
		t.Skip("make pictures draws the picture")
	}
	const columns = 100
	cmd, terminal := call{args: []string{"demo"}}.onTerminal(t, columns)
	out, _ := io.ReadAll(terminal) // the end of a terminal is an error on Linux
	require.NoError(t, cmd.Wait())
	require.NoError(t, os.WriteFile("../../docs/demo.svg", termsvg.Draw("cfaudit demo", string(out), columns), 0o644))
}
