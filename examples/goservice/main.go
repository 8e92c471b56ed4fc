// Command goservice is an example: an ingestion service in Go that offers the
// connector in its catalog, polls the instances in its database, publishes their
// events to its queue, keeps their cursors in the same database, and says over
// HTTP how they fare.
//
//	createdb soc
//	DATABASE_URL=postgres:///soc CLOUDFLARE_API_TOKEN=… go run ./examples/goservice
//
// The parts that every host has already are short on purpose: the queue is standard
// output, and one token from the environment serves all instances. The rest is how
// a production service embeds the connector.
package main

import (
	"bufio"
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	secret := func(context.Context, string) (string, error) { return os.Getenv("CLOUDFLARE_API_TOKEN"), nil }
	s, err := New(ctx, pool, &lines{out: bufio.NewWriter(os.Stdout)}, secret)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	defer server.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(<-failed) }()
	if err := s.Run(ctx); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// lines is a queue that writes each message as a line.
type lines struct {
	mu  sync.Mutex
	out *bufio.Writer
}

// Publish implements [Queue].
func (l *lines) Publish(_ context.Context, messages []Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		_, _ = l.out.Write(m.Body)
		_ = l.out.WriteByte('\n')
	}
	return l.out.Flush()
}
