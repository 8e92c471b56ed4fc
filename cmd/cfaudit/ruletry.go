package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// ruleTrial compares how saved entries are graded by the present rules and by
// others.
type ruleTrial struct {
	Entries int `json:"entries"`
	// Changed counts the entries whose grade, rule or title differs, and the
	// others say how, as far as the grade differs.
	Changed   int `json:"changed"`
	Raised    int `json:"raised"`
	Lowered   int `json:"lowered"`
	Dropped   int `json:"dropped"`
	Undropped int `json:"undropped"`
	// Changes are the differences, the most frequent ones first. Those beyond
	// the limit are counted alone.
	Changes []*ruleChange `json:"changes"`
	Omitted int           `json:"changes_omitted"`
	// BurstsBefore and BurstsAfter count the events about bursts.
	BurstsBefore int `json:"bursts_before"`
	BurstsAfter  int `json:"bursts_after"`

	before, after *cloudflareaudit.Series
	byKind        map[changeKind]*ruleChange
}

// graded is how rules grade an entry.
type graded struct {
	Rule     string          `json:"rule"`
	Severity ingest.Severity `json:"severity"`
	Dropped  bool            `json:"dropped"`
}

func gradedBy(v cloudflareaudit.Verdict) graded { return graded{v.Rule, v.Severity, v.Drop} }

// severity is the severity for display, or drop.
func (g graded) severity() string {
	if g.Dropped {
		return "drop"
	}
	return string(g.Severity)
}

// changeKind is what changes of one kind have in common.
type changeKind struct {
	Before       graded `json:"before"`
	After        graded `json:"after"`
	TitleChanged bool   `json:"title_changed"`
}

// ruleChange is one kind of change, with the first entry that it happens to. Its
// title is that before.
type ruleChange struct {
	changeKind
	Entries    int         `json:"entries"`
	Example    ruleExample `json:"example"`
	TitleAfter string      `json:"title_after"`
}

// trialRules reads the file of --try.
func trialRules(w world, name string) ([]cloudflareaudit.Rule, []string, error) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("rules", "", "")
	if err := flags.Set("rules", name); err != nil {
		return nil, nil, err
	}
	s := &settings{world: w, flags: flags, only: "rules", alias: "try"}
	cfg, err := s.config()
	if err != nil {
		return nil, nil, err
	}
	return cfg.Rules, s.doubts(cfg.Rules), nil
}

func newRuleTrial(cfg cloudflareaudit.Config, rules []cloudflareaudit.Rule) (*ruleTrial, error) {
	before, err := cloudflareaudit.NewNormalizer(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Rules = rules
	after, err := cloudflareaudit.NewNormalizer(cfg)
	if err != nil {
		return nil, err
	}
	return &ruleTrial{before: before.NewSeries(), after: after.NewSeries(), byKind: make(map[changeKind]*ruleChange)}, nil
}

// add compares the grades of one entry, and returns its action.
func (t *ruleTrial) add(raw []byte) (action string, err error) {
	old, was, burstsBefore := t.before.Add(raw)
	event, is, burstsAfter := t.after.Add(raw)
	t.Entries++
	t.BurstsBefore, t.BurstsAfter = t.BurstsBefore+len(burstsBefore), t.BurstsAfter+len(burstsAfter)
	kind := changeKind{gradedBy(was), gradedBy(is), old.Title != event.Title && !was.Drop && !is.Drop}
	if kind.Before == kind.After && !kind.TitleChanged {
		return event.Action, nil
	}
	t.Changed++
	t.count(kind)
	change := t.byKind[kind]
	if change == nil {
		change = &ruleChange{changeKind: kind, Example: *exampleOf(&old), TitleAfter: exampleOf(&event).Title}
		t.byKind[kind], t.Changes = change, append(t.Changes, change)
	}
	change.Entries++
	return event.Action, nil
}

func (t *ruleTrial) count(k changeKind) {
	order := ingest.Severities() // the most severe one first
	before, after := slices.Index(order, k.Before.Severity), slices.Index(order, k.After.Severity)
	switch {
	case k.Before.Dropped && k.After.Dropped:
	case k.After.Dropped:
		t.Dropped++
	case k.Before.Dropped:
		t.Undropped++
	case after < before:
		t.Raised++
	case after > before:
		t.Lowered++
	}
}

// finish sorts the changes and keeps at most limit of them, or all if it is 0.
func (t *ruleTrial) finish(limit int) {
	slices.SortStableFunc(t.Changes, func(a, b *ruleChange) int { return b.Entries - a.Entries })
	if limit > 0 && len(t.Changes) > limit {
		t.Omitted = len(t.Changes) - limit
		t.Changes = t.Changes[:limit]
	}
}

// summary is the outcome in one line.
func (t *ruleTrial) summary() string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{t.Raised, "raised"}, {t.Lowered, "lowered"}, {t.Dropped, "dropped"}, {t.Undropped, "no longer dropped"},
		{t.Changed - t.Raised - t.Lowered - t.Dropped - t.Undropped, "with another rule or title alone"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", grouped(part.n), part.what))
		}
	}
	line := fmt.Sprintf("%s of %s would change%s", grouped(t.Changed), count(t.Entries, "entry", "entries"), bracketed(parts...))
	if t.BurstsBefore != t.BurstsAfter {
		line += fmt.Sprintf("; %s instead of %s", count(t.BurstsAfter, "burst", "bursts"), grouped(t.BurstsBefore))
	}
	if t.Omitted > 0 {
		line += fmt.Sprintf("; %s not shown, see --limit", count(t.Omitted, "kind of change is", "kinds of change are"))
	}
	return line
}

func (t *ruleTrial) write(w io.Writer, format string) error {
	switch format {
	case formatJSON:
		if t.Changes == nil {
			t.Changes = []*ruleChange{}
		}
		return writeJSON(w, t)
	case formatCSV:
		return table.WriteCSV(w, t.csv())
	}
	if len(t.Changes) == 0 {
		return nil
	}
	return writeFitting(w, t.table(), t.table(), 3)
}

func (t *ruleTrial) table() [][]string {
	rows := [][]string{{"ENTRIES", "SEVERITY", "RULE", "EXAMPLE"}}
	for _, c := range t.Changes {
		rows = append(rows,
			[]string{strconv.Itoa(c.Entries), c.Before.severity(), c.Before.Rule, c.Example.line()},
			[]string{"", became(c.Before.severity(), c.After.severity()), became(c.Before.Rule, c.After.Rule),
				became(c.Example.shownTitle(), c.after().shownTitle())})
	}
	return rows
}

// became is what a value has become, or "" if it is the same.
func became(before, after string) string {
	if before == after {
		return ""
	}
	return "-> " + after
}

// after is the example as the other rules make it. An event that only one of the
// two sides makes has the same title.
func (c *ruleChange) after() *ruleExample {
	x := c.Example
	if c.TitleChanged {
		x.Title = c.TitleAfter
	}
	return &x
}

func (t *ruleTrial) csv() [][]string {
	rows := [][]string{{"entries", "before_severity", "after_severity", "before_rule", "after_rule", "title_changed",
		"example_at", "example_id", "before_title", "after_title"}}
	for _, c := range t.Changes {
		row := []string{strconv.Itoa(c.Entries), c.Before.severity(), c.After.severity(), c.Before.Rule, c.After.Rule, strconv.FormatBool(c.TitleChanged)}
		rows = append(rows, append(append(row, c.Example.cells()...), c.TitleAfter))
	}
	return rows
}
