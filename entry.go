package cloudflareaudit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// entry is one audit-log entry, decoded. Its strings share the memory of raw,
// so that an entry that becomes an event costs one copy of its bytes.
type entry struct {
	// raw is the entry as received.
	raw string
	// id is the entry's own id, or one derived from its bytes.
	id string
	// when is the time of the entry in UTC, or zero when it has none.
	when time.Time

	actionType string // as Cloudflare names it, such as "rec_del"
	actionInfo string
	outcome    string // outcomeSuccess, outcomeFailure or "" when not said

	actorID    string
	actorType  string // "user", "admin" (Cloudflare staff), "system", …
	actorEmail string
	actorIP    netip.Addr // unwrapped; the zero Addr when absent or not valid
	srcIP      string     // actorIP as text

	iface        string // "UI", "API" or ""
	ownerID      string
	resourceID   string
	resourceType string // as Cloudflare names it, such as "dns.record"

	metadata value // object with keys that depend on the action
	oldValue value // the resource before, see valueOf
	newValue value // the resource after

	// call is what only Audit Logs v2 says, and nil for the audit log.
	call *call

	// undecodable says that nothing of the entry could be understood.
	undecodable bool
	// notes say what was odd.
	notes []string
}

// The outcomes of an entry.
const (
	outcomeSuccess = "success"
	outcomeFailure = "failure"
)

// The parts of an entry that are kept, as indexes of scanned.at. Those that only
// one of the logs has share their places with those of the other.
const (
	atID = iota
	atWhen
	atActionType
	atActionInfo
	atActionResult
	atActorID
	atActorType
	atActorEmail
	atActorIP
	atResourceID
	atResourceType
	atShared
)

// What only the audit log has.
const (
	atInterface = atShared + iota
	atOwnerID
	atMetadata
	atNewValue
	atOldValue
	atNewValueJSON
	atOldValueJSON
)

// What only Audit Logs v2 has.
const (
	atAccountID = atShared + iota
	atActorContext
	atActorToken
	atActorTokenID
	atActorTokenName
	atRay
	atMethod
	atStatusCode
	atURI
	atUserAgent
	atProduct
	atScope
	atRequest
	atResponse
	atZoneID
	atZoneName
	atCount
)

// layout says which parts of an entry are kept: its members, and those of its
// sections, which are objects.
type layout struct {
	members  []part
	sections []section
}

// section is an object in an entry, and which of its members are kept.
type section struct {
	name    string
	members []part
}

// part is a member that is kept at an index of scanned.at.
type part struct {
	name string
	at   int
}

// layoutV1 is that of the audit log.
var layoutV1 = layout{
	members: []part{
		{"id", atID},
		{"when", atWhen},
		{"interface", atInterface},
		{"metadata", atMetadata},
		{"newValue", atNewValue},
		{"oldValue", atOldValue},
		{"newValueJson", atNewValueJSON},
		{"oldValueJson", atOldValueJSON},
	},
	sections: []section{
		{"action", []part{{"type", atActionType}, {"info", atActionInfo}, {"result", atActionResult}}},
		{"actor", []part{{"id", atActorID}, {"type", atActorType}, {"email", atActorEmail}, {"ip", atActorIP}}},
		{"owner", []part{{"id", atOwnerID}}},
		{"resource", []part{{"id", atResourceID}, {"type", atResourceType}}},
	},
}

// layoutV2 is that of Audit Logs v2.
var layoutV2 = layout{
	members: []part{{"id", atID}},
	sections: []section{
		{"account", []part{{"id", atAccountID}}},
		{"action", []part{
			{"description", atActionInfo},
			{"result", atActionResult},
			{"time", atWhen},
			{"type", atActionType},
		}},
		{"actor", []part{
			{"context", atActorContext},
			{"email", atActorEmail},
			{"id", atActorID},
			{"ip_address", atActorIP},
			{"token", atActorToken}, // as it is; documented are the next two
			{"token_id", atActorTokenID},
			{"token_name", atActorTokenName},
			{"type", atActorType},
		}},
		{"raw", []part{
			{"cf_ray_id", atRay},
			{"method", atMethod},
			{"status_code", atStatusCode},
			{"uri", atURI},
			{"user_agent", atUserAgent},
		}},
		{"resource", []part{
			{"id", atResourceID},
			{"product", atProduct},
			{"request", atRequest},
			{"response", atResponse},
			{"scope", atScope},
			{"type", atResourceType},
		}},
		{"zone", []part{{"id", atZoneID}, {"name", atZoneName}}},
	},
}

