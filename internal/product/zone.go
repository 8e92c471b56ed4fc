package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Zones, their settings and their registration.
var zones = family{
	prefixes:    oneOf{"zone.", "registrar."},
	plainValues: true,
	read:        (*review).readZone,
	pairs: []pair{
		// The account is the resource when a zone is added to it.
		{"account", "add", "zone.create"},
		{"account", "pending", "zone.pending"},
		{"zone", "delete", "zone.delete"},
		{"zone", "purge", "zone.cache.purge"},
		{"purge_cache", "create", "zone.cache.purge"}, // derived, not published
		{"zone", "change_setting", "zone.settings.update"},
		{"zone", "patch_settings", "zone.settings.update"}, // derived, not published
		{"zone", "tls_settings_deployed", "zone.tls_settings.deploy"},
		{"pagerule", "create", "zone.pagerule.create"}, // derived, not published
		{"pagerule", "update", "zone.pagerule.update"},
		{"pagerule", "delete", "zone.pagerule.delete"}, // derived, not published
	},
	subjects: []subject{
		{"registrar domain", "auth_code authcode", "registrar.auth_code", "", both, named},
		{"zone_hold ^hold$", "zone_hold", "zone.hold", "delete=zone.hold.remove disable=zone.hold.remove enable=zone.hold.create", either, common},
		{"dnssec", "dnssec", "zone.dnssec", "create=zone.dnssec.enable delete=zone.dnssec.disable", either, common},
		{"pagerule page_rule", "pagerule page_rule", "zone.pagerule", "", either, common},
		{"^setting zone_setting", "zone_setting", "zone.settings", "view=zone.settings.read", either, common},
		{"^zone$ ^zones$", "setting", "zone.settings", "view=zone.settings.read", both, common},
		{"^registrar ^domain$ ^domains$", "", "registrar.domain", "", either, common},
		{"^zone$ ^zones$", "", "zone", "disable=zone.pause enable=zone.unpause", bare, leftover},
	},
	routes: []route{
		{"POST", "/zones", "zone.create"},
		{"PATCH", "/zones/{zone}", "zone.update"},
		{"DELETE", "/zones/{zone}", "zone.delete"},
		{"GET", "/zones", "zone.view"},
		{"GET", "/zones/{zone}", "zone.view"},
		{"POST", "/zones/{zone}/purge_cache", "zone.cache.purge"},
		{"PUT PATCH", "/zones/{zone}/settings", "zone.settings.update"}, // since replaced by a newer path
		{"PUT PATCH", "/zones/{zone}/settings/{setting}", "zone.settings.update"},
		{"GET", "/zones/{zone}/settings", "zone.settings.read"}, // since replaced by a newer path
		{"GET", "/zones/{zone}/settings/{setting}", "zone.settings.read"},
		{"PUT PATCH", "/zones/{zone}/hostnames/settings/{setting}/{id}", "zone.settings.update"},
		{"PATCH", "/zones/{zone}/ssl/universal/settings", "zone.settings.update"},
		{"PUT PATCH", "/zones/{zone}/dnssec", "zone.dnssec.update"},
		{"DELETE", "/zones/{zone}/dnssec", "zone.dnssec.disable"},
		{"GET", "/zones/{zone}/dnssec", "zone.dnssec.view"},
		{"POST", "/zones/{zone}/hold", "zone.hold.create"},
		{"PATCH", "/zones/{zone}/hold", "zone.hold.update"},
		{"DELETE", "/zones/{zone}/hold", "zone.hold.remove"},
		{"GET", "/zones/{zone}/hold", "zone.hold.view"},
		{"*", "/zones/{zone}/pagerules", "zone.pagerule"},
		{"PUT", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.update"},
		{"DELETE", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete"},
		{"PUT PATCH", "/accounts/{account}/registrar/domains/{id}", "registrar.domain.update"},
		{"GET POST", "/accounts/{account}/registrar/domains/{id}/auth_code", "registrar.auth_code.view"}, // derived, not published
		{"POST PUT", "/accounts/{account}/registrar/domains/{id}/transfer_out", "zone.transfer_out"},     // derived, not published
	},
	names: oneOf{"zone.transfer_out", "registrar.domain.unlock", "registrar.domain.lock"},
	joints: []joint{
		{actions: oneOf{"zone.settings.update", "waf_rule.*"}, about: isProtective, class: "zone.settings.update"},
		{actions: oneOf{"zone.settings.*"}},
		{actions: oneOf{"zone.create", "zone.delete", "zone.update", "zone.pause", "zone.unpause", "zone.cache.*", "zone.dnssec.*", "zone.hold.*"}, by: byZone},
		{actions: oneOf{"registrar.domain.update", "registrar.domain.lock", "registrar.domain.unlock"}, class: "registrar.domain.update"},
	},
	reads: []rules.Rule{
		{ID: "domain-code-shown", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.auth_code.*"}},
			Title: "Transfer code of domain shown or changed[: {target}]",
			Why:   "Whoever has the code can take an unlocked domain to another registrar."},
	},
	rules: []rules.Rule{
		{ID: "zone-transferred-out", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"zone.transfer_out"}},
			Title: "Zone transferred out[: {target}]",
			Why:   "Who holds the zone decides where its traffic and mail go."},
		{ID: "domain-unlocked", Severity: high, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.domain.unlock"}},
			Title: "Domain unlocked for transfer[: {target}]",
			Why:   "Unlocking comes before taking a domain to another registrar."},
		{ID: "domain-locked", Severity: low,
			Match: rules.Match{Action: oneOf{"registrar.domain.lock"}},
			Title: "Domain locked against transfer",
			Why:   "Nobody can take the domain to another registrar."},
		{ID: "domain-changed", Severity: medium, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"registrar.domain.*"}, Verb: oneOf{"update", "delete", "disable", "reset"}},
			Title: "Registration of domain changed[: {target}]",
			Why:   "Its holder, name servers or renewal decide who has the domain in future."},
		{ID: "zone-deleted", Severity: high, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"zone.delete"}},
			Title: "Zone deleted[: {target}]",
			Why:   "All its records and settings go with it, and anybody may add the zone to an account of theirs."},
		{ID: "zone-paused", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.pause"}},
			Title: "Cloudflare paused for zone[: {target}]",
			Why:   "Traffic goes past the firewall straight to the origin."},
		{ID: "zone-hold-removed", Severity: medium, Techniques: oneOf{"T1584.001"},
			Match: rules.Match{Action: oneOf{"zone.hold.remove"}},
			Title: "Zone hold removed[: {target}]",
			Why:   "Another account can take the zone from now on."},
		{ID: "dnssec-disabled", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.dnssec.disable"}},
			Title: "DNSSEC disabled[: {target}]",
			Why:   "Answers for the zone can be forged, and the zone fails while its parent still has the key."},
		{ID: "dnssec-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.dnssec.update", "zone.dnssec.reset"}},
			Title: "DNSSEC changed[: {target}]",
			Why:   "It may have been disabled; the entry does not tell."},
		{ID: "name-servers-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"zone.update"}, ActorType: oneOf{"user", "staff", "unknown"}, Changed: []rules.Change{{Field: "vanity_name_servers"}, {Field: "name_servers"}, {Field: "type"}}},
			Title: "Name servers or type of zone changed[: {target}]",
			Why:   "Other servers may answer for the zone."},
		{ID: "zone-created", Severity: low, Techniques: oneOf{"T1583.001"},
			Match: rules.Match{Action: oneOf{"zone.create"}},
			Title: "Zone added",
			Why:   "A zone that nobody ordered may serve an attacker under your account."},
		{ID: "zone-pending", Severity: info,
			Match: rules.Match{Action: oneOf{"zone.pending"}},
			Title: "Zone awaits activation",
			Why:   "Its name servers do not point to Cloudflare yet."},
		{ID: "cache-purged", Severity: low, Techniques: oneOf{"T1499"},
			Match: rules.Match{Action: oneOf{"zone.cache.purge"}},
			Title: "Cache purged",
			Why:   "Routine after a deployment. Over and over it puts all load on the origin."},
		{ID: "page-rule-forwards", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"zone.pagerule.create", "zone.pagerule.update"}, Changed: []rules.Change{{Field: "*", New: "*forwarding_url*"}}},
			Title: "Page rule forwards visitors[: {target}]",
			Why:   "Visitors are sent to another address."},
		{ID: "page-rule-weakens", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.pagerule.create", "zone.pagerule.update"}, Direction: oneOf{"weaker"}},
			Title: "Page rule switches a protection off[: {target}]",
			Why:   "What the zone is protected by no longer holds for these addresses."},
		{ID: "page-rule-leads-elsewhere", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"zone.pagerule.create", "zone.pagerule.update"}, Changed: []rules.Change{{Field: "*", New: "*host_header_override*"}, {Field: "*", New: "*resolve_override*"}}},
			Title: "Page rule leads to another origin[: {target}]",
			Why:   "Another server sees the requests and answers them."},
		{ID: "page-rule-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.pagerule.*"}},
			Title: "Page rule changed",
			Why:   "Page rules change how single addresses are served."},
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
			Match: rules.Match{Action: oneOf{"zone.settings.update"}, Production: new(true), Setting: oneOf{
				"firewall/*", "ssl/*", "security_level", "ssl", "waf", "always_use_https", "min_tls_version", "security_header", "ciphers", "challenge_ttl", "privacy_pass"}},
			Title: "Zone protection changed: {setting}[ to {new}][ for {zone}]",
			Why:   "A setting that protects a zone in production was changed, and the entry does not tell in which direction."},
		{ID: "setting-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.settings.*"}, Verb: oneOf{"update", "create", "reset", "enable"}},
			Title: "Zone setting changed",
			Why:   "The setting is about speed or content rather than protection, or its zone is not in production."},
	},
}

