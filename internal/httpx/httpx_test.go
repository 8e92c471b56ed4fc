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
