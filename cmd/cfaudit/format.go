package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/table"
	"github.com/aisoc/cloudflareaudit/sink"
)

// The environment variables that control terminal output.
const (
	envNoColor = "NO_COLOR"
	envTerm    = "TERM"
)

// The forms events are written in.
const (
	formatTable = "table"
	formatJSONL = "jsonl"
	formatCSV   = "csv"
	formatJSON  = "json" // of rules alone
	formatECS   = string(sink.ECS)
	formatOCSF  = string(sink.OCSF)
)

// lineFormat is the form of events that are lines, JSON lines by default.
func lineFormat(format string) sink.Format {
	if format == formatECS || format == formatOCSF {
		return sink.Format(format)
	}
	return sink.JSONL
}

// display is the form in which events and progress are shown.
type display struct {
	// format is one of the forms, or "" to choose by the destination.
	format string
	// line is the status line, or nil where standard error is no terminal.
	line *table.Line
}

func (d *display) addFormat(flags *pflag.FlagSet, initially string) {
	flags.StringVar(&d.format, "format", "", "`FORM`: table, jsonl, csv, ecs or ocsf (default "+initially+")")
}

// fault is the fault of --format, or "".
func (d *display) fault() string {
	switch d.format {
	case "", formatTable, formatJSONL, formatCSV, formatECS, formatOCSF:
		return ""
	}
	return fmt.Sprintf("--format: %q: must be table, jsonl, csv, ecs or ocsf", d.format)
}

// begin adds the status line to a terminal that w writes to.
func (d *display) begin(w *world) {
	d.line = table.NewLine(w.stderr, w.getenv)
	w.stderr = d.line.Behind(w.stderr)
	if _, ok := table.Terminal(w.stdout); ok {
		w.stdout = d.line.Behind(w.stdout)
	}
}

// sink writes events to w in the given format, by default a table on a terminal
// and JSON lines elsewhere.
func (d *display) sink(w world) ingest.Sink {
	format, shown := d.toOutput(w)
	shown.Location = time.Local
	return newRows(w.stdout, format, shown)
}

// toOutput is the form of events on standard output, and how a table is shown
// there.
func (d *display) toOutput(w world) (format string, shown table.Options) {
	width, isTerminal := table.Terminal(w.stdout)
	format = d.format
	if format == "" && isTerminal {
		format = formatTable
	}
	return format, table.Options{Width: width, Colour: table.Colours(w.stdout, w.getenv)}
}

// newRows is a sink that writes events in a form. Where shown says so, the
// headings are already there.
func newRows(out io.Writer, format string, shown table.Options) ingest.Sink {
	switch format {
	case formatTable:
		return table.New(out, shown)
	case formatCSV:
		return table.NewCSV(out, shown.Headed)
	}
	return sink.NewWriterAs(out, lineFormat(format))
}

// every sets the status line to text() each second until stop is called, which
// clears it.
func (d *display) every(text func() string) (stop func()) {
	if d.line == nil {
		return func() {}
	}
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			d.line.Set(text())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		ended.Wait()
		d.line.Set("")
	})
}

// watchRunner shows the state of a runner on the status line.
func (d *display) watchRunner(r *ingest.Runner) (stop func()) {
	return d.every(func() string { return runnerLine(r.Status(), time.Now()) })
}

// runnerLine is the state of a runner in one line.
func runnerLine(s ingest.Status, now time.Time) string {
	counted := count(s.Totals.Delivered+s.Totals.Raised, "event", "events") + " so far"
	if !s.Totals.Complete.IsZero() {
		counted += ", complete up to " + clockTime(s.Totals.Complete, now)
	}
	wait := s.NextAttempt.Sub(now).Round(time.Second)
	switch {
	case s.Failures > 0 && !s.NextAttempt.IsZero():
		failure := explain(&ingest.StepError{Step: s.Step, Err: s.Err})
		return fmt.Sprintf("Failing, next attempt in %s: %s. %s", max(0, wait), failure, counted)
	case !s.NextAttempt.IsZero():
		return fmt.Sprintf("Waiting, next poll in %s. %s", max(0, wait), counted)
	case s.Totals.Backlog > 0:
		return fmt.Sprintf("Reading a backlog of %s. %s", count(s.Totals.Backlog, "window", "windows"), counted)
	}
	return "Reading the audit log. " + counted
}

// clockTime is a time for a line that is read now: it needs no date if it is of
// today.
func clockTime(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// atEnd prints the summary of a run on a terminal; a service has the metrics.
func (d *display) atEnd(to io.Writer, s ingest.Status, events severities, since time.Time) {
	if d.line != nil {
		fmt.Fprintf(to, "stopped after %s; %s%s\n", time.Since(since).Round(time.Second), summary(s.Totals, events), traffic(s.Totals))
	}
}
