package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/table"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// ruleStats counts which rules decide on saved entries.
type ruleStats struct {
	Entries int         `json:"entries"`
	Rules   []*ruleStat `json:"rules"`

	byID map[string]*ruleStat
}

// ruleStat is what one rule decided.
type ruleStat struct {
	Rule string `json:"rule"`
	// Own says that it is a rule of the user, or a default rule changed by one.
	Own bool `json:"own"`
	// Severity is that of the rule, or drop.
	Severity string `json:"severity"`
	// Entries counts the entries that the rule decided on or, of a rule that
	// counts, the bursts.
	Entries int     `json:"entries"`
	Share   float64 `json:"share"`
	Dropped int     `json:"dropped"`
	// Graded counts the entries that make an event. Failed attempts are graded
	// lower than their rule says.
	Graded severities `json:"graded"`
	// First and Last are the earliest and the latest of them.
	First *ruleExample `json:"first"`
	Last  *ruleExample `json:"last"`

	burst bool
}

// ruleExample is an entry that a rule decided on.
type ruleExample struct {
	ExternalID string    `json:"external_id"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
	Title      string    `json:"title"`
}

// exampleOf keeps what identifies an event. One that is dropped has no title, so
// its action stands in for it.
func exampleOf(e *ingest.Event) *ruleExample {
	return &ruleExample{strings.Clone(e.ExternalID), e.CreatedAt, strings.Clone(cmp.Or(e.Title, e.Action))}
}

// titleWidth bounds the titles in a table.
const titleWidth = 72

func (x *ruleExample) line() string {
	at := "no time"
	if !x.CreatedAt.IsZero() {
		at = x.CreatedAt.UTC().Format(time.RFC3339)
	}
	return at + " " + x.shownTitle() + " (" + x.ExternalID + ")"
}

func (x *ruleExample) shownTitle() string { return text.Shorten(table.Clean(x.Title), titleWidth) }

// newRuleStats begins with the rules in force, in their order. The severity of
// rules that drop is drop.
func newRuleStats(effective, user []cloudflareaudit.Rule, drop string) *ruleStats {
	s := &ruleStats{byID: make(map[string]*ruleStat)}
	for _, r := range effective {
		severity := string(r.Severity)
		if r.Drop {
			severity = drop
		}
		own := slices.ContainsFunc(user, func(u cloudflareaudit.Rule) bool { return u.ID == r.ID })
		stat := &ruleStat{Rule: r.ID, Own: own, Severity: severity, Graded: make(severities)}
		s.Rules, s.byID[r.ID] = append(s.Rules, stat), stat
	}
	return s
}

// add counts one entry, or one burst.
func (s *ruleStats) add(e *ingest.Event, v cloudflareaudit.Verdict) error {
	r := s.byID[v.Rule]
	if !v.Burst {
		s.Entries++
	}
	r.Entries++
	r.burst = v.Burst
	if v.Drop {
		r.Dropped++
	} else {
		r.Graded[v.Severity]++
	}
	if r.First == nil || e.CreatedAt.Before(r.First.CreatedAt) {
		r.First = exampleOf(e)
	}
	if r.Last == nil || e.CreatedAt.After(r.Last.CreatedAt) {
		r.Last = exampleOf(e)
	}
	return nil
}

// read counts the entries of r. Like normalize it fails when most of them cannot be
// read.
func (s *ruleStats) read(series *cloudflareaudit.Series, r io.Reader) (cloudflareaudit.Stream, error) {
	input := reading{sampled: sampled{Reader: r}}
	stream, err := series.Normalize(&input, func(e *ingest.Event, v cloudflareaudit.Verdict) error {
		if !v.Burst {
			input.see(e.Action)
		}
		return s.add(e, v)
	})
	return stream, cmp.Or(err, input.fault(stream))
}

// finish sorts the rules by how often they decided. Those that never did keep
// their order.
func (s *ruleStats) finish() {
	for _, r := range s.Rules {
		if r.burst {
			continue // a burst is no share of the entries
		}
		r.Share = float64(r.Entries) / float64(s.Entries)
	}
	slices.SortStableFunc(s.Rules, func(a, b *ruleStat) int { return b.Entries - a.Entries })
}

// graded is what became of the entries of a rule.
func (r *ruleStat) graded() string {
	list := r.Graded.list()
	switch {
	case r.Dropped > 0 && list != "":
		return fmt.Sprintf("%d dropped, %s", r.Dropped, list)
	case r.Dropped > 0:
		return "dropped"
	case len(r.Graded) == 1 && r.Graded[ingest.Severity(r.Severity)] > 0:
		return r.Severity
	}
	return cmp.Or(list, "-")
}

func (s *ruleStats) write(w io.Writer, format string, all bool) error {
	switch format {
	case formatJSON:
		return writeJSON(w, s)
	case formatCSV:
		return table.WriteCSV(w, s.csv())
	}
	return s.writeTable(w, all)
}

// writeTable writes the rules that decided and the user's own. The other default
// rules follow as a number, or with all by name.
func (s *ruleStats) writeTable(w io.Writer, all bool) error {
	rows := [][]string{{"RULE", "SEVERITY", "ENTRIES", "SHARE", "GRADED", "EARLIEST AND LATEST"}}
	narrow := slices.Clone(rows)
	var unused []string
	for _, r := range s.Rules {
		if r.Entries == 0 && !r.Own {
			unused = append(unused, r.Rule)
			continue
		}
		row := []string{r.Rule, r.Severity, strconv.Itoa(r.Entries), fmt.Sprintf("%.1f %%", 100*r.Share), r.graded(), "never"}
		if r.First != nil {
			row[5] = r.First.line()
		}
		rows, narrow = append(rows, row), append(narrow, slices.Clone(row))
		if row[4] == row[1] {
			narrow[len(narrow)-1][4] = "" // it has been said
		}
		if r.Entries > 1 {
			last := []string{"", "", "", "", "", r.Last.line()}
			rows, narrow = append(rows, last), append(narrow, last)
		}
	}
	if err := writeFitting(w, rows, narrow, 4); err != nil || len(unused) == 0 {
		return err
	}
	line := "never fired: " + count(len(unused), "rule", "rules") + "; --all lists them"
	if all {
		line = "never fired: " + strings.Join(unused, ", ")
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(wrap(line, sectionWidth(w)), "\n"))
	return err
}

func (s *ruleStats) csv() [][]string {
	rows := [][]string{{"rule", "own", "severity", "entries", "share", "dropped", "critical", "high", "medium", "low", "info",
		"first_at", "first_id", "first_title", "last_at", "last_id", "last_title"}}
	for _, r := range s.Rules {
		row := []string{r.Rule, strconv.FormatBool(r.Own), r.Severity, strconv.Itoa(r.Entries),
			strconv.FormatFloat(r.Share, 'f', 4, 64), strconv.Itoa(r.Dropped)}
		for _, severity := range ingest.Severities() {
			row = append(row, strconv.Itoa(r.Graded[severity]))
		}
		rows = append(rows, append(append(row, r.First.cells()...), r.Last.cells()...))
	}
	return rows
}

// cells are the time, the id and the title, all empty without an example.
func (x *ruleExample) cells() []string {
	switch {
	case x == nil:
		return []string{"", "", ""}
	case x.CreatedAt.IsZero():
		return []string{"", x.ExternalID, x.Title}
	}
	return []string{x.CreatedAt.UTC().Format(time.RFC3339Nano), x.ExternalID, x.Title}
}
