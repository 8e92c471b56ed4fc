package eventschema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/docs"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
)

func sound() ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "e-1", Title: "DNS record deleted", Severity: ingest.Low,
		Action: "dns.record.delete", RawEvent: `{"id":"e-1"}`, Audit: ingest.Audit{Rule: "dns-record-deleted", API: "v1", CorrelationID: ingest.CorrelationID{1}},
	}
}

func TestSchema_IsOneOfDraft2020(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.EventSchema))
	require.NoError(t, err)
	meta, err := jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	require.NoError(t, err)
	require.NoError(t, meta.Validate(document))
}

func TestSchema_NamesEveryKeyThatEventsHave(t *testing.T) {
	t.Parallel()
	e := sound()
	line := e.AppendJSON(nil)
	require.NoError(t, eventschema.Check(line))
	var event map[string]any
	require.NoError(t, json.Unmarshal(line, &event))
	for _, object := range []map[string]any{event, event["audit"].(map[string]any)} {
		for key, value := range object {
			delete(object, key)
			without, err := json.Marshal(event)
			require.NoError(t, err)
			assert.Error(t, eventschema.Check(without), "%s may be missing", key)
			object[key] = value
		}
		object["another"] = 1
		with, err := json.Marshal(event)
		require.NoError(t, err)
		assert.Error(t, eventschema.Check(with))
		delete(object, "another")
	}
}

func TestSchema_RefusesWhatAHostMisreads(t *testing.T) {
	t.Parallel()
	e := sound()
	line := string(e.AppendJSON(nil))
	for old, wrong := range map[string][]string{
		`"severity":"low"`:                          {`"severity":"Low"`, `"severity":"unknown"`, `"severity":null`},
		`"external_id":"e-1"`:                       {`"external_id":""`, `"external_id":1`, `"external_id":null`, `"external_id":"a\u0000"`},
		`"title":"DNS record deleted"`:              {`"title":""`, `"title":null`, `"title":{}`, `"title":"a\nb"`},
		`"actor":null`:                              {`"actor":""`, `"actor":{"email":"a"}`, `"actor":"a\u0000b"`},
		`"src_ip":null`:                             {`"src_ip":""`, `"src_ip":"unknown"`, `"src_ip":"192.0.2.256"`, `"src_ip":"fe80::1%eth0"`},
		`"hostname":null`:                           {`"hostname":""`, `"hostname":"a b"`, `"hostname":"Example.com"`, `"hostname":"-a.example"`},
		`"action":"dns.record.delete"`:              {`"action":null`, `"action":""`, `"action":"Dns"`},
		`"timestamp":"0001-01-01T00:00:00.000000Z"`: {`"timestamp":"yesterday"`, `"timestamp":null`, `"timestamp":"2026-01-01T00:00:00.000000+01:00"`, `"timestamp":"2026-01-01T00:00:00Z"`},
		`"mitre_techniques":[]`:                     {`"mitre_techniques":null`, `"mitre_techniques":["TA0001"]`, `"mitre_techniques":"T1485"`},
		`"source":"cloudflare"`:                     {`"source":"other"`},
		`"raw_truncated":false`:                     {`"raw_truncated":null`},
		`"changes_omitted":0`:                       {`"changes_omitted":-1`, `"changes_omitted":"0"`},
		`"outcome":null`:                            {`"outcome":"maybe"`},
		`"notes":[]`:                                {`"notes":null`, `"notes":[""]`},
	} {
		require.Contains(t, line, old)
		for _, w := range wrong {
			assert.Error(t, eventschema.Check([]byte(strings.Replace(line, old, w, 1))), w)
		}
	}
	for old, right := range map[string]string{
		`"src_ip":null`:   `"src_ip":"2001:db8::1"`,
		`"hostname":null`: `"hostname":"xn--bcher-kva.example"`,
	} {
		assert.NoError(t, eventschema.Check([]byte(strings.Replace(line, old, right, 1))))
	}
}
