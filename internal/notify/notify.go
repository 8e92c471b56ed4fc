// Package notify tells people of events from a severity on, by a webhook or in
// Slack, beside the sink that takes all events.
//
//	n, err := notify.Open(notify.Config{URL: url, AccountID: id, File: "state/notify.json"})
//	...
//	runner.Sink, runner.Store = n.Beside(sink), n.Before(store)
//	...
//	err = n.Close(ctx)
//
// The sink comes first: events wait in memory once it has accepted them, and in
// a file before their cursor is saved. Only what is in the file is sent, by a
// goroutine that neither the sink nor the store waits for. So each event is
// sent at least once, also over a kill, and no service that is slow or down
// holds up the feed. What is sent again bears the same external id.
//
// The queue is bounded: when it is full, the oldest event of the lowest severity
// makes room. That is logged, counted, and told in the next message.
package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Config configures a [Notifier]. URL, AccountID and File are required.
type Config struct {
	// URL is the address that takes the messages: https, or http to a loopback
	// address. It is a secret, because its path is all that some services ask
	// for; a cloudflareaudit.Secret is one that no format prints.
	URL interface{ Reveal() string }
	// Form is the form of a message: by default [Slack] for a host of Slack, and
	// [Webhook] for another one.
	Form Form
	// MinSeverity is the lowest severity that is sent; [ingest.High] by default.
	MinSeverity ingest.Severity
	// AccountID is the account whose audit log the messages link to.
	AccountID string
	// File keeps what waits to be sent. No other process may use it.
	File string
	// DeadLetter is the file to which events are appended that the service
	// refuses while it accepts others. Without one they are tried for ever.
	DeadLetter string
	// HTTPClient sends the requests. Redirects are not followed. Nil means a
	// client of its own that takes no proxy from the environment.
	HTTPClient *http.Client
	// Logger gets failures, recoveries, and what is dropped. Nil means no log.
	Logger *slog.Logger
}

// FieldError says what is wrong with one field of a [Config].
type FieldError = ingest.FieldError

// Validate joins a [FieldError] for every fault of URL, Form and MinSeverity. Of
// the address it shows at most the host. It does no I/O.
func (c *Config) Validate() error {
	var faults []error
	fault := func(field, value, allowed string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Allowed: allowed})
	}
	if shown, allowed := c.checkURL(); allowed != "" {
		fault("URL", shown, allowed)
	}
	if c.Form != "" && !slices.Contains(Forms(), c.Form) {
		fault("Form", string(c.Form), "must be "+text.Alternatives(Forms()))
	}
	if c.MinSeverity != "" && !c.MinSeverity.Valid() {
		fault("MinSeverity", string(c.MinSeverity), "must be critical, high, medium, low or info")
	}
	return errors.Join(faults...)
}

// checkURL says what is wrong with the address, or "". What it shows of it is no
// secret.
func (c *Config) checkURL() (shown, allowed string) {
	const wanted = "must be an https URL such as https://hooks.example.com/…"
	address := c.address()
	if address == "" {
		return "", "is required: the address that takes the messages"
	}
	u, ok := httpx.ParseAddress(address)
	if !ok {
		return "", wanted
	}
	shown = u.Scheme + "://" + u.Host + "/…"
	switch {
	case u.User != nil:
		return shown, "must not hold credentials in front of the host"
	case httpx.HasFragment(address):
		return shown, "must not have a fragment"
	case !httpx.IsEncrypted(u):
		return shown, "would send the messages and the address unencrypted; plain http is for loopback addresses"
	}
	return "", ""
}

func (c *Config) address() string {
	if c.URL == nil {
		return ""
	}
	return c.URL.Reveal()
}

// shape is the form of the messages.
func (c *Config) shape() shape {
	form := c.Form
	if form == "" {
		form = Webhook
		if u, err := url.Parse(c.address()); err == nil && slices.Contains(slackHosts, u.Hostname()) {
			form = Slack
		}
	}
	return shapes[form]
}

// slackHosts are the hosts of the incoming webhooks of Slack.
var slackHosts = []string{"hooks.slack.com", "hooks.slack-gov.com"}

// LogPage is the page of an account's audit log in the dashboard.
func LogPage(accountID string) string {
	return "https://dash.cloudflare.com/" + url.PathEscape(accountID) + "/audit-log"
}

// shortestSecret is the length from which a part of an address may be a secret.
const shortestSecret = 6

// secretParts are what to take out of all that comes back from an address: its
// path and its query, and each part of them, the longest first.
func secretParts(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	all := []string{address, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery}
	all = append(all, strings.Split(u.EscapedPath(), "/")...)
	all = append(all, strings.Split(u.Path, "/")...)
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(part, "=")
		all = append(all, value)
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < shortestSecret })
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}

