package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// The settings of zones, and those of single hostnames.
var settings = family{
	prefixes:    oneOf{"zone.settings."},
	plainValues: true,
	read:        (*review).readSetting,
	pairs: []pair{
		{"zone", "change_setting", "zone.settings.update"},
		{"zone", "patch_settings", "zone.settings.update"}, // derived, not published
	},
	subjects: []subject{
		{"^setting zone_setting", "zone_setting", "zone.settings", "view=zone.settings.read", either, common},
		{"^zone$ ^zones$", "setting", "zone.settings", "view=zone.settings.read", both, common},
		// Some action types carry the setting: "set_min_tls_version".
		{"^zone$ ^zones$", "^set_", "zone.settings", "view=zone.settings.read", both, common},
		{"^zone$ ^zones$", namedSettings, "zone.settings", "view=zone.settings.read enable=zone.settings.update disable=zone.settings.update", both, common},
	},
	routes: []route{
		{"PUT PATCH", "/zones/{zone}/settings", "zone.settings.update"}, // since replaced by a newer path
		{"PUT PATCH", "/zones/{zone}/settings/{setting}", "zone.settings.update"},
		{"DELETE", "/zones/{zone}/settings/{setting}", "zone.settings.reset"}, // derived, not published
		{"GET", "/zones/{zone}/settings", "zone.settings.read"},               // since replaced by a newer path
		{"GET", "/zones/{zone}/settings/{setting}", "zone.settings.read"},
		{"PUT PATCH", "/zones/{zone}/hostnames/settings/{setting}/{id}", "zone.settings.update"},
		{"DELETE", "/zones/{zone}/hostnames/settings/{setting}/{id}", "zone.settings.reset"},
		{"PATCH", "/zones/{zone}/ssl/universal/settings", "zone.settings.update"},
		{"POST", "/zones/{zone}/acm/total_tls", "zone.settings.update"},
		{"PUT PATCH", "/zones/{zone}/cache/{setting}", "zone.settings.update"}, // derived, not published
		{"POST", "/zones/{zone}/cache/tiered_cache_smart_topology_enable", "zone.settings.update"},
		{"DELETE", "/zones/{zone}/cache/{setting}", "zone.settings.reset"}, // derived, not published
		{"GET", "/zones/{zone}/cache/{setting}", "zone.settings.read"},     // derived, not published
		{"PATCH", "/zones/{zone}/argo/{setting}", "zone.settings.update"},  // derived, not published
		{"GET", "/zones/{zone}/argo/{setting}", "zone.settings.read"},      // derived, not published
		{"PUT", "/zones/{zone}/url_normalization", "zone.settings.update"},
		{"DELETE", "/zones/{zone}/url_normalization", "zone.settings.reset"},
		{"PATCH", "/zones/{zone}/managed_headers", "zone.settings.update"},
		{"DELETE", "/zones/{zone}/managed_headers", "zone.settings.reset"},
	},
	joints: []joint{
		{actions: oneOf{"zone.settings.update", "waf_rule.*"}, about: isProtective, class: "zone.settings.update"},
		{actions: oneOf{"zone.settings.*"}},
	},
	rules: []rules.Rule{
		{ID: "setting-tls-off-production", Severity: high, Techniques: oneOf{"T1562.007", "T1040"},
			Match: rules.Match{Action: oneOf{"zone.settings.update"}, Production: new(true), Direction: oneOf{"weaker"},
				Changed: []rules.Change{{Field: "ssl", New: "off"}, {Field: "ssl", New: "flexible"}}},
			Title: "Traffic of zone no longer encrypted: {setting}[ from {old}][ to {new}][ for {zone}]",
			Why:   "Sessions and passwords of a zone in production travel in the clear, at least between Cloudflare and the origin, where other weakened settings leave them encrypted."},
		{ID: "setting-weakened-production", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.settings.update"}, Production: new(true), Direction: oneOf{"weaker"}},
			Title: "Zone protection weakened: {setting}[ from {old}][ to {new}][ for {zone}]",
			Why:   "A setting that protects a zone in production was lowered or switched off."},
		{ID: "setting-weakened", Severity: low, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.settings.update"}, Direction: oneOf{"weaker"}},
			Title: "Zone protection weakened outside production",
			Why:   "A setting that protects was lowered, in a zone that is not in production."},
		{ID: "setting-strengthened", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.settings.update"}, Direction: oneOf{"safer"}},
			Title: "Zone protection strengthened",
			Why:   "The change protects more than before."},
		{ID: "setting-protective", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.settings.update", "zone.settings.reset"}, Production: new(true), Setting: oneOf{
				"firewall/*", "ssl/*", "security_level", "ssl", "waf", "always_use_https", "min_tls_version", "security_header", "ciphers", "challenge_ttl", "privacy_pass"}},
			Title: "Zone protection changed: {setting}[ to {new}][ for {zone}]",
			Why:   "A setting that protects a zone in production was changed, and the entry does not tell in which direction."},
		{ID: "setting-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.settings.*"}, Verb: oneOf{"update", "create", "reset", "enable"}},
			Title: "Zone setting changed",
			Why:   "The setting is about speed or content rather than protection, or its zone is not in production."},
	},
}

