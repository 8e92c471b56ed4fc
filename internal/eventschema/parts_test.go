package eventschema

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// What is known to be good must be what the whole schema takes.
func TestKnownGood_AgreesWithTheWholeSchema(t *testing.T) {
	t.Parallel()
	e := ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "e-1", Title: `a "quoted" \ title`, Severity: ingest.Low,
		Action: "dns.record.delete", RawEvent: `{"id":"e-1","list":[1,{"a":"}"}]}`,
		Audit: ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}},
	}
	line := string(e.AppendJSON(nil))
	var spaced bytes.Buffer
	require.NoError(t, json.Indent(&spaced, []byte(line), "\r", "\t"))
	for _, text := range []string{line, " " + line + "\n", spaced.String()} {
		require.True(t, knownGood([]byte(text)), text)
	}
	var event map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(line), &event))
	var audit map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(event["audit"], &audit))
	good := 0
	for _, object := range []map[string]json.RawMessage{event, audit} {
		for key, value := range object {
			for _, other := range []string{`null`, `""`, `"a"`, `"A\u0000"`, `1`, `-1`, `1.5`, `true`, `{}`, `{"a":1}`, `[]`, `["T1485"]`, `["T1485","T1485"]`, `"critical"`, `"192.0.2.1"`, `"2026-01-01T00:00:00Z"`, `"` + strings.Repeat("a", 600) + `"`} {
				// Twice, because the second time what was found good is remembered.
				text := strings.Replace(line, `"`+key+`":`+string(value), `"`+key+`":`+other, 1)
				for range 2 {
					known := knownGood([]byte(text))
					require.Equal(t, check([]byte(text)) == nil, known, text)
					if known {
						good++
					}
				}
			}
			require.False(t, knownGood([]byte(strings.Replace(line, `"`+key+`":`, `"another":`, 1))), key)
		}
	}
	require.Greater(t, good, 100)
	for _, text := range []string{"", "x", "{}", "[]", "null", `"a"`, line + "x", line[:len(line)-1], line[:len(line)-1] + `,"source":"other"}`} {
		require.False(t, knownGood([]byte(text)), text)
	}
}

// The end of a value is found before the value is read, so that text that is no JSON
// must not be taken for an event.
func TestKnownGood_TakesNothingThatIsNoJSON(t *testing.T) {
	t.Parallel()
	e := ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "e-1", Title: `a "quoted" \ title`, Severity: ingest.Low,
		Action: "dns.record.delete", RawEvent: `{"id":"e-1","list":[1,{"a":"}"}],"n":-1.5e3,"t":true}`,
		MITRETechniques: []string{"T1485", "T1486"},
		Audit:           ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}, ChangesOmitted: 12},
	}
	line := e.AppendJSON(nil)
	require.True(t, knownGood(line))
	good, bad := 0, 0
	try := func(parts ...[]byte) {
		text := bytes.Join(parts, nil)
		if !knownGood(text) {
			bad++
			return
		}
		good++
		require.NoError(t, check(text), string(text))
	}
	for i := range line {
		try(line[:i])
		try(line[i:])
		try(line[:i], line[i+1:])
		for _, c := range []string{`"`, `\`, `{`, `}`, `[`, `]`, `:`, `,`, ` `, "\x00", "0", "x", `""`, `{}`} {
			try(line[:i], []byte(c), line[i:])
			try(line[:i], []byte(c), line[i+1:])
		}
	}
	require.Greater(t, good, 1000)
	require.Greater(t, bad, 10_000)
}
