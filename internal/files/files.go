// Package files has what the stores, the sinks and the command need of files
// besides what package os offers.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// WriteSynced writes a file that only its owner can read, and syncs it to the disk.
func WriteSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Replace puts data into the file path, by way of the file partial in the same
// folder: a crash or a full disk at any moment leaves the old content or the new.
func Replace(path, partial string, data []byte) error {
	err := WriteSynced(partial, data)
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		// On a full disk the remains would keep what little space there is.
		if gone := os.Remove(partial); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	// Without this the rename itself may not survive a power cut.
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in dir durable: that a file was made in it, renamed or
// removed.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		// There a folder cannot be synced, and a new name is journaled.
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// An ExposedError says that other users of this machine can read a file, or
// change it.
type ExposedError struct {
	// Path is the name of the file, and Mode its permissions.
	Path string
	Mode os.FileMode
}

// Error implements error. It says what to do.
func (e *ExposedError) Error() string {
	return fmt.Sprintf("other users of this machine can read or change the file, whose mode is %04o: run 'chmod 600 %s'", e.Mode.Perm(), e.Path)
}

// An OpenFolderError says that every user of this machine can make files in a
// folder, or replace those in it.
type OpenFolderError struct {
	// Path is the name of the folder, and Mode its permissions.
	Path string
	Mode os.FileMode
}

// Error implements error. It says what to do.
func (e *OpenFolderError) Error() string {
	return fmt.Sprintf("every user of this machine can put files into the folder, whose mode is %04o: run 'chmod o-w %s'", e.Mode.Perm(), e.Path)
}

// CheckFolder returns an [OpenFolderError] when users other than the owner and the
// group of a folder can write to it. The sticky bit keeps them from replacing a file
// that exists, not from being the first to make it. It is nil on Windows, where the
// mode does not tell.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o002 == 0 {
		return nil
	}
	return &OpenFolderError{path, info.Mode()}
}

// CheckReplaceable returns an [OpenFolderError] when every user can replace the file
// path, or what it is a link to, because they can write to its folder, which has no
// sticky bit. It is nil for what does not exist, and on Windows.
func CheckReplaceable(path string) error {
	for _, resolve := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		name, err := resolve(path)
		if err != nil {
			return nil
		}
		open, ok := errors.AsType[*OpenFolderError](CheckFolder(filepath.Dir(name)))
		if ok && open.Mode&os.ModeSticky == 0 {
			return open
		}
	}
	return nil
}

// InFolder words err, of making the file path, by its folder where that is the
// reason: it does not exist, or nothing can be made in it.
func InFolder(path string, err error) error {
	dir := filepath.Dir(path)
	info, found := os.Stat(dir)
	switch {
	case errors.Is(found, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist", dir)
	case found != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	if _, there := os.Lstat(path); !errors.Is(there, fs.ErrNotExist) {
		return err
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot make a file in the folder %s: %w", dir, failed.Err)
	}
	return err
}

// exposed are the permissions of users who are neither the owner of a file nor in
// its group.
const exposed = 0o006

// CheckPrivateFile is [CheckPrivate] of the file with a name. It is nil for one that
// cannot be opened.
func CheckPrivateFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	return CheckPrivate(f)
}

// CheckPrivate returns an [ExposedError] when users other than the owner and the
// group of a file can read or change it. It is nil for what is not a regular
// file, on Windows, where the mode does not tell, and on a file system that is
// mounted read-only: such are the secrets of containers, where the mount decides
// who sees them and the mode cannot be changed.
func CheckPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&exposed == 0 || onReadOnlyMount(f) {
		return nil
	}
	return &ExposedError{f.Name(), info.Mode()}
}
