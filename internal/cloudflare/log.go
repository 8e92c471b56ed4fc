package cloudflare

import (
	"net/url"
	"strconv"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/audit"
)

// The page sizes of the API.
const (
	// DefaultPageSize is the API's own default. Servers return at least this
	// many entries when more are requested.
	DefaultPageSize = 100
	// MaxPageSize is the largest page that a request may ask for.
	MaxPageSize = 1000
)

// Log is one of the two audit logs of an account. [V1] and [V2] are the only
// values; they are compared by pointer.
type Log struct {
	// Name is the short name, as in a configuration, and Title the one for
	// messages.
	Name, Title string
	// Numbered says that pages are requested by number, so that an entry of a
	// settled window has a fixed position. Otherwise each page has a cursor for
	// the next.
	Numbered bool

	// path is below that of the account, and size the parameter for the page
	// size.
	path, size string
	// The time of an entry is the member when of its section, or of the entry
	// itself where section is empty.
	section, when string
}

// The audit logs.
var (
	// V1 is the audit log.
	V1 = &Log{Name: audit.V1, Title: "the audit log", Numbered: true, path: "/audit_logs", size: "per_page", when: "when"}
	// V2 is Audit Logs v2.
	V2 = &Log{Name: audit.V2, Title: "Audit Logs v2", path: "/logs/audit", size: "limit", section: "action", when: "time"}
)

// Query is one request for a page of an audit log.
type Query struct {
	Log *Log
	// Since and Before bound the times of the entries. They are sent in whole
	// seconds, and not at all when zero. Servers differ in whether these bounds
	// are inclusive.
	Since, Before time.Time
	// Size is the most entries to return.
	Size int
	// Page is the number of the page, from 1, in a numbered log.
	Page int
	// Next is the cursor of the page in the other log. It is empty for the
	// first page.
	Next string
	// OldestFirst reverses the order, which is newest first.
	OldestFirst bool
	// HideUserLogs leaves out the entries of users, in a numbered log.
	HideUserLogs bool
}

// values are the parameters of the request.
func (q *Query) values() url.Values {
	v := make(url.Values, 6)
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339))
	}
	if !q.Before.IsZero() {
		v.Set("before", q.Before.UTC().Format(time.RFC3339))
		v.Set("direction", "desc")
	}
	if q.OldestFirst {
		v.Set("direction", "asc")
	}
	v.Set(q.Log.size, strconv.Itoa(q.Size))
	if q.Next != "" {
		v.Set("cursor", q.Next)
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	if q.HideUserLogs {
		v.Set("hide_user_logs", "true")
	}
	return v
}
