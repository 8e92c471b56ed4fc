// Package audit knows the format of the entries in Cloudflare's audit logs. It
// decodes an entry of either log into the same [Entry], without interpreting
// it; package product determines what the entry means.
package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// The logs that entries are from.
const (
	V1 = "v1" // GET /accounts/{id}/audit_logs
	V2 = "v2" // GET /accounts/{id}/logs/audit
)

// The outcomes of an entry.
const (
	Success = "success"
	Failure = "failure"
)

// Entry is one entry of an audit log. Its strings and values share the memory of
// its document, so that an entry which becomes an event costs one copy of its
// bytes.
type Entry struct {
	// Doc is the entry as received. Its root is missing for a text that is not
	// JSON.
	Doc *jsondoc.Doc
	// Raw replaces Doc, as JSON, as the entry in its event, unless it is "".
	Raw string
	// ID is the entry's own id, or one derived from its bytes.
	ID string
	// When is the time of the entry in UTC, or zero when it has none.
	When time.Time

	ActionType string // as Cloudflare names it, such as "rec_del"
	ActionInfo string
	Outcome    string // Success, Failure or "" when not said

	ActorID    string
	ActorType  string // "user", "admin" (Cloudflare staff), "system", …
	ActorEmail string
	ActorIP    netip.Addr // unwrapped; the zero Addr when absent or not valid
	SrcIP      string     // ActorIP as text

	Interface    string // "UI", "API" or ""
	OwnerID      string
	ResourceID   string
	ResourceType string // as Cloudflare names it, such as "dns.record"

	Metadata jsondoc.Value // object with keys that depend on the action
	Old      jsondoc.Value // the resource before, see valueOf
	New      jsondoc.Value // the resource after

	// Call has the details that only Audit Logs v2 records. It is nil for the
	// audit log.
	Call *Call

	// Undecodable says that no part of the entry could be understood.
	Undecodable bool
	// Notes describe oddities.
	Notes []string
	// masked is the index in Notes of the note about masked values, and
	// maskedValues how many it is about.
	masked, maskedValues int
	// call is the memory of Call.
	call Call
}

// Call is the request behind an entry of Audit Logs v2, as the entry states it.
type Call struct {
	Method string // in upper case
	Path   string // of the URI, without the query

	AccountID string
	Product   string // of the resource
	Scope     string
	ZoneID    string
	ZoneName  string

	// Request and Response are the bodies.
	Request, Response jsondoc.Value

	uri, resourceID                 jsondoc.Value
	status, agent, ray              jsondoc.Value
	context                         jsondoc.Value
	description, tokenID, tokenName string
}

// Event is the request in the form that events have. It reads the entry again,
// so that values masked meanwhile are not shown.
func (c *Call) Event() ingest.Request {
	return ingest.Request{
		Description: bounded(c.description),
		Method:      c.Method,
		URI:         bounded(c.uri.Text()),
		StatusCode:  bounded(c.status.Text()),
		UserAgent:   bounded(c.agent.Text()),
		RequestID:   RayID(bounded(c.ray.Text())),
		Credential:  bounded(c.context.Text()),
		TokenID:     bounded(c.tokenID),
		TokenName:   bounded(c.tokenName),
	}
}

// RereadIDs reads the path of a request and the id of its resource again, so that they
// have no values that were masked meanwhile.
func (e *Entry) RereadIDs() {
	e.Call.Path, _, _ = strings.Cut(e.Call.uri.Text(), "?")
	e.ResourceID = e.Call.resourceID.Text()
}

// RayID is Cloudflare's id of a request without the data center behind it, which
// not every log names.
func RayID(stated string) string {
	const digits = 16
	if len(stated) == digits+len("-FRA") && stated[digits] == '-' {
		return stated[:digits]
	}
	return stated
}

// The notes common to both logs.
const (
	noteInvalidUTF8   = "invalid UTF-8 in the entry is replaced by U+FFFD"
	noteNotUnderstood = "the entry could not be understood; see raw_event"
	noteNoID          = "the entry has no id; this one is derived from its bytes"
	noteNoTime        = "the entry has no time"
	noteBadTime       = "the entry's time could not be read"
	noteBadAddress    = "the actor's address could not be read"
	noteNotJSON       = "the entry is not JSON; raw_event holds it as text"
)

// Decode makes e the entry that doc holds, of the log api: V1, V2, or "" for a
// saved entry, whose members tell the log, and which may also be a record of
// Logpush. It does not fail: malformed
// parts are left out and noted. The entry is valid until doc is parsed again,
// and must not be copied.
func (e *Entry) Decode(doc *jsondoc.Doc, api string) {
	var f fields
	f.read(doc.Root(), api == "")
	*e = Entry{Doc: doc}
	e.decodeID(f.id.Text())
	if api == V2 || api == "" && f.isV2() {
		e.decodeV2(&f)
	} else {
		e.decodeV1(&f)
	}
}

