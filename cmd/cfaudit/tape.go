package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// block is how much is read at once.
const block = 16 << 10

var errTooLong = errors.New("the entry is too long")

// tape is a reader that keeps what has been read from it until it is released,
// so that it can be read again. Offsets count from the last rewind.
type tape struct {
	from    io.Reader
	longest int // what is kept may be longer by a block at most
	buf     []byte
	mark    int   // where what is kept begins in buf
	next    int   // where the next read begins in buf
	base    int64 // the offset of mark
	err     error // of from, except for io.EOF
	end     bool  // from has nothing more
}

// kept is what is kept.
func (t *tape) kept() []byte { return t.buf[t.mark:] }

// Read implements [io.Reader].
func (t *tape) Read(p []byte) (int, error) {
	if t.next == len(t.buf) {
		if len(t.kept()) > t.longest {
			return 0, errTooLong
		}
		if err := t.fill(); err != nil {
			return 0, err
		}
	}
	// Little at once, because after a rewind much of it may be for nothing.
	n := copy(p[:min(len(p), block)], t.buf[t.next:])
	t.next += n
	return n, nil
}

// fill reads more.
func (t *tape) fill() error {
	if t.mark > len(t.buf)/2 {
		// What is moved is less than what has been released since the last
		// move, so the cost stays proportional to the text.
		n := copy(t.buf, t.kept())
		t.buf, t.next, t.mark = t.buf[:n], t.next-t.mark, 0
	}
	for !t.end && t.err == nil {
		t.buf = slices.Grow(t.buf, block)
		n, err := t.from.Read(t.buf[len(t.buf) : len(t.buf)+block])
		t.buf = t.buf[:len(t.buf)+n]
		if t.end = err == io.EOF; !t.end {
			t.err = err
		}
		if n > 0 {
			return nil
		}
	}
	if t.err != nil {
		return t.err
	}
	return io.EOF
}

// release forgets what stands before offset.
func (t *tape) release(offset int64) {
	t.mark += int(offset - t.base)
	t.next = max(t.next, t.mark)
	t.base = offset
}

// rewind makes what is kept be read again, from offset 0.
func (t *tape) rewind() { t.base, t.next = 0, t.mark }

// until is what is kept before offset.
func (t *tape) until(offset int64) []byte { return t.kept()[:offset-t.base] }

// ahead is the first n bytes of what is kept, or fewer at the end.
func (t *tape) ahead(n int) ([]byte, error) {
	for len(t.kept()) < n {
		if err := t.fill(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return t.kept()[:min(n, len(t.kept()))], nil
}

// line is the rest of the line that what is kept begins with, or a part of it
// when it is long, and then there is more of it.
func (t *tape) line() (line []byte, more bool, err error) {
	for searched := 0; ; {
		line = t.kept()
		if i := bytes.IndexByte(line[searched:], '\n'); i >= 0 {
			return line[:searched+i+1], false, nil
		}
		searched = len(line)
		if searched > maxKept {
			return line, true, nil
		}
		if err := t.fill(); err == io.EOF {
			return line, false, nil
		} else if err != nil {
			return nil, false, err
		}
	}
}
