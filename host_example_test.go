package cloudflareaudit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
	"github.com/aisoc/cloudflareaudit/store"
)

// docs/host-integration.md shows parts of this file.

// feed reads one account until ctx ends. Its error is for a person.
func feed(ctx context.Context, config map[string]any, state string, events ingest.Sink, mux *http.ServeMux) error {
	cfg, err := cloudflareaudit.ParseConfig(config)
	if err != nil {
		return err // it names every field that is wrong
	}
	source, err := cloudflareaudit.New(cfg)
	if err != nil {
		return err
	}
	cursors, err := store.Open(state)
	if err != nil {
		return err
	}
	defer cursors.Close()
	runner := &ingest.Runner{
		Source:   source,
		Sink:     events,
		Store:    cursors,
		Key:      "cloudflare-" + cfg.AccountID,
		Interval: cfg.PollInterval,
		Logger:   slog.Default(), // failures and recoveries, and nothing else
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		status := runner.Status()
		if status.Failures > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(status)
	})
	return runner.Run(ctx)
}

// topic is a sink that publishes to the host's message queue.
type topic struct {
	publish func(ctx context.Context, key string, message []byte) error
}

// Write implements [ingest.Sink].
func (t topic) Write(ctx context.Context, events []ingest.Event) error {
	for i := range events {
		if err := t.publish(ctx, events[i].ExternalID, events[i].AppendJSON(nil)); err != nil {
			return err // all of them come again, under the same ids
		}
	}
	return nil // from here on the cursor may move
}

// deliver returns a sink for the ingestion service at url.
func deliver(url string, gateway cloudflareaudit.Secret, deadLetter string) (*aisoc.Sink, error) {
	return aisoc.New(aisoc.Config{
		URL:           url,
		TenantID:      "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001",
		ConnectorID:   "9d0c2f5e-4f7a-4a52-8c34-0f6f1f4e6f01", // the instance in AiSOC, always the same
		ConnectorType: cloudflareaudit.ConnectorID,
		Token:         gateway,        // for a gateway in front, or empty
		DeadLetter:    deadLetter,     // the file for what the service refuses for good
		Logger:        slog.Default(), // a warning for each such event
	})
}

// The sink takes the service's word for what it has accepted.
func Example_aiSOC() {
	service := new(fakeaisoc.Server) // an imitation
	listener := httptest.NewServer(service)
	defer listener.Close()
	api := imitation()
	defer api.Close()
	folder, err := os.MkdirTemp("", "dead-letter-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	events, err := deliver(listener.URL, cloudflareaudit.Secret{}, filepath.Join(folder, "dead-letter.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID: accountID,
		APIToken:  cloudflareaudit.NewSecret(token),
		BaseURL:   api.URL,
	})
	if err != nil {
		log.Fatal(err)
	}
	runner := &ingest.Runner{Source: source, Sink: events, Store: new(store.Memory), Key: "cloudflare-" + accountID}
	if _, err := runner.Drain(context.Background()); err != nil {
		log.Fatal(err)
	}
	stats := events.Stats()
	fmt.Println(stats.Accepted, "accepted in", stats.Posts, "request")
	fmt.Println(len(service.Accepted()), "arrived")
	// Output:
	// 3 accepted in 1 request
	// 3 arrived
}

// A service runs a feed in a goroutine of its own, and stops it with its
// context.
func Example_service() {
	api := imitation()
	defer api.Close()
	state, err := os.MkdirTemp("", "state-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	mux := http.NewServeMux()

	ctx, stop := context.WithCancel(context.Background()) // a real host uses signal.NotifyContext
	defer stop()
	received := 0
	events := topic{func(_ context.Context, key string, message []byte) error {
		fmt.Println(key)
		if received++; received == 3 {
			stop() // so that the example ends
		}
		return nil
	}}
	config := map[string]any{"account_id": accountID, "api_token": token, "base_url": api.URL}
	if err := feed(ctx, config, state, events, mux); err != nil {
		log.Fatal(err)
	}

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	var status ingest.Status
	if err := json.Unmarshal(answer.Body.Bytes(), &status); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Code, status.Totals.Delivered, "delivered")
	// Output:
	// 38928caa-97dd-44d1-88d6-050a2c8f6229
	// 6b057858-5775-439f-b043-ad58feb9b518
	// 129a0e4b-aea4-4a3b-9dc7-84f98d1aaafe
	// 200 3 delivered
}

// step makes one poll and stores its events and its cursor in one transaction.
func step(ctx context.Context, source ingest.Source, db *database) (more bool, err error) {
	batch, err := source.Poll(ctx, db.cursor)
	if err != nil {
		return false, err
	}
	err = db.transaction(func(tx *transaction) error {
		for i := range batch.Events {
			tx.insert(batch.Events[i].ExternalID, batch.Events[i].AppendJSON(nil))
		}
		tx.setCursor(batch.Cursor)
		return nil
	})
	return batch.More, err
}

// A host that stores events and cursor in one transaction has each event once,
// whatever happens in between.
func Example_transaction() {
	api := imitation()
	defer api.Close()
	source, err := cloudflareaudit.New(cloudflareaudit.Config{
		AccountID: accountID,
		APIToken:  cloudflareaudit.NewSecret(token),
		BaseURL:   api.URL,
		MaxEvents: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	db := &database{rows: make(map[string][]byte), fails: 1}
	for more := true; more; {
		if more, err = step(context.Background(), source, db); err != nil {
			fmt.Println(err)
			more = true // the cursor has not moved: again
		}
		fmt.Println(len(db.rows), "rows")
	}
	fmt.Println(db.inserted, "inserted")
	// Output:
	// the connection to the database was lost
	// 0 rows
	// 2 rows
	// 3 rows
	// 3 inserted
}

// database stands for the host's own. Its first transactions fail.
type database struct {
	rows     map[string][]byte
	cursor   ingest.Cursor
	inserted int
	fails    int
}

// transaction is what one transaction has changed so far.
type transaction struct {
	rows   map[string][]byte
	cursor ingest.Cursor
}

func (tx *transaction) insert(id string, event []byte) { tx.rows[id] = event }

func (tx *transaction) setCursor(cursor ingest.Cursor) { tx.cursor = bytes.Clone(cursor) }

func (db *database) transaction(do func(*transaction) error) error {
	tx := &transaction{rows: make(map[string][]byte)}
	if err := do(tx); err != nil {
		return err
	}
	if db.fails > 0 {
		db.fails--
		return errors.New("the connection to the database was lost")
	}
	maps.Copy(db.rows, tx.rows)
	db.cursor, db.inserted = tx.cursor, db.inserted+len(tx.rows)
	return nil
}
