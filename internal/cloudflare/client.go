// Package cloudflare sends the requests of a connector to the Cloudflare API,
// within the request budget of its token, and reads the replies as far as
// needed to tell audit-log entries apart. It does not interpret entries.
package cloudflare

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/audit_logs"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/jitter"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// MaxAttempts bounds how often one request is sent.
	MaxAttempts = 3
	// LongestWait bounds a wait the server asks for, so that a misread or
	// hostile header cannot stop the feed for good.
	LongestWait = time.Hour

	// maxBody bounds the body of a reply, decompressed. A larger page is
	// requested again in smaller pages.
	maxBody = 10 << 20
	// maxErrorBody bounds the bytes read of the body of a failure.
	maxErrorBody = 64 << 10
	// firstBackoff is the pause before the second attempt; it doubles.
	firstBackoff = 500 * time.Millisecond
	// rateLimitWait is the wait after a 429 that does not name one.
	rateLimitWait = time.Minute
	// farthestDate bounds how far the Date of a reply may be from the local
	// clock: a window that ends in the year 9999 would be the last one. With a
	// local clock that is off by more, TLS finds no certificate valid, so if
	// the two differ by more the Date is wrong.
	farthestDate = 398 * 24 * time.Hour
)

// Options configure a [Client]. All but MaxBody and Limiter are required.
type Options struct {
	AccountID string
	// Token is the API token. It is sent to BaseURL and shown nowhere.
	Token interface{ Reveal() string }
	// BaseURL is the address of the API.
	BaseURL string
	// UserAgent names the connector to Cloudflare.
	UserAgent string
	// HTTPClient sends the requests, without following redirects to another
	// host. Nil means a transport that all clients of the process share and
	// that takes no proxy from the environment.
	HTTPClient *http.Client
	// RateLimit is the most requests in five minutes. Clients of one process
	// with the same token share them, by the lowest of their limits.
	RateLimit int
	// RequestTimeout bounds one attempt, its reply included.
	RequestTimeout time.Duration
	Clock          func() time.Time
	Logger         *slog.Logger

	// MaxBody bounds the body of a reply, decompressed, in bytes; 10 MB by
	// default.
	MaxBody int64
	// Limiter replaces the one that clients with this token share.
	Limiter *Limiter
}

// Client sends the requests of one connector. It is safe for concurrent use.
type Client struct {
	opts    Options
	service *audit_logs.AuditLogService
	http    *http.Client
	limiter *Limiter
	// wrongDate makes the warning about a wrong Date appear only once.
	wrongDate sync.Once
}

// Reply is the metadata of a reply.
type Reply struct {
	// Date is the server's clock when it answered, to the second, or zero when
	// that is unknown.
	Date time.Time
	// Took is the time from sending the request to its reply.
	Took time.Duration

	// requests counts the attempts, failed ones included, and statuses are
	// those of their replies, or 0 where there was none.
	requests int
	statuses [MaxAttempts]int
	// throttled is how long the limiter held them back.
	throttled time.Duration
}

// Count adds the requests to c.
func (r *Reply) Count(c *ingest.Coverage) {
	if r.requests > 0 && c.Statuses == nil {
		c.Statuses = make(map[int]int)
	}
	for _, status := range r.statuses[:r.requests] {
		c.Statuses[status]++
	}
	c.Requests += r.requests
	c.Throttled += r.throttled
}

// New makes a client. It does no I/O.
func New(o Options) *Client {
	httpClient := http.Client{Transport: sharedTransport()}
	if o.HTTPClient != nil {
		httpClient = *o.HTTPClient
	}
	httpClient.CheckRedirect = sameHost
	o.MaxBody = cmp.Or(o.MaxBody, maxBody)
	if o.Limiter == nil {
		o.Limiter = limiterFor(o.Token.Reveal(), o.RateLimit)
	}
	return &Client{
		opts: o, http: &httpClient, limiter: o.Limiter,
		// Built from explicit options alone, the service reads nothing from the
		// environment. It does not retry by itself, because its retries sleep
		// for as long as a reply asks.
		service: audit_logs.NewAuditLogService(
			option.WithBaseURL(o.BaseURL),
			option.WithAPIToken(o.Token.Reveal()),
			option.WithHTTPClient(&httpClient),
			option.WithMaxRetries(0),
			option.WithHeader("User-Agent", o.UserAgent),
		),
	}
}

