package feed

import (
	"context"
	"net/http"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
)

// numberedPages is the endpoint of the audit log, whose pages have numbers.
type numberedPages struct {
	poll *poll
	// torn is the last entry met that cannot be read.
	torn tornEntry
}

// errOtherPages is the error of a server that ignores the number or the size of a
// page, so that entries would be passed over unseen.
var errOtherPages = apierror.Malformed(http.StatusOK, "the server does not return the pages asked for")

// tornEntry is an entry at which a page became unreadable: its position in the
// window from since to before. The zero value is none.
type tornEntry struct {
	since, before time.Time
	at            int
	// id is the JSON of its id, or empty, and follows says that entries before
	// it on the same page could be read.
	id      string
	follows bool
}

// in reports whether the entry is one of w, whose bounds may have moved since.
func (t *tornEntry) in(w *window) bool { return t.since.Equal(w.Since) && t.before.Equal(w.Before) }

// next requests the page of w that holds the entry at its offset. A short page
// is the last of its window. Of an unreadable reply the entries before the fault
// are taken, and the one at the fault is requested alone.
func (n *numberedPages) next(ctx context.Context, w *window) (turned, error) {
	for {
		size := n.size(w)
		number := pageAt(w.Offset, size)
		r, err := n.fetch(ctx, w, number, size)
		g := turned{Reply: r, first: (number - 1) * size, last: n.poll.page().Len() < size}
		switch {
		case err == nil && n.isAtTorn(w):
			// The damage was temporary, or the server shows what it likes.
			if g.last || fingerprintOf(n.poll.page().Key(0)) == w.Last {
				err = errOtherPages
			} else {
				err = n.checkPlace(ctx, w)
			}
			n.torn = tornEntry{}
			return g, err
		case err == nil && n.maybeCapped(number, size):
			capped, err := n.checkCapped(ctx, w, number, size)
			if !capped || err != nil {
				return g, err
			}
		case err == nil:
			n.poll.biggest = min(2*n.poll.biggest, n.poll.most)
			return g, nil
		case cloudflare.Unreadable(err) && size > 1:
			if n.findTorn(w, g.first, size, err) {
				g.last = false
				return g, nil
			}
		case cloudflare.Unreadable(err):
			return n.passTorn(ctx, w, g, err)
		case number > 1 && cloudflare.Status(err) == http.StatusBadRequest:
			g.end, err = n.checkEnd(ctx, w)
			if g.end || err != nil {
				return g, err
			}
		default:
			return turned{}, err
		}
	}
}

// size is the size of the next page of w. The entry that cannot be read is
// requested alone, and those after it in pages that begin after it.
func (n *numberedPages) size(w *window) int {
	size := n.poll.pageSize(w)
	switch {
	case n.isAtTorn(w):
		return 1
	case n.torn.in(w) && n.torn.at < w.Offset:
		for size > 1 && w.Offset/size*size <= n.torn.at {
			size--
		}
	}
	return size
}

// isAtTorn reports whether the next entry of w is the one that cannot be read.
func (n *numberedPages) isAtTorn(w *window) bool { return n.torn.in(w) && n.torn.at == w.Offset }

// findTorn locates the fault of the current page, which begins at the position
// first, and reports whether unread entries precede it. A page with a fault that
// has no place among its entries is requested again in smaller pages.
func (n *numberedPages) findTorn(w *window, first, size int, cause error) (precede bool) {
	if first > 0 && size > max(cloudflare.DefaultPageSize, n.poll.fullest) {
		// Under a lower limit of the server the page begins elsewhere, and what is
		// cut off by the fault cannot tell.
		n.poll.biggest = max(cloudflare.DefaultPageSize, n.poll.fullest)
		return false
	}
	intact, placed := n.poll.page().Intact()
	if !placed {
		n.poll.biggest = size / 2
		return false
	}
	if cloudflare.TooLarge(cause) && intact > 0 {
		n.poll.fits(intact)
		return first+intact > w.Offset
	}
	n.torn = tornEntry{w.Since, w.Before, first + intact, n.poll.page().Torn().RawID, intact > 0}
	return n.torn.at > w.Offset
}

