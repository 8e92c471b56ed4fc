//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

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

// onTerminal starts the built command on a terminal of its own.
func (c call) onTerminal(t *testing.T, width uint16) (cmd *exec.Cmd, terminal io.ReadWriteCloser) {
	t.Helper()
	name, err := build()
	require.NoError(t, err)
	cmd = exec.Command(name, c.args...)
	cmd.Env = []string{"TERM=xterm"}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: width})
	require.NoError(t, err)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = file.Close() })
	return cmd, file
}

// endedWithin waits for a command to end, and returns its state.
func endedWithin(t *testing.T, limit time.Duration, cmd *exec.Cmd) syscall.WaitStatus {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(limit):
		t.Fatal("the command has not ended")
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// A run whose terminal is closed would go on unseen, and keep its folder locked.
func TestRun_EndsWithItsTerminal(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	cmd, terminal := a.call("run", "--state", t.TempDir()).onTerminal(t, 100)
	seen := bufio.NewReader(terminal)
	for line := ""; !strings.Contains(line, "TITLE"); {
		var err error
		line, err = seen.ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, terminal.Close()) // which the kernel tells by SIGHUP
	assert.Equal(t, syscall.SIGHUP, endedWithin(t, 10*time.Second, cmd).Signal())
}
