package ingest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/go-json-experiment/json/jsontext"
)

// Severity grades an event. The five values below are the only ones.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// Severities lists the severities, worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Info} }

// Valid reports whether s is one of the five severities.
func (s Severity) Valid() bool {
	switch s {
	case Critical, High, Medium, Low, Info:
		return true
	}
	return false
}

// Event is one security event: a flat JSON object whose set of keys is always
// the same, because hosts report a change of keys as schema drift. A string
// field marked nullable is encoded as null when it is empty.
//
// Encode events with [Event.AppendJSON]: it copies RawEvent byte for byte,
// whereas encoding/json would rewrite it.
type Event struct {
	// Source names the vendor and Category the kind of product, in lower case.
	Source   string `json:"source"`
	Category string `json:"category"`
	// ExternalID identifies the entry at its vendor. It is never empty and the
	// same on every replay, so that a host can recognise repeats.
	ExternalID string `json:"external_id"`
	// Title is one line for people that names the resource acted upon.
	Title string `json:"title"`
	// Severity grades the event.
	Severity Severity `json:"severity"`
	// Action is the canonical dotted name of what was done, such as
	// "dns.record.delete". That of an attempt that failed ends in ".failed".
	Action string `json:"action"`
	// Decision is what an access policy decides from now on, such as "bypass".
	// Nullable.
	Decision string `json:"decision"`
	// Actor is who did it: an e-mail address, else a name, else an id.
	// Nullable.
	Actor string `json:"actor"`
	// SrcIP is the address the request came from: a valid IPv4 or IPv6 address
	// without a zone or an IPv4-mapped prefix. Nullable.
	SrcIP string `json:"src_ip"`
	// Hostname is the DNS name of what was acted upon. Nullable.
	Hostname string `json:"hostname"`
	// CreatedAt is when it happened, in UTC. It is encoded twice, as
	// created_at and as timestamp, in RFC 3339 with microseconds (six decimals),
	// so that the texts sort like the times.
	CreatedAt time.Time `json:"created_at"`
	// MITRETechniques are ATT&CK technique ids, T#### or T####.###. The list
	// may be empty, but the key is always a list.
	MITRETechniques []string `json:"mitre_techniques"`
	// Audit holds everything that does not fit the flat envelope.
	Audit Audit `json:"audit"`
	// RawEvent is the vendor's entry as received, byte for byte except for the
	// changes named in Audit.Notes.
	RawEvent RawJSON `json:"raw_event"`
	// RawTruncated says that RawEvent is not the entire entry.
	RawTruncated bool `json:"raw_truncated"`
}

// Audit describes an audit-log entry in vendor-neutral terms. Like the envelope
// it always has the same keys; empty strings are encoded as null.
type Audit struct {
	// Outcome is "success" or "failure", or empty when the entry does not say.
	Outcome string `json:"outcome"`
	// ActionType is the action as the vendor names it.
	ActionType string `json:"action_type"`
	// ActorID, ActorType, ActorEmail and ActorName identify who did it.
	ActorID    string `json:"actor_id"`
	ActorType  string `json:"actor_type"`
	ActorEmail string `json:"actor_email"`
	ActorName  string `json:"actor_name"`
	// Interface is how the action was performed, such as "api" or "ui".
	Interface string `json:"interface"`
	// Scope is what the entry belongs to: "user" for entries that appear in the
	// log of every account that the user is a member of, "account" or "zone".
	Scope string `json:"scope"`
	// AccountID is the account whose log has the entry.
	AccountID string `json:"account_id"`
	// ResourceType and ResourceID name the resource acted upon as the vendor
	// does.
	ResourceType string `json:"resource_type"`
	ResourceID   string `json:"resource_id"`
	// ZoneID and ZoneName name the DNS zone it belongs to.
	ZoneID   string `json:"zone_id"`
	ZoneName string `json:"zone_name"`
	// Target is the resource acted upon, as a person would name it.
	Target string `json:"target"`
	// Direction is "weaker" or "safer" when the change moved a protection, and
	// empty otherwise.
	Direction string `json:"direction"`
	// Changes are the fields that changed, secrets masked and values shortened.
	Changes []FieldChange `json:"changes"`
	// ChangesOmitted counts the changed fields left out of Changes.
	ChangesOmitted int `json:"changes_omitted"`
	// Rule is the id of the rule that graded the event, and Why says why the
	// event matters.
	Rule string `json:"rule"`
	Why  string `json:"why"`
	// API is the log that the entry was read from, such as "v1" or "v2".
	API string `json:"api"`
	// CorrelationID is the same for the entries that two logs have of the same
	// change. If an actor repeats an action on the same resource within
	// minutes, those entries share it too.
	CorrelationID CorrelationID `json:"correlation_id"`
	// Request is the HTTP request behind the entry, empty when the log does not
	// have it. Its keys are part of this object.
	Request
	// Notes describe oddities of the entry and how they were handled.
	Notes []string `json:"notes"`
}

