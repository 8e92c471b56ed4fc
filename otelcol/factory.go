// Package otelcol is a receiver for the OpenTelemetry Collector that reads the
// audit logs of Cloudflare accounts and emits graded security events as log
// records.
//
// [NewFactory] makes the receiver "cloudflareaudit"; builder.yaml lists it for
// the collector's builder. docs/otel.md describes its configuration, the
// attributes of its records, its status and its metrics.
//
// # Guarantees
//
// The position of each account is stored in a storage extension, and only after
// the pipeline has accepted the records before it. So every record is handed
// over at least once: when the collector stops between the two steps, the
// records of that one batch of an account, at most 1000, are repeated with the
// same log.record.uid. Whatever error the pipeline returns, the batch is kept
// and offered again; the receiver drops only what a rule says.
package otelcol

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// scopeName names the receiver in its records and metrics.
const scopeName = "github.com/aisoc/cloudflareaudit/otelcol"

var componentType = component.MustNewType("cloudflareaudit")

// NewFactory returns the factory of the receiver, which produces logs and
// nothing else.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(componentType,
		func() component.Config { return &Config{} },
		receiver.WithLogs(newLogs, component.StabilityLevelAlpha))
}

func newLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