// sharedTransport is the transport of all connectors without a client of their
// own: one connection pool for the process, without the proxy settings of the
// environment.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 16
	return t
})

// sameHost allows only redirects to the host that may see the token.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return fmt.Errorf("refused a redirect to another host (%s)", text.Clean(req.URL.Host, 200))
	}
	if len(via) >= 5 {
		return errors.New("refused to follow a fifth redirect in a row")
	}
	return nil
}

// Page fetches one page of an audit log into p and finds its entries. On an
// [Unreadable] error, p holds what was read.
func (c *Client) Page(ctx context.Context, q Query, p *Page) (Reply, error) {
	r, err := c.persist(ctx, func(ctx context.Context, r *Reply) error { return c.fetchPage(ctx, &q, p, r) })
	if !r.Date.IsZero() && r.Date.Sub(c.opts.Clock()).Abs() > farthestDate {
		c.wrongDate.Do(func() {
			c.opts.Logger.Warn("the Date of the replies is more than a year from the local clock and is not used", "date", r.Date)
		})
		r.Date = time.Time{}
	}
	return r, err
}

// Get fetches the resource at path, below the base URL, for the features
// besides the audit log. The SDK has services for only some of these endpoints.
func (c *Client) Get(ctx context.Context, path string, params url.Values) (got Resource, r Reply, err error) {
	r, err = c.persist(ctx, func(ctx context.Context, r *Reply) (err error) {
		got, err = c.fetchResource(ctx, path, params, r)
		return err
	})
	return got, r, err
}

// Glance is Get for optional data: it makes one attempt, and none when the
// request budget has little room.
func (c *Client) Glance(ctx context.Context, path string, params url.Values) (got Resource, r Reply, err error) {
	if err := c.limiter.spare(ctx); err != nil {
		return got, r, err
	}
	r.requests = 1
	err = c.within(ctx, &r, func(ctx context.Context, r *Reply) (err error) {
		got, err = c.fetchResource(ctx, path, params, r)
		return err
	})
	c.heed(err)
	return got, r, err
}

// persist makes attempts at a request, each within the budget, until one
// succeeds or fails permanently.
func (c *Client) persist(ctx context.Context, attempt func(context.Context, *Reply) error) (Reply, error) {
	var r Reply
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
		c.heed(err)
		if r.requests >= MaxAttempts || !temporary(err) {
			return r, err
		}
		backoff := firstBackoff << (r.requests - 1)
		if err := httpx.Sleep(ctx, backoff/2+jitter.Below(c.opts.AccountID, backoff/2)); err != nil {
			return r, err
		}
	}
}

// heed holds back further requests for as long as a refusal asks.
func (c *Client) heed(err error) {
	if api, ok := errors.AsType[*apierror.Error](err); ok && api.Wait > 0 {
		c.limiter.holdUntil(api.Wait, api.Status != http.StatusTooManyRequests)
	}
}

// within makes one attempt, bounded by the request timeout.
func (c *Client) within(ctx context.Context, r *Reply, attempt func(context.Context, *Reply) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.RequestTimeout)
	defer cancel()
	return c.withoutToken(attempt(ctx, r))
}

// fetchPage makes one attempt at a page.
func (c *Client) fetchPage(ctx context.Context, q *Query, p *Page, r *Reply) error {
	sent := time.Now()
	resp, err := c.send(ctx, q, r)
	if err != nil {
		return err
	}
	p.log = q.Log
	if err := c.receive(resp, sent, p, r); err != nil {
		return err
	}
	env, err := p.scan()
	switch {
	case errors.Is(err, errTooMany):
		return apierror.Malformed(resp.StatusCode, errTooMany.Error())
	case err != nil && !entire(p.body):
		return c.noJSON(resp.StatusCode, p.body)
	case err != nil:
		// The reader's error would tell the host nothing more.
		return errNotJSON
	case !env.success:
		return c.noSuccess(resp.StatusCode, env.errors)
	case !env.hasList:
		return apierror.Malformed(resp.StatusCode, "the reply reports success but has no list as its result")
	}
	if !q.Log.Numbered {
		p.next, err = nextIn(env.info)
	}
	return err
}

