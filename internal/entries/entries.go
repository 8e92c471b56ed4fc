// Package entries reads saved audit-log entries from any JSON text: JSON lines,
// lists of entries and whole API replies, concatenated and formatted in any
// way, also in the wrappers of other tools and in events of our own.
package entries

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"unsafe"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

const (
	// maxEntry bounds the length of an entry.
	maxEntry = 8 << 20
	// maxKept bounds the part kept of an unreadable text.
	maxKept = 64 << 10
	// maxDepth bounds how deep lists nest, each of which takes room on the stack.
	// What is deeper is read as a list of its own.
	maxDepth = 10_000

	byteOrderMark = "\xef\xbb\xbf"
)

var (
	errNoEntry = errors.New("neither an object nor a list")
	errTooDeep = errors.New("the lists are nested too deeply")
)

// Reader reads entries and passes each one on as soon as it is complete. It
// holds one entry in memory at a time.
//
// Unreadable text is skipped up to the next line that is not indented and has
// more than closing brackets, and is passed on as text. So a broken line of
// JSON lines costs only that line, and a broken element of a list formatted
// over many lines costs that element and those that follow it there.
type Reader struct {
	// Each gets every entry. It is only valid during the call. An object that is
	// no entry is opened if it has entries, and passed on as it is otherwise.
	Each func(entry *jsondoc.Doc) error
	// Broken gets the beginning of every unreadable text, and whether it was
	// cut.
	Broken func(beginning []byte, cut bool) error
	// Event is, during a call of Each or Broken, the event of our own that the
	// entry was taken from, or the missing value.
	Event jsondoc.Value
	// Longest is the length limit of an entry, in bytes, which bounds the
	// memory. Zero means 8 MiB.
	Longest int

	// Empty counts the replies without a list of entries: requests that failed.
	Empty int
	// Unfinished says that the text ended in the middle of a list.
	Unfinished bool

	tape tape
	doc  jsondoc.Doc
	part jsondoc.Doc // an entry within doc
	// nested says that the value at the mark is an element of a list.
	nested bool
	// depth is how many lists are open around the mark.
	depth int
	// stop is the error of a callback.
	stop error
}

// Read reads from r to its end. Its error is one of r or of a callback.
func (in *Reader) Read(r io.Reader) error {
	in.tape = tape{from: r, longest: cmp.Or(in.Longest, maxEntry), buf: in.tape.buf[:0]}
	head, err := in.tape.ahead(len(byteOrderMark))
	if err != nil {
		return err
	}
	if string(head) == byteOrderMark {
		in.tape.release(len(head))
	}
	for {
		in.nested, in.depth = false, 0
		err := in.value()
		if err == nil {
			continue
		}
		// A reader's error takes precedence: the text may be incomplete only
		// because of it.
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
		// An element may be valid although its context is not, such as a list
		// that lacks a comma, so it is parsed again alone.
		in.Unfinished = in.Unfinished || in.nested && errors.Is(err, io.ErrUnexpectedEOF)
	}
}

// next releases white space and returns the byte after it, or io.EOF.
func (in *Reader) next() (byte, error) {
	for {
		kept := in.tape.kept()
		for i, c := range kept {
			if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				in.tape.release(i)
				return c, nil
			}
		}
		in.tape.release(len(kept))
		if err := in.tape.fill(); err != nil {
			return 0, err
		}
	}
}

// value reads one value: an entry, a list or a reply.
func (in *Reader) value() error {
	c, err := in.next()
	if err != nil {
		return err
	}
	switch c {
	case '[':
		if err := in.list(0); err != nil {
			return err
		}
		in.tape.release(1)
		return nil
	case '{':
		return in.object()
	}
	n, err := in.parse(0)
	if err != nil {
		return err
	}
	opened, err := in.open(in.doc.Root())
	switch {
	case err != nil:
		return err
	case opened:
	case !in.nested:
		// Plain text often begins like a number.
		return errNoEntry
	default:
		if err := in.emit(&in.doc); err != nil {
			return err
		}
	}
	in.tape.release(n)
	return nil
}

