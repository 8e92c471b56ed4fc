package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakehttp"
)

func TestFormat_ECSAndOCSFGoToEveryOutput(t *testing.T) {
	t.Parallel()
	for format, start := range map[string]string{"ecs": `{"@timestamp":"`, "ocsf": `{"activity_id":`} {
		a := newAccount(t, recent(20)...)
		check := func(lines string, n int) {
			t.Helper()
			assert.Equal(t, n, strings.Count(lines, "\n"))
			assert.Equal(t, n, strings.Count("\n"+lines, "\n"+start), lines)
		}
		got := a.call("poll", "--state", t.TempDir(), "--drop-routine=false", "--format", format).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		check(got.out, 20)

		// A torn last line is repaired in these formats too.
		out := filepath.Join(t.TempDir(), "events")
		require.NoError(t, os.WriteFile(out, []byte(start), 0o600))
		got = a.call("poll", "--state", t.TempDir(), "--drop-routine=false", "--format", format, "--out", out).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Contains(t, got.err, "removed a torn last line")
		check(read(t, out), 20)

		exported := filepath.Join(t.TempDir(), "exported")
		got = a.call("export", "--since", "1d", "--format", format, "--out", exported, "--drop-routine=false").run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		check(read(t, exported), 20)

		ours := filepath.Join(t.TempDir(), "ours.jsonl")
		got = a.call("export", "--since", "1d", "--format", "jsonl", "--out", ours, "--drop-routine=false").run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		got = command(t, "export", "--since", "1d", "--from", ours, "--format", format)
		require.Equal(t, exitOK, got.code, got.err)
		check(got.out, 20)

		server := &fakehttp.Server{Kind: fakehttp.Array}
		got = a.call(append([]string{"poll", "--state", t.TempDir(), "--drop-routine=false", "--format", format}, serveHTTP(t, server)...)...).run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Len(t, server.Accepted(), 20)
		assert.True(t, strings.HasPrefix(string(server.Events()[0]), start))
	}
}

func TestFormat_ServicesTakeWhatTheyCanRead(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	for line, want := range map[string]string{
		"poll --state " + state + " --format ecs --aisoc https://ingest.example.com": `--format: "ecs": AiSOC takes jsonl alone`,
		"fleet work --format ocsf --aisoc https://ingest.example.com":                `--format: "ocsf": AiSOC takes jsonl alone`,
		"fleet work --format table": `--format: "table": must be jsonl, ecs or ocsf`,
		"fleet work --format table --dead-letters d --http https://siem.example.com/ingest": `--format: "table": must be jsonl, ecs or ocsf`,
	} {
		got := command(t, strings.Fields(line)...)
		assert.Equal(t, exitUsage, got.code, line)
		assert.Contains(t, got.err, want, line)
	}
}
