package store_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store"
	"github.com/aisoc/cloudflareaudit/store/storetest"
)

func open(t *testing.T, folder string) *store.Dir {
	t.Helper()
	dir, err := store.Open(folder)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, dir.Close()) })
	return dir
}

func TestMemory_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func() ingest.CursorStore { return new(store.Memory) })
}

func TestDir_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func() ingest.CursorStore { return open(t, t.TempDir()) })
}

func TestDir_KeepsCursorsAcrossReopening(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for n := range 3 {
		dir, err := store.Open(folder)
		require.NoError(t, err)
		got, err := dir.Load(t.Context(), "k")
		require.NoError(t, err)
		if n > 0 {
			assert.Equal(t, fmt.Sprint(n-1), string(got))
		}
		require.NoError(t, dir.Save(t.Context(), "k", ingest.Cursor(fmt.Sprint(n))))
		require.NoError(t, dir.Close())
	}
}

func TestRead_LooksAtAFolderThatIsInUse(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	got, err := store.Read(folder, "key")
	require.NoError(t, err)
	assert.Nil(t, got)
	assert.NoDirExists(t, folder, "it makes nothing")
	_, err = store.Read(folder, "")
	assert.Error(t, err)

	d, err := store.Open(folder)
	require.NoError(t, err)
	defer func() { assert.NoError(t, d.Close()) }()
	require.NoError(t, d.Save(t.Context(), "Key/1", ingest.Cursor("position")))
	got, err = store.Read(folder, "Key/1")
	require.NoError(t, err)
	assert.Equal(t, ingest.Cursor("position"), got)
	require.NoError(t, os.Truncate(filepath.Join(folder, "%4bey%2f1.cursor"), 0))
	_, err = store.Read(folder, "Key/1")
	assert.ErrorIs(t, err, ingest.ErrCursor)
}

func TestDir_HoldsOneReadableFilePerKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := open(t, folder)
	const key = "cloudflare-0123456789abcdef0123456789abcdef"
	require.NoError(t, dir.Save(t.Context(), key, ingest.Cursor(`{"v":1}`)))
	require.NoError(t, dir.Save(t.Context(), "../Über", ingest.Cursor(`{"v":2}`)))
	assert.Equal(t, []string{
		"%2e%2e%2f%c3%9cber.cursor", ".lock", key + ".cursor",
	}, names(t, folder))
	content, err := os.ReadFile(filepath.Join(folder, key+".cursor"))
	require.NoError(t, err)
	assert.Equal(t, `{"v":1}`, string(content))
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestOpen_MakesFoldersAndFilesForThisUserOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	top := filepath.Join(t.TempDir(), "a")
	folder := filepath.Join(top, "b", "c")
	dir := open(t, folder)
	require.NoError(t, dir.Save(t.Context(), "k", ingest.Cursor("1")))
	require.NoError(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s: %s", path, info.Mode())
		return nil
	}))
}

func TestOpen_NamesTheFileThatIsInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := store.Open(file)
	assert.ErrorContains(t, err, file+" is not a folder")
	_, err = store.Open(filepath.Join(file, "state"))
	assert.ErrorContains(t, err, file)
}

func TestOpen_RefusesAnUnwritableFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() <= 0 {
		t.Skip("root and Windows users may write to a read-only folder")
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o500))
	_, err := store.Open(folder)
	assert.ErrorIs(t, err, fs.ErrPermission)
	assert.ErrorContains(t, err, folder)
}

func TestOpen_RefusesAFolderInUse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first, err := store.Open(folder)
	require.NoError(t, err)

	_, err = store.Open(folder)
	assert.ErrorContains(t, err, folder+" is in use")
	out, err := child(t, "open", folder).CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), folder+" is in use by another process")

	require.NoError(t, first.Close())
	out, err = child(t, "open", folder).CombinedOutput()
	assert.NoError(t, err, "%s", out)
	open(t, folder)
}

func TestDir_CannotBeUsedAfterClose(t *testing.T) {
	t.Parallel()
	dir, err := store.Open(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, dir.Save(t.Context(), "k", ingest.Cursor("1")))
	require.NoError(t, dir.Close())
	require.NoError(t, dir.Close(), "a second Close does nothing")

	assert.ErrorIs(t, dir.Save(t.Context(), "k", ingest.Cursor("2")), os.ErrClosed)
	_, err = dir.Load(t.Context(), "k")
	assert.ErrorIs(t, err, os.ErrClosed)
}

