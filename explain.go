package cloudflareaudit

import (
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Explanation says how an entry is graded and why. [Normalizer.Explain] makes
// one.
type Explanation struct {
	// Event and Verdict are what [Normalizer.Normalize] makes of the entry.
	Event   ingest.Event
	Verdict Verdict
	// Facts are what the conditions of rules were tested against.
	Facts []Fact
	// Trials are the rules that were tried, in their order. The last one
	// decided.
	Trials []Trial
}

// Fact is what an entry says about one condition.
type Fact struct {
	// Name is the condition, named as in the JSON form of [Match].
	Name string
	// Values are what patterns are compared with; one that fits is enough.
	// There is none where the entry says nothing. A boolean is "true" or
	// "false", and a changed field "field: old -> new".
	Values []string
}

// Trial is a rule that was tried on an entry.
type Trial struct {
	// Rule is the rule as it is in force.
	Rule Rule
	// Failed is the first condition that did not hold, named as in the JSON
	// form of [Match], or "" for the rule that matched.
	Failed string
}

// Explain grades one entry as Normalize does and tells why: what the entry came
// down to, and which rules were tried up to the one that matched.
func (n *Normalizer) Explain(raw []byte) Explanation {
	e := decodeOne(raw)
	f := n.facts(&e)
	v := n.classifier.classify(&e, &f)
	x := Explanation{Event: n.eventOf(&e, &f, v, time.Time{}), Verdict: v}
	g := graded{c: n.classifier, e: &e, f: &f}
	for _, c := range conditions {
		fact := Fact{Name: c.name, Values: []string{}}
		text, other := g.said(c.kind)
		if strings.EqualFold(text, other) {
			other = ""
		}
		for _, s := range []string{text, other} {
			if s != "" {
				fact.Values = append(fact.Values, oneLine(s, maxText))
			}
		}
		x.Facts = append(x.Facts, fact)
	}
	for _, flag := range flags {
		x.Facts = append(x.Facts, Fact{flag.name, []string{strconv.FormatBool(g.is(flag.kind))}})
	}
	changed := Fact{Name: "changed", Values: []string{}}
	for _, c := range f.changes {
		changed.Values = append(changed.Values, c.Field+": "+c.Old+" -> "+c.New)
	}
	x.Facts = append(x.Facts, changed)
	for _, r := range n.classifier.rules.all {
		failed := g.failing(r)
		x.Trials = append(x.Trials, Trial{r.Rule.clone(), failed})
		if failed == "" {
			break
		}
	}
	return x
}
