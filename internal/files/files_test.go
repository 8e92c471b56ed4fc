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
