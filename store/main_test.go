package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store"
)

// A test that needs a second process runs the test binary again with childEnv
// naming one of children and folderEnv the folder to work on.
const (
	childEnv  = "STORE_TEST_CHILD"
	folderEnv = "STORE_TEST_FOLDER"
)

var children = map[string]func(folder string) error{
	"open": func(folder string) error {
		dir, err := store.Open(folder)
		if err != nil {
			return err
		}
		return dir.Close()
	},
	"save for ever": func(folder string) error {
		dir, err := store.Open(folder)
		if err != nil {
			return err
		}
		for n := 1; ; n++ {
			if err := dir.Save(context.Background(), "k", numbered(n)); err != nil {
				return err
			}
			fmt.Println(n)
		}
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Getenv(folderEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child prepares a second process.
func child(t *testing.T, name, folder string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name, folderEnv+"="+folder,
		"GORACE=atexit_sleep_ms=0") // the race detector otherwise waits 1 s at exit
	return cmd
}

// numbered is a cursor that says its number, of some size, so that a part of
// it is not another one.
func numbered(n int) ingest.Cursor {
	return ingest.Cursor(strings.Repeat(fmt.Sprintf("%d;", n), 400_000) + "end")
}
