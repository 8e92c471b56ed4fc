package cloudflareaudit

import (
	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
)

// ErrCursor is [ingest.ErrCursor]: a cursor of another account, of a newer
// version of this package, or a damaged one. A host stops polling the instance
// and asks a person.
var ErrCursor = ingest.ErrCursor

// FieldError says what is wrong with one field of a [Config].
type FieldError = ingest.FieldError

// APIError is a reply of the Cloudflare API that is not a success.
type APIError = apierror.Error

// ReadError says which of the audit logs could not be read, and wraps why.
type ReadError = apierror.ReadError

// WaitError says that a request was not sent, because the request budget of the
// token is used up for now.
type WaitError = apierror.WaitError

// Kind says what a failed request means for the host.
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
