package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
)

// These tests check what AiSOC is known to require of an event. Those of package
// sink/aisoc check what its ingestion service requires of a delivery.

// hosted is an event as the host reads it: with encoding/json, numbers as float64.
func hosted(t testing.TB, e ingest.Event) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(e.AppendJSON(nil), &object))
	return object
}

func TestContract_EveryEventHasTheFormThatTheHostReads(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	keys := slices.Sorted(maps.Keys(hosted(t, ingest.Event{})))
	for _, raw := range allEntries(t) {
		e, v := n.Normalize([]byte(raw))
		if v.Drop {
			continue
		}
		event := hosted(t, e)
		assert.Empty(t, fakeaisoc.Check(event), raw)
		assert.Equal(t, keys, slices.Sorted(maps.Keys(event)), "the host reports a change as schema drift")
	}
}

func TestContract_ValuesThatTheHostCannotTakeAreLeftOut(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for name, tt := range map[string]struct {
		raw       string
		key, want any
	}{
		"actor as an object":    {logged("zone", "purge", `"actor":{"id":"a1","email":{"address":"x"},"type":{}}`), "actor", "a1"},
		"no actor":              {logged("zone", "purge", `"actor":null`), "actor", nil},
		"NUL in the actor":      {logged("zone", "purge", `"actor":{"email":"a\u0000b@example.com"}`), "actor", "ab@example.com"},
		"no address":            {logged("zone", "purge", `"actor":{"id":"a1","ip":"unknown"}`), "src_ip", nil},
		"an address as object":  {logged("zone", "purge", `"actor":{"id":"a1","ip":{"v4":"192.0.2.1"}}`), "src_ip", nil},
		"an address with zone":  {logged("zone", "purge", `"actor":{"id":"a1","ip":"fe80::1%eth0"}`), "src_ip", "fe80::1"},
		"a mapped address":      {logged("zone", "purge", `"actor":{"id":"a1","ip":"::ffff:192.0.2.1"}`), "src_ip", "192.0.2.1"},
		"no host name":          {logged("zone", "purge", `"metadata":{"zone_name":"a b"}`), "hostname", nil},
		"a host name as object": {logged("zone", "purge", `"metadata":{"zone_name":{}}`), "hostname", nil},
		"a number as id":        {logged("zone", "purge", `"id":12345678901234567890`), "external_id", "12345678901234567890"},
		"a time without a zone": {logged("zone", "purge", `"when":"2026-05-12T09:00:00.5+02:00"`), "created_at", "2026-05-12T07:00:00.500000Z"},
		"a time to freshness":   {logged("zone", "purge", `"when":"2026-05-12T09:00:00.5Z"`), "timestamp", "2026-05-12T09:00:00.500000Z"},
	} {
		e, _ := n.Normalize([]byte(tt.raw))
		event := hosted(t, e)
		assert.Equal(t, tt.want, event[tt.key.(string)], name)
		assert.Empty(t, fakeaisoc.Check(event), name)
	}
	// An id that is not text is replaced by a derived one, which is the same on every
	// replay.
	for _, id := range []string{`{}`, `""`, `null`, `"\u0000"`, `[1]`} {
		raw := []byte(logged("zone", "purge", `"id":`+id))
		a, _ := n.Normalize(raw)
		b, _ := n.Normalize(raw)
		assert.NotEmpty(t, a.ExternalID, id)
		assert.Equal(t, a.ExternalID, b.ExternalID, id)
	}
}

// The host reads numbers as float64, which would change large ones.
func TestContract_NumbersOutsideTheRawEventAreTexts(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const big = "9007199254740993"
	e, _ := n.Normalize([]byte(logged("zone", "change_setting", production, `"id":`+big, before(`{"value":`+big+`}`), after(`{"value":`+big+`1}`))))
	assert.Equal(t, big, e.ExternalID)
	assert.Contains(t, e.Audit.Changes, ingest.FieldChange{Field: "value", Old: big, New: big + "1"})
	for _, raw := range allEntries(t) {
		e, v := n.Normalize([]byte(raw))
		if v.Drop {
			continue
		}
		event := hosted(t, e)
		delete(event, "raw_event")
		delete(event["audit"].(map[string]any), "changes_omitted") // a count
		assert.Empty(t, numbers(event), raw)
	}
}

