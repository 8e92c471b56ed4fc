package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/internal/notify"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
	httpsink "github.com/aisoc/cloudflareaudit/sink/http"
)

// listenAddress is the address of --listen. Without a host it is the loopback
// interface.
func listenAddress(flag string) (string, error) {
	name, port, err := net.SplitHostPort(flag)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q: must be an address and a port, such as 127.0.0.1:9090 or :9090", redact(flag))
	}
	return net.JoinHostPort(cmp.Or(name, "127.0.0.1"), port), nil
}

// monitor reports the health of a runner.
type monitor struct {
	runner    *ingest.Runner
	accountID string
	rules     *ownRules      // or nil
	notify    *notifications // or nil
	started   time.Time

	mu     sync.Mutex
	events severities
}

// watch makes a monitor of r, which must not be running yet.
func watch(r *ingest.Runner, accountID string, rules *ownRules) *monitor {
	m := &monitor{
		runner:    r,
		accountID: accountID,
		rules:     rules,
		started:   time.Now(),
		events:    make(severities),
	}
	observe(r, func(b ingest.Batch) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.events.add(b.Events)
	})
	return m
}

// answerAt serves handler at address until stop is called. The port that port 0
// chooses is announced.
func answerAt(address string, handler http.Handler, log *slog.Logger, announce io.Writer) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for --listen: %w", err)
	}
	if strings.HasSuffix(address, ":0") {
		fmt.Fprintf(announce, "cfaudit: listening on http://%s\n", listener.Addr())
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
	return func() {
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
		return h, h.Status.Well(), h.Ready
	})
}

// answer writes h with the HTTP status that probes check.
func writeHealth(w http.ResponseWriter, well bool, h any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(h) // the peer may have disconnected
}

// feedHealth is the reply of /healthz and /readyz.
type feedHealth struct {
	Status    health.State `json:"status"`
	Ready     bool         `json:"ready"`
	Reason    string       `json:"reason,omitempty"`
	AccountID string       `json:"account_id"`

	LastAttempt  time.Time `json:"last_attempt,omitzero"`
	LastSuccess  time.Time `json:"last_success,omitzero"`
	NextAttempt  time.Time `json:"next_attempt,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	Failures     int       `json:"failures"`
	// LagSeconds is the age of the position up to which all logs have been
	// read. It is null until all of them have been read once.
	LagSeconds     *int64 `json:"lag_seconds"`
	BacklogWindows int    `json:"backlog_windows"`
	// Logs are the states of the logs that are read.
	Logs []ingest.LogState `json:"logs,omitempty"`
	// Notices are conditions that cost no event; see [ingest.Coverage].
	Notices []string `json:"notices,omitempty"`
	// Rules are those of --rules or --config.
	Rules *rulesHealth `json:"rules,omitempty"`
	// AiSOC counts the deliveries with --aisoc, and HTTP those with --http.
	AiSOC *aisoc.Stats    `json:"aisoc,omitempty"`
	HTTP  *httpsink.Stats `json:"http,omitempty"`
	// Notify counts what is told to the service of --notify-url-file.
	Notify *notify.Status `json:"notify,omitempty"`
}

// delivered counts the deliveries to a service, if events go to the one so named.
func (m *monitor) delivered(service string) *deliver.Stats {
	name, stats := deliveredBy(m.runner.Sink)
	if name != service {
		return nil
	}
	return &stats
}

func (m *monitor) health(now time.Time) feedHealth {
	s := m.runner.Status()
	h := feedHealth{
		AccountID:      m.accountID,
		LastAttempt:    s.LastAttempt,
		LastSuccess:    s.LastSuccess,
		NextAttempt:    s.NextAttempt,
		FailingSince:   s.FailingSince,
		LastErrorAt:    s.LastErrorAt,
		Failures:       s.Failures,
		BacklogWindows: s.Totals.Backlog,
		Logs:           inWords(s.Totals.Logs),
		Notices:        otherNotices(s.Totals),
		Rules:          m.rules.report(),
		AiSOC:          m.delivered("AiSOC"),
		HTTP:           m.delivered("HTTP"),
		Notify:         m.notify.report(),
	}
	if s.Err != nil {
		h.LastError = explain(s.Err)
	}
	if !s.Totals.Complete.IsZero() {
		lag := int64(s.Lag.Seconds())
		h.LagSeconds = &lag
	}
	h.Ready = h.LagSeconds != nil || slices.ContainsFunc(s.Totals.Logs, func(l ingest.LogState) bool { return !l.Complete.IsZero() })
	feed := health.Feed{
		Begun:       m.started,
		LastSuccess: s.LastSuccess,
		Interval:    m.runner.Interval,
		Logs:        h.Logs,
		Doing:       steps[s.Doing],
		DoingSince:  s.DoingSince,
	}
	if s.Failures > 0 {
		feed.Step, feed.Failures, feed.FailingSince = steps[s.Step], s.StepFailures, s.FailingSince
		feed.Error, feed.NeedsAction = h.LastError, ingest.NeedsAction(s.Err)
	}
	verdict := feed.Judge(now)
	h.Status, h.Reason = verdict.State, verdict.Reason
	return h
}

// steps maps the steps of a runner to those of package health.
var steps = map[ingest.Step]health.Step{
	ingest.StepLoad: health.Load, ingest.StepPoll: health.Poll, ingest.StepDeliver: health.Deliver, ingest.StepSave: health.Save,
}

// inWords returns states whose errors are worded for this command.
func inWords(logs []ingest.LogState) []ingest.LogState {
	for i, s := range logs {
		if read, ok := errors.AsType[*cloudflareaudit.ReadError](s.Err); ok {
			logs[i].Error = explain(read.Err) // Name identifies the log
		}
	}
	return logs
}

// otherNotices are the notices that the states of the logs do not already show.
func otherNotices(c ingest.Coverage) []string {
	return slices.DeleteFunc(c.Notices, func(notice string) bool {
		return slices.ContainsFunc(c.Logs, func(s ingest.LogState) bool { return s.Err != nil && s.Err.Error() == notice })
	})
}

// The metrics. docs/health.md lists them.
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
	descReadable    = feedLookups.desc("log_readable", "1, or 0 when the log cannot be read.", "log")
	descLag         = feedLookups.desc("lag_seconds", "The age of the time up to which everything shown so far has been delivered; at most the interval when caught up.")
	descBacklog     = feedLookups.desc("backlog_windows", "Windows of time that have been read in part.")
	descRules       = newReloadMetrics(&feedLookups)
	descAISOC       = newAISOCMetrics(&feedLookups)
	descHTTP        = newHTTPMetrics(&feedLookups)
	descNotify      = newNotifyMetrics(&feedLookups)
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
	for _, l := range t.Logs {
		readable := 1.0
		if l.Failed() {
			readable = 0
		}
		out.gauge(descReadable, readable, l.Name)
	}
	if !t.Complete.IsZero() {
		out.gauge(descLag, s.Lag.Seconds())
	}
	out.gauge(descBacklog, float64(t.Backlog))
	descRules.collect(out, m.rules.report())
	if d := m.delivered("AiSOC"); d != nil {
		descAISOC.collect(out, d)
	}
	if d := m.delivered("HTTP"); d != nil {
		descHTTP.collect(out, d)
	}
	descNotify.collect(out, m.notify.report())
}
