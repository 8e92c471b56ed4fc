package feed

import (
	"context"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
)

// mostlyWithin is how late entries of the audit log mostly are. Between two
// reads of all that is not settled, only so much is read again. Those of Audit
// Logs v2 are mostly later, so all of it is read every time.
const mostlyWithin = time.Minute

// endpoint is how the pages of one log are read. The windows, the overlap, the
// backlog and the recognition of repeated entries are the same for both logs.
type endpoint interface {
	// next asks for the page of w that follows what has been read of it, and
	// leaves it in hand.
	next(ctx context.Context, w *window) (turned, error)
	// handled reports whether the position tells that the entry of w at index
	// has been handled. The entry has the fingerprint id and stands at when.
	handled(w *window, index int, id fingerprint, when time.Time) bool
}

var (
	_ endpoint = (*numberedPages)(nil)
	_ endpoint = (*followedPages)(nil)
)

// turned describes the page in hand.
type turned struct {
	cloudflare.Reply
	// first is the position of its first entry in the window.
	first int
	// last says that no entry of the window follows.
	last bool
	// end says that the window has no such page.
	end bool
	// unreadable says why the one entry of the page cannot be read.
	unreadable error
}
