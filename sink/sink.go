// Package sink writes events as JSON lines: [File] to a file that survives
// crashes, [Writer] to standard output or any other [io.Writer].
//
//	out, err := sink.OpenFile("events.jsonl")
//	...
//	defer out.Close()
//	err = out.Write(ctx, batch.Events) // nil means that they are on the disk
//
// [Distinct] leaves out events that were delivered before, and [Group] lets
// several feeds share the calls of one sink.
//
// Each event is one line, as [ingest.Event.AppendJSON] encodes it. Line breaks
// between the tokens of a raw entry become spaces; everything else in it stays
// byte for byte.
package sink

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// maxKept is the largest buffer that is kept for the next batch. Batches are
// seldom larger, and one that is must not occupy its memory for ever.
const maxKept = 4 << 20

// Writer is an [ingest.Sink] that writes to an [io.Writer]. It is safe for
// concurrent use as long as nothing else writes to that io.Writer.
type Writer struct {
	mu     sync.Mutex
	out    io.Writer
	format Format
	buf    []byte
	// rest is what is missing of a line that a failed write has torn.
	rest []byte
}

// Format is the format of the lines: [JSONL], [ECS] or [OCSF].
type Format = eventformat.Format

// The formats of events: that of [ingest.Event.AppendJSON], that of the Elastic
// Common Schema, and that of the Open Cybersecurity Schema Framework.
const (
	JSONL = eventformat.JSONL
	ECS   = eventformat.ECS
	OCSF  = eventformat.OCSF
)

// NewWriter returns a sink that writes to w.
func NewWriter(w io.Writer) *Writer { return NewWriterAs(w, JSONL) }

// NewWriterAs is [NewWriter] for lines in another format.
func NewWriterAs(w io.Writer, format Format) *Writer { return &Writer{out: w, format: format} }

// Write implements [ingest.Sink]. It writes all events in one call of the
// underlying Write; once that returns nil, the events count as durable. When
// the call fails in mid-line, the next one completes that line first, so that
// no line stays broken.
//
// The context is checked only before the call: a write to a pipe that nobody
// reads waits for its reader.
func (w *Writer) Write(ctx context.Context, events []ingest.Event) error {
	if err := ctx.Err(); err != nil {
		return prefixed.Errorf("sink", "%w", err)
	}
	if len(events) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	buf := appendLines(append(w.buf[:0], w.rest...), w.format, events)
	w.buf = reusable(buf)
	n, err := w.out.Write(buf)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		w.rest = nil
		return nil
	}
	if n > 0 {
		w.rest = nil
		if buf[n-1] != '\n' {
			end := n + bytes.IndexByte(buf[n:], '\n') + 1
			w.rest = bytes.Clone(buf[n:end])
		}
	}
	return prefixed.Errorf("sink", "%w", err)
}

// appendLines appends one line per event.
func appendLines(b []byte, format Format, events []ingest.Event) []byte {
	for i := range events {
		b = append(format.Append(b, &events[i]), '\n')
	}
	return b
}

// reusable returns buf, or nil when it is too large to be kept.
func reusable(buf []byte) []byte {
	if cap(buf) > maxKept {
		return nil
	}
	return buf[:0]
}
