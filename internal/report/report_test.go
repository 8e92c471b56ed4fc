package report

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/selection"
)

// now is the end of the time that the tests report on.
var now = time.Now().UTC().Truncate(time.Second)

// week is the last seven days.
func week() Options {
	return Options{
		Span: selection.Span{Since: now.AddDate(0, 0, -7), Until: now}, Generated: now, Source: "The tests",
	}
}

// told are the events of a story of 30 days and of some changes in both audit
// logs.
func told(t *testing.T) (events []ingest.Event, coverage ingest.Coverage) {
	t.Helper()
	from := now.AddDate(0, 0, -30)
	s := fakecloudflare.NewServer(fakecloudflare.Options{Token: "cfat_report0000000000000000000000000000"})
	s.Add(time.Time{}, fakecloudflare.Story(1, from, now)...)
	for _, pair := range fakecloudflare.GeneratePairs(3, 10, now.AddDate(0, 0, -6), now.AddDate(0, 0, -4)) {
		s.Add(time.Time{}, pair.V1)
		s.AddV2(time.Time{}, pair.V2)
	}
	r, err := history.New(cloudflareaudit.Config{
		AccountID: fakecloudflare.DefaultAccountID, APIToken: cloudflareaudit.NewSecret("cfat_report0000000000000000000000000000"),
		BaseURL: "http://127.0.0.1" + fakecloudflare.Prefix, HTTPClient: &http.Client{Transport: s.Transport()},
		AuditLogAPI: cloudflareaudit.AuditLogBoth,
	}, selection.Span{Since: from, Until: now}, nil)
	require.NoError(t, err)
	for !r.Done() {
		more, err := r.Next(t.Context())
		require.NoError(t, err)
		events = append(events, more...)
	}
	return events, r.Coverage()
}

// sample is the report of a week of a story.
func sample(t *testing.T) *Report {
	t.Helper()
	b := NewBuilder(week())
	events, coverage := told(t)
	for i := range events {
		if events[i].CreatedAt.Before(b.options.Span.Since) {
			b.Earlier(&events[i])
		} else {
			b.Add(&events[i])
		}
	}
	b.Covered(coverage)
	return b.Report()
}

// evil are values that would do harm in a page that trusts them.
var evil = []string{
	`<script>window.hacked=1</script>`, `"><img src=x onerror="window.hacked=1">`, `'><svg onload=window.hacked=1>`,
	`</style><style>*{display:none}`, `</title><script>window.hacked=1</script>`, `javascript:window.hacked=1`,
	`{{.Policy}}`, "a\u202eb\x00c\x1b[31m", `-->`, `]]>`, `&lt;script&gt;`, strings.Repeat("w", 5000),
}

// hostile is a report whose every value is one of them.
func hostile(t *testing.T) *Report {
	t.Helper()
	b := NewBuilder(week())
	for i, v := range evil {
		b.Add(&ingest.Event{
			ExternalID: v, Title: v, Severity: ingest.Severities()[i%5], Action: v, Actor: v, SrcIP: v, CreatedAt: now.Add(-time.Hour),
			MITRETechniques: []string{v},
			Audit: ingest.Audit{
				ActorID: v, ActorType: v, AccountID: v, ZoneName: v, Target: v, Rule: v, Why: v, API: v, Interface: v, Direction: "weaker",
				Changes: []ingest.FieldChange{{Field: v, Old: v, New: v}}, Request: ingest.Request{TokenName: v},
			},
		})
	}
	b.Problem(evil[0])
	return b.Report()
}
