package main

import (
	"bytes"
	"cmp"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxEntry is the length up to which an entry can be read.
	maxEntry = 8 << 20
	// maxKept bounds what is kept of a text that cannot be read.
	maxKept = 64 << 10

	byteOrderMark = "\xef\xbb\xbf"
)

var errNoEntry = errors.New("neither an object nor a list")

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
