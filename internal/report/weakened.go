package report

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The directions of a change.
const (
	weaker = "weaker"
	safer  = "safer"
)

// Weakening is a change that made something weaker or more open, and what became
// of it.
type Weakening struct {
	// Change is the first such change, and Latest the last one while nothing undid
	// it, which may be the same.
	*Change
	Latest *Change
	// By is the change that undid it, or nil while it is in effect.
	By *Change
	// Instead is the state after By if it differs from the original one, such
	// as "ssl: flexible", or empty.
	Instead string

	all []*Change
	// rules are the rules of a rule set that are still weaker.
	rules []string
}

// opens are actions that remove protection or visibility, or grant access,
// although they have no direction because no value moved on a scale.
var opens = []string{
	"account.2fa.disable", "access_policy.delete", "api_key.create", "api_token.create", "firewall_rule.disable",
	"identity_provider.create", "logpush.job.delete", "logpush.job.disable", "member.add", "waf_rule.disable",
	"zone.firewall.rule.delete",
}

// verbs that undo each other.
var opposites = map[string][]string{
	"add": {"remove", "delete"}, "create": {"delete", "revoke", "remove", "deactivate"}, "delete": {"create"}, "remove": {"add", "create"},
	"disable": {"enable", "enforce", "create"}, "enable": {"disable"},
}

// weakened are the weakenings that are still in effect, riskiest first, and
// those that a later change has undone, in the order of time.
func weakened(changes []*Change) (open, undone []*Weakening) {
	var all []*Weakening
	for _, c := range changes {
		if c.Failed {
			continue
		}
		for _, w := range all {
			if w.By == nil && w.undoneBy(c) {
				w.By, w.Instead = c, instead(w.Change, c)
			}
		}
		if !opening(c) {
			continue
		}
		// A repetition counts as the same weakening.
		if i := slices.IndexFunc(all, func(w *Weakening) bool { return w.By == nil && w.Action == c.Action && w.continues(c) }); i >= 0 {
			w := all[i]
			w.Latest, w.all = c, append(w.all, c)
			continue
		}
		all = append(all, &Weakening{Change: c, Latest: c, all: []*Change{c}, rules: ruleIDs(c.Fields)})
	}
	for _, w := range all {
		if w.By == nil {
			open = append(open, w)
		} else {
			undone = append(undone, w)
		}
	}
	slices.SortStableFunc(open, func(a, b *Weakening) int { return byRisk(a.Change, b.Change) })
	return open, undone
}

// opening reports whether c made something weaker or more open.
func opening(c *Change) bool {
	switch c.Direction {
	case weaker:
		return true
	case safer:
		return false
	}
	return slices.Contains(opens, c.Action) && severityRank(c.Severity) <= severityRank(ingest.Medium)
}

// continues reports whether c weakens the same thing again. Another rule of a rule
// set is another thing.
func (w *Weakening) continues(c *Change) bool {
	return sameThing(w.Change, c) && len(without(ruleIDs(c.Fields), w.rules)) == 0
}

// undoneBy reports whether c undoes the rest of w: it makes the same resource
// safer, restores every old value, or is the opposite action. In doubt it does
// not.
func (w *Weakening) undoneBy(c *Change) bool {
	if c.Product != w.Product || !sameThing(w.Change, c) {
		return false
	}
	undoes := c.Direction == safer || restores(w.Fields, c.Fields) ||
		slices.Contains(opposites[lastWord(w.Action)], lastWord(c.Action)) && c.Direction != weaker
	if ids := ruleIDs(c.Fields); undoes && len(w.rules) > 0 && len(ids) > 0 && !sameTarget(w.Change, c) {
		// Of several rules, each must be restored.
		w.rules = without(w.rules, ids)
		return len(w.rules) == 0
	}
	return undoes
}

// without is list without the rules, "*" being all of them.
func without(list, rules []string) (left []string) {
	for _, id := range list {
		if !slices.Contains(rules, id) && !slices.Contains(rules, "*") {
			left = append(left, id)
		}
	}
	return left
}

// instead is the value after c of the field that w is about, if c did not
// restore its old value, or "".
func instead(w, c *Change) string {
	was, ok := tellingField(w)
	if !ok || was.Old == "" {
		return ""
	}
	for _, f := range c.Fields {
		name := f.Field
		if strings.HasPrefix(name, "rules.") {
			name = lastWord(name)
		}
		if name == was.Field && f.New != "" && f.New != was.Old {
			return was.Field + ": " + f.New
		}
	}
	return ""
}

func lastWord(action string) string { return action[strings.LastIndexByte(action, '.')+1:] }

// sameThing reports whether two changes are about the same thing. Settings are
// told apart by their names, and the rules of a rule set by their ids; both share
// the resource they stand in.
func sameThing(a, b *Change) bool {
	ofResource := a.resource != "" && a.resource == b.resource && a.resource != a.account
	if a.account != b.account || !sameZone(a, b) && (!ofResource || a.Zone != "" && b.Zone != "") {
		return false
	}
	if x, y := ruleIDs(a.Fields), ruleIDs(b.Fields); len(x) > 0 && len(y) > 0 {
		return len(without(x, y)) < len(x) || slices.Contains(x, "*") || sameTarget(a, b)
	}
	if a.Target != "" && b.Target != "" && a.Product == "Zone settings" {
		return sameTarget(a, b)
	}
	return ofResource || sameTarget(a, b) || a.resource != "" && a.resource == b.resource && strings.EqualFold(a.Target, b.Target)
}

func sameTarget(a, b *Change) bool { return a.Target != "" && strings.EqualFold(a.Target, b.Target) }

func sameZone(a, b *Change) bool {
	return strings.EqualFold(a.Zone, b.Zone) || a.zoneID != "" && a.zoneID == b.zoneID
}

// ruleIDs are the ids of the rules whose fields changed.
func ruleIDs(fields []ingest.FieldChange) (ids []string) {
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(f.Field, "rules."); ok {
			id, _, _ := strings.Cut(rest, ".")
			ids = append(ids, id)
		}
	}
	return ids
}

// restores reports whether a later change gives every field whose old value is
// known that value back.
func restores(was, now []ingest.FieldChange) bool {
	known := before(was)
	for _, a := range known {
		if !slices.ContainsFunc(now, func(b ingest.FieldChange) bool { return a.Field == b.Field && a.Old == b.New }) {
			return false
		}
	}
	return len(known) > 0
}
