// Package table shows events to people: as a table on a terminal, and as CSV for
// a spreadsheet.
package table

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The narrowest and the widest a table gets. On a narrower terminal its lines
// break; on a wider one the rest stays empty.
const (
	MinWidth = 60
	MaxWidth = 200
)

// Options control the appearance of a table.
type Options struct {
	// Width is the number of columns, clamped to MinWidth and MaxWidth. Zero
	// means 120.
	Width int
	// Colour shows the severity in colour.
	Colour bool
	// AsGiven keeps the events in their order. By default each write is put in
	// the order of time, the newest last, next to what follows.
	AsGiven bool
	// Headed says that the heading has already been written.
	Headed bool
	// Location is the time zone of the times. Nil means UTC.
	Location *time.Location
}

// Table is a sink that shows events as rows. The title is never cut but
// wrapped. Make one with [New].
type Table struct {
	out     io.Writer
	options Options
	layout  layout
	headed  bool
}

// layout is the width of each column. A column of width zero is not shown: its
// content follows the title.
type layout struct {
	time, actor, address, title int
	stamp                       string
}

const (
	gap           = 2
	severityWidth = len("critical")
)

// New returns a table that is written to out. The heading comes with the first
// event.
func New(out io.Writer, o Options) *Table {
	if o.Width == 0 {
		o.Width = 120
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	return &Table{out: out, options: o, headed: o.Headed, layout: arrange(min(max(o.Width, MinWidth), MaxWidth))}
}

// arrange distributes the width among the columns.
func arrange(width int) layout {
	l := layout{stamp: "2006-01-02 15:04"}
	if width >= 110 {
		l.stamp = time.DateTime
	}
	l.time = len(l.stamp)
	l.title = width - l.time - gap - severityWidth - gap
	if width >= 90 {
		l.actor = min(28, 20+(width-90)/4)
		l.title -= l.actor + gap
	}
	if width >= 150 {
		l.address = len("255.255.255.255")
		l.title -= l.address + gap
	}
	return l
}

// Write implements [ingest.Sink].
func (t *Table) Write(_ context.Context, events []ingest.Event) error {
	var b strings.Builder
	if !t.headed && len(events) > 0 {
		t.row(&b, "", []string{"TIME (" + t.zone(events) + ")"}, []string{"SEVERITY"}, []string{"ACTOR"}, []string{"ADDRESS"}, []string{"TITLE"})
	}
	ordered := make([]*ingest.Event, len(events))
	for i := range events {
		ordered[i] = &events[i]
	}
	if !t.options.AsGiven {
		slices.SortStableFunc(ordered, func(a, b *ingest.Event) int { return a.CreatedAt.Compare(b.CreatedAt) })
	}
	for _, e := range ordered {
		t.event(&b, e)
	}
	_, err := io.WriteString(t.out, b.String())
	t.headed = t.headed || err == nil && len(events) > 0
	return err
}

// zone is the name of the time zone of the first event with a time.
func (t *Table) zone(events []ingest.Event) string {
	at := time.Now()
	if i := slices.IndexFunc(events, func(e ingest.Event) bool { return e.CreatedAt.Year() > 1 }); i >= 0 {
		at = events[i].CreatedAt
	}
	return at.In(t.options.Location).Format("MST")
}

func (t *Table) event(b *strings.Builder, e *ingest.Event) {
	title := Subject(e)
	actor, address := Clean(e.Actor), Clean(e.SrcIP)
	if t.layout.actor == 0 && actor != "" {
		title += " (" + actor + ")"
	}
	at := "unknown"
	if e.CreatedAt.Year() > 1 {
		at = e.CreatedAt.In(t.options.Location).Format(t.layout.stamp)
	}
	t.row(b, e.Severity, []string{at}, []string{string(e.Severity)},
		Wrap(actor, max(1, t.layout.actor)), Wrap(address, max(1, t.layout.address)), Wrap(title, t.layout.title))
}

// Subject is the title of an event, followed by the name of the resource acted
// upon if the title lacks it.
func Subject(e *ingest.Event) string {
	title, target := Clean(e.Title), Clean(e.Audit.Target)
	if target == "" || strings.Contains(strings.ToLower(title), strings.ToLower(target)) {
		return title
	}
	return title + " [" + target + "]"
}

// row writes one row, whose cells may have several lines.
func (t *Table) row(b *strings.Builder, severity ingest.Severity, at, grade, actor, address, title []string) {
	columns := []struct {
		width int
		lines []string
	}{
		{t.layout.time, at}, {severityWidth, grade}, {t.layout.actor, actor}, {t.layout.address, address}, {t.layout.title, title},
	}
	height := len(title)
	if t.layout.actor > 0 {
		height = max(height, len(actor))
	}
	if t.layout.address > 0 {
		height = max(height, len(address))
	}
	for i := range height {
		var line strings.Builder
		for j, c := range columns {
			if c.width == 0 {
				continue
			}
			text := ""
			if i < len(c.lines) {
				text = c.lines[i]
			}
			padded := pad(text, c.width)
			if j == 1 && text != "" && t.options.Colour {
				padded = colours[severity] + text + reset + padded[len(text):]
			}
			if j > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			line.WriteString(padded)
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
}

// colours are the colours of the severities, of the sixteen that the theme of a
// terminal sets, so that they can be read on light and on dark ones.
var colours = map[ingest.Severity]string{
	"":              "\x1b[1m",
	ingest.Critical: "\x1b[1;35m",
	ingest.High:     "\x1b[1;31m",
	ingest.Medium:   "\x1b[33m",
	ingest.Low:      "\x1b[36m",
	ingest.Info:     "\x1b[2m",
}

const reset = "\x1b[0m"
