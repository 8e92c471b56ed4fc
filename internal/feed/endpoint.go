package feed

import (
	"context"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
)

// mostlyWithin is the lateness that most entries of the audit log stay within.
// Between two reads of the entire unsettled span, only this much is re-read.
const mostlyWithin = time.Minute

// endpoint is how the pages of one log are read. The windows, the overlap, the
// backlog and the recognition of repeated entries are the same for both logs.
type endpoint interface {
	// next requests the page of w that follows the entries read so far and
	// makes it the current page.
	next(ctx context.Context, w *window) (turned, error)
	// handled reports whether the position shows that the entry of w at index
	// has been handled. The entry has the fingerprint id and the time when.
	handled(w *window, index int, id fingerprint, when time.Time) bool
}

var (
	_ endpoint = (*numberedPages)(nil)
	_ endpoint = (*followedPages)(nil)
)

// turned describes the current page.
type turned struct {
	cloudflare.Reply
	// first is the position of its first entry in the window.
	first int
	// last says that no entry of the window follows.
	last bool
	// end says that the window has no further page.
	end bool
	// unreadable is why the only entry of the page cannot be read.
	unreadable error
}
