package aisoc_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

func TestMain(m *testing.M) {
	// The tests wait for retries more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const tenant = "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001"

// secret is a token.
type secret string

func (s secret) Reveal() string { return string(s) }

func config(server *fakeaisoc.Server) aisoc.Config {
	return aisoc.Config{
		URL: "http://127.0.0.1:8081", TenantID: tenant, ConnectorID: "cf-main", ConnectorType: "cloudflare",
		HTTPClient: &http.Client{Transport: server},
	}
}

// open makes a sink with a dead-letter file.
func open(t *testing.T, server *fakeaisoc.Server) (sink *aisoc.Sink, deadLetter string) {
	t.Helper()
	cfg := config(server)
	cfg.DeadLetter = filepath.Join(t.TempDir(), "dead.jsonl")
	sink, err := aisoc.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { sound(t, server) })
	return sink, cfg.DeadLetter
}

// sound asserts that what the server has accepted is as it and the published
// schema want it.
func sound(t *testing.T, server *fakeaisoc.Server) {
	t.Helper()
	require.Empty(t, server.Violations())
	for _, e := range server.Events() {
		require.NoError(t, eventschema.Check(e))
	}
}

func event(id string) ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: id, Title: "DNS record deleted: " + id, Severity: ingest.Medium,
		Action: "dns.record.delete", Actor: "alice@example.com", SrcIP: "192.0.2.10",
		CreatedAt: time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC),
		RawEvent:  ingest.RawJSON(`{"id":"` + id + `"}`),
		Audit:     ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}},
	}
}

// events returns n events with the ids e0, e1 and so on.
func events(n int) []ingest.Event {
	list := make([]ingest.Event, n)
	for i := range list {
		list[i] = event(fmt.Sprintf("e%d", i))
	}
	return list
}

// is says whether an event has one of the ids.
func is(ids ...string) func(map[string]any) bool {
	return func(e map[string]any) bool {
		for _, id := range ids {
			if e["external_id"] == id {
				return true
			}
		}
		return false
	}
}

type deadLetter struct {
	Time   time.Time
	Reason string
	Event  ingest.Event
}

func deadLetters(t *testing.T, name string) []deadLetter {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	var all []deadLetter
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var d deadLetter
		require.NoError(t, json.Unmarshal(lines.Bytes(), &d), "%.80q", lines.Bytes())
		require.NotZero(t, d.Time)
		require.NotEmpty(t, d.Reason)
		all = append(all, d)
	}
	return all
}

// once asserts that the server has each of the events exactly once, except for
// those with the ids.
func once(t *testing.T, server *fakeaisoc.Server, sent []ingest.Event, except ...string) {
	t.Helper()
	want := make(map[string]int)
	for _, e := range sent {
		want[e.ExternalID] = 1
	}
	for _, id := range except {
		delete(want, id)
	}
	require.Equal(t, want, server.Accepted())
	sound(t, server)
}

// sizes are how many events each request had.
func sizes(server *fakeaisoc.Server) []int {
	var all []int
	for _, r := range server.Requests() {
		all = append(all, bytes.Count(r.Body, []byte(`"external_id":`)))
	}
	return all
}

// rawOf is the raw event of the only event accepted.
func rawOf(t *testing.T, server *fakeaisoc.Server) (raw json.RawMessage, e ingest.Event) {
	t.Helper()
	all := server.Events()
	require.Len(t, all, 1)
	require.NoError(t, json.Unmarshal(all[0], &e))
	require.True(t, json.Valid([]byte(e.RawEvent)))
	return json.RawMessage(e.RawEvent), e
}

func big(n int) string { return strings.Repeat("x", n) }