// namedSettings are settings whose names are unlikely to mean anything else in an
// action type, such as "security_level_updated".
const namedSettings = "0rtt always_use_https automatic_https_rewrites brotli browser_cache_ttl browser_check cache_level challenge_ttl ciphers development_mode " +
	"early_hints email_obfuscation hotlink_protection http3 ipv6 min_tls_version opportunistic_encryption opportunistic_onion privacy_pass " +
	"replace_insecure_js rocket_loader security_header security_level server_side_exclude tls_1_2_only tls_1_3 tls_client_auth universal_ssl websockets"

// settingOrders are the values of the zone settings that protect something, from
// the weakest to the safest; see [directionIn].
var settingOrders = map[string]string{
	"security_level":  "off essentially_off | low medium high | under_attack",
	"ssl":             "off flexible | full | strict origin_pull",
	"min_tls_version": "1.0 1.1 | 1.2 | 1.3",

	"always_use_https":          offOn,
	"advanced_ddos":             offOn,
	"automatic_https_rewrites":  offOn,
	"bic":                       offOn, // the browser check of a configuration rule
	"bot_fight_mode":            offOn,
	"browser_check":             offOn,
	"dnssec":                    offOn,
	"email_obfuscation":         offOn,
	"hotlink_protection":        offOn,
	"hsts":                      offOn,
	"leaked_credential_checks":  offOn,
	"opportunistic_encryption":  offOn,
	"replace_insecure_js":       offOn,
	"security_header":           offOn,
	"server_side_exclude":       offOn,
	"strict_transport_security": offOn,
	"tls_1_2_only":              offOn,
	"tls_1_3":                   offOn,
	"tls_client_auth":           offOn,
	"universal_ssl":             offOn,
	"waf":                       offOn,

	"0rtt":                           "on off",
	"origin_post_quantum_encryption": "off supported preferred",
	"url_normalization":              "none | incoming | both",
}

// isProtective reports whether an entry is about a setting that protects
// something.
func isProtective(f *Facts) bool { return settingOrders[f.Setting] != "" }

func settingDirection(setting string, before, now jsondoc.Value) string {
	return directionIn(settingOrders[setting], before, now)
}

// bodySettings are the settings whose path does not name them, by the words of the
// path, with the members of the body that have their values.
var bodySettings = map[string]struct{ name, member string }{
	"ssl.universal.settings": {"universal_ssl", "enabled"},
	"acm.total_tls":          {"total_tls", "enabled"},

	"cache.tiered_cache_smart_topology_enable": {"tiered_cache_smart_topology_enable", "value"},

	"url_normalization": {"url_normalization", "scope"},
	"managed_headers":   {"managed_headers", ""},
}

