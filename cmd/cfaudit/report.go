package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventfile"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/report"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// The forms of a report.
const (
	formatHTML = "html"
	formatText = "text"
)

// reporting is one run of the command report.
type reporting struct {
	*spanned
	display
	out, baseline, hours string
	force                bool
	listed               int
	live                 liveReport

	working report.Hours
	before  time.Duration
}

func newReport(w world) *cobra.Command {
	r := &reporting{}
	cmd := &cobra.Command{
		Use:   "report [flags] [--from FILE…]",
		Short: "Report on a span of time: risky changes, who made them, what is still open",
		Long: `Report writes an HTML page, or plain text for a mail, about a span of time: risky
changes first, with the values before and after; protections that were weakened
and still are at the end of the span; actors, including new actors and addresses
and changes outside working hours; a timeline; zones, products and rules; and the
coverage of the report. Every statement links to its events on the page. The page
is a single file that needs no network and runs no script.

It reads the events from the API, or with --from from files of saved events. To
recognise new actors it also reads earlier events: those of --baseline from the
API, or all earlier events in the files of --from. A pattern such as 'older*.jsonl'
stands for the files that match it.

With --serve it serves the page to browsers of this machine until you stop it, and
follows the files of --from, such as 'events.jsonl*', through rotation. A browser
asks again every minute, and the page is made anew when a file has changed.

` + timesHelp,
		Example: `  cfaudit report --since 7d --out report.html
  cfaudit report --since 2026-03 --until 2026-03 --from archive/*.jsonl.gz --out march.html
  cfaudit report --since 7d --format text | mail -s "Cloudflare, this week" security@example.com
  cfaudit report --since 7d --serve --from 'events.jsonl*'`,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&r.out, "out", "-", "`FILE` to write, .html or .txt, - for standard output")
	flags.StringVar(&r.format, "format", "", "`FORM` of the report: html or text (default by --out, text on a terminal)")
	flags.BoolVar(&r.force, "force", false, "replace what is in --out")
	flags.StringVar(&r.baseline, "baseline", "30d", "`TIME` before the span to compare with when reading the API; 0 for none")
	flags.StringVar(&r.hours, "working-hours", "mon-fri 8-18", "`HOURS` in which people are expected to work, in --time-zone")
	flags.IntVar(&r.listed, "list", report.DefaultListed, "show at most `N` changes one by one, the riskiest")
	r.live.addFlags(flags)
	r.spanned = newSpanned(w, flags, "7d")
	cmd.Args = r.files
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := r.parse(args, r.wrong()...)
		if err != nil {
			return err
		}
		r.begin(&r.world)
		cfg.Logger = newLogger(r.world)
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		if r.live.serve {
			return r.keepServing(ctx)
		}
		return r.run(ctx, cfg)
	}
	return cmd
}

// wrong are the faults of the flags that only report has.
func (r *reporting) wrong() (wrong []string) {
	if r.format == "" && r.out != "-" {
		switch ending := strings.ToLower(filepath.Ext(r.out)); ending {
		case "", ".html", ".htm":
			r.format = formatHTML
		case ".txt", ".text", ".md":
			r.format = formatText
		default:
			wrong = append(wrong, fmt.Sprintf("--out: %q: must end in .html, or in .txt for a report as text; with --format, any name will do", r.out))
		}
	}
	switch r.format {
	case "", formatHTML, formatText:
	default:
		wrong = append(wrong, fmt.Sprintf("--format: %q: must be html or text", r.format))
	}
	if r.out == "" {
		wrong = append(wrong, "--out: must be a file, or - for standard output")
	}
	var err error
	if r.before, err = cloudflareaudit.ParseDuration(r.baseline); r.baseline != "0" && (err != nil || r.before < 0 || r.before > history.Kept) {
		wrong = append(wrong, fmt.Sprintf("--baseline: %q: must be a duration from 0 to 548d, such as 30d", r.baseline))
	}
	if r.working, err = report.ParseHours(r.hours); err != nil {
		wrong = append(wrong, "--working-hours: "+err.Error())
	}
	wrong = append(wrong, r.liveFaults()...)
	if r.listed < 1 || r.listed > 100_000 {
		wrong = append(wrong, fmt.Sprintf("--list: \"%d\": must be from 1 to 100000", r.listed))
	}
	return wrong
}

// options are those of a report on the span.
func (r *reporting) options() report.Options {
	return report.Options{
		Span: r.span, Location: r.location, Hours: r.working, Generated: r.now, Listed: r.listed,
	}
}

func (r *reporting) run(ctx context.Context, cfg cloudflareaudit.Config) (err error) {
	collect := r.fromAPI
	if len(r.from) > 0 {
		if err := r.expand(); err != nil {
			return err
		}
		collect = r.fromFiles
	}
	finished, incomplete, err := collect(ctx, cfg, r.options())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w before the report was complete", errStopped)
	case err != nil:
		return err
	}
	if err := r.write(finished); err != nil {
		return err
	}
	fmt.Fprintf(r.stderr, "reported %s from %s: %s\n", count(len(finished.Changes), "change", "changes"),
		r.spanText(r.span), strings.Join(finished.Headline, " "))
	return incomplete
}

// write writes the report to its destination, completely or not at all.
func (r *reporting) write(finished *report.Report) (err error) {
	write := finished.HTML
	_, isTerminal := table.Terminal(r.stdout)
	if r.format == formatText || r.format == "" && r.out == "-" && isTerminal {
		write = finished.Text
	}
	if r.out == "-" {
		if err := write(r.stdout); err != nil {
			return fmt.Errorf("%w: %w", errReport, err)
		}
		return nil
	}
	out, finish, err := replaceFile(r.out, r.force)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, finish(err == nil)) }()
	if err := write(out); err != nil {
		return fmt.Errorf("%w: %w", errReport, err)
	}
	return nil
}

