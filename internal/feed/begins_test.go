package feed

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func begins(t *testing.T, cursor ingest.Cursor) map[string]time.Time {
	t.Helper()
	at, err := Begins(cursor, fakecloudflare.DefaultAccountID)
	require.NoError(t, err)
	return at
}

// The entry of the second in which the feed begins is of the feed, the one before
// it is not, and so it stays.
func TestBegins_IsTheFirstSecondOfTheFeedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		o.InitialLookback = time.Hour
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		server.Add(time.Time{}, fakecloudflare.Entry("before", at.Add(-time.Microsecond), 6))
		server.Add(time.Time{}, fakecloudflare.Entry("first", at, 6))
		r := reader(server, o)
		var h recorder
		out := poll1(t, r, nil, &h)
		assert.Equal(t, map[string]time.Time{"v1": at.UTC()}, begins(t, out.Cursor))
		for range 5 {
			time.Sleep(7 * time.Hour)
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprint(time.Now()), time.Now().Add(-time.Minute), 6))
			out = poll1(t, r, out.Cursor, &h)
		}
		assert.Equal(t, at.UTC(), begins(t, out.Cursor)["v1"])
		assert.Contains(t, h.ids, "first")
		assert.NotContains(t, h.ids, "before")

		// The other log begins when it is read for the first time, and the first
		// one keeps its beginning while it is not read.
		o.Logs = []*cloudflare.Log{cloudflare.V2}
		out = poll1(t, reader(server, o), out.Cursor, &h)
		later := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
		assert.Equal(t, map[string]time.Time{"v1": at.UTC(), "v2": later}, begins(t, out.Cursor))
	})
}

func TestBegins_NowhereBeforeAReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Reset() })
		out := poll1(t, reader(server, o), nil, &recorder{})
		assert.Empty(t, begins(t, out.Cursor), "the server's time is not known yet")
		assert.Empty(t, begins(t, nil))
	})
}

// A failure in the first poll, by a server whose clock is behind, must not make the
// feed claim what it has never asked for.
func TestBegins_AFailureAfterTheFirstPageDoesNotMoveIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, o := fixture(fakecloudflare.Options{})
		fill(server, 300, time.Second)
		server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
			if n < 2 {
				return nil
			}
			return fakecloudflare.Status(http.StatusForbidden, 10000, "no", http.Header{"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}})
		})
		var h recorder
		out := poll1(t, reader(server, o), nil, &h)
		require.NotEmpty(t, h.ids)
		require.Len(t, server.Requests(), 2)
		asked, err := time.Parse(time.RFC3339, server.Requests()[0].Query.Get("since"))
		require.NoError(t, err)
		assert.Equal(t, asked.Add(edge/2), begins(t, out.Cursor)["v1"])
	})
}

func TestBegins_OfACursorThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"", "{}", `{"version":9}`, `{"version":1,"account_id":"other"}`} {
		_, err := Begins(slices.Concat(ingest.Cursor{}, []byte(cursor), []byte(" ")), fakecloudflare.DefaultAccountID)
		assert.ErrorIs(t, err, ingest.ErrCursor, cursor)
	}
}