func TestDir_AnEmptyFileIsAnErrorNotARestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := open(t, folder)
	path := filepath.Join(folder, "k.cursor")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := dir.Load(t.Context(), "k")
	assert.ErrorContains(t, err, path+" is empty")
	assert.ErrorIs(t, err, ingest.ErrCursor)
	assert.ErrorContains(t, err, "delete it to start anew")
}

// A file of another kind could take any amount of memory.
func TestDir_AFileLargerThanAnyCursorIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := open(t, folder)
	large := bytes.Repeat([]byte("x"), 8<<20)
	require.NoError(t, d.Save(t.Context(), "a", large))
	got, err := d.Load(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, got, 8<<20)
	require.ErrorContains(t, d.Save(t.Context(), "a", append(large, 'x')), "more than 8388608 bytes")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.cursor"), append(large, 'x'), 0o600))
	_, err = d.Load(t.Context(), "a")
	require.ErrorIs(t, err, ingest.ErrCursor)
	require.ErrorContains(t, err, "a.cursor has more than 8388608 bytes")
}

func TestDir_AFileOfAnySizeTakesLittleMemory(t *testing.T) {
	// Not in parallel, because it measures the process.
	folder := t.TempDir()
	d := open(t, folder)
	path := filepath.Join(folder, "a.cursor")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	require.NoError(t, os.Truncate(path, 256<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := d.Load(t.Context(), "a")
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ingest.ErrCursor)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20))
}

func TestDir_AnUnreadableFileIsAnErrorNotARestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := open(t, folder)
	path := filepath.Join(folder, "k.cursor")
	// Root can read any file, but nobody can read a folder as one.
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err := dir.Load(t.Context(), "k")
	assert.ErrorContains(t, err, path)
	assert.ErrorContains(t, err, "delete it to start anew")
}

func TestDir_AFailedSaveKeepsTheOldCursorAndNoRemains(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := open(t, folder)
	require.NoError(t, dir.Save(t.Context(), "k", ingest.Cursor("old")))
	// A folder where the new file should be makes the write fail, and one
	// where the old file is would make the rename fail.
	partial := filepath.Join(folder, "k.cursor.tmp")
	require.NoError(t, os.MkdirAll(filepath.Join(partial, "x"), 0o700))
	assert.ErrorContains(t, dir.Save(t.Context(), "k", ingest.Cursor("new")), partial)
	got, err := dir.Load(t.Context(), "k")
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))

	require.NoError(t, os.RemoveAll(partial))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "j.cursor", "x"), 0o700))
	assert.Error(t, dir.Save(t.Context(), "j", ingest.Cursor("new")))
	assert.Equal(t, []string{".lock", "j.cursor", "k.cursor"}, names(t, folder))
}

func TestOpen_RemovesWhatACrashBeforeTheRenameLeft(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir, err := store.Open(folder)
	require.NoError(t, err)
	require.NoError(t, dir.Save(t.Context(), "k", ingest.Cursor("old")))
	require.NoError(t, dir.Close())
	require.NoError(t, os.WriteFile(filepath.Join(folder, "k.cursor.tmp"), []byte("ne"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.tmp"), []byte("not ours"), 0o600))

	dir = open(t, folder)
	assert.Equal(t, []string{".lock", "k.cursor", "notes.tmp"}, names(t, folder))
	got, err := dir.Load(t.Context(), "k")
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
}

func TestDir_AKillLeavesAWholeCursorNoOlderThanTheLastSaved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for range 40 { // the moment in which a write can be torn is short
		cmd := child(t, "save for ever", folder)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acks := bufio.NewScanner(out)
		last, killAt := 0, 1+rand.IntN(20)
		for acks.Scan() {
			last, err = strconv.Atoi(acks.Text())
			require.NoError(t, err)
			if last == killAt {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		require.GreaterOrEqual(t, last, killAt)

		dir, err := store.Open(folder)
		require.NoError(t, err)
		got, err := dir.Load(t.Context(), "k")
		require.NoError(t, err)
		if string(got) != string(numbered(last)) && string(got) != string(numbered(last+1)) {
			t.Fatalf("after the save of %d was acknowledged the store holds %.20q", last, got)
		}
		require.NoError(t, dir.Close())
	}
}
