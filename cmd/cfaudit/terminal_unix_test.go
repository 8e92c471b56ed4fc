//go:build unix

package main

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The built command finds out by itself that it writes to a terminal, how wide
// that is, and what its environment says.
func TestDemo_OnARealTerminal(t *testing.T) {
	t.Parallel()
	name, err := build()
	require.NoError(t, err)
	for _, env := range []string{"TERM=xterm", "NO_COLOR=1", "TERM=dumb"} {
		cmd := exec.Command(name, "demo")
		cmd.Env = []string{env}
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 72})
		require.NoError(t, err)
		// The end of a terminal whose process has gone is an error on Linux.
		b, _ := io.ReadAll(terminal)
		require.NoError(t, cmd.Wait())
		require.NoError(t, terminal.Close())
		out := string(b)
		assert.Equal(t, env == "TERM=xterm", strings.Contains(out, "\x1b[1;35mcritical"), env)
		for line := range strings.Lines(ansi.ReplaceAllString(out, "")) {
			if !strings.HasPrefix(line, "first poll:") && !strings.HasPrefix(line, "dropped:") {
				assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\r\n"))), 72, line)
			}
		}
	}
}
