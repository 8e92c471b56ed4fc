package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/sink"
)

// A test that needs a second process runs the test binary again with childEnv
// naming one of children, and pathEnv and fromEnv being its arguments.
const (
	childEnv = "SINK_TEST_CHILD"
	pathEnv  = "SINK_TEST_PATH"
	fromEnv  = "SINK_TEST_FROM"
)

var children = map[string]func(path string) error{
	"open": func(path string) error {
		f, err := sink.OpenFile(path)
		if err != nil {
			return err
		}
		return f.Close()
	},
	"write one batch": func(path string) error {
		f, err := sink.OpenFile(path)
		if err != nil {
			return err
		}
		if err := f.Write(context.Background(), batch(0)); err != nil {
			return err
		}
		return f.Close()
	},
	"write for ever": func(path string) error {
		f, err := sink.OpenFile(path)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(os.Getenv(fromEnv))
		if err != nil {
			return err
		}
		for ; ; n++ {
			if err := f.Write(context.Background(), batch(n)); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, n)
		}
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Getenv(pathEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child prepares a second process.
func child(t *testing.T, name, path string, from int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name, pathEnv+"="+path, fmt.Sprintf("%s=%d", fromEnv, from),
		"GORACE=atexit_sleep_ms=0") // the race detector otherwise waits 1 s at exit
	return cmd
}

const batchSize = 50

var fill = ingest.RawJSON(`{"fill":"` + strings.Repeat("x", 4000) + `"}`)

// batch returns the n-th batch: batchSize events numbered on from n*batchSize,
// large enough that a kill hits the middle of a write.
func batch(n int) []ingest.Event {
	events := make([]ingest.Event, batchSize)
	for i := range events {
		events[i] = event(strconv.Itoa(n*batchSize + i))
		events[i].RawEvent = fill
	}
	return events
}

func event(id string) ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: id, Title: "title of " + id,
		Severity: ingest.Low, Action: "dns.record.delete", RawEvent: ingest.RawJSON(`{"id":"` + id + `"}`),
		Audit: ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}},
	}
}

func events(ids ...string) []ingest.Event {
	var list []ingest.Event
	for _, id := range ids {
		list = append(list, event(id))
	}
	return list
}

// line is the line of one event, with its line break.
func line(id string) string {
	e := event(id)
	return string(e.AppendJSON(nil)) + "\n"
}

// ids returns the ids of the events in data, which must be whole lines and as
// the published schema has them.
func ids(t *testing.T, data []byte) []string {
	t.Helper()
	var list []string
	for l := range bytes.Lines(data) {
		require.True(t, bytes.HasSuffix(l, []byte("\n")), "torn line %.60q", l)
		var e struct {
			ID string `json:"external_id"`
		}
		require.NoError(t, json.Unmarshal(l, &e), "broken line %.60q", l)
		require.NoError(t, eventschema.Check(l))
		list = append(list, e.ID)
	}
	return list
}
