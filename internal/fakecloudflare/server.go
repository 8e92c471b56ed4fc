// Package fakecloudflare is a fake of the part of the Cloudflare API that the connector
// talks to, for tests and demonstrations.
//
// It implements the parameters of the audit log rather than replaying recorded
// replies: a [Server] holds a list of entries and answers any since, before,
// direction, page, per_page and filter over them, so that one list serves every
// case of paging, restart and lateness. Entries are served byte for byte as
// they were added.
//
// The API has two endpoints for the audit log, v1 and v2, whose entries and
// paging have nothing in common but the window of time asked for. A server has
// both, each with a list of its own, behind one token and one count of requests.
//
// Where the behaviour of the real API is not documented or differs between
// reports, [Options] offers each variant; a reader of the API should work with
// all of them. What can go wrong on the way is a [Fault], chosen request by
// request with [Server.Fault].
//
// A server is reached through a socket, as an [http.Handler], or without one,
// through [Server.Transport], which starts no goroutine and so works in a
// bubble of testing/synctest.
package fakecloudflare

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Prefix is the path below which the API stands.
const Prefix = "/client/v4"

// The account and the token of a server whose options name none.
const (
	DefaultAccountID = "023e105f4ecef8ad9ca31a8372d0c353"
	DefaultToken     = "cfat_0000000000000000000000000000000000example"
)

// tokenID is the id of the token, which is not the token.
const tokenID = "ed17574386854bf78a67040be0a770b0"

// TokenKind says who a token belongs to, which decides the endpoint that
// verifies it.
type TokenKind int

// The kinds of token.
const (
	AccountToken TokenKind = iota // verified below its account
	UserToken                     // verified below /user
)

// Options are the settings of a [Server]. The zero value is a server that
// behaves as the real API is mostly reported to.
type Options struct {
	// AccountID is the account the token can read; default [DefaultAccountID].
	AccountID string
	// OtherAccounts exist as well, but are not the token's to read.
	OtherAccounts []string
	// Token is the only token accepted; default [DefaultToken].
	Token string
	// TokenKind is the kind of Token.
	TokenKind TokenKind
	// TokenStatus is what verifying the token reports: "active", "disabled" or
	// "expired"; default "active". It does not lock the other endpoints.
	TokenStatus string
	// TokenExpires is when the token expires, or zero when it does not.
	TokenExpires time.Time
	// TokenPolicies is the JSON list of the token's policies. When it is empty,
	// the token may not read its own description.
	TokenPolicies string
	// SeesAccounts are accounts that the token can list besides its own.
	SeesAccounts []string

	// Clock is the server's clock. It decides which entries are visible yet
	// and fills the Date header. The default is time.Now.
	Clock func() time.Time

	// BeforeExclusive leaves out the entries at the instant of before. By
	// default before includes the whole second it falls in.
	BeforeExclusive bool
	// SinceExclusive leaves out the entries at the instant of since, which are
	// included by default.
	SinceExclusive bool
	// PastEnd400 answers a page of v1 past the end with 400 when the number of
	// entries is a multiple of per_page. By default it is an empty list.
	PastEnd400 bool
	// MostPerPage is the most entries v1 shows at once, whatever per_page asks
	// for and without a word about it. Zero stands for 1000.
	MostPerPage int
	// MostDepth answers a page of v1 that begins behind so many entries with
	// 400. Zero is no limit.
	MostDepth int

	// MostLimit is the most entries v2 shows at once, whatever limit asks for
	// and without a word about it. Zero stands for 1000; 100 has been seen.
	MostLimit int
	// OverLimit400 answers a limit above MostLimit with 400 instead.
	OverLimit400 bool
	// EmptyLastPage gives a cursor with every page of v2 that has entries, so
	// that a pass ends with an empty page. By default it ends with the page of
	// the last entry.
	EmptyLastPage bool
	// Disorder is how far from the order of time v2 lists its entries, at most.
	// Each entry keeps its place, so no page shows one again.
	Disorder time.Duration
	// CursorLife is the number of further requests, to whichever endpoint, in
	// which a cursor of v2 is valid. Zero is no limit.
	CursorLife int
	// CursorStuck answers a request of v2 that comes with a cursor with the same
	// cursor again, and so with the same page, without an end.
	CursorStuck bool

	// Lag is how far behind the log is that a request is answered from, as if
	// by a replica that has not caught up. It is called for each request.
	Lag func() time.Duration
	// ErrorsNull makes the errors of a success null. By default they are an
	// empty list.
	ErrorsNull bool
	// NoDate leaves out the Date header.
	NoDate bool
}

