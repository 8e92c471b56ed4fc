// Package eventformat encodes events in the formats that systems read.
package eventformat

import (
	"bytes"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Format is a form of events. Each event is one line of JSON.
type Format string

// The formats.
const (
	// JSONL is the form of [ingest.Event.AppendJSON].
	JSONL Format = "jsonl"
	// ECS is that of the Elastic Common Schema, [ECSVersion].
	ECS Format = "ecs"
	// OCSF is that of the Open Cybersecurity Schema Framework, [OCSFVersion].
	OCSF Format = "ocsf"
)

// Formats lists the formats.
func Formats() []Format { return []Format{JSONL, ECS, OCSF} }

// Append appends the line of an event, without the line break at its end.
func (f Format) Append(b []byte, e *ingest.Event) []byte {
	switch f {
	case ECS:
		return appendECS(b, e)
	case OCSF:
		return appendOCSF(b, e)
	}
	start := len(b)
	b = e.AppendJSON(b)
	unbreak(b[start:])
	return b
}

// Start is how every line of the format begins.
func (f Format) Start() string {
	switch f {
	case ECS:
		return `{"@timestamp":`
	case OCSF:
		return `{"activity_id":`
	}
	return `{"source":`
}

// unbreak makes one line of an encoded event. Raw line breaks are possible
// only in its raw entry, and in JSON only between tokens, where a space means
// the same. The carriage return goes too: some readers end lines at it.
func unbreak(line []byte) {
	for _, c := range []byte("\n\r") {
		rest := line
		for {
			i := bytes.IndexByte(rest, c)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}
