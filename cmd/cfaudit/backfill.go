package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/backfill"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/store"
)

// backfillFolder is where, in the folder of --state, a backfill keeps its position.
const backfillFolder = "backfill"

// backfilling is one run of the command backfill.
type backfilling struct {
	*host
	times
}

func newBackfill(w world) *cobra.Command { return new(backfilling).command(w) }

func (b *backfilling) command(w world) *cobra.Command {
	b.host = &host{}
	cmd := &cobra.Command{
		Use:   "backfill",
		Short: "Deliver the entries from before a feed began, beside it",
		Long: `Backfill reads the entries from before the feed of --state began, once, and
delivers them as poll and run do, with the same ids. The feed may go on meanwhile:
its cursor is read and never written, and the backfill ends where the feed begins,
in each log, so that no entry comes twice.

It can be interrupted at any time; the same command resumes it. Its position is in
the folder backfill in --state. If it is killed, one batch comes again with the
same external_id. A span that has been read is not read again, and an earlier
--since reads only what is missing.

run holds the file of --out for itself: while it runs, give the backfill another
file, or a service, which takes events from both. So that the feed has enough of
the 1200 requests that Cloudflare allows a token in 5 minutes, the backfill sends
at most 250, whatever the file of --config says; --rate-limit changes that.

Cloudflare keeps its audit logs for 18 months.

` + timesHelp + "\n" + serviceHelp + "\n\n" + httpHelp,
		Example: `  cfaudit backfill --since 90d --state state --out older.jsonl
  cfaudit backfill --since 2026-01 --until 2026-03 --state state --out older.jsonl
  cfaudit backfill --since 548d --state state --http https://siem.example.com/ingest --http-headers headers.txt`,
		Args: noArgs,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&b.state, "state", "", "`FOLDER` of the feed, as given to poll or run; required")
	b.addTimes(flags, "", "where the feed begins")
	b.addOutput(flags)
	b.settings = addSettings(w, flags, append(slices.Clone(spanOptions), "max-events")...)
	flags.Lookup("rate-limit").Usage = fmt.Sprintf("send at most `N` requests in 5 minutes, 1 to 1200 (default %d)", backfill.RateLimit)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return b.run(cmd.Context())
	}
	return cmd
}

// run reads the flags, opens what is needed and backfills.
func (b *backfilling) run(ctx context.Context) (err error) {
	cfg, span, err := b.parse()
	if err != nil {
		return err
	}
	b.begin(&b.world)
	log := newLogger(b.world)
	cfg.Logger = log
	logDoubts(log, b.doubts(cfg.Rules))
	key := "cloudflare-" + cfg.AccountID
	parts, err := b.parts(cfg, key, span)
	if err != nil {
		return err
	}
	folder := filepath.Join(b.state, backfillFolder)
	positions, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, positions.Close()) }()
	warnOpen(log, b.state, folder)
	if b.toService() && b.service.deadLetter == "" {
		// That of the feed is in use.
		b.service.deadLetter = filepath.Join(folder, key+".dead-letter.jsonl")
	}
	events, closeSink, err := b.sink(key, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	ctx, stop := untilStopped(ctx)
	defer stop()
	return b.drain(ctx, parts, backfill.New(cfg, parts), &ingest.Runner{
		Sink: events, Store: positions, Key: key, Logger: log, OnBatch: func(ingest.Batch) {},
	})
}

// parse reads the flags. The span ends now where --until is not given.
func (b *backfilling) parse() (cfg cloudflareaudit.Config, span selection.Span, err error) {
	var wrong []string
	if b.state == "" {
		wrong = append(wrong, "--state: is required: the folder of the feed, as given to poll or run")
	}
	if b.since == "" {
		wrong = append(wrong, "--since: is required: "+selection.Forms)
	} else {
		var found []string
		span, found = b.times.read(time.Now())
		if err := history.CheckSpan(span); err != nil && len(found) == 0 {
			found = append(found, err.Error())
		}
		wrong = append(wrong, found...)
	}
	b.connects = true
	cfg, err = b.config(append(wrong, b.outputFaults()...)...)
	if !b.settings.flags.Changed("rate-limit") {
		cfg.RateLimit = backfill.RateLimit
	}
	b.accountID, b.expected = cfg.AccountID, expectedOf(cfg)
	return cfg, span, err
}

