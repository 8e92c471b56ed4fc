package rules

import (
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Fact is what an entry says about one condition.
type Fact struct {
	// Name is the condition, named as in the JSON form of [Match].
	Name string
	// Values are what patterns are compared with; one match is enough. It is
	// empty where the entry says nothing. A boolean is "true" or "false", and a
	// changed field "field: old -> new".
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

// maxFact bounds a value of a [Fact], in bytes.
const maxFact = 512

// Explain shows how [Classifier.Grade] reaches its verdict: the values that the
// conditions are tested against, one [Fact] for each condition in a fixed
// order, and the rules in the order in which they are tried, up to the one that
// matches.
func (c *Classifier) Explain(f *Facts) ([]Fact, []Trial) {
	var trials []Trial
	c.table.each(func(r *compiled) bool {
		failed := r.failing(f, c)
		trials = append(trials, Trial{r.Rule.clone(), failed})
		return failed != ""
	})
	return c.facts(f), trials
}

// facts are the values of an entry for each condition.
func (c *Classifier) facts(f *Facts) []Fact {
	facts := make([]Fact, 0, len(conditions)+1)
	for _, of := range conditions {
		values := []string{}
		if of.is != nil {
			values = append(values, strconv.FormatBool(of.is(f, c)))
		} else {
			first, second := of.said(f, c)
			if strings.EqualFold(first, second) {
				second = ""
			}
			for _, s := range []string{first, second} {
				if s != "" {
					values = append(values, text.OneLine(s, maxFact))
				}
			}
		}
		facts = append(facts, Fact{of.name, values})
	}
	changed := Fact{changedName, []string{}}
	for _, change := range f.Changes {
		changed.Values = append(changed.Values, change.Field+": "+change.Old+" -> "+change.New)
	}
	return append(facts, changed)
}

// each calls fn for the rules that grade in their order until fn returns false.
func (t *table) each(fn func(*compiled) bool) {
	for _, r := range t.own {
		if grades(r) && !fn(r) {
			return
		}
	}
	for _, r := range t.defaults {
		if r != nil && grades(r) && !fn(r) {
			return
		}
	}
}
