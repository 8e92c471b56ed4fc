package cloudflareaudit

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

// script is what a hostile server does, a byte or more for each request. When
// it is over, the server is a sound one.
type script []byte

// take takes up to n bytes off the script.
func (s *script) take(n int) []byte {
	taken := (*s)[:min(n, len(*s))]
	*s = (*s)[len(taken):]
	return taken
}

// one chooses by the next byte of the script.
func one[T any](s *script, from ...T) T {
	next := s.take(1)
	if len(next) == 0 {
		return from[0]
	}
	return from[int(next[0])%len(from)]
}

// absurd times are the values of dates that nobody should believe.
var (
	absurdDates = []string{
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
		"Sat, 01 Jan 2000 09:00:00 GMT", "Fri, 31 Dec 1999 03:00:00 GMT", "Wed, 01 Mar 2000 00:00:00 GMT", "", "yesterday",
	}
	absurdWaits = []string{
		"99999999999999999999", "-1", "NaN", "+Inf", "1e300", "0x1p-1074", "0.0000001",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "soon", "3600", "2",
	}
	absurdLimits = []string{
		`"default";r=0;t=99999999999`, `"default";r=0;t=3600`, `"default";r=-5;t=-5`, `"default";r=1;t=3600`, `r=99999999999999999999;t=1`,
		`"default";r=0;t=1`, strings.Repeat(`"p";r=1;t=2,`, 1000), ";;;,,,===", `"default";r=9223372036854775807;t=1`,
	}
	absurdTimes = []string{
		`"9999-12-31T23:59:59.999999999-23:59"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"1970-01-01T00:00:00Z"`,
		`"2262-04-11T23:47:16.854775807Z"`, `"2300-01-01T00:00:00Z"`, `"1999-12-31T23:00:00Z"`, `"1999-12-31T23:59:59Z"`, `"2000-01-01T00:00:30Z"`,
		`"2000-02-30T00:00:00Z"`, `""`, `null`, `0`, `1e400`, `[]`, `"\ud800"`,
	}
)

// hostileEntry is an entry with something wrong with it.
func hostileEntry(s *script, n int) string {
	id := fmt.Sprintf("%q", fmt.Sprintf("h-%d", n))
	switch one(s, 0, 0, 0, 1, 2, 3, 4) {
	case 1:
		id = one(s, `""`, `null`, `1e999`, `"`+strings.Repeat("i", 5000)+`"`, `"\ud800"`, `"h-0"`, `[[1]]`)
	case 2:
		return one(s, `null`, `0`, `[]`, `{}`, `"entry"`, `-1e400`, `{"id":{"id":{}}}`,
			`{"a":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`)
	case 3:
		id += `,"id":"another","when":"1999-12-31T22:00:00Z","actor":[],"actor":{"email":"` + "\xff\xfe" + `"}`
	case 4:
		id += `,"metadata":` + strings.Repeat(`{"a":`, 200) + strings.Repeat("9", 400) + strings.Repeat("}", 200)
	}
	return `{"id":` + id + `,"when":` + one(s, absurdTimes...) + `,"action":{"type":"rec_add","result":true}}`
}

