// Package cloudflareaudit reads the audit logs of a Cloudflare account and turns
// their entries into graded security events.
//
// # What it is
//
// A [Connector] is an [ingest.Source]: a host polls it with the cursor it saved
// last, delivers the events of the batch, and saves the cursor that came with
// them. [Register] puts it into a host's catalog; [New] builds one directly.
//
// # What it promises
//
// Every entry that Cloudflare shows within Config.Overlap of its own time, or in
// Audit Logs v2 within Config.OverlapV2, is returned, and none twice: what is
// newer than that is read again and recognised by id. What is older, into which
// nothing can come in any more, is read once more, at exact positions or, in
// Audit Logs v2, page by page. What does not fit into a batch stays in the cursor
// as a backlog and is resumed where it was left, newest entries first. The
// cursor is a value: whichever process has it can go on.
//
// Config.AuditLogAPI chooses the log, or both. When one of two cannot be read,
// the other goes on, and Coverage.Notices says so.
//
// # What it grades
//
// Each entry gets a canonical dotted action, such as "dns.record.delete", and a
// severity by the first rule of an ordered table that matches. [DefaultRules]
// is that table; Config.Rules go in front of it. Only an explicit rule drops an
// entry, and every dropped entry is counted.
package cloudflareaudit

import (
	"context"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// ConnectorID is the id of the connector in a host's catalog.
const ConnectorID = "cloudflare"

// userAgent names the connector to Cloudflare.
const userAgent = "cloudflareaudit (+https://github.com/aisoc/cloudflareaudit)"

// Connector reads the audit logs of one account. It implements [ingest.Source]
// and holds no position: that is in the cursors. What it remembers is the
// server's clock and, where Config.ResolveMembers asks for it, the members.
type Connector struct {
	poller
}

var _ ingest.Source = (*Connector)(nil)

// New builds a connector. It does no I/O; an error lists every fault of cfg.
func New(cfg Config) (*Connector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	normalizer, err := NewNormalizer(cfg)
	if err != nil {
		return nil, err
	}
	c := newClient(cfg)
	return &Connector{poller{
		cfg: cfg, client: c, normalizer: normalizer, maxSeen: maxSeen, resolver: newResolver(cfg, c),
	}}, nil
}

// NewNormalizer builds the part of a connector that turns entries into events.
// Of cfg it uses AccountID, which may be empty, and what decides the severity:
// ProductionZones, VerifiedWorkers, OwnTokenID, DropRoutine and Rules.
func NewNormalizer(cfg Config) (*Normalizer, error) {
	cfg = cfg.withDefaults()
	c, err := cfg.classifier()
	if err != nil {
		return nil, err
	}
	return &Normalizer{cfg.AccountID, cfg.OwnTokenID, c}, nil
}

// Register adds the connector to a host's catalog.
func Register(catalog *ingest.Catalog) error {
	return catalog.Register(descriptor(), func(object map[string]any) (ingest.Source, error) {
		cfg, err := ParseConfig(object)
		if err != nil {
			return nil, err
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
// each audit log that is read. An account without any entry passes: the logs hold
// hardly more than changes, so that is no fault. An [APIError] carries the remedy.
func (c *Connector) TestConnection(ctx context.Context) error {
	p := pages.Get().(*page)
	defer release(p)
	for _, e := range c.cfg.endpoints() {
		if _, err := c.newest(ctx, e, p); err != nil {
			return failure(e, err)
		}
	}
	return nil
}

// newest reads the newest entry of an audit log into p.
func (c *Connector) newest(ctx context.Context, e *endpoint, p *page) (reply, error) {
	q := query{endpoint: e, perPage: 1}
	if !e.numbered {
		// There is no answer without both.
		q.before = c.clock.now(c.cfg.Clock()).Truncate(time.Second)
		q.since = q.before.Add(-c.cfg.InitialLookback)
	}
	return c.client.page(ctx, q, p)
}
