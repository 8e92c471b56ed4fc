package sink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofrs/flock"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// File is an [ingest.Sink] that appends to a file. A batch counts as delivered
// once it has been synced to the disk. It is safe for concurrent use.
//
// When the file has been renamed or removed, the next batch goes to a new file
// of that name, so it can be rotated at any time. Copying and truncating it
// instead loses what is written in between.
type File struct {
	path   string
	format Format
	file   handle
	// lock is nil for what is not a regular file, stream for what is.
	lock   *flock.Flock
	stream *Writer
	torn   int64
	// exposed says that others can read the file, if they can.
	exposed error

	mu  sync.Mutex
	buf []byte
	// rollback is the size the file must be cut back to before the next
	// write, because a failed write could not be undone; else it is -1.
	rollback int64
}

// handle is what File needs of an [os.File].
type handle interface {
	io.WriteCloser
	io.ReaderAt
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// OpenFile opens the file path for appending, and creates it, with mode 0600,
// if it does not exist. It fails if a process, this one included, has it open
// for writing already.
//
// When the last line is torn because a process or machine stopped while writing
// it, OpenFile removes it, and [File.Removed] returns its size. No entry is
// lost, since the batch it belonged to was never accepted. A last line that
// lacks only its line break gets one. A last line that has no line break and is
// not an event is an error: the file is left as it is.
//
// Pipes, terminals and devices such as /dev/stdout are not locked, repaired or
// synced; what [Writer] says applies to them. OpenFile waits until a named pipe
// has a reader.
func OpenFile(path string) (*File, error) { return OpenFileAs(path, JSONL) }

// OpenFileAs is [OpenFile] for lines in another format.
func OpenFileAs(path string, format Format) (*File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		// Opening a pipe for reading too would make us its reader, and a write
		// after the real one has gone would block instead of failing.
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, prefixed.Errorf("sink", "cannot open the output: %w", err)
		}
		return &File{path: path, file: file, stream: NewWriterAs(file, format)}, nil
	}
	f := &File{path: path, format: format, rollback: -1}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, os.ErrNotExist) {
		file, err = create(f.path)
	}
	if err != nil {
		return prefixed.Errorf("sink", "cannot open the output: %w", err)
	}
	f.file = file
	f.lock = flock.New(lockPath(f.path))
	locked, err := f.lock.TryLock()
	if err != nil {
		return prefixed.Errorf("sink", "cannot lock %s: %w", f.path, err)
	}
	if !locked {
		return prefixed.Errorf("sink", "another process writes to %s; stop that one or choose another file", f.path)
	}
	f.exposed = files.CheckPrivate(file)
	if err := f.repair(); err != nil {
		return prefixed.Errorf("sink", "cannot repair the end of %s: %w", f.path, err)
	}
	return nil
}

// create makes the file path, and its name durable.
func create(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := files.SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lockPath is the file whose lock guards path: path itself, so that no other
// name of it gets round the lock and nothing is left behind. On Windows, where
// a lock keeps even its owner's other handles out, it is a file beside it.
func lockPath(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".lock"
	}
	return path
}

// Removed returns the size in bytes of the torn last line that OpenFile
// removed, or 0.
func (f *File) Removed() int64 { return f.torn }

// Exposed returns an error, with the remedy, when users other than the owner
// and the group of the file can read or change it, and nil otherwise. The
// events tell who may do what, so few should read them.
func (f *File) Exposed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exposed
}

// Reopen closes the file if it has been renamed or removed, and opens or
// creates the one that now has its name, as the next batch would. A program
// that rotates the file calls it, so that it can compress or move the old one
// at once.
func (f *File) Reopen() error {
	if f.stream != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.undo(); err != nil {
		return err
	}
	_, err := f.follow()
	return err
}

// undo removes what a failed write has left and could not remove at the time.
func (f *File) undo() error {
	if f.rollback < 0 {
		return nil
	}
	if err := f.truncate(f.rollback); err != nil {
		return prefixed.Errorf("sink", "cannot take back a failed write: %w", err)
	}
	f.rollback = -1
	return nil
}