// Certificates and custom hostnames.
var certificates = family{
	prefixes: oneOf{"zone.certificate."},
	read:     (*review).readZone,
	subjects: []subject{
		{"certificate universal_ssl custom_hostname ^ssl ^tls", "certificate", "zone.certificate", "", either, common},
	},
	routes: []route{
		{"*", "/zones/{zone}/custom_certificates", "zone.certificate"},
		{"POST", "/zones/{zone}/ssl/certificate_packs/order", "zone.certificate.create"},
		{"*", "/zones/{zone}/ssl/certificate_packs", "zone.certificate"},
		{"*", "/zones/{zone}/custom_hostnames", "zone.certificate"},
	},
}

// readZone reads the entries of zones and their registration.
func (r *review) readZone() {
	switch r.name {
	case "zone.create", "account.add":
		// The pair (account, add) is about a zone, unless it names none.
		if r.ZoneName == "" && r.ZoneID == "" && strings.EqualFold(r.e.ResourceType, "account") {
			r.rename("account.add")
			if r.meta.has("user_email") {
				r.rename("member.add")
			}
			r.readAccount()
			return
		}
	case "zone.settings.update":
		r.readSetting()
		return
	}
	r.readState()
	switch r.name {
	case "zone.dnssec.disable", "zone.hold.remove", "zone.pause", "registrar.domain.unlock":
		r.Direction = rules.Weaker
	case "zone.dnssec.enable", "zone.hold.create", "zone.unpause", "registrar.domain.lock":
		r.Direction = rules.Safer
	}
	r.nameZone()
}

