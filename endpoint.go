package cloudflareaudit

import (
	"context"
	"time"
)

// The audit logs of Config.AuditLogAPI.
const (
	AuditLogV1   = "v1"
	AuditLogV2   = "v2"
	AuditLogBoth = "both"
)

// endpoint is one of an account's two audit logs: what is particular to it. The
// windows, the overlap, the backlog and the recognition of repeats are the same
// for both.
type endpoint struct {
	// name is that of Config.AuditLogAPI, and title what people call it.
	name, title string
	// layout is that of its entries.
	layout *layout
	// numbered says that pages have numbers, so that an entry of a settled
	// window is known by its position. Otherwise each page leads to the next.
	numbered bool
	// next asks for the page of a window that follows what has been read of it.
	next func(*poll, context.Context, *window) (got, error)
	// recent is how late its entries mostly are: so much of what is not settled
	// is read again at every poll, or all of it where this is zero.
	recent time.Duration
	// feed is its position in a cursor, and overlap what is configured for it.
	feed    func(*position) **feed
	overlap func(*Config) time.Duration
}

var auditLogV1 = endpoint{
	name:     AuditLogV1,
	title:    "the audit log",
	layout:   &layoutV1,
	numbered: true,
	next:     (*poll).turnPage,
	recent:   time.Minute,
	feed:     func(p *position) **feed { return &p.AuditLogs },
	overlap:  func(c *Config) time.Duration { return c.Overlap },
}

var auditLogV2 = endpoint{
	name:    AuditLogV2,
	title:   "Audit Logs v2",
	layout:  &layoutV2,
	next:    (*poll).followPage,
	feed:    func(p *position) **feed { return &p.AuditLogsV2 },
	overlap: func(c *Config) time.Duration { return c.OverlapV2 },
}

// endpoints are those that the connector reads.
func (c *Config) endpoints() []*endpoint {
	switch c.AuditLogAPI {
	case AuditLogV2:
		return []*endpoint{&auditLogV2}
	case AuditLogBoth:
		return []*endpoint{&auditLogV1, &auditLogV2}
	}
	return []*endpoint{&auditLogV1}
}

// got describes the page in hand.
type got struct {
	reply
	// first is the position of its first entry in the window.
	first int
	// last says that nothing stands behind its entries.
	last bool
	// end says that the window has no such page.
	end bool
	// unreadable says why the one entry of the page cannot be read.
	unreadable error
}
