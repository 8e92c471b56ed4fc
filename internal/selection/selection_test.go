package selection

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

var berlin = time.FixedZone("CET", 3600)

func TestParseSpan_TakesDatesMonthsInstantsAndAges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 10, 30, 15, 123, time.UTC)
	for _, test := range []struct{ since, until, from, to string }{
		{"7d", "", "2026-05-05T10:30:15Z", "2026-05-12T10:30:15Z"},
		{"2w", "24h", "2026-04-28T10:30:15Z", "2026-05-11T10:30:15Z"},
		{"today", "now", "2026-05-11T23:00:00Z", "2026-05-12T10:30:15Z"},
		{"yesterday", "yesterday", "2026-05-10T23:00:00Z", "2026-05-11T23:00:00Z"},
		{"2026-03", "2026-03", "2026-02-28T23:00:00Z", "2026-03-31T23:00:00Z"},
		{"2026-03-01", "2026-03-31", "2026-02-28T23:00:00Z", "2026-03-31T23:00:00Z"},
		{"2026-05-01T00:00:00Z", "2026-05-01T00:00:05+00:00", "2026-05-01T00:00:00Z", "2026-05-01T00:00:05Z"},
		{"2026-05-01", "2030-01-01", "2026-04-30T23:00:00Z", "2026-05-12T10:30:15Z"},
	} {
		span, err := ParseSpan(test.since, test.until, now, berlin)
		require.NoError(t, err, test)
		assert.Equal(t, test.from, span.Since.Format(time.RFC3339), test)
		assert.Equal(t, test.to, span.Until.Format(time.RFC3339), test)
	}
}

func TestParseSpan_NamesTheFlagTheValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct{ since, until, want string }{
		{"soon", "", `--since: "soon": must be 7d`},
		{"", "", `--since: "": must be 7d`},
		{"-7d", "", `--since: "-7d": must be 7d`},
		{"0h", "", `--since: "0h": must be 7d`},
		{"7d", "2026-13", `--until: "2026-13": must be 7d`},
		{"2027-01-01", "", `--since: "2027-01-01": must be in the past`},
		{"1d", "2d", `--since: "1d": must be before --until, which is 2026-05-10T10:00:00Z`},
	} {
		_, err := ParseSpan(test.since, test.until, now, time.UTC)
		assert.ErrorContains(t, err, test.want)
	}
}

func TestSpan_HoldsItsBeginningAndNotItsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC)
	s := Span{now.Add(-time.Hour), now}
	assert.True(t, s.Contains(s.Since))
	assert.True(t, s.Contains(now.Add(-1)))
	assert.False(t, s.Contains(now))
	assert.False(t, s.Contains(s.Since.Add(-1)))
	assert.Equal(t, time.Hour, s.Length())
}

func TestFilter_AllConditionsMustHold(t *testing.T) {
	t.Parallel()
	e := &ingest.Event{Severity: ingest.High, Action: "dns.record.delete.failed", Actor: "alice@example.com", Audit: ingest.Audit{
		ActorID: "a1", ZoneName: "shop.example.com", ZoneID: "z1", Rule: "dns-record-deleted", Request: ingest.Request{TokenName: "ci"},
	}}
	for _, test := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{MinSeverity: ingest.Medium}, true},
		{Filter{MinSeverity: ingest.High}, true},
		{Filter{MinSeverity: ingest.Critical}, false},
		{Filter{Actions: []string{"dns.record.delete"}}, true},
		{Filter{Actions: []string{"DNS.*"}}, true},
		{Filter{Actions: []string{"dns.record.delete.failed"}}, true},
		{Filter{Actions: []string{"*.failed"}}, true},
		{Filter{Actions: []string{"dns.record"}}, false},
		{Filter{Actions: []string{"member.*", "dns.*"}}, true},
		{Filter{Actors: []string{"Alice@*"}}, true},
		{Filter{Actors: []string{"a1"}}, true},
		{Filter{Actors: []string{"ci"}}, true},
		{Filter{Actors: []string{"bob@*"}}, false},
		{Filter{Zones: []string{"*.example.com"}}, true},
		{Filter{Zones: []string{"z1"}}, true},
		{Filter{Zones: []string{"example.com"}}, false},
		{Filter{Rules: []string{"dns-*"}}, true},
		{Filter{Rules: []string{"dns-*"}, Actors: []string{"bob@*"}}, false},
		{Filter{Actors: []string{"*"}, Zones: []string{"*shop*com"}}, true},
	} {
		assert.Equal(t, test.want, NewTally(&test.filter).Match(e), "%+v", test.filter)
	}
	assert.False(t, NewTally(&Filter{Zones: []string{"*"}}).Match(&ingest.Event{}), "an event without a zone is in none")
}

func TestFilter_AZoneMayBeSpelledInAnyWay(t *testing.T) {
	t.Parallel()
	spellings := []string{"bücher.example", "BÜCHER.example", "bu\u0308cher.example", "xn--bcher-kva.example", "bücher.example."}
	for _, shown := range spellings {
		e := &ingest.Event{Audit: ingest.Audit{ZoneName: shown}}
		for _, said := range append(spellings, "*.example", "xn--b*") {
			assert.True(t, NewTally(&Filter{Zones: []string{said}}).Match(e), "%q, %q", said, shown)
		}
		for _, said := range []string{"bucher.example", "*.bücher.example", "xn--bucher-kva.example"} {
			assert.False(t, NewTally(&Filter{Zones: []string{said}}).Match(e), "%q, %q", said, shown)
		}
	}
	const id = "3DAAB7CFF97925BBD07D11DF5DC3B0E3"
	assert.True(t, NewTally(&Filter{Zones: []string{id}}).Match(&ingest.Event{Audit: ingest.Audit{ZoneID: strings.ToLower(id)}}))
}

func TestFilter_AnUnknownSeverityIsRefused(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, (&Filter{MinSeverity: "urgent"}).Validate(), `--min-severity: "urgent": must be critical, high, medium, low or info`)
	assert.NoError(t, (&Filter{MinSeverity: "low"}).Validate())
	assert.NoError(t, (&Filter{}).Validate())
	assert.True(t, (&Filter{}).Empty())
	assert.False(t, (&Filter{Rules: []string{"x"}}).Empty())
}

func TestTally_NamesThePatternsThatMatchNothing(t *testing.T) {
	t.Parallel()
	tally := NewTally(&Filter{Actors: []string{"alice@*", "alcie@*"}, Rules: []string{"a"}, MinSeverity: ingest.High})
	assert.Empty(t, tally.Unmatched(), "without events there is nothing to tell")
	assert.False(t, tally.Match(&ingest.Event{Actor: "alice@example.com", Severity: ingest.Low, Audit: ingest.Audit{Rule: "a"}}))
	assert.True(t, tally.Match(&ingest.Event{Actor: "alice@example.com", Severity: ingest.High, Audit: ingest.Audit{Rule: "a"}}))
	seen, selected := tally.Counts()
	assert.Equal(t, []int{2, 1}, []int{seen, selected})
	assert.Equal(t, []string{"--actor alcie@*"}, tally.Unmatched())
}
