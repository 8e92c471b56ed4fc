package resumable

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type state struct{ Next int }

func open(t *testing.T, path, request string, replace bool) (*File, state, bool) {
	t.Helper()
	var s state
	f, resumed, err := Open(path, request, replace, &s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f, s, resumed
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestFile_GoesOnExactlyWhereTheLastStepEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.csv")
	want := ""
	// Each round writes a step and a half, and is then stopped.
	for i := range 5 {
		f, s, resumed := open(t, path, "march", false)
		assert.Equal(t, i > 0, resumed)
		assert.Equal(t, i, s.Next)
		line := fmt.Sprintf("line %d\n", i)
		want += line
		_, err := fmt.Fprint(f, line)
		require.NoError(t, err)
		require.NoError(t, f.Step(state{i + 1}))
		_, err = fmt.Fprint(f, "half a li")
		require.NoError(t, err)
		require.NoError(t, f.sync())
		assert.Equal(t, want+"half a li", content(t, path))
		require.NoError(t, f.Close())
	}
	f, _, _ := open(t, path, "march", false)
	require.NoError(t, f.Finish())
	assert.Equal(t, want, content(t, path))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")
}

func TestOpen_RefusesToMixOrReplaceOutputs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.csv")
	f, _, _ := open(t, path, "march", false)
	_, _, err := Open(path, "march", false, new(state))
	assert.ErrorContains(t, err, "another process is writing it")
	_, _ = fmt.Fprint(f, "line\n")
	require.NoError(t, f.Step(state{1}))
	require.NoError(t, f.Close())

	_, _, err = Open(path, "april", false, new(state))
	assert.ErrorContains(t, err, "unfinished output of other flags")
	require.NoError(t, os.Truncate(path, 2))
	_, _, err = Open(path, "march", false, new(state))
	assert.ErrorContains(t, err, "is shorter than it was")
	require.NoError(t, os.WriteFile(path+Suffix, []byte("{"), 0o600))
	_, _, err = Open(path, "march", false, new(state))
	assert.ErrorContains(t, err, "cannot be read")
	assert.Equal(t, "li", content(t, path), "what is refused is left alone")

	f, _, resumed := open(t, path, "april", true)
	assert.False(t, resumed)
	_, _ = fmt.Fprint(f, "other\n")
	require.NoError(t, f.Finish())
	assert.Equal(t, "other\n", content(t, path))

	_, _, err = Open(path, "april", false, new(state))
	assert.ErrorContains(t, err, "give --force to replace it")
	assert.Equal(t, "other\n", content(t, path))
}

func TestOpen_GoesOnAfterAKillBeforeTheFirstStep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.csv")
	f, _, _ := open(t, path, "march", false)
	require.NoError(t, f.Close())
	f, _, resumed := open(t, path, "march", false)
	assert.False(t, resumed)
	_, err := fmt.Fprint(f, "line\n")
	require.NoError(t, err)
	require.NoError(t, f.Finish())
	assert.Equal(t, "line\n", content(t, path))
}
