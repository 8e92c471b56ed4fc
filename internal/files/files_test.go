package files

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckPrivate_RefusesWhatOthersCanReadOrChange(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	for mode, private := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o640: true, 0o440: true,
		0o644: false, 0o604: false, 0o602: false, 0o666: false,
	} {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		f, err := os.OpenFile(path, os.O_RDONLY, 0)
		if os.IsPermission(err) {
			continue // not ours to read, and so no danger
		}
		require.NoError(t, err)
		defer f.Close()
		err = CheckPrivate(f)
		if private {
			assert.NoError(t, err, "%04o", mode)
			continue
		}
		var e *ExposedError
		require.ErrorAs(t, err, &e, "%04o", mode)
		assert.Contains(t, err.Error(), "chmod 600 "+path)
	}
}

func TestCheckFolder_RefusesWhatEveryUserCanWriteTo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	for mode, private := range map[os.FileMode]bool{
		0o700: true, 0o755: true, 0o770: true, 0o777: false, 0o703: false, 0o777 | os.ModeSticky: false,
	} {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, mode))
		err := CheckFolder(dir)
		if private {
			assert.NoError(t, err, "%04o", mode)
			continue
		}
		var e *OpenFolderError
		require.ErrorAs(t, err, &e, "%04o", mode)
		assert.Contains(t, err.Error(), "run 'chmod o-w "+dir+"'")
	}
	assert.ErrorIs(t, CheckFolder(filepath.Join(t.TempDir(), "none")), os.ErrNotExist)
}

func TestCheckReplaceable_LooksAtTheFolderOfALinkAndOfItsTarget(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the mode does not tell there")
	}
	private, open, sticky := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(open, 0o777))
	require.NoError(t, os.Chmod(sticky, 0o777|os.ModeSticky))
	file := func(dir string) string {
		name := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		return name
	}
	link := func(dir, to string) string {
		name := filepath.Join(dir, "link")
		require.NoError(t, os.Symlink(to, name))
		return name
	}
	in := file(open)
	for _, name := range []string{file(private), file(sticky), link(sticky, file(private)), filepath.Join(private, "none", "x"), "", "x"} {
		assert.NoError(t, CheckReplaceable(name), name)
	}
	for _, name := range []string{in, link(private, in), link(open, file(private)), filepath.Join(open, "none")} {
		assert.ErrorContains(t, CheckReplaceable(name), "run 'chmod o-w "+open+"'", name)
	}
}

func TestInFolder_NamesTheFolderWhereItIsTheReason(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	making := func(path string) error {
		_, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		require.Error(t, err)
		return InFolder(path, err)
	}
	none := filepath.Join(dir, "none")
	assert.EqualError(t, making(filepath.Join(none, "x")), "the folder "+none+" does not exist")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.EqualError(t, making(filepath.Join(file, "x")), file+" is not a folder")
	assert.ErrorIs(t, making(file), os.ErrExist)
	refused := &os.PathError{Op: "open", Path: filepath.Join(dir, "x.lock"), Err: os.ErrPermission}
	assert.EqualError(t, InFolder(refused.Path, refused), "cannot make a file in the folder "+dir+": permission denied")
}

func TestCheckPrivate_AcceptsWhatIsNoFile(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	assert.NoError(t, CheckPrivate(r))
}

func TestSyncDir_FailsWhereThereIsNone(t *testing.T) {
	t.Parallel()
	assert.NoError(t, SyncDir(t.TempDir()))
	if runtime.GOOS != "windows" {
		assert.Error(t, SyncDir(filepath.Join(t.TempDir(), "none")))
	}
}
