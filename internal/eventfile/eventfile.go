// Package eventfile reads events that have been saved as JSON lines, also
// compressed with gzip.
package eventfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// maxLine bounds the length of a line, and so the memory.
const maxLine = 16 << 20

// Reader reads events from one file after another. An event that is on several
// lines, because delivery is at least once, is passed on once.
type Reader struct {
	// Each gets every event with its line, without the line break. Both are only
	// valid during the call. An error of it ends the reading.
	Each func(event *ingest.Event, line []byte) error
	// Progress, when set, is called at intervals with the number of bytes read
	// from the current file, compressed if the file is.
	Progress func(bytes int64)

	// Events counts the events passed on, and Repeated the duplicates.
	Events, Repeated int
	// Unread counts the lines that hold no event, and FirstUnread is the
	// location and the fault of the first one.
	Unread      int
	FirstUnread string
	// Torn names the files that end within a line. The program that wrote them
	// was stopped, and writes the event of that line again.
	Torn []string

	seen map[[2]uint64]struct{}
}

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// fresh reports whether the id is new. Two digests of 64 bits stand for it, so
// that a long archive fits into memory.
func (r *Reader) fresh(id string) bool {
	key := [2]uint64{maphash.String(seeds[0], id), maphash.String(seeds[1], id)}
	if _, ok := r.seen[key]; ok {
		return false
	}
	if r.seen == nil {
		r.seen = make(map[[2]uint64]struct{})
	}
	r.seen[key] = struct{}{}
	return true
}

// ReadFile reads the events of a file. Its error is one of the file or of Each;
// lines without an event are counted.
func (r *Reader) ReadFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.Read(name, f)
}

// Read is ReadFile for a file that is open already.
func (r *Reader) Read(name string, from io.Reader) error {
	counted := &counter{from: from, report: r.Progress}
	buffered, err := Unpacked(counted)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for number := 1; ; number++ {
		line, err := readLine(buffered)
		if err != nil && err != io.EOF && !errors.Is(err, errLong) {
			return fmt.Errorf("%s: %w, after %d events", name, err, r.Events)
		}
		if stop := r.line(name, number, line, err); stop != nil {
			return stop
		}
		if err == io.EOF {
			return nil
		}
	}
}

// Unpacked reads what r has, unpacked if it is compressed with gzip. The error is
// one of a header that is damaged.
func Unpacked(r io.Reader) (*bufio.Reader, error) {
	buffered := bufio.NewReaderSize(r, 256<<10)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, whole(err)
	}
	return bufio.NewReaderSize(compressed{unpacked}, 256<<10), nil
}

// compressed is a text that is unpacked.
type compressed struct{ io.Reader }

// Read implements [io.Reader].
func (c compressed) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	return n, whole(err)
}

// whole words the error of a compressed text that is not whole.
func whole(err error) error {
	_, isCorrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the compressed file ends too early: something is missing")
	case errors.Is(err, gzip.ErrHeader):
		return errors.New("the compressed file is damaged: there is something other than gzip in it")
	case isCorrupt, errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("the compressed file is damaged: %w", err)
	}
	return err
}

// line handles one line. read is io.EOF at the end of the file, and errLong for a
// line that is too long.
func (r *Reader) line(name string, number int, line []byte, read error) error {
	if number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 && read != errLong {
		return nil
	}
	var event ingest.Event
	problem := read
	if read != errLong {
		problem = parse(line, &event)
	}
	switch {
	case problem != nil && read == io.EOF && !json.Valid(line):
		r.Torn = append(r.Torn, name)
		return nil
	case problem != nil:
		r.Unread++
		if r.FirstUnread == "" {
			r.FirstUnread = fmt.Sprintf("%s, line %d: %s", name, number, problem)
		}
		return nil
	case !r.fresh(event.ExternalID):
		r.Repeated++
		return nil
	}
	r.Events++
	return r.Each(&event, line)
}

var (
	errNoEvent = errors.New("this is not an event")
	errEntry   = errors.New("this is an audit-log entry as Cloudflare sends it, and not an event yet: use cfaudit normalize first")
	errLong    = fmt.Errorf("the line has more than %d MiB", maxLine>>20)
)

// parse reads the event of a line.
func parse(line []byte, event *ingest.Event) error {
	if err := json.Unmarshal(line, event); err == nil && event.ExternalID != "" && event.Severity.Valid() {
		return nil
	}
	var entry struct {
		When   json.RawMessage `json:"when"`
		Action struct {
			Time json.RawMessage `json:"time"`
			Type json.RawMessage `json:"type"`
		} `json:"action"`
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(line, &entry) == nil && (entry.When != nil || entry.Action.Type != nil || entry.Result != nil) {
		return errEntry
	}
	return errNoEvent
}

// readLine is the next line, possibly with io.EOF, or errLong and no line if it
// is too long.
func readLine(r *bufio.Reader) ([]byte, error) {
	var whole []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(whole)+len(part) > maxLine; !long {
			if whole == nil && err != bufio.ErrBufferFull {
				return part, err
			}
			whole = append(whole, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case long && (err == nil || err == io.EOF):
			return nil, errLong
		}
		return whole, err
	}
}

// counter counts the bytes that are read.
type counter struct {
	from   io.Reader
	n      int64
	report func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	if c.report != nil {
		c.report(c.n)
	}
	return n, err
}
