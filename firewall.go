package cloudflareaudit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// actionStrength orders what a firewall rule does with a request.
var actionStrength = map[string]int{
	"skip": 1, "allow": 1, "bypass": 1, "whitelist": 1, "disable": 1,
	"log": 2, "simulate": 2,
	"challenge": 3, "js_challenge": 3, "managed_challenge": 3, "interactive_challenge": 3,
	"block": 4, "ban": 4, "drop": 4,
}

// firewallControl is a rule of a ruleset, or an override in one, as far as it
// decides what happens to requests.
type firewallControl struct {
	id, parent string
	name       string
	off        bool
	strength   int // see actionStrength; 0 when it is not known
	action     string
}

// firewallPhases are the phases of rulesets that protect something. Those of
// the managed rules come first.
var (
	managedPhases  = []string{"http_request_firewall_managed", "http_response_firewall_managed", "http_request_sbfm", "ddos_", "magic_transit_managed"}
	firewallPhases = []string{"http_request_firewall_", "http_ratelimit", "http_request_api_gateway", "magic_transit"}
)

// rulesetKinds are the phases of rulesets that lead visitors elsewhere or switch
// protections for some of them, and what their canonical names have for it.
var rulesetKinds = map[string]string{
	"http_request_dynamic_redirect": "redirect.",
	"http_request_redirect":         "redirect.",
	"http_request_origin":           "origin.",
	"http_config_settings":          "config.",
}

