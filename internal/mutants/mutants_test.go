package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// Whether the mutants are killed is too long a test to be one of these.
func TestMutants_AreThoseOfTheCodeAsItIs(t *testing.T) {
	t.Parallel()
	faults := map[string]bool{}
	for _, m := range mutants {
		assert.False(t, faults[m.fault], "there are two of: %s", m.fault)
		faults[m.fault] = true
		code, err := m.apply(root)
		if !assert.NoError(t, err, m.fault) {
			continue
		}
		_, err = parser.ParseFile(token.NewFileSet(), m.file, code, parser.SkipObjectResolution)
		assert.NoError(t, err, m.fault)
		assert.True(t, strings.Contains(tests(t, m.folder()), "\nfunc "+m.guard()+"("), "there is no %s for: %s", m.guard(), m.fault)
	}
}

// tests is the text of the tests in a folder.
func tests(t *testing.T, folder string) string {
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		all.Write(b)
	}
	return all.String()
}

func TestApply_TheTextMustBeThereOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "x.go"), []byte("a b b\n"), 0o600))
	code, err := mutant{file: "x.go", old: "a", new: "c"}.apply(folder)
	require.NoError(t, err)
	assert.Equal(t, "c b b\n", string(code))
	for old, times := range map[string]string{"b": "2 times", "d": "0 times"} {
		_, err = mutant{file: "x.go", old: old}.apply(folder)
		assert.ErrorIs(t, err, errOutOfDate)
		assert.ErrorContains(t, err, times)
	}
}

func TestModuleOf_IsTheNearestOne(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(top, "root", "nested", "deep"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(top, "root", "plain"), 0o755))
	_, err := moduleOf(filepath.Join(top, "root"), "plain")
	assert.ErrorContains(t, err, "plain: there is no go.mod")
	for _, dir := range []string{"root", "root/nested"} {
		require.NoError(t, os.WriteFile(filepath.Join(top, dir, "go.mod"), nil, 0o600))
	}
	for folder, want := range map[string]string{
		".": "root", "plain": "root", "./plain": "root", "nested": "root/nested", "./nested/deep": "root/nested",
	} {
		got, err := moduleOf(filepath.Join(top, "root"), folder)
		require.NoError(t, err, folder)
		assert.Equal(t, filepath.Join(top, want), got, folder)
	}
}
