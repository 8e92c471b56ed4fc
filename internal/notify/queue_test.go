package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func event(id string, severity ingest.Severity) ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: id, Title: "DNS record deleted: " + id, Severity: severity,
		Action: "dns.record.delete", Actor: "alice@example.com", SrcIP: "192.0.2.10",
		CreatedAt: time.Date(2026, 5, 12, 9, 0, 0, 123_000_000, time.UTC),
		RawEvent:  ingest.RawJSON(`{"id":"` + id + `","secret":"entry"}`),
		Audit: ingest.Audit{
			Outcome: "success", AccountID: account, ZoneName: "example.com", Target: "www.example.com", Rule: "dns-record-deleted", Why: "Mail & web stop.",
			Changes: []ingest.FieldChange{{Field: "content", Old: "192.0.2.1"}, {Field: "proxied", Old: "true", New: "false"}},
			API:     "v1", CorrelationID: ingest.CorrelationID{1},
		},
	}
}

const account = "023e105f4ecef8ad9ca31a8372d0c353"

// idsOf are the ids of what waits.
func idsOf(t *testing.T, q *queue) (all []string) {
	t.Helper()
	bytes := 0
	for _, n := range q.waiting {
		e, err := decoded(n.line)
		require.NoError(t, err)
		assert.Equal(t, e.Severity, n.severity)
		all = append(all, e.ExternalID)
		bytes += len(n.line)
	}
	assert.Equal(t, bytes, q.bytes)
	return all
}

func (q *queue) addAll(severity ingest.Severity, format string, n int) {
	for i := range n {
		e := event(fmt.Sprintf(format, i), severity)
		q.add(&e)
	}
}

func TestQueue_TheOldestOfTheLowestSeverityMakesRoom(t *testing.T) {
	t.Parallel()
	var q queue
	q.addAll(ingest.High, "high %d", 2)
	q.addAll(ingest.Medium, "medium %d", 2)
	q.addAll(ingest.Critical, "critical %d", maxWaiting-4)
	assert.Zero(t, q.shrink())
	q.addAll(ingest.High, "late %d", 3)
	assert.Equal(t, 3, q.shrink())
	got := idsOf(t, &q)
	assert.Len(t, got, maxWaiting)
	assert.Equal(t, []string{"high 1", "critical 0"}, got[:2], "the medium ones went first, then the oldest of the high ones")
	assert.Equal(t, []string{"late 0", "late 1", "late 2"}, got[maxWaiting-3:])

	// What is less than all that waits makes room itself.
	q.addAll(ingest.Low, "low %d", 1)
	assert.Equal(t, 1, q.shrink())
	assert.Equal(t, got, idsOf(t, &q))
	assert.Equal(t, 4, q.dropped)

	// What is being sent is no longer in the way, and must not be counted as
	// dropped when it arrives.
	for _, n := range q.waiting {
		n.sending = true
	}
	q.addAll(ingest.Critical, "now %d", 1)
	assert.Equal(t, 1, q.shrink())
	assert.Equal(t, got, idsOf(t, &q))
}

func TestQueue_IsBoundedInBytes(t *testing.T) {
	t.Parallel()
	var q queue
	e := event("", ingest.High)
	e.Audit.Changes = []ingest.FieldChange{{Field: "rules", Old: strings.Repeat("x", 12_000)}}
	for i := range 500 {
		e.ExternalID = fmt.Sprint(i)
		q.add(&e)
	}
	before := q.bytes
	dropped := q.shrink()
	assert.Greater(t, before, maxBytes)
	assert.LessOrEqual(t, q.bytes, maxBytes)
	assert.Greater(t, q.bytes, maxBytes-20_000)
	got := idsOf(t, &q)
	assert.Equal(t, fmt.Sprint(dropped), got[0], "the oldest go first")
	assert.Len(t, got, 500-dropped)
}

