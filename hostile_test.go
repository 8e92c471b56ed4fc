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
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
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
	when := one(s, absurdTimes...)
	return `{"id":` + id + `,"when":` + when + `,"action":{"type":"rec_add","result":true,"time":` + when + `}}`
}

// fault is what the script does to a request.
func (s *script) fault(r *http.Request, page string) *fakecloudflare.Fault {
	entries := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = hostileEntry(s, i)
		}
		return strings.Join(list, ",")
	}
	switch one(s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24) {
	case 1:
		return fakecloudflare.Endless()
	case 2: // for ever
		return fakecloudflare.Redirect(one(s, r.URL.String(), r.URL.Path+"?"+r.URL.RawQuery, "?page=1", ""))
	case 3:
		return fakecloudflare.Redirect(one(s, "https://elsewhere.example.net/", "//elsewhere.example.net", "http://"+r.URL.Host, "file:///etc/passwd", "::"))
	case 4:
		return fakecloudflare.Reply(200, nil, `{"success":true,"result":[`+entries(one(s, 0, 1, 3, 20, 100))+`]}`)
	case 5: // more than were asked for
		return fakecloudflare.Reply(200, nil, `{"success":true,"result":[`+entries(101)+`]}`)
	case 6: // the same page for ever
		return fakecloudflare.Reply(200, nil, page)
	case 7:
		return fakecloudflare.Reply(200, nil, strings.Repeat(one(s, "[", `{"result":`, `{"success":true,"result":[[`), 12_000))
	case 8:
		return fakecloudflare.Reply(200, nil, `{"success":true,"success":`+one(s, "false", "true", "1e999")+`,"result":[`+entries(2)+`],"result":`+one(s, "null", "[]", "{}")+`}`)
	case 9:
		return fakecloudflare.Reply(200, nil, "{\"success\":true,\"result\":[{\"id\":\"\xff\xfe\",\"when\":\"\xc3\x28\"}]}")
	case 10:
		return fakecloudflare.Reply(200, nil, `{"success":true,"result_info":{"total_pages":1e999,"page":-`+strings.Repeat("9", 1000)+`},"result":[],"errors":[{"code":9e99,"message":7}]}`)
	case 11:
		return fakecloudflare.HTML(one(s, 200, 400, 403, 404, 502))
	case 12:
		return fakecloudflare.Reply(200, http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"application/octet-stream"}}, "\x1f\x8b\x08\x00")
	case 13:
		return fakecloudflare.Header(http.Header{"Date": {one(s, absurdDates...)}})
	case 14:
		return fakecloudflare.Status(one(s, 429, 503, 200, 403, 500), one(s, 971, 10000, 0, math.MaxInt), "no", http.Header{"Retry-After": {one(s, absurdWaits...)}})
	case 15:
		return fakecloudflare.Header(http.Header{"Ratelimit": {one(s, absurdLimits...)}})
	case 16:
		return fakecloudflare.NullResult()
	case 17:
		return fakecloudflare.Reply(200, nil, string(s.take(int(one(s, 1, 10, 100, 1000)))))
	case 18:
		return fakecloudflare.Reply(100*one(s, 2, 1, 3, 4, 5, 9)+one(s, 0, 4, 8, 22, 99), nil, string(s.take(20)))
	case 19:
		return one(s, fakecloudflare.Hang(), fakecloudflare.Stall(10), fakecloudflare.Truncate(50), fakecloudflare.Reset(), fakecloudflare.Delay(time.Hour))
	case 20:
		return fakecloudflare.Status(400, 1, "no such page", nil)
	case 21: // in any order
		return fakecloudflare.Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
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
	case 23: // pages that lead to others
		return fakecloudflare.Reply(200, nil, `{"success":true,"result":[`+entries(one(s, 0, 1, 3, 100))+`],"result_info":`+
			one(s, fmt.Sprintf(`{"cursor":"%x"}`, s.take(4)), `{"cursor":"again"}`, `{"cursor":7}`, `{"cursor":null}`, `{"cursor":{}}`, `{"cursor":"`+strings.Repeat("c", 100_000)+`"}`,
				`null`, `[]`, `{"cursor":"\ud800","cursor":"\u0000"}`)+`}`)
	case 24: // one that cannot be read, and leads on
		return fakecloudflare.Reply(200, nil, fmt.Sprintf(`{"success":true,"result":[{"id":"x-%x","action":{"time":nonsense}}],"result_info":{"cursor":"%x"}}`, s.take(1), s.take(2)))
	case 22: // one entry that cannot be read, on every page
		return fakecloudflare.Reply(200, nil, `{"success":true,"result":[{"id":"x","when":nonsense}]}`)
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
		mostRequests = 3 * (feed.MaxRequests + 100)
	)
	token := "cfat_hostile-token"
	server := fakecloudflare.NewServer(fakecloudflare.Options{Token: token})
	fill(server, 40, 30*time.Second)
	fillV2(server, 40, 30*time.Second)
	roundTrips, page := 0, samePage()
	server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
		roundTrips++
		return s.fault(r, page)
	})
	cfg := Config{
		AccountID:    fakecloudflare.DefaultAccountID,
		APIToken:     NewSecret(token),
		PageSize:     one(&s, 100, 1, 7, 1000),
		MaxEvents:    one(&s, 1000, 1, 50),
		AuditLogAPI:  one(&s, AuditLogV1, AuditLogV2, AuditLogBoth),
		HTTPClient:   &http.Client{Transport: server.Transport()},
		PollInterval: time.Minute,
	}
	conn := connectTuned(t, cfg, func(o *cloudflare.Options, _ *feed.Options) {
		// The limiter of a token outlives a bubble and its time.
		o.Limiter, o.MaxBody = cloudflare.NewLimiter(4, cloudflare.Burst), 100_000
	})

	poll := func(own bool) (moved bool) {
		roundTrips = 0
		began := time.Now()
		b, err := conn.Poll(t.Context(), cursor)
		require.LessOrEqual(t, roundTrips, 5*mostRequests, "requests, with redirects")
		require.LessOrEqual(t, b.Coverage.Requests, mostRequests)
		require.LessOrEqual(t, time.Since(began), mostRequests*(conn.cfg.RequestTimeout+cloudflare.LongestSleep))
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
				require.LessOrEqual(t, r.RetryAfter(), cloudflare.LongestWait)
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
		require.LessOrEqual(t, size, feed.MaxBatchBytes+feed.MaxKept)
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

// seedCursors are cursors for a fuzzer to change: one of a quiet feed and one of
// a backlog. They are from the time at which a bubble begins.
func seedCursors(f *testing.F) (cursors [][]byte) {
	now := func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, most := range []int{1000, 7, 57} {
		server, cfg := fixture(fakecloudflare.Options{Clock: now})
		for i := range 50 {
			when := now().Add(-time.Duration(i+1) * 10 * time.Second)
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("id-%d", i), when, 6))
			server.AddV2(time.Time{}, fakecloudflare.EntryV2(fmt.Sprintf("two-%d", i), when, 6))
		}
		cfg.MaxEvents, cfg.Clock, cfg.AuditLogAPI = most, now, AuditLogBoth
		cfg.PageSize = 10
		c, err := New(cfg)
		require.NoError(f, err)
		b, err := c.Poll(f.Context(), nil)
		require.NoError(f, err)
		cursors = append(cursors, b.Cursor)
	}
	return cursors
}

