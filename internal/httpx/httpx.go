// Package httpx holds what the reader of the audit log and the sinks have in
// common about HTTP and about trying again.
package httpx

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

// MayBeLoopback reports whether a host name or address may lead to this machine
// itself: it is one that [IsLoopback] knows, an address that systems take for this
// machine, or a way of writing one that some resolvers read, such as 127.1,
// 2130706433 or 0x7f000001. It does not look up names.
func MayBeLoopback(host string) bool {
	host = strings.TrimRight(strings.ToLower(host), ".")
	host, _, _ = strings.Cut(host, "%") // the zone of an IPv6 address
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = embedded(addr)
		return addr.IsLoopback() || addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.Contains([]string{"localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"}, host) {
		return true
	}
	// What remains and consists of numbers is an address in one of the old forms,
	// whose first part is the network.
	parts := strings.Split(host, ".")
	for _, part := range parts {
		if _, err := strconv.ParseUint(part, 0, 64); err != nil {
			return false
		}
	}
	first, _ := strconv.ParseUint(parts[0], 0, 64)
	if len(parts) == 1 {
		first = first >> 24 & 0xff
	}
	return first == 127 || first == 0
}

// embedded is the IPv4 address that an IPv6 address carries, or addr itself.
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	b := addr.As16()
	switch prefix := [12]byte(b[:12]); {
	case !addr.Is6():
	case prefix == [12]byte{0: 0, 1: 0x64, 2: 0xff, 3: 0x9b}, prefix == [12]byte{} && b[12] != 0:
		return netip.AddrFrom4([4]byte(b[12:])) // of NAT64, or compatible with IPv4
	}
	return addr
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
