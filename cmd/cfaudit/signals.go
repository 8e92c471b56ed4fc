package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
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

// interruptible is a reader that fails once ctx has ended, although a read from
// what is behind it, such as a terminal, is still waiting. That read is then left
// behind for the rest of the process.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	// chunk is what a read behind it has filled, and rest what is left of that.
	chunk, rest []byte
	err         error
}

// Read implements [io.Reader].
func (r *interruptible) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && r.err == nil {
		r.fill()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if len(r.rest) > 0 {
		return n, nil
	}
	return n, r.err
}

func (r *interruptible) fill() {
	if r.chunk == nil {
		r.chunk = make([]byte, 64<<10)
	}
	var n int
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err = r.from.Read(r.chunk)
	}()
	select {
	case <-done:
		r.rest, r.err = r.chunk[:n], err
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
	}
}

// onHangup makes SIGHUP reopen the output file, for log rotation, and reload the
// rules, until stop is called. Without either the process ignores the signal. A
// process whose output is a terminal ends, because the terminal has closed.
func onHangup(w world, file *sink.File, rules *ownRules, log *slog.Logger) (stop func()) {
	if _, ok := table.Terminal(w.stdout); ok && file == nil {
		return func() {}
	}
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			reopen(file, log)
			if rules != nil {
				rules.reload()
			}
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

// warnOpen warns about folders of the state in which every user could replace the
// cursor, and with it decide what is read.
func warnOpen(log *slog.Logger, folders ...string) {
	for _, folder := range folders {
		if err := files.CheckFolder(folder); err != nil {
			log.Warn("the folder of --state decides what is read and what is left out", "error", err)
		}
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

// leavable is a sink whose writes end with their context, although a pipe that
// nobody reads still blocks the one behind it.
type leavable struct {
	*sink.Group
	next ingest.Sink
}

func leave(next ingest.Sink) *leavable { return &leavable{sink.NewGroup(next), next} }

// Unwrap is for [mainSink].
func (l *leavable) Unwrap() ingest.Sink { return l.next }