// NotJSON is the entry for a text that is not JSON. shown is source without its
// secrets.
func NotJSON(source, shown string) Entry {
	e := Entry{Doc: new(jsondoc.Doc), Raw: jsondoc.Quote(shown), ID: DerivedID(source), Undecodable: true, Notes: []string{noteNotJSON}}
	e.masked = len(e.Notes)
	return e
}

// Torn is the entry at which a reply of the log api became unreadable, because
// of cause. source is the text from there on, and shown the same without its
// secrets. The id and the time may be missing.
func Torn(api, id string, when time.Time, source, shown string, cause error) Entry {
	e := NotJSON(source, shown)
	e.ID, e.When = cmp.Or(id, e.ID), when
	e.Notes[0] = "the entry could not be read: " + cause.Error() + "; raw_event holds its beginning as text"
	if api == V2 {
		e.Call = new(Call)
	}
	return e
}

func (e *Entry) decodeV1(f *fields) {
	e.decodeTime(f.when)
	e.decodeActor(f, f.ip)
	e.ActionInfo = f.info.Text()
	e.ActionType = f.actionType.Text()
	e.Interface = f.iface.Text()
	e.OwnerID = f.ownerID.Text()
	e.ResourceID = f.resourceID.Text()
	e.ResourceType = f.resourceType.Text()
	e.Metadata = opened(f.metadata)
	e.Old = valueOf(f.oldJSON, f.oldValue)
	e.New = valueOf(f.newJSON, f.newValue)
	e.decodeOdd(f.oddV1, e.ActionType != "")
	e.noteInvalid()
	e.masked = len(e.Notes)
}

func (e *Entry) decodeV2(f *fields) {
	e.noteInvalid()
	e.masked = len(e.Notes)
	e.decodeTime(f.time)
	e.decodeActor(f, f.address)
	e.ActionInfo = f.description.Text()
	e.ActionType = f.actionType.Text()
	e.ResourceType = f.resourceType.Text()
	e.ResourceID = f.resourceID.Text()
	if !f.response.Exists() {
		f.response = f.value
	}
	path, _, _ := strings.Cut(f.uri.Text(), "?")
	e.Call = &e.call
	e.call = Call{
		Method:      bounded(strings.ToUpper(f.method.Text())),
		Path:        path,
		AccountID:   f.accountID.Text(),
		Product:     f.product.Text(),
		Scope:       f.scope.Text(),
		ZoneID:      f.zoneID.Text(),
		ZoneName:    f.zoneName.Text(),
		Request:     f.request,
		Response:    f.response,
		uri:         f.uri,
		resourceID:  f.resourceID,
		status:      f.status,
		agent:       f.agent,
		ray:         f.ray,
		context:     f.context,
		description: e.ActionInfo,
		tokenID:     cmp.Or(f.token.Get("id").Text(), f.tokenID.Text()),
		tokenName:   cmp.Or(f.token.Get("name").Text(), f.tokenName.Text()),
	}
	e.Interface = interfaceOf(bounded(f.context.Text()))
	e.decodeOdd(f.oddV2, f.uri.Text() != "" || e.ActionType != "" || e.Call.Method != "")
}

// MaxText bounds a text of an entry in an event, in bytes. The rest is in
// raw_event.
const MaxText = 512

func bounded(s string) string { return text.OneLine(s, MaxText) }

// interfaceOf is how a request was made, in the terms of the audit log.
func interfaceOf(credential string) string {
	switch credential {
	case "":
		return ""
	case "dash":
		return "UI"
	}
	return "API"
}

// Masked is how many values of the entry were masked.
func (e *Entry) Masked() int { return e.maskedValues }

// NoteMasked notes that n values of the entry were masked, besides those noted
// before.
func (e *Entry) NoteMasked(n int) {
	if n == 0 {
		return
	}
	if e.maskedValues > 0 {
		e.Notes = slices.Delete(e.Notes, e.masked, e.masked+1)
	}
	e.maskedValues += n
	n = e.maskedValues
	note := "1 value that is or may be a secret is masked in raw_event"
	if n != 1 {
		note = strconv.Itoa(n) + " values that are or may be secrets are masked in raw_event"
	}
	e.Notes = slices.Insert(e.Notes, e.masked, note)
}

