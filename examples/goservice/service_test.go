package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main{M: m}.Run()) }

// memory is a queue that remembers, or fails.
type memory struct {
	mu    sync.Mutex
	keys  map[string]int
	fails bool
	tried chan struct{}
}

func newMemory() *memory {
	return &memory{keys: make(map[string]int), tried: make(chan struct{}, 1000)}
}

func (m *memory) Publish(_ context.Context, messages []Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried <- struct{}{}
	if m.fails {
		return errors.New("the queue is down")
	}
	for _, msg := range messages {
		if msg.Tenant != "acme" || !json.Valid(msg.Body) {
			return fmt.Errorf("not a message: %+v", msg)
		}
		m.keys[msg.Key]++
	}
	return nil
}

// start runs a service until stop is called.
func start(t *testing.T, pool *pgxpool.Pool, q Queue) (s *Service, stop func()) {
	t.Helper()
	s, err := New(t.Context(), pool, q, func(context.Context, string) (string, error) { return fakecloudflare.DefaultToken, nil })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
}

// healthz is what the service says of its instance i.
func healthz(t *testing.T, s *Service) (int, condition) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	var all map[string]condition
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &all))
	return w.Code, all["i"]
}

func entries(n int, newest time.Time) (list []json.RawMessage) {
	for i := range n {
		list = append(list, fakecloudflare.Entry(fmt.Sprintf("%d-%d", newest.UnixNano(), i), newest.Add(-time.Duration(i)*time.Second), 6))
	}
	return list
}

func TestService_DeliversEachEventOnceAcrossAnOutageAndARestart(t *testing.T) {
	pool := pgtest.Pool(t)
	api := fakecloudflare.NewServer(fakecloudflare.Options{})
	listener := httptest.NewServer(api)
	defer listener.Close()
	api.Add(time.Time{}, entries(1500, time.Now().Add(-time.Minute))...)
	q := newMemory()
	q.fails = true

	_, err := New(t.Context(), pool, q, nil) // makes the tables
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `INSERT INTO instances VALUES ('i', 'acme', 'cloudflare', $1)`, map[string]any{
		"account_id": fakecloudflare.DefaultAccountID, "base_url": listener.URL + fakecloudflare.Prefix, "poll_interval_seconds": 60,
	})
	require.NoError(t, err)

	// With the queue down nothing moves, and health says why.
	s, stop := start(t, pool, q)
	defer stop()
	<-q.tried
	require.Eventually(t, func() bool { code, _ := healthz(t, s); return code == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	_, c := healthz(t, s)
	assert.Contains(t, c.Reason, "the queue is down")
	cursor, _, err := postgres.Load(t.Context(), pool, "i")
	require.NoError(t, err)
	assert.Nil(t, cursor)
	stop()

	// Another process takes over.
	q.fails = false
	s, stop = start(t, pool, q)
	defer stop()
	require.Eventually(t, func() bool { _, c := healthz(t, s); return c.Delivered == 1500 && c.Backlog == 0 }, 20*time.Second, time.Millisecond)
	code, c := healthz(t, s)
	assert.Equal(t, http.StatusOK, code)
	assert.True(t, c.Healthy)
	assert.NotZero(t, c.Complete)

	// One that comes too early may not poll beside it.
	second, stopSecond := start(t, pool, newMemory())
	require.Eventually(t, func() bool { _, c := healthz(t, second); return c.Reason != "" }, 10*time.Second, time.Millisecond)
	_, c = healthz(t, second)
	assert.Equal(t, "another process polls this instance", c.Reason)
	stopSecond()
	stop()

	api.Add(time.Time{}, entries(5, time.Now())...)
	s, stop = start(t, pool, q)
	defer stop()
	require.Eventually(t, func() bool { _, c := healthz(t, s); return c.Delivered == 5 }, 20*time.Second, time.Millisecond)
	stop()
	assert.Len(t, q.keys, 1505)
	for key, n := range q.keys {
		require.Equal(t, 1, n, key)
	}
}

func TestService_TheFormAndItsTest(t *testing.T) {
	pool := pgtest.Pool(t)
	listener := httptest.NewServer(fakecloudflare.NewServer(fakecloudflare.Options{}))
	defer listener.Close()
	s, err := New(t.Context(), pool, newMemory(), nil)
	require.NoError(t, err)
	ask := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		b, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		assert.NotContains(t, string(b), "cfat_")
		return w.Code, string(b)
	}
	code, body := ask(http.MethodGet, "/catalog", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"name":"production_zones"`)
	assert.NotContains(t, body, `"name":"rate_limit"`, "the form shows what is not advanced")

	object := func(token string) string {
		return fmt.Sprintf(`{"account_id":%q,"api_token":%q,"base_url":%q}`,
			fakecloudflare.DefaultAccountID, token, listener.URL+fakecloudflare.Prefix)
	}
	code, body = ask(http.MethodPost, "/connectors/cloudflare/test", object(fakecloudflare.DefaultToken))
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `"success":true`)
	_, body = ask(http.MethodPost, "/connectors/cloudflare/test", object("cfat_wrong"))
	assert.Contains(t, body, `"success":false`)
	assert.Contains(t, body, "create an account-owned token")
	code, body = ask(http.MethodPost, "/connectors/cloudflare/test", `{"account_id":"zone"}`)
	assert.Equal(t, http.StatusUnprocessableEntity, code)
	assert.Contains(t, body, "api_token: is required")
	code, _ = ask(http.MethodPost, "/connectors/cloudflare/test", `[]`)
	assert.Equal(t, http.StatusBadRequest, code)
}
