package cloudflareaudit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/audit_logs"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

const (
	// maxBody bounds the body of a reply, decompressed. A page that is larger
	// is asked for again in smaller pages.
	maxBody = 32 << 20
	// maxErrorBody bounds what is read of the body of a failure.
	maxErrorBody = 64 << 10
	// maxAttempts bounds how often one request is sent.
	maxAttempts = 3
	// firstBackoff is the wait before the second attempt; it doubles.
	firstBackoff = 500 * time.Millisecond
	// rateLimitWait is the wait after a 429 that does not name one.
	rateLimitWait = time.Minute
	// longestWait bounds a wait the server asks for, so that a misread or
	// hostile header cannot stop the feed for good.
	longestWait = time.Hour
	// farthestDate bounds how far the Date of a reply may be from the local
	// clock: a window that ends in the year 9999 would be the last one. A local
	// clock that is farther off finds no certificate valid, so that where both
	// disagree by more the Date is wrong.
	farthestDate = 398 * 24 * time.Hour
)

// errTooLarge says that a reply was longer than maxBody. The page holds its
// beginning.
var errTooLarge = errors.New("the reply is too large")

// client sends the requests of one connector.
type client struct {
	accountID string
	service   *audit_logs.AuditLogService
	http      *http.Client
	baseURL   string
	limiter   *limiter
	timeout   time.Duration
	token     Secret
	maxBody   int64
	clock     func() time.Time
	logger    *slog.Logger
	// wrongDate lets the log say only once that a Date is wrong.
	wrongDate sync.Once
}

// query is one request for a page of an audit log.
type query struct {
	*endpoint
	since, before time.Time // in whole seconds; zero leaves them out
	perPage       int
	page          int    // where pages have numbers, from 1
	cursor        string // where they have none
	oldestFirst   bool
	hideUserLogs  bool
}

// reply is what a page brought besides its entries.
type reply struct {
	// date is the server's clock when it answered, to the second, or zero when
	// that is unknown.
	date time.Time
	// took is the time from sending the request to its reply.
	took time.Duration
	// requests counts the attempts, also when they failed, and statuses are
	// those of their replies, or 0 where there was none.
	requests int
	statuses [maxAttempts]int
	// throttled is how long the limiter held them back.
	throttled time.Duration
}

// count adds the requests to c.
func (r *reply) count(c *ingest.Coverage) {
	if r.requests > 0 && c.Statuses == nil {
		c.Statuses = make(map[int]int)
	}
	for _, status := range r.statuses[:r.requests] {
		c.Statuses[status]++
	}
	c.Requests += r.requests
	c.Throttled += r.throttled
}

func newClient(cfg Config) *client {
	httpClient := http.Client{Transport: sharedTransport()}
	if cfg.HTTPClient != nil {
		httpClient = *cfg.HTTPClient
	}
	httpClient.CheckRedirect = sameHost
	c := &client{
		accountID: cfg.AccountID,
		http:      &httpClient,
		baseURL:   cfg.BaseURL,
		limiter:   limiterFor(cfg.APIToken, cfg.RateLimit),
		timeout:   cfg.RequestTimeout,
		token:     cfg.APIToken,
		maxBody:   maxBody,
		clock:     cfg.Clock,
		logger:    cfg.Logger,
	}
	// Built from explicit options alone, the service reads nothing from the
	// environment; retries are ours, because the service's own sleep as long
	// as a reply tells them to.
	c.service = audit_logs.NewAuditLogService(
		option.WithBaseURL(cfg.BaseURL),
		option.WithAPIToken(cfg.APIToken.Reveal()),
		option.WithHTTPClient(&httpClient),
		option.WithMaxRetries(0),
		option.WithHeader("User-Agent", userAgent),
		option.WithMiddleware(c.refuse),
	)
	return c
}

// sharedTransport is the transport of all connectors that are not given a
// client: one pool of connections for the process, without the proxy settings
// of the environment.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 16
	return t
})

// sameHost lets a redirect be followed only where the token may be seen.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return fmt.Errorf("refused a redirect to another host (%s)", clean(req.URL.Host))
	}
	if len(via) >= 5 {
		return errors.New("refused the fifth redirect in a row")
	}
	return nil
}

