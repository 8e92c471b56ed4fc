package cloudflareaudit

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

const (
	// budgetSpan is the span Cloudflare counts requests over: 1200 for each
	// user or account-owned token.
	budgetSpan = 5 * time.Minute
	// burst is how many requests may follow each other without a pause.
	burst = 10
	// longestSleep is the longest wait inside a poll. A longer one is handed
	// to the host, which has better things to do than to hold a call open.
	longestSleep = 5 * time.Second
	// soon is the longest wait for a request that may be left out.
	soon = time.Second
)

// limiter spaces the requests of one token, whichever connectors of this
// process send them.
type limiter struct {
	mu     sync.Mutex
	bucket *rate.Limiter
	limit  rate.Limit // as configured
	pause  time.Time  // no request before then
}

// limiters holds one limiter for each token configured in this process, by the
// digest of the token: Cloudflare counts per token, not per connector.
var limiters sync.Map

// limiterFor returns the limiter of token, allowing at most perSpan requests in
// five minutes. Of several connectors with one token the most careful counts.
func limiterFor(token Secret, perSpan int) *limiter {
	// What may come at once is taken off what trickles in, so that no five
	// minutes see more than perSpan.
	atOnce := min(burst, (perSpan+1)/2)
	limit := rate.Limit(float64(max(perSpan-atOnce, 1)) / budgetSpan.Seconds())
	digest := sha256.Sum256([]byte(token.Reveal()))
	made, _ := limiters.LoadOrStore(digest, &limiter{
		bucket: rate.NewLimiter(limit, atOnce),
		limit:  limit,
	})
	l := made.(*limiter)
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit < l.limit {
		l.limit = limit
		l.bucket.SetLimit(limit)
		l.bucket.SetBurst(atOnce)
	}
	return l
}

// wait returns when the next request may be sent, and how long that took, or a
// [WaitError] at once when it is too long to wait for.
func (l *limiter) wait(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	now := time.Now()
	delay := l.pause.Sub(now)
	var reserved *rate.Reservation
	if delay <= longestSleep {
		reserved = l.bucket.ReserveN(now, 1)
		delay = max(delay, reserved.DelayFrom(now))
		if delay > longestSleep {
			reserved.CancelAt(now)
		}
	}
	l.mu.Unlock()
	if delay > longestSleep {
		return 0, &WaitError{Wait: delay}
	}
	if err := httpx.Sleep(ctx, delay); err != nil {
		reserved.Cancel()
		return 0, err
	}
	return max(0, delay), nil
}

// spare is wait for a request that may be left out. It fails at once unless the
// request could follow soon, and another one after it, which the audit log may
// need.
func (l *limiter) spare(ctx context.Context) error {
	l.mu.Lock()
	now := time.Now()
	delay := max(0, l.pause.Sub(now)).Seconds()
	delay = max(delay, (2-l.bucket.TokensAt(now))/float64(l.bucket.Limit()))
	l.mu.Unlock()
	if delay > soon.Seconds() {
		return &WaitError{Wait: time.Duration(min(delay, budgetSpan.Seconds()) * float64(time.Second))}
	}
	_, err := l.wait(ctx)
	return err
}

// holdUntil lets no request pass for d, because Cloudflare said so.
func (l *limiter) holdUntil(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(d); until.After(l.pause) {
		l.pause = until
	}
}

// observe slows the limiter down to what a reply says is left of the budget,
// which others may be using too, and lets it speed up again once there is
// enough.
func (l *limiter) observe(h http.Header) {
	left, reset, ok := parseRateLimit(h.Get("Ratelimit"))
	if !ok {
		return
	}
	if left == 0 {
		l.holdUntil(reset)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket.SetLimit(min(l.limit, rate.Limit(float64(left)/reset.Seconds())))
}

// parseRateLimit reads a Ratelimit header such as `"default";r=50;t=30`: the
// requests left and the time until the budget is full again. Of several
// policies the tightest counts.
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
