package fakecloudflare

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Fault is what befalls one request. The functions below make faults; one
// fault may be used any number of times.
type Fault struct {
	serve func(r *http.Request, answer func() *http.Response) (*http.Response, error)
}

// Custom is a fault of the caller's own making. Serve returns the reply, for
// which it may call answer to get the one there would have been without the
// fault, or an error, which breaks the connection. Where it waits it should
// return when the context of r ends.
func Custom(serve func(r *http.Request, answer func() *http.Response) (*http.Response, error)) *Fault {
	return &Fault{serve}
}

// Reply answers with the status, the header and the body given.
func Reply(status int, header http.Header, body string) *Fault {
	return Custom(func(*http.Request, func() *http.Response) (*http.Response, error) {
		resp := reply(status, []byte(body))
		maps.Copy(resp.Header, header.Clone())
		return resp, nil
	})
}

// Status answers with an HTTP status and one API error, and with a header, such
// as Retry-After, unless it is nil.
func Status(status, code int, message string, header http.Header) *Fault {
	return Custom(func(*http.Request, func() *http.Response) (*http.Response, error) {
		resp := failure(status, apiError{Code: code, Message: message})
		maps.Copy(resp.Header, header.Clone())
		return resp, nil
	})
}

// NotSuccess answers 200 with an envelope that says success is false, which is
// an odd way of the API to say that a permission is missing.
func NotSuccess() *Fault {
	return Status(http.StatusOK, 10000, "Authentication error", nil)
}

// NullResult answers 200 with an envelope that says success is true and has no
// result.
func NullResult() *Fault {
	return Reply(http.StatusOK, nil, `{"result":null,"success":true,"errors":[],"messages":[]}`)
}

// Garbage answers 200 with a body that claims to be JSON and is not.
func Garbage() *Fault {
	return Reply(http.StatusOK, nil, `{"result":[{"id":"b6f1e2a0-`+"\x00\xff")
}

// HTML answers with a page for people, as a proxy on the way does.
func HTML(status int) *Fault {
	return Reply(status, http.Header{"Content-Type": {"text/html; charset=UTF-8"}},
		"<!DOCTYPE html>\n<html><head><title>"+http.StatusText(status)+"</title></head>\n<body>cloudflare</body></html>\n")
}

// Redirect sends the client to another URL.
func Redirect(url string) *Fault {
	return Reply(http.StatusFound, http.Header{"Location": {url}}, "")
}

// Header adds header to the answer there would have been.
func Header(header http.Header) *Fault {
	return Custom(func(_ *http.Request, answer func() *http.Response) (*http.Response, error) {
		resp := answer()
		maps.Copy(resp.Header, header.Clone())
		return resp, nil
	})
}

// Delay gives the answer there would have been, as of d later.
func Delay(d time.Duration) *Fault {
	return Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return answer(), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
}

// Reset breaks the connection before there is a reply.
func Reset() *Fault {
	return Custom(func(*http.Request, func() *http.Response) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	})
}

// Hang never answers: the request lasts until its context ends.
func Hang() *Fault {
	return Custom(func(r *http.Request, _ func() *http.Response) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
}

// Truncate breaks the connection after n bytes of the body that the answer
// would have had, whose full length the reply announces. The last byte is
// missing in any case.
func Truncate(n int) *Fault {
	return breakOff(n, func(context.Context) error { return io.ErrUnexpectedEOF })
}

// Stall sends n bytes of the body that the answer would have had, and then
// nothing until the context of the request ends or the body is closed.
func Stall(n int) *Fault {
	return breakOff(n, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
}

// breakOff ends the body after n bytes with the error that end returns.
func breakOff(n int, end func(context.Context) error) *Fault {
	return Custom(func(r *http.Request, answer func() *http.Response) (*http.Response, error) {
		resp := answer()
		part := io.LimitReader(resp.Body, max(0, min(int64(n), resp.ContentLength-1)))
		rest := readerFunc(func([]byte) (int, error) { return 0, end(r.Context()) })
		resp.Body = io.NopCloser(io.MultiReader(part, rest))
		return resp, nil
	})
}

// Endless answers 200 with a list of entries that goes on until the client has
// had enough.
func Endless() *Fault {
	return Custom(func(*http.Request, func() *http.Response) (*http.Response, error) {
		element := Entry("00000000-0000-4000-8000-000000000000", time.Unix(1767225600, 0), 0)
		element = append(element, ',')
		var rest []byte
		more := readerFunc(func(p []byte) (int, error) {
			if len(rest) == 0 {
				rest = element
			}
			n := copy(p, rest)
			rest = rest[n:]
			return n, nil
		})
		resp := reply(http.StatusOK, nil)
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"result":[`), more))
		return resp, nil
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
