package rules

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Review finds what looks like a mistake in a user's rules that have no fault:
// a pattern that fits nothing known, such as a mistyped action, and a rule for
// which several earlier ones leave no entry. It may be wrong, because
// Cloudflare adds products and names: show the result to a person, and use the
// rules anyway. The Field of each is written as by [Book.Check].
func (b *Book) Review(user []Rule) []*ingest.FieldError {
	c := checker{book: b}
	var earlier []*compiled
	for i, r := range user {
		if r.Disabled || r.Match.isZero() || c.standard(r.ID) != nil {
			continue
		}
		this := compile(r, "")
		c.begin(i, r.ID)
		c.reviewMatch(&r.Match)
		c.reviewVerb(this)
		if counts(this) {
			continue // it takes no entry from others, nor they from it
		}
		c.reviewReach(this, earlier)
		earlier = append(earlier, this)
	}
	doubts := make([]*ingest.FieldError, len(c.faults))
	for i, f := range c.faults {
		doubts[i] = f.err
	}
	return doubts
}

// reviewMatch finds patterns that fit nothing known.
func (c *checker) reviewMatch(m *Match) {
	for _, of := range conditions {
		if of.list == nil {
			continue
		}
		for _, s := range *of.list(m) {
			if doubt := c.doubt(of, s); doubt != "" {
				c.fault("match."+of.name, s, doubt)
			}
		}
	}
}

// doubt is why a pattern of a condition looks mistaken, or "".
func (c *checker) doubt(of *condition, s string) string {
	known, near := c.book.values[of.name], c.book.names[of.name]
	pattern := s
	if of == onAction {
		known = c.book.actions
	}
	if of.slashed {
		pattern = s[strings.LastIndexByte(s, '/')+1:]
	}
	if fits(pattern, known) || fits(pattern, near) {
		return ""
	}
	if len(known) == 0 {
		if nearest := text.Nearest(s, near); nearest != "" {
			return "is not a known " + words(of.name) + text.DidYouMean(nearest)
		}
		return ""
	}
	suggestion := ""
	if of == onAction {
		suggestion = suggestAction(pattern, known)
	} else {
		suggestion = text.Suggest(pattern, known)
	}
	return "matches no known " + words(of.name) + suggestion
}

// words is the name of a condition in a sentence.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// fits reports whether a pattern matches one of the texts.
func fits(pattern string, texts []string) bool {
	return slices.ContainsFunc(texts, text.NewGlob(pattern).Match)
}

// maxSuggested is the most actions that are suggested at once.
const maxSuggested = 5

// suggestAction is the end of a doubt about a pattern of actions: those that it
// is a part of, such as "dns" or "record.delete", or else the nearest one.
func suggestAction(pattern string, actions []string) string {
	if fits(pattern+".*", actions) {
		return text.DidYouMean(pattern + ".*")
	}
	var ending []string
	for _, action := range actions {
		if strings.HasSuffix(action, "."+strings.ToLower(pattern)) {
			ending = append(ending, action)
		}
	}
	if n := len(ending); n > 0 && n <= maxSuggested {
		return text.Suggest(pattern, ending)
	}
	if nearest := text.Nearest(pattern, alike(pattern, actions)); nearest != "" {
		return text.DidYouMean(nearest)
	}
	return ""
}

// alike are the patterns of the form of one, "dns.*" or "*.delete", that match
// some of the actions. For another form they are the actions.
func alike(pattern string, actions []string) []string {
	begin, beginning := strings.CutSuffix(pattern, ".*")
	end, ending := strings.CutPrefix(pattern, "*.")
	beginning, ending = beginning && !strings.Contains(begin, "*"), ending && !strings.Contains(end, "*")
	if !beginning && !ending {
		return actions
	}
	var list []string
	for _, action := range actions {
		for i := range len(action) {
			switch {
			case action[i] != '.':
			case beginning:
				list = append(list, action[:i]+".*")
			case ending:
				list = append(list, "*"+action[i:])
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// reviewVerb finds verbs that no known action of the rule has. For actions
// without a *, this is a fault.
func (c *checker) reviewVerb(r *compiled) {
	verbs := r.list(onVerb)
	if verbs == nil || c.book.verb == nil || !slices.ContainsFunc(r.actions, text.Glob.IsWild) {
		return
	}
	known := false
	for _, action := range c.book.actions {
		if !text.MatchAny(r.actions, action) {
			continue
		}
		if text.MatchAny(verbs.globs, c.book.verb(action)) {
			return
		}
		known = true
	}
	if known {
		c.fault("match.verb", "", "never holds for the known actions of this rule")
	}
}

// reviewReach finds a rule that several earlier ones leave nothing to, each of
// them some of its actions. If one alone does, that is a fault, except where it
// takes all actions by a pattern.
func (c *checker) reviewReach(r *compiled, earlier []*compiled) {
	actions := r.actions
	if len(actions) == 0 {
		actions = []text.Glob{text.NewGlob("*")}
	}
	var before []string
	for _, action := range actions {
		some := *r
		some.actions = []text.Glob{action}
		i := slices.IndexFunc(earlier, func(e *compiled) bool { return e.covers(&some) })
		if i < 0 {
			return
		}
		before = append(before, earlier[i].ID)
	}
	slices.Sort(before)
	c.fault("match", "", "is never reached, because earlier rules match everything it does: "+strings.Join(slices.Compact(before), ", "))
}
