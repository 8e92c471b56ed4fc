package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

const (
	// maxAttempts is how often a POST is sent in one Write.
	maxAttempts = 4
	// firstBackoff is the pause after the first failure; it doubles.
	firstBackoff = 500 * time.Millisecond
	// longestWait is the longest pause within a Write. If the service asks for
	// more, the host is told.
	longestWait = 30 * time.Second
	// longestAsked bounds what the service may ask for.
	longestAsked = time.Hour
	// maxReply bounds what is read of a reply.
	maxReply = 4 << 20
)

// rejects reports whether the service rejects any event.
func (r *Reply) rejects() bool { return r.Rejected+len(r.Refused) > 0 }

// reason is why the i-th of the rejected events was rejected.
func (e *Engine) reason(r Reply, i int) string {
	switch {
	case i < len(r.Reasons):
		return e.clean(r.Reasons[i])
	case i < len(r.Refused):
		return e.clean(r.Refused[i].Reason)
	}
	return "the service does not say why"
}

// clean makes a text of the service fit for a log line.
func (e *Engine) clean(s string) string { return Clean(e.scrub(s)) }

// send posts items until there is a reply to be relied on, at most maxAttempts
// times. A failure for which events may be to blame is borne as often as
// patience says.
func (e *Engine) send(ctx context.Context, items []Item, patience int) (Reply, error) {
	body, err := e.body(items)
	if err != nil {
		return Reply{}, err
	}
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return Reply{}, prefixed.Errorf(e.service.Name, "%w", context.Cause(ctx))
		}
		r, err := e.post(ctx, body, len(items))
		if err == nil {
			return r, nil
		}
		f := failureOf(err)
		if f == nil || !f.passes() || n == maxAttempts || f.byEvents() && n >= patience || f.wait > longestWait {
			return r, err
		}
		pause := firstBackoff << (n - 1)
		pause = max(pause, f.wait) + rand.N(pause/2)
		if httpx.Sleep(ctx, pause) != nil {
			return r, err
		}
		e.count(func(s *Stats) { s.Retries++ })
	}
}

// body is the request for items.
func (e *Engine) body(items []Item) ([]byte, error) {
	body := e.service.Body(items)
	if !e.service.Gzip {
		return body, nil
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, prefixed.Errorf(e.service.Name, "%w", err)
	}
	if err := w.Close(); err != nil {
		return nil, prefixed.Errorf(e.service.Name, "%w", err)
	}
	return packed.Bytes(), nil
}

// post sends one request about n events.
func (e *Engine) post(ctx context.Context, body []byte, n int) (Reply, error) {
	within, cancel := context.WithTimeout(ctx, e.service.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodPost, e.service.URL, bytes.NewReader(body))
	if err != nil {
		return Reply{}, prefixed.Errorf(e.service.Name, "%w", err)
	}
	req.Header = e.service.Header.Clone()
	if e.service.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	e.count(func(s *Stats) { s.Posts++ })
	resp, err := e.http.Do(req)
	if err != nil {
		return Reply{}, e.noReply(ctx, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return Reply{}, e.noReply(ctx, err)
	}
	r, failure := e.service.Read(resp.StatusCode, said, n)
	if failure == nil && len(r.Unread) == n {
		failure = &Failure{Status: http.StatusServiceUnavailable, Text: "it takes no event at the moment: ", Quote: r.Busy}
	}
	if failure == nil {
		return r, nil
	}
	return Reply{}, &ServiceError{
		Status: failure.Status,
		sink:   e.service.Name,
		text:   failure.Text + e.clean(failure.Quote),
		hint:   e.service.Hint(failure.Status),
		blames: e.service.Blames(failure.Status),
		wait:   httpx.RetryAfter(resp.Header, time.Now(), longestAsked),
	}
}

// noReply is the failure of a request without a reply, unless ctx has ended.
func (e *Engine) noReply(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return prefixed.Errorf(e.service.Name, "%w", context.Cause(ctx))
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		why = "none within " + e.service.Timeout.String()
	}
	return &ServiceError{sink: e.service.Name, text: e.scrub(why), cause: err}
}
