package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// lookups are metrics that are looked up on a scrape.
type lookups struct {
	prefix string
	descs  []*prometheus.Desc
}

func (l *lookups) desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(l.prefix+name, help, labels, nil)
	l.descs = append(l.descs, d)
	return d
}

// Describe sends the descriptions of the metrics, as [prometheus.Collector]
// does.
func (l *lookups) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range l.descs {
		ch <- d
	}
}

// samples receives the values of metrics.
type samples chan<- prometheus.Metric

// count reports a counter.
func (s samples) count(d *prometheus.Desc, n float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, n, labels...)
}

func (s samples) gauge(d *prometheus.Desc, n float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
}

// healthy is 1 unless /healthz says that something is failing.
func (s samples) healthy(d *prometheus.Desc, state health.State) {
	if state.Well() {
		s.gauge(d, 1)
		return
	}
	s.gauge(d, 0)
}

// aisocMetrics are the metrics of deliveries with --aisoc.
type aisocMetrics struct {
	posts, retries, accepted, truncated, rejected, deadLettered, bisections *prometheus.Desc
}

func newAISOCMetrics(l *lookups) aisocMetrics {
	return aisocMetrics{
		posts:        l.desc("aisoc_posts_total", "Requests to AiSOC's ingestion service."),
		retries:      l.desc("aisoc_retries_total", "Requests to AiSOC that repeat a failed one."),
		accepted:     l.desc("aisoc_accepted_total", "Events that the service has accepted."),
		truncated:    l.desc("aisoc_truncated_total", "Events accepted with the raw event shortened to the limit of the service."),
		rejected:     l.desc("aisoc_rejected_total", "Events that the service has rejected in its reply."),
		deadLettered: l.desc("aisoc_dead_lettered_total", "Events written to a dead-letter file, the rejected ones among them."),
		bisections:   l.desc("aisoc_bisections_total", "How often a batch was bisected to find a failing event, or because it was too large."),
	}
}

func (m *aisocMetrics) collect(out samples, s *aisoc.Stats) {
	out.count(m.posts, float64(s.Posts))
	out.count(m.retries, float64(s.Retries))
	out.count(m.accepted, float64(s.Accepted))
	out.count(m.truncated, float64(s.Truncated))
	out.count(m.rejected, float64(s.Rejected))
	out.count(m.deadLettered, float64(s.DeadLettered))
	out.count(m.bisections, float64(s.Bisections))
}

// statusLabel is the label of an HTTP status; 0 is that of no reply.
func statusLabel(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}

// monitoring serves the metrics of registry and the verdict of judge.
func monitoring(registry *prometheus.Registry, judge func() (report any, well, ready bool)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		report, well, _ := judge()
		writeHealth(w, well, report)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		report, _, ready := judge()
		writeHealth(w, ready, report)
	})
	return mux
}
