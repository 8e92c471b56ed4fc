package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/livepage"
	"github.com/aisoc/cloudflareaudit/internal/report"
)

const (
	// liveRefresh is how often a browser asks for the page.
	liveRefresh = time.Minute
	// liveAge is how old the page may get while no file changes: what is beyond a
	// span such as 7d leaves it.
	liveAge = time.Hour
)

// liveReport is where report --serve serves.
type liveReport struct {
	flags  *pflag.FlagSet
	serve  bool
	listen string

	// patterns are those of the files, and said what was said last of what cannot be
	// read.
	patterns []string
	said     string
}

func (l *liveReport) addFlags(flags *pflag.FlagSet) {
	l.flags = flags
	flags.BoolVar(&l.serve, "serve", false, "serve the page on this machine, and follow the files of --from")
	flags.StringVar(&l.listen, "listen", "127.0.0.1:8789", "with --serve: loopback `ADDRESS`; port 0 chooses one")
}

// liveFaults are the faults of --serve and of what does not go with it.
func (r *reporting) liveFaults() (wrong faults) {
	l := &r.live
	if !l.serve {
		return refuseFlags(l.flags, "requires --serve", "listen")
	}
	wrong = refuseFlags(l.flags, "cannot be given with --serve, which writes no file", "out", "force")
	if r.format == formatText {
		wrong = append(wrong, `--format: "text": must be html with --serve`)
	}
	if fault := loopbackFault(l.listen, "127.0.0.1:8789"); fault != "" {
		wrong = append(wrong, fault)
	}
	if len(r.from) == 0 {
		wrong = append(wrong, "--serve: requires --from: the files that poll or run writes, such as 'events.jsonl*'")
	}
	return wrong
}

// keepServing serves the report until ctx ends.
func (r *reporting) keepServing(ctx context.Context) error {
	if slices.Contains(r.from, "-") {
		return faults{`--from: "-": must be files with --serve, which reads them again and again`}
	}
	if err := livepage.CheckPatterns(r.from); err != nil {
		return faults{"--from: " + err.Error()}
	}
	log := newLogger(r.world)
	r.live.patterns = r.from
	announce := r.stderr
	// What else there is to say about the files is on the page.
	r.stderr = io.Discard
	page := &livepage.Page{
		Patterns: r.live.patterns, MaxAge: liveAge, Refresh: liveRefresh, Policy: report.Policy(),
		Build: func(names []string) ([]byte, error) {
			text, missing, err := r.page(ctx, names)
			if err == nil {
				r.live.say(announce, missing)
			}
			if err != nil && ctx.Err() == nil {
				log.Warn("cannot make the page; the next request tries again", "error", err)
			}
			return text, err
		},
	}
	address, stop, err := serveAtFlag(page, r.live.listen)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(announce, "cfaudit: the report is at http://%s until you press Ctrl-C\n", address)
	// What is wrong from the start shows here, and not only in a browser.
	if _, err := page.Text(); err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// say says on one line what cannot be read, if that is something else than before.
func (l *liveReport) say(to io.Writer, missing string) {
	switch {
	case missing == l.said:
	case missing == "":
		fmt.Fprintln(to, "cfaudit: all of it can be read now")
	default:
		fmt.Fprintf(to, "cfaudit: %s\n", missing)
	}
	l.said = missing
}

// page is the page of the files at this time, and what cannot be read of them, or "".
func (r *reporting) page(ctx context.Context, names []string) (_ []byte, missing string, err error) {
	span, wrong := r.times.read(time.Now())
	if len(wrong) > 0 {
		return nil, "", faults(wrong)
	}
	r.span, r.from = span, names
	finished, incomplete, err := r.fromFiles(ctx, cloudflareaudit.Config{}, r.options())
	if err != nil {
		return nil, "", err
	}
	switch {
	case finished.Nothing != "":
		missing = "nothing could be read: " + finished.Nothing
	case incomplete != nil:
		missing = incomplete.Error()
	}
	var text bytes.Buffer
	err = finished.HTML(&text)
	return text.Bytes(), missing, err
}
