package cloudflareaudit

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
)

// asLogpush converts an entry of either log into a record of Logpush's dataset.
// text says that objects are written as JSON in strings.
func asLogpush(t *testing.T, entry map[string]any, text bool) map[string]any {
	t.Helper()
	get := func(path ...string) any {
		v := any(entry)
		for _, name := range path {
			section, _ := v.(map[string]any)
			v = section[name]
		}
		return v
	}
	object := func(v any) any {
		if _, isText := v.(string); isText || v == nil || !text {
			return v
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	// A record has no newValueJson beside its value, which is an object.
	value := func(documented, undocumented string) any {
		if section, _ := get(undocumented).(map[string]any); len(section) > 0 {
			return object(section)
		}
		return object(get(documented))
	}
	if _, isV2 := entry["account"]; !isV2 {
		return map[string]any{
			"ActionResult": get("action", "result"), "ActionType": get("action", "type"), "ActorEmail": get("actor", "email"),
			"ActorID": get("actor", "id"), "ActorIP": get("actor", "ip"), "ActorType": get("actor", "type"), "ID": get("id"),
			"Interface": get("interface"), "Metadata": object(get("metadata")), "NewValue": value("newValue", "newValueJson"),
			"OldValue": value("oldValue", "oldValueJson"), "OwnerID": get("owner", "id"), "ResourceID": get("resource", "id"),
			"ResourceType": get("resource", "type"), "When": get("when"),
		}
	}
	return map[string]any{
		"AccountID": get("account", "id"), "AccountName": get("account", "name"), "ActionDescription": get("action", "description"),
		"ActionResult": get("action", "result"), "ActionTimestamp": get("action", "time"), "ActionType": get("action", "type"),
		"ActorContext": get("actor", "context"), "ActorEmail": get("actor", "email"), "ActorID": get("actor", "id"),
		"ActorIPAddress": get("actor", "ip_address"), "ActorTokenDetails": object(get("actor", "token")), "ActorType": get("actor", "type"),
		"AuditLogID": get("id"), "Raw": object(get("raw")), "ResourceID": get("resource", "id"), "ResourceProduct": get("resource", "product"),
		"ResourceRequest": object(get("resource", "request")), "ResourceResponse": object(get("resource", "response")),
		"ResourceScope": get("resource", "scope"), "ResourceType": get("resource", "type"), "ResourceValue": map[string]any{},
		"ZoneID": get("zone", "id"), "ZoneName": get("zone", "name"),
	}
}

// A record has less than the entry of the API: no action.info, and one value
// where the entry has two, so that secrets are counted once.
func TestLogpush_GivesTheEventOfTheAPIsEntry(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}}).Normalizer
	compared := 0
	for _, raw := range fixtures(t) {
		var entry map[string]any
		dec := json.NewDecoder(strings.NewReader(raw))
		dec.UseNumber()
		if dec.Decode(&entry) != nil {
			continue
		}
		id, _ := entry["id"].(string)
		if !wellFormed(entry) || id == "" {
			continue
		}
		if action, ok := entry["action"].(map[string]any); ok {
			delete(action, "info")
		}
		whole, err := json.Marshal(entry)
		require.NoError(t, err)
		want, wantVerdict := n.Normalize(whole)
		for _, text := range []bool{false, true} {
			record, err := json.Marshal(asLogpush(t, entry, text))
			require.NoError(t, err)
			got, verdict := n.Normalize(record)
			assert.Equal(t, wantVerdict, verdict, "%s", record)
			assert.Equal(t, alike(want), alike(got), "%s", record)
			compared++
		}
	}
	assert.Greater(t, compared, 300)
}

// wellFormed reports whether the sections of an entry have their documented
// types, which a record of Logpush cannot express otherwise.
func wellFormed(entry map[string]any) bool {
	for _, name := range []string{"action", "actor", "resource", "owner", "account", "raw", "zone"} {
		switch entry[name].(type) {
		case nil, map[string]any:
		default:
			return false
		}
	}
	return true
}

// alike is an event without what two forms of an entry may differ in.
func alike(e ingest.Event) ingest.Event {
	e.RawEvent = ""
	e.Audit.Notes = slices.DeleteFunc(slices.Clone(e.Audit.Notes), func(note string) bool {
		return strings.Contains(note, "masked in raw_event") || strings.Contains(note, "NUL characters")
	})
	if len(e.Audit.Notes) == 0 {
		e.Audit.Notes = nil
	}
	return e
}

