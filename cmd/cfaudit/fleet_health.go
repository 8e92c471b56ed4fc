package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

const (
	// watchEvery is how often a worker looks at the whole fleet.
	watchEvery = 15 * time.Second
	// fleetPatience is how long the database may be out of reach, and how long
	// a worker may make no poll while polls are overdue.
	fleetPatience = 5 * time.Minute
)

// fleetMonitor tells how a worker and the fleet fare.
type fleetMonitor struct {
	fleet    *fleet.Fleet
	delivery *delivery
	registry *prometheus.Registry
	metrics  fleetMetrics

	mu      sync.Mutex
	started time.Time
	// summary is of the time seen; err is why there is no newer one.
	summary fleet.Summary
	seen    time.Time
	err     error
	// settled is when a poll was last made and put down, failed or not.
	settled time.Time
}

// fleetMetrics are counted by this worker. docs/fleet.md lists them.
type fleetMetrics struct {
	polls, failures, requests, events, dropped *prometheus.CounterVec
	read, repeated, late, undecodable          prometheus.Counter
	took, delay                                prometheus.Histogram
}

func newFleetMonitor(f *fleet.Fleet, d *delivery) *fleetMonitor {
	m := &fleetMonitor{fleet: f, delivery: d, started: time.Now(), registry: prometheus.NewRegistry()}
	vec := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cfaudit_fleet_" + name, Help: help}, []string{label})
		m.registry.MustRegister(c)
		return c
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "cfaudit_fleet_" + name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	seconds := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "cfaudit_fleet_" + name, Help: help,
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}})
		m.registry.MustRegister(h)
		return h
	}
	m.metrics = fleetMetrics{
		polls:       vec("polls_total", "Polls by this worker, by result: ok, failed, deferred (the budget of the token was used up), or lost (not saved).", "result"),
		failures:    vec("failures_total", "Polls that failed, by step: build, poll, deliver or save.", "step"),
		requests:    vec("requests_total", "Requests to the API, by HTTP status; none is for those without a reply.", "status"),
		events:      vec("events_total", "Events delivered, by severity.", "severity"),
		dropped:     vec("entries_dropped_total", "Entries dropped, by rule.", "rule"),
		read:        counter("entries_read_total", "Entries received."),
		repeated:    counter("entries_repeated_total", "Entries recognised as handled before, mostly in the overlap."),
		late:        counter("entries_late_total", "Entries that only the overlap found."),
		undecodable: counter("entries_undecodable_total", "Entries that could not be understood and were delivered as they are."),
		took:        seconds("poll_seconds", "How long polls took, with delivery and saving."),
		delay:       seconds("poll_delay_seconds", "How long after its time a poll began. When it grows, there are too few workers."),
	}
	m.registry.MustRegister(m)
	return m
}

// observe counts a poll.
func (m *fleetMonitor) observe(p fleet.Poll) {
	result := "ok"
	switch {
	case p.Step == fleet.StepSave:
		result = "lost"
	case p.Deferred:
		result = "deferred"
	case p.Err != nil:
		result = "failed"
	}
	if result != "lost" {
		m.mu.Lock()
		m.settled = time.Now()
		m.mu.Unlock()
	}
	x := &m.metrics
	x.polls.WithLabelValues(result).Inc()
	if p.Err != nil && !p.Deferred {
		x.failures.WithLabelValues(string(p.Step)).Inc()
	}
	x.took.Observe(p.Took.Seconds())
	x.delay.Observe(p.Late.Seconds())
	c := p.Batch.Coverage
	for status, n := range c.Statuses {
		x.requests.WithLabelValues(statusLabel(status)).Add(float64(n))
	}
	if p.Err != nil && p.Step != fleet.StepSave {
		return
	}
	for i := range p.Batch.Events {
		x.events.WithLabelValues(string(p.Batch.Events[i].Severity)).Inc()
	}
	for rule, n := range c.Dropped {
		x.dropped.WithLabelValues(rule).Add(float64(n))
	}
	x.read.Add(float64(c.Read))
	x.repeated.Add(float64(c.Repeated))
	x.late.Add(float64(c.Late))
	x.undecodable.Add(float64(c.Undecodable))
}

// watch looks at the fleet now and then until ctx ends.
func (m *fleetMonitor) watch(ctx context.Context) {
	for m.look(ctx); httpx.Sleep(ctx, watchEvery) == nil; {
		m.look(ctx)
	}
}

func (m *fleetMonitor) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	summary, err := m.fleet.Summary(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
	if err == nil {
		m.summary, m.seen = summary, time.Now()
	}
}

