package product

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Firewall rules, rule sets that protect, rate limits and the WAF.
var firewall = family{
	prefixes:    oneOf{"zone.firewall.", "firewall_rule.", "waf_rule."},
	plainValues: true,
	read:        (*review).readFirewall,
	skips:       isRuleList,
	names:       oneOf{"zone.firewall.rule.rename"},
	pairs: []pair{
		{"firewallrules", "create", "zone.firewall.rule.create"}, // derived, not published
		{"firewallrules", "update", "zone.firewall.rule.update"}, // derived, not published
		{"firewallrules", "delete", "zone.firewall.rule.delete"}, // derived, not published
		{"uarules", "create", "zone.firewall.rule.create"},       // derived, not published
		{"uarules", "update", "zone.firewall.rule.update"},       // derived, not published
		{"uarules", "delete", "zone.firewall.rule.delete"},       // derived, not published
		{"ratelimit", "create", "zone.firewall.rule.create"},     // derived, not published
		{"ratelimit", "update", "zone.firewall.rule.update"},     // derived, not published
		{"ratelimit", "delete", "zone.firewall.rule.delete"},     // derived, not published
		{"*", "rulesets_update", "zone.firewall.rule.update"},    // derived, not published
	},
	subjects: []subject{
		{"waf wafrule ddos", "waf", "zone.firewall.rule", "disable=waf_rule.disable enable=waf_rule.enable", either, vague},
		{"firewall firewallrule access_rule accessrule ratelimit rate_limit uarule ua_rule lockdown zonelockdown ruleset filter custom_rule",
			"firewall_rule firewallrule ruleset ratelimit rate_limit lockdown access_rule", "zone.firewall.rule",
			"disable=firewall_rule.disable enable=firewall_rule.enable", either, vague},
	},
	routes: []route{
		// The body of a PUT is the whole new ruleset, not the change.
		{"PUT", "{scope}/rulesets/phases/{phase}/entrypoint", "zone.firewall.rule.update"},
		{"GET", "{scope}/rulesets/phases/{phase}/entrypoint", "zone.firewall.rule.view"},
		{"POST", "{scope}/rulesets/{ruleset}/rules", "zone.firewall.rule.create"},
		{"PUT PATCH", "{scope}/rulesets/{ruleset}/rules/{id}", "zone.firewall.rule.update"},
		{"DELETE", "{scope}/rulesets/{ruleset}/rules/{id}", "zone.firewall.rule.delete"},
		{"*", "{scope}/rulesets", "zone.firewall.rule"},
		{"*", "/zones/{zone}/firewall/rules", "zone.firewall.rule"},
		{"*", "/zones/{zone}/filters", "zone.firewall.rule"},
		{"*", "{scope}/firewall/access_rules/rules", "zone.firewall.rule"},
		{"*", "/zones/{zone}/firewall/ua_rules", "zone.firewall.rule"},
		{"*", "/zones/{zone}/firewall/lockdowns", "zone.firewall.rule"},
		{"*", "/zones/{zone}/firewall/waf/overrides", "zone.firewall.rule"},
		{"GET", "/zones/{zone}/firewall/waf/packages", "zone.firewall.rule.view"},
		{"PATCH", "/zones/{zone}/firewall/waf/packages/{id}", "zone.firewall.rule.update"}, // since replaced by a newer path
		{"PATCH", "/zones/{zone}/firewall/waf/packages/{package}/groups/{id}", "zone.firewall.rule.update"},
		{"PATCH", "/zones/{zone}/firewall/waf/packages/{package}/rules/{id}", "zone.firewall.rule.update"},
		{"*", "/zones/{zone}/rate_limits", "zone.firewall.rule"},
	},
	joints: []joint{
		{actions: oneOf{"zone.firewall.*", "firewall_rule.*", "waf_rule.*"}, about: isOfRuleset, class: "zone.ruleset", by: byZone},
		{actions: oneOf{"zone.firewall.rule.create"}},
		{actions: oneOf{"zone.firewall.rule.delete"}, by: byResource},
		{actions: oneOf{"zone.firewall.*", "firewall_rule.*", "waf_rule.*"}, class: "zone.firewall.rule.update"},
	},
	rules: []rules.Rule{
		{ID: "firewall-disabled-production", Severity: high, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"firewall_rule.disable", "waf_rule.disable"}, Production: new(true)},
			Title: "Firewall rule disabled[: {target}][ for {zone}]",
			Why:   "What the rule kept out reaches a zone in production."},
		{ID: "firewall-disabled", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"firewall_rule.disable", "waf_rule.disable"}},
			Title: "Firewall rule disabled outside production[: {target}][ for {zone}]",
			Why:   "The zone is not in production, but the habit or the intruder may be the same."},
		{ID: "firewall-strengthened", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.create", "zone.firewall.rule.update", "zone.firewall.rule.delete", "firewall_rule.enable", "waf_rule.enable"}, Direction: oneOf{"safer"}},
			Title: "Firewall rule strengthened",
			Why:   "The change blocks more than before."},
		{ID: "firewall-rule-deleted-account", Severity: high, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.delete"}, AccountWide: new(true)},
			Title: "Account-wide firewall rule deleted[: {target}]",
			Why:   "The rule protected every zone of the account."},
		{ID: "firewall-rule-deleted-production", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.delete"}, Production: new(true)},
			Title: "Firewall rule deleted[: {target}][ for {zone}]",
			Why:   "What the rule kept out reaches a zone in production."},
		{ID: "firewall-rule-deleted", Severity: low, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.delete"}},
			Title: "Firewall rule deleted outside production",
			Why:   "The zone is not in production."},
		{ID: "firewall-weakened-account", Severity: high, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.create", "zone.firewall.rule.update"}, AccountWide: new(true), Direction: oneOf{"weaker"}},
			Title: "Account-wide firewall rule weakened[: {target}]",
			Why:   "A rule of every zone of the account lets more through than before."},
		{ID: "firewall-weakened", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.create", "zone.firewall.rule.update"}, Production: new(true), Direction: oneOf{"weaker"}},
			Title: "Firewall rule weakened[: {target}][ for {zone}]",
			Why:   "A rule of a zone in production lets through what it blocked, or exempts requests from the others."},
		{ID: "firewall-rule-renamed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.rename"}},
			Title: "Firewall rule renamed",
			Why:   "Only the description is another. The rule does what it did."},
		{ID: "firewall-changed-production", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.*"}, Verb: oneOf{"create", "update", "reset"}, Production: new(true)},
			Title: "Firewall rule changed[: {target}][ for {zone}]",
			Why:   "The rule may let through what it blocked; the entry does not tell."},
		{ID: "firewall-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.firewall.rule.*"}, Verb: oneOf{"create", "update", "reset"}},
			Title: "Firewall rule changed outside production",
			Why:   "The zone is not in production."},
	},
}

