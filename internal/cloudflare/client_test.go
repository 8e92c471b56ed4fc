package cloudflare

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

type secret string

func (s secret) Reveal() string { return string(s) }

// fixture is a client of a fake API. The requests are served in memory.
func fixture(server *fakecloudflare.Server, token string) *Client {
	return New(Options{
		AccountID: fakecloudflare.DefaultAccountID, Token: secret(token), BaseURL: "https://api.example.com" + fakecloudflare.Prefix,
		UserAgent: "test", HTTPClient: &http.Client{Transport: server.Transport()}, RateLimit: 1200,
		RequestTimeout: time.Second, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
}

func TestNew_BoundsRepliesUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	c := fixture(fakecloudflare.NewServer(fakecloudflare.Options{}), "cfat_bounds")
	require.EqualValues(t, 10<<20, c.opts.MaxBody)
}

func TestSharedTransport_TakesNoProxyFromTheEnvironment(t *testing.T) {
	t.Parallel()
	require.Nil(t, sharedTransport().(*http.Transport).Proxy)
}

// Proxies show pages that repeat the headers of the request, and some encode them.
func TestScrub_RemovesTheTokenInBase64(t *testing.T) {
	t.Parallel()
	const token = "cfat_scrub-0pen5esame0pen5esame"
	c := fixture(fakecloudflare.NewServer(fakecloudflare.Options{}), token)
	for _, header := range []string{"", "Bearer ", "Authorization: Bearer ", "GET / HTTP/1.1\r\nAuthorization: Bearer "} {
		echo := base64.StdEncoding.EncodeToString([]byte(header + token + "\r\nHost: api.example.com"))
		shown := c.Scrub("<html>blocked: " + echo + "</html>")
		require.Contains(t, shown, text.Redacted)
		for word := range strings.SplitSeq(strings.NewReplacer("<", " ", ">", " ", text.Redacted, " ").Replace(shown), " ") {
			for cut := range min(4, len(word)) {
				plain, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(word[cut:], "="))
				require.NotContains(t, string(plain), "0pen5", shown)
			}
		}
		require.NotContains(t, c.withoutToken(errors.New("proxyconnect: "+echo)).Error(), echo)
	}
	plain := errors.New("connection refused")
	require.Same(t, plain, c.withoutToken(plain))
	require.Equal(t, "as it is", fixture(fakecloudflare.NewServer(fakecloudflare.Options{}), "").Scrub("as it is"))
}
