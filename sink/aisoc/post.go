package aisoc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/internal/text"
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

// reply is what the service says about a batch it has read.
type reply struct {
	Accepted int     `json:"accepted"`
	Rejected int     `json:"rejected"`
	Errors   reasons `json:"errors"`
}

// reasons are texts, one for each rejected event, in the order of the events.
type reasons []string

// UnmarshalJSON implements [json.Unmarshaler]. It does not fail, since the
// reasons are of use to people only.
func (r *reasons) UnmarshalJSON(b []byte) error {
	var texts []string
	var list []json.RawMessage
	switch {
	case json.Unmarshal(b, &texts) == nil:
		*r = texts
	case json.Unmarshal(b, &list) == nil:
		for _, reason := range list {
			*r = append(*r, string(reason))
		}
	default:
		*r = reasons{string(b)}
	}
	return nil
}

// reason is why the i-th of the rejected events was rejected.
func (r reply) reason(i int) string {
	if i < len(r.Errors) {
		return clean(r.Errors[i])
	}
	return "the service does not say why"
}

// ServiceError is a POST without success. It is an [ingest.RetryAfterer].
type ServiceError struct {
	// Status is the HTTP status of the reply, or 0 when there was none.
	Status int

	text  string
	wait  time.Duration // as the service asks, or zero
	cause error         // why there was no reply, or nil
}

var _ ingest.RetryAfterer = (*ServiceError)(nil)

func failureOf(err error) *ServiceError {
	f, _ := errors.AsType[*ServiceError](err)
	return f
}

// Error implements error.
func (f *ServiceError) Error() string { return "aisoc: " + f.Bare() }

// NeedsAction implements [ingest.ActionNeeder].
func (f *ServiceError) NeedsAction() bool { return !f.Temporary() }

// Bare is the error without the name of the package in front.
func (f *ServiceError) Bare() string {
	if f.Status == 0 {
		return "no reply from the service: " + f.text
	}
	text := fmt.Sprintf("the service answered HTTP %d", f.Status)
	if f.text != "" {
		text += ": " + f.text
	}
	switch {
	case f.Status == http.StatusBadRequest:
		text += "; it refuses the batch as a whole: check the tenant, the connector id and the address"
	case f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden:
		text += "; check the token and what it allows"
	case f.Status == http.StatusNotFound || f.Status == http.StatusMethodNotAllowed:
		text += "; check the address: there is no ingestion service at it"
	case f.Status >= 300 && f.Status < 400:
		text += "; redirects are not followed: enter the address to which it leads, if that is right"
	}
	if f.wait > 0 {
		text += "; it asks to wait " + f.wait.Round(time.Second).String()
	}
	return text
}

// Unwrap returns why there was no reply.
func (f *ServiceError) Unwrap() error { return f.cause }

// RetryAfter implements [ingest.RetryAfterer].
func (f *ServiceError) RetryAfter() time.Duration { return f.wait }

// Temporary reports whether the same events may be accepted later without a
// person changing anything.
func (f *ServiceError) Temporary() bool { return f.passes() || f.byEvents() }

// tooLarge says that fewer events at once may do.
func (f *ServiceError) tooLarge() bool { return f.Status == http.StatusRequestEntityTooLarge }

// byEvents says that the events may be the cause: too large together, or one of
// them so that it cannot be published. What a gateway answers for the service,
// 502 to 504, is no such thing.
func (f *ServiceError) byEvents() bool {
	return f.tooLarge() || f.Status == http.StatusInternalServerError
}

// passes says that the next attempt may succeed.
func (f *ServiceError) passes() bool {
	switch f.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return f.Status < 300 || f.Status >= 500
}

// send posts items until there is a reply to be relied on, at most maxAttempts
// times. An HTTP 500 is borne as often as patience says.
func (s *Sink) send(ctx context.Context, items []item, patience int) (reply, error) {
	body := s.body(items)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return reply{}, prefixed.Errorf("aisoc", "%w", context.Cause(ctx))
		}
		r, err := s.post(ctx, body, len(items))
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
		s.count(func(s *Stats) { s.Retries++ })
	}
}

// body is the request for items.
func (s *Sink) body(items []item) []byte {
	head, _ := json.Marshal(struct {
		ConnectorID   string `json:"connector_id"`
		ConnectorType string `json:"connector_type"`
		SourceFormat  string `json:"source_format"`
	}{s.cfg.ConnectorID, s.cfg.ConnectorType, "raw_json"}) // strings can be encoded
	size := len(head) + 32
	for _, it := range items {
		size += len(it.line) + 1
	}
	b := append(make([]byte, 0, size), head[:len(head)-1]...)
	b = append(b, `,"events":[`...)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.line...)
	}
	return append(b, "]}"...)
}

// post sends one request about n events.
func (s *Sink) post(ctx context.Context, body []byte, n int) (reply, error) {
	within, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return reply{}, prefixed.Errorf("aisoc", "%w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Tenant-ID", s.cfg.TenantID)
	if token := s.cfg.token(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	s.count(func(s *Stats) { s.Posts++ })
	resp, err := s.http.Do(req)
	if err != nil {
		return reply{}, s.noReply(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return reply{}, s.noReply(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return reply{}, &ServiceError{
			Status: resp.StatusCode,
			text:   s.message(text),
			wait:   httpx.RetryAfter(resp.Header, time.Now(), longestAsked),
		}
	}
	var r struct {
		Accepted *int `json:"accepted"`
		reply
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Accepted == nil {
		return reply{}, &ServiceError{Status: resp.StatusCode,
			text: "something else than a reply of the ingestion service, check the address: " + clean(s.scrub(string(text)))}
	}
	r.reply.Accepted = *r.Accepted
	if *r.Accepted < 0 || r.Rejected < 0 || *r.Accepted+r.Rejected != n {
		return reply{}, &ServiceError{Status: resp.StatusCode,
			text: fmt.Sprintf("%d accepted and %d rejected of %d events, which does not add up", *r.Accepted, r.Rejected, n)}
	}
	for i := range r.Errors {
		r.Errors[i] = s.scrub(r.Errors[i])
	}
	return r.reply, nil
}

// noReply is the failure of a request without a reply, unless ctx has ended.
func (s *Sink) noReply(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return prefixed.Errorf("aisoc", "%w", context.Cause(ctx))
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "none within " + s.cfg.Timeout.String()
	}
	return &ServiceError{text: s.scrub(text), cause: err}
}

// message is what a body says went wrong.
func (s *Sink) message(body []byte) string {
	var r struct{ Error string }
	if json.Unmarshal(body, &r) == nil && r.Error != "" {
		return clean(s.scrub(r.Error))
	}
	return clean(s.scrub(string(body)))
}

// scrub takes the token out of a text that came from outside, before anything
// is cut off: a part of it is too much as well.
func (s *Sink) scrub(raw string) string {
	if token := s.cfg.token(); token != "" {
		return strings.ReplaceAll(raw, token, text.Redacted)
	}
	return raw
}

// clean makes a text from outside fit for a log line.
func clean(s string) string { return text.Excerpt(s, 200) }