// page fetches one page of an audit log into p and finds its entries. On
// errTooLarge and errNotJSON, p holds what was read.
func (c *client) page(ctx context.Context, q query, p *page) (reply, error) {
	r, err := c.persist(ctx, func(ctx context.Context, r *reply) error { return c.fetch(ctx, q, p, r) })
	if !r.date.IsZero() && r.date.Sub(c.clock()).Abs() > farthestDate {
		c.wrongDate.Do(func() {
			c.logger.Warn("the Date of the replies is more than a year from the local clock and is not used", "date", r.date)
		})
		r.date = time.Time{}
	}
	return r, err
}

// get fetches what stands at path, below the base URL, for the features beside
// the audit log. The SDK has services for some of these endpoints only.
func (c *client) get(ctx context.Context, path string, params url.Values) (got resource, r reply, err error) {
	r, err = c.persist(ctx, func(ctx context.Context, r *reply) (err error) {
		got, err = c.fetchFrom(ctx, path, params, r)
		return err
	})
	return got, r, err
}

// glance is get for what may be left out: it makes one attempt, and none when
// the budget of requests has little room.
func (c *client) glance(ctx context.Context, path string, params url.Values) (got resource, r reply, err error) {
	if err := c.limiter.spare(ctx); err != nil {
		return got, r, err
	}
	r.requests = 1
	err = c.within(ctx, &r, func(ctx context.Context, r *reply) (err error) {
		got, err = c.fetchFrom(ctx, path, params, r)
		return err
	})
	if wait := retryAfter(err); wait > 0 {
		c.limiter.holdUntil(wait)
	}
	return got, r, err
}

// persist sends a request through the limiter, with attempt, and again after
// passing failures.
func (c *client) persist(ctx context.Context, attempt func(context.Context, *reply) error) (reply, error) {
	var r reply
	for {
		held, err := c.limiter.wait(ctx)
		r.throttled += held
		if err != nil {
			return r, err
		}
		r.requests++
		err = c.within(ctx, &r, attempt)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if wait := retryAfter(err); wait > 0 {
			c.limiter.holdUntil(wait)
		}
		if r.requests >= maxAttempts || !passing(err) {
			return r, err
		}
		// Half fixed, half random, so that connectors that failed together do
		// not come back together.
		backoff := firstBackoff << (r.requests - 1)
		if err := httpx.Sleep(ctx, backoff/2+c.jitter(backoff/2)); err != nil {
			return r, err
		}
	}
}

// jitter is a pause below d. It comes from the account and the time rather than
// from a source of its own, so that a run on a fake clock can be repeated.
func (c *client) jitter(d time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.accountID)
	return time.Duration(rand.New(rand.NewPCG(h.Sum64(), uint64(time.Now().UnixNano()))).Int64N(int64(d)))
}

// within makes one attempt, in the time it may take.
func (c *client) within(ctx context.Context, r *reply, attempt func(context.Context, *reply) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := attempt(ctx, r)
	if err == nil {
		return nil
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		r.statuses[r.requests-1] = api.Status
		if !api.date.IsZero() {
			r.date = api.date
		}
	}
	return c.withoutToken(err)
}

// fetch makes one attempt at a page.
func (c *client) fetch(ctx context.Context, q query, p *page, r *reply) error {
	sent := time.Now()
	resp, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	p.layout = q.layout
	if err := c.receive(resp, sent, p, r); err != nil {
		return err
	}
	env, err := p.scan()
	switch {
	case errors.Is(err, errTooMany):
		return malformed(resp.StatusCode, errTooMany.Error())
	case err != nil && !entire(p.body):
		return c.noJSON(resp.StatusCode, p.body)
	case err != nil:
		// The reader's own words can repeat parts of the body.
		return errNotJSON
	case !env.success:
		return c.noSuccess(resp.StatusCode, env.errors)
	case !env.hasResult:
		return malformed(resp.StatusCode, "the reply reports success but has no list as its result")
	}
	if p.next = ""; !q.numbered {
		p.next, err = nextIn(env.info)
	}
	return err
}

