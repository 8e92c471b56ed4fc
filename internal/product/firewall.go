package product

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Firewall rules, rule sets that protect, rate limits and the WAF.
var firewall = family{
	prefixes:    oneOf{"zone.firewall.", "firewall_rule.", "waf_rule."},
	plainValues: true,
	read:        (*review).readFirewall,
	skips:       isRuleList,
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
	names:       oneOf{"zone.ruleset.create", "zone.ruleset.update", "zone.ruleset.delete", "zone.ruleset.redirect.create", "zone.ruleset.redirect.update", "zone.ruleset.redirect.delete", "zone.ruleset.origin.create", "zone.ruleset.origin.update", "zone.ruleset.origin.delete", "zone.ruleset.config.create", "zone.ruleset.config.update", "zone.ruleset.config.delete"},
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
	},
}

// actionStrength orders the actions of firewall rules.
var actionStrength = map[string]int{
	"skip": 1, "allow": 1, "bypass": 1, "whitelist": 1, "disable": 1,
	"log": 2, "simulate": 2,
	"challenge": 3, "js_challenge": 3, "managed_challenge": 3, "interactive_challenge": 3,
	"block": 4, "ban": 4, "drop": 4,
}

// firewallControl is a rule of a ruleset, or an override in one, reduced to its
// effect on requests.
type firewallControl struct {
	id, parent string
	name       string
	off        bool
	strength   int // see actionStrength; 0 when it is not known
	action     string
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
	"http_config_settings":          "config.",
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
	if phase != "" && !managed && !hasAnyPrefix(phase, firewallPhases) {
		kindOfVerb := r.verb
		if kindOfVerb != VerbCreate && kindOfVerb != VerbDelete {
			kindOfVerb = VerbUpdate
		}
		r.rename("zone.ruleset." + rulesetKinds[phase] + kindOfVerb)
		if strings.HasPrefix(r.name, "zone.ruleset.config.") && kindOfVerb != VerbDelete && r.configWeakens() {
			r.Direction = rules.Weaker
		}
		if r.Target == "" {
			r.Target = r.text("name")
		}
		return
	}
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
	default:
		r.Direction = r.limitDirection()
	}
}

// isRuleset reports whether the entry is about a rule set or a rule of one.
func (r *review) isRuleset() bool {
	var buf [2*maxName + 1]byte
	return bytes.Contains(squashPair(buf[:0], r.e.ResourceType, r.e.ActionType), []byte("ruleset"))
}

// limitDirection tells a looser rate limit from a tighter one.
func (r *review) limitDirection() string {
	for _, key := range []string{"threshold", "requests_per_period"} {
		before, after := r.before.text(key), r.after.text(key)
		if before == "" || after == "" {
			continue
		}
		was, err1 := strconv.ParseFloat(before, 64)
		is, err2 := strconv.ParseFloat(after, 64)
		switch {
		case err1 != nil || err2 != nil:
		case is > was:
			return rules.Weaker
		case is < was:
			return rules.Safer
		}
	}
	return ""
}

// ruleLists are the members that hold the rules of a ruleset, and deletedLists
// those that hold the rules deleted from it.
var (
	ruleLists    = []string{"modified_rules", "rules", "added_rules", "new_rules"}
	deletedLists = []string{"deleted_rules", "removed_rules"}
)

// controls are the rules of a ruleset before and after.
type controls struct {
	before, after []firewallControl
	// complete says that a rule missing from one side did not exist then;
	// otherwise nothing is known about it.
	complete bool
	// deleted are the rules that the entry lists as deleted.
	deleted []firewallControl
}

