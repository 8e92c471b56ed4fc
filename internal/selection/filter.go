package selection

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Filter selects events. All conditions that are set must hold; of the patterns
// of one condition a single match is enough. In a pattern * matches any text,
// and case is ignored. The zero Filter selects every event.
type Filter struct {
	// MinSeverity is the lowest severity selected, or empty.
	MinSeverity ingest.Severity
	// Actions match the canonical action. A pattern without ".failed" at its end
	// also matches the attempt that failed.
	Actions []string
	// Actors match any of the actor's e-mail address, name and id, and the name
	// and id of the API token used.
	Actors []string
	// Zones match the name of the zone, in any spelling, or its id.
	Zones []string
	// Rules match the id of the rule that graded the event.
	Rules []string
}

// Validate reports an unknown severity, with the name of its flag.
func (f *Filter) Validate() error {
	if f.MinSeverity == "" || f.MinSeverity.Valid() {
		return nil
	}
	return fmt.Errorf("--min-severity: %q: must be %s", f.MinSeverity, text.Alternatives(ingest.Severities()))
}

// Empty reports whether f selects every event.
func (f *Filter) Empty() bool {
	return f.MinSeverity == "" && len(f.Actions)+len(f.Actors)+len(f.Zones)+len(f.Rules) == 0
}

// condition is one condition of a filter.
type condition struct {
	flag     string
	patterns []string
	globs    []text.Glob
	// spell, when set, is the spelling in which patterns are compared.
	spell func(pattern string) string
	// values are what an event has for it.
	values func(e *ingest.Event) []string
	// hits counts the events that each of the patterns matched.
	hits []int
}

func (f *Filter) conditions() []condition {
	all := []condition{
		{flag: "--action", patterns: f.Actions, values: func(e *ingest.Event) []string {
			return []string{e.Action, strings.TrimSuffix(e.Action, ".failed")}
		}},
		{flag: "--actor", patterns: f.Actors, values: func(e *ingest.Event) []string {
			return []string{e.Actor, e.Audit.ActorEmail, e.Audit.ActorName, e.Audit.ActorID, e.Audit.TokenName, e.Audit.TokenID}
		}},
		{flag: "--zone", patterns: f.Zones, spell: text.DNSZone, values: func(e *ingest.Event) []string {
			return []string{text.DNSZone(e.Audit.ZoneName), e.Audit.ZoneID}
		}},
		{flag: "--rule", patterns: f.Rules, values: func(e *ingest.Event) []string { return []string{e.Audit.Rule} }},
	}
	all = slices.DeleteFunc(all, func(c condition) bool { return len(c.patterns) == 0 })
	for i := range all {
		c := &all[i]
		c.hits = make([]int, len(c.patterns))
		for _, p := range c.patterns {
			if c.spell != nil {
				p = c.spell(p)
			}
			c.globs = append(c.globs, text.NewGlob(p))
		}
	}
	return all
}

// match reports whether one of the patterns matches one of the values of e that
// are not empty, and counts each that does.
func (c *condition) match(e *ingest.Event) bool {
	values := slices.DeleteFunc(c.values(e), func(v string) bool { return v == "" })
	matched := false
	for i, g := range c.globs {
		if slices.ContainsFunc(values, g.Match) {
			c.hits[i]++
			matched = true
		}
	}
	return matched
}

func (f *Filter) severe(s ingest.Severity) bool {
	return f.MinSeverity == "" || slices.Index(ingest.Severities(), s) <= slices.Index(ingest.Severities(), f.MinSeverity)
}

// Tally applies a filter, and counts the matches of each pattern, so that one
// that matches nothing, such as a mistyped name, can be reported.
type Tally struct {
	filter         *Filter
	conditions     []condition
	seen, selected int
}

// NewTally returns a Tally of the filter, which must not change any more.
func NewTally(f *Filter) *Tally { return &Tally{filter: f, conditions: f.conditions()} }

// Match reports whether e is selected.
func (t *Tally) Match(e *ingest.Event) bool {
	t.seen++
	selected := t.filter.severe(e.Severity)
	for i := range t.conditions {
		selected = t.conditions[i].match(e) && selected
	}
	if selected {
		t.selected++
	}
	return selected
}

// Counts are how many events there were, and how many the filter selected.
func (t *Tally) Counts() (seen, selected int) { return t.seen, t.selected }

// Unmatched lists the patterns that no event matched, each with its flag.
func (t *Tally) Unmatched() (flags []string) {
	for _, c := range t.conditions {
		for i, n := range c.hits {
			if t.seen > 0 && n == 0 {
				flags = append(flags, c.flag+" "+c.patterns[i])
			}
		}
	}
	return flags
}