// numbers are the places of the numbers in a value.
func numbers(v any) (at []string) {
	switch v := v.(type) {
	case float64:
		return []string{fmt.Sprint(v)}
	case []any:
		for _, e := range v {
			at = append(at, numbers(e)...)
		}
	case map[string]any:
		for name, e := range v {
			for _, n := range numbers(e) {
				at = append(at, name+": "+n)
			}
		}
	}
	return at
}

func TestContract_DetectionsFireOnlyOnWhatHappened(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, want := range map[string]string{
		logged("zone", "transfer_out", production):                                                                     "det-cloud-181 high",
		logged("registrar.domain", "transferred_out", production):                                                      "det-cloud-181 high",
		logged("firewallrules", "update", production, before(`{"paused":false}`), after(`{"paused":true}`)):            "det-cloud-182 high",
		logged("wafrule", "disable", production):                                                                       "det-cloud-182 high",
		setting("example.com", "waf", "firewall", "on", "off"):                                                         "det-cloud-182 high",
		logged("access.policy", "create", after(`{"decision":"bypass"}`)):                                              "det-cloud-183 critical",
		logged("access.policy", "create", after(`{"decision":"BYPASS"}`)):                                              "det-cloud-183 critical",
		logged("access.policy", "create", after(`{"decision":"allow"}`)):                                               "",
		logged("access.policy", "update", before(`{"decision":"bypass"}`), after(`{"decision":"allow"}`)):              "",
		logged("firewallrules", "update", production, before(`{"paused":true}`), after(`{"paused":false}`)):            "",
		logged("zone", "transfer_out", production, `"action":{"type":"transfer_out","result":false}`):                  "",
		logged("wafrule", "disable", production, `"action":{"type":"disable","result":false}`):                         "",
		logged("access.policy", "create", after(`{"decision":"bypass"}`), `"action":{"type":"create","result":false}`): "",
		`{"id":"a"}`: "",
	} {
		e, _ := n.Normalize([]byte(raw))
		got := ""
		for _, id := range fakeaisoc.Detections(hosted(t, e)) {
			got += id + " " + string(e.Severity)
		}
		assert.Equal(t, want, got, raw)
	}
	// Of all entries, they fire only on severe actions that succeeded.
	for _, raw := range allEntries(t) {
		e, _ := n.Normalizer.Normalize([]byte(raw))
		if len(fakeaisoc.Detections(hosted(t, e))) > 0 {
			assert.Contains(t, []ingest.Severity{high, critical, medium}, e.Severity, raw)
			assert.NotEqual(t, "failure", e.Audit.Outcome, raw)
		}
	}
}

// Detections for other products look for these actions.
func TestContract_NoActionMatchesADetectionOfAnotherProduct(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, not := range map[string]string{
		logged("", "api_token_created"):                             "api_token_created",
		logged("", "compliance_policy_disabled"):                    "compliance_policy_disabled",
		logged("org", "disable_two_factor_requirement"):             "org.disable_two_factor_requirement",
		logged("", "org.disable_two_factor_requirement"):            "org.disable_two_factor_requirement",
		logged("", "API_Token_Created"):                             "api_token_created",
		`{"id":"x","action":{"type":"api_token_created"}}`:          "api_token_created",
		`{"id":"x","action":{"type":"compliance_policy_disabled"}}`: "compliance_policy_disabled",
	} {
		e, _ := n.Normalize([]byte(raw))
		assert.NotEqual(t, not, e.Action, raw)
		assert.Empty(t, fakeaisoc.Check(hosted(t, e)), raw)
	}
}

func TestContract_RoutineMakesNoAlerts(t *testing.T) {
	t.Parallel()
	n, err := NewNormalizer(Config{}) // as it is without configuration
	require.NoError(t, err)
	_, v := n.Normalize([]byte(logged("zone", "settings_read", production)))
	assert.True(t, v.Drop, "every event becomes an alert, also one of severity info")
}