// parse reads the value at offset at of the kept text into doc, and returns its
// end.
func (in *Reader) parse(at int) (end int, err error) {
	// A value that is long, or comes in small pieces, is not read anew for each
	// piece, but when there is half as much again. early is what may be spent on
	// looking sooner, because a reader of a live pipe waits.
	early := maxEarly
	for seen, size := 0, 0; ; {
		kept := in.tape.kept()
		soon := len(kept)-at <= early && mayEnd(kept[max(at, min(seen, len(kept))):])
		if len(kept) >= size || soon {
			n, err := in.doc.ParsePrefix(textOf(kept[at:]))
			touches := err == nil && at+n == len(kept) && in.doc.Root().Kind() == jsondoc.Number
			if !touches && !errors.Is(err, io.ErrUnexpectedEOF) {
				return at + n, err
			}
			if len(kept) < size {
				early -= len(kept) - at
			} else {
				size = len(kept) + (len(kept)-at)/2
			}
		}
		seen = len(kept)
		switch err := in.tape.more(); {
		case err == io.EOF && len(in.tape.kept()) == len(kept):
			n, err := in.doc.ParsePrefix(textOf(in.tape.kept()[at:]))
			return at + n, err
		case err != nil && err != io.EOF:
			return at, err
		}
	}
}

// maxEarly bounds, in bytes, how much of one value is read again because it may
// have come to its end.
const maxEarly = 1 << 20

// mayEnd reports whether a value may end in a piece of text: where a line does, or
// with a bracket at the end of the piece.
func mayEnd(piece []byte) bool {
	trimmed := bytes.TrimRight(piece, " \t\r\n")
	if n := len(trimmed); n > 0 && (trimmed[n-1] == '}' || trimmed[n-1] == ']') {
		return true
	}
	return bytes.IndexByte(piece, '\n') >= 0
}

// textOf is b as a string that shares its memory.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// list reads the list whose bracket is at offset at of the kept text, up to its
// closing bracket. It releases the elements as it reads.
func (in *Reader) list(at int) error {
	if in.depth >= maxDepth {
		return errTooDeep
	}
	in.depth++
	defer func() { in.depth-- }()
	in.tape.release(at + 1)
	for first := true; ; first = false {
		c, err := in.next()
		if err == nil && c == ']' {
			return nil
		}
		in.nested = true
		if err != nil {
			return unexpected(err)
		}
		if !first {
			if c != ',' {
				return errNoEntry
			}
			in.tape.release(1)
		}
		if err := in.value(); err != nil {
			return unexpected(err)
		}
	}
}

// unexpected is err within a list or an object, where no end is expected.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// object reads an object: an entry, or a reply whose entries are passed on
// before it is complete.
func (in *Reader) object() error {
	long := false
	if !in.beginsReply() {
		n, err := in.parse(0)
		if err == nil {
			if err := in.found(in.doc.Root()); err != nil {
				return err
			}
			in.tape.release(n)
			return nil
		}
		if in.tape.err != nil {
			return err
		}
		long = err == errTooLong
	}
	return in.members(long)
}

// beginsReply reports whether the object at the mark begins like an API reply.
// It reads only as much as needed.
func (in *Reader) beginsReply() bool {
	for at := 1; ; {
		kept := in.tape.kept()
		name := bytes.TrimLeft(kept[at:], " \t\r\n")
		at = len(kept) - len(name)
		open := false
		for _, begin := range []string{`"result"`, `"success"`, `"errors"`, `"messages"`, `"result_info"`} {
			if bytes.HasPrefix(name, []byte(begin)) {
				return true
			}
			open = open || len(name) < len(begin) && begin[:len(name)] == string(name)
		}
		if !open || in.tape.more() != nil {
			return false
		}
	}
}

