package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// explainer writes how the rules grade entries and why.
type explainer struct {
	*cloudflareaudit.Normalizer
	to io.Writer
	// own are the ids of the user's rules, all of which are shown.
	own []string
	// all shows all other rules that were tried, not only those that nearly
	// matched.
	all bool
	// width is the maximum width of the lines of a section.
	width int
	// ids are those of the entries to explain, or none for every one, and filter
	// selects by severity.
	ids    []string
	filter *selection.Tally
	// read counts the entries, n those explained, and met those of ids.
	read, n int
	met     []string
}

// selects reports whether to explain an entry.
func (x *explainer) selects(e *cloudflareaudit.Explanation) bool {
	x.read++
	if len(x.ids) > 0 {
		if !slices.Contains(x.ids, e.Event.ExternalID) {
			return false
		}
		x.met = append(x.met, strings.Clone(e.Event.ExternalID))
	}
	graded := ingest.Event{Severity: e.Verdict.Severity}
	if e.Verdict.Drop {
		graded.Severity = ingest.Info
	}
	return x.filter.Match(&graded)
}

// missing are the ids to explain that no entry has had.
func (x *explainer) missing() []string {
	return slices.DeleteFunc(slices.Clone(x.ids), func(id string) bool { return slices.Contains(x.met, id) })
}

// write explains one entry, and returns its action.
func (x *explainer) write(raw []byte) (action string, err error) {
	e := x.Explain(raw)
	if !x.selects(&e) {
		return e.Event.Action, nil
	}
	return e.Event.Action, x.explain(&e)
}

func (x *explainer) explain(e *cloudflareaudit.Explanation) error {
	last := len(e.Trials) - 1
	rule, severity := e.Trials[last].Rule, string(e.Verdict.Severity)
	if e.Verdict.Drop {
		severity = "drop"
	}
	matched, err := describe(rule.Match)
	if err != nil {
		return err
	}
	var b strings.Builder
	if x.n++; x.n > 1 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n", e.Event.ExternalID)
	section(&b, "graded", severity+" by rule "+rule.ID)
	section(&b, "title", cmp.Or(e.Event.Title, rule.Title))
	section(&b, "why", wrap(rule.Why, x.width)...)
	section(&b, "matched", wrap(matched, x.width)...)
	if len(e.Bursts) > 0 {
		section(&b, "counted", wrap("by "+strings.Join(e.Bursts, ", "), x.width)...)
	}
	section(&b, "facts", x.fit(facts(e.Facts))...)
	section(&b, "failed", x.fit(x.failed(e.Trials[:last], e.Facts))...)
	if _, err := io.WriteString(x.to, b.String()); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// textWidth is the maximum width of the lines of a section, and sectionIndent what
// stands in front of them.
const (
	textWidth     = 88
	sectionIndent = 11
)

// sectionWidth is the width of the lines of a section: on a terminal at most what it
// has room for.
func sectionWidth(w io.Writer) int {
	if width, ok := table.Terminal(w); ok {
		return min(textWidth, max(width, table.MinWidth)-sectionIndent)
	}
	return textWidth
}

// fit wraps lines that are too long for a terminal. Elsewhere they stay as they are.
func (x *explainer) fit(lines []string) (fitting []string) {
	if x.width == textWidth {
		return lines
	}
	for _, line := range lines {
		if widest(line) <= x.width {
			fitting = append(fitting, line)
			continue
		}
		for i, part := range table.Wrap(table.Clean(line), x.width-2) {
			if i > 0 {
				part = "  " + part
			}
			fitting = append(fitting, part)
		}
	}
	return fitting
}

// section writes lines with a heading beside the first one.
func section(b *strings.Builder, heading string, lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(b, "  %-8s %s\n", heading, line)
		heading = ""
	}
}

// facts are the facts of the entry, one condition a line.
func facts(all []cloudflareaudit.Fact) (lines []string) {
	for _, f := range all {
		for i, v := range f.Values {
			name := f.Name
			if i > 0 {
				name = ""
			}
			lines = append(lines, fmt.Sprintf("%-13s %s", name, v))
		}
	}
	return lines
}

// failed are the rules that did not match, with the condition that failed.
// Rules that failed by their action are only named if they are about related
// actions, and otherwise only counted.
func (x *explainer) failed(trials []cloudflareaudit.Trial, said []cloudflareaudit.Fact) (lines []string) {
	value := func(condition string) string {
		i := slices.IndexFunc(said, func(f cloudflareaudit.Fact) bool { return f.Name == condition })
		return cmp.Or(strings.Join(said[i].Values, " or "), "not said")
	}
	action := value("action")
	family := action[:strings.LastIndexByte(action, '.')+1]
	var related []string
	others := 0
	for _, t := range trials {
		switch {
		case x.all || t.Failed != "action" || slices.Contains(x.own, t.Rule.ID):
			lines = append(lines, fmt.Sprintf("%s: %s is %s; wanted %s", t.Rule.ID, t.Failed, value(t.Failed), wanted(t.Rule.Match, t.Failed)))
		case family != "" && slices.ContainsFunc(t.Rule.Match.Action, func(pattern string) bool { return strings.HasPrefix(pattern, family) }):
			related = append(related, t.Rule.ID)
		default:
			others++
		}
	}
	if len(related) > 0 {
		lines = append(lines, wrap("for other actions: "+strings.Join(related, ", "), x.width)...)
	}
	if others > 0 {
		lines = append(lines, count(others, "rule", "rules")+" about something else; --all shows them")
	}
	return lines
}

// wanted is the value that a condition of a match requires.
func wanted(m cloudflareaudit.Match, condition string) string {
	b, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var conditions map[string]any
	if err := json.Unmarshal(b, &conditions); err != nil {
		return err.Error()
	}
	return describeValue(conditions[condition])
}