func TestLogpush_ReadsEveryFormOfTime(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	at := time.Date(2026, 5, 12, 9, 14, 27, 123456789, time.UTC)
	unix := func(nanos int64) string { return strconv.FormatInt(nanos, 10) }
	for stated, want := range map[string]time.Time{
		`"` + at.Format(time.RFC3339Nano) + `"`: at,
		`"2026-05-12T11:14:27.123456789+02:00"`: at,
		unix(at.Unix()):                         at.Truncate(time.Second),
		`"` + unix(at.Unix()) + `"`:             at.Truncate(time.Second),
		unix(at.UnixMilli()):                    at.Truncate(time.Millisecond),
		unix(at.UnixMicro()):                    at.Truncate(time.Microsecond),
		unix(at.UnixNano()):                     at,
		unix(at.Unix()) + ".5":                  at.Truncate(time.Second).Add(500 * time.Millisecond),
		unix(at.Unix()) + ".123456789123":       at,
		unix(at.UnixMilli()) + ".456789":        at,
		`"` + unix(at.UnixMicro()) + `.789"`:    at,
		"1.778577267e9":                         at.Truncate(time.Second),
		"1778577267000E0":                       at.Truncate(time.Second),
		"978307200":                             {}, // before 2001
		"0":                                     {},
		"-1778577267":                           {},
		"9e99999":                               {},
		"9223372036854775808":                   {},
		`"0x6a02f0b3"`:                          {},
		`"NaN"`:                                 {},
		`"soon"`:                                {},
		`{}`:                                    {},
		`[1778577267]`:                          {},
		`true`:                                  {},
		`"1778577267.12x"`:                      {},
		`"1,778,577,267"`:                       {},
	} {
		for _, record := range []string{
			`{"ID":"x","ActionType":"purge","ResourceType":"zone","When":` + stated + `}`,
			`{"AuditLogID":"x","ActionType":"delete","ResourceProduct":"zones","ActionTimestamp":` + stated + `}`,
		} {
			w := new(work)
			w.decode(record)
			assert.Equal(t, want, w.entry.When, record)
			if want.IsZero() {
				_, v := n.Normalize([]byte(record))
				assert.NotEqual(t, "unreadable", v.Rule)
			}
		}
	}
}

// A job sends the fields that it was set up with.
func TestLogpush_ReadsWhatTheJobSends(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	for record, want := range map[string]struct{ api, action, id, ray string }{
		`{"ActionType":"purge","ResourceType":"zone","ID":"a"}`:                                                                     {audit.V1, "zone.cache.purge", "a", ""},
		`{"AuditLogID":"b","ActionType":"delete","ResourceType":"record"}`:                                                          {audit.V2, "record.delete", "b", ""},
		`{"AuditLogID":"c","Raw":{"CFRayID":"8f0c2b1d4e5a6789","Method":"delete","URI":"/zones/1/dns_records/2","StatusCode":200}}`: {audit.V2, "dns.record.delete", "c", "8f0c2b1d4e5a6789"},
		`{"AuditLogID":"d","Raw":"{\"cf_rayid\":\"8f0c2b1d4e5a6789\",\"method\":\"DELETE\",\"uri\":\"/zones/1/dns_records/2\"}"}`:   {audit.V2, "dns.record.delete", "d", "8f0c2b1d4e5a6789"},
	} {
		got, _ := n.Normalize([]byte(record))
		assert.Equal(t, want.api, got.Audit.API, record)
		assert.Equal(t, want.action, got.Action, record)
		assert.Equal(t, want.id, got.ExternalID, record)
		assert.Equal(t, want.ray, got.Audit.RequestID, record)
	}
}

// Masking is the same in every form.
func TestLogpush_MasksSecrets(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{}).Normalizer
	const secret = "open-sesame-31415926"
	for _, record := range []string{
		`{"ID":"a","ActionType":"token_create","ResourceType":"api_token","NewValue":{"value":"` + secret + `"}}`,
		`{"ID":"a","ActionType":"token_create","ResourceType":"api_token","NewValue":"{\"client_secret\":\"` + secret + `\"}"}`,
		`{"ID":"a","ActionType":"login","ResourceType":"account","Metadata":"{\"password\":\"` + secret + `\"}"}`,
		`{"AuditLogID":"a","Raw":{"uri":"/x?token=` + secret + `","method":"POST"},"ResourceRequest":{"password":"` + secret + `"}}`,
		`{"AuditLogID":"a","Raw":"{\"uri\":\"/x?token=` + secret + `\",\"method\":\"POST\"}","ResourceResponse":"{\"result\":\"` + secret + `\"}"}`,
		`{"AuditLogID":"a","Raw":{"URI":"/x?token=` + secret + `","method":"POST"},"ResourceValue":"` + secret + `"}`,
	} {
		got, _ := n.Normalize([]byte(record))
		assert.NotContains(t, string(got.AppendJSON(nil)), secret, record)
		assert.Contains(t, string(got.RawEvent), "[masked]", record)
	}
}
