// Package httpx holds what the reader of the audit log and the sinks have in
// common about HTTP and about trying again.
package httpx

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// IsLoopback reports whether a host name or address is this machine.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// RetryAfter reads the header Retry-After, which is seconds or a date. It is
// from zero to most; what is missing or cannot be read is zero.
func RetryAfter(h http.Header, now time.Time, most time.Duration) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(v, 64); err == nil {
		if !(seconds > 0) {
			return 0 // NaN too, which no comparison holds for
		}
		return time.Duration(min(seconds, most.Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), most)
	}
	return 0
}

// Sleep waits for d or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