// Server is the fake. Make one with [NewServer]; its methods are safe for
// concurrent use.
type Server struct {
	opts Options

	mu       sync.Mutex
	v1, v2   store
	members  [][]byte
	tokens   [][]byte // of the account
	ofUsers  [][]byte // tokens of the user that owns the token
	denied   []string
	requests []Request
	hook     func(n int, r *http.Request) *Fault

	// hooking lets one request at a time call hook, so that a hook may keep
	// state of its own without a lock.
	hooking sync.Mutex
}

// Request is what a server saw of one request and made of it.
type Request struct {
	// At is the time of arrival, by the server's clock.
	At time.Time
	// Method, Host and Path say what was asked, and of whom.
	Method string
	Host   string
	Path   string
	// Query and Header are as received and must not be changed.
	Query  url.Values
	Header http.Header
	// Status is the status answered, or 0 while there is no answer and when
	// there never was one.
	Status int
	// Entries counts the entries of the page answered, also when a fault
	// spoilt it afterwards.
	Entries int
}

// NewServer returns a server without entries and members.
func NewServer(opts Options) *Server {
	if opts.AccountID == "" {
		opts.AccountID = DefaultAccountID
	}
	if opts.Token == "" {
		opts.Token = DefaultToken
	}
	if opts.TokenStatus == "" {
		opts.TokenStatus = "active"
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	return &Server{opts: opts, v2: store{spread: opts.Disorder}}
}

// Add adds entries of v1 that the server shows from visibleAt on, by its own
// clock; the zero time shows them at once. The time an entry is filed under is
// its own, see [When], so an entry that becomes visible long after it is a late
// one. An entry whose time cannot be read is filed where the entry before it in
// the same call is, or else at visibleAt.
//
// The entries are kept and served as they are and must not change afterwards.
// Anything goes that is one JSON value.
func (s *Server) Add(visibleAt time.Time, entries ...json.RawMessage) {
	s.add(&s.v1, visibleAt, entries)
}

// AddV2 is Add for entries of v2.
func (s *Server) AddV2(visibleAt time.Time, entries ...json.RawMessage) {
	s.add(&s.v2, visibleAt, entries)
}

func (s *Server) add(to *store, visibleAt time.Time, entries []json.RawMessage) {
	stamp := visibleAt
	items := make([]item, len(entries))
	for i, raw := range entries {
		if when, ok := When(raw); ok {
			stamp = when
		}
		items[i] = item{stamp: stamp, visible: visibleAt, raw: raw}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to.add(items...)
}

// Len is the number of entries of v1 added, visible or not.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.v1.items)
}

// LenV2 is the number of entries of v2 added, visible or not.
func (s *Server) LenV2() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.v2.items)
}

// SetMembers replaces the members of the account. They are served as they are.
func (s *Server) SetMembers(members ...json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = copies(members)
}

