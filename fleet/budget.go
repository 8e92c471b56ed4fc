package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

const (
	// budgetSpan is the span a budget is for.
	budgetSpan = 5 * time.Minute
	// maxLot is the most requests a process takes from a budget at once, and
	// keep how long it may keep those it has not sent.
	maxLot = 10
	keep   = 10 * time.Second
	// longestSleep is the longest wait inside a request. A longer one is handed
	// to the caller, who polls another instance meanwhile.
	longestSleep = 5 * time.Second
	// cooldown is the pause after an HTTP 429 that does not name one, and
	// longestCooldown the longest that is believed.
	cooldown        = time.Minute
	longestCooldown = time.Hour
	// forget is how long a budget is remembered that nobody uses.
	forget = time.Hour
)

// BudgetError says that a request was not sent because the budget of its token
// is used up, and how long to wait. It is an [ingest.RetryAfterer].
type BudgetError struct{ Wait time.Duration }

// Error implements error.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("the request budget of the token, which the fleet shares, is used up; try again in %s",
		e.Wait.Round(time.Second))
}

// RetryAfter implements [ingest.RetryAfterer].
func (e *BudgetError) RetryAfter() time.Duration { return e.Wait }

// HeldBack implements [ingest.HeldBacker].
func (e *BudgetError) HeldBack() bool { return true }

// Budget is an [http.RoundTripper] that lets all workers of a fleet together
// send no more than a number of requests with one token in five minutes. The
// token is the Authorization header of a request; the database sees only a hash
// of it, under a key of its own. After an HTTP 429, no worker sends a request
// with that token until the pause that the reply asks for is over.
type Budget struct {
	pool  *pgxpool.Pool
	next  http.RoundTripper
	burst float64 // what may come at once
	rate  float64 // what comes in after that, a second

	mu    sync.Mutex
	salt  []byte
	lots  map[fingerprint]*lot
	swept time.Time
}

// fingerprint stands for a token.
type fingerprint [sha256.Size]byte

// lot is what this process may do with a token.
type lot struct {
	mu     sync.Mutex
	left   int
	until  time.Time // when what is left expires
	size   int       // of the last one taken
	paused time.Time // no request before then
}

// NewBudget returns a round tripper in front of behind that allows each token
// at most limit requests in five minutes. A limit below 10 is an error.
func NewBudget(pool *pgxpool.Pool, limit int, behind http.RoundTripper) (*Budget, error) {
	if limit < 10 {
		return nil, prefixed.Errorf("fleet", "the budget of a token is %d requests in five minutes, but must be at least 10", limit)
	}
	burst := min(60, limit/2)
	return &Budget{
		pool: pool, next: behind,
		burst: float64(burst),
		// What is sent within the span was taken within it or, at most, as long
		// before as it is kept.
		rate: float64(limit-burst) / (budgetSpan + keep).Seconds(),
		lots: make(map[fingerprint]*lot),
	}, nil
}

// RoundTrip implements [http.RoundTripper]. A request waits for the budget for
// a few seconds at most; one that would have to wait longer fails with a
// [BudgetError]. A request without the header Authorization is not counted.
func (b *Budget) RoundTrip(r *http.Request) (*http.Response, error) {
	token := r.Header.Get("Authorization")
	if token == "" {
		return b.next.RoundTrip(r)
	}
	ctx := r.Context()
	print, err := b.fingerprint(ctx, token)
	if err != nil {
		return nil, err
	}
	l := b.lot(print)
	if err := b.take(ctx, print, l); err != nil {
		return nil, err
	}
	resp, err := b.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		b.pause(ctx, print, l, httpx.RetryAfter(resp.Header, time.Now(), longestCooldown))
	}
	return resp, err
}

// fingerprint is the keyed hash of a token.
func (b *Budget) fingerprint(ctx context.Context, token string) (print fingerprint, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.salt == nil {
		if err := b.pool.QueryRow(ctx, `SELECT salt FROM fleet_salt`).Scan(&b.salt); err != nil {
			return print, prefixed.Errorf("fleet", "cannot read the budgets: %w", err)
		}
	}
	mac := hmac.New(sha256.New, b.salt)
	mac.Write([]byte(token))
	return fingerprint(mac.Sum(nil)), nil
}

// lot returns the lot of a token, and now and then forgets those that are not
// used.
func (b *Budget) lot(print fingerprint) *lot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.swept) > time.Minute {
		b.swept = now
		for print, l := range b.lots {
			if l.mu.TryLock() {
				if now.After(l.until) && now.After(l.paused) {
					delete(b.lots, print)
				}
				l.mu.Unlock()
			}
		}
	}
	l := b.lots[print]
	if l == nil {
		l = &lot{}
		b.lots[print] = l
	}
	return l
}

// take returns when a request may be sent.
func (b *Budget) take(ctx context.Context, print fingerprint, l *lot) error {
	for {
		wait, err := b.try(ctx, print, l)
		switch {
		case err != nil:
			return prefixed.Errorf("fleet", "cannot take from the budget of the token: %w", err)
		case wait <= 0:
			return nil
		case wait > longestSleep:
			return &BudgetError{wait}
		}
		if err := httpx.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// try takes one request from the lot of this process, or a new lot. When there
// is none it returns how long to wait.
func (b *Budget) try(ctx context.Context, print fingerprint, l *lot) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait := l.paused.Sub(now); wait > 0 {
		return wait, nil
	}
	fresh := now.Before(l.until)
	if fresh && l.left > 0 {
		l.left--
		return 0, nil
	}
	// A poll of a quiet account is one request, and a lot that is not used is
	// lost for all: so a lot is large only where the last one did not last.
	size := 1
	if fresh {
		size = min(2*l.size, maxLot)
	}
	var granted int
	var wait float64
	err := b.pool.QueryRow(ctx, `
		INSERT INTO fleet_budget AS b (token, left_over, filled_at, granted)
		VALUES ($1, $2 - $4::int, clock_timestamp(), $4)
		ON CONFLICT (token) DO UPDATE SET (left_over, filled_at, granted) = (
			SELECT have - n, clock_timestamp(), n FROM (
				SELECT have, CASE WHEN b.paused_until > clock_timestamp() THEN 0
					ELSE greatest(0, least($4, floor(have)::int)) END AS n
				FROM (SELECT least($2, b.left_over + $3 * greatest(0, extract(epoch FROM clock_timestamp() - b.filled_at))) AS have) AS filled
			) AS grant_)
		RETURNING granted,
			greatest(extract(epoch FROM paused_until - clock_timestamp()), (1 - left_over) / $3)::float8`,
		print[:], b.burst, b.rate, size).Scan(&granted, &wait)
	if err != nil {
		return 0, err
	}
	if granted > 0 {
		l.left, l.size, l.until = granted-1, granted, now.Add(keep)
		return 0, nil
	}
	pause := time.Duration(math.Min(math.Max(wait, 0.05), longestCooldown.Seconds()) * float64(time.Second))
	return pause, nil
}

// pause lets no worker send a request with a token for some time.
func (b *Budget) pause(ctx context.Context, print fingerprint, l *lot, wait time.Duration) {
	if wait == 0 {
		wait = cooldown
	}
	until := time.Now().Add(wait)
	l.mu.Lock()
	l.left = 0
	if until.After(l.paused) {
		l.paused = until
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestSleep)
	defer cancel()
	// If this fails the others find out by themselves.
	_, _ = b.pool.Exec(ctx, `UPDATE fleet_budget
		SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => $2)) WHERE token = $1`,
		print[:], wait.Seconds())
}
