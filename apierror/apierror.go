// Package apierror describes failed requests to the Cloudflare API: the errors
// that a poll or a connection test returns, and what a host should do about
// each.
//
//	if failed, ok := errors.AsType[*apierror.Error](err); ok && !failed.Temporary() {
//		fmt.Println(failed.Kind, failed.Field, failed.Remedy) // a person has to act
//	}
//
// A host branches on [Error.Kind] and shows the text of the error, which names
// the remedy where one is known. The package cloudflareaudit has the same names
// as aliases.
package apierror

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Kind classifies a failed request by what the host should do.
type Kind string

// The kinds of [Error].
const (
	// KindCredentials: the token is missing, unknown or expired, or lacks the
	// permission. Do not poll again before it is fixed.
	KindCredentials Kind = "credentials"
	// KindAccount: there is no such account. Correct the account id.
	KindAccount Kind = "account"
	// KindRateLimited: too many requests. Poll again after RetryAfter.
	KindRateLimited Kind = "rate_limited"
	// KindServer: Cloudflare could not answer. Poll again later.
	KindServer Kind = "server"
	// KindMalformed: the reply does not come from this API. Poll again later;
	// if the error persists, a proxy or a wrong base_url answers in
	// Cloudflare's place.
	KindMalformed Kind = "malformed"
	// KindRequest: Cloudflare refuses the request for any other reason.
	KindRequest Kind = "request"
)

// Error is an unsuccessful reply of the Cloudflare API. It never holds the API
// token.
type Error struct {
	Kind Kind
	// Status is the HTTP status. It can be 200: some failures have it.
	Status int
	// Code and Message are those of the first error in the reply. Code is 0
	// when the reply had none.
	Code    int
	Message string
	// Remedy is how to fix the cause, or empty when no fix is known. Field is
	// the configuration field that it concerns, or empty.
	Field, Remedy string
	// Wait is how long Cloudflare asks to wait, or zero.
	Wait time.Duration
}

// WaitError reports that a request was not sent because the request budget of
// the token is exhausted, or Cloudflare has asked to wait. Poll again after
// RetryAfter.
type WaitError struct {
	Wait time.Duration
	// Asked says that Cloudflare has asked for it, in an earlier reply.
	Asked bool
}

var (
	_ ingest.RetryAfterer = (*Error)(nil)
	_ ingest.RetryAfterer = (*WaitError)(nil)
	_ ingest.HeldBacker   = (*WaitError)(nil)
)

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cloudflare answered HTTP %d", e.Status)
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Wait > 0 {
		fmt.Fprintf(&b, "; try again in %s", e.Wait.Round(time.Second))
	}
	if e.Field != "" && e.Remedy != "" {
		fmt.Fprintf(&b, "; %s: %s", e.Field, e.Remedy)
	} else if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// RetryAfter implements [ingest.RetryAfterer].
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// Temporary reports whether a later poll may succeed without a change of the
// configuration.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case KindRateLimited, KindServer, KindMalformed:
		return true
	}
	return false
}

// NeedsAction implements [ingest.ActionNeeder]: of KindCredentials and
// KindAccount, the token or the account id must be corrected, here or at
// Cloudflare.
func (e *Error) NeedsAction() bool { return e.Kind == KindCredentials || e.Kind == KindAccount }

// ReadError names the audit log that could not be read and wraps the cause.
type ReadError struct {
	// Log names the log for people, as [ingest.LogState] does.
	Log string
	Err error
}

// Error implements error.
func (e *ReadError) Error() string { return "cloudflareaudit: read " + e.Log + ": " + e.Err.Error() }

// Bare returns the text of the error for people, without the name of the
// package.
func (e *ReadError) Bare() string { return "cannot read " + e.Log + ": " + e.Err.Error() }

// Unwrap returns why the log could not be read.
func (e *ReadError) Unwrap() error { return e.Err }

