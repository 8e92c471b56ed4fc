package ingest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The keys that a host sees, in order. A change here is schema drift for every
// host, so it must be meant.
const (
	eventKeys = "source category external_id title severity action decision " +
		"actor src_ip hostname created_at timestamp mitre_techniques audit " +
		"raw_event raw_truncated"
	auditKeys = "outcome action_type actor_id actor_type actor_email " +
		"actor_name interface scope account_id resource_type resource_id zone_id " +
		"zone_name target direction changes changes_omitted rule why api correlation_id " +
		"description method uri status_code user_agent request_id credential token_id token_name notes"
)

func fullEvent() ingest.Event {
	return ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "e-1",
		Title: "DNS record www.example.com deleted", Severity: ingest.High,
		Action: "dns.record.delete", Decision: "bypass",
		Actor: "ada@example.com", SrcIP: "2001:db8::1",
		Hostname:        "www.example.com",
		CreatedAt:       time.Date(2025, 6, 1, 12, 0, 0, 123456000, time.UTC),
		MITRETechniques: []string{"T1565", "T1565.002"},
		Audit: ingest.Audit{
			Outcome: "success", ActionType: "delete", ActorID: "u-1",
			ActorType: "user", ActorEmail: "ada@example.com", ActorName: "Ada",
			Interface: "api", Scope: "zone", AccountID: "acc-1", ResourceType: "dns_record",
			ResourceID: "r-1", ZoneID: "z-1", ZoneName: "example.com",
			Target: "www.example.com", Direction: "weaker",
			Changes: []ingest.FieldChange{
				{Field: "ttl", Old: "60", New: "300"}, {Field: "proxied", New: "true"},
			},
			ChangesOmitted: 2, Rule: "dns-delete", Why: "a name stops resolving",
			API: "v2", CorrelationID: ingest.CorrelationID{0: 0xc1, 15: 0x0f},
			Request: ingest.Request{
				Description: "Delete a record", Method: "DELETE", URI: "/records/r-1?a=b", StatusCode: "200", UserAgent: "curl/8",
				RequestID: "q-1", Credential: "api_token", TokenID: "t-1", TokenName: "ci",
			},
			Notes: []string{"one note", "another"},
		},
		RawEvent:     `{"id":"e-1"}`,
		RawTruncated: true,
	}
}

func TestEvent_EncodesAsDocumented(t *testing.T) {
	t.Parallel()
	e := fullEvent()
	want := `{"source":"cloudflare","category":"saas","external_id":"e-1",` +
		`"title":"DNS record www.example.com deleted","severity":"high",` +
		`"action":"dns.record.delete","decision":"bypass",` +
		`"actor":"ada@example.com","src_ip":"2001:db8::1",` +
		`"hostname":"www.example.com",` +
		`"created_at":"2025-06-01T12:00:00.123456Z",` +
		`"timestamp":"2025-06-01T12:00:00.123456Z",` +
		`"mitre_techniques":["T1565","T1565.002"],` +
		`"audit":{"outcome":"success","action_type":"delete","actor_id":"u-1",` +
		`"actor_type":"user","actor_email":"ada@example.com",` +
		`"actor_name":"Ada","interface":"api","scope":"zone","account_id":"acc-1",` +
		`"resource_type":"dns_record","resource_id":"r-1","zone_id":"z-1",` +
		`"zone_name":"example.com","target":"www.example.com",` +
		`"direction":"weaker","changes":[` +
		`{"field":"ttl","old":"60","new":"300"},` +
		`{"field":"proxied","old":null,"new":"true"}],"changes_omitted":2,` +
		`"rule":"dns-delete","why":"a name stops resolving","api":"v2","correlation_id":"c100000000000000000000000000000f",` +
		`"description":"Delete a record","method":"DELETE","uri":"/records/r-1?a=b",` +
		`"status_code":"200","user_agent":"curl/8","request_id":"q-1",` +
		`"credential":"api_token","token_id":"t-1","token_name":"ci",` +
		`"notes":["one note","another"]},` +
		`"raw_event":{"id":"e-1"},"raw_truncated":true}`
	assert.Equal(t, want, string(e.AppendJSON(nil)))
}

