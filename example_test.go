package cloudflareaudit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/sink"
	"github.com/aisoc/cloudflareaudit/store"
)

// A whole host: a catalog, a connector built from the configuration that a form
// has filled in, a place for the cursor and one for the events.
func Example() {
	api := imitation()
	defer api.Close()
	ctx := context.Background()

	var catalog ingest.Catalog
	if err := cloudflareaudit.Register(&catalog); err != nil {
		log.Fatal(err)
	}
	source, err := catalog.Build(cloudflareaudit.ConnectorID, map[string]any{
		"account_id":       accountID,
		"api_token":        token,
		"production_zones": "example.com, *.example.com",
		"base_url":         api.URL, // left out for Cloudflare itself
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := source.TestConnection(ctx); err != nil {
		log.Fatal(err)
	}

	var lines bytes.Buffer // a real host uses sink.OpenFile and store.Open
	runner := &ingest.Runner{
		Source: source,
		Sink:   sink.NewWriter(&lines),
		Store:  new(store.Memory),
		Key:    "cloudflare-" + accountID,
	}
	total, err := runner.Drain(ctx) // or Run, which goes on until ctx ends
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(total.Read, "read,", total.Delivered, "delivered,", total.Dropped)

	for line := range bytes.Lines(lines.Bytes()) {
		var event struct{ Severity, Action, Title string }
		if err := json.Unmarshal(line, &event); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-6s %-18s %s\n", event.Severity, event.Action, event.Title)
	}
	// Output:
	// 4 read, 3 delivered, map[tls-settings-deployed-by-system:1]
	// medium dns.record.delete  DNS MX record deleted: example.com
	// low    dns.record.delete  DNS record deleted
	// high   member.add         Super Administrator added: mallory@example.com
}

// Without a catalog, a connector is built from a Config. The error names every
// field that is wrong.
func ExampleNew() {
	_, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID: "Example Inc",
		APIToken:  cloudflareaudit.NewSecret("Bearer cfat_example"),
		Overlap:   time.Second,
	})
	fmt.Println(err)
	// Output:
	// account_id: "Example Inc": must be the Account ID: 32 lower-case hexadecimal digits
	// api_token: begins with "Bearer ": enter the token alone
	// overlap: "1s": must be between 10s and 24h
}

// A host with a loop of its own keeps one promise: the cursor is saved when the
// events have been delivered, and not before.
func ExampleConnector_Poll() {
	api := imitation()
	defer api.Close()
	ctx := context.Background()

	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID: accountID,
		APIToken:  cloudflareaudit.NewSecret(token),
		BaseURL:   api.URL,
		MaxEvents: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	var cursor ingest.Cursor // the one saved last, or nil
	for more := true; more; {
		batch, err := source.Poll(ctx, cursor)
		if asks, ok := errors.AsType[ingest.RetryAfterer](err); ok && asks.RetryAfter() > 0 {
			time.Sleep(asks.RetryAfter())
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, event := range batch.Events { // deliver
			fmt.Println(event.Severity, event.Title)
		}
		cursor, more = batch.Cursor, batch.More // save
		fmt.Println("saved; more to come:", more)
	}
	// Output:
	// medium DNS MX record deleted: example.com
	// medium DNS A record deleted: build.example.net
	// saved; more to come: true
	// high Super Administrator added: mallory@example.com
	// saved; more to come: false
}

// Rules of one's own stand in front of the default ones. The first rule that
// matches an entry decides.
func ExampleParseRules() {
	rules, err := cloudflareaudit.ParseRules([]byte(`[
		{"id": "build-host", "severity": "info",
		 "title": "DNS changed by a build",
		 "match": {"action": "dns.record.*", "zone": "example.net", "actor": "terraform@example.com"}},
		{"id": "dns-record-deleted-production", "severity": "high"},
		{"id": "tls-settings-deployed-by-system", "disabled": true}
	]`))
	if err != nil {
		log.Fatal(err)
	}
	normalizer, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{Rules: rules})
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range entries {
		event, verdict := normalizer.Normalize([]byte(entry))
		fmt.Printf("%-6s %-29s %s\n", verdict.Severity, verdict.Rule, event.Title)
	}
	// Output:
	// high   super-administrator-added     Super Administrator added: mallory@example.com
	// info   build-host                    DNS changed by a build
	// high   dns-record-deleted-production DNS MX record deleted: example.com
	// info   zone-changed-by-system        Zone changed by Cloudflare
}

