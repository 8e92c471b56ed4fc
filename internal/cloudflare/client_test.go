package cloudflare

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
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