// errReport is in the tree of the errors of the output.
var errReport = errors.New("cannot write the report")

// fromFiles makes a report of saved events.
func (r *reporting) fromFiles(ctx context.Context, _ cloudflareaudit.Config, o report.Options) (*report.Report, error, error) {
	o.Source = "Saved events in " + shortList(r.from)
	if len(r.from) == 0 {
		o.Source = "Saved events in " + shortList(r.live.patterns)
	}
	b := report.NewBuilder(o)
	files, err := r.readFiles(ctx, r.line, func(e *ingest.Event, _ []byte, earlier bool) error {
		if earlier {
			b.Earlier(e)
		} else {
			b.Add(e)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	incomplete := accountFor(r.stderr, files)
	if incomplete != nil {
		b.Problem(incomplete.Error())
	}
	if why := r.nothingIn(files, incomplete); why != "" {
		b.Nothing(why)
	}
	if n := len(files.Torn); n > 0 {
		b.Problem(fmt.Sprintf("%s in the middle of an event: %s", count(n, "file ends", "files end"), shortList(files.Torn)))
	}
	return b.Report(), incomplete, nil
}

// nothingIn is why there is no event at all in the files, or "".
func (r *reporting) nothingIn(files *eventfile.Reader, incomplete error) string {
	switch {
	case files.Events > 0:
		return ""
	case len(r.from) == 0:
		return "no such file is there yet: " + shortList(r.live.patterns)
	case incomplete != nil:
		return incomplete.Error()
	case len(files.Torn) > 0:
		return "there is no whole event in " + shortList(r.from)
	}
	return "there is no event in " + shortList(r.from)
}

// shortList names files for display.
func shortList(files []string) string {
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	if more := len(names) - 4; more > 0 {
		names = append(names[:4], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// fromAPI makes a report of the events from the API.
func (r *reporting) fromAPI(ctx context.Context, cfg cloudflareaudit.Config, o report.Options) (*report.Report, error, error) {
	o.Source = "The Cloudflare API, " + logName(cfg.AuditLogAPI) + ", at " + r.now.In(r.location).Format(time.DateTime)
	whole := r.span
	if whole.Since = whole.Since.Add(-r.before); r.now.Sub(whole.Since) > history.Kept {
		whole.Since = r.now.Add(-history.Kept).UTC().Truncate(time.Second)
	}
	routine, err := newDrops(&cfg)
	if err != nil {
		return nil, nil, err
	}
	reader, err := history.New(cfg, whole, nil)
	if err != nil {
		return nil, nil, err
	}
	b := report.NewBuilder(o)
	undecodable := 0
	defer r.line.Set("")
	started := time.Now()
	for !reader.Done() {
		events, err := reader.Next(ctx)
		if err != nil {
			return nil, nil, err
		}
		for i := range events {
			e, leftOut := routine.of(&events[i])
			earlier := e.CreatedAt.Year() > 1 && e.CreatedAt.Before(r.span.Since)
			switch {
			case leftOut && earlier:
			case leftOut:
				b.LeftOut(e.CreatedAt)
			case earlier:
				b.Earlier(e)
			default:
				b.Add(e)
				if e.Action == actionUnknown {
					undecodable++
				}
			}
		}
		at, share := reader.Reached()
		r.line.Set(fmt.Sprintf("Reading: %s entries, reached %s, %.0f %%%s", grouped(reader.Coverage().Read),
			at.In(r.location).Format("2006-01-02 15:04"), 100*share, timeLeft(share, time.Since(started))))
	}
	covered := reader.Coverage()
	covered.Undecodable = undecodable // without those before the span
	b.Covered(covered)
	return b.Report(), nil, nil
}

// drops tells the entries that a rule drops. A report has them read like the others,
// to know when they were made and so which of them belong to its span.
type drops struct {
	rules []string
	// entryAlone grades without look-ups, which decide nothing about dropping. It is
	// nil where there are none.
	entryAlone *cloudflareaudit.Normalizer
}

// newDrops makes cfg keep what its rules drop, if they do, and tells it by its rules.
func newDrops(cfg *cloudflareaudit.Config) (*drops, error) {
	d := &drops{}
	if dropped(*cfg) != "drop" {
		return d, nil
	}
	effective, err := cloudflareaudit.EffectiveRules(cfg.Rules)
	if err != nil {
		return nil, err
	}
	for _, rule := range effective {
		if rule.Drop {
			d.rules = append(d.rules, rule.ID)
		}
	}
	if cfg.ResolveMembers || cfg.ResolveScopes {
		if d.entryAlone, err = cloudflareaudit.NewNormalizer(*cfg); err != nil {
			return nil, err
		}
	}
	cfg.DropRoutine = new(bool)
	return d, nil
}

// of reports whether a rule drops the entry of an event. If it does so only because
// of what was looked up, the entry is kept, as the entry alone grades it.
func (d *drops) of(e *ingest.Event) (*ingest.Event, bool) {
	if !slices.Contains(d.rules, e.Audit.Rule) {
		return e, false
	}
	if d.entryAlone == nil || e.RawTruncated {
		return e, true
	}
	event, verdict := d.entryAlone.Normalize([]byte(e.RawEvent))
	return &event, verdict.Drop
}

// logName is the display name of an audit log.
func logName(api string) string {
	switch api {
	case cloudflareaudit.AuditLogV2:
		return "Audit Logs v2"
	case cloudflareaudit.AuditLogBoth:
		return "both audit logs"
	}
	return "audit log v1"
}
