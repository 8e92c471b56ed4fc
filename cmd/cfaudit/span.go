package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventfile"
	"github.com/aisoc/cloudflareaudit/internal/history"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/internal/table"
)

// spanOptions are the configuration flags of a command that reads a span.
var spanOptions = []string{
	"account-id", "token-file", "audit-log-api", "rules", "production-zone", "verified-worker", "own-token-id", "drop-routine",
	"hide-user-logs", "resolve-members", "resolve-scopes", "resolve-history", "rate-limit", "request-timeout", "base-url",
}

// spanned is the common part of export and report: events of a span, from the
// API or from files.
type spanned struct {
	*settings
	times
	from []string

	span selection.Span
}

func newSpanned(w world, flags *pflag.FlagSet, since string) *spanned {
	s := &spanned{}
	flags.SortFlags = false
	s.addTimes(flags, since, "now")
	flags.StringArrayVar(&s.from, "from", nil, "read saved events from `FILE` or pattern, also gzip; more may follow; - is standard input")
	s.settings = addSettings(w, flags, spanOptions...)
	return s
}

// times are the flags of a span of time.
type times struct {
	since, until, zone string

	location *time.Location
	now      time.Time
}

// addTimes adds the flags, with the default of --since, and that of --until in
// words.
func (s *times) addTimes(flags *pflag.FlagSet, since, until string) {
	flags.StringVar(&s.since, "since", since, "`TIME` the span begins at, see above")
	flags.StringVar(&s.until, "until", "", "`TIME` the span ends at, a day or month included (default "+until+")")
	flags.StringVar(&s.zone, "time-zone", "", "`ZONE` for days and for times shown, such as Europe/Berlin (default this machine's)")
}

// read reads the flags of times, at the time now, and lists their faults.
func (s *times) read(now time.Time) (span selection.Span, wrong []string) {
	s.now, s.location = now, time.Local
	if s.zone != "" {
		location, err := time.LoadLocation(s.zone)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("--time-zone: %q: must be the name of a time zone, such as UTC or Europe/Berlin", s.zone))
		} else {
			s.location = location
		}
	}
	span, err := selection.ParseSpan(s.since, s.until, now, s.location)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return span, wrong
}

// timesHelp describes the forms of times.
const timesHelp = `Times are given as an age (2w, 7d, 36h), as today, yesterday or now, as a month
(2026-03), as a day (2026-03-31), or in full (2026-03-31T14:00:00Z). As the end of
the span, a day or month is included.
`

// files lets files follow --from, as when a shell expands a pattern.
func (s *spanned) files(_ *cobra.Command, args []string) error {
	if len(s.from) == 0 {
		return noArgs(nil, args)
	}
	return nil
}

// parse reads the flags. Its error lists found, the caller's own faults, first.
func (s *spanned) parse(args []string, found ...string) (cloudflareaudit.Config, error) {
	if len(s.from) > 0 {
		s.from = append(s.from, args...)
	}
	span, wrong := s.times.read(time.Now())
	s.span, found = span, append(found, wrong...)
	if len(s.from) > 0 {
		return cloudflareaudit.Config{}, s.parseFiles(found)
	}
	if err := history.CheckSpan(span); err != nil && len(wrong) == 0 {
		found = append(found, err.Error())
	}
	s.connects = true
	cfg, err := s.config(found...)
	if err == nil {
		s.warn(cfg.Rules)
	}
	return cfg, err
}

// parseFiles is parse for files; flags of the API are faults.
func (s *spanned) parseFiles(found []string) error {
	for _, name := range spanOptions {
		if s.flags.Changed(name) {
			found = append(found, "--"+name+": applies only to reading the API; saved events are already graded: leave out this flag or --from")
		}
	}
	if len(found) > 0 {
		return faults(found)
	}
	return nil
}

// expand replaces the patterns among the files by the files that match them.
func (s *spanned) expand() error {
	files, err := eventfile.Expand(s.from)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	s.from = files
	return nil
}

