package deliver

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	// MaxMessage bounds the size of an event. The queues of services, and the
	// smallest of their requests, take 1,048,576 bytes; the rest is for what is
	// added to it.
	MaxMessage = 1_000_000
	// noteRoom is kept for the notes on what has been changed.
	noteRoom = 512
	// markRoom is enough for a mark that stands for what was cut off.
	markRoom = 64
	// maxDepth is how deep inside a raw event its largest parts are sought.
	maxDepth = 16
	// maxNesting bounds the nesting of a raw event. The readers behind the
	// service's queue are Python, whose parser gives up below 1000 levels.
	maxNesting = 256
)

// readOptions are those with which raw events are read elsewhere too.
var readOptions = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// Encoding is how events become lines.
type Encoding struct {
	// Append appends the line of an event, without a line break.
	Append func(line []byte, e *ingest.Event) []byte
	// Size is what counts as the size of a line, of which MaxMessage is the
	// most. The raw event of an event adds at most its [QueuedSize].
	Size func(line []byte) int
}

// Item is an event and how it is sent.
type Item struct {
	Event *ingest.Event
	// Line is the event encoded, without a line break.
	Line []byte
	// Truncated says that its raw event is not whole there.
	Truncated bool
}

func (c *Encoding) encode(events []ingest.Event) []Item {
	items := make([]Item, len(events))
	for i := range events {
		items[i] = c.Fit(&events[i])
	}
	return items
}

// Fit encodes an event so that services can take it. They read numbers as
// float64 and refuse a whole batch for one that does not fit; and so they do for
// one event that is too large.
func (c *Encoding) Fit(event *ingest.Event) Item {
	it := Item{Event: event}
	fit := *event
	note := func(format string, args ...any) {
		fit.Audit.Notes = append(slices.Clip(fit.Audit.Notes), fmt.Sprintf(format, args...))
	}
	raw := string(event.RawEvent)
	if quoted, n := quoteNumbers(raw); n > 0 {
		raw = quoted
		note("%d numbers in raw_event are too large to be read as numbers and stand in quotes", n)
	}
	if flat, deep := flatten(raw); deep {
		raw = flat
		note("what raw_event nests deeper than %d levels stands there as text", maxNesting)
	}
	fit.RawEvent = ingest.RawJSON(raw)
	it.Line = c.Append(make([]byte, 0, len(raw)+1536), &fit)
	if c.Size(it.Line) > MaxMessage {
		room := MaxMessage - noteRoom - c.sizeWithoutRaw(fit)
		compact := jsontext.Value(raw)
		_ = compact.Compact(readOptions...) // white space is nothing to lose
		if QueuedSize(compact) <= room {
			fit.RawEvent = ingest.RawJSON(compact)
			it.Line = c.Append(nil, &fit)
			return it
		}
		short := shrink(compact, room, maxDepth)
		note("raw_event is cut down from %d to %d bytes, because the host takes no more than about 1 MiB", len(event.RawEvent), len(short))
		fit.RawEvent, fit.RawTruncated = ingest.RawJSON(short), true
		it.Line, it.Truncated = c.Append(nil, &fit), true
	}
	return it
}

// sizeWithoutRaw is the size of an event less that of its raw event.
func (c *Encoding) sizeWithoutRaw(e ingest.Event) int {
	const digit = "0"
	e.RawEvent = digit
	return c.Size(c.Append(nil, &e)) - len(digit)
}

// flatten makes text of what a JSON text nests deeper than maxNesting. It reports
// whether there was anything.
func flatten(raw string) (flat string, deep bool) {
	var b []byte
	depth, done, from := 0, 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth == maxNesting+1 {
				from = i
			}
		case '}', ']':
			if depth--; depth == maxNesting {
				b = append(b, raw[done:from]...)
				b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(raw[from:i+1], "\uFFFD"))
				done = i + 1
			}
		}
	}
	return string(append(b, raw[done:]...)), done > 0
}

// bare is an event without its raw event.
func (c *Encoding) bare(it Item) Item {
	e := *it.Event
	e.RawEvent, e.RawTruncated = ingest.RawJSON(cut(jsontext.Value(e.RawEvent), 0)), true
	e.Audit.Notes = append(slices.Clip(e.Audit.Notes), "raw_event is left out, because the host refuses the event with it")
	it = c.Fit(&e)
	it.Truncated = true
	return it
}

