package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/sink"
	"github.com/aisoc/cloudflareaudit/store"
	"github.com/aisoc/cloudflareaudit/testdata"
)

func newDemo(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what it does, without an account",
		Long: `Demo starts a small imitation of the Cloudflare API on this machine, with entries
of every kind that end just now, in both audit logs, and polls it twice the way
poll does, the second time as if five minutes had passed. On a terminal it shows
the events as a table, in a pipe as JSON, one object a line. A summary goes to
standard error. It needs no account and no network, and leaves nothing behind.`,
		Example: `  cfaudit demo
  cfaudit demo | jq -r 'select(.severity == "critical") | .title'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			if err := demo(ctx, w); err == nil || errors.Is(err, syscall.EPIPE) || ctx.Err() == nil {
				return err
			}
			return errStopped
		},
	}
}

func demo(ctx context.Context, w world) (err error) {
	// later is how much the server's clock is ahead.
	var later atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	server, span, err := demoServer(clock)
	if err != nil {
		return err
	}
	address, stop, err := serve(server)
	if err != nil {
		return err
	}
	defer stop()
	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID:       fakecloudflare.DefaultAccountID,
		APIToken:        cloudflareaudit.NewSecret(fakecloudflare.DefaultToken),
		BaseURL:         "http://" + address + fakecloudflare.Prefix,
		AuditLogAPI:     cloudflareaudit.AuditLogBoth,
		InitialLookback: span + time.Hour,
		// So long that the second poll reads everything again.
		Overlap:   min(span+time.Hour, 24*time.Hour),
		OverlapV2: min(span+time.Hour, 24*time.Hour),
		// It need not know that the clock is turned.
		Clock:  clock,
		Logger: newLogger(w),
	})
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "cfaudit-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cursors, err := store.Open(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursors.Close()) }()

	events := make(severities)
	runner := &ingest.Runner{
		Source:  source,
		Sink:    demoSink(w.stdout),
		Store:   cursors,
		Key:     "demo",
		OnBatch: func(b ingest.Batch) { events.add(b.Events) },
	}
	first, err := runner.Drain(ctx)
	if err != nil {
		return err
	}
	later.Store(int64(5 * time.Minute))
	second, err := runner.Drain(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stderr, "\nfirst poll:  read %s, wrote %s%s\n", count(first.Read, "entry", "entries"),
		count(first.Delivered, "event", "events"), bracketed(events.list(), marked(first)))
	fmt.Fprintf(w.stderr, "dropped:     %d%s, repeated: %d\n", first.DroppedTotal(), bracketed(byRule(first.Dropped)), first.Repeated)
	fmt.Fprintf(w.stderr, "second poll: %d new, %d recognised\n", second.Delivered+second.DroppedTotal(), second.Repeated)
	return nil
}

// demoServer returns an API with entries of every kind, the newest of which is
// from now, and the span of time they are from.
func demoServer(clock func() time.Time) (*fakecloudflare.Server, time.Duration, error) {
	v1, err := fakecloudflare.Load(testdata.Entries())
	if err != nil {
		return nil, 0, err
	}
	v2, err := fakecloudflare.Load(testdata.EntriesV2())
	if err != nil {
		return nil, 0, err
	}
	now := clock()
	// Together, because a change stands in both.
	list := fakecloudflare.Shift(now, append(v1[:len(v1):len(v1)], v2...))
	oldest := now
	for _, e := range list {
		if t, ok := fakecloudflare.When(e); ok && t.Before(oldest) {
			oldest = t
		}
	}
	server := fakecloudflare.NewServer(fakecloudflare.Options{Clock: clock})
	server.Add(time.Time{}, list[:len(v1)]...)
	server.AddV2(time.Time{}, list[len(v1):]...)
	return server, now.Sub(oldest), nil
}

// serve offers handler to this machine until stop is called.
func serve(handler http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // which ends with an error in any case
	}()
	return listener.Addr().String(), func() {
		server.Close()
		<-done
	}, nil
}

// demoSink shows events on a terminal and otherwise writes them.
func demoSink(out io.Writer) ingest.Sink {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width < 40 {
			width = 120
		}
		return &table{out: file, width: width}
	}
	return sink.NewWriter(out)
}

// table is a sink that shows events to a person.
type table struct {
	out   io.Writer
	width int
}

// colours are the colours of the severities. They are all of the same length,
// because the table counts them as text.
var colours = map[ingest.Severity]string{
	ingest.Critical: "\x1b[1;35m",
	ingest.High:     "\x1b[1;31m",
	ingest.Medium:   "\x1b[0;33m",
	ingest.Low:      "\x1b[0;36m",
	ingest.Info:     "\x1b[0;37m",
}

const (
	plain  = "\x1b[0;39m"
	normal = "\x1b[0m"
	// invisible is the length of the colours in a line.
	invisible = len(plain) + len(normal)
)

// Write implements [ingest.Sink].
func (t *table) Write(_ context.Context, events []ingest.Event) error {
	var b strings.Builder
	tab := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tab, "TIME\t%sSEVERITY%s\tTITLE\tACTOR\tACTION\n", plain, normal)
	title := min(80, max(40, t.width-80))
	for _, e := range events {
		fmt.Fprintf(tab, "%s\t%s%s%s\t%s\t%s\t%s\n", e.CreatedAt.Local().Format("Jan 02 15:04:05"),
			colours[e.Severity], e.Severity, normal, shorten(e.Title, title), shorten(e.Actor, 24), e.Action)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		// What is too long for the terminal would break the lines of the table.
		line = shorten(strings.TrimSuffix(line, "\n"), t.width+invisible)
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return err
		}
	}
	return nil
}

// shorten cuts s to at most n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