// fault is what the script does to a request.
func (s *script) fault(r *http.Request, page string) *cfapi.Fault {
	entries := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = hostileEntry(s, i)
		}
		return strings.Join(list, ",")
	}
	switch one(s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24) {
	case 1:
		return cfapi.Endless()
	case 2: // for ever
		return cfapi.Redirect(one(s, r.URL.String(), r.URL.Path+"?"+r.URL.RawQuery, "?page=1", ""))
	case 3:
		return cfapi.Redirect(one(s, "https://elsewhere.example.net/", "//elsewhere.example.net", "http://"+r.URL.Host, "file:///etc/passwd", "::"))
	case 4:
		return cfapi.Reply(200, nil, `{"success":true,"result":[`+entries(one(s, 0, 1, 3, 20, 100))+`]}`)
	case 5: // more than were asked for
		return cfapi.Reply(200, nil, `{"success":true,"result":[`+entries(101)+`]}`)
	case 6: // the same page for ever
		return cfapi.Reply(200, nil, page)
	case 7:
		return cfapi.Reply(200, nil, strings.Repeat(one(s, "[", `{"result":`, `{"success":true,"result":[[`), 12_000))
	case 8:
		return cfapi.Reply(200, nil, `{"success":true,"success":`+one(s, "false", "true", "1e999")+`,"result":[`+entries(2)+`],"result":`+one(s, "null", "[]", "{}")+`}`)
	case 9:
		return cfapi.Reply(200, nil, "{\"success\":true,\"result\":[{\"id\":\"\xff\xfe\",\"when\":\"\xc3\x28\"}]}")
	case 10:
		return cfapi.Reply(200, nil, `{"success":true,"result_info":{"total_pages":1e999,"page":-`+strings.Repeat("9", 1000)+`},"result":[],"errors":[{"code":9e99,"message":7}]}`)
	case 11:
		return cfapi.HTML(one(s, 200, 400, 403, 404, 502))
	case 12:
		return cfapi.Reply(200, http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"application/octet-stream"}}, "\x1f\x8b\x08\x00")
	case 13:
		return cfapi.Header(http.Header{"Date": {one(s, absurdDates...)}})
	case 14:
		return cfapi.Status(one(s, 429, 503, 200, 403, 500), one(s, 971, 10000, 0, math.MaxInt), "no", http.Header{"Retry-After": {one(s, absurdWaits...)}})
	case 15:
		return cfapi.Header(http.Header{"Ratelimit": {one(s, absurdLimits...)}})
	case 16:
		return cfapi.NullResult()
	case 17:
		return cfapi.Reply(200, nil, string(s.take(int(one(s, 1, 10, 100, 1000)))))
	case 18:
		return cfapi.Reply(100+int(one(s, s.take(1)...)), nil, string(s.take(20)))
	case 19:
		return one(s, cfapi.Hang(), cfapi.Stall(10), cfapi.Truncate(50), cfapi.Reset(), cfapi.Delay(time.Hour))
	case 20:
		return cfapi.Status(400, 1, "no such page", nil)
	case 21: // in any order
		return cfapi.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
			resp := answer()
			b, err := io.ReadAll(resp.Body)
			var env struct {
				Success bool              `json:"success"`
				Result  []json.RawMessage `json:"result"`
			}
			if err != nil || json.Unmarshal(b, &env) != nil {
				return nil, io.ErrUnexpectedEOF
			}
			slices.Reverse(env.Result)
			if len(env.Result) > 2 {
				env.Result[0], env.Result[1] = env.Result[1], env.Result[0]
			}
			b, _ = json.Marshal(env)
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			return resp, nil
		})
	case 22: // one entry that cannot be read, on every page
		return cfapi.Reply(200, nil, `{"success":true,"result":[{"id":"x","when":nonsense}]}`)
	}
	return nil
}

