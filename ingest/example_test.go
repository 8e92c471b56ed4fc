package ingest_test

import (
	"context"
	"fmt"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store"
)

// fruits is a small source: its cursor is the number of fruits read.
type fruits []string

func (f fruits) Descriptor() ingest.Descriptor {
	return ingest.Descriptor{ConnectorID: "fruits", ConnectorName: "Fruits"}
}

func (f fruits) TestConnection(context.Context) error { return nil }

func (f fruits) Poll(_ context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	n, _ := strconv.Atoi(string(cursor))
	if n == len(f) {
		return ingest.Batch{Cursor: cursor}, nil
	}
	return ingest.Batch{
		Events:   []ingest.Event{{ExternalID: strconv.Itoa(n), Title: f[n]}},
		Cursor:   ingest.Cursor(strconv.Itoa(n + 1)),
		More:     n+1 < len(f),
		Coverage: ingest.Coverage{Read: 1, Delivered: 1},
	}, nil
}

// printer is a sink that prints titles.
type printer struct{}

func (printer) Write(_ context.Context, events []ingest.Event) error {
	for _, e := range events {
		fmt.Println(e.ExternalID, e.Title)
	}
	return nil
}

// A service runs until it is told to stop, and then finishes what it has read.
func ExampleRunner() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	runner := &ingest.Runner{
		Source:   fruits{"apple", "pear"},
		Sink:     printer{},
		Store:    new(store.Memory),
		Key:      "fruits",
		Interval: time.Minute,
		OnBatch: func(b ingest.Batch) {
			if !b.More {
				stop() // so that the example ends
			}
		},
	}
	if err := runner.Run(ctx); err != nil {
		fmt.Println(err)
	}
	status := runner.Status()
	fmt.Println(status.Polls, "polls,", status.Totals.Delivered, "delivered")
	// Output:
	// 0 apple
	// 1 pear
	// 2 polls, 2 delivered
}

// A scheduled job reads what there is and ends.
func ExampleRunner_Drain() {
	runner := &ingest.Runner{
		Source: fruits{"apple", "pear", "plum"},
		Sink:   printer{},
		Store:  new(store.Memory),
		Key:    "fruits",
	}
	total, err := runner.Drain(context.Background())
	fmt.Println(total.Delivered, err)
	// Output:
	// 0 apple
	// 1 pear
	// 2 plum
	// 3 <nil>
}
