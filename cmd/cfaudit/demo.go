package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/table"
	"github.com/aisoc/cloudflareaudit/sink"
	"github.com/aisoc/cloudflareaudit/store"
)

const (
	// demoSpan is how far back the history of the demo reaches.
	demoSpan = 7 * 24 * time.Hour
	// demoSeed makes the history reproducible.
	demoSeed = 1
	// demoRows is how many events the demo shows on a terminal, and demoWhys how
	// many of them it explains.
	demoRows, demoWhys = 12, 3
)

func newDemo(w world) *cobra.Command {
	var imitation imitation
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what it does, without an account",
		Long: `Demo starts a small imitation of the Cloudflare API on this machine, with the
history of a week that ends now, and polls it twice the way poll does, the second
time as if five minutes had passed. On a terminal it shows the riskiest events and
why they matter; in a pipe it writes all events as JSON, one object a line. A
summary goes to standard error. It needs no account and no network, and leaves
nothing behind.

With --serve the imitation keeps running, with a longer history and new entries,
and demo prints how to try every other command against it.`,
		Example: `  cfaudit demo
  cfaudit demo | jq -r 'select(.severity == "critical") | .title'
  cfaudit demo --serve`,
		Args: noArgs,
	}
	imitation.addFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if imitation.serve {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return imitation.run(ctx, w)
		}
		if fault := imitation.unused(cmd.Flags()); fault != "" {
			return faults{fault}
		}
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		if err := demo(ctx, w); err == nil || errors.Is(err, syscall.EPIPE) || ctx.Err() == nil {
			return err
		}
		return errStopped
	}
	return cmd
}

func demo(ctx context.Context, w world) error {
	// later is how far the server's clock is ahead.
	var later atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	address, stop, err := serve(demoServer(clock), "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stop()
	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID:       fakecloudflare.DefaultAccountID,
		APIToken:        cloudflareaudit.NewSecret(fakecloudflare.DefaultToken),
		BaseURL:         "http://" + address + fakecloudflare.Prefix,
		InitialLookback: demoSpan + time.Hour,
		// Long enough that the second poll re-reads a day.
		Overlap: 24 * time.Hour,
		// The connector need not know that the clock was advanced.
		Clock:  clock,
		Logger: newLogger(w),
	})
	if err != nil {
		return err
	}
	counted := make(severities)
	out, show := demoSink(w)
	runner := &ingest.Runner{
		Source:  source,
		Sink:    out,
		Store:   new(store.Memory), // a container may have nothing that can be written to
		Key:     "demo",
		OnBatch: func(b ingest.Batch) { counted.add(b.Events) },
	}
	first, err := runner.Drain(ctx)
	if err != nil {
		return err
	}
	if err := show(); err != nil {
		return err
	}
	later.Store(int64(5 * time.Minute))
	second, err := runner.Drain(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stderr, "\nfirst poll:  read %s, wrote %s%s\n", count(first.Read, "entry", "entries"),
		count(first.Delivered+first.Raised, "event", "events"), bracketed(counted.list(), marked(first)))
	fmt.Fprintf(w.stderr, "dropped:     %d%s, repeated: %d\n", first.DroppedTotal(), bracketed(byRule(first.Dropped)), first.Repeated)
	fmt.Fprintf(w.stderr, "second poll: %d new, %d recognised\n", second.Delivered+second.DroppedTotal(), second.Repeated)
	if _, ok := table.Terminal(w.stdout); ok {
		fmt.Fprint(w.stderr, demoNext)
	}
	return nil
}

// demoNext is what to do after the demo.
const demoNext = `
Next:
  cfaudit demo | jq .     the same events as JSON
  cfaudit demo --serve    try all commands against an imitation
  cfaudit check --help    connect your own account
`

// demoServer returns an API with a week of entries, the newest of them current.
func demoServer(clock func() time.Time) *fakecloudflare.Server {
	now := clock()
	server := fakecloudflare.NewServer(fakecloudflare.Options{Clock: clock})
	server.Add(time.Time{}, fakecloudflare.Story(demoSeed, now.Add(-demoSpan), now)...)
	newest, _ := fakecloudflare.Happening(demoSeed, now.Add(-10*time.Second))
	server.Add(time.Time{}, newest)
	return server
}

// demoSink writes events at once, or on a terminal keeps them until show is
// called.
func demoSink(w world) (out ingest.Sink, show func() error) {
	width, ok := table.Terminal(w.stdout)
	if !ok {
		return sink.NewWriter(w.stdout), func() error { return nil }
	}
	s := &riskiest{}
	return s, func() error {
		return s.show(w.stdout, table.Options{
			Width: width, Colour: table.Colours(w.stdout, w.getenv), Location: time.Local, AsGiven: true,
		})
	}
}

// riskiest is a sink that keeps events in order to show the most severe.
type riskiest struct{ events []ingest.Event }

// Write implements [ingest.Sink].
func (r *riskiest) Write(_ context.Context, events []ingest.Event) error {
	r.events = append(r.events, events...)
	return nil
}

// show writes the riskiest events as a table, worst first, and explains the
// first ones.
func (r *riskiest) show(out io.Writer, o table.Options) error {
	slices.SortStableFunc(r.events, func(a, b ingest.Event) int {
		rank := func(e ingest.Event) int {
			n := 2 * slices.Index(ingest.Severities(), e.Severity)
			if e.Audit.Direction != "weaker" {
				n++
			}
			return n
		}
		return cmp.Or(rank(a)-rank(b), a.CreatedAt.Compare(b.CreatedAt))
	})
	top := r.events[:min(demoRows, len(r.events))]
	if err := table.New(out, o).Write(context.Background(), top); err != nil {
		return err
	}
	var b strings.Builder
	if more := len(r.events) - len(top); more > 0 {
		fmt.Fprintf(&b, "… and %d more\n", more)
	}
	b.WriteString("\nWhy the first of them matter:\n")
	width := min(max(o.Width, table.MinWidth), 100)
	for i, e := range distinct(top, demoWhys) {
		bullet := fmt.Sprintf("%d. ", i+1)
		for _, line := range table.Wrap(table.Subject(&e)+". "+table.Clean(e.Audit.Why)+changed(&e), width-len(bullet)) {
			b.WriteString(bullet + line + "\n")
			bullet = strings.Repeat(" ", len(bullet))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// distinct returns the first n events that were graded by different rules.
func distinct(events []ingest.Event, n int) (list []ingest.Event) {
	for _, e := range events {
		same := func(other ingest.Event) bool { return other.Audit.Rule == e.Audit.Rule }
		if len(list) < n && !slices.ContainsFunc(list, same) {
			list = append(list, e)
		}
	}
	return list
}

// changed is the first changed value of an event, as the end of a sentence.
func changed(e *ingest.Event) string {
	for _, c := range e.Audit.Changes {
		if c.Old != "" && c.New != "" {
			field := c.Field
			if strings.HasPrefix(field, "rules.") { // and the id of the rule
				field = field[strings.LastIndexByte(field, '.')+1:]
			}
			return table.Clean(fmt.Sprintf(" (%s: %s -> %s)", field, c.Old, c.New))
		}
	}
	return ""
}