// readState names an update by the resulting state.
func (r *review) readState() {
	isCall := r.e.Call != nil
	switch r.name {
	case "zone.dnssec.update":
		switch strings.ToLower(r.text("status")) {
		case "disabled", "pending-disabled":
			r.rename("zone.dnssec.disable")
		case "active", "pending":
			r.rename("zone.dnssec.enable")
		}
	case "zone.hold.update":
		// There is no hold until the time hold_after.
		if r.after.text("hold") == "false" || r.after.text("hold_after") != "" && r.after.text("hold_after") != r.before.text("hold_after") {
			r.rename("zone.hold.remove")
		}
	case "zone.update":
		switch was, is := r.before.text("paused"), r.after.text("paused"); {
		case is == "true" && was != "true":
			r.rename("zone.pause")
		case is == "false" && (was == "true" || was == "" && isCall):
			r.rename("zone.unpause")
		}
	case "registrar.domain.update":
		switch was, is := r.before.text("locked"), r.after.text("locked"); {
		case is == "false" && (was == "true" || was == "" && isCall):
			r.rename("registrar.domain.unlock")
		case is == "true" && was == "false":
			r.rename("registrar.domain.lock")
		}
	case "zone.pagerule.create", "zone.pagerule.update":
		r.readPageRule()
	}
}

