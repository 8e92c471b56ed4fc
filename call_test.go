package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/testdata"
)

func TestCall_FillsEveryFieldOfAnEvent(t *testing.T) {
	t.Parallel()
	raw := requested("patch", "/client/v4/zones/"+zone+"/dns_records/372e67954025e0ba6aaa6d586b9e0b59?_=1",
		`.action:{"description":"Update DNS Record","result":"success","time":"2026-05-12T09:14:27.305112Z","type":"update"}`,
		`.actor:{"context":"api_token","email":"mallory@example.com","id":"a1","ip_address":"::ffff:203.0.113.66","token":{"id":"t1","name":"terraform"},"type":"user"}`,
		`"product":"dns_records"`, `"scope":"zones"`, body(`{"content":"203.0.113.66"}`),
		answer(`{"id":"372e67954025e0ba6aaa6d586b9e0b59","type":"A","name":"www.example.com","content":"203.0.113.66"}`))
	got, v := normalizer(t, Config{}).Normalize([]byte(raw))
	assert.Equal(t, ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "0196c3a1-0000-7000-8000-000000000001",
		Title: "DNS A record redirected: www.example.com", Severity: medium, Action: "dns.record.update",
		Actor: "mallory@example.com", SrcIP: "203.0.113.66", Hostname: "example.com",
		CreatedAt:       time.Date(2026, 5, 12, 9, 14, 27, 305112000, time.UTC),
		MITRETechniques: []string{"T1584.002", "T1557"},
		RawEvent:        ingest.RawJSON(raw),
		Audit: ingest.Audit{
			Outcome: "success", ActionType: "update", ActorID: "a1", ActorType: "user", ActorEmail: "mallory@example.com",
			Interface: "API", Scope: "zone", AccountID: account, ResourceType: "dns_records", ResourceID: "372e67954025e0ba6aaa6d586b9e0b59",
			ZoneID: zone, ZoneName: "example.com", Target: "www.example.com",
			Changes: []ingest.FieldChange{{Field: "content", New: "203.0.113.66"}},
			Rule:    "dns-record-redirected", Why: v.Why, API: "v2", CorrelationID: got.Audit.CorrelationID,
			Request: ingest.Request{
				Description: "Update DNS Record", Method: "PATCH",
				URI:        "/client/v4/zones/" + zone + "/dns_records/372e67954025e0ba6aaa6d586b9e0b59?_=1",
				StatusCode: "200", UserAgent: "curl/8", RequestID: "8f0a", Credential: "api_token", TokenID: "t1", TokenName: "terraform",
			},
		},
	}, got)
	assert.NotEmpty(t, got.Audit.CorrelationID)
}

func TestCall_ReadsEntriesAsSentAndAsDocumented(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	// The token as it is documented, and a status as text.
	got, _ := n.Normalize([]byte(requested("DELETE", "/zones/"+zone,
		`.actor:{"context":"api_token","id":"a1","token_id":"t1","token_name":"ci","type":"account"}`,
		`.raw:{"method":"DELETE","status_code":"200","uri":"/zones/`+zone+`"}`)))
	assert.Equal(t, "t1", got.Audit.TokenID)
	assert.Equal(t, "ci", got.Audit.TokenName)
	assert.Equal(t, "200", got.Audit.StatusCode)
	assert.Equal(t, "delete", got.Audit.ActionType, "the method says it where the entry does not")
	assert.Equal(t, "zones", got.Audit.ResourceType)

	for context, want := range map[string]string{
		"dash": "UI", "api_key": "API", "api_token": "API", "oauth": "API", "origin_ca_key": "API", "": "",
	} {
		got, _ := n.Normalize([]byte(requested("DELETE", "/zones/"+zone, `.actor:{"context":"`+context+`","id":"a1"}`)))
		assert.Equal(t, want, got.Audit.Interface, context)
		assert.Equal(t, context, got.Audit.Credential)
	}
	for result, want := range map[string]string{"success": "success", "failure": "failure", "": ""} {
		got, _ := n.Normalize([]byte(requested("DELETE", "/zones/"+zone, `.action:{"result":"`+result+`"}`)))
		assert.Equal(t, want, got.Audit.Outcome)
		assert.Equal(t, result == "failure", strings.HasSuffix(got.Action, ".failed"))
	}
	got, _ = n.Normalize([]byte(requested("POST", "/zones/"+zone+"/unheard_of", `.actor:{"type":"cloudflare_admin","id":"9"}`)))
	assert.Equal(t, "Cloudflare staff", got.Actor)
	assert.Equal(t, "other-by-staff", got.Audit.Rule)
}

