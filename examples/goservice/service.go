package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// Queue is the host's message queue.
type Queue interface {
	// Publish returns nil once every message is durably accepted. After an error
	// the same messages come again, under the same keys.
	Publish(ctx context.Context, messages []Message) error
}

// Message is one event for the queue.
type Message struct {
	Tenant string
	// Key is the same on every replay. Consumers recognise repeats by it.
	Key  string
	Body []byte
}

// Service polls the instances of its database.
type Service struct {
	catalog ingest.Catalog
	pool    *pgxpool.Pool
	queue   Queue
	// secret returns the API token of an instance, from the host's vault.
	secret func(ctx context.Context, instance string) (string, error)

	mu    sync.Mutex
	feeds map[string]*ingest.Runner
	// ended holds the errors of feeds that a person has to look at.
	ended map[string]error
}

// schema is the table of the host. The cursors have one of their own.
const schema = `CREATE TABLE IF NOT EXISTS instances (
	id        text PRIMARY KEY,
	tenant    text NOT NULL,
	connector text NOT NULL,
	config    jsonb NOT NULL
)`

// New returns a service whose catalog has the connector, and makes its tables.
func New(ctx context.Context, pool *pgxpool.Pool, queue Queue, secret func(context.Context, string) (string, error)) (*Service, error) {
	s := &Service{
		pool: pool, queue: queue, secret: secret,
		feeds: make(map[string]*ingest.Runner), ended: make(map[string]error),
	}
	if err := cloudflareaudit.Register(&s.catalog); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		return nil, fmt.Errorf("make the table of instances: %w", err)
	}
	if _, err := postgres.Migrate(ctx, pool); err != nil {
		return nil, fmt.Errorf("make the table of cursors: %w", err)
	}
	return s, nil
}

// instance is a connector that a person has added.
type instance struct {
	ID, Tenant, Connector string
	Config                map[string]any
}

// Run polls every instance until ctx ends. Batches in hand are delivered and
// their cursors saved first.
func (s *Service) Run(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT id, tenant, connector, config FROM instances ORDER BY id`)
	if err != nil {
		return err
	}
	instances, err := pgx.CollectRows(rows, pgx.RowToStructByPos[instance])
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, i := range instances {
		wg.Go(func() {
			if err := s.feed(ctx, i); err != nil {
				slog.Error("a connector has ended and needs a person", "instance", i.ID, "error", err)
				s.mu.Lock()
				s.ended[i.ID] = err
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// feed polls one instance until ctx ends. Its error is for a person.
func (s *Service) feed(ctx context.Context, i instance) error {
	unlock, err := s.lock(ctx, i.ID)
	if err != nil {
		return err
	}
	defer unlock()
	source, err := s.build(ctx, i)
	if err != nil {
		return err // it names every field that is wrong
	}
	// The interval belongs to the host; the connector's own parser reads it.
	interval := 300 * time.Second
	if seconds, ok := i.Config["poll_interval_seconds"].(float64); ok && seconds > 0 {
		interval = time.Duration(seconds) * time.Second
	}
	runner := &ingest.Runner{
		Source:   source,
		Sink:     topic{s.queue, i.Tenant},
		Store:    postgres.New(s.pool),
		Key:      i.ID,
		Interval: interval,
		Logger:   slog.With("instance", i.ID), // failures and recoveries, and nothing else
	}
	s.mu.Lock()
	s.feeds[i.ID] = runner
	s.mu.Unlock()
	return runner.Run(ctx)
}

// build makes the source of an instance. The token joins the configuration here
// and nowhere else.
func (s *Service) build(ctx context.Context, i instance) (ingest.Source, error) {
	token, err := s.secret(ctx, i.ID)
	if err != nil {
		return nil, fmt.Errorf("read the API token: %w", err)
	}
	config := map[string]any{"api_token": token}
	for field, value := range i.Config {
		config[field] = value
	}
	return s.catalog.Build(i.Connector, config)
}

// lock keeps a second process from polling the instance: both would deliver the
// same events. Postgres frees it when this process dies. It takes a connection for
// each instance; for thousands of them there is the package fleet.
func (s *Service) lock(ctx context.Context, id string) (unlock func(), err error) {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	// The lock belongs to its connection, which therefore leaves the pool: as
	// many instances as there are connections would starve it.
	conn := pooled.Hijack()
	var locked bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, id).Scan(&locked)
	if err == nil && !locked {
		err = errors.New("another process polls this instance")
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return func() {
		// To close a connection is not to wait for the server to free its locks, and
		// the next process may begin at once.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
		_ = conn.Close(ctx)
	}, nil
}

// topic is the sink of one instance.
type topic struct {
	queue  Queue
	tenant string
}

// Write implements [ingest.Sink]. The cursor moves once it returns nil.
func (t topic) Write(ctx context.Context, events []ingest.Event) error {
	messages := make([]Message, len(events))
	for i := range events {
		messages[i] = Message{t.tenant, events[i].ExternalID, events[i].AppendJSON(nil)}
	}
	return t.queue.Publish(ctx, messages)
}

// Handler serves the catalog for the form, the test of a connection, and health.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /catalog", s.listCatalog)
	mux.HandleFunc("POST /connectors/{connector}/test", s.test)
	mux.HandleFunc("GET /healthz", s.health)
	return mux
}

// listCatalog answers what the form "Add connector" shows.
func (s *Service) listCatalog(w http.ResponseWriter, _ *http.Request) {
	entries := s.catalog.List()
	for i := range entries {
		entries[i] = entries[i].Form()
	}
	answer(w, http.StatusOK, entries)
}

// test is the button "Test connection". Its body is the object of the form.
func (s *Service) test(w http.ResponseWriter, r *http.Request) {
	var config map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&config); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "the body is no JSON object"})
		return
	}
	source, err := s.catalog.Build(r.PathValue("connector"), config)
	if err != nil {
		answer(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
		return
	}
	result := struct {
		Success  bool             `json:"success"`
		Error    string           `json:"error,omitempty"`
		Findings []ingest.Finding `json:"findings,omitempty"`
	}{}
	if d, ok := source.(ingest.Diagnoser); ok {
		result.Findings, err = d.Diagnose(r.Context())
	} else {
		err = source.TestConnection(r.Context())
	}
	if result.Success = err == nil; err != nil {
		result.Error = err.Error()
	}
	answer(w, http.StatusOK, result)
}

// condition is how one instance fares.
type condition struct {
	Healthy     bool      `json:"healthy"`
	Reason      string    `json:"reason,omitempty"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	// Complete is the time up to which everything has been delivered.
	Complete  time.Time `json:"complete,omitzero"`
	Delivered int       `json:"delivered"`
	Backlog   int       `json:"backlog"`
	Notices   []string  `json:"notices,omitempty"`
}

// health answers 503 while an instance fails.
func (s *Service) health(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, all := http.StatusOK, make(map[string]condition)
	for id, runner := range s.feeds {
		now := runner.Status()
		c := condition{
			Healthy: now.Failures == 0, LastSuccess: now.LastSuccess, Complete: now.Totals.Complete,
			Delivered: now.Totals.Delivered, Backlog: now.Totals.Backlog, Notices: now.Totals.Notices,
		}
		if now.Err != nil {
			c.Reason = now.Err.Error()
		}
		all[id] = c
	}
	for id, err := range s.ended {
		all[id] = condition{Reason: err.Error()}
	}
	for _, c := range all {
		if !c.Healthy {
			status = http.StatusServiceUnavailable
		}
	}
	answer(w, status, all)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
