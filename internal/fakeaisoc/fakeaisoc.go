// Package fakeaisoc is a fake of AiSOC's ingestion service, for tests.
//
// It keeps the rules that the service is known to have: the limit of a batch,
// what makes it refuse one as a whole, the reply that counts, and the queue
// behind it, which takes no message above its limit and then fails the whole
// batch. What the service would take without a word, but lose or misread later,
// is a violation: [Server.Violations] lists them.
//
// A server is reached through a socket, as an [http.Handler], or without one,
// as an [http.RoundTripper], which starts no goroutine and so works in a bubble
// of testing/synctest.
package fakeaisoc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

const (
	// Path is where batches are posted.
	Path = "/v1/ingest/batch"
	// MaxEvents is the most events of a batch.
	MaxEvents = 1000
	// MaxMessage is the most bytes of a message in the queue.
	MaxMessage = 1 << 20
)

// Fault is what befalls one request.
type Fault struct {
	// Status and Header answer the request without reading it.
	Status int
	Header http.Header
	// Body is the body of that answer. It is an error message by default.
	Body string
	// Reset breaks the connection before the request is looked at.
	Reset bool
	// LoseReply breaks the connection after the request has been served.
	LoseReply bool
	// Delay is how long it takes in addition to the latency.
	Delay time.Duration
}

// Request is what the server saw of one request.
type Request struct {
	At     time.Time
	Method string
	URL    string
	Header http.Header
	// Body is the request as received.
	Body []byte
	// IDs are the external ids of its events.
	IDs []string
	// Status is the status of the reply, or 0 when the connection broke.
	Status int
	// Lost says that the reply was made but did not arrive.
	Lost bool
}

// Server is the fake. Its fields are set before its first request.
type Server struct {
	// Latency is how long the queue takes for a batch.
	Latency time.Duration
	// MaxEvents is the limit of a batch and MaxMessage that of the queue; the
	// defaults are the constants of these names.
	MaxEvents  int
	MaxMessage int
	// Fault, when set, is called for each request with its ordinal, which is 1
	// for the first.
	Fault func(n int) Fault
	// Reject, when set, says why an event is rejected, or "".
	Reject func(event map[string]any) string
	// Poison, when set, says that the queue never takes an event.
	Poison func(event map[string]any) bool
	// Token, when set, is the bearer token that a gateway in front asks for.
	Token string

	mu         sync.Mutex
	requests   []Request
	accepted   map[string]int
	events     []json.RawMessage
	keys       map[string]string
	violations []string
}

// SetFault sets Fault, also while requests are served.
func (s *Server) SetFault(f func(n int) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Fault = f
}

// Requests returns the requests so far, in the order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Accepted returns how often an event was accepted, by external id.
func (s *Server) Accepted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.accepted)
}

// Events returns the events accepted, repeats included, as received.
func (s *Server) Events() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Violations returns what was wrong with accepted events.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := s.respond(r)
	if err != nil {
		panic(http.ErrAbortHandler) // which breaks the connection
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the client may have gone
}

// RoundTrip implements [http.RoundTripper].
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	resp, err := s.respond(r)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

var errBroken = errors.New("fakeaisoc: connection reset")

func (s *Server) respond(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{At: time.Now(), Method: r.Method, URL: r.URL.String(), Header: r.Header.Clone(), Body: body})
	n := len(s.requests)
	var fault Fault
	if s.Fault != nil {
		fault = s.Fault(n)
	}
	s.mu.Unlock()

	if fault.Reset {
		return nil, errBroken
	}
	if err := httpx.Sleep(r.Context(), fault.Delay); err != nil {
		return nil, err
	}
	if fault.Status != 0 {
		s.note(n, func(q *Request) { q.Status = fault.Status })
		if fault.Body == "" {
			fault.Body = `{"error":"` + http.StatusText(fault.Status) + `"}`
		}
		return response(fault.Status, fault.Header, []byte(fault.Body)), nil
	}
	status, answer := s.serve(r, n, body)
	if status == http.StatusOK {
		if err := httpx.Sleep(r.Context(), s.Latency); err != nil {
			return nil, err
		}
	}
	if fault.LoseReply {
		s.note(n, func(q *Request) { q.Lost = true })
		return nil, errBroken
	}
	s.note(n, func(q *Request) { q.Status = status })
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return response(status, http.Header{"Content-Type": {"application/json"}}, text), nil
}