// Close closes the file and lets other processes write to it.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return prefixed.Errorf("sink", "cannot close the output: %w", err)
	}
	return nil
}

// Write implements [ingest.Sink]. When it fails, it removes what it has written
// of the batch, so that the next attempt leaves each line once and none torn.
// If even that fails, the next attempt begins with it.
func (f *File) Write(ctx context.Context, events []ingest.Event) error {
	if f.stream != nil {
		return f.stream.Write(ctx, events)
	}
	if err := ctx.Err(); err != nil {
		return prefixed.Errorf("sink", "%w", err)
	}
	if len(events) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.undo(); err != nil {
		return err
	}
	info, err := f.follow()
	if err != nil {
		return err
	}
	buf := appendLines(f.buf[:0], f.format, events)
	f.buf = reusable(buf)
	_, err = f.file.Write(buf)
	if err == nil {
		// A batch that the kernel has dropped after a failed sync is not
		// written again by a second sync, hence the rollback here as well.
		err = f.file.Sync()
	}
	if err == nil {
		return nil
	}
	err = prefixed.Errorf("sink", "%w", err)
	if undo := f.truncate(info.Size()); undo != nil {
		f.rollback = info.Size()
		err = errors.Join(err, prefixed.Errorf("sink", "cannot take back the failed write: %w", undo))
	}
	return err
}

// follow opens the file anew when its name leads to another one or nowhere, and
// returns what there is to know of it. What is written to a file that has been
// moved away may be read by nobody.
func (f *File) follow() (os.FileInfo, error) {
	info, err := f.file.Stat()
	if err != nil {
		return nil, prefixed.Errorf("sink", "%w", err)
	}
	current, err := os.Stat(f.path)
	if err == nil && os.SameFile(info, current) {
		return info, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, prefixed.Errorf("sink", "%w", err)
	}
	fresh := &File{path: f.path, format: f.format}
	if err := fresh.open(); err != nil {
		return nil, errors.Join(err, fresh.Close())
	}
	if info, err = fresh.file.Stat(); err != nil {
		return nil, errors.Join(prefixed.Errorf("sink", "%w", err), fresh.Close())
	}
	// All of the old file is on the disk.
	_, _ = f.file.Close(), f.lock.Close()
	f.file, f.lock, f.exposed = fresh.file, fresh.lock, fresh.exposed
	return info, nil
}

// truncate cuts the file to size, unless it is that short already.
func (f *File) truncate(size int64) error {
	info, err := f.file.Stat()
	if err != nil || info.Size() <= size {
		return err
	}
	if runtime.GOOS == "windows" {
		// There a handle opened for appending may not.
		return os.Truncate(f.path, size)
	}
	return f.file.Truncate(size)
}

// repair makes the file end with a whole line.
func (f *File) repair() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	start, err := lastLine(f.file, size)
	if err != nil || start == size {
		return err
	}
	tail := io.NewSectionReader(f.file, start, size-start)
	ours, err := startsLike(tail, f.format.Start())
	if err != nil {
		return err
	}
	if !ours {
		return errors.New("its last line is not an event and has no line break; is it the right file?")
	}
	if whole(tail) {
		_, err = f.file.Write([]byte("\n"))
	} else {
		f.torn = size - start
		err = f.truncate(start)
	}
	if err != nil {
		return err
	}
	return f.file.Sync()
}

// lastLine returns the offset behind the last line break in the first size
// bytes of r. It reads backwards, in blocks, because files may be huge.
func lastLine(r io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(block)))
		b := block[:end-start]
		if _, err := r.ReadAt(b, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// startsLike reports whether tail begins as far as it goes like a line that
// begins with lineStart. After a power cut a part of it may read as zeros.
func startsLike(tail io.ReaderAt, lineStart string) (bool, error) {
	head := make([]byte, len(lineStart))
	n, err := tail.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	head, _, _ = bytes.Cut(head[:n], []byte{0})
	return bytes.HasPrefix([]byte(lineStart), head), nil
}

// whole reports whether r holds exactly one JSON value.
func whole(r io.Reader) bool {
	dec := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.SkipValue() != nil {
		return false
	}
	_, err := dec.ReadToken()
	return err == io.EOF
}
