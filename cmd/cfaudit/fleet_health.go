package main

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

const (
	// watchEvery is how often a worker checks the whole fleet.
	watchEvery = 15 * time.Second
)

// How long the dependencies of a worker may fail.
var (
	// fleetPatience is for an unreachable database, and for a worker that makes
	// no poll while polls are overdue.
	fleetPatience = health.Patience{For: 5 * time.Minute}
)

// fleetMonitor reports the health of a worker and of the fleet.
type fleetMonitor struct {
	fleet    *fleet.Fleet
	delivery *delivery
	rules    *ownRules // or nil
	registry *prometheus.Registry
	metrics  fleetMetrics

	mu      sync.Mutex
	started time.Time
	// summary was taken at seen; err is why there is no newer one.
	summary fleet.Summary
	seen    time.Time
	err     error
	// lost is when the database became unreachable after seen, and behind when
	// polls became overdue; both may be zero.
	lost, behind time.Time
	// settled is when a poll was last made and recorded, failed or not.
	settled time.Time
	// undelivered is why all deliveries have failed since the last success.
	undelivered health.Trouble
}

// fleetMetrics are counted by this worker. docs/fleet.md lists them.
type fleetMetrics struct {
	polls, failures, requests, events, dropped *prometheus.CounterVec
	read, repeated, late, undecodable          prometheus.Counter
	took, delay                                prometheus.Histogram
}

func newFleetMonitor(f *fleet.Fleet, d *delivery, rules *ownRules) *fleetMonitor {
	m := &fleetMonitor{fleet: f, delivery: d, rules: rules, started: time.Now(), registry: prometheus.NewRegistry()}
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
	m.note(p, time.Now())
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

// note records the results that the health of the worker depends on.
func (m *fleetMonitor) note(p fleet.Poll, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.Step != fleet.StepSave {
		m.settled = now
	}
	switch {
	case p.Step == fleet.StepDeliver:
		if m.undelivered.Failures == 0 {
			m.undelivered = health.Trouble{What: "no event can be delivered", Since: now, Patience: health.OutputPatience}
		}
		m.undelivered.Failures++
		m.undelivered.Error = tell(p.Err, asGiven)
	case len(p.Batch.Events) > 0:
		m.undelivered = health.Trouble{}
	}
}

// watch checks the fleet at intervals until ctx ends.
func (m *fleetMonitor) watch(ctx context.Context) {
	for m.look(ctx); httpx.Sleep(ctx, watchEvery) == nil; {
		m.look(ctx)
	}
}

func (m *fleetMonitor) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	whole, err := m.fleet.Summary(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.err = err
	if err != nil {
		m.lost = cmp.Or(m.lost, now)
		return
	}
	m.summary, m.seen, m.lost = whole, now, time.Time{}
	if whole.Overdue == 0 {
		m.behind = time.Time{}
		return
	}
	m.behind = cmp.Or(m.behind, now)
}

// fleetHealth is the reply of /healthz and /readyz.
type fleetHealth struct {
	Status health.State `json:"status"`
	Ready  bool         `json:"ready"`
	Reason string       `json:"reason,omitempty"`
	// Fleet sums up the fleet of all workers at SeenAt.
	Fleet    *fleet.Summary `json:"fleet,omitempty"`
	SeenAt   time.Time      `json:"seen_at,omitzero"`
	LastPoll time.Time      `json:"last_poll,omitzero"`
	Rules    *rulesHealth   `json:"rules,omitempty"`
	AiSOC    *aisoc.Stats   `json:"aisoc,omitempty"`
	HTTP     *deliver.Stats `json:"http,omitempty"`
}

// health judges this worker. Failures of single accounts are no reason to
// restart it, and show in the numbers of the fleet.
func (m *fleetMonitor) health(now time.Time) fleetHealth {
	m.mu.Lock()
	defer m.mu.Unlock()
	verdict := health.Judge(now, health.Subject{Begun: !m.seen.IsZero(), Troubles: m.troubles()})
	h := fleetHealth{Status: verdict.State, Reason: verdict.Reason, Ready: !m.seen.IsZero(), Rules: m.rules.report()}
	if !m.settled.IsZero() {
		h.LastPoll = m.settled.UTC()
	}
	if h.Ready {
		whole := m.summary
		h.Fleet, h.SeenAt = &whole, m.seen.UTC()
	}
	if stats, ok := m.delivery.stats(); ok {
		h.AiSOC = &stats
	}
	if sent := m.delivery.sent; sent != nil {
		stats := sent.Stats()
		h.HTTP = &stats
	}
	return h
}

// troubles are the current failures of this worker.
func (m *fleetMonitor) troubles() (list []health.Trouble) {
	if m.err != nil {
		list = append(list, health.Trouble{What: "the database is out of reach", Error: tell(m.err, asGiven),
			Since: m.lost, Patience: fleetPatience})
	} else if m.summary.Overdue > 0 {
		// A worker that makes polls is healthy, however many more are due.
		since := m.behind
		for _, t := range []time.Time{m.started, m.settled} {
			if t.After(since) {
				since = t
			}
		}
		what := count(m.summary.Overdue, "account is", "accounts are") + " overdue by more than a minute, and this worker has made no poll"
		list = append(list, health.Trouble{What: what, Error: "if workers make polls and it stays so, add some", Since: since, Patience: fleetPatience})
	}
	if m.undelivered.Failures > 0 {
		list = append(list, m.undelivered)
	}
	return list
}

func (m *fleetMonitor) handler() http.Handler {
	return monitoring(m.registry, func() (report any, well, ready bool) {
		h := m.health(time.Now())
		return h, h.Status.Well(), h.Ready
	})
}

// The metrics that are looked up on a scrape instead of counted.
var (
	fleetLookups = lookups{prefix: "cfaudit_fleet_"}

	fleetInfo     = fleetLookups.desc("info", "The version of cfaudit.", "version")
	fleetHealthy  = fleetLookups.desc("healthy", "1, or 0 when /healthz says that this worker is failing.")
	fleetAccounts = fleetLookups.desc("accounts", "Accounts of the whole fleet, by state: ok, starting, retrying, failing, halted or paused.", "state")
	fleetOverdue  = fleetLookups.desc("accounts_overdue", "Accounts of the whole fleet whose poll has been due for more than a minute.")
	fleetBehind   = fleetLookups.desc("accounts_with_backlog", "Accounts of the whole fleet with a backlog.")
	fleetLag      = fleetLookups.desc("lag_seconds", "The longest lag of the whole fleet.")
	fleetOmitted  = fleetLookups.desc("events_omitted_total", "Events of users that another account of the tenant had delivered already.")
	fleetReloads  = newReloadMetrics(&fleetLookups)
	fleetAISOC    = newAISOCMetrics(&fleetLookups)
	fleetHTTP     = newHTTPMetrics(&fleetLookups)
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
		for state, n := range map[health.State]int{health.OK: s.OK, health.Starting: s.Starting, health.Retrying: s.Retrying,
			health.Failing: s.Failing, health.Halted: s.Halted, health.Paused: s.Paused} {
			out.gauge(fleetAccounts, float64(n), string(state))
		}
		out.gauge(fleetOverdue, float64(s.Overdue))
		out.gauge(fleetBehind, float64(s.Behind))
		out.gauge(fleetLag, s.Lag.Seconds())
	}
	out.count(fleetOmitted, float64(m.delivery.omitted()))
	fleetReloads.collect(out, h.Rules)
	if h.AiSOC != nil {
		fleetAISOC.collect(out, h.AiSOC)
	}
	if h.HTTP != nil {
		fleetHTTP.collect(out, h.HTTP)
	}
}
