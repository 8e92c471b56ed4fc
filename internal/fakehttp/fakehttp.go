// Package fakehttp imitates services that take events over HTTP, for tests: one
// that takes JSON lines or an array, _bulk of Elasticsearch, the HTTP Event
// Collector of Splunk, the push API of Loki, an incoming webhook of Slack, and a
// webhook that takes notifications. Each keeps the rules that its documentation
// names.
//
// A server is reached through a socket, as an [http.Handler], or without one,
// as an [http.RoundTripper], which starts no goroutine and so works in a bubble
// of testing/synctest.
package fakehttp

import (
	"bytes"
	"cmp"
	"compress/gzip"
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
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit/internal/httpx"
)

// Kind is the service that is imitated.
type Kind string

// The services.
const (
	Lines   Kind = "lines"
	Array   Kind = "array"
	Elastic Kind = "elastic"
	Splunk  Kind = "splunk"
	Loki    Kind = "loki"
	Slack   Kind = "slack"
	Webhook Kind = "webhook"
)

// Path is where a service takes events.
func (k Kind) Path() string {
	switch k {
	case Elastic:
		return "/logs-cloudflare.audit-default/_bulk"
	case Splunk:
		return "/services/collector/event"
	case Loki:
		return "/loki/api/v1/push"
	case Slack:
		return "/services/T0EXAMPLE/B0EXAMPLE/exampleexampleexample24"
	case Webhook:
		return "/hooks/exampleexampleexample"
	}
	return "/events"
}

// Fault is what befalls one request.
type Fault struct {
	// Status and Header answer the request without reading it, with Body or an
	// error message.
	Status int
	Header http.Header
	Body   string
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
	URL    string
	Header http.Header
	// Body is the request, unpacked, and Size how large it was as sent.
	Body []byte
	Size int
	// IDs are the ids of its events.
	IDs []string
	// Status is the status of the reply, or 0 when the connection broke.
	Status int
}

// Server is the fake. Its fields are set before its first request.
type Server struct {
	Kind Kind
	// Header, when set, must be in each request, else it is answered with 401.
	Header, HeaderValue string
	Latency             time.Duration
	// MaxBytes is the most bytes of an unpacked request, above which it is
	// answered with 413; 16 MiB by default.
	MaxBytes int
	// DataStream says that documents need a @timestamp.
	DataStream bool
	// Fault, when set, is called for each request with its ordinal, which is 1
	// for the first.
	Fault func(n int) Fault
	// Reject, when set, says why an event is never taken, or "".
	Reject func(event map[string]any) string
	// Busy, when set, says that an event cannot be taken by the n-th request.
	// Only Elastic answers that of single events.
	Busy func(n int, event map[string]any) bool

	mu       sync.Mutex
	requests []Request
	accepted map[string]int
	events   []json.RawMessage
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

// Accepted returns how often an event was taken, by its id.
func (s *Server) Accepted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.accepted)
}

// Events returns the events taken, repeats included, as received.
func (s *Server) Events() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := s.respond(r)
	if err != nil {
		panic(http.ErrAbortHandler) // which breaks the connection
	}
	maps.Copy(w.Header(), resp.Header)
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

var errBroken = errors.New("fakehttp: connection reset")