// Rule sets that redirect visitors or configure protections.
var rulesets = family{
	prefixes:    oneOf{"zone.ruleset."},
	plainValues: true,
	read:        (*review).readZone,
	skips:       isRuleList,
	names: oneOf{
		"zone.ruleset.create", "zone.ruleset.update", "zone.ruleset.delete",
		"zone.ruleset.redirect.create", "zone.ruleset.redirect.update", "zone.ruleset.redirect.delete",
		"zone.ruleset.origin.create", "zone.ruleset.origin.update", "zone.ruleset.origin.delete",
		"zone.ruleset.config.create", "zone.ruleset.config.update", "zone.ruleset.config.delete",
		"zone.ruleset.snippet.create", "zone.ruleset.snippet.update", "zone.ruleset.snippet.delete",
		"zone.ruleset.log_fields.create", "zone.ruleset.log_fields.update", "zone.ruleset.log_fields.delete",
		"zone.ruleset.error_page.create", "zone.ruleset.error_page.update", "zone.ruleset.error_page.delete",
		"zone.ruleset.version.delete",
	},
	routes: []route{
		{"DELETE", "{scope}/rulesets/{ruleset}/versions/{id}", "zone.ruleset.version.delete"},
	},
	joints: []joint{
		{actions: oneOf{"zone.ruleset.*"}, class: "zone.ruleset", by: byZone},
	},
	rules: []rules.Rule{
		{ID: "redirect-rule-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"zone.ruleset.redirect.*", "zone.ruleset.origin.*"}, Verb: oneOf{"create", "update"}},
			Title: "Redirect or origin rule changed[: {target}][ for {zone}]",
			Why:   "Visitors may be sent to another address, or their requests to another server."},
		{ID: "configuration-rule-weakens", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"zone.ruleset.config.*"}, Direction: oneOf{"weaker"}},
			Title: "Configuration rule switches a protection off[: {target}][ for {zone}]",
			Why:   "What the zone is protected by no longer holds for what the rule is about."},
		{ID: "snippet-rule-changed", Severity: medium, Techniques: oneOf{"T1648"},
			Match: rules.Match{Action: oneOf{"zone.ruleset.snippet.*"}, Verb: oneOf{"create", "update"}},
			Title: "Rule that runs a snippet changed[: {target}][ for {zone}]",
			Why:   "The code of the snippet sees the requests that the rule is about, and changes what visitors get."},
		{ID: "log-fields-changed", Severity: medium, Techniques: oneOf{"T1056"},
			Match: rules.Match{Action: oneOf{"zone.ruleset.log_fields.*"}, Verb: oneOf{"create", "update"}},
			Title: "Headers and cookies that are logged changed[: {target}][ for {zone}]",
			Why:   "The logs may take up cookies and credentials of visitors, which whoever reads them can use."},
		{ID: "error-page-rule-changed", Severity: medium, Techniques: oneOf{"T1491.002", "T1566"},
			Match: rules.Match{Action: oneOf{"zone.ruleset.error_page.*"}, Verb: oneOf{"create", "update"}},
			Title: "Rule for error pages changed[: {target}][ for {zone}]",
			Why:   "Visitors get its content under the name of the zone, and type passwords into it."},
		{ID: "ruleset-version-deleted", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.ruleset.version.delete"}},
			Title: "Former version of rule set deleted",
			Why:   "The rules in force stay. It is a trace of how they were before."},
		{ID: "ruleset-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.ruleset.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "Rule set for caching, transforming or configuring changed",
			Why:   "The rules neither block nor redirect anything, and switch no protection off."},
	},
}

