//go:build linux || darwin

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/store"
)

func init() {
	// A limit on the size of files stands in for a full disk: a write stores
	// what fits and then fails.
	children["save on a full disk"] = func(folder string) error {
		dir, err := store.Open(folder)
		if err != nil {
			return err
		}
		defer dir.Close()
		ctx := context.Background()
		if err := dir.Save(ctx, "k", numbered(1)); err != nil {
			return err
		}
		signal.Ignore(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		full := limit
		full.Cur = uint64(len(numbered(2)) / 2)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			return err
		}
		if err := dir.Save(ctx, "k", numbered(2)); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("the save on a full disk returned %w", err)
		}
		if got, err := dir.Load(ctx, "k"); err != nil || !bytes.Equal(got, numbered(1)) {
			return fmt.Errorf("after the failed save the store holds %.20q, %w", got, err)
		}
		if _, err := os.Stat(filepath.Join(folder, "k.cursor.tmp")); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the failed save leaves a file behind: %w", err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		if err := dir.Save(ctx, "k", numbered(3)); err != nil {
			return err
		}
		if got, err := dir.Load(ctx, "k"); err != nil || !bytes.Equal(got, numbered(3)) {
			return fmt.Errorf("after the disk has room again the store holds %.20q, %w", got, err)
		}
		return nil
	}
}

func TestDir_AFullDiskKeepsTheOldCursor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, err := child(t, "save on a full disk", folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, []string{".lock", "k.cursor"}, names(t, folder))
}