// send sends q. The SDK has a service for the audit log; the one it has for
// Audit Logs v2 would add a package and nothing else.
func (c *client) send(ctx context.Context, q query) (resp *http.Response, err error) {
	if !q.numbered {
		return c.open(ctx, "/accounts/"+c.accountID+"/logs/audit", q.values())
	}
	var params audit_logs.AuditLogListParams
	params.AccountID.Value, params.AccountID.Present = c.accountID, true
	opts := []option.RequestOption{option.WithResponseBodyInto(&resp)}
	for name, values := range q.values() {
		// The typed parameters would send since and before as dates without a
		// time of day.
		opts = append(opts, option.WithQuery(name, values[0]))
	}
	_, err = c.service.List(ctx, params, opts...)
	return resp, err
}

// open asks for what stands at path, below the base URL.
func (c *client) open(ctx context.Context, path string, params url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.baseURL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = params.Encode()
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	return c.refuse(req, c.http.Do)
}

// receive notes a reply and reads its body into p.
func (c *client) receive(resp *http.Response, sent time.Time, p *page, r *reply) error {
	defer resp.Body.Close()
	r.took = time.Since(sent)
	r.date, _ = http.ParseTime(resp.Header.Get("Date"))
	r.statuses[r.requests-1] = resp.StatusCode
	c.limiter.observe(resp.Header)
	return p.read(resp.Body, c.maxBody)
}

// noJSON is the error of a reply that is something else, or torn.
func (c *client) noJSON(status int, body []byte) error {
	return malformed(status, "not JSON, or only a part of it: "+excerpt(c.scrubbed(body[:min(len(body), 4096)])))
}

// noSuccess is the error of a reply with a status of success that reports none.
func (c *client) noSuccess(status int, messages []apiMessage) error {
	e := errorOf(status, c.scrubAll(messages), 0)
	if e.Kind == KindRateLimited {
		e.Wait = rateLimitWait
	}
	if e.Message == "" {
		e.Message = "the reply does not report success"
	}
	return e
}

// resource is what an endpoint other than the audit log replied.
type resource struct {
	// Result is the result as received, a JSON value.
	Result json.RawMessage
	// Messages are what a success has to say.
	Messages []apiMessage
	// TotalPages is how many pages the list has, or 0 when not said.
	TotalPages int
}

// fetchFrom makes one attempt at what stands at path.
func (c *client) fetchFrom(ctx context.Context, path string, params url.Values, r *reply) (resource, error) {
	var out resource
	sent := time.Now()
	resp, err := c.open(ctx, path, params)
	if err != nil {
		return out, err
	}
	var p page
	if err := c.receive(resp, sent, &p, r); err != nil {
		return out, err
	}
	body := value(bytes.TrimSpace(p.body))
	if !jsontext.Value(p.body).IsValid(readOptions...) || body.kind() != '{' {
		return out, c.noJSON(resp.StatusCode, p.body)
	}
	if body.get("success").kind() != 't' {
		return out, c.noSuccess(resp.StatusCode, readMessages(body.get("errors")))
	}
	out.Result = json.RawMessage(body.get("result"))
	out.Messages = readMessages(body.get("messages"))
	out.TotalPages = number(body.get("result_info", "total_pages"))
	return out, nil
}

// values are the parameters of q.
func (q query) values() url.Values {
	v := make(url.Values, 6)
	if !q.since.IsZero() {
		v.Set("since", q.since.UTC().Format(time.RFC3339))
	}
	if !q.before.IsZero() {
		v.Set("before", q.before.UTC().Format(time.RFC3339))
		v.Set("direction", "desc")
	}
	if q.oldestFirst {
		v.Set("direction", "asc")
	}
	if !q.numbered {
		v.Set("limit", strconv.Itoa(q.perPage))
		if q.cursor != "" {
			v.Set("cursor", q.cursor)
		}
		return v
	}
	v.Set("per_page", strconv.Itoa(q.perPage))
	if q.page > 1 {
		v.Set("page", strconv.Itoa(q.page))
	}
	if q.hideUserLogs {
		v.Set("hide_user_logs", "true")
	}
	return v
}