// fleetHealth is what /healthz and /readyz say.
type fleetHealth struct {
	Status string `json:"status"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
	// Fleet is that of all workers, at the time of SeenAt.
	Fleet    *fleet.Summary `json:"fleet,omitempty"`
	SeenAt   time.Time      `json:"seen_at,omitzero"`
	LastPoll time.Time      `json:"last_poll,omitzero"`
	AiSOC    *aisoc.Stats   `json:"aisoc,omitempty"`
}

// health judges this worker. What is wrong with single accounts is no reason to
// restart it, and shows in the numbers of the fleet.
func (m *fleetMonitor) health(now time.Time) fleetHealth {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := fleetHealth{Status: healthy, Ready: !m.seen.IsZero(), LastPoll: m.settled.UTC(), SeenAt: m.seen.UTC()}
	if m.settled.IsZero() {
		h.LastPoll = time.Time{}
	}
	if h.Ready {
		summary := m.summary
		h.Fleet = &summary
	} else {
		h.SeenAt = time.Time{}
	}
	if stats, ok := m.delivery.stats(); ok {
		h.AiSOC = &stats
	}
	since := func(t time.Time) time.Duration {
		if t.Before(m.started) {
			t = m.started
		}
		return now.Sub(t).Round(time.Second)
	}
	switch {
	case m.err != nil && since(m.seen) > fleetPatience:
		h.Status, h.Reason = failing, fmt.Sprintf("the database has been out of reach for %s: %s", since(m.seen), explain(m.err))
	case m.err != nil:
		h.Status, h.Reason = retrying, explain(m.err)
	case !h.Ready:
		h.Status = starting
	case m.summary.Overdue > 0 && since(m.settled) > fleetPatience:
		h.Status, h.Reason = failing, fmt.Sprintf("%s overdue, and this worker has made no poll for %s",
			count(m.summary.Overdue, "account is", "accounts are"), since(m.settled))
	case m.summary.Overdue > 0:
		h.Status, h.Reason = retrying, fmt.Sprintf("%s overdue by more than a minute: if it stays so, add workers",
			count(m.summary.Overdue, "account is", "accounts are"))
	}
	return h
}

func (m *fleetMonitor) handler() http.Handler {
	return monitoring(m.registry, func() (report any, well, ready bool) {
		h := m.health(time.Now())
		return h, h.Status != failing, h.Ready
	})
}

// The metrics that are not counted but looked up.
var (
	fleetLookups = lookups{prefix: "cfaudit_fleet_"}

	fleetInfo     = fleetLookups.desc("info", "The version of cfaudit.", "version")
	fleetHealthy  = fleetLookups.desc("healthy", "1, or 0 when /healthz says that this worker is failing.")
	fleetAccounts = fleetLookups.desc("accounts", "Accounts of the whole fleet, by state: active, failing, halted, paused.", "state")
	fleetOverdue  = fleetLookups.desc("accounts_overdue", "Accounts of the whole fleet whose poll has been due for more than a minute.")
	fleetBehind   = fleetLookups.desc("accounts_with_backlog", "Accounts of the whole fleet with a backlog.")
	fleetLag      = fleetLookups.desc("lag_seconds", "The longest lag of the whole fleet.")
	fleetOmitted  = fleetLookups.desc("events_omitted_total", "Events of users that another account of the tenant had delivered already.")
	fleetAISOC    = newAISOCMetrics(&fleetLookups)
)

// Describe implements [prometheus.Collector].
func (m *fleetMonitor) Describe(ch chan<- *prometheus.Desc) { fleetLookups.Describe(ch) }

// Collect implements [prometheus.Collector].
func (m *fleetMonitor) Collect(ch chan<- prometheus.Metric) {
	out := samples(ch)
	h := m.health(time.Now())
	out.gauge(fleetInfo, 1, version())
	out.healthy(fleetHealthy, h.Status)
	if s := h.Fleet; s != nil {
		out.gauge(fleetAccounts, float64(s.Instances-s.Failing-s.Halted-s.Paused), "active")
		out.gauge(fleetAccounts, float64(s.Failing), "failing")
		out.gauge(fleetAccounts, float64(s.Halted), "halted")
		out.gauge(fleetAccounts, float64(s.Paused), "paused")
		out.gauge(fleetOverdue, float64(s.Overdue))
		out.gauge(fleetBehind, float64(s.Behind))
		out.gauge(fleetLag, s.Lag.Seconds())
	}
	out.count(fleetOmitted, float64(m.delivery.omitted()))
	if h.AiSOC != nil {
		fleetAISOC.collect(out, h.AiSOC)
	}
}
