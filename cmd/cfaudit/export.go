package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/resumable"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/internal/table"
	"github.com/aisoc/cloudflareaudit/sink"
)

// export is one run of the command export.
type export struct {
	*spanned
	display
	filter selection.Filter
	out    string
	force  bool
	dryRun bool
	tally  *selection.Tally
}

func newExport(w world) *cobra.Command {
	x := &export{}
	cmd := &cobra.Command{
		Use:   "export [flags] [--from FILE…]",
		Short: "Write the events of a span of time, as CSV, JSON lines or a table",
		Long: `Export writes the events of a span of time, such as a week or a month, and leaves
the cursors of poll and run untouched. It reads them from the API, newest first,
or with --from from files of saved events, in file order, each event once. A
pattern such as 'archive/*.gz' stands for the files that match it. An
event must match all filters given.

With --out, running the same command again resumes an interrupted export from the
API without losing or repeating events. Until it is complete, its position is in a
small file beside the output whose name ends in .resume. The end of the span is
fixed when the export begins.

In CSV, a cell that a spreadsheet would take for a formula is prefixed with '.

` + timesHelp,
		Example: `  cfaudit export --since 7d --min-severity medium
  cfaudit export --since 2026-03 --until 2026-03 --out march.csv
  cfaudit export --since 548d --out everything.jsonl --dry-run
  cfaudit export --since 30d --from archive/*.jsonl.gz --actor 'alice@*' --out alice.csv`,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&x.out, "out", "-", "`FILE` to write, - for standard output")
	x.addFormat(flags, "by --out, a table on a terminal")
	flags.BoolVar(&x.force, "force", false, "replace what is in --out")
	flags.BoolVar(&x.dryRun, "dry-run", false, "write nothing; estimate the number of requests")
	filterFlags(flags, &x.filter)
	x.spanned = newSpanned(w, flags, "7d")
	cmd.Args = x.files
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := x.parse(args, x.wrong()...)
		if err != nil {
			return err
		}
		x.begin(&x.world)
		cfg.Logger = newLogger(x.world)
		x.tally = selection.NewTally(&x.filter)
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		switch {
		case x.dryRun:
			return x.estimate(ctx, cfg)
		case len(x.from) > 0:
			return x.fromFiles(ctx)
		}
		return x.fromAPI(ctx, cfg)
	}
	return cmd
}

