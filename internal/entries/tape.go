package entries

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// block is how much is read at once, at least.
const block = 64 << 10

var errTooLong = errors.New("the value is too long")

// tape is a reader that keeps the text read until it is released.
type tape struct {
	from    io.Reader
	longest int // the kept text may exceed it by at most a block
	buf     []byte
	mark    int   // where the kept text begins in buf
	err     error // of from, except for io.EOF
	end     bool  // from has nothing more
}

// kept is the kept text.
func (t *tape) kept() []byte { return t.buf[t.mark:] }

// release releases the first n bytes of the kept text.
func (t *tape) release(n int) { t.mark += n }

// fill reads more. At the end it returns [io.EOF].
func (t *tape) fill() error {
	if t.mark > len(t.buf)/2 {
		// Less is moved than was released since the last move, so the cost
		// stays proportional to the text.
		n := copy(t.buf, t.kept())
		t.buf, t.mark = t.buf[:n], 0
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

// more reads more, unless too much is kept already.
func (t *tape) more() error {
	if len(t.kept()) > t.longest {
		return errTooLong
	}
	return t.fill()
}

// ahead is the first n bytes of the kept text, or fewer at the end.
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

// line is the rest of the line that the kept text begins with, or a part of it
// when it is long, and whether there is more of it.
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
