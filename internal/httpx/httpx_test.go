package httpx_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

func TestRetryAfter_SecondsOrADateWithinReason(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"30":                            30 * time.Second,
		"1.5":                           1500 * time.Millisecond,
		"-5":                            0,
		"1e300":                         time.Hour,
		"NaN":                           0,
		"+Inf":                          time.Hour,
		"soon":                          0,
		"Sun, 01 Mar 2026 12:02:00 GMT": 2 * time.Minute,
		"Sun, 01 Mar 2026 19:00:00 GMT": time.Hour,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		got := httpx.RetryAfter(http.Header{"Retry-After": {header}}, now, time.Hour)
		require.Equal(t, want, got, header)
	}
}

func TestIsLoopback_IsThisMachineAlone(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "10.0.0.1": false, "0.0.0.0": false, "::": false, "ingest-worker": false,
	} {
		assert.Equal(t, want, httpx.IsLoopback(host), host)
	}
}

func TestMayBeLoopback_KnowsEveryWayOfWritingIt(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "localhost.": true, "api.localhost": true, "localhost.localdomain": true, "ip6-localhost": true,
		"127.0.0.1": true, "127.0.0.2": true, "127.0.0.1.": true, "127.255.255.254": true, "0.0.0.0": true, "0.1.2.3": true,
		"::1": true, "0:0:0:0:0:0:0:1": true, "::": true, "::ffff:127.0.0.1": true, "::ffff:7f00:1": true, "::127.0.0.1": true, "::1%lo": true,
		"64:ff9b::7f00:1": true, "::ffff:0.0.0.0": true,
		"127.1": true, "127.0.1": true, "2130706433": true, "0x7f000001": true, "0x7F.0.0.1": true, "017700000001": true, "0177.0.0.1": true, "0177.1": true, "0": true, "0x0": true,
		"": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "mylocalhost": false,
		"10.0.0.1": false, "128.0.0.1": false, "::2": false, "2001:db8::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false,
		"167772161": false, "10.1": false, "0x0a000001": false, "012.0.0.1": false, "api.cloudflare.com": false, "127.example.com": false, "1.2.3.4": false,
	} {
		assert.Equal(t, want, httpx.MayBeLoopback(host), host)
	}
}