// found passes on the entries in a complete value.
func (in *Reader) found(v jsondoc.Value) error {
	switch v.Kind() {
	case jsondoc.Array:
		in.nested = true
		for element := range v.All() {
			if err := in.found(element); err != nil {
				return err
			}
		}
		return nil
	case jsondoc.Object:
		return in.foundObject(v)
	}
	return in.emitValue(v)
}

// foundObject passes on the entries in an object: an entry, a reply or a wrapper.
func (in *Reader) foundObject(v jsondoc.Value) error {
	reply, listed := false, false
	var shape audit.Shape
	for m := range v.All() {
		switch m.Name() {
		case "success":
			reply = true
		case "result":
			reply = true
			if m.Kind() != jsondoc.Array {
				continue
			}
			listed = true
			if err := in.found(m); err != nil {
				return err
			}
		default:
			shape.See(m)
		}
	}
	if listed {
		return nil
	}
	if !shape.MayBeEntry() {
		if opened, err := in.open(v); opened || err != nil {
			return err
		}
	}
	if reply {
		in.Empty++
		return nil
	}
	return in.emitValue(v)
}

// members reads the object at the mark member by member. long says that it is
// too long to be read at once, and so a wrapper if anything.
func (in *Reader) members(long bool) error {
	if in.depth >= maxDepth {
		return errTooDeep
	}
	in.depth++
	defer func() { in.depth-- }()
	at := 1 // after the part read so far
	listed := false
	for first := true; ; first = false {
		c, i, err := in.ahead(at)
		if err != nil {
			return err
		}
		if c == '}' && first {
			return in.ended(i+1, listed)
		}
		if !first {
			if c == '}' {
				return in.ended(i+1, listed)
			}
			if c != ',' {
				return errNoEntry
			}
			if c, i, err = in.ahead(i + 1); err != nil {
				return err
			}
		}
		if c != '"' {
			return errNoEntry
		}
		end, err := in.parse(i)
		if err != nil {
			return err
		}
		// The name itself is gone once more is read, because that moves the buffer.
		name := in.doc.Root().Text()
		isResult := name == "result"
		isStreamed := isResult || long && slices.Contains(streamed, name)
		if c, i, err = in.ahead(end); err != nil {
			return err
		}
		if c != ':' {
			return errNoEntry
		}
		if c, i, err = in.ahead(i + 1); err != nil {
			return err
		}
		if isStreamed && c == '[' {
			listed = true
			if err := in.list(i); err != nil {
				return err
			}
			at = len("]") // the rest of the list has been released
			continue
		}
		if isStreamed && long && c == '{' {
			listed, in.nested = true, true
			in.tape.release(i)
			if err := in.members(long); err != nil {
				return unexpected(err)
			}
			at = 0 // the whole object has been released
			continue
		}
		if at, err = in.parse(i); err != nil {
			return err
		}
	}
}

// ended is called when an object has been read member by member up to end.
func (in *Reader) ended(end int, listed bool) error {
	if !listed {
		if _, err := in.parse(0); err != nil {
			return err
		}
		if err := in.found(in.doc.Root()); err != nil {
			return err
		}
	}
	in.tape.release(end)
	return nil
}

// ahead is the byte after the white space at offset at, and its offset.
func (in *Reader) ahead(at int) (byte, int, error) {
	for {
		kept := in.tape.kept()
		for i := at; i < len(kept); i++ {
			if c := kept[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return c, i, nil
			}
		}
		at = len(kept)
		if err := in.tape.more(); err != nil {
			return 0, 0, unexpected(err)
		}
	}
}

func (in *Reader) emit(entry *jsondoc.Doc) error {
	in.stop = in.Each(entry)
	return in.stop
}

// The bytes between values, and those that also end lists.
const (
	separators = " \t\r\n,"
	closers    = separators + "]}"
)

// skip skips the text at the mark.
func (in *Reader) skip() error {
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
		in.tape.release(len(line))
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
	return in.Broken(beginning, cut)
}