// Error implements error.
func (e *WaitError) Error() string {
	why := "the request budget of the API token is used up"
	if e.Asked {
		why = "Cloudflare has asked to wait before the next request"
	}
	return fmt.Sprintf("%s; try again in %s", why, e.Wait.Round(time.Second))
}

// HeldBack implements [ingest.HeldBacker].
func (e *WaitError) HeldBack() bool { return true }

// RetryAfter implements [ingest.RetryAfterer].
func (e *WaitError) RetryAfter() time.Duration { return e.Wait }

// The remedies of the known failures.
const (
	remedyPermission = "the API token lacks Account > Account Settings > Read (also shown as Account > Audit Logs > Read) " +
		"for this account, or it is a user token whose owner has left the account: " +
		"create an account-owned token with that permission (Manage Account > Account API Tokens); " +
		"a token made within the last minute may still be refused: try again"
	remedyToken = "the API token is unknown, expired or revoked: " +
		"create a new one with Account > Account Settings > Read (Manage Account > Account API Tokens)"
	remedyHeader = "this is not an API token: paste the token alone, " +
		"without \"Bearer\", quotes, spaces or a line break, and not a Global API key"
	remedyAccount = "there is no such account: copy the Account ID from the account's overview page; " +
		"a zone id looks the same but is not one"
	remedyRate = "the token is shared with something that uses up its 1200 requests in 5 minutes: " +
		"give this connector a token of its own or lower this limit"
	remedyMalformed = "something other than the Cloudflare API answered: check this URL and any proxy on the way"
)

// Message is one element of the list "errors" of a reply.
type Message struct {
	Code    int
	Message string
	// Chain holds the codes of its causes.
	Chain []int
}

// maxMessage bounds the message of an [Error], in characters.
const maxMessage = 200

// New classifies an unsuccessful reply by its HTTP status and then by the code
// of its first message. The status comes first because causes share codes:
// 10000 means a missing permission, an unknown token or occasionally a rate
// limit. Wait is how long the reply asks to wait, or zero. The text of the
// message is cut to 200 characters.
func New(status int, messages []Message, wait time.Duration) *Error {
	e := &Error{Status: status, Wait: wait}
	if len(messages) > 0 {
		e.Code, e.Message = messages[0].Code, text.Clean(messages[0].Message, maxMessage)
	}
	switch {
	case status == http.StatusTooManyRequests || e.Code == 971 || e.Code == 10429:
		e.Kind, e.Field, e.Remedy = KindRateLimited, "rate_limit", remedyRate
	case status >= 500 || status == http.StatusRequestTimeout:
		e.Kind = KindServer
	case e.Code == 7003 || e.Code == 7000 || status == http.StatusNotFound:
		e.Kind, e.Field, e.Remedy = KindAccount, "account_id", remedyAccount
	case e.Code == 6003 || hasCause(messages, 6111):
		e.Kind, e.Field, e.Remedy = KindCredentials, "api_token", remedyHeader
	case e.Code == 1000 || e.Code == 10001 || status == http.StatusUnauthorized:
		e.Kind, e.Field, e.Remedy = KindCredentials, "api_token", remedyToken
	case e.Code == 10000 || e.Code == 9109 || status == http.StatusForbidden:
		e.Kind, e.Field, e.Remedy = KindCredentials, "api_token", remedyPermission
	case status == http.StatusOK && e.Code == 0, status < 400 && status != http.StatusOK:
		e.Kind, e.Field, e.Remedy = KindMalformed, "base_url", remedyMalformed
	default:
		e.Kind = KindRequest
	}
	return e
}

func hasCause(messages []Message, code int) bool {
	return slices.ContainsFunc(messages, func(m Message) bool { return slices.Contains(m.Chain, code) })
}

// Malformed returns the error for a reply that does not come from this API.
// Message describes the fault.
func Malformed(status int, message string) *Error {
	return &Error{Kind: KindMalformed, Status: status, Message: message, Field: "base_url", Remedy: remedyMalformed}
}