func TestEvent_AppendsToTheBuffer(t *testing.T) {
	t.Parallel()
	e := fullEvent()
	line := e.AppendJSON(nil)
	assert.Equal(t, "before"+string(line), string(e.AppendJSON([]byte("before"))))
}

func TestEvent_EmptyFieldsAreNullNotMissing(t *testing.T) {
	t.Parallel()
	var e ingest.Event
	want := `{"source":"","category":"","external_id":"","title":"",` +
		`"severity":"","action":null,"decision":null,"actor":null,` +
		`"src_ip":null,"hostname":null,"created_at":"0001-01-01T00:00:00.000000Z",` +
		`"timestamp":"0001-01-01T00:00:00.000000Z","mitre_techniques":[],` +
		`"audit":{"outcome":null,"action_type":null,"actor_id":null,` +
		`"actor_type":null,"actor_email":null,"actor_name":null,` +
		`"interface":null,"scope":null,"account_id":null,"resource_type":null,` +
		`"resource_id":null,"zone_id":null,"zone_name":null,"target":null,` +
		`"direction":null,"changes":[],"changes_omitted":0,"rule":null,` +
		`"why":null,"api":null,"correlation_id":null,"description":null,` +
		`"method":null,"uri":null,"status_code":null,"user_agent":null,` +
		`"request_id":null,"credential":null,"token_id":null,"token_name":null,` +
		`"notes":[]},"raw_event":null,"raw_truncated":false}`
	assert.Equal(t, want, string(e.AppendJSON(nil)))
}

// keys returns the names of the object b in their order.
func keys(t require.TestingT, b []byte) string {
	dec := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowInvalidUTF8(true))
	_, err := dec.ReadToken()
	require.NoError(t, err)
	var names []string
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		require.NoError(t, err)
		names = append(names, name.String())
		require.NoError(t, dec.SkipValue())
	}
	return strings.Join(names, " ")
}

func TestEvent_KeysAreTheSameForEveryEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		e := ingest.Event{
			Source: text.Draw(t, "source"), ExternalID: text.Draw(t, "id"),
			Title: text.Draw(t, "title"), Actor: text.Draw(t, "actor"),
			MITRETechniques: rapid.SliceOf(text).Draw(t, "techniques"),
			Audit: ingest.Audit{
				ActionType:     text.Draw(t, "type"),
				Changes:        []ingest.FieldChange{{Field: text.Draw(t, "field"), Old: text.Draw(t, "old")}},
				ChangesOmitted: rapid.IntRange(0, 1<<40).Draw(t, "omitted"),
				Notes:          rapid.SliceOf(text).Draw(t, "notes"),
			},
			RawEvent: ingest.RawJSON(rapid.SampledFrom([]string{"", "{}", `{"a":1}`, `"x"`}).Draw(t, "raw")),
		}
		line := e.AppendJSON(nil)
		require.True(t, json.Valid(line), "%s", line)
		require.True(t, utf8.Valid(line), "%q", line)
		require.NotContains(t, string(line), "\n")
		require.Equal(t, eventKeys, keys(t, line))
		var object struct{ Audit jsontext.Value }
		require.NoError(t, json.Unmarshal(line, &object))
		require.Equal(t, auditKeys, keys(t, object.Audit))
	})
}

func TestEvent_RawEventIsCopiedByteForByte(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`{ "b" : 1.0e+2,"a":12345678901234567890, "h":"<script>&\u003c\/" }`,
		`{"dup":1,"dup":2}`,
		"{\"bad\":\"\xff\xfe\"}",
		`"only a string"`,
		`null`,
	} {
		e := fullEvent()
		e.RawEvent = ingest.RawJSON(raw)
		assert.Contains(t, string(e.AppendJSON(nil)), `,"raw_event":`+raw+`,"raw_truncated":`)
	}
}

