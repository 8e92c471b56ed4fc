package httpsink

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/deliver"
)

// Body is the form of a request body.
type Body string

// The forms of a body.
const (
	// Lines is one event per line.
	Lines Body = "lines"
	// Array is one JSON array.
	Array Body = "array"
	// Elastic is that of _bulk in Elasticsearch and OpenSearch. The external id
	// of an event is the id of its document, so that a repeat changes nothing.
	Elastic Body = "elastic"
	// Splunk is that of the HTTP Event Collector.
	Splunk Body = "splunk"
	// Loki is that of the push API of Grafana Loki.
	Loki Body = "loki"
)

// form is a form of a body and of the reply to it.
type form struct {
	body        Body
	contentType string
	write       func(items []deliver.Item) []byte
	read        func(status int, body []byte, events int) (deliver.Reply, *deliver.Failure)
}

var forms = []form{
	{Lines, "application/x-ndjson", writeLines, deliver.ReadStatus},
	{Array, "application/json", writeArray, deliver.ReadStatus},
	{Elastic, "application/x-ndjson", writeElastic, readElastic},
	{Splunk, "application/json", writeSplunk, readSplunk},
	{Loki, "application/json", writeLoki, deliver.ReadStatus},
}

// Bodies returns the forms of a body: lines, array, elastic, splunk and loki.
func Bodies() (all []Body) {
	for _, f := range forms {
		all = append(all, f.body)
	}
	return all
}

func writeLines(items []deliver.Item) (b []byte) {
	for _, it := range items {
		b = append(append(b, it.Line...), '\n')
	}
	return b
}

func writeArray(items []deliver.Item) []byte {
	b := []byte{'['}
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.Line...)
	}
	return append(b, ']')
}

// maxDocumentID is the most bytes of the id of a document.
const maxDocumentID = 512

// documentID is the id of the document of an event.
func documentID(e *ingest.Event) string {
	if len(e.ExternalID) <= maxDocumentID {
		return e.ExternalID
	}
	digest := sha256.Sum256([]byte(e.ExternalID))
	return hex.EncodeToString(digest[:])
}

func writeElastic(items []deliver.Item) (b []byte) {
	for _, it := range items {
		b = append(b, `{"create":{"_id":`...)
		b, _ = jsontext.AppendQuote(b, documentID(it.Event)) // which replaces invalid UTF-8
		b = append(b, "}}\n"...)
		b = append(append(b, it.Line...), '\n')
	}
	return b
}

func writeSplunk(items []deliver.Item) (b []byte) {
	for _, it := range items {
		b = append(b, '{')
		if at := it.Event.CreatedAt; at.Unix() > 0 {
			b = fmt.Appendf(b, `"time":%d.%03d,`, at.Unix(), at.Nanosecond()/1e6)
		}
		b = append(b, `"host":"cloudflare","source":"cfaudit","sourcetype":"cloudflare:audit","event":`...)
		b = append(append(b, it.Line...), "}\n"...)
	}
	return b
}

// writeLoki makes one stream of each severity, the only label that differs. Loki
// refuses what is an hour older than the newest of its stream, so that the newest of
// a request comes last.
func writeLoki(items []deliver.Item) []byte {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b deliver.Item) int { return a.Event.CreatedAt.Compare(b.Event.CreatedAt) })
	b := []byte(`{"streams":[`)
	for _, severity := range ingest.Severities() {
		open := false
		for _, it := range items {
			if it.Event.Severity != severity {
				continue
			}
			if open {
				b = append(b, ',')
			} else {
				b = fmt.Appendf(b, `{"stream":{"service_name":"cfaudit","source":"cloudflare","severity":%q},"values":[`, severity)
				open = true
			}
			b = append(strconv.AppendInt(append(b, `["`...), it.Event.CreatedAt.UnixNano(), 10), `",`...)
			b, _ = jsontext.AppendQuote(b, it.Line) // which is valid UTF-8, or made so
			b = append(b, ']')
		}
		if open {
			b = append(b, "]},"...)
		}
	}
	return append(bytes.TrimSuffix(b, []byte{','}), "]}"...)
}

// outcome is what becomes of one document.
type outcome struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

func (o *outcome) why() string { return o.Error.Type + ": " + o.Error.Reason }

// readElastic reads the reply to _bulk, which says of each document what has
// become of it. That one with its id is there already is as good as its being
// created.
func readElastic(status int, body []byte, events int) (deliver.Reply, *deliver.Failure) {
	if !deliver.Succeeded(status) {
		return deliver.Reply{}, &deliver.Failure{Status: status, Quote: deliver.Message(body)}
	}
	var said struct {
		Items []struct {
			Create *outcome `json:"create"`
		} `json:"items"`
	}
	if json.Unmarshal(body, &said) != nil || len(said.Items) != events {
		return deliver.Reply{}, &deliver.Failure{Status: status, Text: "the reply is not one to _bulk about each event; check the address: ", Quote: string(body)}
	}
	var r deliver.Reply
	for i, item := range said.Items {
		o := item.Create
		switch {
		case o == nil || o.Status == 0:
			return r, &deliver.Failure{Status: status, Text: fmt.Sprintf("no status of event %d in the reply to _bulk", i)}
		case deliver.Succeeded(o.Status), o.Status == http.StatusConflict:
		case o.Status == http.StatusTooManyRequests, o.Status >= 500:
			r.Unread = append(r.Unread, i)
			r.Busy = o.why()
		case o.Status == http.StatusUnauthorized, o.Status == http.StatusForbidden, o.Status == http.StatusNotFound:
			// It is the index that is to blame.
			return deliver.Reply{}, &deliver.Failure{Status: o.Status, Quote: o.why()}
		default:
			r.Refused = append(r.Refused, deliver.Refused{Index: i, Reason: o.why()})
		}
	}
	return r, nil
}

// readSplunk reads the reply of the HTTP Event Collector. It stops at the first
// event that it cannot take, and names its index.
func readSplunk(status int, body []byte, events int) (deliver.Reply, *deliver.Failure) {
	var said struct {
		Text    string `json:"text"`
		Code    int    `json:"code"`
		Invalid *int   `json:"invalid-event-number"`
	}
	known := json.Unmarshal(body, &said) == nil
	switch {
	case deliver.Succeeded(status) && known && said.Code != 0:
		return deliver.Reply{}, &deliver.Failure{Status: status, Quote: said.Text}
	case deliver.Succeeded(status):
		return deliver.Reply{}, deliver.PageFailure(status, body)
	case !known || said.Invalid == nil || *said.Invalid < 0 || *said.Invalid >= events || !ofEvent(said.Code):
		return deliver.Reply{}, &deliver.Failure{Status: status, Quote: deliver.Message(body)}
	}
	r := deliver.Reply{Refused: []deliver.Refused{{Index: *said.Invalid, Reason: said.Text}}}
	for i := range events {
		if i != *said.Invalid {
			r.Unread = append(r.Unread, i)
		}
	}
	return r, nil
}

// ofEvent reports whether a code of the HTTP Event Collector says that one event
// is at fault: invalid data, no event, a blank event, or bad indexed fields.
func ofEvent(code int) bool {
	switch code {
	case 6, 12, 13, 15:
		return true
	}
	return false
}