// parts are what to read of each log: the span as far as it lies before the feed.
func (b *backfilling) parts(cfg cloudflareaudit.Config, key string, span selection.Span) ([]backfill.Part, error) {
	cursor, err := store.Read(b.state, key)
	if err != nil {
		return nil, err
	}
	if cursor == nil {
		return nil, faults{fmt.Sprintf("--state: %q: must be the folder of a feed that has begun: there is no cursor of the account %s in it. "+
			"poll begins one, and reaches back itself with --initial-lookback", b.state, cfg.AccountID)}
	}
	begins, err := feed.Begins(cursor, cfg.AccountID)
	if err != nil {
		return nil, err
	}
	var parts []backfill.Part
	var wrong faults
	for _, log := range logsOf(cfg) {
		at, found := begins[log]
		if !found {
			wrong = append(wrong, fmt.Sprintf("--state: %q: the feed has not read %s yet, so where it begins there is not known: let it read that log first",
				b.state, logName(log)))
			continue
		}
		part := backfill.Part{Log: log, Span: span, Begins: at}
		if b.until == "" {
			part.Span.Until = at
		}
		if part.Span.Until.After(at) {
			wrong = append(wrong, fmt.Sprintf("--until: %q: must be no later than %s, where the feed begins in %s: what is later would come twice",
				b.until, at.Format(time.RFC3339), logName(log)))
		}
		if part.Span.Since.Before(part.Span.Until) {
			parts = append(parts, part)
		}
	}
	if len(wrong) == 0 && len(parts) == 0 {
		wrong = append(wrong, fmt.Sprintf("--since: %q: must be earlier than %s, where the feed begins: it delivers what is later",
			b.since, earliest(begins).Format(time.RFC3339)))
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return parts, b.settled(cfg, parts)
}

// settled is the error of parts in which entries may still appear: what is not there
// yet when a part has been read would never be delivered.
func (b *backfilling) settled(cfg cloudflareaudit.Config, parts []backfill.Part) error {
	latest := max(lateness, cfg.Overlap, cfg.OverlapV2)
	for _, part := range parts {
		if ready := part.Span.Until.Add(latest); ready.After(b.now) {
			return fmt.Errorf("entries from before %s may still appear in %s: run it again after %s, or give an earlier --until",
				part.Span.Until.Format(time.RFC3339), logName(part.Log), ready.Format(time.RFC3339))
		}
	}
	return nil
}

// logsOf are the audit logs that a configuration reads.
func logsOf(cfg cloudflareaudit.Config) []string {
	switch cfg.AuditLogAPI {
	case cloudflareaudit.AuditLogBoth:
		return []string{cloudflareaudit.AuditLogV1, cloudflareaudit.AuditLogV2}
	case "":
		return []string{cloudflareaudit.AuditLogV1}
	}
	return []string{cfg.AuditLogAPI}
}

func earliest(begins map[string]time.Time) (first time.Time) {
	for _, at := range begins {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// drain reads the parts from source and reports how that went.
func (b *backfilling) drain(ctx context.Context, parts []backfill.Part, source *backfill.Source, r *ingest.Runner) error {
	r.Source = source
	events := countEvents(r)
	observe(r, b.expected.seeAll)
	show := b.showProgress(b.stderr, &source.OnWait, func(spent, wait time.Duration) string {
		return b.progressLine(source.Progress(), spent, wait)
	})
	total, err := r.Drain(ctx)
	show.stop()
	// A reader that resumes meets some entries again, which says nothing of late ones.
	total.Read, total.Repeated = total.Read-total.Repeated, 0
	if err == nil || total.Read > 0 {
		fmt.Fprintln(b.stderr, summary(total, events)+"; "+count(total.Requests, "request", "requests")+b.delivered(r.Sink))
		b.expected.report(b.stderr, manyEvents)
	}
	for _, notice := range total.Notices {
		fmt.Fprintln(b.stderr, "cfaudit: "+notice)
	}
	switch {
	case b.toPipe() && errors.Is(err, syscall.EPIPE):
		return errReaderGone
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w before the end of the span; run the same command again to resume", errStopped)
	case err != nil:
		fmt.Fprintln(b.stderr, "cfaudit: the backfill is not complete; run the same command again to resume")
		return err
	}
	b.finish(parts, source.Progress().Finished)
	return nil
}

// finish says which spans are done.
func (b *backfilling) finish(parts []backfill.Part, finished []backfill.Finished) {
	for _, f := range finished {
		sittings := ""
		if f.Resumed {
			sittings = fmt.Sprintf("; with what was read before: %s, %s, %d dropped",
				count(f.Read, "entry", "entries"), count(f.Events, "event", "events"), f.Dropped)
		}
		fmt.Fprintf(b.stderr, "done: %s from %s%s\n", logName(f.Log), b.spanText(f.Span), sittings)
	}
	if len(finished) > 0 {
		return
	}
	for _, part := range parts {
		fmt.Fprintf(b.stderr, "nothing to do: %s has been backfilled from %s\n", logName(part.Log), b.spanText(part.Span))
	}
}

// progressLine is the progress of a backfill. What matters most comes first, because
// a terminal may be narrow.
func (b *backfilling) progressLine(p backfill.Progress, spent, wait time.Duration) string {
	line := "Backfilling: " + shareText(p.Share) + restText(p.Share, spent, wait)
	if p.Log == "" {
		return line
	}
	return line + fmt.Sprintf(", %s reached %s, %s", logName(p.Log), p.Reached.In(b.location).Format("2006-01-02 15:04"), count(p.Events, "event", "events"))
}