func TestQueue_AnEventComesInOnceAsLongAsItIsRemembered(t *testing.T) {
	t.Parallel()
	var q queue
	q.addAll(ingest.High, "%d", 3)
	q.addAll(ingest.High, "%d", 4)
	assert.Equal(t, []string{"0", "1", "2", "3"}, idsOf(t, &q))
	q.sent(q.waiting[:4:4])
	q.addAll(ingest.High, "%d", 4)
	assert.Empty(t, q.waiting, "they have been sent")

	q.addAll(ingest.High, "more %d", maxSeen-4)
	q.addAll(ingest.High, "%d", 1)
	assert.Len(t, q.waiting, maxSeen-4)
	q.addAll(ingest.High, "one more %d", 1)
	q.addAll(ingest.High, "%d", 1)
	assert.Len(t, q.waiting, maxSeen-2, "the oldest one has been forgotten")
	assert.Len(t, q.seen.known, maxSeen)
	assert.Len(t, q.seen.order, maxSeen)
}

func TestQueue_TheFileHasAllOfIt(t *testing.T) {
	t.Parallel()
	var q queue
	e := event("a \xff\u2028 \"quoted\"", ingest.Critical)
	q.add(&e)
	q.addAll(ingest.High, "%d", maxSeen+7)
	q.shrink()
	read, err := decode(q.encode())
	require.NoError(t, err)
	assert.Equal(t, idsOf(t, &q), idsOf(t, &read))
	assert.Equal(t, q.dropped, read.dropped)
	assert.Equal(t, q.seen.known, read.seen.known)
	assert.Equal(t, q.encode(), read.encode(), "with what is remembered in its order")
	assert.False(t, read.changed)
	for _, n := range read.waiting {
		assert.True(t, n.saved)
	}
	var empty queue
	read, err = decode(empty.encode())
	require.NoError(t, err)
	assert.Empty(t, read.waiting)
}

func TestDecode_RefusesWhatIsNoQueue(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                            "unexpected end",
		`{"version":1`:                "unexpected end",
		`[]`:                          "cannot unmarshal",
		`{}`:                          "it is no queue",
		`{"version":1,"dropped":-1}`:  "it is no queue",
		`{"version":2}`:               "a newer release has written it",
		`{"version":1,"seen":["ab"]}`: "an id in it is none",
		`{"version":1,"seen":["zzzzzzzzzzzzzzzz"]}`:                              "an id in it is none",
		`{"version":1,"seen":["00000000000000000"]}`:                             "an id in it is none",
		`{"version":1,"events":[{"external_id":"1"}]}`:                           "it has no id or no severity",
		`{"version":1,"events":[{"severity":"high"}]}`:                           "it has no id or no severity",
		`{"version":1,"events":["x"]}`:                                           "cannot unmarshal",
		`{"version":1,"events":[{"external_id":"1","severity":"high"}]}` + "\nx": "invalid character",
	} {
		_, err := decode([]byte(content))
		assert.ErrorContains(t, err, want, content)
	}
}

func TestEncoded_IsBoundedAndCanBeRead(t *testing.T) {
	t.Parallel()
	e := event("a", ingest.High)
	e.Audit.Changes, e.Audit.ChangesOmitted = nil, 2
	for i := range maxChanges + 3 {
		e.Audit.Changes = append(e.Audit.Changes, ingest.FieldChange{Field: fmt.Sprint(i), New: "x"})
	}
	got, err := decoded(encoded(&e))
	require.NoError(t, err)
	assert.Len(t, got.Audit.Changes, maxChanges)
	assert.Equal(t, 5, got.Audit.ChangesOmitted)
	assert.Len(t, e.Audit.Changes, maxChanges+3, "the event itself is not changed")
	want := e
	want.RawEvent, want.RawTruncated, want.MITRETechniques, want.Audit.Notes = "", true, []string{}, []string{}
	want.Audit.Changes, want.Audit.ChangesOmitted = e.Audit.Changes[:maxChanges], 5
	assert.Equal(t, want, got, "all else is there")

	huge := strings.Repeat("<\x00\"", 400_000)
	big := event("big", ingest.Critical)
	big.Title, big.Audit.Why, big.Audit.Target, big.Audit.UserAgent = huge, huge, huge, huge
	big.CreatedAt = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	line := encoded(&big)
	assert.Less(t, len(line), maxEventBytes)
	got, err = decoded(line)
	require.NoError(t, err)
	assert.Equal(t, "big", got.ExternalID)
	assert.Equal(t, ingest.Critical, got.Severity)
	assert.Equal(t, 2, got.Audit.ChangesOmitted)
	assert.Contains(t, strings.Join(got.Audit.Notes, ""), "too large")
	assert.Zero(t, got.CreatedAt.Year()-1)
	assert.True(t, json.Valid(line))
}
