// Package resumable writes a file in steps that survive an interruption. A small
// file beside it records the length after the last complete step. Bytes beyond it
// are truncated on resume, so that nothing is lost or doubled.
package resumable

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/gofrs/flock"
)

// Suffix is what the name of the file beside the output ends in.
const Suffix = ".resume"

const version = 1

// record is what stands in the file beside the output.
type record struct {
	Version int `json:"version"`
	// Request says what is being written, so that it is not mixed with
	// something else.
	Request string `json:"request"`
	// Offset is the length of the output at the last step.
	Offset int64 `json:"offset"`
	// State is the caller's own.
	State json.RawMessage `json:"state"`
}

// File is an output under way. Make one with [Open].
type File struct {
	path    string
	request string
	file    *os.File
	lock    *flock.Flock
	buffer  *bufio.Writer
	offset  int64
}

// Open begins the output path, or goes on with it where it was interrupted. Then
// it reads what was saved with the last step into state, a pointer, and reports
// true. A caller that begins makes a Step at once, so that it can be resumed from
// its first byte on. The request describes what is written: an unfinished output of another
// request is an error, and so is an output that exists and is finished, unless
// replace is set, which begins anew in any case.
func Open(path, request string, replace bool, state any) (f *File, resumed bool, err error) {
	f = &File{path: path, request: request, lock: flock.New(path + Suffix + ".lock")}
	locked, err := f.lock.TryLock()
	if err != nil {
		return nil, false, files.InFolder(f.lock.Path(), err)
	}
	if !locked {
		return nil, false, fmt.Errorf("%s: another process is writing it", path)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	saved, err := load(path + Suffix)
	switch {
	case err != nil && !replace:
		return f, false, err
	case err == nil && saved != nil && !replace:
		return f, true, f.resume(saved, state)
	}
	mode := os.O_EXCL
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		mode = 0 // killed before the first step
	}
	if replace {
		mode = os.O_TRUNC
		if err := os.Remove(path + Suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, false, err
		}
	}
	f.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s: already exists: choose another name, or give --force to replace it", path)
	}
	f.buffer = bufio.NewWriter(f.file)
	return f, false, err
}

// load reads the file beside the output. None is nil.
func load(name string) (*record, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil || r.Version != version || r.Offset < 0 {
		return nil, fmt.Errorf("%s: cannot be read: give --force to begin anew", name)
	}
	return &r, nil
}

func (f *File) resume(saved *record, state any) error {
	if saved.Request != f.request {
		return fmt.Errorf("%s: is the unfinished output of other flags: give the same ones to go on with it, or --force to begin anew", f.path)
	}
	if err := json.Unmarshal(saved.State, state); err != nil {
		return fmt.Errorf("%s: cannot be read: give --force to begin anew", f.path+Suffix)
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w: give --force to begin anew", err)
	}
	f.file, f.buffer, f.offset = file, bufio.NewWriter(file), saved.Offset
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < saved.Offset {
		return fmt.Errorf("%s: is shorter than it was: give --force to begin anew", f.path)
	}
	if err := file.Truncate(saved.Offset); err != nil {
		return err
	}
	_, err = file.Seek(saved.Offset, io.SeekStart)
	return err
}

// Exposed returns an error, with the remedy, when other users can read the output.
func (f *File) Exposed() error { return files.CheckPrivate(f.file) }

// Write implements [io.Writer]. The next Step makes the bytes durable.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.buffer.Write(p)
	f.offset += int64(n)
	return n, err
}

// Step makes what has been written durable, together with state, which is where
// to go on from.
func (f *File) Step(state any) error {
	if err := f.sync(); err != nil {
		return err
	}
	own, err := json.Marshal(state)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(record{version, f.request, f.offset, own}, "", " ")
	if err != nil {
		return err
	}
	partial := f.path + Suffix + ".partial"
	if err := files.WriteSynced(partial, append(b, '\n')); err != nil {
		_ = os.Remove(partial)
		return err
	}
	return os.Rename(partial, f.path+Suffix)
}

func (f *File) sync() error {
	if err := f.buffer.Flush(); err != nil {
		return err
	}
	return f.file.Sync()
}

// Finish ends the output: it is complete.
func (f *File) Finish() error {
	if err := f.sync(); err != nil {
		return err
	}
	if err := os.Remove(f.path + Suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.Close()
}

// Close leaves the output as it is. It can be called after Finish, too.
func (f *File) Close() error {
	var err error
	if f.file != nil {
		err = f.file.Close()
		f.file = nil
	}
	if f.lock.Locked() {
		err = errors.Join(err, f.lock.Unlock())
		_ = os.Remove(f.lock.Path()) // who has locked it meanwhile keeps it
	}
	return err
}