// refuse turns every reply that is not a success into an [APIError], before the
// SDK reads its body without a bound and makes an error that can print the
// token.
func (c *client) refuse(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	resp, err := next(req)
	if err != nil || (resp.StatusCode >= 200 && resp.StatusCode < 300) {
		return resp, err
	}
	defer resp.Body.Close()
	c.limiter.observe(resp.Header)
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	wait := httpx.RetryAfter(resp.Header, time.Now(), longestWait)
	if wait == 0 && resp.StatusCode == http.StatusTooManyRequests {
		wait = rateLimitWait
		if _, reset, ok := parseRateLimit(resp.Header.Get("Ratelimit")); ok {
			wait = reset
		}
	}
	p := page{body: c.scrubbed(body)}
	env, err := p.scan()
	e := errorOf(resp.StatusCode, c.scrubAll(env.errors), wait)
	if err != nil && e.Message == "" {
		e.Message = excerpt(p.body)
		// The API answers in JSON. A page for people says nothing about the
		// token or the account, whatever its status.
		if !e.Temporary() && bytes.HasPrefix(bytes.TrimSpace(p.body), []byte("<")) {
			e.Kind, e.Remedy = KindMalformed, remedyMalformed
		}
	}
	e.date, _ = http.ParseTime(resp.Header.Get("Date"))
	return nil, e
}

// scrub takes the token out of a text that came from outside.
func (c *client) scrub(s string) string {
	if token := c.token.Reveal(); token != "" {
		return strings.ReplaceAll(s, token, redacted)
	}
	return s
}

// scrubbed is body without the token, which has to go before anything is cut
// off: a part of it is too much as well.
func (c *client) scrubbed(body []byte) []byte { return []byte(c.scrub(string(body))) }

// scrubAll takes the token out of messages, where it may have been escaped.
func (c *client) scrubAll(messages []apiMessage) []apiMessage {
	for i := range messages {
		messages[i].Message = c.scrub(messages[i].Message)
	}
	return messages
}

// withoutToken makes sure that err does not show the token, which only a proxy
// or transport that repeats headers could cause.
func (c *client) withoutToken(err error) error {
	if token := c.token.Reveal(); token != "" && strings.Contains(err.Error(), token) {
		return errors.New(c.scrub(err.Error()))
	}
	return err
}

// read fills the page with a body of at most limit bytes.
func (p *page) read(body io.Reader, limit int64) error {
	buf := bytes.NewBuffer(p.body[:0])
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	p.body = buf.Bytes()
	if err != nil {
		return err
	}
	if n > limit {
		p.body = p.body[:limit]
		return fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return nil
}

// passing reports whether the next attempt may well succeed.
func passing(err error) bool {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Wait <= longestSleep && (api.Kind == KindServer || api.Kind == KindMalformed || api.Kind == KindRateLimited)
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, context.Canceled) {
		return false
	}
	// What is left are failures of the network, time-outs among them, and
	// bodies that are damaged, for once or for good.
	return true
}

// retryAfter is how long err says to wait, or zero.
func retryAfter(err error) time.Duration {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Wait
	}
	return 0
}

// entire reports whether body looks like a JSON object that arrived in full, so
// that what is wrong with it is inside.
func entire(body []byte) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte("{")) && bytes.HasSuffix(body, []byte("}"))
}

// excerpt is the beginning of a body, for a person to recognise it by.
func excerpt(body []byte) string {
	const most = 80
	text := strings.Join(strings.Fields(string(body[:min(len(body), 4*most)])), " ")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return clean(strings.ToValidUTF8(text, "\uFFFD"))
}

// failure wraps an error of the client for the host, without the parts of a
// [url.Error] that repeat the whole request.
func failure(e *endpoint, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no reply in time: %w", err)
	case isBroken(err):
		err = fmt.Errorf("the connection broke: %w", err)
	}
	return fmt.Errorf("cloudflareaudit: read %s: %w", e.title, err)
}

// isBroken reports whether err is that the connection ended in the midst of
// something.
func isBroken(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
