// Package deliver is the engine of the sinks that post events over HTTP: it cuts
// batches, tries again, finds the events at fault and keeps those in a
// dead-letter file. A [Service] tells it how a request is made and what a reply
// means.
package deliver

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Service is how to talk to a service. Client, Log, Secrets and DeadLetter are
// optional.
type Service struct {
	// Name is the name of the sink's package, with which its errors begin.
	Name string
	// URL is where the requests go, and Header what is sent with them.
	URL    string
	Header http.Header
	// Secrets are taken out of all that the service says.
	Secrets []string
	// MaxEvents and MaxBytes bound a request, whose size is taken before it is
	// compressed. One event may be larger.
	MaxEvents, MaxBytes int
	// Gzip compresses the requests.
	Gzip bool
	// Timeout bounds one POST with its reply.
	Timeout time.Duration
	Client  *http.Client
	// DeadLetter is the file for the events that the service refuses.
	DeadLetter string
	Log        *slog.Logger

	// Encoding encodes the events.
	Encoding
	// Body is the body of a request for encoded events.
	Body func(items []Item) []byte
	// Read reads the reply to a request for so many events. A nil failure says
	// that the reply is about each of them.
	Read func(status int, body []byte, events int) (Reply, *Failure)
	// Blames reports whether one of the events may be the cause of a status, so
	// that others would be accepted. A status of 413 always says that.
	Blames func(status int) bool
	// Hint says what to do about a status, or is empty.
	Hint func(status int) string
}

// Reply is what a service says about the events of a request. The others are
// accepted.
type Reply struct {
	// Rejected counts the rejected events, for a service that does not say which
	// they are. Reasons say why, in the order of the events.
	Rejected int
	Reasons  []string
	// Refused are the rejected events, for one that does.
	Refused []Refused
	// Unread are the indexes of the events to be sent again: the service has not
	// looked at them or, if Busy says why, not taken them yet.
	Unread []int
	Busy   string
}

// Refused is an event that the service rejects, by its index in the request.
type Refused struct {
	Index  int
	Reason string
}

// Failure is a reply that says nothing about single events.
type Failure struct {
	// Status is the HTTP status that the failure amounts to.
	Status int
	// Text is what the sink says about it, and Quote what the service does.
	Text, Quote string
}

// Stats counts what an engine has done since [New] returned it.
type Stats struct {
	// Posts counts the requests, and Retries those of them that repeat one
	// which failed.
	Posts   int `json:"posts"`
	Retries int `json:"retries"`
	// Accepted counts the events that the service has accepted, and Truncated
	// those of them whose raw event was cut down to what the service can take.
	Accepted  int `json:"accepted"`
	Truncated int `json:"truncated"`
	// Rejected counts the events that the service has rejected in its reply,
	// and DeadLettered the events written to the dead-letter file, for that or
	// for another reason.
	Rejected     int `json:"rejected"`
	DeadLettered int `json:"dead_lettered"`
	// Bisections counts how often a batch was halved to find such an event or
	// because it was too large.
	Bisections int `json:"bisections"`
}

// Engine delivers to a [Service]. It is safe for concurrent use.
type Engine struct {
	service Service
	secrets []text.Hidden
	http    http.Client
	log     *slog.Logger

	mu    sync.Mutex
	stats Stats
	// good is an event that the service has accepted. To send it once more
	// changes nothing there, and tells whether the service works.
	good Item
}

// New returns an engine. It fails if the dead-letter file cannot be written. It
// does not connect.
func New(s Service) (*Engine, error) {
	e := &Engine{service: s, secrets: hidden(s.Secrets), http: NewClient(s.Client), log: s.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if s.DeadLetter != "" {
		if err := appendDurably(s.DeadLetter, nil); err != nil {
			return nil, prefixed.Errorf(s.Name, "cannot write the dead-letter file: %w", err)
		}
		e.warnExposed()
	}
	return e, nil
}

// warnExposed warns about a dead-letter file that other users can read: it holds
// whole events.
func (e *Engine) warnExposed() {
	if err := files.CheckPrivateFile(e.service.DeadLetter); err != nil {
		e.log.Warn("the dead-letter file shows who may do what in the account", "error", err)
	}
}

// NewClient is given, or a client that takes no proxy from the environment, and
// follows no redirects.
func NewClient(given *http.Client) http.Client {
	client := http.Client{}
	if given != nil {
		client = *given
	}
	if client.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil
		client.Transport = transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// hidden are the secrets to take out of what the service says, the longest first,
// because one may be a part of another.
func hidden(secrets []string) (all []text.Hidden) {
	longest := slices.Clone(secrets)
	slices.SortStableFunc(longest, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range longest {
		all = append(all, text.Hide(secret))
	}
	return all
}

// scrub takes the secrets out of a text that came from outside, before anything
// is cut off: a part of one is too much as well.
func (e *Engine) scrub(raw string) string {
	for _, hide := range e.secrets {
		raw, _ = hide(raw, text.Redacted)
	}
	return raw
}

// Clean makes a text from outside fit for a log line.
func Clean(s string) string { return text.Excerpt(s, 200) }

// Stats returns the counters. It may be called at any time.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Write returns nil once the service has accepted every event or the dead-letter
// file holds it.
//
// Failures that pass, such as HTTP 5xx, 429 and lost replies, are tried again a
// few times; what the service asks to wait beyond that is in the error, which
// is an [ingest.RetryAfterer]. With a dead-letter file, a batch that keeps
// failing with a status for which events may be to blame is halved down to the
// event that is. An event is blamed only when the service accepts another one
// before and after it, so that an outage fails the Write and dead-letters
// nothing. It goes to the dead-letter file as it is, and to the service without
// its raw event, if it is accepted like that: then it counts as truncated, too.
func (e *Engine) Write(ctx context.Context, events []ingest.Event) error {
	d := &delivery{Engine: e}
	for batch := range d.batches(e.service.encode(events)) {
		if err := d.deliver(ctx, batch); err != nil {
			return err
		}
	}
	return d.finish(ctx)
}
