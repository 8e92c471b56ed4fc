package cloudflareaudit

import (
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The source and category of every event.
const (
	eventSource   = "cloudflare"
	eventCategory = "saas"
)

// The logs that entries are read from.
const (
	apiV1 = "v1"
	apiV2 = "v2"
)

// Bounds of texts in an event, in bytes. What they cut off is in raw_event.
const (
	maxText = 512
	maxID   = 256
)

// failedSuffix ends the action of an attempt that failed. Detections of hosts
// compare the action alone, and must not report what has not happened.
const failedSuffix = ".failed"

// Normalizer turns audit-log entries into events. It holds no state and is safe
// for concurrent use. [NewNormalizer] makes one.
type Normalizer struct {
	accountID string
	// ownTokenID is the id of the token that the connector reads with, or "".
	ownTokenID string
	classifier *classifier
}

// facts finds out what an entry did, and adds what the entry does not say.
func (n *Normalizer) facts(e *entry) facts {
	f := factsOf(e)
	f.ownToken = f.tokenID != "" && strings.EqualFold(f.tokenID, n.ownTokenID)
	return f
}

var singles = sync.Pool{New: func() any { return new(page) }}

func releaseSingle(p *page) {
	p.body, p.layout, p.decoded = nil, nil, entry{}
	singles.Put(p)
}

// Normalize turns one entry, as JSON, into an event, and says how the rules
// grade it. A verdict to drop comes with the event all the same. Whether it is an
// entry of the audit log or of Audit Logs v2 is told by its members.
//
// It never fails. What is not an entry becomes an event that says so and holds
// it in RawEvent, as a JSON string where it is not JSON. An entry without a
// readable time has the zero time.
func (n *Normalizer) Normalize(raw []byte) (ingest.Event, Verdict) {
	e := decodeOne(raw)
	return n.event(&e, time.Time{})
}

// decodeOne decodes one entry into memory of its own. The parts that it has tell
// which log it is from.
func decodeOne(raw []byte) entry {
	p := singles.Get().(*page)
	defer releaseSingle(p)
	p.body, p.layout = raw, &layoutV2
	if err := p.scanOne(); err == nil && nesting(raw) < maxNesting {
		if p.isV2() {
			return *p.entry(0)
		}
		p.layout = &layoutV1
		if p.scanOne() == nil {
			return *p.entry(0)
		}
	}
	return notJSON(string(raw))
}

// notJSON is the entry of a text that is no JSON, or that nests too deep.
func notJSON(raw string) entry {
	e := entry{id: derivedID(raw), undecodable: true, notes: []string{
		"the entry is not JSON; raw_event holds it as text",
	}}
	e.keepText(raw)
	return e
}

// keepText keeps what cannot be read as JSON as a text, with secrets masked as far
// as they can be told.
func (e *entry) keepText(text string) {
	var m masking
	shown := m.torn(text)
	if m.n > 0 {
		e.notes = append(e.notes, maskedNote(m.n))
	}
	e.raw = string(quote(shown))
}

// maxNesting bounds how deep an entry may nest to be part of an event:
// encoding/json, on the side of the host, reads no more than 10,000 levels.
const maxNesting = 9000

// nesting is a number that the depth of raw does not exceed.
func nesting(raw []byte) int {
	if len(raw) < maxNesting {
		return 0
	}
	depth, deepest := 0, 0
	for _, c := range raw {
		switch c {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// event makes an event of an entry and grades it. An entry without a time of
// its own gets fallback.
func (n *Normalizer) event(e *entry, fallback time.Time) (ingest.Event, Verdict) {
	f := n.facts(e)
	v := n.classifier.classify(e, &f)
	return n.eventOf(e, &f, v, fallback), v
}

// eventOf makes an event of an entry of which everything else is known.
func (n *Normalizer) eventOf(e *entry, f *facts, v Verdict, fallback time.Time) ingest.Event {
	created := e.when
	// The notes of the entry are appended to without changing them.
	notes := e.notes[:len(e.notes):len(e.notes)]
	api, request := apiV1, ingest.Request{}
	text := e.raw
	if e.call != nil {
		api, request = apiV2, e.call.Request
	} else if e.hasValues() && (!plainValues(&f.naming) || mayHoldSecret(text)) {
		var n int
		if text, n = maskEntry(text, &f.naming); n > 0 {
			notes = append(notes, maskedNote(n))
		}
	}
	raw, replaced := rawEvent(text)
	if created.IsZero() && !fallback.IsZero() {
		created = fallback
		notes = append(notes, "created_at is that of the entry's place in the log")
	}
	if replaced {
		notes = append(notes, `NUL characters and lone surrogates in the entry are replaced by \ufffd`)
	}
	action, decision := f.name, oneLine(f.decision, maxText)
	if f.verb == verbDelete {
		decision = "" // what is gone decides nothing
	}
	if e.outcome == outcomeFailure && action != actionUnknown {
		action, decision = action+failedSuffix, ""
	}
	return ingest.Event{
		Source:          eventSource,
		Category:        eventCategory,
		ExternalID:      externalID(e),
		Title:           v.Title,
		Severity:        v.Severity,
		Action:          action,
		Decision:        decision,
		Actor:           actorOf(e, f),
		SrcIP:           e.srcIP,
		Hostname:        hostname(f.zoneName),
		CreatedAt:       created,
		MITRETechniques: v.Techniques,
		RawEvent:        raw,
		Audit: ingest.Audit{
			Outcome:        e.outcome,
			ActionType:     oneLine(e.actionType, maxText),
			ActorID:        oneLine(e.actorID, maxText),
			ActorType:      oneLine(e.actorType, maxText),
			ActorEmail:     oneLine(e.actorEmail, maxText),
			ActorName:      oneLine(f.actorName, maxText),
			Interface:      oneLine(e.iface, maxText),
			Scope:          oneLine(n.scope(e, f), maxText),
			AccountID:      or(n.accountID, oneLine(e.account(), maxText)),
			ResourceType:   oneLine(e.resourceType, maxText),
			ResourceID:     oneLine(e.resourceID, maxText),
			ZoneID:         oneLine(f.zoneID, maxText),
			ZoneName:       oneLine(f.zoneName, maxText),
			Target:         oneLine(f.target, maxText),
			Direction:      f.direction,
			Changes:        f.changes,
			ChangesOmitted: f.changesOmitted,
			Rule:           v.Rule,
			Why:            v.Why,
			API:            api,
			CorrelationID:  n.correlate(e, f, created, correlationSpan),
			Request:        request,
			Notes:          notes,
		},
	}
}

// hasValues reports whether an entry says anything of what it was about.
func (e *entry) hasValues() bool {
	return len(e.metadata) > len("{}") || e.oldValue != "" || e.newValue != ""
}

// externalID is the id of the entry, or one derived from it where it is no
// usable text.
func externalID(e *entry) string {
	id := oneLine(e.id, maxID)
	if id == "" || len(id) > maxID {
		return derivedID(e.id + e.raw)
	}
	return id
}

// actorOf is who did it, in the words of an event: an e-mail address, else a
// name for Cloudflare itself, else an id.
func actorOf(e *entry, f *facts) string {
	switch {
	case e.actorEmail != "":
		return oneLine(e.actorEmail, maxText)
	case f.systemActor:
		return "Cloudflare system"
	case f.staffActor:
		return "Cloudflare staff"
	}
	return oneLine(e.actorID, maxText)
}

// hostname is the name of a zone in the spelling of the DNS, or "" when it is
// not a name of a host.
func hostname(zone string) string {
	name := asciiZone(zone)
	if len(name) > 253 {
		return ""
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return ""
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') {
				return ""
			}
		}
	}
	return name
}

// rawEvent is the entry as received, except for what one line of JSON cannot
// hold, which is white space with line breaks in it and invalid UTF-8, and for
// the escapes that replaceEscapes replaces.
func rawEvent(raw string) (event ingest.RawJSON, replaced bool) {
	if strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		v := jsontext.Value(raw)
		if err := v.Compact(readOptions...); err == nil {
			raw = string(v)
		}
	}
	if !utf8.ValidString(raw) {
		raw = strings.ToValidUTF8(raw, "\uFFFD")
	}
	raw, replaced = replaceEscapes(raw)
	return ingest.RawJSON(raw), replaced
}

// replaceEscapes replaces the escapes of NUL and of lone surrogates in a JSON
// text by the one of U+FFFD. Databases refuse the first, and some readers stop
// at the second.
func replaceEscapes(s string) (out string, replaced bool) {
	if !strings.Contains(s, `\u`) {
		return s, false
	}
	var b []byte
	for i := strings.IndexByte(s, '\\'); ; {
		skip := 2
		if code, ok := escaped(s[i:]); ok {
			skip = len(`\u0000`)
			low, paired := escaped(s[i+skip:])
			switch {
			case utf16.IsSurrogate(code) && paired && utf16.DecodeRune(code, low) != utf8.RuneError:
				skip *= 2
			case utf16.IsSurrogate(code) || code == 0:
				if b == nil {
					b = []byte(s)
				}
				copy(b[i:], `\ufffd`)
			}
		}
		next := strings.IndexByte(s[i+skip:], '\\')
		if next < 0 {
			break
		}
		i += skip + next
	}
	if b == nil {
		return s, false
	}
	return string(b), true
}

// escaped is the code unit that s begins with as an escape of the form \u0000.
func escaped(s string) (rune, bool) {
	if len(s) < len(`\u0000`) || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