// wrong are the faults of the flags that only export has.
func (x *export) wrong() (wrong []string) {
	if x.out == "" {
		wrong = append(wrong, "--out: must be a file, or - for standard output")
	}
	if fault := x.fault(); fault != "" {
		wrong = append(wrong, fault)
	}
	if x.format == "" {
		x.format = fileFormat(x.out)
	}
	if err := x.filter.Validate(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if x.dryRun && len(x.from) > 0 {
		wrong = append(wrong, "--dry-run: estimates requests to the API, and --from makes none: leave out one of the two")
	}
	return wrong
}

// writer writes events to out in the form of the export, after those already
// written according to p.
func (x *export) writer(out io.Writer, p progress) ingest.Sink {
	format, shown := x.format, table.Options{}
	if x.out == "-" {
		format, shown = x.toOutput(x.world)
	}
	shown.Location, shown.AsGiven, shown.Headed = x.location, true, p.Exported > 0
	if format == formatCSV {
		shown.Headed = p.Cursor != "" // it has a header line even without events
	}
	return newRows(out, format, shown)
}

// selected are the events that the filter selects.
func (x *export) selected(events []ingest.Event) []ingest.Event {
	kept := events[:0]
	for i := range events {
		if x.tally.Match(&events[i]) {
			kept = append(kept, events[i])
		}
	}
	return kept
}

// progress is the position of an export from the API; it is kept beside the
// output.
type progress struct {
	Span     selection.Span  `json:"span"`
	Cursor   string          `json:"cursor"`
	Reached  time.Time       `json:"reached"`
	Exported int             `json:"exported"`
	Events   int             `json:"events"`
	Coverage ingest.Coverage `json:"coverage"`
	Graded   severities      `json:"graded"`
}

// output is the destination of an export from the API.
type output interface {
	io.Writer
	Step(state any) error
	Finish() error
	Close() error
}

// stream is standard output, to which an export cannot be resumed.
type stream struct{ io.Writer }

func (stream) Step(any) error { return nil }
func (stream) Finish() error  { return nil }
func (stream) Close() error   { return nil }

// open opens the output, and reads where an earlier export stopped.
func (x *export) open() (output, progress, bool, error) {
	p := progress{Span: x.span, Graded: make(severities)}
	if x.out == "-" {
		return stream{x.stdout}, p, false, nil
	}
	var saved progress
	f, resumed, err := resumable.Open(x.out, x.request(x.format, x.filter), x.force, &saved)
	if err != nil {
		return nil, p, false, fmt.Errorf("--out: %w", err)
	}
	if err := f.Exposed(); err != nil {
		warnOf(x.stderr, []string{"--out: " + err.Error()})
	}
	if resumed {
		p = saved
		if p.Graded == nil {
			p.Graded = make(severities)
		}
	}
	return f, p, resumed, nil
}

func (x *export) fromAPI(ctx context.Context, cfg cloudflareaudit.Config) (err error) {
	out, p, resumed, err := x.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if !resumed {
		// From now on the export can be resumed, with this span.
		if err := out.Step(p); err != nil {
			return err
		}
	}
	var cursor ingest.Cursor
	if p.Cursor != "" {
		cursor = ingest.Cursor(p.Cursor)
	}
	reader, err := history.New(cfg, p.Span, cursor)
	if err != nil {
		return err
	}
	if resumed {
		reader.Resume(p.Reached)
		fmt.Fprintf(x.stderr, "cfaudit: going on with %s, which has %s\n", x.out, count(p.Exported, "event", "events"))
	}
	before, seen := p.Coverage, p.Events
	rows := x.writer(out, p)
	_, begun := reader.Reached()
	show := x.showProgress(x.stderr, &reader.OnWait, func(spent, wait time.Duration) string {
		return x.progressLine(p, begun, spent, wait)
	})
	defer show.stop()
	for !reader.Done() {
		events, err := reader.Next(ctx)
		if err != nil {
			show.stop()
			return x.interrupted(ctx, err)
		}
		seen += len(events)
		kept := x.selected(events)
		if err := rows.Write(ctx, kept); err != nil {
			return fmt.Errorf("%w: %w", errOutput, err)
		}
		reached, _ := reader.Reached()
		show.lock()
		p.Graded.add(kept)
		p.Cursor, p.Reached, p.Events, p.Exported = string(reader.Cursor()), reached, seen, p.Exported+len(kept)
		p.Coverage = before
		p.Coverage.Add(reader.Coverage())
		show.unlock()
		if err := out.Step(p); err != nil {
			return err
		}
	}
	show.stop()
	if err := out.Finish(); err != nil {
		return err
	}
	x.summarise(p)
	if !resumed {
		x.nameUnmatched()
	}
	return nil
}

// interrupted is the error of an export that is not complete.
func (x *export) interrupted(ctx context.Context, err error) error {
	goOn := ""
	if x.out != "-" {
		goOn = "; run the same command again to resume"
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w before the end of the span%s", errStopped, goOn)
	}
	if goOn != "" {
		fmt.Fprintf(x.stderr, "cfaudit: the export is not complete%s\n", goOn)
	}
	return err
}

// summarise prints a summary of the export.
func (x *export) summarise(p progress) {
	line := fmt.Sprintf("exported %s%s", count(p.Exported, "event", "events"), bracketed(p.Graded.list()))
	if !x.filter.Empty() {
		line += fmt.Sprintf(" of %s", grouped(p.Events))
	}
	line += " from " + x.spanText(p.Span)
	if p.Coverage.Read > 0 || len(x.from) == 0 {
		line += "; " + p.reading()
	}
	fmt.Fprintln(x.stderr, line)
	for _, notice := range p.Coverage.Notices {
		fmt.Fprintln(x.stderr, "cfaudit: "+notice)
	}
	if n := p.Coverage.Undecodable; n > 0 {
		fmt.Fprintf(x.stderr, "cfaudit: %s could not be understood; the event holds it as it is\n", count(n, "entry", "entries"))
	}
	if len(x.from) == 0 && x.now.Sub(p.Span.Until) < lateness {
		fmt.Fprintln(x.stderr, "cfaudit: entries can appear some minutes late: the last quarter of an hour may not be complete yet")
	}
}

// reading accounts for the entries read from the API: what is neither dropped nor
// outside the span is an event, as is each burst.
func (p *progress) reading() string {
	c := p.Coverage
	parts := []string{
		"read " + count(c.Read-c.Repeated, "entry", "entries"),
		fmt.Sprintf("%d dropped", c.DroppedTotal()) + bracketed(byRule(c.Dropped)),
	}
	if c.Raised > 0 {
		parts = append(parts, count(c.Raised, "burst", "bursts")+" raised")
	}
	if outside := c.Delivered + c.Raised - p.Events; outside > 0 {
		parts = append(parts, fmt.Sprintf("%d outside the span", outside))
	}
	if c.Repeated > 0 {
		parts = append(parts, fmt.Sprintf("%d read again", c.Repeated))
	}
	return strings.Join(append(parts, count(c.Requests, "request", "requests")), ", ")
}

// nameUnmatched lists the patterns that matched nothing, which may be mistyped.
func (x *export) nameUnmatched() {
	for _, pattern := range x.tally.Unmatched() {
		fmt.Fprintf(x.stderr, "cfaudit: %s matched no event\n", pattern)
	}
}

// lateness is the largest known delay of an entry.
const lateness = 15 * time.Minute

func (x *export) fromFiles(ctx context.Context) (err error) {
	if err := x.expand(); err != nil {
		return err
	}
	out, finish, err := x.replacing()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, finish(err == nil)) }()
	p := progress{Span: x.span, Graded: make(severities)}
	rows := x.writer(out, p)
	_, isLines := rows.(*sink.Writer)
	verbatim := isLines && lineFormat(x.format) == sink.JSONL
	if err := rows.Write(ctx, nil); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	r, err := x.readFiles(ctx, x.line, func(e *ingest.Event, text []byte, earlier bool) error {
		if earlier || !x.tally.Match(e) {
			return nil
		}
		var err error
		one := []ingest.Event{*e}
		if verbatim {
			_, err = out.Write(append(text[:len(text):len(text)], '\n'))
		} else {
			err = rows.Write(ctx, one)
		}
		p.Exported++
		p.Graded.add(one)
		if err != nil {
			return fmt.Errorf("%w: %w", errOutput, err)
		}
		return nil
	})
	p.Events, _ = x.tally.Counts()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w before the end of the files", errStopped)
	case err != nil:
		return err
	}
	x.summarise(p)
	x.nameUnmatched()
	return accountFor(x.stderr, r)
}

