package otelcol

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const metricPrefix = "otelcol_cloudflareaudit_"

// measurement is a metric that is read from the state of an account. A gauge
// whose value is not known yet observes nothing.
type measurement struct {
	name, unit, help string
	gauge            bool
	read             func(f *feed, s *ingest.Status, observe func(n int64, more ...attribute.KeyValue))
}

// measurements are all metrics of the receiver.
var measurements = []measurement{
	{"events_delivered", "{event}", "Events that the pipeline accepted and whose cursor is stored.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Delivered + s.Totals.Raised))
		}},
	{"entries_read", "{entry}", "Entries read: delivered, dropped or repeated.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Read))
		}},
	{"entries_dropped", "{entry}", "Entries that a rule dropped, by `rule`.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			for rule, n := range s.Totals.Dropped {
				observe(int64(n), attribute.String("rule", rule))
			}
		}},
	{"entries_repeated", "{entry}", "Entries read again and recognised.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Repeated))
		}},
	{"entries_late", "{entry}", "Delivered entries that only the overlap caught.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Late))
		}},
	{"entries_undecodable", "{entry}", "Delivered entries that could not be understood.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Undecodable))
		}},
	{"polls", "{poll}", "Polls, the failed ones among them.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) { observe(int64(s.Polls)) }},
	{"failures", "{failure}", "Failed attempts, by `step`: `poll`, `deliver` to the pipeline, `store` the cursor.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.PollFailures), attribute.String("step", "poll"))
			observe(int64(s.SinkFailures), attribute.String("step", "deliver"))
			observe(int64(s.StoreFailures), attribute.String("step", "store"))
		}},
	{"permanent_rejections", "{attempt}", "Failed deliveries whose error the pipeline calls permanent. The batch is kept.", false,
		func(f *feed, _ *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(f.rejections.Load())
		}},
	{"requests", "{request}", "Requests to Cloudflare by `http.response.status_code`; 0 is no reply.", false,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			for status, n := range s.Totals.Statuses {
				observe(int64(n), attribute.String(string(semconv.HTTPResponseStatusCodeKey), strconv.Itoa(status)))
			}
		}},
	{"backlog_windows", "{window}", "Spans of time that are not read to their end.", true,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			observe(int64(s.Totals.Backlog))
		}},
	{"last_success_time", "s", "Unix time of the last poll that was delivered and stored.", true,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			seconds(s.LastSuccess, observe)
		}},
	{"complete_time", "s", "Unix time up to which everything that was shown is delivered.", true,
		func(_ *feed, s *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			seconds(s.Totals.Complete, observe)
		}},
	{"halted", "{account}", "1 when the account is not read any more, because its cursor cannot be used.", true,
		func(f *feed, _ *ingest.Status, observe func(int64, ...attribute.KeyValue)) {
			if f.halted.Load() {
				observe(1)
				return
			}
			observe(0)
		}},
}

func seconds(t time.Time, observe func(int64, ...attribute.KeyValue)) {
	if !t.IsZero() {
		observe(t.Unix())
	}
}

// register makes the metrics of feeds. Unregister ends them.
func register(provider metric.MeterProvider, feeds []*feed) (metric.Registration, error) {
	meter := provider.Meter(scopeName)
	instruments := make([]metric.Int64Observable, len(measurements))
	all := make([]metric.Observable, len(measurements))
	var faults []error
	for i, m := range measurements {
		var err error
		name, unit, help := metricPrefix+m.name, metric.WithUnit(m.unit), metric.WithDescription(m.help)
		if m.gauge {
			instruments[i], err = meter.Int64ObservableGauge(name, unit, help)
		} else {
			instruments[i], err = meter.Int64ObservableCounter(name, unit, help)
		}
		all[i] = instruments[i]
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, f := range feeds {
			state := f.runner.Status()
			account := attribute.String(string(semconv.CloudAccountIDKey), f.account)
			for i, m := range measurements {
				m.read(f, &state, func(n int64, more ...attribute.KeyValue) {
					o.ObserveInt64(instruments[i], n, metric.WithAttributes(append(more, account)...))
				})
			}
		}
		return nil
	}, all...)
}