func (s *Server) respond(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body, unpackErr := unpacked(r, sent)
	s.mu.Lock()
	s.requests = append(s.requests, Request{At: time.Now(), URL: r.URL.String(), Header: r.Header.Clone(), Body: body, Size: len(sent)})
	n := len(s.requests)
	var fault Fault
	if s.Fault != nil {
		fault = s.Fault(n)
	}
	s.mu.Unlock()
	if fault.Reset {
		return nil, errBroken
	}
	if err := httpx.Sleep(r.Context(), s.Latency+fault.Delay); err != nil {
		return nil, err
	}
	a := answer{fault.Status, cmp.Or(fault.Body, `{"error":"`+http.StatusText(fault.Status)+`"}`)}
	if a.status == 0 {
		a = s.serve(r, n, body, unpackErr)
	}
	if fault.LoseReply {
		return nil, errBroken
	}
	s.mu.Lock()
	s.requests[n-1].Status = a.status
	s.mu.Unlock()
	header := fault.Header
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func unpacked(r *http.Request, sent []byte) ([]byte, error) {
	switch r.Header.Get("Content-Encoding") {
	case "":
		return sent, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(sent))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	return nil, errors.New("unknown encoding")
}

// answer is a reply.
type answer struct {
	status int
	body   string
}

// serve answers the n-th request.
func (s *Server) serve(r *http.Request, n int, body []byte, unpackErr error) answer {
	switch {
	case r.Method != http.MethodPost:
		return answer{http.StatusMethodNotAllowed, `{"error":"method not allowed"}`}
	case r.URL.Path != s.Kind.Path():
		return answer{http.StatusNotFound, `{"error":"not found"}`}
	case s.Header != "" && r.Header.Get(s.Header) != s.HeaderValue:
		return s.unauthorized(r)
	case unpackErr != nil:
		return answer{http.StatusBadRequest, `{"error":"cannot unpack the body"}`}
	case len(body) > cmp.Or(s.MaxBytes, 16<<20):
		return answer{http.StatusRequestEntityTooLarge, `{"error":"too large"}`}
	}
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch s.Kind {
	case Elastic:
		if mediaType != "application/x-ndjson" && mediaType != "application/json" {
			return answer{http.StatusNotAcceptable, `{"error":"Content-Type header [` + mediaType + `] is not supported"}`}
		}
		return s.bulk(n, body)
	case Splunk:
		return s.collect(n, body)
	case Loki:
		if mediaType != "application/json" {
			return answer{http.StatusBadRequest, "unsupported content type"}
		}
		return s.push(n, body)
	case Slack:
		return message(body)
	case Webhook:
		return s.notifications(n, body)
	}
	return s.whole(n, body)
}

// message is an incoming webhook of Slack, which takes no events but a text.
func message(body []byte) answer {
	var said struct{ Text *string }
	switch {
	case json.Unmarshal(body, &said) != nil:
		return answer{http.StatusBadRequest, "invalid_payload"}
	case said.Text == nil || *said.Text == "":
		return answer{http.StatusBadRequest, "no_text"}
	case utf8.RuneCountInString(*said.Text) > 40_000:
		return answer{http.StatusBadRequest, "msg_too_long"}
	}
	return answer{http.StatusOK, "ok"}
}

// notifications is a webhook that takes the events of a message or none.
func (s *Server) notifications(n int, body []byte) answer {
	var said struct{ Events json.RawMessage }
	if json.Unmarshal(body, &said) != nil || said.Events == nil {
		return answer{http.StatusBadRequest, `{"error":"no events"}`}
	}
	return s.array(n, said.Events)
}

func (s *Server) unauthorized(r *http.Request) answer {
	switch {
	case s.Kind == Splunk && r.Header.Get("Authorization") == "":
		return answer{http.StatusUnauthorized, `{"text":"Token is required","code":2}`}
	case s.Kind == Splunk:
		return answer{http.StatusForbidden, `{"text":"Invalid token","code":4}`}
	}
	return answer{http.StatusUnauthorized, `{"error":"unauthorized"}`}
}

// event reads one event. Its id is that of the form it has.
func event(text []byte) (e map[string]any, id string, err error) {
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, "", err
	}
	if id, ok := e["external_id"].(string); ok {
		return e, id, nil
	}
	for _, of := range [][2]string{{"event", "id"}, {"metadata", "uid"}} {
		inner, _ := e[of[0]].(map[string]any)
		if id, ok := inner[of[1]].(string); ok {
			return e, id, nil
		}
	}
	return e, "", errors.New("the event has no id")
}

func (s *Server) reject(e map[string]any) string {
	if s.Reject == nil {
		return ""
	}
	return s.Reject(e)
}

// take notes an event as taken.
func (s *Server) take(id string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		s.accepted = make(map[string]int)
	}
	s.accepted[id]++
	s.events = append(s.events, slices.Clone(text))
}

func (s *Server) note(n int, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[n-1].IDs = append(s.requests[n-1].IDs, id)
}

// whole is a service that takes all events of a request or none.
func (s *Server) whole(n int, body []byte) answer {
	if s.Kind == Array {
		return s.array(n, body)
	}
	if !bytes.HasSuffix(body, []byte("\n")) {
		return answer{http.StatusBadRequest, `{"error":"the last line is torn"}`}
	}
	var texts []json.RawMessage
	for line := range bytes.Lines(body) {
		texts = append(texts, bytes.TrimSuffix(line, []byte("\n")))
	}
	return s.takeAll(n, texts)
}

// array takes the events of a JSON array.
func (s *Server) array(n int, body []byte) answer {
	var texts []json.RawMessage
	if json.Unmarshal(body, &texts) != nil {
		return answer{http.StatusBadRequest, `{"error":"no JSON array"}`}
	}
	return s.takeAll(n, texts)
}

// takeAll takes all events or none.
func (s *Server) takeAll(n int, texts []json.RawMessage) answer {
	ids := make([]string, len(texts))
	why := ""
	for i, text := range texts {
		e, id, err := event(text)
		if err != nil {
			return answer{http.StatusBadRequest, fmt.Sprintf(`{"error":"event %d: no JSON"}`, i)}
		}
		s.note(n, id)
		ids[i], why = id, cmp.Or(why, s.reject(e))
	}
	if why != "" {
		text, _ := json.Marshal(map[string]string{"message": why})
		return answer{http.StatusBadRequest, string(text)}
	}
	for i, id := range ids {
		s.take(id, texts[i])
	}
	return answer{http.StatusAccepted, ""}
}

