package product

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// The rules of a ruleset are compared one by one, by their ids, and each member
// by member.

// actionStrength orders the actions of firewall rules.
var actionStrength = map[string]int{
	"skip": 1, "allow": 1, "bypass": 1, "whitelist": 1, "disable": 1,
	"log": 2, "simulate": 2,
	"challenge": 3, "js_challenge": 3, "managed_challenge": 3, "interactive_challenge": 3,
	"block": 4, "ban": 4, "drop": 4, "force_connection_close": 4,
}

// firewallControl is a rule of a ruleset, or an override in one, reduced to its
// effect on requests.
type firewallControl struct {
	id, parent string
	name       string
	off        bool
	strength   int // see actionStrength; 0 when it is not known
	action     string
	// alone says that the entry has the rule on one side only, and that nothing
	// is known about it on the other. A rule that was added or removed is not
	// alone.
	alone bool
	// members is the rule itself. It is missing for a rule that is not part of a
	// ruleset, as the whole entry is about that one.
	members jsondoc.Value
}

// ruleLists are the members that hold the rules of a ruleset, and deletedLists
// those that hold the rules deleted from it.
var (
	ruleLists    = []string{"modified_rules", "rules", addedRules, newRules}
	deletedLists = []string{"deleted_rules", "removed_rules"}
)

// The members that hold the rules added to a ruleset.
const addedRules, newRules = "added_rules", "new_rules"

// isRuleList reports whether a member holds the rules of a ruleset, which
// [controls] compares.
func isRuleList(field string) bool {
	return slices.Contains(ruleLists, field) || slices.Contains(deletedLists, field)
}

// controls are the rules of a ruleset before and after.
type controls struct {
	before, after []firewallControl
	// deleted are the rules that the entry lists as deleted.
	deleted []firewallControl
	// was and is are the lists that both sides have.
	was, is jsondoc.Value
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
				c.deleted = r.appendControls(c.deleted, r.was, false)
			}
		}
	}
	for _, key := range ruleLists {
		before, after := r.before.get(key), r.after.get(key)
		if !before.Exists() && !after.Exists() {
			continue
		}
		isList = true
		alone := false
		if before.Kind() == jsondoc.Array && after.Kind() == jsondoc.Array {
			// If both sides have the same list, it can be compared directly.
			r.was, r.is = appendDiffering(r.was[:0], r.is[:0], before, after)
			c.was, c.is = before, after
		} else {
			r.was, r.is = appendElements(r.was[:0], before), appendElements(r.is[:0], after)
			alone = key != addedRules && key != newRules
		}
		c.before, c.after = r.appendControls(c.before, r.was, alone), r.appendControls(c.after, r.is, alone)
	}
	if isList {
		return c
	}
	alone := r.verb == VerbUpdate
	if len(r.before) > 0 {
		c.before = appendControl(c.before, firewallControl{id: r.e.ResourceID, alone: alone}, r.before)
	}
	if len(r.after) > 0 {
		c.after = appendControl(c.after, firewallControl{id: r.e.ResourceID, alone: alone}, r.after)
	}
	return c
}

// maxControls bounds how many rules of a ruleset are compared.
const maxControls = 200

