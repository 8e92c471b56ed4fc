package cloudflareaudit

import (
	"net/netip"
	"slices"
	"strings"
)

// checkReach finds the rules of a user that can never decide: those that ask for
// what cannot go together, and those behind another one that matches all that
// they do.
func (p *ruleParser) checkReach(rules []Rule) {
	var before []*compiledRule
	var places []string
	for i, r := range rules {
		if r.Disabled || r.Match.isZero() {
			continue
		}
		p.begin(i, r.ID)
		compiled := compile(r)
		p.checkTogether(compiled)
		for j, earlier := range before {
			if earlier.covers(compiled) {
				p.fault("match", "", "is never reached, because "+places[j]+" stands before it and matches all that it does: "+
					"put the special rule first, or leave out one of them")
				break
			}
		}
		before, places = append(before, compiled), append(places, p.place)
	}
}

// concerned are the families of the entries that have something to say about a
// condition. The other conditions are about all entries.
var concerned = map[conditionKind][]string{
	onRecordType:  {familyDNS},
	onSetting:     {familyZone, familyFirewall, familyAccount},
	onRole:        {familyAccount},
	onScope:       {familyToken},
	onWorker:      {familyWorkers},
	onDecision:    {familyAccess},
	onAccountWide: {familyFirewall},
	onOwnToken:    {familyToken},
}

// checkTogether finds conditions that cannot hold for any action of the rule.
func (p *ruleParser) checkTogether(r *compiledRule) {
	actions := r.globs(onAction)
	if len(actions) == 0 {
		return
	}
	check := func(kind conditionKind, name string) {
		if in := concerned[kind]; in != nil && !slices.ContainsFunc(actions, func(g glob) bool { return mayBeIn(g, in) }) {
			p.fault("match."+name, "", "never holds for the actions of this rule: it is about "+prefixesOf(in))
		}
	}
	for _, c := range r.conditions {
		check(c.kind, conditions[c.kind].name)
	}
	for _, f := range r.flags {
		if f.want {
			check(f.kind, f.name)
		}
	}
	verbs := r.globs(onVerb)
	if len(verbs) > 0 && !slices.ContainsFunc(actions, func(g glob) bool { return g.wild || matchAny(verbs, newNaming(g.text).verb) }) {
		p.fault("match.verb", "", "never holds for the actions of this rule: the verb of "+actions[0].text+" is "+
			or(newNaming(actions[0].text).verb, "not known"))
	}
}

// mayBeIn reports whether an action that the pattern fits may be of one of the
// families.
func mayBeIn(action glob, in []string) bool {
	if !action.wild {
		return slices.Contains(in, newNaming(action.text).family)
	}
	known, _, _ := strings.Cut(action.text, "*")
	for _, row := range families {
		if slices.Contains(in, row.family) && (strings.HasPrefix(known, row.prefix) || strings.HasPrefix(row.prefix, known)) {
			return true
		}
	}
	return false
}

// prefixesOf are the actions of families, as patterns.
func prefixesOf(in []string) string {
	var patterns []string
	for _, row := range families {
		if slices.Contains(in, row.family) {
			patterns = append(patterns, row.prefix+"*")
		}
	}
	return strings.Join(patterns, ", ")
}

// covers reports whether r matches every entry that other matches. It may miss
// that, but it is never wrong when it says so.
func (r *compiledRule) covers(other *compiledRule) bool {
	for _, c := range r.conditions {
		if !r.conditionCovers(c.kind, other) {
			return false
		}
	}
	for _, f := range r.flags {
		if !slices.Contains(other.flags, f) {
			return false
		}
	}
	if len(r.changed) == 0 {
		return true
	}
	return len(other.changed) > 0 && every(other.changed, func(narrow changeGlobs) bool {
		return slices.ContainsFunc(r.changed, func(wide changeGlobs) bool {
			return wide.field.covers(narrow.field) &&
				(wide.old.text == "" || narrow.old.text != "" && wide.old.covers(narrow.old)) &&
				(wide.new.text == "" || narrow.new.text != "" && wide.new.covers(narrow.new))
		})
	})
}

func (r *compiledRule) conditionCovers(kind conditionKind, other *compiledRule) bool {
	if kind == onSourceIP {
		return len(other.prefixes) > 0 && every(other.prefixes, func(narrow netip.Prefix) bool {
			return slices.ContainsFunc(r.prefixes, func(wide netip.Prefix) bool {
				return wide.Bits() <= narrow.Bits() && wide.Contains(narrow.Addr())
			})
		})
	}
	globs := other.globs(kind)
	return len(globs) > 0 && every(globs, func(narrow glob) bool {
		return slices.ContainsFunc(r.globs(kind), func(wide glob) bool {
			// Only a pattern with a slash looks at the group of a setting.
			sameForm := kind != onSetting || strings.Contains(wide.text, "/") == strings.Contains(narrow.text, "/")
			return sameForm && wide.covers(narrow)
		})
	})
}

func every[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(item T) bool { return !holds(item) })
}

// covers reports whether g fits every text that other fits. A star of other can
// only be swallowed by one of g, so it may stand for itself.
func (g glob) covers(other glob) bool { return g.match(other.text) }
