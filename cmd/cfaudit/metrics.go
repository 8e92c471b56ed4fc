package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/health"
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

// deliveryMetrics are the metrics of deliveries to a service.
type deliveryMetrics struct {
	posts, retries, accepted, truncated, rejected, deadLettered, bisections *prometheus.Desc
}

func newAISOCMetrics(l *lookups) deliveryMetrics {
	return newDeliveryMetrics(l, "aisoc", "AiSOC's ingestion service")
}

func newHTTPMetrics(l *lookups) deliveryMetrics {
	return newDeliveryMetrics(l, "http", "the service of --http")
}

// newDeliveryMetrics are those of a service, whose names begin with prefix.
func newDeliveryMetrics(l *lookups, prefix, service string) deliveryMetrics {
	return deliveryMetrics{
		posts:        l.desc(prefix+"_posts_total", "Requests to "+service+"."),
		retries:      l.desc(prefix+"_retries_total", "Requests to "+service+" that repeat a failed one."),
		accepted:     l.desc(prefix+"_accepted_total", "Events that the service has accepted."),
		truncated:    l.desc(prefix+"_truncated_total", "Events accepted with the raw event shortened to the limit of the service."),
		rejected:     l.desc(prefix+"_rejected_total", "Events that the service has rejected in its reply."),
		deadLettered: l.desc(prefix+"_dead_lettered_total", "Events written to a dead-letter file, the rejected ones among them."),
		bisections:   l.desc(prefix+"_bisections_total", "How often a batch was bisected to find a failing event, or because it was too large."),
	}
}

func (m *deliveryMetrics) collect(out samples, s *deliver.Stats) {
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
