package notify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/files"
)

// maxFile bounds the file, in bytes. A larger one is another file, and could take
// any amount of memory.
const maxFile = 2 * maxBytes

// partial is added to the name of a file that is being written.
const partial = ".tmp"

// save writes the queue to its file, if that is not up to date. From then on what
// is in it may be sent.
func (n *Notifier) save() error {
	n.saving.Lock()
	defer n.saving.Unlock()
	n.mu.Lock()
	if !n.queue.changed {
		n.mu.Unlock()
		return nil
	}
	content, written := n.queue.encode(), slices.Clone(n.queue.waiting)
	n.queue.changed = false
	n.mu.Unlock()
	err := files.Replace(n.file, n.file+partial, content)
	n.mu.Lock()
	if err != nil {
		n.queue.changed = true
	} else {
		for _, one := range written {
			one.saved = true
		}
	}
	n.mu.Unlock()
	if err != nil {
		return failed("cannot write the queue of notifications: %w", err)
	}
	select {
	case n.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// read reads the queue that an earlier process has left.
func (n *Notifier) read() (queue, error) {
	if err := os.Remove(n.file + partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return queue{}, failed("cannot remove the remains of a crash: %w", err)
	}
	content, err := readBounded(n.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return queue{}, nil
	case err != nil:
		return queue{}, failed("cannot read the queue of notifications: %w", err)
	}
	q, err := decode(content)
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		return queue{}, n.setAside(err)
	}
	n.status.Dropped = q.shrink()
	n.logDropped(n.status.Dropped, len(q.waiting))
	return q, nil
}

// readBounded reads a file. Of one that is too large it reads too much.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// setAside renames a file that cannot be used. To stop the feed for it would be
// worse than what is not told; a person can read the file.
func (n *Notifier) setAside(why error) error {
	aside := n.file + time.Now().UTC().Format(".unusable-20060102T150405.000000000")
	if err := os.Rename(n.file, aside); err != nil {
		return failed("cannot set aside the queue of notifications, which cannot be used (%w): %w", why, err)
	}
	n.log.Error("the queue of notifications cannot be used and is set aside; what waited in it is not sent", "file", aside, "error", why)
	return nil
}