// controls collects the rules of the entry. A rule that is not part of a
// ruleset is a list of one.
func (r *review) controls() controls {
	c := controls{before: r.rulesBefore[:0], after: r.rulesAfter[:0]}
	defer func() { r.rulesBefore, r.rulesAfter = c.before, c.after }()
	isList := false
	for _, key := range deletedLists {
		// They may be on either side.
		for _, o := range [...]object{r.before, r.after} {
			if v := o.get(key); v.Exists() {
				isList = true
				r.was = appendElements(r.was[:0], v)
				c.deleted = r.appendControls(c.deleted, r.was)
			}
		}
	}
	for _, key := range ruleLists {
		before, after := r.before.get(key), r.after.get(key)
		switch {
		case !before.Exists() && !after.Exists():
			continue
		case before.Kind() == jsondoc.Array && after.Kind() == jsondoc.Array:
			// If both sides have the same list, it can be compared directly.
			r.was, r.is = appendDiffering(r.was[:0], r.is[:0], before, after)
			c.before, c.after, c.complete = r.appendControls(c.before[:0], r.was), r.appendControls(c.after[:0], r.is), true
			return c
		}
		isList = true
		r.was, r.is = appendElements(r.was[:0], before), appendElements(r.is[:0], after)
		c.before, c.after = r.appendControls(c.before, r.was), r.appendControls(c.after, r.is)
	}
	if isList {
		return c
	}
	if len(r.before) > 0 {
		c.before = appendControl(c.before, r.e.ResourceID, r.before)
	}
	if len(r.after) > 0 {
		c.after = appendControl(c.after, r.e.ResourceID, r.after)
	}
	c.complete = r.verb != VerbUpdate
	return c
}

// maxControls bounds how many rules of a ruleset are compared.
const maxControls = 200

func (r *review) appendControls(list []firewallControl, elements []jsondoc.Value) []firewallControl {
	for _, rule := range elements {
		if rule.Kind() == jsondoc.Object && len(list) < maxControls {
			r.rule = r.rule.read(rule)
			list = appendControl(list, "", r.rule)
		}
	}
	return list
}

func appendElements(list []jsondoc.Value, array jsondoc.Value) []jsondoc.Value {
	if array.Kind() == jsondoc.Object {
		// Only the first member, as of a list of one.
		return append(list, array.First())
	}
	for element := range array.All() {
		list = append(list, element)
	}
	return list
}

// appendDiffering appends the elements in which two arrays differ. An update of
// a ruleset repeats all unchanged rules, so elements are compared as text, and
// most are not parsed.
func appendDiffering(was, is []jsondoc.Value, before, after jsondoc.Value) (_, _ []jsondoc.Value) {
	from, to := len(was), len(is)
	was, is = appendElements(was, before), appendElements(is, after)
	old, now := was[from:], is[to:]
	was, is = was[:from], is[:to]
	for shifts := 0; ; shifts++ {
		for len(old) > 0 && len(now) > 0 && old[0].Same(now[0]) {
			old, now = old[1:], now[1:]
		}
		switch {
		case len(old) == 0 && len(now) == 0:
			return was, is
		case shifts >= maxControls: // looking on might take the square of the length
		case len(old) > 0 && sameElements(old[1:], now): // one was removed
			return append(was, old[0]), is
		case len(now) > 0 && sameElements(old, now[1:]): // one was added
			return was, append(is, now[0])
		}
		if len(old) > 0 {
			was, old = append(was, old[0]), old[1:]
		}
		if len(now) > 0 {
			is, now = append(is, now[0]), now[1:]
		}
	}
}

func sameElements(a, b []jsondoc.Value) bool { return slices.EqualFunc(a, b, jsondoc.Value.Same) }

func appendControl(list []firewallControl, id string, rule object) []firewallControl {
	c := firewallControl{id: id, name: rule.text("description", "notes")}
	if c.id == "" {
		c.id = rule.text("id", "ref")
	}
	c.readState(rule)
	list = append(list, c)
	if c.action != "execute" {
		return list
	}
	// A managed ruleset is weakened by overriding its rules.
	overrides := object(nil).read(rule.get("action_parameters").Get("overrides"))
	if len(overrides) == 0 {
		return list
	}
	all := firewallControl{id: "*", parent: c.id, name: c.name}
	all.readState(overrides)
	list = append(list, all)
	for _, key := range []string{"rules", "categories"} {
		for v := range overrides.get(key).All() {
			override := object(nil).read(v)
			o := firewallControl{id: override.text("id", "category"), parent: c.id, name: c.name}
			o.readState(override)
			if list = append(list, o); len(list) >= maxControls {
				break
			}
		}
	}
	return list
}

// readState reads whether a rule is enabled and its action.
func (c *firewallControl) readState(o object) {
	switch {
	case o.text("enabled") == "false", o.text("paused") == "true", o.text("disabled") == "true":
		c.off = true
	}
	c.action = strings.ToLower(o.text("action", "mode"))
	if c.action == "" {
		c.action = strings.ToLower(o.get("action").Get("mode").Text())
	}
	switch c.action {
	case "off", "disable", "disabled":
		c.off = true
	}
	c.strength = actionStrength[c.action]
}