// Both logs lead to the same scope.
func TestNormalize_TellsTheScopeAlikeFromBothLogs(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, want := range map[string]string{
		logged("account", "login", `"owner":{"id":"a1"}`):                            "user",
		strings.Replace(logged("account", "token_create"), `"o1"`, `"someone"`, 1):   "user",
		strings.Replace(logged("account", "token_create"), "o1", account, 1):         "account",
		strings.Replace(logged("dns.record", "delete", inZone), "o1", account, 1):    "zone",
		strings.Replace(logged("zone", "purge"), `"owner":{"id":"o1"}`, `"x":1`, 1):  "",
		requested("POST", "/user/tokens", `"scope":"user"`):                          "user",
		requested("POST", "/user/tokens"):                                            "user",
		requested("DELETE", "/memberships/372e67954025e0ba6aaa6d586b9e0b59"):         "user",
		requested("POST", "/accounts/"+account+"/tokens", `"scope":"accounts"`):      "account",
		requested("POST", "/accounts/"+account+"/tokens"):                            "account",
		requested("DELETE", "/zones/"+zone+"/dns_records/x", `"scope":"zones"`):      "zone",
		requested("DELETE", "/zones/"+zone+"/dns_records/x", `"scope":{"odd":true}`): "zone",
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.Equal(t, want, got.Audit.Scope, raw)
	}
}

// The members of an entry tell which log it is from.
func TestNormalize_TellsTheTwoLogsApart(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, want := range map[string]string{
		logged("zone", "purge"):                                           "v1",
		`{"id":"x","action":{"type":"purge"}}`:                            "v1",
		`{"id":"x","action":{"type":"purge"},"resource":{"type":"zone"}}`: "v1",
		`{}`:                                "v1",
		`"text"`:                            "v1",
		requested("DELETE", "/zones/"+zone): "v2",
		`{"action":{"description":"Purge","time":"2026-05-12T09:00:00Z"}}`:   "v2",
		`{"id":"x","raw":{"method":"DELETE","uri":"/zones/` + zone + `"}}`:   "v2",
		`{"id":"x","resource":{"product":"zones"},"action":{"type":"view"}}`: "v2",
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.Equal(t, want, got.Audit.API, raw)
	}
}

// Where no route fits, the description names the action, and without a useful one
// the product does.
func TestCall_UnknownPathsAreNamedByDescriptionAndProduct(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for raw, want := range map[string]string{
		requested("DELETE", "/v5/unheard/of", `.action:{"description":"Delete DNS Record"}`):                  "dns.record.delete",
		requested("POST", "/user/login", `.action:{"description":"SSO_LOGIN","type":"login"}`):                "account.login",
		requested("", "", `.action:{"description":"Create SCIM User","type":"create"}`):                       "member.add",
		requested("PUT", "/v5/x", `.action:{"description":"Frobnicate","type":"update"}`, `"product":"hold"`): "zone.hold.update",
		requested("POST", "/zones/"+zone+"/hologram/apps"):                                                    "hologram.apps.create",
		requested("POST", "/zones/"+zone+"/hologram/apps", `"product":"hologram"`, `"type":"apps"`):           "hologram.apps.create",
		requested("DELETE", "/user/webauthn/372e67954025e0ba6aaa6d586b9e0b59"):                                "account.2fa.disable",
		requested("POST", "/zones/"+zone+"/"):                                                                 "zone.create",
		requested("POST", "", `.action:{"description":"Purge Cached Content"}`):                               "unknown.purge_cached_content",
		requested("BREW", ""): "unknown",
	} {
		_, f := n.grade(raw)
		assert.Equal(t, want, f.first("action"), raw)
	}
}