// send sends q. The SDK has a service for the audit log; the one it has for
// Audit Logs v2 would add a package and nothing else.
func (c *Client) send(ctx context.Context, q *Query, r *Reply) (resp *http.Response, err error) {
	if q.Log != V1 {
		return c.open(ctx, "/accounts/"+c.opts.AccountID+q.Log.path, q.values(), r)
	}
	var params audit_logs.AuditLogListParams
	params.AccountID.Value, params.AccountID.Present = c.opts.AccountID, true
	opts := []option.RequestOption{
		option.WithResponseBodyInto(&resp),
		option.WithMiddleware(func(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			return c.refuse(req, next, r)
		}),
	}
	for name, values := range q.values() {
		// The SDK's typed parameters would send since and before as dates
		// without a time of day.
		opts = append(opts, option.WithQuery(name, values[0]))
	}
	_, err = c.service.List(ctx, params, opts...)
	return resp, err
}

// open requests the resource at path, below the base URL.
func (c *Client) open(ctx context.Context, path string, params url.Values, r *Reply) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.opts.BaseURL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = params.Encode()
	req.Header.Set("Authorization", "Bearer "+c.opts.Token.Reveal())
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Accept", "application/json")
	return c.refuse(req, c.http.Do, r)
}

// receive records a reply and reads its body into p.
func (c *Client) receive(resp *http.Response, sent time.Time, p *Page, r *Reply) error {
	defer resp.Body.Close()
	r.Took = time.Since(sent)
	r.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	r.statuses[r.requests-1] = resp.StatusCode
	c.limiter.observe(resp.Header)
	return p.read(resp.Body, c.opts.MaxBody)
}

// noJSON is the error of a reply that is not JSON, or is cut off.
func (c *Client) noJSON(status int, body []byte) error {
	return apierror.Malformed(status, "not JSON, or only a part of it: "+excerpt(c.scrubbed(body[:min(len(body), 4096)])))
}

// noSuccess is the error of a reply with a success status whose body reports a
// failure.
func (c *Client) noSuccess(status int, messages []apierror.Message) error {
	e := apierror.New(status, c.scrubAll(messages), 0)
	if e.Kind == apierror.KindRateLimited {
		e.Wait = rateLimitWait
	}
	e.Message = cmp.Or(e.Message, "the reply does not report success")
	return e
}

// Resource is the reply of an endpoint other than the audit logs.
type Resource struct {
	// Result is the result as received, a JSON value.
	Result json.RawMessage
	// Messages are the messages of a successful reply.
	Messages []apierror.Message
	// TotalPages is how many pages the list has, or 0 when not stated.
	TotalPages int
	// HistoryStatus is how well the history of a resource is known: "exact",
	// "approximate" or "unavailable". It is "" for every other resource.
	HistoryStatus string
}

// fetchResource makes one attempt at the resource at path.
func (c *Client) fetchResource(ctx context.Context, path string, params url.Values, r *Reply) (Resource, error) {
	sent := time.Now()
	resp, err := c.open(ctx, path, params, r)
	if err != nil {
		return Resource{}, err
	}
	var p Page
	if err := c.receive(resp, sent, &p, r); err != nil {
		return Resource{}, err
	}
	err = p.doc.Parse(shared(p.body))
	body := p.doc.Root()
	switch {
	case err != nil || body.Kind() != jsondoc.Object:
		return Resource{}, c.noJSON(resp.StatusCode, p.body)
	case body.Get("success").Kind() != jsondoc.True:
		return Resource{}, c.noSuccess(resp.StatusCode, readMessages(body.Get("errors")))
	}
	return Resource{
		Result:        json.RawMessage(body.Get("result").Source()),
		Messages:      readMessages(body.Get("messages")),
		TotalPages:    integer(body.Get("result_info", "total_pages")),
		HistoryStatus: body.Get("result_info", "history_status").Text(),
	}, nil
}

