package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
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
	name, _, err := net.SplitHostPort(l.listen)
	if err != nil || !httpx.IsLoopback(name) {
		wrong = append(wrong, fmt.Sprintf("--listen: %q: must be an address of this machine alone, such as 127.0.0.1:8789", redact(l.listen)))
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
	patterns, log := r.from, newLogger(r.world)
	announce := r.stderr
	// What there is to say about the files is on the page.
	r.stderr = io.Discard
	page := &livepage.Page{
		Patterns: patterns, MaxAge: liveAge, Refresh: liveRefresh, Policy: report.Policy(),
		Build: func(names []string) ([]byte, error) {
			text, err := r.page(ctx, patterns, names)
			if err != nil && ctx.Err() == nil {
				log.Warn("cannot make the page; the next request tries again", "error", err)
			}
			return text, err
		},
	}
	address, stop, err := serve(page, r.live.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return faults{fmt.Sprintf("--listen: %q: is in use; choose another one, such as 127.0.0.1:0", r.live.listen)}
	} else if err != nil {
		return faults{fmt.Sprintf("--listen: %q: cannot be listened on: %v", r.live.listen, err)}
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

// page is the page of the files, of those that the patterns name, at this time.
func (r *reporting) page(ctx context.Context, patterns, names []string) ([]byte, error) {
	span, wrong := r.times.read(time.Now())
	if len(wrong) > 0 {
		return nil, faults(wrong)
	}
	r.span, r.from = span, names
	finished, _, err := r.fromFiles(ctx, cloudflareaudit.Config{}, r.options())
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		finished.Options.Source += shortList(patterns)
		finished.Options.Problems = append(finished.Options.Problems, "no such file is there yet")
	}
	var text bytes.Buffer
	err = finished.HTML(&text)
	return text.Bytes(), err
}
