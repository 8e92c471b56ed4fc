package main

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxEntry is the length up to which an entry can be read.
	maxEntry = 8 << 20
	// maxKept bounds what is kept of a text that cannot be read.
	maxKept = 64 << 10
	// block is how much is read at once.
	block = 16 << 10

	byteOrderMark = "\xef\xbb\xbf"
)

// entries reads audit-log entries from JSON text, which may hold single entries
// as well as lists of them and whole replies of the API, one after another and
// laid out in any way. It holds one entry in memory at a time.
//
// What cannot be read is passed over up to the next line that is not indented
// and does not only close what stands before it, and is handed out as text. So
// of JSON lines one broken line costs that line, and of a list laid out over
// many lines one broken element costs that element and what follows it there.
type entries struct {
	tape tape
	dec  *jsontext.Decoder
	// each gets every entry. The bytes are only valid during the call.
	each func(raw []byte) error
	// broken gets the beginning of every text that cannot be read, and whether
	// that is not all of it.
	broken func(beginning []byte, cut bool) error
	// longest is the length of an entry from which on it cannot be read, which
	// bounds the memory. Zero means maxEntry.
	longest int
	// empty counts the replies without a list of entries.
	empty int
	// unfinished says that the text ended in the middle of a list.
	unfinished bool

	// nested says that the value at the tape's mark is an element of a list.
	nested bool
	// stop is the error of a callback.
	stop error
}

// read reads from r to its end. Its error is one of r or of a callback.
func (in *entries) read(r io.Reader) error {
	in.tape = tape{from: r, longest: cmp.Or(in.longest, maxEntry)}
	in.dec = new(jsontext.Decoder)
	head, err := in.tape.ahead(len(byteOrderMark))
	if err != nil {
		return err
	}
	if string(head) == byteOrderMark {
		in.tape.release(int64(len(head)))
	}
	in.restart()
	for {
		in.nested = false
		err := in.value()
		if err == nil {
			continue
		}
		// A reader's error takes precedence: the text would seem broken where
		// it only could not be read.
		if in.stop != nil || in.tape.err != nil {
			return errors.Join(in.stop, in.tape.err)
		}
		if err == io.EOF {
			return nil
		}
		if !in.nested {
			if err := in.skip(); err != nil {
				return err
			}
		}
		// An element may be sound but for what surrounds it, such as a list
		// that lacks a comma, so it gets a second chance by itself.
		in.unfinished = in.unfinished || in.nested && errors.Is(err, io.ErrUnexpectedEOF)
		in.restart()
	}
}

// restart begins to read anew at the mark.
func (in *entries) restart() {
	in.tape.rewind()
	in.dec.Reset(&in.tape, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// mark forgets all that has been read.
func (in *entries) mark() { in.tape.release(in.dec.InputOffset()) }

// value reads one value: an entry, a list or a reply.
func (in *entries) value() error {
	in.mark()
	switch in.dec.PeekKind() {
	case '[':
		return in.list()
	case '{':
		return in.object()
	}
	v, err := in.dec.ReadValue()
	if err != nil {
		return err
	}
	if !in.nested {
		// Plain text often begins like a number.
		return errNoEntry
	}
	return in.emit(v)
}

func (in *entries) list() error {
	if _, err := in.dec.ReadToken(); err != nil {
		return err
	}
	for in.dec.PeekKind() != ']' {
		in.nested = true
		if err := in.value(); err != nil {
			return err
		}
	}
	in.mark()
	_, err := in.dec.ReadToken()
	return err
}

// object reads an object. A reply is told from an entry by its members, so that
// its entries can be handed out before it has been read to its end.
func (in *entries) object() error {
	if _, err := in.dec.ReadToken(); err != nil {
		return err
	}
	reply, listed := false, false
	for in.dec.PeekKind() != '}' {
		name, err := in.dec.ReadValue()
		if err != nil {
			return err
		}
		switch string(name) {
		case `"result"`:
			reply = true
			if in.dec.PeekKind() == '[' {
				listed = true
				if err := in.list(); err != nil {
					return err
				}
				continue
			}
		case `"success"`:
			reply = true
		}
		if err := in.dec.SkipValue(); err != nil {
			return err
		}
	}
	if _, err := in.dec.ReadToken(); err != nil {
		return err
	}
	switch {
	case listed:
		return nil
	case reply:
		in.empty++
		return nil
	}
	return in.emit(in.tape.until(in.dec.InputOffset()))
}

func (in *entries) emit(raw []byte) error {
	in.stop = in.each(bytes.TrimLeft(raw, separators))
	return in.stop
}

// The bytes that stand between values, and those that end lists as well.
const (
	separators = " \t\r\n,"
	closers    = separators + "]}"
)

// skip passes over the text at the mark.
func (in *entries) skip() error {
	in.tape.rewind()
	var beginning []byte
	cut := false
	for {
		line, more, err := in.tape.line()
		if err != nil {
			return err
		}
		room := maxKept - len(beginning)
		beginning = append(beginning, line[:min(room, len(line))]...)
		cut = cut || len(line) > room
		in.tape.release(in.tape.base + int64(len(line)))
		if more {
			continue
		}
		next, err := in.tape.ahead(1)
		if err != nil {
			return err
		}
		if len(next) == 0 || bytes.IndexByte([]byte(" \t]},"), next[0]) < 0 {
			break
		}
	}
	beginning = bytes.Trim(beginning, separators)
	if len(bytes.Trim(beginning, closers)) == 0 {
		return nil
	}
	return in.broken(beginning, cut)
}

var (
	errNoEntry = errors.New("neither an object nor a list")
	errTooLong = errors.New("the entry is too long")
)

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