func (s *Server) note(n int, change func(*Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.requests[n-1])
}

func response(status int, header http.Header, body []byte) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

type refusal struct {
	Error string `json:"error"`
}

type verdict struct {
	Accepted  int      `json:"accepted"`
	Rejected  int      `json:"rejected"`
	RequestID string   `json:"request_id"`
	Errors    []string `json:"errors,omitempty"`
}

// serve answers the n-th request.
func (s *Server) serve(r *http.Request, n int, body []byte) (int, any) {
	var req struct {
		ConnectorID   string            `json:"connector_id"`
		ConnectorType string            `json:"connector_type"`
		SourceFormat  string            `json:"source_format"`
		Events        []json.RawMessage `json:"events"`
	}
	tenant := r.Header.Get("X-Tenant-ID")
	switch {
	case !strings.HasSuffix(r.URL.Path, Path): // a gateway may put something in front
		return http.StatusNotFound, refusal{"404 page not found"}
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, refusal{"method not allowed"}
	case s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token:
		return http.StatusUnauthorized, refusal{"unauthorized"}
	case len(tenant) != 36:
		return http.StatusBadRequest, refusal{"missing tenant ID header"}
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return http.StatusBadRequest, refusal{"invalid request body: " + err.Error()}
	}
	// The service reads all events before it looks at any.
	events := make([]map[string]any, len(req.Events))
	var ids []string
	for i, raw := range req.Events {
		if err := json.Unmarshal(raw, &events[i]); err != nil {
			return http.StatusBadRequest, refusal{"invalid request body: " + err.Error()}
		}
		id, _ := events[i]["external_id"].(string)
		ids = append(ids, id)
	}
	s.note(n, func(q *Request) { q.IDs = ids })
	switch {
	case req.ConnectorID == "" || req.ConnectorType == "":
		return http.StatusBadRequest, refusal{"connector_id and connector_type are required"}
	case len(events) > cmp.Or(s.MaxEvents, MaxEvents):
		return http.StatusRequestEntityTooLarge, refusal{"batch too large"}
	}
	out := verdict{RequestID: "req-" + strconv.Itoa(n)}
	var taken []int
	for i, e := range events {
		if s.Reject != nil {
			if why := s.Reject(e); why != "" {
				out.Rejected++
				out.Errors = append(out.Errors, why)
				continue
			}
		}
		taken = append(taken, i)
	}
	for _, i := range taken {
		size, err := messageSize(tenant, req.ConnectorID, ids[i], events[i])
		if err != nil || size > cmp.Or(s.MaxMessage, MaxMessage) || s.Poison != nil && s.Poison(events[i]) {
			return http.StatusInternalServerError, refusal{"failed to publish events"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		s.accepted, s.keys = make(map[string]int), make(map[string]string)
	}
	if req.SourceFormat != "raw_json" {
		s.violations = append(s.violations, fmt.Sprintf("source_format is %q", req.SourceFormat))
	}
	for _, i := range taken {
		s.accepted[ids[i]]++
		s.events = append(s.events, req.Events[i])
		for _, what := range Check(events[i]) {
			s.violations = append(s.violations, fmt.Sprintf("%s: %s", ids[i], what))
		}
		keys := fingerprint(events[i])
		if first, ok := s.keys[req.ConnectorID]; ok && first != keys {
			s.violations = append(s.violations, fmt.Sprintf("%s: schema drift: %s", ids[i], keys))
		} else {
			s.keys[req.ConnectorID] = keys
		}
	}
	out.Accepted = len(taken)
	return http.StatusOK, out
}

// messageSize is the size of an event in the queue: it is a string of JSON
// inside JSON, beside what the service makes of it.
func messageSize(tenant, connector, id string, event map[string]any) (int, error) {
	raw, err := json.Marshal(event)
	if err != nil {
		return 0, err
	}
	message, err := json.Marshal(map[string]any{
		"id": strings.Repeat("0", 36), "tenant_id": tenant, "connector_id": connector, "raw_data": string(raw),
		"message": event["title"], "finding": map[string]any{"uid": id},
		"actor":    map[string]any{"user": map[string]any{"name": event["actor"]}},
		"metadata": strings.Repeat("m", 700),
	})
	return len(message) + len(tenant) + 200, err
}

func fingerprint(event map[string]any) string {
	var keys []string
	for key := range event {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
