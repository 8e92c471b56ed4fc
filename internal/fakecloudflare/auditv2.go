package fakecloudflare

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// auditLogsV2 answers a page of v2.
func (s *Server) auditLogsV2(params url.Values) (*http.Response, int) {
	q, err := s.opts.queryV2(params)
	if err != nil {
		return badRequestV2(err), 0
	}
	entries, next, err := s.pageV2(q, params)
	if err != nil {
		return badRequestV2(err), 0
	}
	return s.successV2(entries, next, ""), len(entries)
}

// pageV2 is the page of q that the cursor of the parameters leads to, and the
// cursor of the next one.
func (s *Server) pageV2(q query, params url.Values) (entries [][]byte, next string, err error) {
	var last *position
	asked := params.Get("cursor")
	if params.Has("cursor") {
		c, err := readCursor(asked)
		if err == nil {
			err = s.check(c, q)
		}
		if err != nil {
			return nil, "", fmt.Errorf("cursor: %w", err)
		}
		last = &position{time.Unix(c.Second, c.Nano), c.N}
	}
	now := s.logTime()
	s.mu.Lock()
	items, more := s.v2.behind(last, q, now)
	seen := len(s.requests)
	s.mu.Unlock()

	for _, it := range items {
		entries = append(entries, it.raw)
	}
	switch {
	case s.opts.CursorStuck && last != nil:
		next = asked
	case more || s.opts.EmptyLastPage && len(items) > 0:
		end := items[len(items)-1]
		next = cursor{windowOf(q), end.place.Unix(), int64(end.place.Nanosecond()), end.n, seen}.text()
	}
	return entries, next, nil
}

// queryV2 reads the parameters of v2. It knows no pages, and ignores page and
// per_page.
func (o Options) queryV2(params url.Values) (query, error) {
	for _, name := range []string{"since", "before"} {
		if !params.Has(name) {
			return query{}, fmt.Errorf("%s is required", name)
		}
	}
	q, err := o.window(params)
	if err != nil {
		return q, err
	}
	most := cmp.Or(o.MostLimit, 1000)
	q.perPage = 100
	if v := params.Get("limit"); params.Has("limit") {
		if q.perPage, err = strconv.Atoi(v); err != nil || q.perPage < 1 {
			return q, fmt.Errorf("limit: %q is not a number from 1", v)
		}
		if o.OverLimit400 && q.perPage > most {
			return q, fmt.Errorf("limit: %d is more than %d", q.perPage, most)
		}
	}
	q.perPage = min(q.perPage, most)
	return q, nil
}

// cursor is what a cursor of v2 says: the window it belongs to, and the
// position of the last entry that was shown. What comes into the window before
// that entry is not on a later page. It says all by itself, so it outlives the
// server.
type cursor struct {
	Window       string
	Second, Nano int64 // of the position's place, which may be in any year
	N            int
	Given        int // the requests seen when it was given
}

// windowOf names the window of a query, however its bounds were written.
func windowOf(q query) string {
	return fmt.Sprint(q.from.Unix(), q.from.Nanosecond(), q.to.Unix(), q.to.Nanosecond(), q.asc)
}

var (
	errMadeUp  = errors.New("not one of ours")
	errWindow  = errors.New("it belongs to another window")
	errExpired = errors.New("it has expired")
)

// check reports why c cannot be used for q.
func (s *Server) check(c cursor, q query) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Window != windowOf(q):
		return errWindow
	case s.opts.CursorLife > 0 && len(s.requests)-c.Given > s.opts.CursorLife:
		return errExpired
	}
	return nil
}

// text is the cursor as the client gets it. It may have characters that a query
// must escape.
func (c cursor) text() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return base64.StdEncoding.EncodeToString(append(seal(b), b...))
}

// readCursor reads what text wrote.
func readCursor(text string) (c cursor, err error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < sealLen || !bytes.Equal(b[:sealLen], seal(b[sealLen:])) {
		return c, errMadeUp
	}
	return c, json.Unmarshal(b[sealLen:], &c)
}

const sealLen = 8

// seal tells a cursor of ours from a made-up one.
func seal(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:sealLen]
}