// firewallPhases are the phases of protective rulesets. Those of the managed
// rules come first.
var (
	managedPhases  = []string{"http_request_firewall_managed", "http_response_firewall_managed", "http_request_sbfm", "ddos_", "magic_transit_managed"}
	firewallPhases = []string{"http_request_firewall_", "http_ratelimit", "http_request_api_gateway", "magic_transit"}
)

// rulesetKinds are the phases of rulesets that redirect visitors or switch
// protections for some of them, with their parts of canonical names.
var rulesetKinds = map[string]string{
	"http_request_dynamic_redirect": "redirect.",
	"http_request_redirect":         "redirect.",
	"http_request_origin":           "origin.",
	"http_request_cloud_connector":  "origin.",
	"http_config_settings":          "config.",
	"http_request_snippets":         "snippet.",
	"http_log_custom_fields":        "log_fields.",
	"http_custom_errors":            "error_page.",
}

// configWeakens reports whether a configuration rule that is new or has changed
// switches a protection off.
func (r *review) configWeakens() bool {
	if r.after.get("action_parameters").Exists() && parametersWeaken(r.after.get("action_parameters")) {
		return true
	}
	for _, key := range ruleLists {
		before := make(map[string]bool)
		for rule := range r.before.get(key).All() {
			before[rule.Source()] = true
		}
		for rule := range r.after.get(key).All() {
			if !before[rule.Source()] && parametersWeaken(rule.Get("action_parameters")) {
				return true
			}
		}
	}
	return false
}

