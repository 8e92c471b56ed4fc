// Package httpsink delivers events with POST requests to any service that takes
// them: as JSON lines, as a JSON array, or in the form of Elasticsearch, Splunk
// or Loki.
//
//	out, err := httpsink.New(httpsink.Config{
//		URL:        "https://splunk.example.com:8088/services/collector/event",
//		Body:       httpsink.Splunk,
//		Headers:    []httpsink.Header{{Name: "Authorization", Value: cloudflareaudit.NewSecret("Splunk …")}},
//		DeadLetter: "dead-letter.jsonl",
//	})
//	...
//	err = out.Write(ctx, batch.Events) // nil means that each is accepted or in the file
//
// A [Sink] repeats what the service has not confirmed, under the same ids. Events
// that the service can never take go to a dead-letter file, so that one event does
// not stop the feed.
package httpsink

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// maxEvents and maxBytes bound a request. Some services take no more than
	// 1 MiB at once.
	maxEvents = 1000
	maxBytes  = deliver.MaxMessage
	// defaultTimeout bounds one POST.
	defaultTimeout = 30 * time.Second
)

// Config configures a [Sink]. Only URL is required.
type Config struct {
	// URL is the address to which the requests go, with its path and query. It
	// must be https, or http to a loopback address; see PlainHTTP.
	URL string
	// Body is the form of a request; [Lines] by default.
	Body Body
	// Format is the form of the events: "jsonl", "ecs" or "ocsf". The default is
	// "jsonl", and "ecs" for [Elastic], whose data streams need a @timestamp.
	Format Format
	// Headers are sent with each request, such as one with a token.
	Headers []Header
	// NoGzip sends the requests uncompressed.
	NoGzip bool
	// PlainHTTP allows http to addresses other than loopback, as inside a
	// cluster. It cannot be combined with Headers, which anybody on the way
	// could read.
	PlainHTTP bool
	// DeadLetter is the file to which events are appended that the service
	// refuses for good: one JSON object per line, with the members time, reason
	// and event, which always has the format "jsonl". Without one, Write fails
	// for as long as a batch holds such an event.
	DeadLetter string
	// Timeout bounds one POST with its reply; 30 s by default.
	Timeout time.Duration
	// HTTPClient sends the requests. Redirects are not followed. Nil means a
	// client of its own that takes no proxy from the environment.
	HTTPClient *http.Client
	// Logger gets a warning for each event that goes to the dead-letter file.
	// Nil means no log.
	Logger *slog.Logger
}

// Header is a header of a request. Its value is treated as a secret: use a
// cloudflareaudit.Secret, which no format prints.
type Header struct {
	Name  string
	Value interface{ Reveal() string }
}

// Format is the form of events.
type Format = eventformat.Format

// FieldError says what is wrong with one field of a [Config].
type FieldError = ingest.FieldError

// ServiceError describes a POST that failed: an HTTP status, or no reply. It is
// an [ingest.RetryAfterer] and an [ingest.ActionNeeder].
type ServiceError = deliver.ServiceError

// Stats counts what a [Sink] has done since [New] returned it.
type Stats = deliver.Stats

// Sink is an [ingest.Sink] that delivers with POST requests. It is safe for
// concurrent use. [New] returns one.
type Sink struct{ engine *deliver.Engine }

// New returns a sink. It joins a [FieldError] for every fault of cfg, and fails
// if the dead-letter file cannot be written. It does not connect.
func New(cfg Config) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	engine, err := deliver.New(cfg.service())
	if err != nil {
		return nil, err
	}
	return &Sink{engine}, nil
}

// Stats returns the counters. It may be called at any time.
func (s *Sink) Stats() Stats { return s.engine.Stats() }

// Write implements [ingest.Sink]: it returns nil once the service has accepted
// every event or the dead-letter file holds it. A request has at most 1000
// events and about 1 MB. An event that is larger has its raw event cut down.
//
// Temporary failures, such as HTTP 5xx, 429 and lost replies, are retried a few
// times. If the service asks for a longer wait, the error says so: it is an
// [ingest.RetryAfterer]. With a dead-letter file, a batch that keeps failing
// with HTTP 400, 422 or 500 is halved down to the event that is to blame,
// unless the reply names it. An event is blamed only when the service accepts
// another one before and after it, so that an outage fails the Write and
// dead-letters nothing.
func (s *Sink) Write(ctx context.Context, events []ingest.Event) error {
	return s.engine.Write(ctx, events)
}

// format is the form of the events.
func (c *Config) format() Format {
	if c.Format == "" && c.Body == Elastic {
		return eventformat.ECS
	}
	return cmp.Or(c.Format, eventformat.JSONL)
}

// form is the form of the body, if there is such a one.
func (c *Config) form() (form, bool) {
	i := slices.IndexFunc(forms, func(f form) bool { return f.body == cmp.Or(c.Body, Lines) })
	if i < 0 {
		return form{}, false
	}
	return forms[i], true
}