func (r *review) nameZone() {
	r.Target = r.meta.text("pr_match")
	if r.Target == "" && strings.HasPrefix(r.name, "zone.pagerule.") {
		r.Target = pageRuleMatch(r.after.get("targets"), r.meta.get("targets"), r.before.get("targets"))
	}
	if r.Target == "" && strings.HasPrefix(r.name, "registrar.") {
		r.Target = r.text("domain", "name")
	}
	if r.Target == "" {
		r.Target = r.ZoneName
	}
	if r.Target == "" {
		r.Target = r.text("name")
	}
	if r.ZoneName == "" && strings.EqualFold(r.e.ResourceType, "zone") {
		r.ZoneName = text.ZoneName(r.text("name"))
	}
}

// readPageRule determines whether a page rule newly switches a protection off.
func (r *review) readPageRule() {
	was := r.before.get("actions").Source()
	for action := range r.after.get("actions").All() {
		if !strings.Contains(was, action.Source()) && weakens(action) {
			r.Direction = rules.Weaker
			return
		}
	}
}

// weakens reports whether an action of a page rule switches a protection off.
func weakens(action jsondoc.Value) bool {
	switch id := action.Get("id").Text(); id {
	case "disable_security", "disable_waf", "disable_firewall":
		return true
	default:
		return settingDirection(id, jsondoc.Value{}, action.Get("value")) == rules.Weaker
	}
}

// pageRuleMatch is the address in the first of the targets of a page rule.
func pageRuleMatch(lists ...jsondoc.Value) string {
	for _, list := range lists {
		if address := firstOf(list).Get("constraint", "value").Text(); address != "" {
			return address
		}
	}
	return ""
}

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

	"0rtt": "on off",
}

// isProtective reports whether an entry is about a setting that protects
// something.
func isProtective(f *Facts) bool { return settingOrders[f.Setting] != "" }

func settingDirection(setting string, before, now jsondoc.Value) string {
	return directionIn(settingOrders[setting], before, now)
}

// bodySettings are the paths of settings whose body does not name them, with
// their names.
var bodySettings = map[string]string{
	"ssl.universal.settings": "universal_ssl",
}

// readSetting compares the values of a zone setting.
func (r *review) readSetting() {
	before, now := r.findSetting()
	if r.Setting == "" {
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
	r.Setting = strings.ToLower(r.meta.text("name", "setting"))
	if r.Setting == "" {
		r.Setting = strings.ToLower(r.text("id", "name"))
	}
	now, before = r.meta.get("value", "new_value"), r.meta.get("old_value")
	if name := bodySettings[r.route.words]; r.e.Call != nil && name != "" {
		r.Setting, now, before = name, r.after.get("enabled"), r.before.get("enabled")
	}
	if !now.Exists() {
		now, before = r.after.get("value"), r.before.get("value")
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
	return before, now
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
