// Package aisoc delivers events to the ingestion service of AiSOC, as
// POST /v1/ingest/batch.
//
//	out, err := aisoc.New(aisoc.Config{
//		URL:           "https://ingest.example.com",
//		TenantID:      "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001",
//		ConnectorID:   "9d0c2f5e-4f7a-4a52-8c34-0f6f1f4e6f01",
//		ConnectorType: cloudflareaudit.ConnectorID,
//		DeadLetter:    "dead-letter.jsonl",
//	})
//	...
//	err = out.Write(ctx, batch.Events) // nil means that each is accepted or in the file
//
// A [Sink] takes the service's word for what it has accepted, and repeats what
// was not confirmed, under the same ids. Events that the service can never take
// go to a dead-letter file, so that one event does not stop the feed.
package aisoc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

// path is where the service takes batches.
const path = "/v1/ingest/batch"

// defaultTimeout bounds one POST. The service gives up by itself after 30 s,
// and its word is better than none.
const defaultTimeout = 45 * time.Second

// Config configures a [Sink]. URL, TenantID, ConnectorID and ConnectorType are
// required.
type Config struct {
	// URL is the address of the ingestion service, to which /v1/ingest/batch
	// is added. It must be https, or http to a loopback address; see PlainHTTP.
	URL string
	// TenantID is the UUID of the tenant that owns the events.
	TenantID string
	// ConnectorID is the UUID of the connector instance in AiSOC. AiSOC derives
	// the id of an event from it, the tenant and the external id, so it must
	// not change. The service also takes events under an id that is not a UUID,
	// but does not link their alerts to the connector.
	ConnectorID string
	// ConnectorType is the type of the connector, which chooses how AiSOC reads
	// its events.
	ConnectorType string
	// Token, if not nil, is sent as a bearer token, for a gateway in front of
	// the service: the service itself asks for none. Use a
	// cloudflareaudit.Secret, which no format prints.
	Token interface{ Reveal() string }
	// PlainHTTP allows http to addresses other than loopback, as inside a
	// cluster. It cannot be combined with a Token, which anybody on the way
	// could read.
	PlainHTTP bool
	// DeadLetter is the file to which events are appended that the service
	// refuses for good: one JSON object per line, with the members time, reason
	// and event. Without one, Write fails for as long as a batch holds such an
	// event.
	DeadLetter string
	// Timeout bounds one POST with its reply; 45 s by default.
	Timeout time.Duration
	// HTTPClient sends the requests. Redirects are not followed. Nil means a
	// client of its own that takes no proxy from the environment.
	HTTPClient *http.Client
	// Logger gets a warning for each event that goes to the dead-letter file.
	// Nil means no log.
	Logger *slog.Logger
}

// FieldError says what is wrong with one field of a [Config].
type FieldError = ingest.FieldError

// ServiceError describes a POST that failed: an HTTP status, or no reply. It is
// an [ingest.RetryAfterer] and an [ingest.ActionNeeder].
type ServiceError = deliver.ServiceError

// Stats counts what a [Sink] has done since [New] returned it.
type Stats = deliver.Stats

// Sink is an [ingest.Sink] that delivers to AiSOC. It is safe for concurrent
// use. [New] returns one.
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
// every event or the dead-letter file holds it. A batch is one POST, unless it
// is larger than 1000 events or about 8 MiB.
//
// Temporary failures, such as HTTP 5xx, 429 and lost replies, are retried a few
// times. If the service asks for a longer wait, the error says so: it is an
// [ingest.RetryAfterer]. With a dead-letter file, a batch that keeps failing
// with HTTP 500 is halved down to the event that is to blame. An event is
// blamed only when the service accepts another one before and after it, so that
// an outage fails the Write and dead-letters nothing. It goes to the
// dead-letter file as it is, and once more to the service without its raw
// event; if that is accepted, it counts as truncated, too.
func (s *Sink) Write(ctx context.Context, events []ingest.Event) error {
	return s.engine.Write(ctx, events)
}

// uuid is the form of a tenant id.
var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// Validate joins a [FieldError] for every fault of c. It does no I/O.
func (c Config) Validate() error {
	var faults []error
	fault := func(field, value, allowed string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Allowed: allowed})
	}
	if shown, allowed := c.checkURL(); allowed != "" {
		fault("URL", shown, allowed)
	}
	switch {
	case c.TenantID == "":
		fault("TenantID", "", "is required: the UUID of the tenant")
	case !uuid.MatchString(c.TenantID):
		fault("TenantID", c.TenantID, "must be a UUID such as 00000000-0000-4000-8000-000000000001")
	}
	name := func(field, value, what string) {
		switch {
		case strings.TrimSpace(value) == "":
			fault(field, "", "is required: "+what)
		case strings.ContainsFunc(value, unicode.IsControl):
			fault(field, value, "must not have control characters in it")
		}
	}
	name("ConnectorID", c.ConnectorID, "the id of the connector instance in AiSOC")
	name("ConnectorType", c.ConnectorType, "the type of the connector in AiSOC")
	if strings.ContainsFunc(c.token(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		fault("Token", "", "has a character in it that no token has: enter the token alone")
	}
	if c.Timeout < 0 {
		fault("Timeout", c.Timeout.String(), "must not be negative")
	}
	return errors.Join(faults...)
}

// checkURL says what is wrong with the URL, or "", and shows it without a
// password.
func (c Config) checkURL() (shown, allowed string) {
	const form = "must be an https URL such as https://aisoc.example.com"
	if c.URL == "" {
		return "", "is required: the address of the ingestion service"
	}
	u, ok := httpx.ParseAddress(c.URL)
	if u == nil {
		return "", form
	}
	shown = u.Redacted()
	switch {
	case !ok:
		return shown, form
	case u.User != nil:
		return shown, "must not hold credentials"
	case u.RawQuery != "" || u.ForceQuery || httpx.HasFragment(c.URL):
		return shown, "must not have a query or a fragment"
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), path):
		return shown, "must end before " + path + ", which is added"
	case httpx.IsEncrypted(u):
		return "", ""
	case !c.PlainHTTP:
		return shown, "would send the events unencrypted; plain http is for loopback addresses, unless it is explicitly allowed"
	case c.token() != "":
		return shown, "would send the token unencrypted; use https, or no token"
	}
	return "", ""
}

func (c Config) token() string {
	if c.Token == nil {
		return ""
	}
	return c.Token.Reveal()
}
