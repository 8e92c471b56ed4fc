package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

func settingChange(zone, name, group, from, to string) string {
	return logged("zone", "change_setting", `"metadata":{"zone_name":"`+zone+`","name":"`+name+`","type":"`+group+`","old_value":"`+from+`","value":"`+to+`"}`)
}

var zoneSuite = suite{
	pairs: slices.Concat(
		rows("/zone.settings.read", "zone.settings.read", drop, same, same, inZone),
		rows("/zone.transfer_out", "zone.transfer_out", high, same, same, inZone),
		// The account is the resource when a zone is added to it.
		rows("account/add", "zone.create", low, same, same, inZone),
		rows("account/pending", "zone.pending", info, same, same, inZone),
		rows("zone/delete; ?zones/delete", "zone.delete", high, same, same, inZone),
		rows("?zone/transfer_out; ?registrar.domain/transferred_out", "zone.transfer_out", high, same, same, inZone),
		rows("zone/purge; ?purge_cache/create", "zone.cache.purge", low, same, same, inZone),
		rows("?hold/delete; ?zone.hold/delete", "zone.hold.remove", medium, same, same, inZone),
		rows("?dnssec/delete", "zone.dnssec.disable", medium, same, same, inZone),
		rows("?dnssec/update", "zone.dnssec.disable", medium, same, low, inZone, values(`{"status":"active"}`, `{"status":"disabled"}`)),
		rows("?dnssec/update", "zone.dnssec.update", medium, same, same, inZone),
		rows("pagerule/update", "zone.pagerule.update", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("?pagerule/create", "zone.pagerule.create", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("?pagerule/delete", "zone.pagerule.delete", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"forwarding_url"}]}`)),
		rows("?pagerule/create", "zone.pagerule.create", medium, same, same, newValue(`{"actions":[{"id":"forwarding_url"}]}`)),
		rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", drop, same, same, bySystem, inZone),
		rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", info, same, same, inZone),
		// A setting that protects is graded by the direction of the change.
		rows("zone/change_setting", "zone.settings.update", low, same, low, `"metadata":{"name":"ipv6","type":"network","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, same, `"metadata":{"name":"security_level","type":"firewall","value":"medium","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, same, `"metadata":{"name":"ciphers","type":"ssl","value":"x","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"high","value":"low","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"medium","value":"essentially_off","zone_name":"example.com"}`),
		// Development mode affects the cache only.
		rows("zone/change_setting", "zone.settings.update", low, same, low, `"metadata":{"name":"development_mode","type":"cache","old_value":"off","value":"on","zone_name":"example.com"}`),
		rows("zone/change_setting", "waf_rule.disable", high, medium, low, `"metadata":{"name":"waf","type":"firewall","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"ssl","type":"ssl","old_value":"strict","value":"flexible","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"min_tls_version","type":"ssl","old_value":"1.2","value":"1.0","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"always_use_https","type":"ssl","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_header","type":"ssl","zone_name":"example.com","old_value":{"strict_transport_security":{"enabled":true,"max_age":31536000}},"value":{"strict_transport_security":{"enabled":false,"max_age":0}}}`),
		rows("?settings/update; ?zone.settings/update; ?settings.ssl/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"ssl","value":"strict"}`, `{"id":"ssl","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"security_level","value":"high"}`, `{"id":"security_level","value":"off"}`)),
		rows("?settings/update", "waf_rule.disable", high, medium, low, inZone, values(`{"id":"waf","value":"on"}`, `{"id":"waf","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"always_use_https","value":"on"}`, `{"id":"always_use_https","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"min_tls_version","value":"1.3"}`, `{"id":"min_tls_version","value":"1.1"}`)),
		rows("?settings/update", "zone.settings.update", low, same, low, inZone, values(`{"id":"ipv6","value":"on"}`, `{"id":"ipv6","value":"off"}`)),
		rows("?zone/patch_settings", "zone.settings.update", low, same, same, inZone),
		// Reads of settings are dropped. Other reads are graded, not dropped.
		rows("settings/view; settings.origin_max_http_version/view; settings.speed_brain/view; settings.rum/view; ?zone.settings/read; ?zone.setting/viewed; ?zone/settings_read",
			"zone.settings.read", drop, same, same, inZone),
		rows("zones/view", "zone.view", info, same, same),
		rows("ssl.certificate_packs/view", "zone.certificate.view", info, same, same),
		rows("hold/view", "zone.hold.view", info, same, same),
		rows("dnssec/view", "zone.dnssec.view", info, same, same),
		rows("?registrar.domain/update", "registrar.domain.unlock", high, same, low, values(`{"locked":true}`, `{"locked":false}`)),
		rows("?registrar.domain/update", "registrar.domain.update", medium, same, same, values(`{"locked":false,"auto_renew":true}`, `{"locked":false,"auto_renew":false}`)),
		rows("?registrar.domain/auth_code_view", "registrar.auth_code.view", high, same, same),
		rows("?zone/update", "zone.pause", medium, same, low, inZone, values(`{"paused":false}`, `{"paused":true}`)),
		rows("?zone/update", "zone.update", medium, same, same, inZone, values(`{"type":"full"}`, `{"type":"secondary"}`)),
		rows("?hold/update", "zone.hold.remove", medium, same, same, inZone, newValue(`{"hold_after":"2027-01-31T15:56:36Z"}`)),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"waf","value":"on"}]}`, `{"actions":[{"id":"waf","value":"off"}]}`)),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"host_header_override","value":"a.example"}]}`)),
	),
	calls: zoneCalls(),
	examples: map[string]ruleExample{
		"zone-transferred-out":        {logged("zone", "transfer_out", inProduction), logged("zone", "transfer_in", inProduction)},
		"domain-unlocked":             {logged("registrar.domain", "unlock"), logged("registrar.domain", "lock")},
		"zone-deleted":                {logged("zone", "delete", inStaging), logged("zone", "purge", inProduction)},
		"zone-paused":                 {logged("zone", "pause", inProduction), logged("zone", "unpause", inProduction)},
		"zone-hold-removed":           {logged("zone.hold", "delete", inProduction), logged("zone.hold", "create", inProduction)},
		"dnssec-disabled":             {logged("dnssec", "delete", inProduction), logged("dnssec", "create", inProduction)},
		"dnssec-changed":              {logged("dnssec", "update", inProduction), logged("dnssec", "update", inProduction, newValue(`{"status":"disabled"}`))},
		"zone-created":                {logged("account", "add", inProduction), logged("account", "add")},
		"zone-pending":                {logged("account", "pending", inProduction), logged("account", "add", inProduction)},
		"cache-purged":                {logged("zone", "purge", inProduction), logged("zone", "delete", inProduction)},
		"page-rule-forwards":          {logged("pagerule", "update", newValue(`{"actions":[{"id":"forwarding_url"}]}`)), logged("pagerule", "update", newValue(`{"actions":[{"id":"cache_level"}]}`))},
		"page-rule-changed":           {logged("pagerule", "delete"), logged("pagerule", "create", newValue(`{"actions":[{"id":"forwarding_url"}]}`))},
		"setting-weakened-production": {settingChange("example.com", "ssl", "ssl", "strict", "flexible"), settingChange("example.com", "ssl", "ssl", "flexible", "strict")},
		"setting-weakened":            {settingChange("staging.example.net", "ssl", "ssl", "strict", "flexible"), settingChange("example.com", "ssl", "ssl", "strict", "flexible")},
		"setting-strengthened":        {settingChange("example.com", "min_tls_version", "ssl", "1.0", "1.2"), settingChange("example.com", "min_tls_version", "ssl", "1.2", "1.0")},
		"setting-protective":          {settingChange("example.com", "ciphers", "ssl", "a", "b"), settingChange("example.com", "minify", "speed", "a", "b")},
		"setting-changed":             {settingChange("example.com", "ipv6", "network", "on", "off"), logged("zone.settings", "read")},
		"domain-code-shown":           {logged("registrar.domain", "auth_code_view"), logged("registrar.domain", "view")},
		"domain-locked":               {logged("registrar.domain", "update", values(`{"locked":false}`, `{"locked":true}`)), logged("registrar.domain", "update", values(`{"locked":true}`, `{"locked":false}`))},
		"domain-changed":              {logged("registrar.domain", "update", values(`{"auto_renew":true}`, `{"auto_renew":false}`)), logged("registrar.domain", "create")},
		"name-servers-changed":        {logged("zone", "update", values(`{"type":"full"}`, `{"type":"partial"}`)), logged("zone", "update", values(`{"plan":"a"}`, `{"plan":"b"}`))},
		"page-rule-weakens":           {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, newValue(`{"actions":[{"id":"disable_security"}]}`)), logged("pagerule", "update", values(`{"actions":[{"id":"waf","value":"off"}]}`, `{"actions":[{"id":"waf","value":"on"}]}`))},
		"page-rule-leads-elsewhere":   {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, newValue(`{"actions":[{"id":"resolve_override","value":"o.example.net"}]}`)), logged("pagerule", "create", newValue(`{"actions":[{"id":"cache_level"}]}`))},
	},
	facts: map[string]factCase{
		"zone": {
			raw:  logged("zone", "delete", `"metadata":{"zone_name":"example.org"}`),
			want: rules.Facts{Target: "example.org", ZoneName: "example.org", ZoneID: "r1"},
		},
		"setting": {
			raw:  logged("zone", "change_setting", `"metadata":{"name":"SSL","type":"ssl","value":"full","old_value":"strict","zone_name":"example.com"}`),
			want: rules.Facts{Target: "ssl", Setting: "ssl", SettingPath: "ssl/ssl", ZoneName: "example.com", ZoneID: "r1", Direction: rules.Weaker},
		},
	},
	moves: map[string]moveCase{
		"DNSSEC off":  {logged("dnssec", "update", values(`{"status":"active"}`, `{"status":"disabled"}`)), "zone.dnssec.disable", rules.Weaker, ""},
		"DNSSEC on":   {logged("dnssec", "update", values(`{"status":"disabled"}`, `{"status":"active"}`)), "zone.dnssec.enable", rules.Safer, ""},
		"hold off":    {logged("zone.hold", "update", values(`{"hold":true}`, `{"hold":false}`)), "zone.hold.remove", rules.Weaker, ""},
		"zone paused": {logged("zone", "update", values(`{"paused":false}`, `{"paused":true}`)), "zone.pause", rules.Weaker, ""},
	},
}

func zoneCalls() callList {
	var list callList
	list.add("HEAD {z}", "zone.view", drop)
	list.add("POST /zones", "zone.create", low, requestBody(`{"name":"example.com"}`))
	list.add("PATCH {z}", "zone.update", low)
	list.add("PATCH {z}", "zone.pause", medium, requestBody(`{"paused":true}`))
	list.add("DELETE {z}; DELETE {z}/?force=1", "zone.delete", high)
	list.add("GET /zones; GET {z}", "zone.view", drop)
	list.add("POST {z}/purge_cache", "zone.cache.purge", low)
	list.add("PATCH {z}/settings/ssl; PUT {z}/settings/ssl", "zone.settings.update", medium, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings/brotli", "zone.settings.update", low, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings/waf", "waf_rule.disable", high, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings; PUT {z}/settings", "zone.settings.update", medium, requestBody(`{"items":[{"id":"ipv6","value":"on"},{"id":"ssl","value":"off"}]}`))
	list.add("GET {z}/settings; GET {z}/settings/ssl", "zone.settings.read", drop)
	list.add("PATCH {z}/custom_certificates/1; PATCH {z}/custom_hostnames/1", "zone.certificate.update", low)
	list.add("POST {z}/custom_certificates; POST {z}/ssl/certificate_packs/order", "zone.certificate.create", low)
	list.add("DELETE {z}/ssl/certificate_packs/1", "zone.certificate.delete", low)
	list.add("PATCH {z}/dnssec", "zone.dnssec.disable", medium, requestBody(`{"status":"disabled"}`))
	list.add("PATCH {z}/dnssec; PUT {z}/dnssec", "zone.dnssec.enable", low, requestBody(`{"status":"active"}`))
	list.add("DELETE {z}/dnssec", "zone.dnssec.disable", medium)
	list.add("GET {z}/dnssec", "zone.dnssec.view", drop)
	list.add("POST {z}/hold", "zone.hold.create", low)
	list.add("PATCH {z}/hold", "zone.hold.update", low)
	list.add("DELETE {z}/hold", "zone.hold.remove", medium)
	list.add("GET {z}/hold", "zone.hold.view", drop)
	list.add("POST {z}/pagerules", "zone.pagerule.create", medium, requestBody(`{"actions":[{"id":"forwarding_url"}],"targets":[{"constraint":{"value":"example.com/*"}}]}`))
	list.add("PUT {z}/pagerules/1; PATCH {z}/pagerules/1", "zone.pagerule.update", low)
	list.add("DELETE {z}/pagerules/1", "zone.pagerule.delete", low)
	list.add("PUT {a}/registrar/domains/example.com", "registrar.domain.update", medium)
	list.add("PATCH {a}/registrar/domains/example.com", "registrar.domain.unlock", high, requestBody(`{"locked":false}`))
	list.add("PUT {z}/hostnames/settings/min_tls_version/a.example.com; PATCH {z}/hostnames/settings/min_tls_version/a.example.com", "zone.settings.update", medium, requestBody(`{"value":"1.0"}`))
	list.add("PATCH {z}/ssl/universal/settings", "zone.settings.update", medium, requestBody(`{"enabled":false}`))
	list.add("PATCH {z}/settings/security_level", "zone.settings.update", medium, requestBody(`{"value":"essentially_off"}`))
	list.add("PATCH {z}/settings/ssl; PATCH {z}/settings/ssl", "zone.settings.update", low, requestBody(`{"value":"strict"}`))
	list.add("PATCH {z}/settings/ciphers", "zone.settings.update", medium, requestBody(`{"value":["AES128-SHA"]}`))
	list.add("PATCH {z}", "zone.unpause", low, requestBody(`{"paused":false}`))
	list.add("PATCH {z}", "zone.update", medium, requestBody(`{"vanity_name_servers":["ns1.example.net"]}`))
	list.add("PATCH {z}/hold", "zone.hold.remove", medium, requestBody(`{"hold_after":"2027-01-31T15:56:36Z"}`))
	list.add("PUT {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.update", medium, requestBody(`{"origin":"o.example.net"}`))
	list.add("DELETE {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete", medium)
	list.add("GET {a}/registrar/domains/example.com/auth_code; POST {a}/registrar/domains/example.com/auth_code", "registrar.auth_code.view", high)
	list.add("POST {a}/registrar/domains/example.com/transfer_out; PUT {a}/registrar/domains/example.com/transfer_out", "zone.transfer_out", high)
	return list
}

func TestZone_EveryEntryIsUnderstoodAndGraded(t *testing.T) { zoneSuite.check(t) }

func TestZones_ASettingIsWeakenedOrStrengthened(t *testing.T) {
	t.Parallel()
	set := func(name, from, to string) string {
		if from != "" {
			from = `"old_value":` + from + `,`
		}
		return logged("zone", "change_setting", `"metadata":{"name":"`+name+`",`+from+`"value":`+to+`,"zone_name":"example.com"}`)
	}
	// Each setting moves from its weak value to its safe one, and back.
	for name, ends := range map[string][2]string{
		"security_level": {`"essentially_off"`, `"low"`}, "ssl": {`"flexible"`, `"full"`}, "min_tls_version": {`"1.0"`, `"1.2"`},
		"always_use_https": {`"off"`, `"on"`}, "browser_check": {`false`, `true`}, "0rtt": {`"on"`, `"off"`},
		"security_header": {`{"strict_transport_security":{"enabled":false}}`, `{"strict_transport_security":{"enabled":true}}`},
		"waf":             {`"off"`, `"on"`}, "tls_client_auth": {`"off"`, `"on"`},
	} {
		up, down := understood(t, set(name, ends[0], ends[1])), understood(t, set(name, ends[1], ends[0]))
		assert.Equal(t, rules.Safer, up.Direction, name)
		assert.Equal(t, rules.Weaker, down.Direction, name)
		unmoved := understood(t, set(name, ends[1], ends[1]))
		assert.Empty(t, unmoved.Direction, name)
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"to the bottom from an unknown value": {set("security_level", "", `"off"`), rules.Weaker},
		"to the top from an unknown value":    {set("min_tls_version", "", `"1.3"`), rules.Safer},
		"to the middle from an unknown value": {set("ssl", "", `"full"`), ""},
		"HSTS forgotten at once": {set("security_header", `{"strict_transport_security":{"enabled":true,"max_age":31536000}}`,
			`{"strict_transport_security":{"enabled":true,"max_age":0}}`), rules.Weaker},
		"a value that is not known":       {set("ssl", `"strict"`, `"quantum"`), ""},
		"a setting that protects nothing": {set("ipv6", `"on"`, `"off"`), ""},
		"values outside the metadata": {logged("zone", "change_setting", `"metadata":{"name":"ssl"}`,
			`"oldValue":"strict"`, `"newValue":"flexible"`), rules.Weaker},
		"values as objects": {logged("zone.settings", "update", `"oldValueJson":{"id":"ssl","value":"strict"}`,
			`"newValueJson":{"id":"ssl","value":"flexible"}`), rules.Weaker},
	} {
		assert.Equal(t, tt.want, understood(t, tt.raw).Direction, name)
	}
	for name, list := range settingOrders {
		assert.GreaterOrEqual(t, len(strings.Fields(list)), 2, name)
		assert.Equal(t, strings.ToLower(name), name)
	}
}