// hostileWorld is a host that polls a hostile server with a cursor, for a while
// of the fake time of a bubble.
func hostileWorld(t *testing.T, s script, cursor ingest.Cursor) {
	const (
		polls = 3
		// mostRequests bounds the requests of a poll with their repetitions:
		// those of the pages, and of the attempts to find what is readable.
		mostRequests = 3 * (maxRequests + 100)
	)
	token := "cfat_hostile-token"
	server := cfapi.NewServer(cfapi.Options{Token: token})
	fill(server, 40, 30*time.Second)
	roundTrips, page := 0, samePage()
	server.Fault(func(_ int, r *http.Request) *cfapi.Fault {
		roundTrips++
		return s.fault(r, page)
	})
	cfg := Config{
		AccountID:    cfapi.DefaultAccountID,
		APIToken:     NewSecret(token),
		PageSize:     one(&s, 100, 1, 7, 1000),
		MaxEvents:    one(&s, 1000, 1, 50),
		HTTPClient:   &http.Client{Transport: server.Transport()},
		PollInterval: time.Minute,
	}
	conn, err := New(cfg)
	require.NoError(t, err)
	// The limiter of a token outlives a bubble and its time.
	conn.client.limiter = &limiter{bucket: rate.NewLimiter(4, burst), limit: 4}
	conn.client.maxBody = 100_000

	poll := func(own bool) (moved bool) {
		roundTrips = 0
		began := time.Now()
		b, err := conn.Poll(t.Context(), cursor)
		require.LessOrEqual(t, roundTrips, 5*mostRequests, "requests, with redirects")
		require.LessOrEqual(t, b.Coverage.Requests, mostRequests)
		require.LessOrEqual(t, time.Since(began), mostRequests*(conn.cfg.RequestTimeout+longestSleep))
		if err != nil {
			require.NotContains(t, err.Error(), token)
			require.LessOrEqual(t, len(err.Error()), 2000)
			require.False(t, own && errors.Is(err, ErrCursor), "its own cursor is refused: %s", err)
			if errors.Is(err, ErrCursor) {
				require.Zero(t, roundTrips)
				cursor = nil
				return true
			}
			wait := time.Minute
			if r, ok := errors.AsType[ingest.RetryAfterer](err); ok {
				require.LessOrEqual(t, r.RetryAfter(), longestWait)
				wait += r.RetryAfter()
			}
			time.Sleep(wait)
			return false
		}
		c := b.Coverage
		require.Equal(t, c.Read, c.Delivered+c.DroppedTotal()+c.Repeated)
		require.LessOrEqual(t, len(b.Events), conn.cfg.MaxEvents)
		size := 0
		for i := range b.Events {
			size += len(b.Events[i].RawEvent)
			require.True(t, json.Valid(b.Events[i].AppendJSON(nil)))
		}
		require.LessOrEqual(t, size, maxBatchBytes+maxKept)
		require.NotEmpty(t, b.Cursor)
		require.NotContains(t, string(b.Cursor), token)
		require.LessOrEqual(t, len(b.Cursor), 4<<20)
		require.LessOrEqual(t, len(b.Cursor), 2*len(cursor)+32<<10+64*c.Read, "it grows by more than was read")
		cursor = b.Cursor
		if !b.More {
			time.Sleep(time.Minute)
		}
		return true
	}
	if !poll(false) || cursor == nil {
		poll(false)
	}
	for range polls {
		poll(true)
	}
	// Of a sound server every cursor makes something.
	s = nil
	time.Sleep(2 * time.Hour)
	for try := 0; !poll(true); try++ {
		require.Less(t, try, 3, "it does not recover")
	}
}

// FuzzPoll_HostileServer polls a server that answers by a script, from any
// cursor: whatever either says, a poll comes to an end within its bounds, and
// the next one can go on from there.
func FuzzPoll_HostileServer(f *testing.F) {
	// Each thing a server can do, at once and after sound replies, and some of
	// them together.
	for op := range 25 {
		f.Add([]byte{0, 0, byte(op), 1, 2, 3, 4, 5, 6, 7}, []byte(nil))
		f.Add([]byte{0, 0, 0, byte(op), byte(op), 1, byte(op), 2, byte(op), 3}, []byte(nil))
		f.Add(bytes.Repeat([]byte{1, byte(op), byte(op * 7)}, 20), []byte(nil))
	}
	f.Add([]byte{0, 0, 17, 3, '{', '"', 's'}, []byte(`{"version":1}`))
	f.Add([]byte{}, []byte("{"))
	f.Add([]byte{}, []byte{})
	// Cursors for the fuzzer to change: one of a quiet feed, one of a backlog.
	// They are from the time at which a bubble begins.
	now := func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, most := range []int{1000, 7} {
		server, cfg := fixture(cfapi.Options{Clock: now})
		for i := range 50 {
			server.Add(time.Time{}, cfapi.Entry(fmt.Sprintf("id-%d", i), now().Add(-time.Duration(i+1)*10*time.Second), 6))
		}
		cfg.MaxEvents, cfg.Clock = most, now
		c, err := New(cfg)
		require.NoError(f, err)
		b, err := c.Poll(f.Context(), nil)
		require.NoError(f, err)
		f.Add([]byte{0, 0, 4, 3, 9, 8, 7}, []byte(b.Cursor))
	}
	f.Fuzz(func(t *testing.T, s, cursor []byte) {
		if len(s) > 4<<10 || len(cursor) > 64<<10 {
			t.Skip("long inputs show nothing that short ones do not")
		}
		if len(cursor) == 0 {
			cursor = nil
		}
		synctest.Test(t, func(t *testing.T) { hostileWorld(t, bytes.Clone(s), cursor) })
	})
}

var _ = gzip.NoCompression
var _ = httptest.NewServer
var _ = runtime.GC
var _ atomic.Bool
var _ = assert.Equal