func copies(values []json.RawMessage) [][]byte {
	list := make([][]byte, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

// SetTokens replaces the API tokens that belong to the account, and
// SetUserTokens those of the user who owns a token of kind [UserToken]. Each is
// found by its "id" and served as it is.
func (s *Server) SetTokens(tokens ...json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = copies(tokens)
}

// SetUserTokens replaces the API tokens of the user, see [Server.SetTokens].
func (s *Server) SetUserTokens(tokens ...json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ofUsers = copies(tokens)
}

// Deny takes from the token the permission for endpoints: "audit_logs",
// "logs/audit", "logs/audit/history", "members", "tokens" and "user/tokens". A request to one of them
// is answered as the API does when a permission is missing. Every other
// permission is granted, so without an argument all of them are.
func (s *Server) Deny(endpoints ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = slices.Clone(endpoints)
}

func (s *Server) isDenied(endpoint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.denied, endpoint)
}

// Fault installs a hook that is called for every request, before it is
// answered, with the request's ordinal, which is 1 for the first one. The fault
// it returns befalls that request; nil lets it pass. Calls are made one at a
// time. A nil hook removes the one there is.
func (s *Server) Fault(hook func(n int, r *http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Requests returns the requests seen so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// respond answers one request. An error stands for a connection that breaks
// before there is a reply.
func (s *Server) respond(r *http.Request) (*http.Response, error) {
	req := Request{
		At:     s.opts.Clock(),
		Method: r.Method,
		Host:   r.Host,
		Path:   r.URL.Path,
		Query:  r.URL.Query(),
		Header: r.Header.Clone(),
	}
	if req.Host == "" {
		req.Host = r.URL.Host
	}
	s.mu.Lock()
	s.requests = append(s.requests, req)
	n := len(s.requests)
	hook := s.hook
	s.mu.Unlock()

	entries := 0
	answer := func() (resp *http.Response) {
		resp, entries = s.answer(r)
		return resp
	}
	var fault *Fault
	if hook != nil {
		s.hooking.Lock()
		fault = hook(n, r)
		s.hooking.Unlock()
	}
	var resp *http.Response
	if fault == nil {
		resp = answer()
	} else {
		var err error
		if resp, err = fault.serve(r, answer); err != nil {
			return nil, err
		}
	}
	if !s.opts.NoDate && resp.Header.Get("Date") == "" {
		resp.Header.Set("Date", s.opts.Clock().UTC().Format(http.TimeFormat))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[n-1].Status = resp.StatusCode
	s.requests[n-1].Entries = entries
	return resp, nil
}

// answer answers one request as the API would, and counts the entries in the
// reply.
func (s *Server) answer(r *http.Request) (*http.Response, int) {
	if r.Method != http.MethodGet {
		return failure(http.StatusMethodNotAllowed, apiError{Code: 10405, Message: "Method not allowed"}), 0
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind != "Bearer" || token == "" || strings.ContainsAny(token, " \t\r\n") {
		return failure(http.StatusBadRequest, apiError{6003, "Invalid request headers",
			[]apiError{{Code: 6111, Message: "Invalid format for Authorization header"}}}), 0
	}
	path, _ := strings.CutPrefix(r.URL.Path, Prefix+"/")
	account, isAccount := "", false
	if rest, ok := strings.CutPrefix(path, "accounts/"); ok {
		account, path, isAccount = strings.Cut(rest, "/")
		path = "accounts/{id}/" + path
	}
	known := token == s.opts.Token
	switch path {
	case "user/tokens/verify":
		if !known || s.opts.TokenKind != UserToken {
			return invalidToken(), 0
		}
		return s.verify(), 0
	case "accounts/{id}/tokens/verify":
		if !known || s.opts.TokenKind != AccountToken {
			return invalidToken(), 0
		}
	}
	if !known {
		return unauthorised(), 0
	}
	if isAccount && account != s.opts.AccountID {
		switch {
		case slices.Contains(s.opts.OtherAccounts, account):
			return unauthorised(), 0
		case isHex32(account):
			return noRoute(http.StatusNotFound, r.URL.Path), 0
		}
		return noRoute(http.StatusBadRequest, r.URL.Path), 0
	}
	if path == "accounts/{id}/tokens/"+tokenID || path == "user/tokens/"+tokenID {
		if s.opts.TokenPolicies == "" || isAccount != (s.opts.TokenKind == AccountToken) {
			return unauthorised(), 0
		}
		return s.success(fmt.Appendf(nil, `{"id":%q,"policies":%s}`, tokenID, s.opts.TokenPolicies), "", ""), 0
	}
	path, id := tokenPath(path)
	if id == "" {
		path, id = historyPath(path)
	}
	if s.isDenied(strings.TrimPrefix(path, "accounts/{id}/")) {
		return unauthorised(), 0
	}
	switch path {
	case "accounts/{id}/tokens":
		return s.token(func() [][]byte { return s.tokens }, id), 0
	case "user/tokens":
		if s.opts.TokenKind != UserToken {
			return unauthorised(), 0
		}
		return s.token(func() [][]byte { return s.ofUsers }, id), 0
	case "accounts/{id}/audit_logs":
		return s.auditLogs(r.URL.Query())
	case "accounts/{id}/logs/audit":
		return s.auditLogsV2(r.URL.Query())
	case "accounts/{id}/logs/audit/history":
		return s.auditHistory(id, r.URL.Query())
	case "accounts/{id}/members":
		return s.listMembers(r.URL.Query()), 0
	case "accounts/{id}/tokens/verify":
		return s.verify(), 0
	case "accounts":
		return s.listAccounts(), 0
	}
	return noRoute(http.StatusBadRequest, r.URL.Path), 0
}

// listAccounts answers the accounts that the token can see.
func (s *Server) listAccounts() *http.Response {
	var accounts [][]byte
	for i, id := range append([]string{s.opts.AccountID}, s.opts.SeesAccounts...) {
		accounts = append(accounts, fmt.Appendf(nil, `{"id":%q,"name":"Example %d"}`, id, i+1))
	}
	return s.success(list(accounts), "", "")
}

// auditLogs answers a page of v1.
func (s *Server) auditLogs(params url.Values) (*http.Response, int) {
	q, err := s.opts.query(params)
	if err != nil {
		return badRequest(err), 0
	}
	if s.opts.MostDepth > 0 && q.page-1 > s.opts.MostDepth/q.perPage {
		return badRequest(fmt.Errorf("page %d of %d entries each is too deep", q.page, q.perPage)), 0
	}
	now := s.logTime()
	s.mu.Lock()
	entries, total := s.v1.page(q, now)
	s.mu.Unlock()
	if s.opts.PastEnd400 && q.page > 1 && len(entries) == 0 && total%q.perPage == 0 {
		return badRequest(fmt.Errorf("page %d is past the end", q.page)), 0
	}
	return s.success(list(entries), "", ""), len(entries)
}

// logTime is the time up to which the log answers a request.
func (s *Server) logTime() time.Time {
	now := s.opts.Clock()
	if s.opts.Lag != nil {
		now = now.Add(-s.opts.Lag())
	}
	return now
}

// window reads the parameters that both endpoints have.
func (o Options) window(params url.Values) (q query, err error) {
	if v := params.Get("since"); params.Has("since") {
		if q.from, err = parseBound(v); err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
		if o.SinceExclusive {
			q.from = q.from.Add(1)
		}
	}
	if v := params.Get("before"); params.Has("before") {
		if q.to, err = parseBound(v); err != nil {
			return q, fmt.Errorf("before: %w", err)
		}
		if !o.BeforeExclusive {
			q.to = q.to.Truncate(time.Second).Add(time.Second)
		}
	}
	switch v := params.Get("direction"); v {
	case "", "desc":
	case "asc":
		q.asc = true
	default:
		return q, fmt.Errorf("direction: %q is neither asc nor desc", v)
	}
	return q, nil
}

// query reads the parameters of v1.
func (o Options) query(params url.Values) (query, error) {
	q, err := o.window(params)
	if err != nil {
		return q, err
	}
	q.match = filter(params)
	if v := params.Get("hide_user_logs"); v != "" {
		hide, err := strconv.ParseBool(v)
		if err != nil {
			return q, fmt.Errorf("hide_user_logs: %w", err)
		}
		if hide {
			q.match = append(q.match, func(raw []byte) bool {
				owner := text(raw, "owner", "id")
				return owner == "" || owner != text(raw, "actor", "id")
			})
		}
	}
	q.page, q.perPage, err = paging(params, 100, 1000)
	if o.MostPerPage > 0 {
		q.perPage = min(q.perPage, o.MostPerPage)
	}
	return q, err
}

// filter returns what an entry must meet to equal the values asked for.
func filter(params url.Values) (match []func(raw []byte) bool) {
	for _, name := range []string{"id", "action.type", "actor.ip", "actor.email"} {
		if want := params.Get(name); want != "" {
			path := strings.Split(name, ".")
			match = append(match, func(raw []byte) bool { return text(raw, path...) == want })
		}
	}
	if want := params.Get("zone.name"); want != "" {
		match = append(match, func(raw []byte) bool {
			return text(raw, "metadata", "zone_name") == want ||
				text(raw, "newValueJson", "zone_name") == want ||
				text(raw, "oldValueJson", "zone_name") == want
		})
	}
	return match
}

// parseBound reads a time or a date.
func parseBound(v string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, v); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, v)
}

// paging reads page and per_page.
func paging(params url.Values, usual, most int) (page, perPage int, err error) {
	page, perPage = 1, usual
	if v := params.Get("page"); v != "" {
		if page, err = strconv.Atoi(v); err != nil || page < 1 {
			return 0, 0, fmt.Errorf("page: %q is not a number from 1", v)
		}
	}
	if v := params.Get("per_page"); v != "" {
		if perPage, err = strconv.Atoi(v); err != nil || perPage < 1 || perPage > most {
			return 0, 0, fmt.Errorf("per_page: %q is not a number from 1 to %d", v, most)
		}
	}
	return page, perPage, nil
}

// listMembers answers a page of the members.
func (s *Server) listMembers(params url.Values) *http.Response {
	page, perPage, err := paging(params, 20, 50)
	if err != nil {
		return badRequest(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	total := len(s.members)
	from := min((page-1)*perPage, total)
	part := s.members[from:min(from+perPage, total)]
	info := fmt.Sprintf(`{"page":%d,"per_page":%d,"count":%d,"total_count":%d,"total_pages":%d}`,
		page, perPage, len(part), total, (total+perPage-1)/perPage)
	return s.success(list(part), "", info)
}

// tokenPath takes the id of an API token off a path.
func tokenPath(path string) (rest, id string) {
	for _, prefix := range []string{"accounts/{id}/tokens", "user/tokens"} {
		if id, ok := strings.CutPrefix(path, prefix+"/"); ok && id != "verify" {
			return prefix, id
		}
	}
	return path, ""
}

// token answers for one API token of a list. How the API says that there is no
// such token is not published.
func (s *Server) token(from func() [][]byte, id string) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range from() {
		if text(t, "id") == id && id != "" {
			return s.success(t, "", "")
		}
	}
	return failure(http.StatusNotFound, apiError{Code: 1001, Message: "Token not found"})
}

// verify answers for a token that exists.
func (s *Server) verify() *http.Response {
	expires := ""
	if !s.opts.TokenExpires.IsZero() {
		expires = s.opts.TokenExpires.UTC().Format(`,"expires_on":"2006-01-02T15:04:05Z"`)
	}
	result := fmt.Sprintf(`{"id":%q,"status":%q,"not_before":"2024-01-01T00:00:00Z"%s}`,
		tokenID, s.opts.TokenStatus, expires)
	return s.success([]byte(result), `{"code":10000,"message":"This API Token is valid and active","type":null}`, "")
}

// isHex32 reports whether id has the form of an account id.
func isHex32(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

var _ http.Handler = (*Server)(nil)

// ServeHTTP implements [http.Handler]. Reset and a body that breaks off close
// the connection. Note that an http.Transport repeats a request by itself when
// a connection it has used before breaks without a reply, so a reset may be
// followed by one more request than the client made.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := s.respond(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	if s.opts.NoDate {
		w.Header()["Date"] = nil // net/http would add its own
	}
	w.WriteHeader(resp.StatusCode)
	if err := copyBody(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