// passTorn is called when a page of a single entry cannot be read. If other
// entries can be read, this one is the cause.
func (n *numberedPages) passTorn(ctx context.Context, w *window, g turned, cause error) (turned, error) {
	id := n.poll.page().Torn().RawID
	known := n.isAtTorn(w) && id != "" && id == n.torn.id
	if !known || !n.torn.follows {
		if err := n.checkIsolated(ctx, w, id, cause); err != nil {
			return g, err
		}
	}
	if !known {
		// The damage may have been temporary.
		r, err := n.fetch(ctx, w, w.Offset+1, 1)
		g.Reply, g.last = r, n.poll.page().Len() < 1
		if !cloudflare.Unreadable(err) {
			return g, err
		}
		cause = err
	}
	n.torn = tornEntry{since: w.Since, before: w.Before, at: w.Offset}
	g.unreadable = cause
	return g, nil
}

// checkPlace is called when an entry can be read at the position of one that could
// not. It is that one if it has its id, and otherwise if the entry read last comes
// right before it.
func (n *numberedPages) checkPlace(ctx context.Context, w *window) error {
	page := n.poll.page()
	if w.Offset == 0 || n.torn.id != "" && page.RawID(0) == n.torn.id {
		return nil
	}
	defer n.poll.aside()()
	_, err := n.fetch(ctx, w, w.Offset, 1)
	switch before := n.poll.page(); {
	case err != nil && !cloudflare.Unreadable(err):
		return err
	case err == nil && (before.Len() == 0 || fingerprintOf(before.Key(0)) != w.Last):
		return errOtherPages
	}
	return nil
}

// leastLimit is the lowest limit to the entries of a page that a server is expected to
// have, in steps of five. Any other short first page of few entries is the only one: to
// ask each time would cost quiet accounts twice the requests.
const leastLimit = 10

// isLow reports whether so many entries may be a limit lower than a usual page.
func isLow(shown int) bool {
	return shown >= leastLimit && shown < cloudflare.DefaultPageSize && shown%5 == 0
}

// maybeCapped reports whether the current page may be short because the server
// silently returns fewer entries than requested. Mistaking it for the end of
// the window would lose the rest.
func (n *numberedPages) maybeCapped(number, size int) bool {
	shown, fullest := n.poll.page().Len(), n.poll.fullest
	n.poll.fullest = max(fullest, shown)
	if size <= fullest || shown == size {
		return false
	}
	// Under a lower limit, later pages begin elsewhere.
	return number > 1 && size > cloudflare.DefaultPageSize || (isLow(shown) || shown >= cloudflare.DefaultPageSize) && shown >= fullest
}

// checkCapped finds out whether the page was capped. A capped first page is
// followed by another one. A capped later page does not begin at the entry that
// a page of one entry shows at that position, unless entries appear meanwhile. From then
// on no page is larger than the server's limit, which is either that of a usual page or
// the number of entries shown, if that is low.
func (n *numberedPages) checkCapped(ctx context.Context, w *window, number, size int) (capped bool, err error) {
	short := n.poll.page()
	limit := cloudflare.DefaultPageSize
	if number == 1 || isLow(short.Len()) && short.Len() == n.poll.fullest {
		limit = short.Len()
	}
	if number > 1 && !w.closed {
		n.poll.most, n.poll.biggest = limit, limit
		return true, nil
	}
	defer n.poll.aside()()
	probe, one := 2, size
	if number > 1 {
		probe, one = (number-1)*size+1, 1
	}
	_, err = n.fetch(ctx, w, probe, one)
	switch {
	case cloudflare.Unreadable(err):
		capped = true
	case err != nil && cloudflare.Status(err) != http.StatusBadRequest:
		return false, err
	case number == 1 && limit < cloudflare.DefaultPageSize && sameFirst(short, n.poll.page()):
		// The server ignores the number of a page, so nothing more can be had.
	case number == 1:
		capped = n.poll.page().Len() > 0
	default:
		capped = !sameFirst(short, n.poll.page())
	}
	if capped {
		n.poll.most, n.poll.biggest = limit, limit
	}
	return capped, nil
}

// sameFirst reports whether two pages begin with the same entry, or have none.
func sameFirst(a, b *cloudflare.Page) bool {
	if a.Len() == 0 || b.Len() == 0 {
		return a.Len() == b.Len()
	}
	return a.Key(0) == b.Key(0)
}

// pageAt is the number of the page of the given size that holds the entry at
// offset.
func pageAt(offset, size int) (number int) { return offset/size + 1 }

// fetch requests one page of w by its number.
func (n *numberedPages) fetch(ctx context.Context, w *window, number, size int) (cloudflare.Reply, error) {
	q := n.poll.query(w, w.Since, w.Before)
	q.Page, q.Size, q.HideUserLogs = number, size, w.HideUserLogs
	r, err := n.poll.ask(ctx, q)
	return r, n.poll.checkCount(size, err)
}