// Notifier sends messages about events. [Open] makes one. Its methods are safe for
// concurrent use.
type Notifier struct {
	lowest ingest.Severity
	page   string
	shape  shape
	engine *deliver.Engine
	file   string
	log    *slog.Logger

	// saving is held while the file is written, so that none is replaced by an
	// older one.
	saving sync.Mutex

	mu     sync.Mutex
	queue  queue
	status Status
	// told is how many dropped events the message at hand tells of.
	told int

	wake, closing, done chan struct{}
	end                 context.CancelFunc
	closed              func() error
	// patience bounds the work of Close.
	patience context.Context
}

// Status counts what a [Notifier] has done since it was opened.
type Status struct {
	// Waiting counts the events in the queue.
	Waiting int `json:"waiting"`
	// Posts counts the requests, and Sent the events that have been accepted.
	Posts int `json:"posts"`
	Sent  int `json:"sent"`
	// Dropped counts the events that had to leave a full queue, and
	// DeadLettered those in the dead-letter file.
	Dropped      int `json:"dropped"`
	DeadLettered int `json:"dead_lettered"`
	// Failures counts the attempts that have failed in a row, since
	// FailingSince, and LastError says why the last one did. All are zero after
	// a success.
	Failures     int       `json:"failures"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	// Err is the error that LastError shows.
	Err error `json:"-"`
}

// Open reads the queue that an earlier process has left and begins to send it.
// It joins a [FieldError] for every fault of cfg, and fails if the files cannot be
// read or written. A queue that is no such file is set aside, which is logged.
func Open(cfg Config) (*Notifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Notifier{
		lowest: cmp.Or(cfg.MinSeverity, ingest.High),
		page:   LogPage(cfg.AccountID),
		shape:  cfg.shape(),
		file:   cfg.File,
		log:    cfg.Logger,
		wake:   make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if n.queue, err = n.read(); err != nil {
		return nil, err
	}
	if n.engine, err = deliver.New(n.service(&cfg)); err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, n.end = context.WithCancel(context.Background())
	n.closed = sync.OnceValue(n.close)
	go n.work(ctx)
	return n, nil
}

// Status returns the counters. It may be called at any time.
func (n *Notifier) Status() Status {
	stats := n.engine.Stats()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.status
	s.Waiting, s.Posts, s.DeadLettered = len(n.queue.waiting), stats.Posts, stats.DeadLettered
	return s
}

// Beside returns a sink that passes events on to next and, once it has accepted
// them, queues those that are to be told. It never waits for a message.
func (n *Notifier) Beside(next ingest.Sink) ingest.Sink { return &besideSink{next, n} }

type besideSink struct {
	next ingest.Sink
	*Notifier
}

// Unwrap is the sink that takes all events.
func (s *besideSink) Unwrap() ingest.Sink { return s.next }

// Write implements [ingest.Sink].
func (s *besideSink) Write(ctx context.Context, events []ingest.Event) error {
	if err := s.next.Write(ctx, events); err != nil {
		return err
	}
	s.add(events)
	return nil
}

// Before returns a store that writes the queue to its file before next saves a
// cursor. When the file cannot be written, the cursor is not saved either.
func (n *Notifier) Before(next ingest.CursorStore) ingest.CursorStore { return &queueFirst{next, n} }

type queueFirst struct {
	ingest.CursorStore
	n *Notifier
}

// Save implements [ingest.CursorStore].
func (s *queueFirst) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	if err := s.n.save(); err != nil {
		return err
	}
	return s.CursorStore.Save(ctx, key, cursor)
}

// add queues the events that are to be told and have not been before.
func (n *Notifier) add(events []ingest.Event) {
	n.mu.Lock()
	for i := range events {
		if s := events[i].Severity; s.Valid() && rank(s) <= rank(n.lowest) {
			n.queue.add(&events[i])
		}
	}
	dropped := n.queue.shrink()
	n.status.Dropped += dropped
	waiting := len(n.queue.waiting)
	n.mu.Unlock()
	n.logDropped(dropped, waiting)
}

func (n *Notifier) logDropped(dropped, waiting int) {
	if dropped > 0 {
		n.log.Warn("the queue of notifications is full; the oldest of the lowest severity are dropped", "dropped", dropped, "waiting", waiting)
	}
}

// Close writes the queue to its file and sends what it holds until ctx ends or an
// attempt fails. What is left is sent by the next process; [Notifier.Status] tells
// how much that is. A second call does nothing.
func (n *Notifier) Close(ctx context.Context) error {
	n.mu.Lock()
	n.patience = ctx
	n.mu.Unlock()
	return n.closed()
}

func (n *Notifier) close() error {
	n.mu.Lock()
	patience := n.patience
	n.mu.Unlock()
	err := n.save()
	close(n.closing)
	select {
	case <-n.done:
	case <-patience.Done():
	}
	n.end()
	<-n.done
	return errors.Join(err, n.save())
}

// rank is the place of a severity, zero for the worst.
func rank(s ingest.Severity) int { return slices.Index(ingest.Severities(), s) }

func failed(format string, args ...any) error { return prefixed.Errorf("notify", format, args...) }
