package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// severities counts events by severity.
type severities map[ingest.Severity]int

func (s severities) add(events []ingest.Event) {
	for i := range events {
		s[events[i].Severity]++
	}
}

// countEvents counts those of r, which must not be running yet, until it ends.
func countEvents(r *ingest.Runner) severities {
	events := make(severities)
	observe(r, func(b ingest.Batch) { events.add(b.Events) })
	return events
}

// observe has each batch of r passed to fn, before what is called with it already.
func observe(r *ingest.Runner, fn func(ingest.Batch)) {
	report := r.OnBatch
	r.OnBatch = func(b ingest.Batch) {
		fn(b)
		report(b)
	}
}

// summary accounts for the entries read, in one line. Re-read entries are not
// counted twice.
func summary(c ingest.Coverage, events severities) string {
	parts := []string{
		count(c.Delivered+c.Raised, "event", "events") + bracketed(events.list(), marked(c)),
		fmt.Sprintf("%d dropped", c.DroppedTotal()) + bracketed(byRule(c.Dropped)),
	}
	text := "read " + count(c.Read-c.Repeated, "entry", "entries") + ": " + strings.Join(parts, ", ")
	if c.Repeated > 0 {
		text += fmt.Sprintf("; re-read %d to catch late ones", c.Repeated)
	}
	return text
}

// list is the events by severity, worst first.
func (s severities) list() string {
	var parts []string
	for _, severity := range ingest.Severities() {
		if n := s[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(parts, ", ")
}

// marked are the events with details to mention.
func marked(c ingest.Coverage) string {
	var parts []string
	if c.Raised > 0 {
		parts = append(parts, count(c.Raised, "burst", "bursts"))
	}
	if c.Late > 0 {
		parts = append(parts, fmt.Sprintf("%d late", c.Late))
	}
	if c.Undecodable > 0 {
		parts = append(parts, fmt.Sprintf("%d undecodable", c.Undecodable))
	}
	return strings.Join(parts, ", ")
}

// byRule is the counts by rule, the largest first.
func byRule(dropped map[string]int) string {
	ids := slices.SortedFunc(maps.Keys(dropped), func(a, b string) int {
		if d := dropped[b] - dropped[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, id := range ids {
		ids[i] = fmt.Sprintf("%d %s", dropped[id], id)
	}
	return strings.Join(ids, ", ")
}

// traffic is the number of requests made and the backlog left.
func traffic(c ingest.Coverage) string {
	backlog := "no backlog"
	if c.Backlog > 0 {
		backlog = count(c.Backlog, "window", "windows") + " of backlog left"
	}
	return fmt.Sprintf("; %s, %s", count(c.Requests, "request", "requests"), backlog)
}

// bracketed puts the parts that are not empty into brackets.
func bracketed(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
