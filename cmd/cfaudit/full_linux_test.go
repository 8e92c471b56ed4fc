package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newDisk is a folder on a disk of its own, of the size given as mount takes it.
// The disk is in memory and exists in a name space that a second process holds
// open, which takes no rights where users may have name spaces of their own.
func newDisk(t *testing.T, size string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	holder := exec.Command("sh", "-c", `mount -t tmpfs -o size="$1" tmpfs "$0" && echo ready && exec cat`, folder, size)
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	var errs bytes.Buffer
	holder.Stderr = &errs
	hold, err := holder.StdinPipe()
	require.NoError(t, err)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	if err := holder.Start(); err != nil {
		t.Skipf("no disk can be made here: %s", err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		_ = holder.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = holder.Wait()
		t.Skipf("no disk can be made here: %s%s", line, &errs)
	}
	return fmt.Sprintf("/proc/%d/root%s", holder.Process.Pid, folder)
}

func TestFull_ADiskThatFillsUpIsWaitedFor(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, "1m")
	filler := filepath.Join(disk, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 800<<10), 0o600))
	entries := recent(250)
	a := newAccount(t, entries...)
	state, out, log := filepath.Join(disk, "state"), filepath.Join(disk, "events.jsonl"), filepath.Join(t.TempDir(), "log")
	errs, err := os.Create(log)
	require.NoError(t, err)
	defer errs.Close()
	args := []string{"--state", state, "--out", out, "--drop-routine=false", "--overlap", "2h", "--max-events", "20"}
	cmd := a.call(append([]string{"run"}, args...)...).start(t, func(cmd *exec.Cmd) { cmd.Stderr = errs })

	const want = "no space left on device"
	require.Eventually(t, func() bool { return strings.Contains(read(t, log), want) }, 20*time.Second, 10*time.Millisecond)
	assert.Contains(t, read(t, log), `step=deliver`)
	assert.Contains(t, read(t, log), "write "+out+": "+want)
	written := strings.Count(read(t, out), "\n")
	assert.Positive(t, written)
	assert.Zero(t, written%20, "a part of a batch is left")

	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool {
		text := read(t, out)
		return strings.Count(text, "\n")-strings.Count(text, `"external_id":"burst-`) == len(entries)
	}, 30*time.Second, 10*time.Millisecond)
	assert.Contains(t, read(t, log), "ingest recovered")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, read(t, out)))

	// With no room left for a cursor nothing is read.
	cursor := read(t, filepath.Join(state, cursorName))
	file, err := os.Create(filler)
	require.NoError(t, err)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
	requests := len(a.Requests())
	poll := a.call(append([]string{"poll"}, args...)...)
	failed := poll.end(t, nil)
	assert.Equal(t, exitFailed, failed.code)
	assert.Regexp(t, `^cfaudit: cannot write to the folder: .*probe\.cursor\.tmp: `+want+"\n$", failed.err)
	assert.Len(t, a.Requests(), requests)
	assert.Equal(t, cursor, read(t, filepath.Join(state, cursorName)))
	assert.Equal(t, []string{".lock", cursorName}, names(t, state))

	require.NoError(t, os.Remove(filler))
	got := poll.end(t, nil)
	require.Equal(t, exitOK, got.code, got.err)
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, read(t, out)))
}
