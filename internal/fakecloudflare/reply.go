package fakecloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// list makes a JSON list of values, verbatim.
func list(values [][]byte) []byte {
	return slices.Concat([]byte("["), bytes.Join(values, []byte(",")), []byte("]"))
}

// success is a good reply. The envelope is written by hand because encoding/json
// would rewrite the entries in it.
func (s *Server) success(result []byte, message, info string) *http.Response {
	b := make([]byte, 0, len(result)+256)
	b = append(b, `{"result":`...)
	b = append(b, result...)
	if info != "" {
		b = append(b, `,"result_info":`...)
		b = append(b, info...)
	}
	b = fmt.Appendf(b, `,"success":true,"errors":%s,"messages":[%s]}`, s.noErrors(), message)
	return reply(http.StatusOK, b)
}

// successV2 is a good reply of v2, with a cursor and the status of a history
// unless they are empty.
func (s *Server) successV2(entries [][]byte, cursor, history string) *http.Response {
	b := fmt.Appendf(nil, `{"success":true,"errors":%s,"result":`, s.noErrors())
	b = append(b, list(entries)...)
	b = fmt.Appendf(b, `,"result_info":{"count":%d`, len(entries))
	if cursor != "" {
		b = fmt.Appendf(b, `,"cursor":%q`, cursor)
	}
	if history != "" {
		b = fmt.Appendf(b, `,"history_status":%q`, history)
	}
	return reply(http.StatusOK, append(b, "}}"...))
}

// noErrors is the errors of a success.
func (s *Server) noErrors() string {
	if s.opts.ErrorsNull {
		return "null"
	}
	return "[]"
}

// apiError is an element of the errors of a reply.
type apiError struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Chain   []apiError `json:"error_chain,omitempty"`
}

// failure is a reply that reports an error.
func failure(status int, errs ...apiError) *http.Response {
	b, err := json.Marshal(struct {
		Success  bool       `json:"success"`
		Errors   []apiError `json:"errors"`
		Messages []string   `json:"messages"`
		Result   any        `json:"result"`
	}{Errors: errs, Messages: []string{}})
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return reply(status, b)
}

// badRequest reports a parameter at fault. The code is made up: which one the
// API uses is not published.
func badRequest(err error) *http.Response {
	return failure(http.StatusBadRequest, apiError{Code: 1004, Message: "Invalid request: " + err.Error()})
}

// badRequestV2 reports a parameter at fault as v2 does, which gives its errors
// no code.
func badRequestV2(err error) *http.Response {
	message, _ := json.Marshal("Invalid request: " + err.Error()) // a string can always be encoded
	return reply(http.StatusBadRequest, fmt.Appendf(nil, `{"success":false,"errors":[{"message":%s}],"result":null}`, message))
}

func invalidToken() *http.Response {
	return failure(http.StatusUnauthorized, apiError{Code: 1000, Message: "Invalid API Token"})
}

func unauthorised() *http.Response {
	return failure(http.StatusForbidden, apiError{Code: 10000, Message: "Authentication error"})
}

func noRoute(status int, path string) *http.Response {
	path = strings.TrimPrefix(path, Prefix)
	return failure(status,
		apiError{Code: 7003, Message: "Could not route to " + path + ", perhaps your object identifier is invalid?"},
		apiError{Code: 7000, Message: "No route for that URI"})
}

// reply is an HTTP reply with a JSON body.
func reply(status int, body []byte) *http.Response {
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":   {"application/json"},
			"Content-Length": {strconv.Itoa(len(body))},
		},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}
