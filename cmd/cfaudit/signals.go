package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/table"
	"github.com/aisoc/cloudflareaudit/sink"
)

// errStopped says that an interrupt ended a command early. That was requested,
// so it is not reported.
var errStopped = errors.New("stopped")

// untilStopped returns a context that ends at the first SIGINT or SIGTERM. The
// second one kills the process, as if signals were not handled.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// onHangup makes SIGHUP reopen the output file, for log rotation, until stop is
// called. Without a file there is nothing to reopen, and the process ignores
// the signal, unless its output is a terminal, which has then closed.
func onHangup(w world, file *sink.File, log *slog.Logger) (stop func()) {
	if _, ok := table.Terminal(w.stdout); ok && file == nil {
		return func() {}
	}
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			reopen(file, log)
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

func reopen(file *sink.File, log *slog.Logger) {
	if file == nil {
		return
	}
	if err := file.Reopen(); err != nil {
		log.Error("cannot reopen the output; the next batch tries again", "error", err)
		return
	}
	log.Info("reopened the output")
	warnExposed(file, log)
}

// warnExposed warns about an output that other users can read.
func warnExposed(file *sink.File, log *slog.Logger) {
	if err := file.Exposed(); err != nil {
		log.Warn("the output shows who may do what in the account", "error", err)
	}
}

// errReaderGone says that the reader of standard output, such as head, has
// exited, so that further output would be lost.
var errReaderGone = errors.New("standard output has no reader any more; the cursor stays before what was not written")

// piped is a sink to standard output that stops its host with errReaderGone
// when the reader has exited, because retries can never succeed.
type piped struct {
	ingest.Sink
	end context.CancelCauseFunc
}

// Write implements [ingest.Sink].
func (p *piped) Write(ctx context.Context, events []ingest.Event) error {
	err := p.Sink.Write(ctx, events)
	if errors.Is(err, syscall.EPIPE) {
		p.end(errReaderGone)
		return errors.Join(errReaderGone, err)
	}
	return err
}