func parametersWeaken(parameters jsondoc.Value) bool {
	for setting := range parameters.All() {
		if settingDirection(setting.Name(), jsondoc.Value{}, setting) == rules.Weaker {
			return true
		}
	}
	return false
}

func hasAnyPrefix(s string, list []string) bool {
	for _, p := range list {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (r *review) readFirewall() {
	r.Target = r.text("description", "notes", "ref")
	phase, kind := r.meta.text("phase"), r.meta.text("kind")
	if phase == "" {
		phase, kind = r.text("phase"), r.text("kind")
	}
	r.ruleset = r.isRuleset()
	switch kind {
	case "root", "custom", "managed":
		r.AccountWide = true
	}
	managed := hasAnyPrefix(phase, managedPhases) || strings.HasPrefix(r.name, "waf_rule.") ||
		strings.Contains(strings.ToLower(r.e.ResourceType), "waf")
	d := controlsDiff{review: r}
	if !r.whole {
		c := r.controls()
		d.compare(&c)
	}
	if d.target != "" {
		r.Target = d.target
		if d.others > 0 {
			r.Target += " and " + strconv.Itoa(d.others) + " more"
		}
	}
	if r.Target == "" {
		r.Target = r.text("name", "ruleset_name")
	}
	if phase != "" && !managed && !hasAnyPrefix(phase, firewallPhases) {
		r.readOtherRuleset(phase)
		return
	}
	prefix := "firewall_rule."
	if managed {
		prefix = "waf_rule."
	}
	switch {
	case strings.HasSuffix(r.name, "_rule.disable"):
		r.Direction = rules.Weaker
	case strings.HasSuffix(r.name, "_rule.enable"):
		r.Direction = rules.Safer
	case r.verb == VerbDelete:
		r.Direction = d.removal
	case r.verb == VerbCreate:
		r.Direction = d.addition
	case r.verb != VerbUpdate:
	case d.disabled:
		r.rename(prefix + verbDisable)
		r.Direction = rules.Weaker
	case d.removed:
		r.rename("zone.firewall.rule.delete")
		if r.Direction = d.removal; r.Direction == rules.Safer && (d.moved == rules.Weaker || d.addition == rules.Weaker) {
			r.Direction = rules.Weaker
		}
	case d.moved == rules.Weaker:
		r.Direction = rules.Weaker
	case d.added:
		r.rename("zone.firewall.rule.create")
		r.Direction = d.addition
	case d.enabled:
		r.rename(prefix + VerbEnable)
		r.Direction = rules.Safer
	case d.moved == rules.Safer:
		r.Direction = rules.Safer
	case d.described && !d.altered, len(r.before) == 0 && r.isDescription():
		r.rename("zone.firewall.rule.rename")
	}
}

// readOtherRuleset names an entry about a ruleset that does not protect.
func (r *review) readOtherRuleset(phase string) {
	kind := r.verb
	if kind != VerbCreate && kind != VerbDelete {
		kind = VerbUpdate
	}
	r.rename("zone.ruleset." + rulesetKinds[phase] + kind)
	if strings.HasPrefix(r.name, "zone.ruleset.config.") && kind != VerbDelete && r.configWeakens() {
		r.Direction = rules.Weaker
	}
}

// isDescription reports whether a request sets no more than what people call a
// rule.
func (r *review) isDescription() bool {
	described, altered := difference(nil, r.after)
	return described && !altered && r.e.New.Get("description").Exists()
}

// isRuleset reports whether the entry is about a rule set or a rule of one.
func (r *review) isRuleset() bool {
	var buf [2*maxName + 1]byte
	return bytes.Contains(squashPair(buf[:0], r.e.ResourceType, r.e.ActionType), []byte("ruleset"))
}

// isOfRuleset reports whether an entry is about a rule set or about a rule of one.
func isOfRuleset(f *Facts) bool { return f.ruleset }
