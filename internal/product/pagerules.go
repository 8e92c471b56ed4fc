package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Page rules.
var pageRules = family{
	prefixes:    oneOf{"zone.pagerule."},
	plainValues: true,
	read:        (*review).readPageRule,
	pairs: []pair{
		{"pagerule", "create", "zone.pagerule.create"}, // derived, not published
		{"pagerule", "update", "zone.pagerule.update"},
		{"pagerule", "delete", "zone.pagerule.delete"}, // derived, not published
	},
	subjects: []subject{
		{"pagerule page_rule", "pagerule page_rule", "zone.pagerule", "", either, common},
	},
	routes: []route{
		{"*", "/zones/{zone}/pagerules", "zone.pagerule"},
	},
	rules: []rules.Rule{
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
	},
}

// readPageRule names the addresses of a page rule, and determines whether it newly
// switches a protection off.
func (r *review) readPageRule() {
	r.Target = r.meta.text("pr_match")
	if r.Target == "" {
		r.Target = pageRuleMatch(r.after.get("targets"), r.meta.get("targets"), r.before.get("targets"))
	}
	if r.Target == "" {
		r.nameZone()
	}
	if r.verb != VerbCreate && r.verb != VerbUpdate {
		return
	}
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
func pageRuleMatch(targets ...jsondoc.Value) string {
	for _, list := range targets {
		if address := firstOf(list).Get("constraint", "value").Text(); address != "" {
			return address
		}
	}
	return ""
}