// checkEnd is called when the page after a full one gets HTTP 400. Some servers
// say so that there is no such page, but it could also be a limit on how deep a
// window may be paged. A page that begins before the end and has room for one
// more entry tells the two apart. If it is refused too, the rest is read as a
// separate window, which ends a little after the last entry read.
func (n *numberedPages) checkEnd(ctx context.Context, w *window) (end bool, err error) {
	size := 2
	for w.Offset%size == 0 {
		size++
	}
	_, err = n.fetch(ctx, w, pageAt(w.Offset-1, size), size)
	rest := w.rest()
	switch more := n.poll.page().Len() > w.Offset%size; {
	case err == nil && !more:
		return true, nil
	case err != nil && !cloudflare.Unreadable(err) && cloudflare.Status(err) != http.StatusBadRequest:
		return false, err
	case rest.Before(w.Before):
		w.Before, w.Offset = rest, 0
		w.Behind, w.BehindAt = w.Last, w.LastAt
		return false, nil
	case cloudflare.Unreadable(err):
		// The last entry is an unreadable one that has been skipped, unless the
		// server refuses deeper pages as well.
		_, err = n.fetch(ctx, w, pageAt(w.Offset, size)+1, size)
		switch {
		case err == nil && n.poll.page().Len() == 0:
			return true, nil
		case err != nil && !cloudflare.Unreadable(err) && cloudflare.Status(err) != http.StatusBadRequest:
			return false, err
		}
	}
	return false, apierror.Malformed(http.StatusBadRequest, "the server does not return all entries of one minute")
}

// checkIsolated is called when a page of a single entry, with this id, cannot be
// read. If a later entry can be read, this one is the cause. Otherwise the whole
// log is unreadable, and skipping it entry by entry would lose it.
func (n *numberedPages) checkIsolated(ctx context.Context, w *window, id string, cause error) error {
	defer n.poll.aside()()
	for step := 1; step <= 64; step *= 2 {
		_, err := n.fetch(ctx, w, w.Offset+1+step, 1)
		switch {
		case err == nil && n.poll.page().Len() > 0:
			return nil
		case err == nil || cloudflare.Status(err) == http.StatusBadRequest:
			return n.checkLast(ctx, w, id)
		case !cloudflare.Unreadable(err):
			return err
		}
	}
	return apierror.Malformed(http.StatusOK, cause.Error())
}

// checkLast is called when no entry seems to follow one that cannot be read.
// The window read in reverse then begins with that entry. If it does not, the
// server has another idea of pages, and entries would be passed over unseen.
func (n *numberedPages) checkLast(ctx context.Context, w *window, id string) error {
	q := n.poll.query(w, w.Since, w.Before)
	q.Page, q.Size, q.HideUserLogs, q.OldestFirst = 1, 1, w.HideUserLogs, true
	_, err := n.poll.ask(ctx, q)
	switch err = n.poll.checkCount(1, err); {
	case err != nil && !cloudflare.Unreadable(err):
		return err
	case err == nil || n.poll.page().Torn().RawID != id:
		return errOtherPages
	}
	return nil
}

// handled implements [endpoint]. In an unsettled window the position proves
// nothing: late entries push others to later positions and appear in front of
// it.
func (n *numberedPages) handled(w *window, index int, id fingerprint, when time.Time) bool {
	switch {
	case !w.closed:
		return false
	case w.Behind == 0:
		return index < w.Offset
	case when.Before(w.BehindAt.Add(-disorder)):
		// The entry is no longer in the log.
		w.Behind = 0
		return index < w.Offset
	case id == w.Behind:
		w.Behind = 0
	}
	return true
}

// catchUp looks for the last entry read of a settled window beyond its
// position, on the current page, whose first entry is at the position first. It
// is there if an entry appeared after all, or if the server keeps returning one
// page. An entry without an id proves nothing by itself, because another one may
// have the same bytes; a page that has been shown before does.
func (p *poll) catchUp(w *window, first int) {
	if !w.closed || w.Last == 0 || w.Behind != 0 {
		return
	}
	from := max(0, w.Offset-first)
	shown := p.returns > 0 || from < len(p.places) && p.places[from].After(w.LastAt.Add(disorder))
	for i := from; i < len(p.ids); i++ {
		if p.ids[i] == w.Last && (shown || p.page().ID(i) != "") {
			w.Behind, w.BehindAt = w.Last, w.LastAt
			return
		}
	}
}
