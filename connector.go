// Package cloudflareaudit reads the audit logs of a Cloudflare account and turns
// their entries into graded security events:
//
//	source, err := cloudflareaudit.New(cloudflareaudit.Config{
//		AccountID: "023e105f4ecef8ad9ca31a8372d0c353",
//		APIToken:  cloudflareaudit.NewSecret(os.Getenv("CLOUDFLARE_API_TOKEN")),
//	})
//	...
//	batch, err := source.Poll(ctx, cursor) // the cursor that was saved last, or nil
//
// A [Connector] is an [ingest.Source]: a host polls it, delivers batch.Events, and
// then saves batch.Cursor. [ingest.Runner] does that in a loop; [Register] adds the
// connector to a host's catalog. [Normalizer] turns saved entries into events.
//
// Every entry that Cloudflare shows within Config.Overlap of its own time, or in
// Audit Logs v2 within Config.OverlapV2, is returned exactly once. Entries that do
// not fit into a batch stay in the cursor as a backlog, which later polls resume,
// newest entries first. The cursor is a value: any process that has it can
// continue. docs/delivery.md says how this is kept, and what its limits are.
//
// Config.AuditLogAPI chooses the log, or both. If one of two cannot be read, the
// other is still read, and Coverage.Logs reports the failure.
//
// Each entry gets a canonical dotted action, such as "dns.record.delete", and a
// severity from the first matching rule of an ordered table. [DefaultRules] is
// that table; Config.Rules come before it. Only an explicit rule drops an entry,
// and every dropped entry is counted.
package cloudflareaudit

import (
	"context"
	"errors"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/rules"
)

// ConnectorID is the id of the connector in a host's catalog.
const ConnectorID = "cloudflare"

// userAgent names the connector to Cloudflare.
const userAgent = "cloudflareaudit (+https://github.com/aisoc/cloudflareaudit)"

// Connector reads the audit logs of one account. It implements [ingest.Source]
// and holds no position, which is in the cursors. It remembers only the
// server's clock and what was looked up: members and histories of resources.
type Connector struct {
	cfg        Config
	client     *cloudflare.Client
	reader     *feed.Reader
	normalizer *Normalizer
	// resolver is nil when no look-ups are configured.
	resolver *resolver
}

var _ ingest.Source = (*Connector)(nil)

// New builds a connector. It does no I/O; an error lists every fault of cfg.
func New(cfg Config) (*Connector, error) {
	cfg = cfg.withDefaults()
	classifier, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return newConnector(cfg, classifier, cfg.requests(), cfg.reading()), nil
}

func newConnector(cfg Config, classifier *rules.Classifier, requests cloudflare.Options, reading feed.Options) *Connector {
	client := cloudflare.New(requests)
	return &Connector{
		cfg: cfg, client: client, reader: feed.New(client, reading),
		normalizer: newNormalizer(cfg, classifier), resolver: newResolver(cfg, client),
	}
}

// requests configures how requests are sent.
func (c *Config) requests() cloudflare.Options {
	return cloudflare.Options{
		AccountID: c.AccountID, Token: c.APIToken, BaseURL: c.BaseURL, UserAgent: userAgent,
		HTTPClient: c.HTTPClient, RateLimit: c.RateLimit, RequestTimeout: c.RequestTimeout,
		Clock: c.Clock, Logger: c.Logger,
	}
}

// reading configures how the logs are read.
func (c *Config) reading() feed.Options {
	return feed.Options{
		AccountID: c.AccountID, Logs: c.logs(), PollInterval: c.PollInterval,
		PageSize: c.PageSize, MaxEvents: c.MaxEvents, Overlap: c.Overlap, OverlapV2: c.OverlapV2,
		InitialLookback: c.InitialLookback, HideUserLogs: c.HideUserLogs,
		Clock: c.Clock, Logger: c.Logger,
	}
}

// logs are the audit logs to read.
func (c *Config) logs() []*cloudflare.Log {
	switch c.AuditLogAPI {
	case AuditLogV2:
		return []*cloudflare.Log{cloudflare.V2}
	case AuditLogBoth:
		return []*cloudflare.Log{cloudflare.V1, cloudflare.V2}
	}
	return []*cloudflare.Log{cloudflare.V1}
}

// Register adds the connector to a host's catalog. Each adjust may change a
// configuration before it is checked, to set what an object cannot hold:
// HTTPClient, Logger and Clock.
func Register(catalog *ingest.Catalog, adjust ...func(*Config)) error {
	return catalog.Register(descriptor(), func(object map[string]any) (ingest.Source, error) {
		cfg, err := readConfig(object)
		for _, fn := range adjust {
			fn(&cfg)
		}
		if err != nil {
			return nil, errors.Join(err, cfg.Validate())
		}
		return New(cfg)
	})
}

// Descriptor implements [ingest.Source].
func (c *Connector) Descriptor() ingest.Descriptor { return descriptor() }

func descriptor() ingest.Descriptor {
	fields := make([]ingest.Field, len(configFields))
	for i, f := range configFields {
		fields[i] = f.Field
	}
	return ingest.Descriptor{
		ConnectorID:   ConnectorID,
		ConnectorName: "Cloudflare",
		Category:      "saas",
		Description:   "Audit log of a Cloudflare account: members, tokens, DNS, WAF, Access, Workers and R2, graded by what changed.",
		Fields:        fields,
		Capabilities:  []string{"pull_audit"},
		DocsURL:       "/docs/connectors/cloudflare",
	}
}

// TestConnection implements [ingest.Source]: it asks for the newest entry of
// each audit log that is read. An account without entries passes, because the
// logs hold little besides changes. An [APIError] carries the remedy.
func (c *Connector) TestConnection(ctx context.Context) error {
	page := cloudflare.NewPage()
	defer page.Release()
	for _, log := range c.cfg.logs() {
		if _, err := c.newest(ctx, log, page); err != nil {
			return log.Failed(err)
		}
	}
	return nil
}

// newest reads the newest entry of an audit log into page.
func (c *Connector) newest(ctx context.Context, log *cloudflare.Log, page *cloudflare.Page) (cloudflare.Reply, error) {
	q := cloudflare.Query{Log: log, Size: 1}
	if !log.Numbered {
		// This log requires both bounds in a request.
		q.Before = c.reader.Now()
		q.Since = q.Before.Add(-c.cfg.InitialLookback)
	}
	return c.client.Page(ctx, q, page)
}