// FuzzPoll_HostileServer polls a server that answers by a script, from any
// cursor: whatever either says, a poll comes to an end within its bounds, and
// the next one can go on from there.
func FuzzPoll_HostileServer(f *testing.F) {
	// Each thing a server can do, at once and after sound replies, and some of
	// them together.
	for op := range 25 {
		for api := range byte(3) {
			f.Add([]byte{0, 0, api, byte(op), 1, 2, 3, 4, 5, 6, 7}, []byte(nil))
			f.Add([]byte{0, 0, api, 0, byte(op), byte(op), 1, byte(op), 2, byte(op), 3}, []byte(nil))
		}
		f.Add(bytes.Repeat([]byte{1, byte(op), byte(op * 7)}, 20), []byte(nil))
	}
	f.Add([]byte{0, 0, 0, 17, 3, '{', '"', 's'}, []byte(`{"version":1}`))
	f.Add([]byte{}, []byte("{"))
	f.Add([]byte{}, []byte{})
	for _, cursor := range seedCursors(f) {
		f.Add([]byte{0, 0, 2, 4, 3, 9, 8, 7}, cursor)
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

// FuzzPoll_Cursor polls a sound server from any cursor: one that no poll made is
// refused before a request is sent, and any other is gone on from.
func FuzzPoll_Cursor(f *testing.F) {
	for _, text := range []string{
		"", "null", "{", "[]", `{"version":2}`, `{"version":1,"account_id":"` + fakecloudflare.DefaultAccountID + `"}`,
		`{"version":1,"account_id":"` + fakecloudflare.DefaultAccountID + `","audit_logs":{"start":"9999-12-31T23:59:59Z"}}`,
		`{"version":1e999}`, strings.Repeat("[", 20_000), "\xff\xfe\x00",
	} {
		f.Add([]byte(text))
	}
	for _, cursor := range seedCursors(f) {
		for _, change := range [][2]string{
			{"", ""}, {"2000-", "9999-"}, {"1999-", "0001-"}, {"1999-", "-999-"}, {`"offset": `, `"offset": 9`}, {`"offset": `, `"offset": -1`},
			{"Z", "+23:59"}, {"{", "{{"}, {"A", "_"}, {`"start"`, `"Start"`}, {"\n", ""},
		} {
			f.Add(bytes.ReplaceAll(cursor, []byte(change[0]), []byte(change[1])))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			t.Skip("long inputs show nothing that short ones do not")
		}
		// An empty cursor is none, but not nil, which is where a feed begins.
		cursor := append(ingest.Cursor{}, text...)
		synctest.Test(t, func(t *testing.T) {
			server := fakecloudflare.NewServer(fakecloudflare.Options{})
			fill(server, 20, 30*time.Second)
			fillV2(server, 20, 30*time.Second)
			conn := connectTuned(t, Config{
				AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret(fakecloudflare.DefaultToken), AuditLogAPI: AuditLogBoth,
				MaxEvents: 5, HTTPClient: &http.Client{Transport: server.Transport()},
			}, func(o *cloudflare.Options, _ *feed.Options) { o.Limiter = cloudflare.NewLimiter(4, cloudflare.Burst) })
			b, err := conn.Poll(t.Context(), cursor)
			if err != nil {
				require.ErrorIs(t, err, ErrCursor)
				require.ErrorContains(t, err, "restore the last good cursor, or remove it")
				require.LessOrEqual(t, len(err.Error()), 2000)
				require.Empty(t, server.Requests())
				return
			}
			polls := 0
			for ; b.More; polls++ {
				require.Less(t, polls, 50, "the backlog does not end: %s", b.Cursor)
				b = poll1(t, conn, b.Cursor)
			}
			time.Sleep(time.Hour)
			next := poll1(t, conn, b.Cursor)
			require.LessOrEqual(t, len(next.Cursor), 2*len(cursor)+64<<10)
		})
	})
}

// sound is a server with a hundred entries, and a connector and its cursor once
// they have been read.
func soundServer(t *testing.T) (*fakecloudflare.Server, *Connector, ingest.Cursor) {
	server, cfg := fixture(fakecloudflare.Options{})
	cfg.BaseURL = "https://api.example.com" + fakecloudflare.Prefix
	fill(server, 100, time.Second)
	// A lower bound is quicker to reach.
	c := connectTuned(t, cfg, func(o *cloudflare.Options, _ *feed.Options) { o.MaxBody = 2 << 20 })
	b := poll1(t, c, nil)
	require.Len(t, b.Events, 100)
	return server, c, b.Cursor
}

// With a reply that is of no use, a poll fails, says why, keeps the token to
// itself, and the same cursor serves when the server is sound again.
func TestPoll_AUselessReplyIsAnErrorAndCostsNothing(t *testing.T) {
	t.Parallel()
	ok := func(result string) *fakecloudflare.Fault {
		return fakecloudflare.Reply(200, nil, `{"success":true,"errors":[],"result":`+result+`}`)
	}
	again := fakecloudflare.Custom(func(r *http.Request, _ func() *http.Response) (*http.Response, error) {
		return &http.Response{StatusCode: 307, Header: http.Header{"Location": {r.URL.String()}}, Body: http.NoBody, Request: r}, nil
	})
	status := func(status int, name, value string) *fakecloudflare.Fault {
		return fakecloudflare.Status(status, 0, "", http.Header{name: {value}})
	}
	for name, tt := range map[string]struct {
		fault    *fakecloudflare.Fault
		want     string
		requests int // with redirects and repetitions
	}{
		"endless body":               {fakecloudflare.Endless(), "more entries than were asked for", 1},
		"endless redirects":          {again, "refused to follow a fifth redirect in a row", 15},
		"another host":               {fakecloudflare.Redirect("https://elsewhere.example.net/"), "refused a redirect to another host (elsewhere.example.net)", 3},
		"another port":               {fakecloudflare.Redirect("https://api.example.com:8443/"), "refused a redirect to another host (api.example.com:8443)", 3},
		"without encryption":         {fakecloudflare.Redirect("http://api.example.com/"), "refused a redirect to another host", 3},
		"a redirect to nowhere":      {fakecloudflare.Reply(302, nil, ""), "HTTP 302", 3},
		"deep nesting":               {fakecloudflare.Reply(200, nil, strings.Repeat(`{"result":[`, 50_000)), "not JSON, or only a part of it", 3},
		"a deep result":              {ok(strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)), "not the JSON of an API reply", 10},
		"a page for people":          {fakecloudflare.HTML(200), "not JSON, or only a part of it: <!DOCTYPE html>", 3},
		"a page that forbids":        {fakecloudflare.HTML(403), "base_url: something other than the Cloudflare API answered", 3},
		"a page that asks to log in": {fakecloudflare.HTML(401), "base_url: something other than the Cloudflare API answered", 3},
		"a page of a proxy":          {fakecloudflare.HTML(407), "base_url: something other than the Cloudflare API answered", 3},
		"a page that finds nothing":  {fakecloudflare.HTML(404), "base_url: something other than the Cloudflare API answered", 3},
		"a lost connection":          {fakecloudflare.Custom(func(*http.Request, func() *http.Response) (*http.Response, error) { return nil, io.EOF }), "the connection broke: EOF", 3},
		"a connection that breaks":   {fakecloudflare.Truncate(50), "the connection broke: unexpected EOF", 3},
		"another kind of content":    {fakecloudflare.Reply(200, http.Header{"Content-Type": {"image/png"}}, "\x89PNG\r\n\x1a\n"), "not JSON", 3},
		"an encoding not asked for":  {fakecloudflare.Reply(200, http.Header{"Content-Encoding": {"br"}}, "\x0b\x02\x80"), "not JSON", 3},
		"no result":                  {fakecloudflare.NullResult(), "no list as its result", 3},
		"an object as the result":    {ok(`{"id":"a"}`), "no list as its result", 3},
		"success as text":            {fakecloudflare.Reply(200, nil, `{"success":"true","result":[]}`), "does not report success", 3},
		"success taken back":         {fakecloudflare.Reply(200, nil, `{"success":true,"success":false,"result":[]}`), "does not report success", 3},
		"too many entries":           {ok("[" + strings.Repeat("0,", 100) + "0]"), "more entries than were asked for", 1},
		"far too many entries":       {ok("[" + strings.Repeat("0,", 1_000_000) + "0]"), "more entries than a page can have", 3},
		"a wait of ages":             {status(429, "Retry-After", "99999999999999999999"), "try again in 1h0m0s", 1},
		"a wait until the year 9999": {status(503, "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), "try again in 1h0m0s", 1},
		"a wait below zero":          {status(503, "Retry-After", "-99999999999999999999"), "HTTP 503", 3},
		"a wait that is no number":   {status(503, "Retry-After", "NaN"), "HTTP 503", 3},
		"a huge error code":          {fakecloudflare.Reply(403, nil, `{"success":false,"errors":[{"code":1e999,"message":["`+strings.Repeat("x", 1<<20)+`"]}]}`), "HTTP 403", 1},
		"an endless error":           {fakecloudflare.Reply(403, nil, `{"success":false,"errors":[`+strings.Repeat(`{"code":10000,"message":"no"},`, 100_000)), "HTTP 403", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, c, cursor := soundServer(t)
				time.Sleep(5 * time.Minute)
				before := len(server.Requests())
				server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return tt.fault })
				_, err := c.Poll(t.Context(), cursor)
				require.ErrorContains(t, err, tt.want)
				require.LessOrEqual(t, len(err.Error()), 1000)
				require.NotContains(t, err.Error(), c.cfg.APIToken.Reveal())
				seen := server.Requests()[before:]
				require.LessOrEqual(t, len(seen), tt.requests)
				for _, r := range seen {
					require.Equal(t, "api.example.com", r.Host)
				}
				wait := time.Minute
				if r, ok := errors.AsType[ingest.RetryAfterer](err); ok {
					require.LessOrEqual(t, r.RetryAfter(), cloudflare.LongestWait)
					wait += r.RetryAfter()
				}

				time.Sleep(wait)
				server.Fault(nil)
				server.Add(time.Time{}, fakecloudflare.Entry("new", time.Now().Add(-time.Second), 0))
				require.Equal(t, []string{"new"}, ids(poll1(t, c, cursor)))
			})
		})
	}
}