// span is a part of a page: the bytes from start up to end. The empty span
// means that the part is missing.
type span struct{ start, end int32 }

func (s span) of(page []byte) []byte { return page[s.start:s.end] }

// scanned is where the parts of one entry stand in its page. It is all that is
// needed to tell whether the entry has been handled before.
type scanned struct {
	entry span
	at    [atCount]span
	when  time.Time // its own time, or zero when it has none
	odd   string    // a section that is not of the kind it should be
}

// page is the bytes of one entry and where its parts stand in them. It is reused
// from entry to entry.
type page struct {
	// layout is that of the entries, by default layoutV1.
	layout  *layout
	body    []byte
	entries []scanned
	// decoded is the entry that was decoded last.
	decoded entry
	dec     *jsontext.Decoder
	buf     bytes.Buffer
}

// scanOne finds the one entry that p.body is.
func (p *page) scanOne() error {
	p.entries = p.entries[:0]
	p.reset(p.body)
	if err := p.scanEntry(); err != nil {
		return err
	}
	if _, err := p.dec.ReadToken(); err != io.EOF {
		return errors.New("something follows the entry")
	}
	return nil
}

// reset makes p.dec read body in place: the reader does not copy what is in a
// bytes.Buffer, so offsets into its input are offsets into body.
func (p *page) reset(body []byte) {
	if p.layout == nil {
		p.layout = &layoutV1
	}
	p.buf = *bytes.NewBuffer(body)
	if p.dec == nil {
		p.dec = jsontext.NewDecoder(&p.buf, readOptions...)
	} else {
		p.dec.Reset(&p.buf, readOptions...)
	}
}

