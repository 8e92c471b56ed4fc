package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

const (
	lockName   = ".lock"
	cursorExt  = ".cursor"
	partialExt = cursorExt + ".tmp"
)

// Dir is an [ingest.CursorStore] in a folder: one file per key, which holds
// the cursor and nothing else. A save writes a second file, syncs it, renames
// it over the first and syncs the folder, so a crash or a full disk at any
// moment leaves the old cursor or the new one.
//
// One process at a time can use a folder: [Open] locks a file in it. The
// methods are safe for concurrent use.
type Dir struct {
	dir  string
	lock *flock.Flock

	mu     sync.Mutex
	closed bool
}

// Open opens the folder dir and creates it, with mode 0700, if it does not
// exist. It fails if a process, this one included, has the folder open already,
// or if the folder cannot be written: better now than after a batch has been
// delivered whose cursor cannot be saved. The remains of an interrupted save
// are removed.
func Open(dir string) (*Dir, error) {
	if err := makeDir(dir); err != nil {
		return nil, prefixed.Errorf("store", "cannot make the folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, prefixed.Errorf("store", "cannot lock the folder %s: %w", dir, err)
	}
	if !locked {
		return nil, prefixed.Errorf("store", "the folder %s is in use by another process; stop that one or choose another folder", dir)
	}
	d := &Dir{dir: dir, lock: lock}
	if err := d.clean(); err != nil {
		return nil, errors.Join(prefixed.Errorf("store", "cannot clean the folder: %w", err), lock.Close())
	}
	if err := d.probe(); err != nil {
		return nil, errors.Join(prefixed.Errorf("store", "cannot write to the folder: %w", err), lock.Close())
	}
	return d, nil
}

// Close releases the folder for other processes. From then on Load and Save
// fail with [os.ErrClosed].
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if err := d.lock.Close(); err != nil {
		return prefixed.Errorf("store", "cannot unlock the folder %s: %w", d.dir, err)
	}
	return nil
}

// Load implements [ingest.CursorStore]. A file that cannot be read is an error,
// and so is one that is empty or larger than 8 MiB, whose error wraps
// [ingest.ErrCursor]. The text says what to do.
func (d *Dir) Load(ctx context.Context, key string) (ingest.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrapLoad(key, err)
	}
	if key == "" {
		return nil, wrapLoad(key, errEmptyKey)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, wrapLoad(key, os.ErrClosed)
	}
	return load(d.path(key), key)
}

// load reads the cursor of key from its file.
func load(path, key string) (ingest.Cursor, error) {
	cursor, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, ingest.ErrCursor):
		return nil, wrapLoad(key, fmt.Errorf("%w; restore the file from a backup, or delete it to start anew", err))
	case err != nil:
		return nil, wrapLoad(key, fmt.Errorf("%w; make the file readable, or delete it to start anew", err))
	case len(cursor) == 0:
		return nil, wrapLoad(key, fmt.Errorf("%w: %s is empty; restore the file from a backup, or delete it to start anew", ingest.ErrCursor, path))
	}
	return cursor, nil
}

// Read returns the cursor of key in the folder dir, or nil if there is none. It
// takes no lock and changes nothing, so that it can look at a folder that a process
// has open: a save replaces a cursor as a whole. What it returns may be old by the
// time it returns, so nobody must poll from it.
func Read(dir, key string) (ingest.Cursor, error) {
	if key == "" {
		return nil, wrapLoad(key, errEmptyKey)
	}
	return load(filepath.Join(dir, fileName(key)), key)
}

// maxCursor bounds a cursor, in bytes: 8 MiB. The largest that a connector writes,
// for two logs whose remembered ids fill it, has 6 MB.
const maxCursor = 8 << 20

// read reads the file of a cursor. A larger file is not a cursor, and could
// take any amount of memory.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cursor, err := io.ReadAll(io.LimitReader(f, maxCursor+1))
	if err == nil && len(cursor) > maxCursor {
		err = fmt.Errorf("%w: %s has more than %d bytes, so it is not a cursor", ingest.ErrCursor, path, maxCursor)
	}
	return cursor, err
}

// Save implements [ingest.CursorStore]. When it returns nil, the cursor is on
// the disk. An empty key, an empty cursor and one of more than 8 MiB are
// errors.
func (d *Dir) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	if err := ctx.Err(); err != nil {
		return wrapSave(key, err)
	}
	if err := checkSave(key, cursor); err != nil {
		return wrapSave(key, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return wrapSave(key, os.ErrClosed)
	}
	if len(cursor) > maxCursor {
		return wrapSave(key, fmt.Errorf("the cursor has more than %d bytes, which is the limit", maxCursor))
	}
	path := d.path(key)
	if err := files.Replace(path, strings.TrimSuffix(path, cursorExt)+partialExt, cursor); err != nil {
		return wrapSave(key, err)
	}
	return nil
}

// clean removes the files of saves that a crash interrupted.
func (d *Dir) clean() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), partialExt) {
			if err := os.Remove(filepath.Join(d.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe finds out whether a cursor could be saved.
func (d *Dir) probe() error {
	path := filepath.Join(d.dir, "probe"+partialExt)
	err := files.WriteSynced(path, []byte("probe"))
	return errors.Join(err, ignoreMissing(os.Remove(path)))
}

// path returns the file of key.
func (d *Dir) path(key string) string {
	return filepath.Join(d.dir, fileName(key))
}

// fileName turns key into the name of a file that no other key has. Capital
// letters are escaped like the rest, because some file systems ignore case.
func fileName(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String() + cursorExt
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// makeDir makes dir and the folders above it as far as they are missing.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	parent := filepath.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a folder", dir)
		}
		return err
	}
	if err != nil {
		return err
	}
	return files.SyncDir(parent)
}

func wrapLoad(key string, err error) error {
	return prefixed.Errorf("store", "cannot load the cursor of %q: %w", key, err)
}

func wrapSave(key string, err error) error {
	return prefixed.Errorf("store", "cannot save the cursor of %q: %w", key, err)
}