// JSON is the entry as JSON, with the values masked so far.
func (e *Entry) JSON() string {
	if e.Raw != "" {
		return e.Raw
	}
	root := e.Doc.Root()
	if e.Doc.Replaced() == 0 {
		return root.Source()
	}
	return string(root.AppendJSON(make([]byte, 0, root.Len())))
}

// API is the log that the entry is from.
func (e *Entry) API() string {
	if e.Call != nil {
		return V2
	}
	return V1
}

// Account is the account whose log the entry is from, if the entry names it.
func (e *Entry) Account() string {
	if e.Call != nil {
		return e.Call.AccountID
	}
	return e.OwnerID
}

// decodeID takes the id of an entry, or derives one from its bytes.
func (e *Entry) decodeID(id string) {
	if e.ID = id; id == "" {
		e.ID = DerivedID(e.Doc.Root().Source())
		e.Notes = append(e.Notes, noteNoID)
	}
}

func (e *Entry) decodeTime(when jsondoc.Value) {
	e.When = TimeOf(when)
	switch {
	case !e.When.IsZero():
	case when.Text() == "":
		e.Notes = append(e.Notes, noteNoTime)
	default:
		e.Notes = append(e.Notes, noteBadTime)
	}
}

// decodeActor takes the outcome and the actor from an entry.
func (e *Entry) decodeActor(f *fields, ip jsondoc.Value) {
	e.Outcome = outcomeOf(f.result.Text())
	e.ActorID = f.actorID.Text()
	e.ActorType = f.actorType.Text()
	e.ActorEmail = f.email.Text()
	e.decodeAddress(ip.Text())
}

func (e *Entry) decodeAddress(ip string) {
	if ip == "" {
		return
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		e.Notes = append(e.Notes, noteBadAddress)
	}
	e.ActorIP = addr.Unmap().WithZone("")
	switch {
	case addr.Is4():
		e.SrcIP = ip // which has one spelling
	case addr.IsValid():
		// Most are in canonical form, or have a prefix to drop.
		var buf [64]byte
		if b := e.ActorIP.AppendTo(buf[:0]); strings.HasSuffix(ip, string(b)) {
			e.SrcIP = ip[len(ip)-len(b):]
		} else {
			e.SrcIP = string(b)
		}
	}
}

// decodeOdd notes a section of the wrong type, and whether the entry can be
// understood: whether it has an action or a resource.
func (e *Entry) decodeOdd(section string, saysWhat bool) {
	if section != "" {
		e.Notes = append(e.Notes, "the "+section+" is not an object")
	}
	if section == sectionEntry || !saysWhat && e.ActionInfo == "" && e.ResourceType == "" && (e.Call == nil || e.Call.Product == "") {
		e.Undecodable = true
		e.Notes = append(e.Notes, noteNotUnderstood)
	}
}

func (e *Entry) noteInvalid() {
	if e.Doc.Class()&jsondoc.Wide != 0 && !utf8.ValidString(e.Doc.Root().Source()) {
		e.Notes = append(e.Notes, noteInvalidUTF8)
	}
}

// valueOf picks the value before or after. The undocumented object is
// preferred; without one, the documented string is used and is parsed if it
// holds JSON. Both may be empty or the string "null".
func valueOf(object, documented jsondoc.Value) jsondoc.Value {
	if k := object.Kind(); (k == jsondoc.Object || k == jsondoc.Array) && object.Len() > 2 {
		return object
	}
	return Unwrapped(documented)
}

// Unwrapped is v, or the JSON inside it if v is a string that holds JSON. It is
// missing when v has no content: null, or a string that is empty or "null".
func Unwrapped(v jsondoc.Value) jsondoc.Value {
	switch v.Kind() {
	case jsondoc.Null:
		return jsondoc.Value{}
	case jsondoc.String:
		if inner := v.Inner(); inner.Exists() {
			return inner
		}
		if content := strings.TrimSpace(v.Text()); content == "" || content == "null" {
			return jsondoc.Value{}
		}
	}
	return v
}

// outcomeOf reads action.result, a boolean that some entries lack.
func outcomeOf(result string) string {
	switch result {
	case "true", "success":
		return Success
	case "false", "failure":
		return Failure
	}
	switch strings.ToLower(result) {
	case "true", "success":
		return Success
	case "false", "failure", "failed":
		return Failure
	}
	return ""
}

// ParseTime reads an RFC 3339 time of any number of fractional digits, in UTC.
// It is zero when s is not one, or is too far off to be written as one.
func ParseTime(s string) time.Time {
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

// DerivedID is a stable id for an entry that has none.
func DerivedID(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return "sha256-" + hex.EncodeToString(sum[:16])
}