// readSetting compares the values of a zone setting.
func (r *review) readSetting() {
	before, now := r.findSetting()
	if r.Setting == "" {
		r.nameZone()
		return
	}
	r.settled = true
	if group := r.meta.text("type"); group != "" {
		r.SettingPath = strings.ToLower(group) + "/" + r.Setting
	}
	r.note(r.Setting, before, now)
	r.Direction = settingDirection(r.Setting, before, now)
	if r.Setting == "waf" && r.Direction == rules.Weaker {
		// The WAF as a whole stands for every one of its rules.
		r.rename("waf_rule.disable")
	}
}

// findSetting finds the name and the values of a zone setting. They are in the
// metadata, or in the old and the new value.
func (r *review) findSetting() (before, now jsondoc.Value) {
	implied := ""
	if r.e.Call == nil && !strings.EqualFold(r.e.ActionType, "change_setting") {
		r.Setting, implied = settingOf(r.e.ActionType)
	}
	if r.Setting == "" {
		r.Setting = strings.ToLower(r.meta.text("name", "setting"))
	}
	if r.Setting == "" {
		r.Setting = strings.ToLower(r.text("id", "name"))
	}
	now, before = r.meta.get("value", "new_value"), r.meta.get("old_value")
	if !now.Exists() && r.Setting != "" && r.e.Call == nil {
		now, before = r.meta.get("new_"+r.Setting, r.Setting), r.meta.get("old_"+r.Setting)
	}
	if body := bodySettings[r.route.words]; r.e.Call != nil && body.name != "" {
		r.Setting, now, before = body.name, r.after.get(body.member), r.before.get(body.member)
	}
	if !now.Exists() {
		now, before = r.after.get("value", r.Setting), r.before.get("value", r.Setting)
	}
	if items := r.after.get("items"); !now.Exists() && items.Kind() == jsondoc.Array {
		r.Setting, before, now = gravestSetting(r.before.get("items"), items)
	}
	r.Target = r.Setting
	if !now.Exists() && len(r.after) == 0 {
		now = r.e.New
	}
	if !before.Exists() && len(r.before) == 0 {
		before = r.e.Old
	}
	if !now.Exists() && implied != "" {
		now = r.e.Doc.Literal(implied)
	}
	return before, now
}

// settingOf is the setting that an action type carries, as "set_min_tls_version"
// and "security_level_updated" do, or "", and the value that the verb beside it
// implies.
func settingOf(actionType string) (setting, implied string) {
	action := strings.Trim(string(words(nil, actionType)), "_")
	word, setting, _ := strings.Cut(action, "_")
	if known.verbs[word].kind == "" {
		i := max(strings.LastIndexByte(action, '_'), 0)
		setting, word = action[:i], strings.Trim(action[i:], "_")
	}
	kind := known.verbs[word].kind
	if kind == "" || strings.Contains(setting, "setting") {
		return "", ""
	}
	return setting, map[string]string{VerbEnable: "on", verbDisable: "off"}[kind]
}

// gravestSetting is the most severe of several settings changed at once: the
// first that is weakened, or else the first that protects something, or else
// the first.
func gravestSetting(past, items jsondoc.Value) (name string, before, now jsondoc.Value) {
	gravity := -1
	for item := range items.All() {
		id, v := strings.ToLower(item.Get("id").Text()), item.Get("value")
		old := settingIn(past, id)
		g := 0
		switch {
		case settingDirection(id, old, v) == rules.Weaker:
			g = 2
		case settingOrders[id] != "":
			g = 1
		}
		if id != "" && g > gravity {
			name, before, now, gravity = id, old, v, g
		}
	}
	return name, before, now
}

// settingIn is the value of a setting in a list of them.
func settingIn(items jsondoc.Value, id string) (value jsondoc.Value) {
	for item := range items.All() {
		if strings.EqualFold(item.Get("id").Text(), id) {
			value = item.Get("value")
		}
	}
	return value
}