func TestCall_RulesetsAreNamedByTheirRequest(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}})
	rules := `{"rules":[{"id":"1","action":"block","enabled":false,"description":"old"},{"id":"2","action":"skip","description":"mine"}]}`
	result := `{"id":"s1","name":"default","kind":"zone","phase":"http_request_firewall_custom","rules":[{"id":"1","description":"scanners","enabled":false}]}`
	for raw, want := range map[string]struct {
		name, title string
	}{
		requested("PUT", "/zones/"+zone+"/rulesets/phases/http_request_firewall_custom/entrypoint", body(rules), answer(result)): {
			"zone.firewall.rule.update", "Firewall rule changed: default for example.com"},
		requested("PUT", "/zones/"+zone+"/rulesets/s1", body(rules), answer(`{"result":`+result+`,"success":true}`)): {
			"zone.firewall.rule.update", "Firewall rule changed: default for example.com"},
		requested("PUT", "/zones/"+zone+"/rulesets/phases/http_request_transform/entrypoint", body(rules)): {"zone.ruleset.update", "Rule set for caching, transforming or configuring changed"},
		requested("PATCH", "/zones/"+zone+"/rulesets/s1/rules/1", body(`{"enabled":false}`), answer(result)): {
			"firewall_rule.disable", "Firewall rule disabled: scanners for example.com"},
		requested("PATCH", "/zones/"+zone+"/rulesets/s1/rules/1", body(`{"expression":"true"}`), answer(result)): {
			"zone.firewall.rule.update", "Firewall rule changed: scanners for example.com"},
		requested("POST", "/zones/"+zone+"/rulesets/s1/rules", body(`{"action":"skip","description":"mine"}`), answer(result)): {
			"zone.firewall.rule.create", "Firewall rule weakened: mine for example.com"},
		requested("DELETE", "/accounts/"+account+"/rulesets/s1/rules/1"): {"zone.firewall.rule.delete", "Account-wide firewall rule deleted: 1"},
	} {
		v, f := n.grade(raw)
		assert.Equal(t, want.name, f.first("action"), raw)
		assert.Equal(t, want.title, v.Title, raw)
	}
}

func TestCall_OfSeveralSettingsTheMostSevereDecides(t *testing.T) {
	t.Parallel()
	raw := requested("PATCH", "/zones/"+zone+"/settings",
		body(`{"items":[{"id":"brotli","value":"off"},{"id":"min_tls_version","value":"1.2"},{"id":"ssl","value":"off"}]}`))
	got, _ := normalizer(t, Config{}).Normalize([]byte(raw))
	assert.Equal(t, "Traffic of zone no longer encrypted: ssl to off for example.com", got.Title)
	assert.Equal(t, raw, string(got.RawEvent), "settings are no secrets")
}

// The event holds the whole batch; its most severe change grades it.
func TestCall_ABatchThatDeletesIsADeletion(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}})
	batch := "/zones/" + zone + "/dns_records/batch"
	got, _ := n.Normalize([]byte(requested("POST", batch, body(`{"deletes":[{"id":"r1"},{"id":"r2"}]}`),
		answer(`{"deletes":[{"id":"r1","type":"TXT","name":"a.example.com"},{"id":"r2","type":"MX","name":"example.com"}],"posts":[]}`))))
	assert.Equal(t, "DNS MX record deleted: example.com and 1 more", got.Title)
	assert.Equal(t, "dns.record.delete", got.Action)
	assert.Equal(t, medium, got.Severity)
	single, _ := n.Normalize([]byte(logged("dns.record", "delete", inZone, `"owner":{"id":"`+account+`"}`,
		`"resource":{"type":"dns.record","id":"r2"}`, before(`{"type":"MX","name":"example.com"}`))))
	assert.Equal(t, single.Audit.CorrelationID, got.Audit.CorrelationID, "it counts as the entry of its most severe change")

	got, _ = n.Normalize([]byte(requested("POST", batch, body(`{"deletes":[{"id":"r1"}]}`))))
	assert.Equal(t, "DNS record deleted", got.Title)
	got, _ = n.Normalize([]byte(requested("POST", batch, body(`{"posts":[{"type":"A","name":"www"}]}`))))
	assert.Equal(t, "dns.record.create", got.Action)
	assert.Equal(t, "www.example.com", got.Audit.Target, "a name within the zone is made whole")
}

