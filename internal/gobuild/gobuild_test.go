package gobuild_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/gobuild"
)

// A program that comes from the cache is that of the source as it is now.
func TestProgram_IsThatOfTheSource(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	source := filepath.Join(folder, "main.go")
	for _, word := range []string{"first", "second", "second"} {
		require.NoError(t, os.WriteFile(source, []byte("package main\n\nfunc main() { print(\""+word+"\") }\n"), 0o600))
		file := filepath.Join(t.TempDir(), "program.exe")
		require.NoError(t, gobuild.Program(file, source, nil, "CGO_ENABLED=0"))
		out, err := exec.Command(file).CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, word, string(out))
	}
	require.NoError(t, os.WriteFile(source, []byte("package main\n\nfunc main() { undefined() }\n"), 0o600))
	require.ErrorContains(t, gobuild.Program(filepath.Join(folder, "program"), source, nil), "undefined: undefined")
}
