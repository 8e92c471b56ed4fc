//go:build linux || darwin

package sink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/sink"
)

func init() {
	// A limit on the size of files stands in for a full disk: a write stores
	// what fits and then fails.
	children["write on a full disk"] = func(path string) error {
		f, err := sink.OpenFile(path)
		if err != nil {
			return err
		}
		ctx := context.Background()
		if err := f.Write(ctx, events("1")); err != nil {
			return err
		}
		signal.Ignore(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		full := limit
		full.Cur = uint64(len(line("1")+line("2")) + 20)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			return err
		}
		for range 2 {
			if err := f.Write(ctx, events("2", "3")); !errors.Is(err, syscall.EFBIG) {
				return fmt.Errorf("the write on a full disk returned %w", err)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != line("1") {
				return fmt.Errorf("after the failed write the file holds %s, %w", b, err)
			}
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		if err := f.Write(ctx, events("2", "3")); err != nil {
			return err
		}
		return f.Close()
	}
}

func TestFile_ARetryAfterAFullDiskLeavesEachLineOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	out, err := child(t, "write on a full disk", path, 0).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, line("1")+line("2")+line("3"), content(t, path))
}

func TestFile_ReportsAFullDevice(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	f := openFile(t, "/dev/full")
	assert.ErrorIs(t, f.Write(t.Context(), events("1")), syscall.ENOSPC)
}

func TestFile_WritesToANamedPipe(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	got := make(chan string)
	go func() {
		reader, err := os.Open(path)
		if !assert.NoError(t, err) {
			close(got)
			return
		}
		defer reader.Close()
		b, err := io.ReadAll(reader)
		assert.NoError(t, err)
		got <- string(b)
	}()
	f, err := sink.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), events("1", "2")))
	require.NoError(t, f.Close())
	assert.Equal(t, line("1")+line("2"), <-got)
}

func TestFile_FailsOnAPipeWhoseReaderHasGone(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	opened := make(chan *os.File)
	go func() {
		reader, err := os.Open(path)
		assert.NoError(t, err)
		opened <- reader
	}()
	f := openFile(t, path)
	require.NoError(t, (<-opened).Close())
	// A process that another test has just started has the reading end too,
	// for a moment.
	require.Eventually(t, func() bool {
		return errors.Is(f.Write(t.Context(), events("1")), syscall.EPIPE)
	}, 10*time.Second, time.Millisecond)
}

func TestFile_WritesToStandardOutput(t *testing.T) {
	t.Parallel()
	cmd := child(t, "write one batch", "/dev/stdout", 0)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	assert.Len(t, ids(t, []byte(stdout.String())), batchSize)
}

func TestFile_GoesOnInANewFileWhenItsOwnHasBeenMovedAway(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), events("1")))
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, f.Write(t.Context(), events("2")))
	assert.Equal(t, line("1"), content(t, path+".1"))
	assert.Equal(t, line("2"), content(t, path))

	// What is removed is read by nobody any more.
	require.NoError(t, os.Remove(path))
	require.NoError(t, f.Write(t.Context(), events("3")))
	assert.Equal(t, line("3"), content(t, path))

	// The new file is locked as the first was.
	_, err := sink.OpenFile(path)
	assert.ErrorContains(t, err, "another process writes to "+path)
	other, err := sink.OpenFile(path + ".1")
	require.NoError(t, err, "the old file is still locked")
	require.NoError(t, other.Close())

	// One that another process has put there is not ours.
	require.NoError(t, os.Rename(path, path+".2"))
	openFile(t, path)
	assert.ErrorContains(t, f.Write(t.Context(), events("4")), "another process writes to "+path)
	require.NoError(t, os.Rename(path, path+".3"))
	require.NoError(t, f.Write(t.Context(), events("4")))
	assert.Equal(t, line("4"), content(t, path))
	assert.Equal(t, line("3"), content(t, path+".2"))

	// Where there is no folder any more, nothing has been delivered.
	gone := filepath.Dir(path)
	require.NoError(t, os.Rename(gone, gone+".old"))
	assert.ErrorIs(t, f.Write(t.Context(), events("5")), os.ErrNotExist)
	require.NoError(t, os.Rename(gone+".old", gone))
	require.NoError(t, f.Write(t.Context(), events("5")))
	assert.Equal(t, line("4")+line("5"), content(t, path))
}

// A program that rotates the file compresses the old one as soon as it has told
// us, so nothing may be written to it any more.
func TestFile_ReopenMovesOnToTheNewFileAtOnce(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), events("1")))
	require.NoError(t, f.Reopen(), "nothing has changed")
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, f.Reopen())
	assert.Empty(t, content(t, path), "the new one is there before the next batch")
	second, err := sink.OpenFile(path + ".1")
	require.NoError(t, err, "the old one is let go of")
	require.NoError(t, second.Close())
	require.NoError(t, f.Write(t.Context(), events("2")))
	assert.Equal(t, line("1"), content(t, path+".1"))
	assert.Equal(t, line("2"), content(t, path))

	require.NoError(t, os.Rename(path, path+".2"))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Error(t, f.Reopen(), "the name leads to a folder")
	require.NoError(t, os.Remove(path))
	require.NoError(t, f.Write(t.Context(), events("3")), "it goes on once it can")
	assert.Equal(t, line("3"), content(t, path))
}

func TestFile_SaysWhenOthersCanReadIt(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	assert.NoError(t, openFile(t, path).Exposed(), "as it is made")
	open := newPath(t)
	require.NoError(t, os.WriteFile(open, nil, 0o600))
	require.NoError(t, os.Chmod(open, 0o644))
	assert.ErrorContains(t, openFile(t, open).Exposed(), "run 'chmod 600 "+open+"'")
}