// CorrelationID is a digest of the details of a change that two logs share. In
// JSON it is 32 hexadecimal digits, and the zero value is null.
type CorrelationID [16]byte

// String returns the digest as 32 hexadecimal digits.
func (id CorrelationID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id CorrelationID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It fails unless b is 32
// hexadecimal digits.
func (id *CorrelationID) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("correlation_id: %q is not 32 hexadecimal digits", b)
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return fmt.Errorf("correlation_id: %q is not 32 hexadecimal digits", b)
	}
	return nil
}

// Request is the HTTP request behind an entry.
type Request struct {
	// Description is what the vendor calls the operation.
	Description string `json:"description"`
	Method      string `json:"method"`
	// URI is the path and the query, in which secrets are masked.
	URI string `json:"uri"`
	// StatusCode is the HTTP status of the reply, as text.
	StatusCode string `json:"status_code"`
	UserAgent  string `json:"user_agent"`
	// RequestID is the vendor's id of the request.
	RequestID string `json:"request_id"`
	// Credential is the kind of credential it was made with, as the vendor
	// names it, and TokenID and TokenName are its API token.
	Credential string `json:"credential"`
	TokenID    string `json:"token_id"`
	TokenName  string `json:"token_name"`
}

// FieldChange is one field with its value before and after, as text. An empty
// value is encoded as null: the field did not exist, or its value is unknown.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// RawJSON is one JSON value, kept verbatim. It is a string because the fields
// of an event may share its memory, so it must never change. The empty RawJSON
// is encoded as null.
type RawJSON string

// MarshalJSON implements [json.Marshaler]. Note that encoding/json compacts
// and escapes what it returns.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("null"), nil
	}
	return []byte(r), nil
}

// UnmarshalJSON implements [json.Unmarshaler]: it keeps the value as it is.
func (r *RawJSON) UnmarshalJSON(b []byte) error {
	*r = RawJSON(b)
	return nil
}

var _ json.Marshaler = Event{}

// MarshalJSON implements [json.Marshaler] with the keys of [Event.AppendJSON].
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// AppendJSON appends the event as one line of JSON, without a line break at
// its end, and returns the extended buffer. The keys, their order and their
// kinds are the same for every event. Invalid UTF-8 in a field other than
// RawEvent becomes U+FFFD.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, `{"source":`...)
	b = appendString(b, e.Source)
	b = append(b, `,"category":`...)
	b = appendString(b, e.Category)
	b = append(b, `,"external_id":`...)
	b = appendString(b, e.ExternalID)
	b = append(b, `,"title":`...)
	b = appendString(b, e.Title)
	b = append(b, `,"severity":`...)
	b = appendString(b, string(e.Severity))
	b = append(b, `,"action":`...)
	b = appendNullable(b, e.Action)
	b = append(b, `,"decision":`...)
	b = appendNullable(b, e.Decision)
	b = append(b, `,"actor":`...)
	b = appendNullable(b, e.Actor)
	b = append(b, `,"src_ip":`...)
	b = appendNullable(b, e.SrcIP)
	b = append(b, `,"hostname":`...)
	b = appendNullable(b, e.Hostname)
	b = append(b, `,"created_at":`...)
	from := len(b)
	b = appendTime(b, e.CreatedAt)
	created := b[from:]
	b = append(b, `,"timestamp":`...)
	b = append(b, created...)
	b = append(b, `,"mitre_techniques":`...)
	b = appendStrings(b, e.MITRETechniques)
	b = append(b, `,"audit":`...)
	b = e.Audit.appendJSON(b)
	b = append(b, `,"raw_event":`...)
	if e.RawEvent == "" {
		b = append(b, "null"...)
	} else {
		b = append(b, e.RawEvent...)
	}
	b = append(b, `,"raw_truncated":`...)
	if e.RawTruncated {
		b = append(b, "true}"...)
	} else {
		b = append(b, "false}"...)
	}
	return b
}