// service is how to talk to the service.
func (c *Config) service() deliver.Service {
	f, _ := c.form()
	header := http.Header{"Content-Type": {f.contentType}, "Accept": {"application/json"}, "User-Agent": {"cfaudit"}}
	var secrets []string
	own := make(map[string]bool)
	for _, h := range c.Headers {
		name, value := http.CanonicalHeaderKey(h.Name), h.Value.Reveal()
		if !own[name] {
			header.Del(name)
			own[name] = true
		}
		header.Add(name, value)
		secrets = append(secrets, secretParts(name, value)...)
	}
	secrets = append(secrets, secretsOfQuery(c.URL)...)
	return deliver.Service{
		Name: "httpsink", URL: c.URL, Header: header, Secrets: secrets,
		MaxEvents: maxEvents, MaxBytes: maxBytes, Gzip: !c.NoGzip, Timeout: cmp.Or(c.Timeout, defaultTimeout),
		Client: c.HTTPClient, DeadLetter: c.DeadLetter, Log: c.Logger,
		Encoding: deliver.Encoding{Append: c.format().Append, Size: func(line []byte) int { return len(line) }},
		Body:     f.write, Read: f.read, Blames: deliver.BlamesEvents, Hint: hint,
	}
}

// shortestSecret is the length from which a word of a header may be a secret.
const shortestSecret = 6

// secretParts are what to take out of replies: the value of a header, and each
// word of it, because a service may repeat a token without what is in front. Of a
// user and a password in base64, it may repeat the password alone.
func secretParts(name, value string) (all []string) {
	if name == "Content-Type" || name == "Accept" || name == "User-Agent" {
		return nil
	}
	words := append([]string{value}, strings.Fields(value)...)
	for _, word := range strings.Fields(value) {
		if pair, err := base64.StdEncoding.DecodeString(word); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			words = append(words, string(pair), password)
		}
	}
	return longEnough(words)
}

// secretsOfQuery are the values of the query of an address, which may be keys.
func secretsOfQuery(address string) (all []string) {
	u, err := url.Parse(address)
	if err != nil {
		return nil // which Validate has told
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	return longEnough(all)
}

func longEnough(words []string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return len(word) < shortestSecret })
}

// hint says what to do about a status.
func hint(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
		return "check the address, the form of the body and the format of the events"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "check the headers and what they allow"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "check the address: nothing takes events at it"
	}
	return ""
}

// reserved are the headers that the client sets.
var reserved = []string{"Host", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Expect"}

// Validate joins a [FieldError] for every fault of c. It does no I/O.
func (c *Config) Validate() error {
	var faults []error
	fault := func(field, value, allowed string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Allowed: allowed})
	}
	if shown, allowed := c.checkURL(); allowed != "" {
		fault("URL", shown, allowed)
	}
	if _, ok := c.form(); !ok {
		fault("Body", string(c.Body), "must be "+text.Alternatives(Bodies()))
	}
	if !slices.Contains(eventformat.Formats(), c.format()) {
		fault("Format", string(c.Format), "must be "+text.Alternatives(eventformat.Formats()))
	}
	for i, h := range c.Headers {
		if allowed := h.Fault(); allowed != "" {
			fault(fmt.Sprintf("Headers[%d]", i), "", allowed)
		}
	}
	if c.Timeout < 0 {
		fault("Timeout", c.Timeout.String(), "must not be negative")
	}
	return errors.Join(faults...)
}

// Fault says what is wrong with h and what is allowed, or returns "". It never
// shows the value.
func (h Header) Fault() string {
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name):
		return "must have a name of letters, digits and dashes"
	case slices.Contains(reserved, http.CanonicalHeaderKey(h.Name)):
		return "must be another header than " + http.CanonicalHeaderKey(h.Name) + ", which is set automatically"
	case h.Value == nil || h.Value.Reveal() == "":
		return "must have a value"
	case !httpguts.ValidHeaderFieldValue(h.Value.Reveal()):
		return "must not have control characters in its value"
	}
	return ""
}

// checkURL says what is wrong with the URL, or "", and shows it without a
// password.
func (c *Config) checkURL() (shown, allowed string) {
	const wanted = "must be an https URL such as https://siem.example.com/ingest"
	if c.URL == "" {
		return "", "is required: the address that takes the events"
	}
	u, ok := httpx.ParseAddress(c.URL)
	if u == nil {
		return "", wanted
	}
	// A query may hold a key.
	bare := *u
	bare.RawQuery, bare.ForceQuery = "", false
	shown = bare.Redacted()
	switch {
	case !ok:
		return shown, wanted
	case u.User != nil:
		return shown, "must not hold credentials: put them into a header"
	case httpx.HasFragment(c.URL):
		return shown, "must not have a fragment"
	case httpx.IsEncrypted(u):
		return "", ""
	case !c.PlainHTTP:
		return shown, "would send the events unencrypted; plain http is for loopback addresses, unless it is explicitly allowed"
	case len(c.Headers) > 0:
		return shown, "would send the headers unencrypted; use https, or no headers"
	}
	return "", ""
}
