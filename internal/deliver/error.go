package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// ServiceError is a POST without success. It is an [ingest.RetryAfterer].
type ServiceError struct {
	// Status is the HTTP status of the reply, or 0 when there was none.
	Status int

	sink   string // the package of the sink
	text   string
	hint   string        // what to do about it, or empty
	wait   time.Duration // as the service asks, or zero
	blames bool          // one of the events may be the cause
	cause  error         // why there was no reply, or nil
}

var _ ingest.RetryAfterer = (*ServiceError)(nil)

func failureOf(err error) *ServiceError {
	f, _ := errors.AsType[*ServiceError](err)
	return f
}

// Error implements error.
func (f *ServiceError) Error() string { return f.sink + ": " + f.Bare() }

// Package is the name of the sink's package, with which the error begins.
func (f *ServiceError) Package() string { return f.sink }

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
	case f.Status >= 300 && f.Status < 400:
		text += "; redirects are not followed: enter the address to which it leads, if that is right"
	case f.hint != "":
		text += "; " + f.hint
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
func (f *ServiceError) Temporary() bool { return f.passes() || f.tooLarge() }

// tooLarge says that fewer events at once may do.
func (f *ServiceError) tooLarge() bool { return f.Status == http.StatusRequestEntityTooLarge }

// byEvents says that the events may be the cause: too large together, or one of
// them so that it is never taken.
func (f *ServiceError) byEvents() bool { return f.tooLarge() || f.blames }

// passes says that the next attempt may succeed.
func (f *ServiceError) passes() bool {
	switch f.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return f.Status < 300 || f.Status >= 500
}