// bulk is _bulk of Elasticsearch.
func (s *Server) bulk(n int, body []byte) answer {
	failed := func(kind, reason string) answer {
		text, _ := json.Marshal(map[string]any{"error": map[string]string{"type": kind, "reason": reason}, "status": 400})
		return answer{http.StatusBadRequest, string(text)}
	}
	if !bytes.HasSuffix(body, []byte("\n")) {
		return failed("illegal_argument_exception", `The bulk request must be terminated by a newline [\n]`)
	}
	var items []any
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	anyFailed := false
	for i := 0; i+1 < len(lines); i += 2 {
		var action map[string]struct {
			ID string `json:"_id"`
		}
		if json.Unmarshal(lines[i], &action) != nil || len(action) != 1 {
			return failed("illegal_argument_exception", fmt.Sprintf("Malformed action/metadata line [%d]", i+1))
		}
		create, ok := action["create"]
		if !ok {
			return failed("illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams")
		}
		status, kind, reason := s.index(n, create.ID, lines[i+1])
		item := map[string]any{"_id": create.ID, "status": status}
		if status >= 300 {
			anyFailed = true
			item["error"] = map[string]string{"type": kind, "reason": reason}
		}
		items = append(items, map[string]any{"create": item})
	}
	text, _ := json.Marshal(map[string]any{"took": 1, "errors": anyFailed, "items": items})
	return answer{http.StatusOK, string(text)}
}

// index makes a document.
func (s *Server) index(n int, id string, text []byte) (status int, kind, reason string) {
	e, own, err := event(text)
	if err != nil {
		return 400, "document_parsing_exception", "failed to parse"
	}
	s.note(n, own)
	switch {
	case len(id) > 512:
		return 400, "illegal_argument_exception", "id is too long"
	case s.DataStream && e["@timestamp"] == nil:
		return 400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing"
	case s.Busy != nil && s.Busy(n, e):
		return 429, "es_rejected_execution_exception", "rejected execution of coordinating operation"
	}
	if why := s.reject(e); why != "" {
		return 400, "document_parsing_exception", why
	}
	if s.Accepted()[own] > 0 {
		return 409, "version_conflict_engine_exception", "[" + id + "]: version conflict, document already exists (current version [1])"
	}
	s.take(own, text)
	return 201, "", ""
}

// collect is the HTTP Event Collector of Splunk. It takes one event after the
// other up to the first that is wrong.
func (s *Server) collect(n int, body []byte) answer {
	invalid := func(code, i int, text string) answer {
		return answer{http.StatusBadRequest, fmt.Sprintf(`{"text":%q,"code":%d,"invalid-event-number":%d}`, text, code, i)}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	for i := 0; ; i++ {
		var entry struct {
			Time       json.Number     `json:"time"`
			Host       string          `json:"host"`
			Source     string          `json:"source"`
			Sourcetype string          `json:"sourcetype"`
			Event      json.RawMessage `json:"event"`
		}
		err := dec.Decode(&entry)
		switch {
		case errors.Is(err, io.EOF) && i == 0:
			return answer{http.StatusBadRequest, `{"text":"No data","code":5}`}
		case errors.Is(err, io.EOF):
			return answer{http.StatusOK, `{"text":"Success","code":0}`}
		case err != nil:
			return invalid(6, i, "Invalid data format")
		case entry.Event == nil:
			return invalid(12, i, "Event field is required")
		case string(entry.Event) == `""`:
			return invalid(13, i, "Event field cannot be blank")
		}
		e, id, err := event(entry.Event)
		if err != nil || entry.Host == "" || entry.Source == "" || entry.Sourcetype == "" {
			return invalid(6, i, "Invalid data format")
		}
		s.note(n, id)
		if why := s.reject(e); why != "" {
			return invalid(6, i, why)
		}
		s.take(id, entry.Event)
	}
}

// push is the push API of Loki. It takes the entries of a request that it can
// take, also when it refuses others.
func (s *Server) push(n int, body []byte) answer {
	var req struct {
		Streams []struct {
			Stream map[string]string `json:"stream"`
			Values [][]string        `json:"values"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return answer{http.StatusBadRequest, err.Error()}
	}
	refused := ""
	for _, stream := range req.Streams {
		if len(stream.Stream) == 0 {
			return answer{http.StatusBadRequest, "error at least one label pair is required per stream"}
		}
		for _, v := range stream.Values {
			if len(v) != 2 {
				return answer{http.StatusBadRequest, "an entry has a time and a line"}
			}
			if _, err := strconv.ParseInt(v[0], 10, 64); err != nil {
				return answer{http.StatusBadRequest, "the time of an entry is in nanoseconds"}
			}
			e, id, err := event([]byte(v[1]))
			if err != nil {
				return answer{http.StatusBadRequest, "the line is no event"}
			}
			s.note(n, id)
			if why := s.reject(e); why != "" {
				refused = why
				continue
			}
			s.take(id, []byte(v[1]))
		}
	}
	if refused != "" {
		return answer{http.StatusBadRequest, refused}
	}
	return answer{http.StatusNoContent, ""}
}
