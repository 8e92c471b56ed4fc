package sink_test

import (
	"bufio"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/sink"
)

func openFile(t *testing.T, path string) *sink.File {
	t.Helper()
	f, err := sink.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "events.ndjson")
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestFile_AppendsWholeLines(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f, err := sink.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), events("1", "2")))
	require.NoError(t, f.Write(t.Context(), nil))
	require.NoError(t, f.Write(t.Context(), events("3")))
	require.NoError(t, f.Close())

	f = openFile(t, path)
	require.NoError(t, f.Write(t.Context(), events("4")))
	assert.Equal(t, line("1")+line("2")+line("3")+line("4"), content(t, path))
	assert.Zero(t, f.Removed())
}

func TestFile_IsMadeForThisUserOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := newPath(t)
	openFile(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestFile_KeepsTheModeOfAnExistingFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := newPath(t)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o640))
	openFile(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode())
}

func TestOpenFile_NamesThePathItCannotOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "missing", "events.ndjson")} {
		_, err := sink.OpenFile(path)
		assert.ErrorContains(t, err, path)
	}
}

func TestOpenFile_RemovesATornTail(t *testing.T) {
	t.Parallel()
	l1, l2 := line("1"), line("2")
	long := strings.Repeat("x", 200_000)
	tests := map[string]struct {
		before, after string
	}{
		"empty file":                {"", ""},
		"whole lines":               {l1 + l2, l1 + l2},
		"torn second line":          {l1 + l2[:40], l1},
		"torn first line":           {l1[:40], ""},
		"torn after one byte":       {l1 + "{", l1},
		"torn in the key":           {l1 + `{"sou`, l1},
		"one byte short of whole":   {l1 + l2[:len(l2)-2], l1},
		"whole but the break":       {l1 + l2[:len(l2)-1], l1 + l2},
		"zeros after a power cut":   {l1 + "\x00\x00\x00\x00", l1},
		"zeros in a torn line":      {l1 + l2[:4] + "\x00\x00\x00", l1},
		"zeros behind a torn line":  {l1 + l2[:40] + "\x00\x00\x00", l1},
		"zeros behind a whole line": {l1 + l2[:len(l2)-1] + "\x00\x00", l1},
		"longer than a block":       {l1 + `{"source":"` + long, l1},
		"longer than a block alone": {`{"source":"` + long, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			require.NoError(t, os.WriteFile(path, []byte(test.before), 0o600))
			f := openFile(t, path)
			assert.Equal(t, test.after, content(t, path))
			assert.EqualValues(t, max(0, len(test.before)-len(test.after)), f.Removed())
			require.NoError(t, f.Write(t.Context(), events("3")))
			assert.Equal(t, test.after+line("3"), content(t, path))
		})
	}
}

func TestOpenFile_FindsTheTornTailAtEveryBlockBoundary(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	for _, block := range []int{64 << 10, 128 << 10} {
		for tail := block - 2; tail <= block+2; tail++ {
			torn := (lineStart + strings.Repeat("x", tail))[:tail]
			require.NoError(t, os.WriteFile(path, []byte(line("1")+torn), 0o600))
			f, err := sink.OpenFile(path)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.EqualValues(t, tail, f.Removed())
			require.Equal(t, line("1"), content(t, path))
		}
	}
}

const lineStart = `{"source":"`

func TestOpenFile_LeavesAFileAloneThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"text":            "a letter without an end",
		"another JSON":    `{"account_id":"a","api_token":"b"}`,
		"text after ours": line("1") + "hello",
		"a JSON list":     "[\n1,\n2\n]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
			_, err := sink.OpenFile(path)
			assert.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, "is it the right file?")
			assert.Equal(t, before, content(t, path))

			// The lock is given free.
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			openFile(t, path)
		})
	}
}

func TestOpenFile_RefusesASecondWriter(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f, err := sink.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), events("1")))

	_, err = sink.OpenFile(path)
	assert.ErrorContains(t, err, "another process writes to "+path)
	out, err := child(t, "open", path, 0).CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "another process writes to "+path)
	if runtime.GOOS != "windows" {
		link := filepath.Join(filepath.Dir(path), "link")
		require.NoError(t, os.Link(path, link))
		_, err = sink.OpenFile(link)
		assert.ErrorContains(t, err, "another process writes to "+link)
	}
	// The attempts have not touched the lock of the first.
	_, err = sink.OpenFile(path)
	assert.Error(t, err)
	require.NoError(t, f.Write(t.Context(), events("2")))

	require.NoError(t, f.Close())
	openFile(t, path)
	assert.Equal(t, line("1")+line("2"), content(t, path))
}

func TestFile_WritesNothingOnceTheContextHasEnded(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, f.Write(ctx, events("1")), context.Canceled)
	assert.Empty(t, content(t, path))
}

func TestFile_CannotBeWrittenAfterClose(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f, err := sink.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.ErrorIs(t, f.Write(t.Context(), events("1")), os.ErrClosed)
	assert.Empty(t, content(t, path))
}

func TestFile_FollowsATruncationByOthers(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), events("1", "2")))
	require.NoError(t, os.Truncate(path, 0))
	require.NoError(t, f.Write(t.Context(), events("3")))
	assert.Equal(t, line("3"), content(t, path))
}

func TestFile_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	f := openFile(t, path)
	var want []string
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d"} {
		many := slices.Repeat([]string{id}, 50)
		want = append(want, slices.Repeat(many, 3)...)
		wg.Go(func() {
			for range 3 {
				assert.NoError(t, f.Write(t.Context(), events(many...)))
			}
		})
	}
	wg.Wait()
	got := ids(t, []byte(content(t, path)))
	slices.Sort(got)
	assert.Equal(t, want, got)
}

func TestFile_AKillLosesNoAcceptedBatchAndLeavesNoTornLine(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	accepted := 0
	for range 10 {
		// The child carries on behind the last batch it said was accepted, as
		// a host with its cursor would.
		cmd := child(t, "write for ever", path, accepted)
		out, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acks := bufio.NewScanner(out)
		killAt := accepted + rand.IntN(2)
		for acks.Scan() {
			n, err := strconv.Atoi(acks.Text())
			require.NoError(t, err, acks.Text())
			accepted = n + 1
			if n == killAt {
				// Into the next write, with luck into the middle of it.
				time.Sleep(rand.N(4 * time.Millisecond))
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		// Few kills do hit the middle of a line. What those leave is added to
		// the others, so that every child but the first finds it.
		if got := content(t, path); got == "" || strings.HasSuffix(got, "\n") {
			torn := line("torn")
			torn = torn[:1+rand.IntN(len(torn)-2)]
			require.NoError(t, os.WriteFile(path, []byte(got+torn), 0o600))
		}
	}
	f := openFile(t, path)
	assert.NotZero(t, f.Removed())

	next := 0
	for _, id := range ids(t, []byte(content(t, path))) {
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		require.LessOrEqual(t, n, next, "event %d is lost", next)
		next = max(next, n+1)
	}
	require.GreaterOrEqual(t, next, accepted*batchSize)
}
