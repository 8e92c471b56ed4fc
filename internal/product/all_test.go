package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var otherSuite = suite{
	pairs: slices.Concat(
		rows("acm.total_tls/view", "acm.total_tls.view", info, same, same),
		// An action that no rule is about is graded by its verb.
		rows("?hologram.app/created", "hologram.app.create", low, same, same),
		rows("?hologram.app/deleted", "hologram.app.delete", low, same, same),
		rows("?hologram.app/disabled", "hologram.app.disable", medium, same, same),
		rows("?hologram.app/frobnicated", "hologram.app.frobnicated", low, same, same),
	),
	calls: otherCalls(),
	examples: map[string]ruleExample{
		"unreadable":                      {`{"id":"x"}`, logged("zone", "")},
		"zone-settings-read":              {logged("zone.settings", "read", inProduction), logged("zone.settings", "read", inProduction, `"action":{"type":"read","result":false}`)},
		"tls-settings-deployed-by-system": {logged("zone", "tls_settings_deployed", bySystem, inProduction), logged("zone", "tls_settings_deployed", inProduction)},
		"certificate-renewal": {logged("dns.record", "delete", bySystem, inProduction, newValue(`{"type":"TXT","name":"_acme-challenge.example.com"}`)),
			logged("dns.record", "delete", inProduction, oldValue(`{"type":"TXT","name":"_acme-challenge.example.com"}`))},
		"dns-changed-by-system": {logged("dns.record", "delete", bySystem, inProduction, newValue(`{"type":"MX","name":"example.com"}`)),
			logged("dns.record", "delete", inProduction, oldValue(`{"type":"MX","name":"example.com"}`))},
		"zone-changed-by-system": {logged("zone", "change_setting", bySystem, `"metadata":{"name":"ssl","old_value":"full","value":"off"}`), settingChange("example.com", "ssl", "ssl", "full", "off")},
		"tls-settings-deployed":  {logged("zone", "tls_settings_deployed"), logged("zone", "tls_settings_deployed", bySystem)},
		"routine-read":           {requested("GET", "/zones/"+exampleZone+"/dns_records"), logged("dns_records", "view")},
		"other-by-staff":         {logged("hologram.app", "create", byStaff), logged("hologram.app", "create")},
		"protection-raised":      {logged("gateway.rule", "gateway_create", newValue(`{"name":"no malware","action":"block"}`)), logged("gateway.rule", "gateway_create", newValue(`{"name":"exempt","action":"off"}`))},
		"query":                  {called("POST {a}/access/policy-tests"), called("GET {a}/access/policy-tests")},
		"other-read":             {logged("hologram.app", "viewed"), logged("user", "API_key_view")},
		"other-disabled":         {logged("hologram.app", "disabled"), logged("hologram.app", "deleted")},
		"other":                  {logged("hologram.app", "frobnicated"), logged("zone", "delete")},
	},
	facts: map[string]factCase{
		"nothing but an id": {
			raw:  logged("hologram.app", "create"),
			want: rules.Facts{Target: "r1"},
		},
	},
}

func otherCalls() callList {
	var list callList
	list.add("POST {a}/frobnication/rotate", "frobnication.rotate", low)
	list.add("POST {a}/frobnication/1/nicate", "frobnication.nicate.create", low)
	return list
}

func TestOther_EveryEntryIsUnderstoodAndGraded(t *testing.T) { otherSuite.check(t) }
