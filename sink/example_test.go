package sink_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

// Events are appended to a file. When Write returns nil they are on the disk.
func ExampleFile() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	name := filepath.Join(folder, "events.jsonl")

	out, err := sink.OpenFile(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	event := ingest.Event{
		ExternalID: "1", Title: "DNS record deleted", Severity: ingest.Medium,
		CreatedAt: time.Date(2026, 5, 12, 10, 58, 56, 0, time.UTC),
	}
	if err := out.Write(context.Background(), []ingest.Event{event}); err != nil {
		fmt.Println(err)
	}
	if err := out.Close(); err != nil {
		fmt.Println(err)
	}

	lines, err := os.ReadFile(name)
	fmt.Println(strings.Count(string(lines), "\n"), strings.Contains(string(lines), `"severity":"medium"`), err)
	// Output: 1 true <nil>
}

// An event of a user is in the log of every account of that user. Distinct
// delivers it once.
func ExampleDistinct() {
	distinct := sink.NewDistinct(10_000)
	var lines strings.Builder
	first, second := distinct.Before(sink.NewWriter(&lines)), distinct.Before(sink.NewWriter(&lines))

	login := ingest.Event{ExternalID: "1", Title: "Cloudflare sign-in", Severity: ingest.Info, Audit: ingest.Audit{Scope: "user"}}
	for _, out := range []ingest.Sink{first, second} {
		if err := out.Write(context.Background(), []ingest.Event{login}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(strings.Count(lines.String(), "\n"), "delivered,", distinct.Omitted(), "omitted")
	// Output: 1 delivered, 1 omitted
}