// configWeakens reports whether a configuration rule that is new or has changed
// switches a protection off.
func (r *review) configWeakens() bool {
	weak := false
	look := func(rule value) {
		rule.get("action_parameters").each(func(setting string, v value) bool {
			weak = weak || settingDirection(setting, "", v) == weaker
			return !weak
		})
	}
	if r.after.get("action_parameters") != "" {
		look(r.e.newValue)
	}
	for _, key := range ruleLists {
		before := string(r.before.get(key))
		r.after.get(key).each(func(_ string, rule value) bool {
			if !strings.Contains(before, string(rule)) {
				look(rule)
			}
			return !weak
		})
	}
	return weak
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (r *review) refineFirewall() {
	r.target = r.text("description", "notes", "ref")
	phase, kind := r.meta.text("phase"), r.meta.text("kind")
	if phase == "" {
		phase, kind = r.text("phase"), r.text("kind")
	}
	r.ruleset = r.isRuleset()
	switch kind {
	case "root", "custom", "managed":
		r.accountWide = true
	}
	managed := hasAnyPrefix(phase, managedPhases) || strings.HasPrefix(r.name, "waf_rule.") ||
		strings.Contains(strings.ToLower(r.e.resourceType), "waf")
	if phase != "" && !managed && !hasAnyPrefix(phase, firewallPhases) {
		verb := r.verb
		if verb != verbCreate && verb != verbDelete {
			verb = verbUpdate
		}
		r.rename("zone.ruleset." + rulesetKinds[phase] + verb)
		if strings.HasPrefix(r.name, "zone.ruleset.config.") && verb != verbDelete && r.configWeakens() {
			r.direction = weaker
		}
		if r.target == "" {
			r.target = r.text("name")
		}
		return
	}
	var d controlsDiff
	if call := r.e.call; call == nil || !call.whole {
		c := r.controls()
		d = c.compare()
	}
	if d.target != "" {
		r.target = d.target
		if d.others > 0 {
			r.target += " and " + strconv.Itoa(d.others) + " more"
		}
	}
	if r.target == "" {
		r.target = r.text("name", "ruleset_name")
	}
	prefix := "firewall_rule."
	if managed {
		prefix = "waf_rule."
	}
	switch {
	case strings.HasSuffix(r.name, "_rule.disable"):
		r.direction = weaker
	case strings.HasSuffix(r.name, "_rule.enable"):
		r.direction = safer
	case r.verb == verbDelete:
		r.direction = d.removal
	case r.verb == verbCreate:
		r.direction = d.addition
	case r.verb != verbUpdate:
	case d.disabled:
		r.rename(prefix + verbDisable)
		r.direction = weaker
	case d.removed:
		r.rename("zone.firewall.rule.delete")
		if r.direction = d.removal; r.direction == safer && (d.moved == weaker || d.addition == weaker) {
			r.direction = weaker
		}
	case d.moved == weaker:
		r.direction = weaker
	case d.added:
		r.rename("zone.firewall.rule.create")
		r.direction = d.addition
	case d.enabled:
		r.rename(prefix + verbEnable)
		r.direction = safer
	case d.moved == safer:
		r.direction = safer
	default:
		r.direction = r.limitDirection()
	}
	for _, change := range d.changes {
		r.add(change)
	}
}

// isRuleset reports whether the entry is about a rule set or a rule of one.
func (r *review) isRuleset() bool {
	var buf [2*maxName + 1]byte
	return bytes.Contains(squashPair(buf[:0], r.e.resourceType, r.e.actionType), []byte("ruleset"))
}

// limitDirection tells a rate limit that lets more through from one that lets
// less through.
func (r *review) limitDirection() string {
	for _, key := range []string{"threshold", "requests_per_period"} {
		was, err1 := strconv.ParseFloat(r.before.text(key), 64)
		is, err2 := strconv.ParseFloat(r.after.text(key), 64)
		switch {
		case err1 != nil || err2 != nil:
		case is > was:
			return weaker
		case is < was:
			return safer
		}
	}
	return ""
}

// ruleLists are the members that hold the rules of a ruleset, and deletedLists
// those that hold the rules taken out of it.
var (
	ruleLists    = []string{"modified_rules", "rules", "added_rules", "new_rules"}
	deletedLists = []string{"deleted_rules", "removed_rules"}
)

// controls are the rules of a ruleset before and after.
type controls struct {
	before, after []firewallControl
	// complete says that a rule missing from one side did not exist then;
	// otherwise nothing is known of it.
	complete bool
	// deleted are the rules that the entry lists as deleted.
	deleted []firewallControl
}

// controls collects the rules of the entry. A rule that is not part of a
// ruleset is a list of one.
func (r *review) controls() controls {
	var c controls
	isList := false
	for _, key := range deletedLists {
		// They may stand on either side.
		for _, o := range []object{r.before, r.after} {
			if v := o.get(key); v != "" {
				isList = true
				r.was = appendElements(r.was[:0], v)
				c.deleted = r.appendControls(c.deleted, r.was)
			}
		}
	}
	for _, key := range ruleLists {
		before, after := r.before.get(key), r.after.get(key)
		switch {
		case before == "" && after == "":
			continue
		case before.kind() == '[' && after.kind() == '[':
			// The same list on both sides can be compared as it is.
			r.was, r.is = appendDiffering(r.was[:0], r.is[:0], string(before), string(after))
			return controls{r.appendControls(nil, r.was), r.appendControls(nil, r.is), true, c.deleted}
		}
		isList = true
		r.was, r.is = appendElements(r.was[:0], before), appendElements(r.is[:0], after)
		c.before, c.after = r.appendControls(c.before, r.was), r.appendControls(c.after, r.is)
	}
	if isList {
		return c
	}
	if len(r.before) > 0 {
		c.before = appendControl(nil, r.e.resourceID, r.before)
	}
	if len(r.after) > 0 {
		c.after = appendControl(nil, r.e.resourceID, r.after)
	}
	c.complete = r.verb != verbUpdate
	return c
}

// maxControls bounds how many rules of a ruleset are compared.
const maxControls = 200

func (r *review) appendControls(list []firewallControl, rules []value) []firewallControl {
	for _, rule := range rules {
		if rule.kind() == '{' && len(list) < maxControls {
			r.rule = r.rule.read(rule, nil)
			list = appendControl(list, "", r.rule)
		}
	}
	return list
}

func appendElements(list []value, array value) []value {
	array.each(func(key string, element value) bool {
		list = append(list, element)
		return key == ""
	})
	return list
}

// appendDiffering appends the elements in which two arrays of objects differ. An
// update of a ruleset repeats all the rules that stay as they are, so most of
// the text is compared as it is and not taken apart.
func appendDiffering(was, is []value, before, after string) (_, _ []value) {
	i, j := skipSpace(before, 1), skipSpace(after, 1)
	for {
		_, old, end := memberAt(before, i, false)
		behindOld := behind(before, end)
		if old.kind() == '{' && strings.HasPrefix(after[j:], string(old)) {
			i, j = behindOld, behind(after, j+len(old))
			continue
		}
		_, now, end := memberAt(after, j, false)
		behindNow := behind(after, end)
		switch {
		case old == "" && now == "":
			return was, is
		case old != "" && before[behindOld:] == after[j:]: // one is gone
			return append(was, old), is
		case now != "" && before[i:] == after[behindNow:]: // one is new
			return was, append(is, now)
		}
		if old != "" {
			was, i = append(was, old), behindOld
		}
		if now != "" {
			is, j = append(is, now), behindNow
		}
		if before[i:] == after[j:] {
			return was, is
		}
	}
}

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
	overrides := object(nil).read(rule.get("action_parameters").get("overrides"), nil)
	if len(overrides) == 0 {
		return list
	}
	all := firewallControl{id: "*", parent: c.id, name: c.name}
	all.readState(overrides)
	list = append(list, all)
	for _, key := range []string{"rules", "categories"} {
		overrides.get(key).each(func(_ string, v value) bool {
			override := object(nil).read(v, nil)
			o := firewallControl{id: override.text("id", "category"), parent: c.id, name: c.name}
			o.readState(override)
			list = append(list, o)
			return len(list) < maxControls
		})
	}
	return list
}