func TestCall_TokensAreGradedByTheirScopes(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	policies := func(resource, group string) string {
		return `{"name":"ci","policies":[{"effect":"allow","resources":{"` + resource + `":"*"},"permission_groups":[{"id":"p1","name":"` + group + `"}]}]}`
	}
	issued := answer(`{"id":"ed17574386854bf78a67040be0a770b0","name":"ci","value":"cfut_1111111111111111111111111111111example"}`)
	for _, path := range []string{"/user/tokens", "/accounts/" + account + "/tokens"} {
		for request, want := range map[string]string{
			policies("com.cloudflare.api.account.*", "Zone Read"):                "API token with broad scopes created: ci",
			policies("com.cloudflare.api.account.zone."+zone, "DNS Write"):       "API token with broad scopes created: ci",
			policies("com.cloudflare.api.account.zone."+zone, "DNS Read"):        "API token created: ci",
			policies("com.cloudflare.api.account."+account, "Workers Tail Read"): "API token created: ci",
			`{"name":"ci"}`: "API token with unknown scopes created: ci",
		} {
			got, _ := n.Normalize([]byte(requested("POST", path, body(request), issued)))
			assert.Equal(t, want, got.Title, request)
			assert.NotContains(t, string(got.AppendJSON(nil)), "1111111example")
			assert.Contains(t, string(got.RawEvent), `"value":"[masked]"`)
			assert.Equal(t, []string{"1 value that is or may be a secret is masked in raw_event"}, got.Audit.Notes)
		}
	}
	got, _ := n.Normalize([]byte(requested("PUT", "/user/tokens/ed17574386854bf78a67040be0a770b0/value", body(`{}`), answer(`{"result":"anything","success":true}`))))
	assert.Equal(t, "API token rolled: ed17574386854bf78a67040be0a770b0", got.Title)
	assert.NotContains(t, string(got.RawEvent), "anything")
	require.Equal(t, "api_token.roll", got.Action)
}

// An entry takes time in proportion to its size, even one made to be expensive: with
// many members on both sides, or nested deeply.
func TestCall_LargeBodiesTakeLinearTime(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"m%d":%d`, i, i)
	}
	n := normalizer(t, Config{}).Normalizer
	deep := strings.Repeat(`{"type":"x","a":`, 2000) + "1" + strings.Repeat("}", 2000)
	for _, text := range []string{
		`{"name":"x"` + many.String() + `}`,
		`{"rules":[` + strings.Repeat(`{"id":"1","action":"block"},`, 50_000) + `{}]}`,
		`{"a":[` + strings.Repeat(deep+",", 20) + `1]}`,
	} {
		for _, path := range []string{"/v5/x", "/zones/" + zone + "/rulesets/s1/rules/r1", "/user/tokens"} {
			raw := []byte(requested("POST", path, body(text), answer(text)))
			start := time.Now()
			got, _ := n.Normalize(raw)
			// It takes a tenth of a second. Quadratic time would be far longer.
			assert.Less(t, time.Since(start), 30*time.Second, "%s of %d bytes", path, len(raw))
			assert.NotEmpty(t, got.RawEvent)
		}
	}
}

// The fixtures are understood, and the odd ones make sound events that say what is
// odd.
func TestCall_FixturesAreUnderstood(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	ordinary, err := fakecloudflare.Load(testdata.EntriesV2())
	require.NoError(t, err)
	for _, raw := range ordinary {
		got, v := n.Normalize(raw)
		assert.Equal(t, "v2", got.Audit.API)
		assert.NotContains(t, []string{"unknown", ""}, got.Action, "%s", raw)
		assert.NotEqual(t, "unreadable", v.Rule, "%s", raw)
		for _, secret := range []string{"made-up", "cfat_1", "cfut_1"} {
			assert.NotContains(t, string(got.AppendJSON(nil)), secret, "%s", raw)
		}
		for _, note := range got.Audit.Notes {
			assert.Contains(t, note, "masked in raw_event", "%s", raw)
		}
	}
	odd, err := os.ReadFile("testdata/entries_v2/odd.json")
	require.NoError(t, err)
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(odd, &list))
	noted := 0
	for _, raw := range list {
		got, _ := n.Normalize(raw)
		if len(got.Audit.Notes) > 0 {
			noted++
		}
	}
	assert.Greater(t, noted, 5)
}

// BenchmarkEvent_V2 is BenchmarkEvent for entries of Audit Logs v2.
func BenchmarkEvent_V2(b *testing.B) {
	benchmarkEvents(b, fakecloudflare.GenerateV2(1, 1000, historyFrom, historyFrom.AddDate(0, 0, 1)))
}