func TestEvent_InvalidUTF8BecomesTheReplacementCharacter(t *testing.T) {
	t.Parallel()
	e := ingest.Event{Title: "a\xffb", Audit: ingest.Audit{Notes: []string{"\xc3"}}}
	line := string(e.AppendJSON(nil))
	assert.Contains(t, line, "\"title\":\"a\uFFFDb\"")
	assert.Contains(t, line, "\"notes\":[\"\uFFFD\"]")
}

func TestEvent_ControlCharactersAndQuotesAreEscaped(t *testing.T) {
	t.Parallel()
	e := ingest.Event{Title: "a\nb\x00\"\\<é"}
	assert.Contains(t, string(e.AppendJSON(nil)), `"title":"a\nb\u0000\"\\<é"`)
}

func TestEvent_TimesAreEncodedInUTC(t *testing.T) {
	t.Parallel()
	e := ingest.Event{CreatedAt: time.Date(2025, 1, 1, 1, 30, 0, 500_000_000, time.FixedZone("", 2*3600))}
	line := string(e.AppendJSON(nil))
	assert.Contains(t, line, `"created_at":"2024-12-31T23:30:00.500000Z","timestamp":"2024-12-31T23:30:00.500000Z"`)
}

// Tools that sort lines or compare texts must get the order of the times.
func TestEvent_TimesHaveOneWidth(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 1, 1, 1, 30, 59, 0, time.UTC)
	before := ""
	for _, after := range []time.Duration{0, 999, 1000, 98_133 * time.Microsecond, 100 * time.Millisecond, 999_999_999, time.Second} {
		e := ingest.Event{CreatedAt: at.Add(after)}
		_, line, found := strings.Cut(string(e.AppendJSON(nil)), `"created_at":"`)
		require.True(t, found)
		text, _, _ := strings.Cut(line, `"`)
		assert.Equal(t, at.Add(after).Format(ingest.TimeFormat), text)
		assert.Len(t, text, len("2025-01-01T01:30:59.098133Z"))
		assert.GreaterOrEqual(t, text, before)
		got, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		assert.Equal(t, at.Add(after).Truncate(time.Microsecond), got)
		before = text
	}
}

func TestEvent_EncodingJSONUsesTheSameKeysAndReadsThemBack(t *testing.T) {
	t.Parallel()
	e := fullEvent()
	line, err := json.Marshal(e)
	require.NoError(t, err)
	assert.Equal(t, eventKeys, keys(t, line))
	var back ingest.Event
	require.NoError(t, json.Unmarshal(line, &back))
	assert.Equal(t, e, back)

	var empty, emptyBack ingest.Event
	require.NoError(t, json.Unmarshal(empty.AppendJSON(nil), &emptyBack))
	assert.Empty(t, emptyBack.Actor)
}

func TestRawJSON_EmptyIsNull(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal([]ingest.RawJSON{"", `{"a":1}`})
	require.NoError(t, err)
	assert.Equal(t, `[null,{"a":1}]`, string(got))
}

func TestSeverity_OnlyTheFiveListedAreValid(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []ingest.Severity{"critical", "high", "medium", "low", "info"}, ingest.Severities())
	for _, s := range ingest.Severities() {
		assert.True(t, s.Valid(), "%s", s)
	}
	for _, s := range []ingest.Severity{"", "High", "unknown", "info "} {
		assert.False(t, s.Valid(), "%q", s)
	}
}

func TestCorrelationID_IsTextOf32Digits(t *testing.T) {
	t.Parallel()
	id := ingest.CorrelationID{0: 0xc1, 15: 0x0f}
	assert.Equal(t, "c100000000000000000000000000000f", id.String())
	text, err := json.Marshal(id)
	require.NoError(t, err)
	var back ingest.CorrelationID
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, id, back)
	for _, wrong := range []string{`""`, `"c1"`, `"x100000000000000000000000000000f"`, `"c100000000000000000000000000000f00"`} {
		assert.ErrorContains(t, json.Unmarshal([]byte(wrong), &back), "correlation_id", wrong)
	}
}
