package rules

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// checkReach finds the rules of a user that can never decide: those whose
// conditions contradict each other, and those shadowed by an earlier rule. It
// returns the user's own rules, compiled.
func (c *checker) checkReach(rules []Rule) []*compiled {
	var own []*compiled
	var places []string
	for i, r := range rules {
		if r.Disabled || r.Match.isZero() || c.standard(r.ID) != nil {
			continue
		}
		c.begin(i, r.ID)
		this := compile(r, "")
		c.checkTogether(this)
		if this.burst != nil {
			// It decides nothing, so it neither shadows others nor is shadowed.
			own, places = append(own, this), append(places, c.place)
			continue
		}
		for j, earlier := range own {
			if earlier.burst == nil && earlier.covers(this) {
				c.fault("match", "", "is never reached, because "+places[j]+" comes before it and matches everything it does: "+
					"put the more specific rule first, or remove one of them")
				break
			}
		}
		own, places = append(own, this), append(places, c.place)
	}
	return own
}

// checkTogether finds conditions that cannot hold for any action of the rule.
func (c *checker) checkTogether(r *compiled) {
	if len(r.actions) == 0 {
		return
	}
	check := func(on *condition) {
		concerns := func(g text.Glob) bool { return mayBeginWith(g, on.about) }
		if len(on.about) > 0 && !slices.ContainsFunc(r.actions, concerns) {
			c.fault("match."+on.name, "", "never holds for the actions of this rule: it is about "+strings.Join(on.about, "*, ")+"*")
		}
	}
	for i := range r.lists {
		check(r.lists[i].on)
	}
	for _, f := range r.flags {
		if f.want {
			check(f.on)
		}
	}
	c.checkVerb(r)
}

// checkVerb finds verbs that no action of the rule has.
func (c *checker) checkVerb(r *compiled) {
	verbs := r.list(onVerb)
	if verbs == nil || c.book.verb == nil {
		return
	}
	mayHold := func(g text.Glob) bool { return g.IsWild() || text.MatchAny(verbs.globs, c.book.verb(g.String())) }
	if !slices.ContainsFunc(r.actions, mayHold) {
		action := r.actions[0].String()
		c.fault("match.verb", "", "never holds for the actions of this rule: the verb of "+action+" is "+
			cmp.Or(c.book.verb(action), "not known"))
	}
}

// mayBeginWith reports whether a text that g matches may begin with one of the
// prefixes.
func mayBeginWith(g text.Glob, prefixes []string) bool {
	begin, _, wild := strings.Cut(g.String(), "*")
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return strings.HasPrefix(begin, p) || wild && strings.HasPrefix(p, begin)
	})
}

// covers reports whether r matches every entry that other matches. It may
// return false negatives, but no false positives.
func (r *compiled) covers(other *compiled) bool {
	if len(r.actions) > 0 && !globsCover(r.actions, other.actions, false) {
		return false
	}
	for i := range r.lists {
		if narrow := other.list(r.lists[i].on); narrow == nil || !r.lists[i].covers(narrow) {
			return false
		}
	}
	for _, f := range r.flags {
		if !slices.Contains(other.flags, f) {
			return false
		}
	}
	return len(r.changed) == 0 || changesCover(r.changed, other.changed)
}

// covers reports whether t holds whenever narrow, of the same condition, does.
func (t *listTest) covers(narrow *listTest) bool {
	if !t.on.prefixes {
		return globsCover(t.globs, narrow.globs, t.on.slashed)
	}
	return every(narrow.prefixes, func(n netip.Prefix) bool {
		return slices.ContainsFunc(t.prefixes, func(w netip.Prefix) bool {
			return w.Bits() <= n.Bits() && w.Contains(n.Addr())
		})
	})
}

// globsCover reports whether one of wide matches everything that narrow
// matches. With slashed, patterns with and without a slash are compared with
// different texts.
func globsCover(wide, narrow []text.Glob, slashed bool) bool {
	return len(narrow) > 0 && every(narrow, func(n text.Glob) bool {
		return slices.ContainsFunc(wide, func(w text.Glob) bool {
			sameForm := !slashed || strings.Contains(w.String(), "/") == strings.Contains(n.String(), "/")
			return sameForm && w.Covers(n)
		})
	})
}

func changesCover(wide, narrow []changeGlobs) bool {
	return len(narrow) > 0 && every(narrow, func(n changeGlobs) bool {
		return slices.ContainsFunc(wide, func(w changeGlobs) bool {
			return w.field.Covers(n.field) && valueCovers(w.old, n.old) && valueCovers(w.new, n.new)
		})
	})
}

// valueCovers is Covers for patterns that, when empty, match any value.
func valueCovers(wide, narrow text.Glob) bool {
	return wide.IsZero() || !narrow.IsZero() && wide.Covers(narrow)
}

func every[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(item T) bool { return !holds(item) })
}