// request describes the request without the token, and with a digest of the
// rules.
func (s *spanned) request(more ...any) string {
	object := maps.Clone(s.given().object)
	for _, name := range []string{"api_token", "rate_limit", "request_timeout"} {
		delete(object, name)
	}
	b, err := json.Marshal([]any{s.since, s.until, s.zone, object, more})
	if err != nil {
		return err.Error() // which equals no valid request
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readFiles passes on the events of the files that belong to the span, and
// earlier ones if earlier is set. An event without a time belongs to every
// span.
func (s *spanned) readFiles(ctx context.Context, line *table.Line, each func(e *ingest.Event, text []byte, earlier bool) error) (*eventfile.Reader, error) {
	var done, size int64
	for _, name := range s.from {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	started, shown := time.Now(), time.Time{}
	r := &eventfile.Reader{Each: func(e *ingest.Event, text []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		timed := e.CreatedAt.Year() > 1
		if timed && !e.CreatedAt.Before(s.span.Until) {
			return nil
		}
		return each(e, text, timed && e.CreatedAt.Before(s.span.Since))
	}}
	for _, name := range s.from {
		var read int64
		title := filepath.Base(name)
		if name == "-" {
			title = "standard input"
		}
		r.Progress = func(n int64) {
			read = n
			if time.Since(shown) > 200*time.Millisecond {
				shown = time.Now()
				share := float64(done+n) / float64(max(size, done+n, 1))
				line.Set(fmt.Sprintf("Reading %s: %s, %.0f %%%s", title, count(r.Events, "event", "events"),
					100*share, timeLeft(share, time.Since(started))))
			}
		}
		var err error
		if name == "-" {
			err = r.Read(title, &interruptible{ctx: ctx, from: s.stdin})
		} else {
			err = r.ReadFile(name)
		}
		if err != nil {
			line.Set("")
			return r, err
		}
		done += read
	}
	line.Set("")
	return r, nil
}

// accountFor reports oddities of saved events. Its error means that a file has
// lines that are not events.
func accountFor(to io.Writer, r *eventfile.Reader) error {
	if r.Repeated > 0 {
		fmt.Fprintf(to, "cfaudit: left out %s that had come before\n", count(r.Repeated, "event", "events"))
	}
	for _, name := range r.Torn {
		fmt.Fprintf(to, "cfaudit: %s ends in the middle of an event, which is left out; cfaudit writes it again when it resumes\n", name)
	}
	if r.Unread > 0 {
		return fmt.Errorf("%s could not be read as an event; the first is %s", count(r.Unread, "line", "lines"), r.FirstUnread)
	}
	return nil
}

// timeLeft estimates the remaining time from the share done in the time spent,
// for the end of a status line, or "".
func timeLeft(share float64, spent time.Duration) string {
	if share < 0.02 || share >= 1 || spent < time.Second {
		return ""
	}
	left := time.Duration(float64(spent) * (1 - share) / share)
	return ", about " + max(left.Round(time.Second), time.Second).String() + " left"
}

// spanText is a span for display.
func (s *times) spanText(span selection.Span) string {
	const form = "2006-01-02 15:04"
	return span.Since.In(s.location).Format(form) + " to " + span.Until.In(s.location).Format(form+" MST")
}

// filterFlags adds the flags of a filter.
func filterFlags(flags *pflag.FlagSet, f *selection.Filter) {
	flags.StringVar((*string)(&f.MinSeverity), "min-severity", "", "only events of `SEVERITY` or worse: critical, high, medium, low or info")
	flags.StringSliceVar(&f.Actions, "action", nil, "only events with `ACTION`, or a pattern such as dns.*; repeatable")
	flags.StringSliceVar(&f.Actors, "actor", nil, "only events of `ACTOR`: an e-mail address, id, token or pattern with *; repeatable")
	flags.StringSliceVar(&f.Zones, "zone", nil, "only events in `ZONE`: a name, id or pattern with *; repeatable")
	flags.StringSliceVar(&f.Rules, "rule", nil, "only events graded by the rule with `ID`, or a pattern with *; repeatable")
}

// fileFormat is the form implied by the name of a file, or "".
func fileFormat(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return formatCSV
	case ".jsonl", ".ndjson", ".json":
		return formatJSONL
	case ".txt":
		return formatTable
	}
	return ""
}

// grouped writes n with separators between thousands.
func grouped(n int) string {
	digits := []byte(fmt.Sprint(n))
	var parts []string
	for len(digits) > 3 {
		parts = append(parts, string(digits[len(digits)-3:]))
		digits = digits[:len(digits)-3]
	}
	parts = append(parts, string(digits))
	slices.Reverse(parts)
	return strings.Join(parts, ",")
}
