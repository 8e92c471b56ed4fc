package fleet

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

// api is a round tripper that counts what comes through, by token.
type api struct {
	mu     sync.Mutex
	sent   map[string]int
	status int
	header http.Header
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil {
		a.sent = make(map[string]int)
	}
	a.sent[r.Header.Get("Authorization")]++
	rec := httptest.NewRecorder()
	for name, values := range a.header {
		rec.Header()[name] = values
	}
	rec.WriteHeader(max(a.status, 200))
	return rec.Result(), nil
}

func (a *api) count(token string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent["Bearer "+token]
}

// send sends a request, and returns how long the budget asks to wait.
func send(t *testing.T, b *Budget, token string) time.Duration {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.RoundTrip(r)
	var over *BudgetError
	if errors.As(err, &over) {
		return over.Wait
	}
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return 0
}

func migratedPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t)
	_, err := Migrate(t.Context(), pool)
	require.NoError(t, err)
	return pool
}

func newBudget(t *testing.T, pool *pgxpool.Pool, limit int, next http.RoundTripper) *Budget {
	t.Helper()
	b, err := NewBudget(pool, limit, next)
	require.NoError(t, err)
	return b
}

func TestBudget_IsSharedByAllWorkers(t *testing.T) {
	t.Parallel()
	pool, a := migratedPool(t), &api{}
	workers := []*Budget{newBudget(t, pool, 100, a), newBudget(t, pool, 100, a), newBudget(t, pool, 100, a)}
	var wg sync.WaitGroup
	for _, b := range workers {
		for range 60 {
			wg.Go(func() { send(t, b, "shared") })
		}
	}
	wg.Wait()
	// The burst is 50, and 50 more come in over five minutes.
	assert.LessOrEqual(t, a.count("shared"), 52)
	assert.GreaterOrEqual(t, a.count("shared"), 30, "not much is lost in lots")
	require.Zero(t, send(t, workers[0], "another"), "each token has its own")

	// Were five minutes over, the other half would be there.
	before := a.count("shared")
	_, err := pool.Exec(t.Context(), `UPDATE fleet_budget SET filled_at = filled_at - interval '310 s'`)
	require.NoError(t, err)
	for range 200 {
		send(t, workers[1], "shared")
	}
	assert.LessOrEqual(t, a.count("shared"), 102)
	assert.Greater(t, a.count("shared"), before+20)
}

func TestBudget_AQuietPollTakesOneRequest(t *testing.T) {
	t.Parallel()
	pool, a := migratedPool(t), &api{}
	b := newBudget(t, pool, 100, a)
	require.Zero(t, send(t, b, "quiet"))
	var left float64
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT left_over FROM fleet_budget`).Scan(&left))
	assert.EqualValues(t, 49, left)
}

func TestBudget_A429StopsAllWorkers(t *testing.T) {
	t.Parallel()
	pool, a := migratedPool(t), &api{}
	one, other := newBudget(t, pool, 1000, a), newBudget(t, pool, 1000, a)
	require.Zero(t, send(t, other, "token"))
	a.status, a.header = http.StatusTooManyRequests, http.Header{"Retry-After": {"120"}}
	require.Zero(t, send(t, one, "token"))
	for _, b := range []*Budget{one, other} {
		wait := send(t, b, "token")
		assert.InDelta(t, 120, wait.Seconds(), 5)
	}
	assert.Equal(t, 2, a.count("token"))
	a.status = 0
	require.Zero(t, send(t, one, "another"))

	_, err := pool.Exec(t.Context(), `UPDATE fleet_budget SET paused_until = now()`)
	require.NoError(t, err)
	require.Zero(t, send(t, newBudget(t, pool, 1000, a), "token"), "when it is over")
}

func TestBudget_KeepsNoToken(t *testing.T) {
	t.Parallel()
	pool, a := migratedPool(t), &api{}
	require.Zero(t, send(t, newBudget(t, pool, 100, a), "very-secret-token"))
	var row string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT b::text || encode(b.token, 'escape') FROM fleet_budget b`).Scan(&row))
	assert.NotContains(t, strings.ToLower(row), "secret")
	other := migratedPool(t)
	require.Zero(t, send(t, newBudget(t, other, 100, a), "very-secret-token"))
	var here, there []byte
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT token FROM fleet_budget`).Scan(&here))
	require.NoError(t, other.QueryRow(t.Context(), `SELECT token FROM fleet_budget`).Scan(&there))
	assert.NotEqual(t, here, there, "the hash is of no use elsewhere")
}

func TestBudget_ARequestWithoutATokenPasses(t *testing.T) {
	t.Parallel()
	a := &api{}
	b := newBudget(t, nil, 100, a)
	resp, err := b.RoundTrip(httptest.NewRequest(http.MethodGet, "/", nil))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, err = NewBudget(nil, 9, a)
	assert.ErrorContains(t, err, "at least 10")
}
