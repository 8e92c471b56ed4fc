package aisoc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
)

const (
	// maxEvents is the most events the service takes in one POST, and maxBytes
	// the size at which a POST is full: the service reads for 15 s only.
	maxEvents = 1000
	maxBytes  = 8 << 20
)

// encoding is that of events for the service. In its queue, a line is a string
// within JSON.
var encoding = deliver.Encoding{
	Append: eventformat.JSONL.Append,
	Size:   deliver.QueuedSize,
}

// Fit encodes an event as the service can take it, as one line of JSON without a
// line break at its end, for hosts that post events themselves. Numbers that no
// float64 holds are put into quotes, what a raw event nests too deeply becomes
// text, and a raw event that is too large for the service's queue, which takes
// about 1 MiB, is cut down: truncated says that. The notes of the event name
// each change.
func Fit(event *ingest.Event) (line []byte, truncated bool) {
	it := encoding.Fit(event)
	return it.Line, it.Truncated
}

// service is how to talk to the ingestion service.
func (c Config) service() deliver.Service {
	header := http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"application/json"},
		"X-Tenant-Id":  {c.TenantID},
	}
	if token := c.token(); token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return deliver.Service{
		Name: "aisoc", URL: strings.TrimRight(c.URL, "/") + path, Header: header, Secrets: []string{c.token()},
		MaxEvents: maxEvents, MaxBytes: maxBytes, Timeout: cmp.Or(c.Timeout, defaultTimeout),
		Client: c.HTTPClient, DeadLetter: c.DeadLetter, Log: c.Logger,
		Encoding: encoding, Body: c.body, Read: read, Hint: hint,
		// The service fails a whole batch for an event that its queue does not
		// take. What a gateway answers for it, 502 to 504, is no such thing.
		Blames: func(status int) bool { return status == http.StatusInternalServerError },
	}
}

// body is the request for items.
func (c Config) body(items []deliver.Item) []byte {
	head, _ := json.Marshal(struct {
		ConnectorID   string `json:"connector_id"`
		ConnectorType string `json:"connector_type"`
		SourceFormat  string `json:"source_format"`
	}{c.ConnectorID, c.ConnectorType, "raw_json"}) // strings can be encoded
	size := len(head) + 32
	for _, it := range items {
		size += len(it.Line) + 1
	}
	b := append(make([]byte, 0, size), head[:len(head)-1]...)
	b = append(b, `,"events":[`...)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.Line...)
	}
	return append(b, "]}"...)
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

// read reads the reply to a batch. It counts the accepted and the rejected
// events.
func read(status int, body []byte, events int) (deliver.Reply, *deliver.Failure) {
	if status < 200 || status > 299 {
		return deliver.Reply{}, &deliver.Failure{Status: status, Quote: message(body)}
	}
	var r struct {
		Accepted *int    `json:"accepted"`
		Rejected int     `json:"rejected"`
		Errors   reasons `json:"errors"`
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Accepted == nil {
		return deliver.Reply{}, &deliver.Failure{Status: status,
			Text: "the reply is not that of the ingestion service; check the address: ", Quote: string(body)}
	}
	if *r.Accepted < 0 || r.Rejected < 0 || *r.Accepted+r.Rejected != events {
		return deliver.Reply{}, &deliver.Failure{Status: status,
			Text: fmt.Sprintf("%d accepted and %d rejected of %d events, which does not add up", *r.Accepted, r.Rejected, events)}
	}
	return deliver.Reply{Rejected: r.Rejected, Reasons: r.Errors}, nil
}

// message is what a body says went wrong.
func message(body []byte) string {
	var r struct{ Error string }
	if json.Unmarshal(body, &r) == nil && r.Error != "" {
		return r.Error
	}
	return string(body)
}

// hint says what to do about a status.
func hint(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "it refuses the batch as a whole: check the tenant, the connector id and the address"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "check the token and what it allows"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "check the address: there is no ingestion service at it"
	}
	return ""
}