func (p *page) scanEntry() error {
	var s scanned
	if p.dec.PeekKind() != '{' {
		val, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		s.entry = p.spanOf(val)
		s.odd = "entry"
		p.entries = append(p.entries, s)
		return nil
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	s.entry.start = int32(p.dec.InputOffset()) - 1
	err := p.scanMembers(&s, p.layout.members, p.layout.sections)
	s.when = p.timeOf(&s)
	if err != nil {
		return err
	}
	s.entry.end = int32(p.dec.InputOffset())
	p.entries = append(p.entries, s)
	return nil
}

// scanMembers notes the members of the object that has just been opened, and
// closes it.
func (p *page) scanMembers(s *scanned, members []part, sections []section) error {
	for p.dec.PeekKind() != '}' {
		name, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		key := name[1 : len(name)-1]
		if section := findSection(sections, key); section != nil {
			if err := p.scanSection(s, section); err != nil {
				return err
			}
			continue
		}
		val, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		for i := range members {
			if members[i].name == string(key) {
				s.at[members[i].at] = p.spanOf(val)
				break
			}
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

func findSection(sections []section, key []byte) *section {
	for i := range sections {
		if sections[i].name == string(key) {
			return &sections[i]
		}
	}
	return nil
}

// scanSection notes the members of a section that should be an object.
func (p *page) scanSection(s *scanned, section *section) error {
	switch p.dec.PeekKind() {
	case '{':
		if _, err := p.dec.ReadToken(); err != nil {
			return err
		}
		return p.scanMembers(s, section.members, nil)
	case 'n':
	default:
		s.odd = section.name
	}
	_, err := p.dec.ReadValue()
	return err
}

// timeOf is the time that an entry states.
func (p *page) timeOf(s *scanned) time.Time {
	t := s.at[atWhen].of(p.body)
	if len(t) < 2 || t[0] != '"' {
		return time.Time{}
	}
	if bytes.IndexByte(t, '\\') >= 0 {
		return parseTime(unquote(string(t)))
	}
	return parseTime(string(t[1 : len(t)-1]))
}

// spanOf is where val, the value read last, stands in the page.
func (p *page) spanOf(val jsontext.Value) span {
	end := int32(p.dec.InputOffset())
	return span{end - int32(len(val)), end}
}

// The notes that entries of both logs may have.
const (
	noteInvalidUTF8   = "invalid UTF-8 in the entry is replaced by U+FFFD"
	noteNotUnderstood = "the entry could not be understood; see raw_event"
)

// entry decodes the i-th entry, until the next one is. What its strings hold is
// memory of its own. It does not fail: what is not as it should be is left out
// and noted.
func (p *page) entry(i int) *entry {
	if p.layout == &layoutV2 {
		return p.entryV2(i)
	}
	s, e := &p.entries[i], &p.decoded
	*e = entry{raw: string(s.entry.of(p.body))}
	text := func(at int) string { return e.part(s, at).text() }

	e.decodeID(text(atID))
	e.decodeTime(s)
	e.decodeActor(text)
	e.actionType = text(atActionType)
	e.iface = text(atInterface)
	e.ownerID = text(atOwnerID)
	e.resourceID = text(atResourceID)
	e.resourceType = text(atResourceType)
	e.metadata = e.part(s, atMetadata)
	e.oldValue = valueOf(e.part(s, atOldValueJSON), e.part(s, atOldValue))
	e.newValue = valueOf(e.part(s, atNewValueJSON), e.part(s, atNewValue))

	e.decodeOdd(s.odd, e.actionType != "")
	if !utf8.ValidString(e.raw) {
		e.notes = append(e.notes, noteInvalidUTF8)
	}
	return e
}

// decodeID takes the id of an entry, or derives one from its bytes.
func (e *entry) decodeID(id string) {
	if e.id = id; id == "" {
		e.id = derivedID(e.raw)
		e.notes = append(e.notes, "the entry has no id; this one is derived from its bytes")
	}
}

func (e *entry) decodeTime(s *scanned) {
	e.when = s.when
	switch {
	case !e.when.IsZero():
	case e.part(s, atWhen).text() == "":
		e.notes = append(e.notes, "the entry has no time")
	default:
		e.notes = append(e.notes, "the entry's time could not be read")
	}
}

// decodeActor takes what an entry says about the outcome and about who did it.
func (e *entry) decodeActor(text func(at int) string) {
	e.actionInfo = text(atActionInfo)
	e.outcome = outcomeOf(text(atActionResult))
	e.actorID = text(atActorID)
	e.actorType = text(atActorType)
	e.actorEmail = text(atActorEmail)
	e.decodeAddress(text(atActorIP))
}

// decodeOdd notes a section that is not of the kind it should be, and whether the
// entry can be understood: if it says what was done, or to what.
func (e *entry) decodeOdd(section string, saysWhat bool) {
	if section != "" {
		e.notes = append(e.notes, "the "+section+" is not an object")
	}
	if section == "entry" || !saysWhat && e.actionInfo == "" && e.resourceType == "" {
		e.undecodable = true
		e.notes = append(e.notes, noteNotUnderstood)
	}
}

func (e *entry) decodeAddress(ip string) {
	if ip == "" {
		return
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		e.notes = append(e.notes, "the actor's address could not be read")
	}
	e.actorIP = addr.Unmap().WithZone("")
	switch {
	case addr.Is4():
		e.srcIP = ip // which has one spelling
	case addr.IsValid():
		e.srcIP = e.actorIP.String()
	}
}

// part is one section of the entry, cut out of its own copy of the bytes.
func (e *entry) part(s *scanned, at int) value {
	sp := s.at[at]
	if sp.end == 0 {
		return ""
	}
	return value(e.raw[sp.start-s.entry.start : sp.end-s.entry.start])
}

// valueOf picks the before or after of an entry. The undocumented object is
// preferred; the documented text counts where there is none, and is looked into
// when it holds JSON. Both may be empty or the text "null".
func valueOf(object, documented value) value {
	if k := object.kind(); (k == '{' || k == '[') && len(object) > 2 {
		return object
	}
	text := documented
	if documented.kind() == '"' {
		content := strings.TrimSpace(documented.text())
		switch {
		case content == "" || content == "null":
			return ""
		case content[0] == '{' || content[0] == '[':
			if jsontext.Value(content).IsValid(readOptions...) {
				return value(content)
			}
		}
	}
	if text.kind() == 'n' {
		return ""
	}
	return text
}

// outcomeOf reads action.result, a boolean that some entries lack.
func outcomeOf(result string) string {
	switch strings.ToLower(result) {
	case "true", "success":
		return outcomeSuccess
	case "false", "failure", "failed":
		return outcomeFailure
	}
	return ""
}

// parseTime reads an RFC 3339 time of any number of fractional digits, in UTC.
// It is zero when s is not one, or is too far off to be written as one.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// derivedID is a stable id for an entry that has none.
func derivedID(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return "sha256-" + hex.EncodeToString(sum[:16])
}
