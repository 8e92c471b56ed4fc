package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Form is the form of a message.
type Form string

// The forms of a message.
const (
	// Slack is that of the incoming webhooks of Slack: a text.
	Slack Form = "slack"
	// Webhook is a JSON object with the events.
	Webhook Form = "webhook"
)

// Forms lists the forms of a message.
func Forms() []Form { return slices.Sorted(maps.Keys(shapes)) }

// shape is how messages of a form are made.
type shape struct {
	// line appends what a message says of an event, and body is a message of
	// such lines. page is the audit log in the dashboard, and dropped counts
	// events of which nothing else is told.
	line func(b []byte, e *ingest.Event, page string) []byte
	body func(items []deliver.Item, page string, dropped int) []byte
	// maxBytes bounds the lines of a message.
	maxBytes int
	// pace is the time between two messages.
	pace time.Duration
}

var shapes = map[Form]shape{
	Slack:   {slackLine, slackBody, 12_000, time.Second},
	Webhook: {webhookLine, webhookBody, deliver.MaxMessage, 0},
}

const (
	// maxSlackLine is the size from which what is said of an event names no more
	// changes.
	maxSlackLine = 3000
	// maxSlackValue bounds a value in Slack, in bytes before it is escaped.
	maxSlackValue = 150
)

// slackEscapes are what stands for the control characters of Slack. Without <
// and > there is no link and no mention, and without ` nothing leaves its code
// span, within which nothing else is formatted.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'")

// slackText is a text from outside as one line for Slack.
func slackText(s string, most int) string {
	return slackEscapes.Replace(strings.TrimSpace(text.OneLine(s, most)))
}

// slackCode is a value from outside as a code span for Slack. Nothing, or what is
// not known, is a dash.
func slackCode(s string, most int) string {
	if s = slackText(s, most); s == "" {
		return "–"
	}
	return "`" + s + "`"
}

// slackLine appends what a message in Slack says of an event.
func slackLine(b []byte, e *ingest.Event, _ string) []byte {
	start := len(b)
	b = fmt.Appendf(b, "*%s* %s\n", strings.ToUpper(string(e.Severity)), slackCode(e.Title, maxText))
	b = append(b, "by "+slackCode(e.Actor, maxSlackValue)...)
	if e.SrcIP != "" {
		b = append(b, " from "+slackCode(e.SrcIP, maxSlackValue)...)
	}
	if e.Audit.ZoneName != "" {
		b = append(b, " in zone "+slackCode(e.Audit.ZoneName, maxSlackValue)...)
	}
	b = append(b, " at "+e.CreatedAt.UTC().Format(time.DateTime)+" UTC\n"...)
	omitted := e.Audit.ChangesOmitted
	for i, c := range e.Audit.Changes {
		if len(b)-start > maxSlackLine {
			omitted += len(e.Audit.Changes) - i
			break
		}
		b = fmt.Appendf(b, "• %s: %s → %s\n", slackCode(c.Field, maxSlackValue), slackCode(c.Old, maxSlackValue), slackCode(c.New, maxSlackValue))
	}
	if omitted > 0 {
		b = fmt.Appendf(b, "• more changed fields: %d\n", omitted)
	}
	if why := slackText(e.Audit.Why, maxText); why != "" {
		b = append(b, why+" "...)
	}
	return append(b, "Rule "+slackCode(e.Audit.Rule, maxSlackValue)...)
}

// slackBody is a message in Slack.
func slackBody(items []deliver.Item, page string, dropped int) []byte {
	var b strings.Builder
	for _, it := range items {
		b.Write(it.Line)
		b.WriteString("\n\n")
	}
	if dropped > 0 {
		fmt.Fprintf(&b, "*Not told: %d* events, because too many were waiting. They are in the main output.\n", dropped)
	}
	fmt.Fprintf(&b, "<%s|Audit log in the dashboard>", page)
	return encodeJSON(struct {
		Text   string `json:"text"`
		Links  bool   `json:"unfurl_links"`
		Images bool   `json:"unfurl_media"`
	}{Text: b.String()})
}

// orNull is a text that is null in JSON when it is empty.
type orNull string

// MarshalJSON implements [json.Marshaler].
func (s orNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return encodeJSON(string(s)), nil
}

// told is an event in a message for a webhook.
type told struct {
	ExternalID string          `json:"external_id"`
	Severity   ingest.Severity `json:"severity"`
	Title      string          `json:"title"`
	Why        orNull          `json:"why"`
	Rule       orNull          `json:"rule"`
	Action     orNull          `json:"action"`
	Outcome    orNull          `json:"outcome"`
	Actor      orNull          `json:"actor"`
	SrcIP      orNull          `json:"src_ip"`
	Zone       orNull          `json:"zone"`
	Target     orNull          `json:"target"`
	CreatedAt  string          `json:"created_at"`
	AccountID  orNull          `json:"account_id"`
	Changes    []change        `json:"changes"`
	Omitted    int             `json:"changes_omitted"`
	Link       string          `json:"link"`
}

// change is a changed field in a message for a webhook.
type change struct {
	Field  string `json:"field"`
	Before orNull `json:"before"`
	After  orNull `json:"after"`
}

// webhookLine appends an event of a message for a webhook.
func webhookLine(b []byte, e *ingest.Event, page string) []byte {
	a := &e.Audit
	one := told{
		ExternalID: e.ExternalID, Severity: e.Severity, Title: e.Title, Why: orNull(a.Why), Rule: orNull(a.Rule),
		Action: orNull(e.Action), Outcome: orNull(a.Outcome), Actor: orNull(e.Actor), SrcIP: orNull(e.SrcIP),
		Zone: orNull(a.ZoneName), Target: orNull(a.Target), CreatedAt: e.CreatedAt.UTC().Format(ingest.TimeFormat), AccountID: orNull(a.AccountID),
		Changes: make([]change, len(a.Changes)), Omitted: a.ChangesOmitted, Link: page,
	}
	for i, c := range a.Changes {
		one.Changes[i] = change{c.Field, orNull(c.Old), orNull(c.New)}
	}
	return append(b, encodeJSON(one)...)
}

// webhookBody is a message for a webhook.
func webhookBody(items []deliver.Item, _ string, dropped int) []byte {
	b := fmt.Appendf(nil, `{"dropped":%d,"events":[`, dropped)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.Line...)
	}
	return append(b, "]}"...)
}

// encodeJSON is a value of this package as JSON. None of them fails.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
