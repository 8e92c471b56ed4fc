package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// listenAddress is where --listen says to listen. Without a host it is this
// machine alone.
func listenAddress(flag string) (string, error) {
	host, port, err := net.SplitHostPort(flag)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q: must be an address and a port, such as 127.0.0.1:9090 or :9090", redact(flag))
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

// monitor tells how a runner fares.
type monitor struct {
	runner    *ingest.Runner
	accountID string
	started   time.Time
	// patience is how old the last success may be.
	patience time.Duration

	mu     sync.Mutex
	events severities
}

// watch makes a monitor of r, which must not have been started.
func watch(r *ingest.Runner, accountID string) *monitor {
	m := &monitor{
		runner:    r,
		accountID: accountID,
		started:   time.Now(),
		patience:  max(3*r.Interval, 15*time.Minute),
		events:    make(severities),
	}
	report := r.OnBatch
	r.OnBatch = func(b ingest.Batch) {
		m.mu.Lock()
		m.events.add(b.Events)
		m.mu.Unlock()
		report(b)
	}
	return m
}

// serve answers at address until stop is called.
func (m *monitor) serve(address string, log *slog.Logger) (at net.Addr, stop func(), err error) {
	return answerAt(address, m.handler(), log)
}

// answerAt has handler answer at address until stop is called.
func answerAt(address string, handler http.Handler, log *slog.Logger) (at net.Addr, stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot listen for --listen: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health and metrics are no longer served", "error", err)
		}
	}()
	return listener.Addr(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-done
	}, nil
}

func (m *monitor) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	return monitoring(registry, func() (report any, well, ready bool) {
		h := m.health(time.Now())
		return h, h.Status != failing, h.Ready
	})
}

// answer writes h with the status that probes look at.
func answer(w http.ResponseWriter, well bool, h any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(h) // to a peer that may have gone
}

// The values of health.Status.
const (
	starting = "starting" // nothing has been read yet
	healthy  = "ok"
	retrying = "retrying" // something failed, but not for long
	failing  = "failing"  // a person should look
)

// health is what /healthz and /readyz say.
type health struct {
	Status    string `json:"status"`
	Ready     bool   `json:"ready"`
	Reason    string `json:"reason,omitempty"`
	AccountID string `json:"account_id"`

	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	Failures    int       `json:"failures"`
	// LagSeconds is how far the log has been read to, as an age. It is null
	// before anything has been read.
	LagSeconds     *int64 `json:"lag_seconds"`
	BacklogWindows int    `json:"backlog_windows"`
	// Notices are conditions that cost no event; see [ingest.Coverage].
	Notices []string `json:"notices,omitempty"`
	// AiSOC counts what was delivered with --aisoc.
	AiSOC *aisoc.Stats `json:"aisoc,omitempty"`
}

// delivered counts what went to AiSOC, if that is where the events go.
func (m *monitor) delivered() *aisoc.Stats {
	service, ok := m.runner.Sink.(*aisoc.Sink)
	if !ok {
		return nil
	}
	stats := service.Stats()
	return &stats
}

func (m *monitor) health(now time.Time) health {
	s := m.runner.Status()
	h := health{
		Status:         healthy,
		Ready:          !s.Totals.Complete.IsZero(),
		AccountID:      m.accountID,
		LastAttempt:    s.LastAttempt,
		LastSuccess:    s.LastSuccess,
		NextAttempt:    s.NextAttempt,
		LastErrorAt:    s.LastErrorAt,
		Failures:       s.Failures,
		BacklogWindows: s.Totals.Backlog,
		Notices:        s.Totals.Notices,
		AiSOC:          m.delivered(),
	}
	if s.Err != nil {
		h.LastError = explain(s.Err)
	}
	if h.Ready {
		lag := int64(s.Lag.Seconds())
		h.LagSeconds = &lag
	}
	since := s.LastSuccess
	if since.Before(m.started) {
		since = m.started
	}
	quiet := now.Sub(since)
	switch {
	case s.Failures > 0 && lasting(s.Err):
		h.Status, h.Reason = failing, "a person has to act: "+h.LastError
	case quiet > m.patience:
		h.Status = failing
		h.Reason = fmt.Sprintf("no batch has been delivered for %s, and %s are usual at most",
			quiet.Round(time.Second), m.patience)
		if s.Failures > 0 {
			h.Reason += ": " + h.LastError
		}
	case s.Failures > 0:
		h.Status, h.Reason = retrying, h.LastError
	case !h.Ready:
		h.Status = starting
	}
	return h
}

