package deliver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
)

// Succeeded reports whether a status says that the request was accepted.
func Succeeded(status int) bool { return status >= 200 && status <= 299 }

// BlamesEvents reports whether one event may be the cause of a status, for a
// service that takes all events of a request or none.
func BlamesEvents(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusInternalServerError
}

// ReadStatus reads the reply of a service that takes all events or none.
func ReadStatus(status int, body []byte, _ int) (Reply, *Failure) {
	if !Succeeded(status) {
		return Reply{}, &Failure{Status: status, Quote: Message(body)}
	}
	return Reply{}, PageFailure(status, body)
}

// PageFailure is the failure that a page for people is, such as one to sign in: what
// shows it has not taken any event. It is nil for any other body.
func PageFailure(status int, body []byte) *Failure {
	head := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 256)]))
	if bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) {
		return &Failure{Status: status, Text: "a page for people, check the address: ", Quote: string(body)}
	}
	return nil
}

// Message is what a body says went wrong: one of the usual members, or all of it.
func Message(body []byte) string {
	var said struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Text    string          `json:"text"`
	}
	if json.Unmarshal(body, &said) != nil {
		return string(body)
	}
	var plain string
	var nested struct{ Type, Reason, Message string }
	switch {
	case json.Unmarshal(said.Error, &plain) == nil && plain != "":
		return plain
	case json.Unmarshal(said.Error, &nested) == nil && nested.Reason != "":
		return nested.Type + ": " + nested.Reason
	}
	return cmp.Or(nested.Message, said.Message, said.Text, string(body))
}