// quoteNumbers puts the numbers that no float64 holds into quotes.
func quoteNumbers(raw string) (quoted string, n int) {
	dec := jsontext.NewDecoder(strings.NewReader(raw), readOptions...)
	var b []byte
	done := 0
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			break
		}
		if tok.Kind() != '0' {
			continue
		}
		number := tok.String()
		if _, err := strconv.ParseFloat(number, 64); err == nil {
			continue
		}
		end := int(dec.InputOffset())
		b = append(b, raw[done:end-len(number)]...)
		b = append(b, '"')
		b = append(b, number...)
		b = append(b, '"')
		done = end
		n++
	}
	if n == 0 {
		return raw, 0
	}
	return string(append(b, raw[done:]...)), n
}

// QueuedSize bounds the size of a JSON text in the queue of a service, where it
// is a string in JSON and <, > and & have become escapes.
func QueuedSize(text []byte) int {
	size := 0
	for i, c := range text {
		switch c {
		case '"', '\\', '\n', '\r', '\t':
			size += 2
		case '<', '>', '&':
			size += len(`\\u003c`)
		case 0xE2: // the first byte of the line separators, which are escaped too
			size++
			if bytes.HasPrefix(text[i:], []byte("\u2028")) || bytes.HasPrefix(text[i:], []byte("\u2029")) {
				size += len(`\\u2028`)
			}
		default:
			size++
		}
	}
	return size
}

// shrink makes v a value whose QueuedSize is at most limit, or markRoom if that
// is more. It keeps what is small and cuts what is large, marking each place;
// deeper than depth it cuts without looking.
func shrink(v jsontext.Value, limit, depth int) jsontext.Value {
	if QueuedSize(v) <= limit {
		return v
	}
	if depth > 0 && limit > 4*markRoom {
		switch v.Kind() {
		case '{':
			return shrinkObject(v, limit, depth)
		case '[':
			return shrinkArray(v, limit, depth)
		}
	}
	return cut(v, limit)
}

// shrinkObject gives each of the members an equal share of the room. What the
// small ones do not need is for the large ones.
func shrinkObject(v jsontext.Value, limit, depth int) jsontext.Value {
	parts := read(v)
	room := limit - markRoom
	kept := 0
	for kept < len(parts)/2 {
		need := QueuedSize(parts[2*kept]) + len(":,") + markRoom
		if need > room {
			break
		}
		room -= need
		kept++
	}
	sizes := make([]int, kept)
	for i := range kept {
		sizes[i] = QueuedSize(parts[2*i+1])
		room += markRoom
	}
	slices.Sort(sizes)
	share := 0
	for i, size := range sizes {
		if share = room / (kept - i); size > share {
			break
		}
		room -= size
	}
	var members [][]byte
	for i := range kept {
		value := shrink(parts[2*i+1], max(share, markRoom), depth-1)
		members = append(members, slices.Concat(parts[2*i], []byte{':'}, value))
	}
	if dropped := len(parts)/2 - kept; dropped > 0 {
		members = append(members, fmt.Appendf(nil, `"[truncated]":"%d members"`, dropped))
	}
	return slices.Concat([]byte{'{'}, bytes.Join(members, []byte{','}), []byte{'}'})
}

// shrinkArray keeps the first elements.
func shrinkArray(v jsontext.Value, limit, depth int) jsontext.Value {
	parts := read(v)
	room := limit - markRoom
	var kept [][]byte
	for i, part := range parts {
		if i == 0 {
			part = shrink(part, room, depth-1)
		}
		if room -= QueuedSize(part) + 1; room < 0 && i > 0 {
			kept = append(kept, fmt.Appendf(nil, `"[%d elements truncated]"`, len(parts)-i))
			break
		}
		kept = append(kept, part)
	}
	return slices.Concat([]byte{'['}, bytes.Join(kept, []byte{','}), []byte{']'})
}

// read returns the members of an object, names and values in turn, or the
// elements of an array.
func read(v jsontext.Value) []jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewReader(v), readOptions...)
	var parts []jsontext.Value
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for k := dec.PeekKind(); k != '}' && k != ']' && k != 0; k = dec.PeekKind() {
		part, err := dec.ReadValue()
		if err != nil {
			break
		}
		parts = append(parts, part.Clone())
	}
	return parts
}

// cut makes v a string: its beginning and how much is missing.
func cut(v jsontext.Value, limit int) jsontext.Value {
	text := []byte(v)
	if v.Kind() == '"' {
		text, _ = jsontext.AppendUnquote(nil, v) // which replaces invalid UTF-8
	}
	n := len(text)
	for {
		for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		b, _ := jsontext.AppendQuote(nil, fmt.Appendf(slices.Clip(text[:n]), "… [%d bytes truncated]", len(text)-n))
		size := QueuedSize(b)
		if size <= limit || n == 0 {
			return b
		}
		n = min(n-1, int(int64(n)*int64(max(0, limit-markRoom))/int64(size)))
	}
}
