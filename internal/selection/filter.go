package selection

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
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
	// Zones match the name or the id of the zone.
	Zones []string
	// Rules match the id of the rule that graded the event.
	Rules []string
}

// Validate reports an unknown severity, with the name of its flag.
func (f *Filter) Validate() error {
	if f.MinSeverity == "" || f.MinSeverity.Valid() {
		return nil
	}
	all := make([]string, 0, 5)
	for _, s := range ingest.Severities() {
		all = append(all, string(s))
	}
	return fmt.Errorf("--min-severity: %q: must be %s", f.MinSeverity, strings.Join(all, ", "))
}

// Empty reports whether f selects every event.
func (f *Filter) Empty() bool {
	return f.MinSeverity == "" && len(f.Actions)+len(f.Actors)+len(f.Zones)+len(f.Rules) == 0
}

// Match reports whether e is selected.
func (f *Filter) Match(e *ingest.Event) bool {
	if !f.severe(e.Severity) {
		return false
	}
	for _, c := range f.conditions(e) {
		if !matches(c.patterns, c.values...) {
			return false
		}
	}
	return true
}

// condition is one condition of a filter with what an event has for it.
type condition struct {
	flag     string
	patterns []string
	values   []string
}

func (f *Filter) conditions(e *ingest.Event) [4]condition {
	return [4]condition{
		{"--action", f.Actions, []string{e.Action, strings.TrimSuffix(e.Action, ".failed")}},
		{"--actor", f.Actors, []string{
			e.Actor, e.Audit.ActorEmail, e.Audit.ActorName, e.Audit.ActorID, e.Audit.TokenName, e.Audit.TokenID,
		}},
		{"--zone", f.Zones, []string{e.Audit.ZoneName, e.Audit.ZoneID}},
		{"--rule", f.Rules, []string{e.Audit.Rule}},
	}
}

func (f *Filter) severe(s ingest.Severity) bool {
	return f.MinSeverity == "" || slices.Index(ingest.Severities(), s) <= slices.Index(ingest.Severities(), f.MinSeverity)
}

// matches reports whether one of the patterns, if there are any, matches one of
// the values that are not empty.
func matches(patterns []string, values ...string) bool {
	for _, p := range patterns {
		for _, v := range values {
			if v != "" && glob(strings.ToLower(p), strings.ToLower(v)) {
				return true
			}
		}
	}
	return len(patterns) == 0
}

// glob reports whether s matches a pattern in which * stands for any text.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return s == pattern
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[last])
}

// Tally counts the matches of a filter by pattern, so that a pattern that
// matches nothing, such as a mistyped name, can be reported.
type Tally struct {
	filter   *Filter
	seen     int
	selected int
	hits     map[string]int
}

// NewTally returns a Tally of the filter.
func NewTally(f *Filter) *Tally { return &Tally{filter: f, hits: make(map[string]int)} }

// Match is [Filter.Match] of the filter, and counts.
func (t *Tally) Match(e *ingest.Event) bool {
	t.seen++
	for _, c := range t.filter.conditions(e) {
		for _, p := range c.patterns {
			if matches([]string{p}, c.values...) {
				t.hits[c.flag+" "+p]++
			}
		}
	}
	if !t.filter.Match(e) {
		return false
	}
	t.selected++
	return true
}

// Counts are how many events there were, and how many the filter selected.
func (t *Tally) Counts() (seen, selected int) { return t.seen, t.selected }

// Unmatched lists the patterns that no event matched, each with its flag.
func (t *Tally) Unmatched() (flags []string) {
	for _, c := range t.filter.conditions(&ingest.Event{}) {
		for _, p := range c.patterns {
			if name := c.flag + " " + p; t.seen > 0 && t.hits[name] == 0 {
				flags = append(flags, name)
			}
		}
	}
	return flags
}