// What the headers of a reply say about time and budget is not believed beyond
// reason, and the entries that came with them are taken.
func TestPoll_AbsurdHeadersMoveNoWindowAndStopNoFeed(t *testing.T) {
	t.Parallel()
	headers := []http.Header{}
	for _, date := range []string{absurdDates[0], absurdDates[1], absurdDates[2], "", "yesterday"} {
		headers = append(headers, http.Header{"Date": {date}})
	}
	for _, limit := range absurdLimits {
		headers = append(headers, http.Header{"Ratelimit": {limit}})
	}
	for _, first := range []bool{true, false} {
		for _, header := range headers {
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixture(fakecloudflare.Options{})
				fill(server, 10, time.Second)
				c := connect(t, cfg)
				server.Fault(func(n int, _ *http.Request) *fakecloudflare.Fault {
					if (n == 1) == first {
						return fakecloudflare.Header(header)
					}
					return nil
				})
				b := poll1(t, c, nil)
				got := ids(b)
				for i := range 3 {
					id := fmt.Sprintf("new-%d", i)
					time.Sleep(2 * time.Hour)
					server.Add(time.Time{}, fakecloudflare.Entry(id, time.Now().Add(-time.Second), 0))
					b = poll1(t, c, b.Cursor)
					require.False(t, b.More, header)
					require.LessOrEqual(t, b.Coverage.Requests, 2, header)
					require.WithinDuration(t, time.Now(), b.Coverage.Complete, time.Minute, header)
					got = append(got, ids(b)...)
				}
				require.Len(t, got, 13, header)
				require.Len(t, unique(got), 13, header)
			})
		}
	}
}