func (a *Audit) appendJSON(b []byte) []byte {
	b = append(b, `{"outcome":`...)
	b = appendNullable(b, a.Outcome)
	b = append(b, `,"action_type":`...)
	b = appendNullable(b, a.ActionType)
	b = append(b, `,"actor_id":`...)
	b = appendNullable(b, a.ActorID)
	b = append(b, `,"actor_type":`...)
	b = appendNullable(b, a.ActorType)
	b = append(b, `,"actor_email":`...)
	b = appendNullable(b, a.ActorEmail)
	b = append(b, `,"actor_name":`...)
	b = appendNullable(b, a.ActorName)
	b = append(b, `,"interface":`...)
	b = appendNullable(b, a.Interface)
	b = append(b, `,"scope":`...)
	b = appendNullable(b, a.Scope)
	b = append(b, `,"account_id":`...)
	b = appendNullable(b, a.AccountID)
	b = append(b, `,"resource_type":`...)
	b = appendNullable(b, a.ResourceType)
	b = append(b, `,"resource_id":`...)
	b = appendNullable(b, a.ResourceID)
	b = append(b, `,"zone_id":`...)
	b = appendNullable(b, a.ZoneID)
	b = append(b, `,"zone_name":`...)
	b = appendNullable(b, a.ZoneName)
	b = append(b, `,"target":`...)
	b = appendNullable(b, a.Target)
	b = append(b, `,"direction":`...)
	b = appendNullable(b, a.Direction)
	b = append(b, `,"changes":[`...)
	for i, c := range a.Changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"field":`...)
		b = appendString(b, c.Field)
		b = append(b, `,"old":`...)
		b = appendNullable(b, c.Old)
		b = append(b, `,"new":`...)
		b = appendNullable(b, c.New)
		b = append(b, '}')
	}
	b = append(b, `],"changes_omitted":`...)
	b = strconv.AppendInt(b, int64(a.ChangesOmitted), 10)
	b = append(b, `,"rule":`...)
	b = appendNullable(b, a.Rule)
	b = append(b, `,"why":`...)
	b = appendNullable(b, a.Why)
	b = append(b, `,"api":`...)
	b = appendNullable(b, a.API)
	b = append(b, `,"correlation_id":`...)
	if a.CorrelationID == (CorrelationID{}) {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = hex.AppendEncode(b, a.CorrelationID[:])
		b = append(b, '"')
	}
	b = a.Request.appendJSON(b)
	b = append(b, `,"notes":`...)
	b = appendStrings(b, a.Notes)
	return append(b, '}')
}

func (r *Request) appendJSON(b []byte) []byte {
	if *r == (Request{}) {
		return append(b, `,"description":null,"method":null,"uri":null,"status_code":null,"user_agent":null,`+
			`"request_id":null,"credential":null,"token_id":null,"token_name":null`...)
	}
	b = append(b, `,"description":`...)
	b = appendNullable(b, r.Description)
	b = append(b, `,"method":`...)
	b = appendNullable(b, r.Method)
	b = append(b, `,"uri":`...)
	b = appendNullable(b, r.URI)
	b = append(b, `,"status_code":`...)
	b = appendNullable(b, r.StatusCode)
	b = append(b, `,"user_agent":`...)
	b = appendNullable(b, r.UserAgent)
	b = append(b, `,"request_id":`...)
	b = appendNullable(b, r.RequestID)
	b = append(b, `,"credential":`...)
	b = appendNullable(b, r.Credential)
	b = append(b, `,"token_id":`...)
	b = appendNullable(b, r.TokenID)
	b = append(b, `,"token_name":`...)
	return appendNullable(b, r.TokenName)
}

func appendString(b []byte, s string) []byte {
	if text.IsPlainJSON(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	// The only error is invalid UTF-8, which AppendQuote has replaced.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// TimeFormat is the layout of created_at, for a time in UTC.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// appendTime appends what TimeFormat would, several times as fast.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339)
	b[len(b)-1] = '.' // in place of the Z
	micros := t.Nanosecond() / int(time.Microsecond)
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return append(b, `Z"`...)
}
