package cloudflareaudit

import (
	"cmp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/product"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// The source and category of every event.
const (
	eventSource   = "cloudflare"
	eventCategory = "saas"
)

// maxID bounds the id of an event, in bytes.
const maxID = 256

// Normalizer turns audit-log entries into events. It holds no state and is safe
// for concurrent use. [NewNormalizer] returns one.
type Normalizer struct {
	accountID string
	// ownTokenID is the id of the token that the connector reads with, or "".
	ownTokenID string
	// ownToken is that token. An entry may contain it.
	ownToken   redact.Known
	classifier *rules.Classifier
	clock      func() time.Time
}

// NewNormalizer builds the part of a connector that turns entries into events.
// Of cfg it uses AccountID, which may be empty, AuditLogAPI, Clock and the fields
// that decide the severity: ProductionZones, VerifiedWorkers, OwnTokenID,
// DropRoutine and Rules. APIToken, if there is one, is masked where an entry
// contains it. The error joins a [FieldError] for every fault of
// these.
func NewNormalizer(cfg Config) (*Normalizer, error) {
	cfg = cfg.withDefaults()
	c, err := cfg.classifier()
	if err != nil {
		return nil, err
	}
	return newNormalizer(cfg, c), nil
}

func newNormalizer(cfg Config, c *rules.Classifier) *Normalizer {
	return &Normalizer{
		accountID:  cfg.AccountID,
		ownTokenID: cfg.OwnTokenID,
		ownToken:   redact.NewKnown(cfg.APIToken.Reveal()),
		classifier: c,
		clock:      cfg.Clock,
	}
}

// Normalize turns one entry, as JSON, into an event and grades it. A verdict to
// drop still comes with the event. The members of the entry tell whether it is
// from the audit log or from Audit Logs v2.
//
// It never fails. Input that is not an entry becomes an event that says so and
// holds the input in RawEvent, as a JSON string if it is not JSON. An entry
// without a readable time gets that in its id, or else that of Config.Clock.
func (n *Normalizer) Normalize(raw []byte) (ingest.Event, Verdict) {
	w := works.Get().(*work)
	defer w.release()
	return w.normalize(n, raw)
}

// normalize turns one entry into an event that can be kept.
func (w *work) normalize(n *Normalizer, raw []byte) (ingest.Event, Verdict) {
	w.decode(string(raw))
	v := w.grade(n)
	var event ingest.Event
	w.event(n, v, n.now(), &event)
	keepChanges(&event)
	return event, v
}

// Explain grades one entry as Normalize does and returns the reasons: the facts
// taken from the entry and the rules tried, up to the one that matched.
func (n *Normalizer) Explain(raw []byte) Explanation {
	w := works.Get().(*work)
	defer w.release()
	w.decode(string(raw))
	x := Explanation{Verdict: w.grade(n)}
	x.Facts, x.Trials = n.classifier.Explain(&w.facts.Facts)
	if counted(x.Verdict) {
		for _, rule := range n.classifier.Bursts(&w.facts.Facts, nil) {
			x.Bursts = append(x.Bursts, rule.ID)
		}
	}
	w.event(n, x.Verdict, n.now(), &x.Event)
	if w.entry.Masked() > 0 {
		for _, fact := range x.Facts {
			for i := range fact.Values {
				fact.Values[i] = n.ownToken.Line(fact.Values[i])
			}
		}
		x.Verdict.Title = x.Event.Title
	}
	keepChanges(&x.Event)
	return x
}

// work is an entry being turned into an event; its memory is reused for the
// next one.
type work struct {
	doc   jsondoc.Doc
	entry audit.Entry
	facts product.Facts
	out   ingest.Event // one that is not kept
	// origin is the event that the entry was taken from, or nil.
	origin *origin
	// bursts are the rules that count the entry.
	bursts []*rules.BurstRule
}

var works = sync.Pool{New: func() any { return new(work) }}

// release returns the memory of w for reuse.
func (w *work) release() {
	w.doc.Reset()
	w.entry, w.facts, w.out, w.origin = audit.Entry{}, product.Facts{}, ingest.Event{}, nil
	clear(w.bursts)
	works.Put(w)
}

// decode decodes one entry. Its members tell which log it is from.
func (w *work) decode(raw string) {
	if w.doc.Parse(raw) != nil {
		w.decodeText(raw)
		return
	}
	w.entry.Decode(&w.doc, "")
}

// decodeText makes an entry from a text that is not JSON.
func (w *work) decodeText(raw string) {
	shown, masked := redact.Text(raw)
	w.entry = audit.NotJSON(raw, shown)
	w.entry.NoteMasked(masked)
}

// keepChanges copies the changes of an event, so that the event can be kept.
func keepChanges(event *ingest.Event) {
	event.Audit.Changes = append([]ingest.FieldChange(nil), event.Audit.Changes...)
}

// grade determines what the entry did and how the rules grade it.
func (w *work) grade(n *Normalizer) Verdict {
	w.understand(n)
	return w.verdict(n)
}

// understand determines what the entry did.
func (w *work) understand(n *Normalizer) {
	w.maskOwnToken(n)
	product.Understand(&w.entry, &w.facts)
	w.noteOwnToken(n)
}

// understandAfter is understand with old values from earlier entries. It returns
// the newest one that an old value is from, or nil.
func (w *work) understandAfter(n *Normalizer, earlier []*audit.Entry) *audit.Entry {
	w.maskOwnToken(n)
	for _, e := range earlier {
		n.ownToken.Entry(e.Doc)
	}
	from := product.UnderstandAfter(&w.entry, earlier, &w.facts)
	w.noteOwnToken(n)
	return from
}

// maskOwnToken masks the token that the connector reads with.
func (w *work) maskOwnToken(n *Normalizer) {
	e := &w.entry
	masked := n.ownToken.Entry(e.Doc)
	if e.Raw != "" {
		e.Raw, masked = n.ownToken.Text(e.Raw)
	}
	e.NoteMasked(masked)
}

func (w *work) noteOwnToken(n *Normalizer) {
	f := &w.facts
	f.OwnToken = f.TokenID != "" && strings.EqualFold(f.TokenID, n.ownTokenID)
}

// verdict is how the rules grade the entry.
func (w *work) verdict(n *Normalizer) Verdict {
	return n.classifier.Grade(&w.facts.Facts)
}

// standIn is a time for an entry without one, and the note about it.
type standIn struct {
	at   time.Time
	note string
}

// inPlace is the time of the entries around an entry in its log.
func inPlace(at time.Time) standIn {
	return standIn{at, "created_at is that of the entry's place in the log"}
}

// now is the time of reading an entry.
func (n *Normalizer) now() standIn {
	return standIn{n.clock().UTC().Truncate(time.Second), "created_at is when the entry was read"}
}

// event builds the event in out, once the entry is understood and graded. An
// entry that states no time, not even in its id, gets that of fallback. The
// changes of the event share the memory of w; see keepChanges.
func (w *work) event(n *Normalizer, v Verdict, fallback standIn, out *ingest.Event) {
	e, f := &w.entry, &w.facts
	f.Mask(e)
	created, accountID := e.When, n.accountID
	raw, replaced, deep := rawEvent(e)
	id, notes := externalID(e), e.Notes
	if o := w.origin; o != nil {
		id, accountID, notes = o.id, cmp.Or(accountID, o.accountID), o.notes
		replaced, deep = false, false // the notes have it
	}
	// The notes of the entry are appended to without changing them.
	notes = notes[:len(notes):len(notes)]
	if created.IsZero() {
		if at := audit.TimeOfID(e.ID); !at.IsZero() {
			fallback = standIn{at, "created_at is the time in the entry's id"}
		}
		created, notes = fallback.at, append(notes, fallback.note)
	}
	if replaced {
		notes = append(notes, `NUL characters and lone surrogates in the entry are replaced by \ufffd`)
	}
	if deep {
		notes = append(notes, "the entry nests deeper than "+strconv.Itoa(maxNesting)+" levels; raw_event holds it as text")
	}
	action, decision := f.Action, oneLine(f.Decision)
	if f.Verb == product.VerbDelete {
		decision = "" // a deleted policy decides nothing
	}
	if f.Failed && action != product.ActionUnknown {
		action, decision = action+product.FailedSuffix, ""
	}
	*out = ingest.Event{
		Source:          eventSource,
		Category:        eventCategory,
		ExternalID:      id,
		Title:           v.Title,
		Severity:        v.Severity,
		Action:          action,
		Decision:        decision,
		Actor:           f.Actor,
		SrcIP:           e.SrcIP,
		Hostname:        hostname(f.ZoneName),
		CreatedAt:       created,
		MITRETechniques: v.Techniques,
		RawEvent:        raw,
		Audit: ingest.Audit{
			Outcome:        e.Outcome,
			ActionType:     oneLine(e.ActionType),
			ActorID:        oneLine(e.ActorID),
			ActorType:      oneLine(e.ActorType),
			ActorEmail:     oneLine(e.ActorEmail),
			ActorName:      oneLine(f.ActorName),
			Interface:      oneLine(e.Interface),
			Scope:          oneLine(f.EntryScope(e, accountID)),
			AccountID:      cmp.Or(accountID, oneLine(e.Account())),
			ResourceType:   oneLine(e.ResourceType),
			ResourceID:     oneLine(e.ResourceID),
			ZoneID:         oneLine(f.ZoneID),
			ZoneName:       oneLine(f.ZoneName),
			Target:         oneLine(f.Target),
			Direction:      f.Direction,
			Changes:        f.Changes,
			ChangesOmitted: f.ChangesOmitted,
			Rule:           v.Rule,
			Why:            v.Why,
			API:            e.API(),
			CorrelationID:  f.Correlate(e, cmp.Or(accountID, e.Account()), created, product.CorrelationSpan),
			Notes:          notes,
		},
	}
	out.Audit.RequestID = f.RequestID
	if e.Call != nil {
		out.Audit.Request = e.Call.Event()
	}
	if e.Masked() > 0 {
		n.maskTexts(out)
	}
}

// maskTexts masks the secrets in the texts of an event that were taken from the entry
// before it was masked.
func (n *Normalizer) maskTexts(event *ingest.Event) {
	a := &event.Audit
	r := &a.Request
	for _, s := range []*string{
		&event.Title, &event.Actor, &event.SrcIP, &event.Hostname, &event.Decision, &event.Action,
		&a.ActionType, &a.ActorID, &a.ActorType, &a.ActorEmail, &a.ActorName, &a.Interface, &a.Scope, &a.AccountID,
		&a.ResourceType, &a.ResourceID, &a.ZoneID, &a.ZoneName, &a.Target,
		&r.Description, &r.Method, &r.URI, &r.StatusCode, &r.UserAgent, &r.RequestID, &r.Credential, &r.TokenID, &r.TokenName,
	} {
		*s = n.ownToken.Line(*s)
	}
	if id := event.ExternalID; n.ownToken.Line(id) != id {
		event.ExternalID = audit.DerivedID(id)
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		c.Field, c.Old, c.New = n.ownToken.Line(c.Field), n.ownToken.Line(c.Old), n.ownToken.Line(c.New)
	}
}

func oneLine(s string) string { return text.OneLine(s, audit.MaxText) }

// externalID is the id of the entry, or one derived from it when the id is not
// a usable text.
func externalID(e *audit.Entry) string {
	id := text.OneLine(e.ID, maxID)
	if id == "" || len(id) > maxID {
		return audit.DerivedID(e.ID + string(e.JSON()))
	}
	return id
}

// hostname is a zone name in its DNS spelling, or "" when it is not a valid
// host name.
func hostname(zone string) string {
	name := text.ASCIIZone(zone)
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

// maxNesting is how deep an entry may nest to be part of an event as JSON. JSON
// readers in other languages stop at a thousand levels.
const maxNesting = 500

// rawEvent is the entry as received, except for line breaks in white space and
// invalid UTF-8, which one line of JSON cannot hold, and for the escapes that
// [text.ReplaceEscapes] replaces. An entry that nests too deep becomes a string.
func rawEvent(e *audit.Entry) (event ingest.RawJSON, replaced, deep bool) {
	raw := e.JSON()
	if strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		v := jsontext.Value(raw)
		if err := v.Compact(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)); err == nil {
			raw = string(v)
		}
	}
	if e.Doc.Class()&jsondoc.Wide != 0 && !utf8.ValidString(raw) {
		raw = strings.ToValidUTF8(raw, "\uFFFD")
	}
	if e.Raw != "" || e.Doc.Class()&jsondoc.UnicodeEscape != 0 {
		raw, replaced = text.ReplaceEscapes(raw)
	}
	// Masking has already removed most deep nesting.
	if e.Doc.Depth() > maxNesting && nesting(raw) > maxNesting {
		raw, deep = jsondoc.Quote(raw), true
	}
	return ingest.RawJSON(raw), replaced, deep
}

// nesting is how deep a JSON text nests.
func nesting(raw string) int {
	var doc jsondoc.Doc
	_ = doc.Parse(raw)
	return doc.Depth()
}