// readState reads whether a rule is in force and what it does.
func (c *firewallControl) readState(o object) {
	switch {
	case o.text("enabled") == "false", o.text("paused") == "true", o.text("disabled") == "true":
		c.off = true
	}
	c.action = strings.ToLower(o.text("action", "mode"))
	if c.action == "" {
		c.action = strings.ToLower(o.get("action").get("mode").text())
	}
	switch c.action {
	case "off", "disable", "disabled":
		c.off = true
	}
	c.strength = actionStrength[c.action]
}

// controlsDiff is what happened to the rules of a ruleset.
type controlsDiff struct {
	disabled, enabled bool
	moved             string // the direction in which actions changed
	added, removed    bool
	addition, removal string // the direction of a rule that came or went
	target            string // the rule that matters most
	others            int    // how many matter as much
	changes           []ingest.FieldChange

	weight int // of target
}

// note takes c for the target if nothing of more weight has happened to
// another rule, and keeps the change of field, if there is one.
func (d *controlsDiff) note(weight int, c *firewallControl, field, old, now string) {
	switch {
	case weight > d.weight:
		d.weight, d.target, d.others = weight, or(c.name, c.id), 0
	case weight == d.weight && weight > 1:
		d.others++
	}
	if field != "" && c.id != "" && len(d.changes) < maxChanges {
		d.changes = append(d.changes, ingest.FieldChange{Field: "rules." + c.id + "." + field, Old: old, New: now})
	}
}

// compare compares rules by their ids.
func (c *controls) compare() controlsDiff {
	var d controlsDiff
	for i := range c.after {
		now := &c.after[i]
		switch old := findControl(c.before, now); {
		case old != nil:
			d.changed(old, now)
		case now.parent != "":
			// An override that was not there: rules are on by default.
			d.changed(&firewallControl{action: "default", strength: actionStrength["block"]}, now)
		case c.complete || len(c.before) > 0:
			d.added = true
			if d.addition == "" || now.direction() == weaker {
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
	return d
}

// deleted notes that a rule is gone.
func (d *controlsDiff) deleted(c *firewallControl) {
	if c.parent != "" {
		return
	}
	switch removal := reverse(c.direction()); {
	case !d.removed, removal == weaker:
		d.removal = removal
	case removal != d.removal && d.removal != weaker:
		d.removal = "" // of one of them it cannot be told
	}
	d.removed = true
	d.note(4, c, "action", c.action, "")
}

// changed notes what happened to one rule.
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
		d.moved = weaker
	case now.strength > old.strength && d.moved == "":
		d.moved = safer
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

// direction tells what adding the rule does, or "" where that cannot be told.
func (c *firewallControl) direction() string {
	switch {
	case c.off || c.strength == 0 || c.strength == actionStrength["log"]:
		return ""
	case c.strength == actionStrength["skip"]:
		return weaker
	}
	return safer
}

func reverse(direction string) string {
	switch direction {
	case weaker:
		return safer
	case safer:
		return weaker
	}
	return ""
}