func (r *review) appendControls(list []firewallControl, elements []jsondoc.Value, alone bool) []firewallControl {
	for _, rule := range elements {
		if rule.Kind() == jsondoc.Object && len(list) < maxControls {
			r.rule = r.rule.read(rule)
			list = appendControl(list, firewallControl{alone: alone, members: rule}, r.rule)
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

// appendControl appends c, completed by the members of the rule, and the
// overrides in it.
func appendControl(list []firewallControl, c firewallControl, rule object) []firewallControl {
	// A rule without a name is about an address or a user agent.
	c.name = cmp.Or(rule.text("description", "notes"), rule.get("configuration").Get("value").Text())
	if c.id == "" {
		c.id = rule.text("id", "ref")
	}
	c.readState(rule)
	list = append(list, c)
	if c.action != "execute" {
		return list
	}
	// A managed ruleset is weakened by overriding its rules.
	overrides := rule.get("action_parameters").Get("overrides")
	if !hasMembers(overrides) {
		return list
	}
	all := firewallControl{id: "*", parent: c.id, name: c.name, members: overrides}
	all.readState(object(nil).read(overrides))
	list = append(list, all)
	for _, key := range []string{"rules", "categories"} {
		for v := range overrides.Get(key).All() {
			override := object(nil).read(v)
			o := firewallControl{id: override.text("id", "category"), parent: c.id, name: c.name, members: v}
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

func findControl(list []firewallControl, like *firewallControl) *firewallControl {
	for i := range list {
		if list[i].id == like.id && list[i].parent == like.parent {
			return &list[i]
		}
	}
	return nil
}

// controlsDiff is the difference between the rules of a ruleset before and
// after.
type controlsDiff struct {
	disabled, enabled bool
	moved             string // the direction in which rules changed
	added, removed    bool
	addition, removal string // the direction of an added or removed rule
	target            string // the rule that matters most
	others            int    // how many matter as much
	// described says that a rule got another description, and altered that one
	// changed in anything else.
	described, altered bool

	review *review // which takes the changes
	weight int     // of target
}

// What happened to a rule, by how much it matters. Of several rules the one to
// which the gravest thing happened is the target.
const (
	weightChanged = iota + 1
	weightAdded
	weightMoved
	weightDeleted
	weightDisabled
)

// note makes c the target unless a change of more weight happened to another
// rule.
func (d *controlsDiff) note(weight int, c *firewallControl) {
	switch {
	case weight > d.weight:
		d.weight, d.target, d.others = weight, cmp.Or(c.name, c.id), 0
	case weight == d.weight && weight > weightChanged:
		d.others++
	}
}

// record records the change of a member of c. If the whole entry is about one
// rule, its members are compared with those of the entry.
func (d *controlsDiff) record(c *firewallControl, field, old, now string) {
	if c.id != "" && c.members.Exists() {
		d.review.add(ingest.FieldChange{Field: "rules." + c.id + "." + field, Old: old, New: now})
	}
}

// compare compares rules by their ids. The rules that are switched off come
// first among the changes, and then those that do something else, because there
// is room for a few only.
func (d *controlsDiff) compare(c *controls) {
	for i := range c.after {
		now := &c.after[i]
		if old := findControl(c.before, now); now.off && (old != nil && !old.off || old == nil && now.parent != "") {
			d.record(now, "enabled", "true", "false")
		}
	}
	for i := range c.after {
		now := &c.after[i]
		switch old := findControl(c.before, now); {
		case old != nil:
			d.changed(old, now)
		case now.parent != "":
			// A new override: rules are on by default.
			d.changed(&firewallControl{action: "default", strength: actionStrength["block"]}, now)
			d.move(directionIn(sensitivities, jsondoc.Value{}, now.members.Get("sensitivity_level")), now)
		case !now.alone || len(c.before) > 0:
			d.added = true
			if d.addition == "" || now.direction() == rules.Weaker {
				d.addition = now.direction()
			}
			d.note(weightAdded, now)
			d.record(now, "action", "", now.action)
		case now.off:
			d.disabled = true
			d.note(weightDisabled, now)
		default:
			d.note(weightChanged, now)
		}
	}
	for i := range c.deleted {
		d.deleted(&c.deleted[i])
	}
	for i := range c.before {
		switch old := &c.before[i]; {
		case old.alone || findControl(c.after, old) != nil:
		case old.parent != "":
			d.enabled = d.enabled || old.off
		default:
			d.deleted(old)
		}
	}
	d.compareMembers(c)
	d.comparePlaces(c)
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
	d.note(weightDeleted, c)
	d.record(c, "action", c.action, "")
}

// changed records whether one rule was switched off or on, or does something
// else.
func (d *controlsDiff) changed(old, now *firewallControl) {
	d.note(weightChanged, now)
	if old.off != now.off {
		d.disabled = d.disabled || now.off
		d.enabled = d.enabled || old.off
		if now.off {
			d.note(weightDisabled, now)
		} else {
			d.note(weightAdded, now)
			d.record(now, "enabled", "false", "true")
		}
	}
	if old.action == now.action || now.action == "" {
		return
	}
	switch {
	case old.strength == 0 || now.strength == 0:
	case now.strength < old.strength:
		d.move(rules.Weaker, now)
	case now.strength > old.strength:
		d.move(rules.Safer, now)
	}
	d.record(now, "action", old.action, now.action)
}

// move records the direction in which a rule changed. That of a rule that lets
// more through outweighs all others.
func (d *controlsDiff) move(direction string, c *firewallControl) {
	switch {
	case direction == "":
	case direction == rules.Weaker:
		d.moved = rules.Weaker
		d.note(weightMoved, c)
	case d.moved == "":
		d.moved = rules.Safer
	}
}

// compareMembers records what else has changed in the rules that both sides
// have.
func (d *controlsDiff) compareMembers(c *controls) {
	r := d.review
	for i := range c.after {
		now := &c.after[i]
		old := findControl(c.before, now)
		switch {
		case old == nil || now.members.Exists() && old.members.Same(now.members):
			continue
		case now.members.Exists():
			r.oldRule, r.rule = r.oldRule.read(old.members), r.rule.read(now.members)
		default:
			r.oldRule, r.rule = append(r.oldRule[:0], r.before...), append(r.rule[:0], r.after...)
		}
		d.move(memberDirection(r.oldRule, r.rule), now)
		described, altered := difference(r.oldRule, r.rule)
		d.described, d.altered = d.described || described, d.altered || altered
		if !now.members.Exists() || !described && !altered {
			continue
		}
		prefix := "rules." + now.id + "."
		r.nested[0][0] = r.nested[0][0].read(r.oldRule.get("action_parameters"))
		r.nested[0][1] = r.nested[0][1].read(r.rule.get("action_parameters"))
		r.oldRule, r.rule = without(r.oldRule, recorded), without(r.rule, recorded)
		r.compareObjects(prefix, r.oldRule, r.rule, 1)
		if len(r.nested[0][0])+len(r.nested[0][1]) > 0 {
			r.compareObjects(prefix+"action_parameters.", without(r.nested[0][0], recorded), without(r.nested[0][1], recorded), 2)
		}
	}
}

// recorded are the members of rules and of their parameters that are compared
// elsewhere.
var recorded = []string{"enabled", "action", "action_parameters", "overrides", "rules", "categories"}

// without is o without some of its members, in the same memory.
func without(o object, names []string) object {
	return slices.DeleteFunc(o, func(m member) bool {
		return slices.Contains(names, m.key) && (m.key != "rules" || m.val.Kind() == jsondoc.Array)
	})
}

// difference is what differs between two states of a rule: only what people call
// it, or anything that has an effect.
func difference(was, is object) (described, altered bool) {
	differs := func(a, b object) {
		for i := range a {
			if m := &a[i]; !isHousekeeping(m.key) && !b.get(m.key).Same(m.val) {
				isName := m.key == "description" || m.key == "notes"
				described, altered = described || isName, altered || !isName
			}
		}
	}
	differs(was, is)
	differs(is, was)
	return described, altered
}

// comparePlaces records the rules that are as they were but have changed places
// with others: what is decided by an earlier rule does not reach a later one.
func (d *controlsDiff) comparePlaces(c *controls) {
	if !c.was.Exists() {
		return
	}
	var from []int // the places of the rules before, in the order after
	var same []*firewallControl
	for i := range c.after {
		now := &c.after[i]
		if now.id == "" {
			continue
		}
		old := slices.IndexFunc(c.before, func(old firewallControl) bool {
			return old.id == now.id && old.parent == "" && now.parent == "" && now.members.Exists()
		})
		if old >= 0 {
			from, same = append(from, old), append(same, now)
		}
	}
	if slices.IsSorted(from) {
		return
	}
	d.altered = true
	sorted := slices.Sorted(slices.Values(from))
	for i, now := range same {
		old := c.before[from[i]]
		if from[i] == sorted[i] || len(d.review.Changes) == maxChanges {
			continue
		}
		was, is := placeOf(c.was, old.members), placeOf(c.is, now.members)
		if was != is {
			d.record(now, "position", strconv.Itoa(was), strconv.Itoa(is))
		}
	}
}

// placeOf is the place of an element in a list, from 1.
func placeOf(list, element jsondoc.Value) int {
	place := 1
	for v := range list.All() {
		if v == element {
			return place
		}
		place++
	}
	return place
}

// sensitivities are the values of an override of a ruleset against DDoS attacks,
// from the weakest to the safest.
const sensitivities = "eoff low medium | default"

// memberDirection is the direction in which a rule moved by anything but its
// action: by its limit, by what it exempts from, or by whether it is logged.
func memberDirection(was, is object) string {
	direction := ""
	for _, d := range [...]string{
		limitDirection(was, is),
		skipDirection(was, is),
		numberDirection(was.get("score_threshold"), is.get("score_threshold"), rules.Weaker),
		directionIn(sensitivities, was.get("sensitivity_level"), is.get("sensitivity_level")),
		loggingDirection(was, is),
	} {
		if direction != rules.Weaker && d != "" {
			direction = d
		}
	}
	return direction
}

// limitDirection tells a looser rate limit from a tighter one. Where its numbers
// moved in different directions, none is known.
func limitDirection(was, is object) string {
	if limit := is.get("ratelimit"); limit.Exists() {
		was, is = object(nil).read(was.get("ratelimit")), object(nil).read(limit)
	}
	direction := ""
	for _, d := range [...]string{
		numberDirection(was.get("threshold"), is.get("threshold"), rules.Weaker),
		numberDirection(was.get("requests_per_period"), is.get("requests_per_period"), rules.Weaker),
		numberDirection(was.get("score_per_period"), is.get("score_per_period"), rules.Weaker),
		numberDirection(was.get("period"), is.get("period"), rules.Safer),
		numberDirection(was.get("mitigation_timeout"), is.get("mitigation_timeout"), rules.Safer),
		numberDirection(was.get("action").Get("timeout"), is.get("action").Get("timeout"), rules.Safer),
	} {
		switch {
		case d == "":
		case direction == "":
			direction = d
		case direction != d:
			return ""
		}
	}
	return direction
}

// numberDirection is the direction of a change from one number to another, if
// raising it has the direction raised.
func numberDirection(was, is jsondoc.Value, raised string) string {
	if !was.Exists() || !is.Exists() {
		return ""
	}
	old, err1 := strconv.ParseFloat(was.Text(), 64)
	now, err2 := strconv.ParseFloat(is.Text(), 64)
	switch {
	case err1 != nil || err2 != nil:
	case now > old:
		return raised
	case now < old:
		return reverse(raised)
	}
	return ""
}

// skipDirection tells whether a rule that exempts requests exempts them from
// more than before. "products" are those of the legacy firewall.
func skipDirection(was, is object) string {
	if actionStrength[strings.ToLower(was.text("action"))] != actionStrength["skip"] ||
		actionStrength[strings.ToLower(is.text("action"))] != actionStrength["skip"] {
		return ""
	}
	more, less := exempted(was.get("products"), is.get("products"))
	old, now := was.get("action_parameters"), is.get("action_parameters")
	for _, name := range []string{"ruleset", "rulesets", "phases", "products", "rules"} {
		m, l := exempted(old.Get(name), now.Get(name))
		more, less = more || m, less || l
	}
	switch {
	case more:
		return rules.Weaker
	case less:
		return rules.Safer
	}
	return ""
}

// exempted reports whether a rule exempts from more, and from less, than before.
// What it exempts from is a text, a list, or an object with a list for each
// ruleset.
func exempted(was, is jsondoc.Value) (more, less bool) {
	if was.Same(is) {
		return false, false
	}
	if was.Kind() != jsondoc.Object && is.Kind() != jsondoc.Object {
		return lacks(was, is), lacks(is, was)
	}
	for v := range is.All() {
		m, l := exempted(was.Get(v.Name()), v)
		more, less = more || m, less || l
	}
	for v := range was.All() {
		less = less || !is.Get(v.Name()).Exists()
	}
	return more, less
}

// lacks reports whether a list, or a text, is without an element of another.
func lacks(list, of jsondoc.Value) bool {
	if of.Kind() != jsondoc.Array {
		return isSaid(of) && !list.Same(of)
	}
	seen := 0
	for v := range of.All() {
		found := false
		for w := range list.All() {
			found = found || w.Same(v)
		}
		if seen++; !found || seen == maxMembers {
			return !found
		}
	}
	return false
}

// loggingDirection tells whether a rule leaves traces. Rules do unless they say
// otherwise.
func loggingDirection(was, is object) string {
	return directionIn(offOn, was.get("logging"), is.get("logging"))
}
