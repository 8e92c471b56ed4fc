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

var settingsSuite = suite{
	pairs: slices.Concat(
		rows("/zone.settings.read", "zone.settings.read", drop, same, same, inZone),
		rows("zone/change_setting", "zone.settings.update", low, same, low, `"metadata":{"name":"ipv6","type":"network","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, same, `"metadata":{"name":"security_level","type":"firewall","value":"medium","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, same, `"metadata":{"name":"ciphers","type":"ssl","value":"x","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"high","value":"low","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"medium","value":"essentially_off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", low, same, low, `"metadata":{"name":"development_mode","type":"cache","old_value":"off","value":"on","zone_name":"example.com"}`),
		rows("zone/change_setting", "waf_rule.disable", high, medium, low, `"metadata":{"name":"waf","type":"firewall","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", high, low, low, `"metadata":{"name":"ssl","type":"ssl","old_value":"strict","value":"flexible","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"min_tls_version","type":"ssl","old_value":"1.2","value":"1.0","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"always_use_https","type":"ssl","old_value":"on","value":"off","zone_name":"example.com"}`),
		rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_header","type":"ssl","zone_name":"example.com","old_value":{"strict_transport_security":{"enabled":true,"max_age":31536000}},"value":{"strict_transport_security":{"enabled":false,"max_age":0}}}`),
		rows("?settings/update; ?zone.settings/update; ?settings.ssl/update", "zone.settings.update", high, low, low, inZone, values(`{"id":"ssl","value":"strict"}`, `{"id":"ssl","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"security_level","value":"high"}`, `{"id":"security_level","value":"off"}`)),
		rows("?settings/update", "waf_rule.disable", high, medium, low, inZone, values(`{"id":"waf","value":"on"}`, `{"id":"waf","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"always_use_https","value":"on"}`, `{"id":"always_use_https","value":"off"}`)),
		rows("?settings/update", "zone.settings.update", medium, low, low, inZone, values(`{"id":"min_tls_version","value":"1.3"}`, `{"id":"min_tls_version","value":"1.1"}`)),
		rows("?settings/update", "zone.settings.update", low, same, low, inZone, values(`{"id":"ipv6","value":"on"}`, `{"id":"ipv6","value":"off"}`)),
		rows("?zone/patch_settings", "zone.settings.update", low, same, same, inZone),
		rows("settings/view; settings.origin_max_http_version/view; settings.speed_brain/view; settings.rum/view; ?zone.settings/read; ?zone.setting/viewed; ?zone/settings_read",
			"zone.settings.read", drop, same, same, inZone),
		// Some action types carry the setting, whose values may be anywhere.
		rows("zone/set_min_tls_version; ?zone/update_min_tls_version; ?zone/min_tls_version_updated", "zone.settings.update", medium, low, low, inZone, values(`{"value":"1.2"}`, `{"value":"1.0"}`)),
		rows("?zone/set_min_tls_version", "zone.settings.update", medium, low, low, inZone, values(`{"min_tls_version":"1.2"}`, `{"min_tls_version":"1.0"}`)),
		rows("?zone/set_min_tls_version", "zone.settings.update", medium, low, same, inZone, `"oldValue":"1.2"`, `"newValue":"1.0"`),
		rows("?zone/set_min_tls_version", "zone.settings.update", medium, low, same, `"metadata":{"zone_name":"example.com","old_value":"1.2","value":"1.0"}`),
		rows("?zone/set_min_tls_version", "zone.settings.update", medium, low, same, `"metadata":{"zone_name":"example.com","min_tls_version":"1.0"}`),
		rows("?zone/set_ssl", "zone.settings.update", high, low, low, inZone, values(`{"value":"full"}`, `{"value":"flexible"}`)),
		rows("?zone/set_waf", "waf_rule.disable", high, medium, low, inZone, values(`{"value":"on"}`, `{"value":"off"}`)),
		rows("?zone/universal_ssl_disabled; ?zone/disable_tls_client_auth", "zone.settings.update", medium, low, same, inZone),
		rows("?zone/development_mode_updated; ?zone/enable_development_mode; ?zone/set_ipv6", "zone.settings.update", low, same, same, inZone),
		rows("?zone/ciphers_updated; ?zone/set_ciphers; ?zone/change_ciphers", "zone.settings.update", medium, low, same, inZone),
		rows("?zone/set_rocket_loader; ?zone/set_cname_flattening", "zone.settings.update", low, same, low, inZone, values(`{"value":"on"}`, `{"value":"off"}`)),
		rows("?zone/disable_always_use_https; ?zone/always_use_https_disabled", "zone.settings.update", medium, low, same, inZone),
		rows("?zone/enable_always_use_https", "zone.settings.update", low, same, same, inZone),
	),
	calls: settingsCalls(),
	examples: map[string]ruleExample{
		"setting-tls-off-production":  {settingChange("example.com", "ssl", "ssl", "strict", "flexible"), settingChange("example.com", "ssl", "ssl", "strict", "full")},
		"setting-weakened-production": {settingChange("example.com", "ssl", "ssl", "strict", "full"), settingChange("example.com", "ssl", "ssl", "full", "strict")},
		"setting-weakened":            {settingChange("staging.example.net", "ssl", "ssl", "strict", "flexible"), settingChange("example.com", "ssl", "ssl", "strict", "flexible")},
		"setting-strengthened":        {settingChange("example.com", "min_tls_version", "ssl", "1.0", "1.2"), settingChange("example.com", "min_tls_version", "ssl", "1.2", "1.0")},
		"setting-protective":          {settingChange("example.com", "ciphers", "ssl", "a", "b"), settingChange("example.com", "minify", "speed", "a", "b")},
		"setting-changed":             {settingChange("example.com", "ipv6", "network", "on", "off"), logged("zone.settings", "read")},
	},
	facts: map[string]factCase{
		"setting": {
			raw:  logged("zone", "change_setting", `"metadata":{"name":"SSL","type":"ssl","value":"full","old_value":"strict","zone_name":"example.com"}`),
			want: rules.Facts{Target: "ssl", Setting: "ssl", SettingPath: "ssl/ssl", ZoneName: "example.com", ZoneID: "r1", Direction: rules.Weaker},
		},
	},
}

func settingsCalls() callList {
	var list callList
	list.add("PATCH {z}/settings/ssl; PUT {z}/settings/ssl", "zone.settings.update", high, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings/ssl", "zone.settings.update", high, requestBody(`{"value":"flexible"}`))
	list.add("PATCH {z}/settings/brotli", "zone.settings.update", low, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings/waf", "waf_rule.disable", high, requestBody(`{"value":"off"}`))
	list.add("PATCH {z}/settings; PUT {z}/settings", "zone.settings.update", high, requestBody(`{"items":[{"id":"ipv6","value":"on"},{"id":"ssl","value":"off"}]}`))
	list.add("GET {z}/settings; GET {z}/settings/ssl", "zone.settings.read", drop)
	list.add("PUT {z}/hostnames/settings/min_tls_version/a.example.com; PATCH {z}/hostnames/settings/min_tls_version/a.example.com", "zone.settings.update", medium, requestBody(`{"value":"1.0"}`))
	list.add("PATCH {z}/ssl/universal/settings", "zone.settings.update", medium, requestBody(`{"enabled":false}`))
	list.add("PATCH {z}/settings/security_level", "zone.settings.update", medium, requestBody(`{"value":"essentially_off"}`))
	list.add("PATCH {z}/settings/ssl; PATCH {z}/settings/ssl", "zone.settings.update", low, requestBody(`{"value":"strict"}`))
	list.add("PATCH {z}/settings/ciphers", "zone.settings.update", medium, requestBody(`{"value":["AES128-SHA"]}`))
	list.add("DELETE {z}/hostnames/settings/http2/a.example.com", "zone.settings.reset", low)
	list.add("DELETE {z}/hostnames/settings/ciphers/a.example.com; DELETE {z}/hostnames/settings/min_tls_version/a.example.com", "zone.settings.reset", medium)
	list.add("DELETE {z}/settings/origin_tls_compliance_modes; DELETE {z}/cache/variants; DELETE {z}/url_normalization; DELETE {z}/managed_headers", "zone.settings.reset", low)
	list.add("PATCH {z}/cache/cache_reserve; PATCH {z}/argo/smart_routing", "zone.settings.update", low, requestBody(`{"value":"on"}`))
	list.add("POST {z}/cache/tiered_cache_smart_topology_enable", "zone.settings.update", low, requestBody(`{"value":"on"}`))
	list.add("PUT {z}/cache/origin_post_quantum_encryption; PATCH {z}/cache/origin_post_quantum_encryption", "zone.settings.update", medium, requestBody(`{"value":"off"}`))
	list.add("GET {z}/cache/cache_reserve; GET {z}/argo/smart_routing", "zone.settings.read", drop)
	list.add("POST {z}/acm/total_tls", "zone.settings.update", low, requestBody(`{"enabled":true}`))
	list.add("PUT {z}/url_normalization", "zone.settings.update", medium, requestBody(`{"scope":"none","type":"cloudflare"}`))
	list.add("PUT {z}/url_normalization", "zone.settings.update", low, requestBody(`{"scope":"both","type":"cloudflare"}`))
	list.add("PATCH {z}/managed_headers", "zone.settings.update", low, requestBody(`{"managed_request_headers":[{"id":"add_true_client_ip_headers","enabled":true}]}`))
	return list
}

func TestSettings_EveryEntryIsUnderstoodAndGraded(t *testing.T) { settingsSuite.check(t) }

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
		"a setting in the action type":    {logged("zone", "set_min_tls_version", `"oldValue":"1.0"`, `"newValue":"1.2"`), rules.Safer},
		"set in camel case":               {logged("zone", "setMinTLSVersion", `"oldValue":"1.2"`, `"newValue":"1.1"`), rules.Weaker},
		"old and new in the metadata":     {logged("zone", "set_ssl", `"metadata":{"old_ssl":"strict","new_ssl":"full"}`), rules.Weaker},
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