// controlsDiff is the difference between the rules of a ruleset before and
// after.
type controlsDiff struct {
	disabled, enabled bool
	moved             string // the direction in which actions changed
	added, removed    bool
	addition, removal string // the direction of an added or removed rule
	target            string // the rule that matters most
	others            int    // how many matter as much

	review *review // which takes the changes
	weight int     // of target
}

// note makes c the target unless a change of more weight happened to another
// rule, and records the change of field, if there is one.
func (d *controlsDiff) note(weight int, c *firewallControl, field, old, now string) {
	switch {
	case weight > d.weight:
		d.weight, d.target, d.others = weight, cmp.Or(c.name, c.id), 0
	case weight == d.weight && weight > 1:
		d.others++
	}
	if field != "" && c.id != "" && len(d.review.Changes) < maxChanges {
		d.review.add(ingest.FieldChange{Field: "rules." + c.id + "." + field, Old: old, New: now})
	}
}

// compare compares rules by their ids.
func (d *controlsDiff) compare(c *controls) {
	for i := range c.after {
		now := &c.after[i]
		switch old := findControl(c.before, now); {
		case old != nil:
			d.changed(old, now)
		case now.parent != "":
			// A new override: rules are on by default.
			d.changed(&firewallControl{action: "default", strength: actionStrength["block"]}, now)
		case c.complete || len(c.before) > 0:
			d.added = true
			if d.addition == "" || now.direction() == rules.Weaker {
				d.addition = now.direction()
			}
			d.note(2, now, "action", "", now.action)
		default:
			d.disabled = d.disabled || now.off
			d.note(1, now, "", "", "")
		}
	}
	for i := range c.deleted {
		d.deleted(&c.deleted[i])
	}
	for i := range c.before {
		switch old := &c.before[i]; {
		case !c.complete || findControl(c.after, old) != nil:
		case old.parent != "":
			d.enabled = d.enabled || old.off
		default:
			d.deleted(old)
		}
	}
}

// deleted records the deletion of a rule.
func (d *controlsDiff) deleted(c *firewallControl) {
	if c.parent != "" {
		return
	}
	switch removal := reverse(c.direction()); {
	case !d.removed, removal == rules.Weaker:
		d.removal = removal
	case removal != d.removal && d.removal != rules.Weaker:
		d.removal = "" // the direction of one of them is unknown
	}
	d.removed = true
	d.note(4, c, "action", c.action, "")
}

// changed records the changes of one rule.
func (d *controlsDiff) changed(old, now *firewallControl) {
	d.note(1, now, "", "", "")
	if old.off != now.off {
		d.disabled = d.disabled || now.off
		d.enabled = d.enabled || old.off
		d.note(5, now, "enabled", strconv.FormatBool(!old.off), strconv.FormatBool(!now.off))
	}
	if old.action == now.action || now.action == "" {
		return
	}
	switch {
	case old.strength == 0 || now.strength == 0:
	case now.strength < old.strength:
		d.moved = rules.Weaker
	case now.strength > old.strength && d.moved == "":
		d.moved = rules.Safer
	}
	d.note(3, now, "action", old.action, now.action)
}

func findControl(list []firewallControl, like *firewallControl) *firewallControl {
	for i := range list {
		if list[i].id == like.id && list[i].parent == like.parent {
			return &list[i]
		}
	}
	return nil
}

// direction is the direction of adding the rule, or "" when unknown.
func (c *firewallControl) direction() string {
	switch {
	case c.off || c.strength == 0 || c.strength == actionStrength["log"]:
		return ""
	case c.strength == actionStrength["skip"]:
		return rules.Weaker
	}
	return rules.Safer
}

// isOfRuleset reports whether an entry is about a rule set or about a rule of one.
func isOfRuleset(f *Facts) bool { return f.ruleset }

// isRuleList reports whether a member holds the rules of a ruleset, which
// [controls] compares.
func isRuleList(field string) bool {
	return slices.Contains(ruleLists, field) || slices.Contains(deletedLists, field)
}
