package rules

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// compiled is a rule ready for use.
type compiled struct {
	// Rule is the rule as it is in force.
	Rule
	actions []text.Glob
	lists   []listTest
	flags   []flagTest
	changed []changeGlobs
	title   Template
	// ownTitle says that the title differs from that of the default rule.
	ownTitle bool
	// own says that it is a rule of the user, and not a default rule.
	own bool
	// burst is set for a rule that counts. It grades nothing.
	burst *BurstRule
}

// listTest is a compiled condition with a list of either patterns or address
// prefixes.
type listTest struct {
	on       *condition
	globs    []text.Glob
	prefixes []netip.Prefix
}

// flagTest is a compiled boolean condition.
type flagTest struct {
	on   *condition
	want bool
}

// changeGlobs is a compiled [Change].
type changeGlobs struct{ field, old, new text.Glob }

// compile compiles r. standard is the title of the default rule that r is or
// changes, or "". Faults of r are left to the checker.
func compile(r Rule, standard string) *compiled {
	c := &compiled{Rule: r}
	if r.Drop && len(r.Match.Outcome) == 0 {
		// A failed attempt is never routine.
		c.Match.Outcome = []string{"success", "unknown"}
	}
	for _, of := range conditions {
		if of.list == nil {
			if want := *of.flag(&c.Match); want != nil {
				c.flags = append(c.flags, flagTest{of, *want})
			}
			continue
		}
		list := *of.list(&c.Match)
		switch {
		case len(list) == 0:
		case of == onAction:
			c.actions = globsOf(of, list)
		case of.prefixes:
			prefixes := make([]netip.Prefix, len(list))
			for i, s := range list {
				prefixes[i] = parsePrefix(s)
			}
			c.lists = append(c.lists, listTest{on: of, prefixes: prefixes})
		default:
			c.lists = append(c.lists, listTest{on: of, globs: globsOf(of, list)})
		}
	}
	for _, change := range r.Match.Changed {
		c.changed = append(c.changed, changeGlobs{text.NewGlob(change.Field), text.NewGlob(change.Old), text.NewGlob(change.New)})
	}
	c.ownTitle, c.own = r.Title != standard, standard == ""
	if c.Burst != nil {
		c.compileBurst()
		return c
	}
	c.title, _ = parseTemplate(cmp.Or(r.Title, defaultTitle))
	return c
}

func globsOf(of *condition, list []string) []text.Glob {
	globs := make([]text.Glob, len(list))
	for i, s := range list {
		if of.spell != nil {
			s = of.spell(s)
		}
		globs[i] = text.NewGlob(s)
	}
	return globs
}

// list is the test of one condition, or nil.
func (r *compiled) list(on *condition) *listTest {
	for i := range r.lists {
		if r.lists[i].on == on {
			return &r.lists[i]
		}
	}
	return nil
}

// failing is the name of the first condition of r that does not hold, or "" when
// r matches.
func (r *compiled) failing(f *Facts, c *Classifier) string {
	if len(r.actions) > 0 && !text.MatchAny(r.actions, f.Action) {
		return onAction.name
	}
	return r.failingBeyondAction(f, c)
}

// failingBeyondAction is failing for a rule whose action is known to match.
func (r *compiled) failingBeyondAction(f *Facts, c *Classifier) string {
	for i := range r.lists {
		if t := &r.lists[i]; !t.holds(f, c) {
			return t.on.name
		}
	}
	for i := range r.flags {
		if t := &r.flags[i]; t.on.is(f, c) != t.want {
			return t.on.name
		}
	}
	if len(r.changed) > 0 && !anyChanged(r.changed, f) {
		return changedName
	}
	return ""
}

func (t *listTest) holds(f *Facts, c *Classifier) bool {
	for i := range t.prefixes {
		if t.prefixes[i].Contains(f.Addr) {
			return true
		}
	}
	if len(t.globs) == 0 {
		return false
	}
	first, second := t.on.said(f, c)
	for i := range t.globs {
		g := &t.globs[i]
		if first != "" && g.Match(first) {
			return true
		}
		if second != "" && (!t.on.slashed || strings.Contains(g.String(), "/")) && g.Match(second) {
			return true
		}
	}
	return false
}

func anyChanged(patterns []changeGlobs, f *Facts) bool {
	for i := range f.Changes {
		change := &f.Changes[i]
		for j := range patterns {
			p := &patterns[j]
			if p.field.Match(change.Field) && (p.old.IsZero() || p.old.Match(change.Old)) && (p.new.IsZero() || p.new.Match(change.New)) {
				return true
			}
		}
	}
	return false
}

// index is a list of rules arranged by action. Trying all of a hundred rules on
// every entry would cost more than decoding it, so each action that is known,
// or that a rule names, has a list of the rules for it.
type index struct {
	// byAction has the positions of the rules by action, for each action that at
	// least one rule names by a pattern.
	byAction map[string][]uint32
	// general are the rules without a condition on the action: those for the
	// actions that are known, but are not in byAction.
	general []uint32
	// others are the rules for actions that are not known: those with a pattern,
	// or without a condition on the action. The condition must be tested.
	others []uint32
}

// newIndex arranges the rules of a list that keep selects. known must be sorted.
func newIndex(rules []*compiled, known []string, keep func(*compiled) bool) index {
	actions := withLiterals(rules, known)
	x := index{byAction: make(map[string][]uint32, min(len(actions), 16*len(rules)))}
	for at, r := range rules {
		if !keep(r) {
			continue
		}
		i := uint32(at)
		if len(r.actions) == 0 {
			x.general = append(x.general, i)
			x.others = append(x.others, i)
			for action, list := range x.byAction {
				x.byAction[action] = append(list, i)
			}
			continue
		}
		if slices.ContainsFunc(r.actions, text.Glob.IsWild) {
			x.others = append(x.others, i)
		}
		for _, g := range r.actions {
			suffix := g.String()[strings.LastIndexByte(g.String(), '*')+1:]
			for _, action := range g.Among(actions) {
				if strings.HasSuffix(action, suffix) && g.Match(action) {
					x.add(action, i)
				}
			}
		}
	}
	return x
}

// grades and counts are the two kinds of rules.
func grades(r *compiled) bool { return r.burst == nil }
func counts(r *compiled) bool { return r.burst != nil }

// add puts rule i at the end of the list for an action, once.
func (x *index) add(action string, i uint32) {
	list, begun := x.byAction[action]
	if !begun {
		list = slices.Clone(x.general)
	}
	if n := len(list); n > 0 && list[n-1] == i {
		return
	}
	x.byAction[action] = append(list, i)
}

// withLiterals is known, which is sorted, with the actions that rules name in
// full.
func withLiterals(rules []*compiled, known []string) []string {
	var more []string
	for _, r := range rules {
		for _, g := range r.actions {
			if _, found := slices.BinarySearch(known, g.String()); !g.IsWild() && !found {
				more = append(more, g.String())
			}
		}
	}
	if len(more) == 0 {
		return known
	}
	more = append(more, known...)
	slices.Sort(more)
	return slices.Compact(more)
}
