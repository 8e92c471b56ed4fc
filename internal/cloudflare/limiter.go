package cloudflare

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

const (
	// LongestSleep is the longest wait inside a poll. A longer one is left to
	// the host, so that no call stays open for it.
	LongestSleep = 5 * time.Second

	// budgetSpan is the span over which Cloudflare counts requests: 1200 for
	// each user or account-owned token.
	budgetSpan = 5 * time.Minute
	// Burst is how many requests may follow each other without a pause.
	Burst = 10
	// soon is the longest wait for an optional request.
	soon = time.Second
)

// Limiter spaces the requests of one token, across all connectors of the
// process.
type Limiter struct {
	mu     sync.Mutex
	bucket *rate.Limiter
	limit  rate.Limit // as configured
	pause  time.Time  // no request before then
	asked  bool       // for that pause, in a refusal
}

// NewLimiter returns a separate limiter with the given requests per second and
// burst.
func NewLimiter(perSecond rate.Limit, atOnce int) *Limiter {
	return &Limiter{bucket: rate.NewLimiter(perSecond, atOnce), limit: perSecond}
}

// limiters holds one limiter for each token configured in this process, by the
// digest of the token: Cloudflare counts per token, not per connector.
var limiters sync.Map

// limiterFor returns the limiter of token, which allows at most perSpan requests
// in five minutes. Clients with one token share it, with the lowest of their
// limits.
func limiterFor(token string, perSpan int) *Limiter {
	// The burst is taken off the steady rate, so that no five minutes see more
	// than perSpan.
	atOnce := min(Burst, (perSpan+1)/2)
	limit := rate.Limit(float64(max(perSpan-atOnce, 1)) / budgetSpan.Seconds())
	digest := sha256.Sum256([]byte(token))
	made, _ := limiters.LoadOrStore(digest, NewLimiter(limit, atOnce))
	l := made.(*Limiter)
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit < l.limit {
		l.limit = limit
		l.bucket.SetLimit(limit)
		l.bucket.SetBurst(atOnce)
	}
	return l
}

// wait blocks until the next request may be sent and returns how long that
// took, or returns an [apierror.WaitError] at once when it would take longer
// than LongestSleep.
func (l *Limiter) wait(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	now := time.Now()
	delay, asked := l.pause.Sub(now), l.asked
	var reserved *rate.Reservation
	if delay <= LongestSleep {
		reserved = l.bucket.ReserveN(now, 1)
		if spaced := reserved.DelayFrom(now); spaced > delay {
			delay, asked = spaced, false
		}
		if delay > LongestSleep {
			reserved.CancelAt(now)
		}
	}
	l.mu.Unlock()
	if delay > LongestSleep {
		return 0, &apierror.WaitError{Wait: delay, Asked: asked}
	}
	if err := httpx.Sleep(ctx, delay); err != nil {
		reserved.Cancel()
		return 0, err
	}
	return max(0, delay), nil
}

// spare is wait for an optional request. It fails at once unless the request
// and one more, which the audit log may need, could both be sent soon.
func (l *Limiter) spare(ctx context.Context) error {
	l.mu.Lock()
	now := time.Now()
	delay := max(0, l.pause.Sub(now)).Seconds()
	delay = max(delay, (2-l.bucket.TokensAt(now))/float64(l.bucket.Limit()))
	l.mu.Unlock()
	if delay > soon.Seconds() {
		return &apierror.WaitError{Wait: time.Duration(min(delay, budgetSpan.Seconds()) * float64(time.Second))}
	}
	_, err := l.wait(ctx)
	return err
}

// holdUntil holds back all requests for d: because Cloudflare asked for it in a
// refusal, or because the budget will be used up until then.
func (l *Limiter) holdUntil(d time.Duration, asked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(d); until.After(l.pause) {
		l.pause, l.asked = until, asked
	}
}

// observe slows the limiter down to the remaining budget stated in a reply,
// which others may use too, and speeds it up again once enough is left.
func (l *Limiter) observe(h http.Header) {
	left, reset, ok := parseRateLimit(h.Get("Ratelimit"))
	if !ok {
		return
	}
	if left == 0 {
		l.holdUntil(reset, false)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket.SetLimit(min(l.limit, rate.Limit(float64(left)/reset.Seconds())))
}

// parseRateLimit reads a Ratelimit header such as `"default";r=50;t=30`: the
// requests left and the time until the budget is full again. Of several
// policies the tightest applies.
func parseRateLimit(header string) (left int, reset time.Duration, ok bool) {
	for policy := range strings.SplitSeq(header, ",") {
		r, t := -1, -1
		for param := range strings.SplitSeq(policy, ";") {
			name, number, _ := strings.Cut(strings.TrimSpace(param), "=")
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 {
				continue
			}
			switch name {
			case "r":
				r = n
			case "t":
				t = n
			}
		}
		if r < 0 || t < 1 || t > int(time.Hour/time.Second) {
			continue
		}
		d := time.Duration(t) * time.Second
		if !ok || float64(r)/d.Seconds() < float64(left)/reset.Seconds() {
			left, reset, ok = r, d, true
		}
	}
	return left, reset, ok
}
