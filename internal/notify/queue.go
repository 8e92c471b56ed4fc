package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// maxWaiting and maxBytes bound a queue, in events and in bytes of JSON.
	maxWaiting = 1000
	maxBytes   = 4 << 20
	// maxEventBytes bounds one event of it.
	maxEventBytes = 16 << 10
	// maxChanges bounds the changes of an event.
	maxChanges = 8
	// maxText bounds the texts of an event that is too large, in bytes.
	maxText = 512
	// maxSeen is how many events are remembered, so that none is sent twice when
	// a batch is delivered again: two of the largest batches.
	maxSeen = 2 * ingest.MaxEvents
)

// queue is what waits to be sent, in the order of delivery. The zero queue is
// empty.
type queue struct {
	waiting []*notification
	bytes   int
	seen    memory
	// dropped counts the events that had to leave, as far as no message has told
	// of them.
	dropped int
	// changed says that the file is not up to date.
	changed bool
}

// notification is an event to be told.
type notification struct {
	severity ingest.Severity
	// line is the event as JSON.
	line []byte
	// saved says that it is in the file, and sending that it is being sent.
	saved, sending bool
}

// add appends an event that has not been there before.
func (q *queue) add(e *ingest.Event) {
	if !q.seen.add(digest(e.ExternalID)) {
		return
	}
	q.push(&notification{severity: e.Severity, line: encoded(e)})
}

func (q *queue) push(n *notification) {
	q.waiting = append(q.waiting, n)
	q.bytes += len(n.line)
	q.changed = true
}

// shrink drops the oldest event of the lowest severity until the queue is within
// its bounds. What is being sent stays.
func (q *queue) shrink() (dropped int) {
	for len(q.waiting) > maxWaiting || q.bytes > maxBytes {
		least := -1
		for i, n := range q.waiting {
			if !n.sending && (least < 0 || rank(n.severity) > rank(q.waiting[least].severity)) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		q.bytes -= len(q.waiting[least].line)
		q.waiting = slices.Delete(q.waiting, least, least+1)
		q.changed = true
		dropped++
	}
	q.dropped += dropped
	return dropped
}

// take is the first events that are in the file, at most so many.
func (q *queue) take(most int) (batch []*notification) {
	for _, n := range q.waiting {
		if len(batch) == most || !n.saved {
			break
		}
		n.sending = true
		batch = append(batch, n)
	}
	return batch
}

// sent removes events that have been sent.
func (q *queue) sent(batch []*notification) {
	q.waiting = slices.DeleteFunc(q.waiting, func(n *notification) bool {
		gone := slices.Contains(batch, n)
		if gone {
			q.bytes -= len(n.line)
		}
		return gone
	})
	q.changed = true
}

// encoded is an event as it waits: without its entry, and bounded.
func encoded(e *ingest.Event) []byte {
	short := *e
	short.RawEvent, short.RawTruncated = "", true
	limitChanges(&short.Audit, maxChanges)
	if year := e.CreatedAt.UTC().Year(); year < 0 || year > 9999 {
		short.CreatedAt = time.Time{} // which alone can be read again
	}
	line := short.AppendJSON(nil)
	if len(line) <= maxEventBytes {
		return line
	}
	// No event of the connector is as large.
	limitChanges(&short.Audit, 0)
	short = ingest.Event{
		ExternalID: e.ExternalID, Severity: e.Severity, CreatedAt: short.CreatedAt,
		Title: text.OneLine(e.Title, maxText), Action: text.OneLine(e.Action, maxText), Actor: text.OneLine(e.Actor, maxText),
		SrcIP: text.OneLine(e.SrcIP, maxText), RawTruncated: true,
		Audit: ingest.Audit{
			Outcome: text.OneLine(e.Audit.Outcome, maxText), AccountID: text.OneLine(e.Audit.AccountID, maxText),
			ZoneName: text.OneLine(e.Audit.ZoneName, maxText), Target: text.OneLine(e.Audit.Target, maxText),
			Rule: text.OneLine(e.Audit.Rule, maxText), Why: text.OneLine(e.Audit.Why, maxText),
			ChangesOmitted: short.Audit.ChangesOmitted,
			Notes:          []string{"the rest is left out of the notification, because it is too large"},
		},
	}
	return short.AppendJSON(nil)
}

// limitChanges leaves out the changes beyond the first few, and counts them.
func limitChanges(a *ingest.Audit, most int) {
	if over := len(a.Changes) - most; over > 0 {
		a.Changes, a.ChangesOmitted = a.Changes[:most], a.ChangesOmitted+over
	}
}

// decoded reads what encoded has written.
func decoded(line []byte) (e ingest.Event, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	e.RawEvent = "" // null is not
	if e.ExternalID == "" || !e.Severity.Valid() {
		return e, errors.New("it has no id or no severity")
	}
	return e, nil
}

// id tells events apart.
type id [8]byte

func digest(externalID string) (short id) {
	sum := sha256.Sum256([]byte(externalID))
	copy(short[:], sum[:])
	return short
}

// memory is the last events that were queued.
type memory struct {
	known map[id]bool
	// order is the ids in the order of their arrival. It is a ring once it is
	// full, and oldest is where that begins.
	order  []id
	oldest int
}

// add reports whether an event is new, and remembers it.
func (m *memory) add(one id) bool {
	if m.known[one] {
		return false
	}
	if m.known == nil {
		m.known = make(map[id]bool)
	}
	m.known[one] = true
	if len(m.order) < maxSeen {
		m.order = append(m.order, one)
		return true
	}
	delete(m.known, m.order[m.oldest])
	m.order[m.oldest] = one
	m.oldest = (m.oldest + 1) % maxSeen
	return true
}

// fileVersion is the version of the form of the file.
const fileVersion = 1

// encode is the content of the file. An event is a line.
func (q *queue) encode() []byte {
	b := make([]byte, 0, q.bytes+2*len(q.waiting)+20*len(q.seen.order)+100)
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, fileVersion, 10)
	b = append(b, `,"dropped":`...)
	b = strconv.AppendInt(b, int64(q.dropped), 10)
	b = append(b, `,"seen":[`...)
	for i := range q.seen.order {
		if i > 0 {
			b = append(b, ',')
		}
		one := q.seen.order[(q.seen.oldest+i)%len(q.seen.order)]
		b = append(hex.AppendEncode(append(b, '"'), one[:]), '"')
	}
	b = append(b, `],"events":[`...)
	for i, n := range q.waiting {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, '\n'), n.line...)
	}
	return append(b, "\n]}\n"...)
}

// decode reads the content of a file.
func decode(content []byte) (q queue, err error) {
	var saved struct {
		Version int               `json:"version"`
		Dropped int               `json:"dropped"`
		Seen    []string          `json:"seen"`
		Events  []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(content, &saved); err != nil {
		return q, err
	}
	switch {
	case saved.Version > fileVersion:
		return q, errors.New("a newer release has written it")
	case saved.Version != fileVersion || saved.Dropped < 0:
		return q, errors.New("it is no queue of notifications")
	}
	q.dropped = saved.Dropped
	for _, s := range saved.Seen {
		var one id
		if n, err := hex.Decode(one[:min(len(one), len(s)/2)], []byte(s[:min(len(s), 2*len(one))])); err != nil || n != len(one) || len(s) != 2*len(one) {
			return queue{}, errors.New("an id in it is none")
		}
		q.seen.add(one)
	}
	for _, line := range saved.Events {
		e, err := decoded(line)
		if err != nil {
			return queue{}, err
		}
		q.push(&notification{severity: e.Severity, line: line, saved: true})
	}
	q.changed = false
	return q, nil
}