// replacing opens the output of an export that is written in one go. Until it
// is complete it has a temporary name; finish renames it, or removes it.
func (x *export) replacing() (out io.Writer, finish func(complete bool) error, err error) {
	if x.out == "-" {
		return x.stdout, func(bool) error { return nil }, nil
	}
	return replaceFile(x.out, x.force)
}

// estimate prints the cost of an export.
func (x *export) estimate(ctx context.Context, cfg cloudflareaudit.Config) error {
	e, err := history.Measure(ctx, cfg, x.span)
	if err != nil {
		return x.interrupted(ctx, err)
	}
	about := "about "
	if e.Exact {
		about = ""
	}
	_, err = fmt.Fprintf(x.stdout, "%s%s entries from %s: about %s, %s at the rate limit (the estimate took %s)\n",
		about, grouped(e.Entries), x.spanText(x.span), count(e.Requests, "request", "requests"), e.Time,
		count(e.Asked, "request", "requests"))
	return err
}

// replaceFile opens a file that replaces name once it is complete.
func replaceFile(name string, force bool) (out io.Writer, finish func(complete bool) error, err error) {
	if _, err := os.Lstat(name); err == nil && !force {
		return nil, nil, fmt.Errorf("--out: %s: already exists: choose another name, or give --force to replace it", name)
	}
	partial := name + ".partial"
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("--out: %w", files.InFolder(partial, err))
	}
	return f, func(complete bool) error {
		var err error
		if complete {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
		if err == nil && complete {
			return os.Rename(partial, name)
		}
		return errors.Join(err, os.Remove(partial))
	}, nil
}
