//go:build unix

package main

import (
	"bytes"
	"errors"
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

// end runs a command line as a process of its own to its end.
func (c call) end(t *testing.T, prepare func(*exec.Cmd)) result {
	t.Helper()
	var out, errs bytes.Buffer
	err := c.start(t, func(cmd *exec.Cmd) {
		cmd.Stdout, cmd.Stderr = &out, &errs
		if prepare != nil {
			prepare(cmd)
		}
	}).Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, err == nil || ok && exit.Exited(), "%s: %s", err, &errs)
	code := exitOK
	if err != nil {
		code = exit.ExitCode()
	}
	return result{code, out.String(), errs.String()}
}

// smallDisk lets the process write no file beyond so many blocks of 512 bytes,
// which is for it what a full disk is: a write stores what fits and then fails.
func smallDisk(blocks int) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -f %d && exec "$0" "$@"`, blocks)}, cmd.Args...)
		cmd.Path = "/bin/sh"
	}
}

func TestFull_ADeviceWithoutRoomMovesNoCursor(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	entries := append(recent(10), since(20)...)
	a := newAccount(t, entries[:10]...)
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--drop-routine=false", "--overlap", "2h")
	first := poll.end(t, nil)
	require.Equal(t, exitOK, first.code, first.err)
	cursor := read(t, filepath.Join(state, cursorName))
	a.Add(time.Time{}, entries[10:]...)

	for name, failed := range map[string]result{
		"/dev/full":   a.call(append(poll.args[:len(poll.args)-2:len(poll.args)-2], "--out", "/dev/full")...).end(t, nil),
		"/dev/stdout": poll.end(t, func(cmd *exec.Cmd) { cmd.Stdout = full }),
	} {
		assert.Equal(t, exitFailed, failed.code, name)
		assert.Contains(t, failed.err, "write "+name+": no space left on device\n")
		assert.Equal(t, 1, strings.Count(failed.err, "\n"), failed.err)
		assert.Equal(t, cursor, read(t, filepath.Join(state, cursorName)), name)
	}
	rest := poll.end(t, nil)
	require.Equal(t, exitOK, rest.code, rest.err)
	assert.ElementsMatch(t, idsOf(t, entries), append(ids(t, first.out), ids(t, rest.out)...))
}

func TestFull_AFileThatCannotGrowHoldsWholeLinesAndGoesOnLater(t *testing.T) {
	t.Parallel()
	entries := recent(250)
	a := newAccount(t, entries...)
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "events.jsonl")
	poll := a.call("poll", "--state", state, "--out", out, "--drop-routine=false", "--overlap", "2h", "--max-events", "20")
	var cursor, lines string
	for n := range 3 {
		failed := poll.end(t, smallDisk(200))
		assert.Equal(t, exitFailed, failed.code)
		assert.Contains(t, failed.err, "cannot deliver the events: write "+out+": file too large\n")
		lines = read(t, out)
		written := ids(t, lines)
		assert.NotEmpty(t, written)
		assert.Zero(t, len(written)%20, "a part of a batch is left")
		assert.Equal(t, []string{".lock", cursorName}, names(t, state))
		if n > 0 {
			assert.Equal(t, cursor, read(t, filepath.Join(state, cursorName)))
		}
		cursor = read(t, filepath.Join(state, cursorName))
	}
	got := poll.end(t, nil)
	require.Equal(t, exitOK, got.code, got.err)
	all := read(t, out)
	assert.True(t, strings.HasPrefix(all, lines), "what was written has changed")
	assert.ElementsMatch(t, idsOf(t, entries), ids(t, all))
}

func TestFull_ACursorThatCannotBeSavedCostsOneBatchAtMost(t *testing.T) {
	t.Parallel()
	const batch = 200
	entries := append(recent(1), since(999)...)
	a := newAccount(t, entries[:1]...)
	state := t.TempDir()
	poll := a.call("poll", "--state", state, "--drop-routine=false", "--overlap", "2h", "--max-events", fmt.Sprint(batch))
	first := poll.end(t, nil)
	require.Equal(t, exitOK, first.code, first.err)
	cursor := read(t, filepath.Join(state, cursorName))
	require.Less(t, len(cursor), 1024)
	a.Add(time.Time{}, entries[1:]...)

	// Room for the cursor as it is, but not for one with a batch more in it.
	failed := poll.end(t, smallDisk(2))
	assert.Equal(t, exitFailed, failed.code)
	assert.Contains(t, failed.err, "cannot save the cursor of ")
	assert.Contains(t, failed.err, "write "+filepath.Join(state, cursorName)+".tmp: file too large\n")
	assert.Equal(t, cursor, read(t, filepath.Join(state, cursorName)))
	assert.Equal(t, []string{".lock", cursorName}, names(t, state), "remains keep what little room there is")
	assert.Equal(t, batch, strings.Count(failed.out, "\n"))

	rest := poll.end(t, nil)
	require.Equal(t, exitOK, rest.code, rest.err)
	all := append(ids(t, first.out), ids(t, failed.out)...)
	all = append(all, ids(t, rest.out)...)
	assert.Equal(t, set(idsOf(t, entries)), set(all))
	assert.Len(t, all, len(entries)+len(ids(t, failed.out)), "more than the batch is repeated")
}

// Where the cursor cannot be kept, that is said before an entry is read, so that
// no event is written again and again.
func TestFull_AStateThatCannotBeWrittenIsNotedFirst(t *testing.T) {
	t.Parallel()
	const tmp = cursorName + ".tmp"
	tests := map[string]struct {
		prepare func(t *testing.T, folder string) (state string)
		disk    func(*exec.Cmd) // or nil for one with room
		want    string
	}{
		"a file": {
			prepare: func(t *testing.T, folder string) string { return write(t, "text") },
			want:    "cfaudit: cannot make the folder: %s is not a folder",
		},
		"below a file": {
			prepare: func(t *testing.T, folder string) string { return filepath.Join(write(t, "text"), "state") },
			want:    "cfaudit: cannot make the folder: mkdir %s: not a directory",
		},
		"no right to make it": {
			prepare: func(t *testing.T, folder string) string {
				require.NoError(t, os.Chmod(folder, 0o555))
				return filepath.Join(folder, "state")
			},
			want: "cfaudit: cannot make the folder: mkdir %s: permission denied",
		},
		"no right to write": {
			prepare: func(t *testing.T, folder string) string {
				require.NoError(t, os.Chmod(folder, 0o555))
				return folder
			},
			want: "cfaudit: cannot lock the folder %[1]s: open %[1]s/.lock: permission denied",
		},
		"no right to write any more": {
			prepare: func(t *testing.T, folder string) string {
				require.NoError(t, os.WriteFile(filepath.Join(folder, ".lock"), nil, 0o666))
				require.NoError(t, os.Chmod(filepath.Join(folder, ".lock"), 0o666))
				require.NoError(t, os.Chmod(folder, 0o555))
				return folder
			},
			want: "cfaudit: cannot write to the folder: open %s/probe.cursor.tmp: permission denied",
		},
		"a folder in place of the cursor": {
			prepare: func(t *testing.T, folder string) string {
				require.NoError(t, os.MkdirAll(filepath.Join(folder, cursorName), 0o777))
				return folder
			},
			want: "read %s/" + cursorName + ": is a directory; make the file readable, or delete it to start anew",
		},
		"a folder in place of the new cursor": {
			prepare: func(t *testing.T, folder string) string {
				require.NoError(t, os.MkdirAll(filepath.Join(folder, tmp, "full"), 0o777))
				return folder
			},
			want: "cfaudit: cannot clean the folder: remove %s/" + tmp + ": directory not empty",
		},
		"no room at all": {
			prepare: func(t *testing.T, folder string) string { return folder },
			disk:    smallDisk(0),
			want:    "cfaudit: cannot write to the folder: write %s/probe.cursor.tmp: file too large",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, recent(3)...)
			folder := t.TempDir()
			require.NoError(t, os.Chmod(folder, 0o777))
			t.Cleanup(func() { _ = os.Chmod(folder, 0o777) })
			state := tt.prepare(t, folder)
			got := a.call("poll", "--state", state).end(t, func(cmd *exec.Cmd) {
				asNobody(t, cmd, folder)
				if tt.disk != nil {
					tt.disk(cmd)
				}
			})
			assert.Equal(t, exitFailed, got.code)
			assert.Contains(t, got.err, fmt.Sprintf(tt.want, state))
			// The mode with which others can use the folder may be told, too.
			assert.Equal(t, 1, strings.Count(got.err, "\n")-strings.Count(got.err, "chmod o-w"), got.err)
			assert.Empty(t, got.out)
			assert.Empty(t, a.Requests(), "entries are read")
		})
	}
}

// asNobody takes the rights of root off cmd, which no folder can keep out. The
// folders it needs are given to everybody.
func asNobody(t *testing.T, cmd *exec.Cmd, folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	for _, path := range []string{filepath.Dir(cmd.Path), filepath.Dir(folder)} {
		require.NoError(t, os.Chmod(path, 0o755))
	}
}

// A pipe without a peer is waited for, but not against the will of who stops it.
func TestStop_WhileItWaitsForAPipe(t *testing.T) {
	t.Parallel()
	a := newAccount(t, recent(3)...)
	for _, flag := range []string{"--out", "--token-file"} {
		for _, command := range []string{"poll", "run"} {
			pipe := filepath.Join(t.TempDir(), "pipe")
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			cmd := a.call(command, "--state", t.TempDir(), flag, pipe).start(t, nil)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				t.Fatalf("%s with %s does not wait: %v", command, flag, err)
			case <-time.After(300 * time.Millisecond):
			}
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Errorf("%s with %s does not stop", command, flag)
				require.NoError(t, cmd.Process.Kill())
			}
		}
	}
}

// A reader that has stopped reading must not keep whoever stops the command.
func TestStop_WhileNobodyReadsThePipe(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"a named pipe", "jsonl", "csv"} {
		for _, command := range []string{"poll", "run"} {
			t.Run(command+" to "+out, func(t *testing.T) {
				t.Parallel()
				a := newAccount(t, recent(1000)...)
				flags := []string{"--state", t.TempDir()}
				var stdout *os.File
				if pipe := filepath.Join(t.TempDir(), "pipe"); out == "a named pipe" {
					require.NoError(t, syscall.Mkfifo(pipe, 0o600))
					reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
					require.NoError(t, err)
					defer reader.Close()
					flags = append(flags, "--out", pipe)
				} else {
					reader, writer, err := os.Pipe()
					require.NoError(t, err)
					defer reader.Close()
					defer writer.Close()
					stdout, flags = writer, append(flags, "--format", out)
				}
				var errs bytes.Buffer
				cmd := a.call(append([]string{command}, flags...)...).start(t, func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = stdout, &errs })
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				before := 0
				require.Eventually(t, func() bool {
					n := len(a.Requests())
					stuck := n > 0 && n == before
					before = n
					return stuck
				}, 20*time.Second, time.Second)
				require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
				select {
				case <-ended:
				case <-time.After(20 * time.Second):
					require.NoError(t, cmd.Process.Kill())
					<-ended
					require.Fail(t, "it does not stop", errs.String())
				}
				if command == "run" {
					assert.Contains(t, errs.String(), "stopped with a batch in hand; the next run reads its entries again")
				}
				assert.Equal(t, command == "poll", cmd.ProcessState.ExitCode() != 0, errs.String())
			})
		}
	}
}