// Entries with something absurd in them are events as all others are, and the
// sound ones around them are neither lost nor repeated.
func TestPoll_OddEntriesCostNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		cfg.PageSize, cfg.MaxEvents = 7, 20
		now := time.Now().Add(-time.Minute)
		id := func(i int) string { return fmt.Sprintf("odd-%d", i) }
		odd := []string{}
		for _, when := range absurdTimes {
			odd = append(odd, `{"id":"`+id(len(odd))+`","when":`+when+`,"action":{"type":"rec_add"}}`)
		}
		for _, more := range []string{
			`"metadata":{"n":` + strings.Repeat("9", 100_000) + `}`,
			`"metadata":{"n":1e999999999}`,
			`"metadata":` + strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
			`"metadata":` + strings.Repeat(`[`, 9000) + strings.Repeat("]", 9000),
			`"actor":{"email":"a@example.com","email":"b@example.com"},"actor":{}`,
			"\"actor\":{\"email\":\"\xff\xfe\"},\"\xc3\x28\":1",
			`"actor":{"email":"\ud800"},"resource":[],"action":7`,
			`"newValueJson":"` + strings.Repeat("x", 200_000) + `"`,
		} {
			odd = append(odd, `{"id":"`+id(len(odd))+`","when":"1999-12-31T23:58:30Z",`+more+`}`)
		}
		for i, raw := range odd {
			at := now.Add(-time.Duration(i) * time.Minute)
			// Without a time of its own an entry stands where the one before it does.
			server.Add(time.Time{}, fakecloudflare.Entry(fmt.Sprintf("sound-%d", i), at, 0))
			server.Add(at, json.RawMessage(raw))
		}
		want := []string{}
		for i, raw := range odd {
			want = append(want, fmt.Sprintf("sound-%d", i))
			var e struct{ When string }
			_ = json.Unmarshal([]byte(raw), &e)
			// The server shows what has a time in the last day or none, and once
			// it has come what lies ahead.
			when, err := time.Parse(time.RFC3339, e.When)
			if err != nil || when.Sub(now).Abs() < 23*time.Hour {
				want = append(want, id(i))
			}
		}
		c := connect(t, cfg)
		got, cursor, _ := drain(t, c, nil)
		for range 3 {
			time.Sleep(time.Minute)
			var more []string
			more, cursor, _ = drain(t, c, cursor)
			got = append(got, more...)
		}
		require.ElementsMatch(t, want, got)
	})
}

// bomb is a gzip file that inflates without an end to a thousand times its size.
func bomb(w io.Writer) {
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = z.Close()
	for {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

func TestPoll_ACompressedReplyIsBoundedByWhatItInflatesTo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		bomb(w)
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := connectTuned(t, Config{
		AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret("cfat_bomb"), BaseURL: server.URL,
		HTTPClient: &http.Client{Transport: transport},
	}, func(o *cloudflare.Options, _ *feed.Options) { o.MaxBody = 3 << 20 })
	require.ErrorContains(t, c.TestConnection(t.Context()), "the reply is too large: more than 3145728 bytes")
}
