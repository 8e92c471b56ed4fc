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
	*Change
	// By is the change that undid it, or nil while it is in place.
	By *Change
}

// opens are actions that take away protection or sight, or give somebody access,
// although they have no direction: nothing was moved on a scale.
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

// weakened are the weakenings that no later change has undone, the riskiest first,
// and those that one has, in the order of time.
func weakened(changes []*Change) (open, undone []*Weakening) {
	var all []*Weakening
	for _, c := range changes {
		if c.Failed {
			continue
		}
		for _, w := range all {
			if w.By == nil && w.undoneBy(c) {
				w.By = c
			}
		}
		if !opening(c) {
			continue
		}
		// The same thing once more is one weakening.
		if i := slices.IndexFunc(all, func(w *Weakening) bool { return w.By == nil && w.Action == c.Action && sameThing(w.Change, c) }); i >= 0 {
			continue
		}
		all = append(all, &Weakening{Change: c})
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

// undoneBy reports whether c puts right what w did: it makes the same thing safer,
// gives it its old value back, or is the opposite action.
func (w *Weakening) undoneBy(c *Change) bool {
	if c.Product != w.Product || !sameThing(w.Change, c) {
		return false
	}
	if c.Direction == safer || restores(w.Fields, c.Fields) {
		return true
	}
	return slices.Contains(opposites[lastWord(w.Action)], lastWord(c.Action)) && c.Direction != weaker
}

func lastWord(action string) string { return action[strings.LastIndexByte(action, '.')+1:] }

// sameThing reports whether two changes are about the same thing. Settings are
// told apart by their names, and the rules of a rule set by their ids; both share
// the resource they stand in.
func sameThing(a, b *Change) bool {
	if a.account != b.account || !sameZone(a, b) {
		return false
	}
	if x, y := ruleIDs(a.Fields), ruleIDs(b.Fields); len(x) > 0 && len(y) > 0 {
		return slices.ContainsFunc(x, func(id string) bool { return slices.Contains(y, id) || slices.Contains(y, "*") || id == "*" }) ||
			a.Target != "" && strings.EqualFold(a.Target, b.Target)
	}
	if a.Target != "" && b.Target != "" && a.Product == "Zone settings" {
		return strings.EqualFold(a.Target, b.Target)
	}
	return a.resource != "" && a.resource == b.resource && (a.resource != a.account || strings.EqualFold(a.Target, b.Target)) ||
		a.Target != "" && strings.EqualFold(a.Target, b.Target)
}

func sameZone(a, b *Change) bool {
	return strings.EqualFold(a.Zone, b.Zone) || a.zoneID != "" && a.zoneID == b.zoneID || a.Zone == "" || b.Zone == ""
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

// restores reports whether a later change gives a field its old value back.
func restores(was, now []ingest.FieldChange) bool {
	for _, a := range was {
		for _, b := range now {
			if a.Field == b.Field && a.Old != "" && a.Old == b.New {
				return true
			}
		}
	}
	return false
}
