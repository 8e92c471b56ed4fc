package cloudflareaudit

import (
	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
)

// ErrCursor is [ingest.ErrCursor]: a cursor of another account, of a newer
// version of this package, or a damaged one. A host stops polling the instance
// until an operator intervenes.
var ErrCursor = ingest.ErrCursor

// FieldError describes a fault of one field of a [Config].
type FieldError = ingest.FieldError

// APIError is an unsuccessful reply of the Cloudflare API.
type APIError = apierror.Error

// ReadError names the audit log that could not be read and wraps the cause.
type ReadError = apierror.ReadError

// WaitError reports that a request was not sent because the request budget of
// the token is exhausted for now.
type WaitError = apierror.WaitError

// Kind classifies a failed request by what the host should do.
type Kind = apierror.Kind

// The kinds of [APIError]. [apierror.Kind] says what a host does about each.
const (
	KindCredentials = apierror.KindCredentials
	KindAccount     = apierror.KindAccount
	KindRateLimited = apierror.KindRateLimited
	KindServer      = apierror.KindServer
	KindMalformed   = apierror.KindMalformed
	KindRequest     = apierror.KindRequest
)