// lasting reports whether an error will come again until a person acts.
func lasting(err error) bool {
	if errors.Is(err, ingest.ErrCursor) {
		return true
	}
	if service, ok := errors.AsType[*aisoc.ServiceError](err); ok {
		return !service.Temporary()
	}
	api, ok := errors.AsType[*cloudflareaudit.APIError](err)
	return ok && (api.Kind == cloudflareaudit.KindCredentials || api.Kind == cloudflareaudit.KindAccount)
}

// The metrics. README.md lists them.
var (
	feedLookups = lookups{prefix: "cfaudit_"}

	descInfo        = feedLookups.desc("info", "The account that is read, and the version of cfaudit.", "account_id", "version")
	descHealthy     = feedLookups.desc("healthy", "1, or 0 when /healthz says that the feed is failing.")
	descPolls       = feedLookups.desc("polls_total", "Polls of the audit log.")
	descFailures    = feedLookups.desc("failures_total", "Attempts that failed, by step: poll, deliver, or cursor (load and save).", "step")
	descInARow      = feedLookups.desc("failures_in_a_row", "Attempts that failed since the last success.")
	descLastSuccess = feedLookups.desc("last_success_timestamp_seconds", "When a batch was last delivered and its cursor saved.")
	descRequests    = feedLookups.desc("requests_total", "Requests to the API, by HTTP status; none is for those without a reply.", "status")
	descThrottled   = feedLookups.desc("throttled_seconds_total", "Time that requests were held back to stay within the rate limit.")
	descRead        = feedLookups.desc("entries_read_total", "Entries received.")
	descEvents      = feedLookups.desc("events_total", "Events delivered, by severity.", "severity")
	descDropped     = feedLookups.desc("entries_dropped_total", "Entries dropped, by rule.", "rule")
	descRepeated    = feedLookups.desc("entries_repeated_total", "Entries recognised as handled before, mostly in the overlap.")
	descLate        = feedLookups.desc("entries_late_total", "Entries that only the overlap found.")
	descUndecodable = feedLookups.desc("entries_undecodable_total", "Entries that could not be understood and were delivered as they are.")
	descLag         = feedLookups.desc("lag_seconds", "How long ago the time is up to which everything has been delivered.")
	descBacklog     = feedLookups.desc("backlog_windows", "Windows of time that have been read in part.")
	descAISOC       = newAISOCMetrics(&feedLookups)
)

// Describe implements [prometheus.Collector].
func (m *monitor) Describe(ch chan<- *prometheus.Desc) { feedLookups.Describe(ch) }

// Collect implements [prometheus.Collector]. Counters start with the process.
func (m *monitor) Collect(ch chan<- prometheus.Metric) {
	s := m.runner.Status()
	t := s.Totals
	out := samples(ch)
	out.gauge(descInfo, 1, m.accountID, version())
	out.healthy(descHealthy, m.health(time.Now()).Status)
	out.count(descPolls, float64(s.Polls))
	out.count(descFailures, float64(s.PollFailures), "poll")
	out.count(descFailures, float64(s.SinkFailures), "deliver")
	out.count(descFailures, float64(s.StoreFailures), "cursor")
	out.gauge(descInARow, float64(s.Failures))
	if !s.LastSuccess.IsZero() {
		out.gauge(descLastSuccess, float64(s.LastSuccess.UnixMilli())/1000)
	}
	for status, n := range t.Statuses {
		out.count(descRequests, float64(n), statusLabel(status))
	}
	out.count(descThrottled, t.Throttled.Seconds())
	out.count(descRead, float64(t.Read))
	m.mu.Lock()
	for _, severity := range ingest.Severities() {
		out.count(descEvents, float64(m.events[severity]), string(severity))
	}
	m.mu.Unlock()
	for rule, n := range t.Dropped {
		out.count(descDropped, float64(n), rule)
	}
	out.count(descRepeated, float64(t.Repeated))
	out.count(descLate, float64(t.Late))
	out.count(descUndecodable, float64(t.Undecodable))
	if !t.Complete.IsZero() {
		out.gauge(descLag, s.Lag.Seconds())
	}
	out.gauge(descBacklog, float64(t.Backlog))
	if d := m.delivered(); d != nil {
		descAISOC.collect(out, d)
	}
}
