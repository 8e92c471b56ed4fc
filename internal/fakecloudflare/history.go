package fakecloudflare

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// sourceSpan is how far from action_time the source entry of a history may be.
const sourceSpan = time.Minute

// historyPath takes the id of an entry off the path of its history.
func historyPath(path string) (rest, id string) {
	if below, ok := strings.CutPrefix(path, "accounts/{id}/logs/audit/"); ok {
		if id, ok := strings.CutSuffix(below, "/history"); ok && id != "" && !strings.Contains(id, "/") {
			return "accounts/{id}/logs/audit/history", id
		}
	}
	return path, ""
}

// auditHistory answers the history of the resource that an entry of v2 is about:
// the entries of v2 about the same resource, with how it was identified. That is
// by the URI of the request, or without one by the product and the id. How the
// API says that there is no such entry is not published.
func (s *Server) auditHistory(id string, params url.Values) (*http.Response, int) {
	q, err := s.opts.queryV2(params)
	if err != nil {
		return badRequestV2(err), 0
	}
	at, err := time.Parse(time.RFC3339, params.Get("action_time"))
	if err != nil {
		return badRequestV2(fmt.Errorf("action_time: %w", err)), 0
	}
	source := s.entryV2(id, at)
	if source == nil {
		return failure(http.StatusNotFound, apiError{Message: "Audit log not found"}), 0
	}
	match, status := aboutTheSame(source)
	q.match = append(q.match, match)
	entries, next, err := s.pageV2(q, params)
	if err != nil {
		return badRequestV2(err), 0
	}
	return s.successV2(entries, next, status), len(entries)
}

// entryV2 is the visible entry of v2 with an id near a time, or nil.
func (s *Server) entryV2(id string, at time.Time) json.RawMessage {
	q := query{from: at.Add(-sourceSpan), to: at.Add(sourceSpan),
		match: []func([]byte) bool{func(raw []byte) bool { return text(raw, "id") == id }}}
	now := s.logTime()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.v2.window(q, now) {
		return it.raw
	}
	return nil
}

// aboutTheSame returns what an entry must meet to be about the resource of
// source, and how that resource was identified.
func aboutTheSame(source []byte) (match func(raw []byte) bool, status string) {
	uri := func(raw []byte) string {
		path, _, _ := strings.Cut(text(raw, "raw", "uri"), "?")
		return path
	}
	product, id := text(source, "resource", "product"), text(source, "resource", "id")
	switch path := uri(source); {
	case path != "":
		return func(raw []byte) bool { return uri(raw) == path }, "exact"
	case product != "" && id != "":
		return func(raw []byte) bool {
			return text(raw, "resource", "product") == product && text(raw, "resource", "id") == id
		}, "approximate"
	}
	return func([]byte) bool { return false }, "unavailable"
}