// refuse sends a request and turns every unsuccessful reply into an
// [apierror.Error], because the SDK would read its body without a bound and
// make an error that can print the token.
func (c *Client) refuse(req *http.Request, next option.MiddlewareNext, r *Reply) (*http.Response, error) {
	resp, err := next(req)
	if err != nil || (resp.StatusCode >= 200 && resp.StatusCode < 300) {
		return resp, err
	}
	defer resp.Body.Close()
	c.limiter.observe(resp.Header)
	r.statuses[r.requests-1] = resp.StatusCode
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.Date = date
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	return nil, c.refusal(resp, body)
}

// refusal is the error of an unsuccessful reply.
func (c *Client) refusal(resp *http.Response, body []byte) *apierror.Error {
	wait := httpx.RetryAfter(resp.Header, time.Now(), LongestWait)
	if wait == 0 && resp.StatusCode == http.StatusTooManyRequests {
		wait = rateLimitWait
		if _, reset, ok := parseRateLimit(resp.Header.Get("Ratelimit")); ok {
			wait = reset
		}
	}
	p := Page{body: c.scrubbed(body)}
	env, err := p.scan()
	e := apierror.New(resp.StatusCode, c.scrubAll(env.errors), wait)
	if err == nil || e.Message != "" {
		return e
	}
	if !e.Temporary() && bytes.HasPrefix(bytes.TrimSpace(p.body), []byte("<")) {
		// The API answers in JSON. An HTML page says nothing about the token or
		// the account, whatever its status.
		e = apierror.Malformed(resp.StatusCode, "")
		e.Wait = wait
	}
	e.Message = excerpt(p.body)
	return e
}

// Scrub removes the token from an untrusted text, such as a page that repeats the
// headers of the request, also where it is in base64 or escaped.
func (c *Client) Scrub(s string) string {
	// This is needed only after a failure, so what is looked for is not kept.
	shown, _ := text.Hide(c.opts.Token.Reveal())(s, text.Redacted)
	return shown
}

// scrubbed is body without the token, which is removed before the text is
// shortened: even a part of the token must not be shown.
func (c *Client) scrubbed(body []byte) []byte { return []byte(c.Scrub(string(body))) }

// scrubAll removes the token from messages, where it may be escaped.
func (c *Client) scrubAll(messages []apierror.Message) []apierror.Message {
	for i := range messages {
		messages[i].Message = c.Scrub(messages[i].Message)
	}
	return messages
}

// withoutToken makes sure that err does not show the token, which only a proxy
// or transport that repeats headers could cause.
func (c *Client) withoutToken(err error) error {
	if err == nil {
		return nil
	}
	if shown := c.Scrub(err.Error()); shown != err.Error() {
		return errors.New(shown)
	}
	return err
}

// temporary reports whether the next attempt may well succeed.
func temporary(err error) bool {
	if api, ok := errors.AsType[*apierror.Error](err); ok {
		return api.Wait <= LongestSleep && api.Temporary()
	}
	// What is unreadable is requested again in other pages. The rest are network
	// failures, including time-outs and replies that are cut off.
	return !Unreadable(err) && !errors.Is(err, context.Canceled)
}

// Status is the HTTP status of a refused request, or 0.
func Status(err error) int {
	if api, ok := errors.AsType[*apierror.Error](err); ok {
		return api.Status
	}
	return 0
}

// entire reports whether body looks like a JSON object that arrived in full, so
// that the fault is inside it.
func entire(body []byte) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte("{")) && bytes.HasSuffix(body, []byte("}"))
}

// excerpt is the beginning of a body, by which a person can recognise it.
func excerpt(body []byte) string {
	const most = 80
	return text.Excerpt(shared(body), most)
}

// Failed is the error of a request for the log, worded for a host.
func (l *Log) Failed(err error) error {
	return &apierror.ReadError{Log: l.Title, Err: Reason(err)}
}

// Reason is err without the request that [url.Error] repeats, and with network
// failures in plain words.
func Reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &networkError{"there was no reply in time", err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection broke: %w", err)
	}
	return err
}

// networkError is an error with its text replaced.
type networkError struct {
	text string
	err  error
}

func (e *networkError) Error() string { return e.text }

func (e *networkError) Unwrap() error { return e.err }