// What the examples read.
const (
	accountID = fakecloudflare.DefaultAccountID
	token     = fakecloudflare.DefaultToken
)

var entries = []string{
	`{"action":{"result":true,"type":"member_add"},"actor":{"email":"alice@example.com","id":"ff8d9819fc0e12bf0d24892e45987e24","ip":"192.0.2.10","type":"user"},"id":"129a0e4b-aea4-4a3b-9dc7-84f98d1aaafe","interface":"UI","metadata":{"user_email":"mallory@example.com"},"newValue":"","newValueJson":{"email":"mallory@example.com","roles":[{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}]},"oldValue":"","oldValueJson":{},"owner":{"id":"023e105f4ecef8ad9ca31a8372d0c353"},"resource":{"id":"023e105f4ecef8ad9ca31a8372d0c353","type":"account"},"when":"2026-05-12T08:17:15.90215Z"}`,
	`{"action":{"result":true,"type":"rec_del"},"actor":{"email":"terraform@example.com","id":"b409e7cef9ae6e8c521cc3fd432f6d48","ip":"192.0.2.200","type":"user"},"id":"6b057858-5775-439f-b043-ad58feb9b518","interface":"API","metadata":{"zone_name":"example.net"},"newValue":"","newValueJson":{},"oldValue":"","oldValueJson":{"content":"192.0.2.44","name":"build.example.net","type":"A","zone_name":"example.net"},"owner":{"id":"023e105f4ecef8ad9ca31a8372d0c353"},"resource":{"id":"a2b6d654299b632146c1c06db73f857d","type":"DNS_record"},"when":"2026-05-12T09:12:27Z"}`,
	`{"action":{"result":true,"type":"rec_del"},"actor":{"email":"mallory@example.com","id":"c9c47fe828a0011508f049c5f57509ac","ip":"203.0.113.66","type":"user"},"id":"38928caa-97dd-44d1-88d6-050a2c8f6229","interface":"UI","metadata":{"zone_name":"example.com"},"newValue":"","newValueJson":{},"oldValue":"","oldValueJson":{"content":"mail.example.com","name":"example.com","priority":10,"type":"MX","zone_name":"example.com"},"owner":{"id":"023e105f4ecef8ad9ca31a8372d0c353"},"resource":{"id":"6cfc694428820f720478e3c06c6e02b5","type":"DNS_record"},"when":"2026-05-12T09:53:31.5Z"}`,
	`{"action":{"result":true,"type":"tls_settings_deployed"},"actor":{"id":"1","type":"system"},"id":"0b9bf4ea-0f52-4d5c-9ba9-9a9a3b1d0c11","interface":"","metadata":{"zone_name":"example.com"},"newValue":"","newValueJson":{},"oldValue":"","oldValueJson":{},"owner":{"id":"023e105f4ecef8ad9ca31a8372d0c353"},"resource":{"id":"a379a6f6eeafb9a55e378c118034e275","type":"zone"},"when":"2026-05-12T09:54:02Z"}`,
}

// imitation is an API on this machine whose clock stands soon after the last of
// the entries.
func imitation() *httptest.Server {
	server := fakecloudflare.NewServer(fakecloudflare.Options{
		Clock: func() time.Time { return time.Date(2026, 5, 12, 10, 0, 0, 0, time.UTC) },
	})
	for _, entry := range entries {
		server.Add(time.Time{}, json.RawMessage(entry))
	}
	api := httptest.NewServer(server)
	api.URL += fakecloudflare.Prefix
	return api
}
