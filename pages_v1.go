package cloudflareaudit

import (
	"bytes"
	"context"
	"net/http"
)

// turnPage asks for the page of w that holds the entry at its offset. The last
// one of a window is known by being short. A reply that cannot be read is asked
// for again in smaller pages, down to the one entry that is the cause.
func (p *poll) turnPage(ctx context.Context, w *window) (got, error) {
	for {
		size := p.pageSize(w)
		number := pageAt(w.Offset, size)
		r, err := p.fetch(ctx, w, number, size)
		g := got{reply: r, first: (number - 1) * size, last: len(p.page.entries) < size}
		switch {
		case err == nil && p.maybeCapped(number, size):
			capped, err := p.checkCapped(ctx, w, number, size)
			if !capped || err != nil {
				return g, err
			}
		case err == nil:
			p.biggest = min(2*p.biggest, p.most)
			return g, nil
		case unreadable(err) && size > 1:
			p.biggest = size / 2
		case unreadable(err):
			if err := p.checkIsolated(ctx, w, err); err != nil {
				return g, err
			}
			// Replies may have been damaged for a while, and are not any more.
			if g.reply, err = p.fetch(ctx, w, number, size); unreadable(err) {
				g.unreadable, err = err, nil
			}
			g.last = len(p.page.entries) < size
			return g, err
		case number > 1 && statusOf(err) == http.StatusBadRequest:
			g.end, err = p.checkEnd(ctx, w)
			if g.end || err != nil {
				return g, err
			}
		default:
			return got{}, err
		}
	}
}

// maybeCapped reports whether the page in hand may be short because the server
// shows fewer entries at once than the size asked for, and does not say so. To
// take it for the end of the window would lose the rest.
func (p *poll) maybeCapped(number, size int) bool {
	n, fullest := len(p.page.entries), p.fullest
	p.fullest = max(fullest, n)
	if size <= defaultPageSize || size <= fullest || n == size {
		return false
	}
	// A page behind the first begins elsewhere when the limit is lower.
	return number > 1 || n >= max(fullest, defaultPageSize)
}

// checkCapped finds out. Behind the first page there is another if it was cut;
// one behind it does not begin at the entry that a page of one entry shows, as
// long as nothing comes in meanwhile. From then on no page is asked for that is
// larger than what the server shows.
func (p *poll) checkCapped(ctx context.Context, w *window, number, size int) (capped bool, err error) {
	if number > 1 && !p.settled(w) {
		p.most, p.biggest = defaultPageSize, defaultPageSize
		return true, nil
	}
	short := p.page
	p.page = new(page)
	defer func() { p.page = short }()
	limit, probe, one := len(short.entries), 2, size
	if number > 1 {
		limit, probe, one = defaultPageSize, (number-1)*size+1, 1
	}
	_, err = p.fetch(ctx, w, probe, one)
	switch {
	case unreadable(err):
		capped = true
	case err != nil && statusOf(err) != http.StatusBadRequest:
		return false, err
	case number == 1:
		capped = len(p.page.entries) > 0
	default:
		capped = !sameFirst(short, p.page)
	}
	if capped {
		p.most, p.biggest = limit, limit
	}
	return capped, nil
}

// sameFirst reports whether two pages begin with the same entry, or have none.
func sameFirst(a, b *page) bool {
	if len(a.entries) == 0 || len(b.entries) == 0 {
		return len(a.entries) == len(b.entries)
	}
	return bytes.Equal(a.key(0), b.key(0))
}

// pageAt is the number of the page, of those with the size, that holds the entry
// at offset.
func pageAt(offset, size int) (number int) { return offset/size + 1 }

// fetch asks for one page of w by its number.
func (p *poll) fetch(ctx context.Context, w *window, number, size int) (reply, error) {
	q := p.query(w, w.Since, w.Before)
	q.page, q.perPage, q.hideUserLogs = number, size, w.HideUserLogs
	r, err := p.ask(ctx, q)
	if err == nil && len(p.page.entries) > size {
		// The positions of all that follows would be wrong.
		err = malformed(http.StatusOK, "the page has more entries than were asked for")
	}
	return r, err
}

// checkEnd is called when the page behind a full one is answered with HTTP 400.
// That is how some servers say that there is no such page, but it could also be
// a limit on how deep a window may be paged. A page that begins before the end
// and has room for an entry behind it tells. When it cannot, the rest is read as
// a window of its own, which ends a little after the last entry read.
func (p *poll) checkEnd(ctx context.Context, w *window) (end bool, err error) {
	size := 2
	for w.Offset%size == 0 {
		size++
	}
	_, err = p.fetch(ctx, w, pageAt(w.Offset-1, size), size)
	rest := w.rest()
	switch more := len(p.page.entries) > w.Offset%size; {
	case err == nil && !more:
		return true, nil
	case err != nil && !unreadable(err) && statusOf(err) != http.StatusBadRequest:
		return false, err
	case rest.Before(w.Before):
		w.Before, w.Offset = rest, 0
		w.Behind, w.BehindAt = w.Last, w.LastAt
		return false, nil
	case unreadable(err):
		// The last entry is one that cannot be read, and has been passed, unless
		// what is deeper is refused as well.
		_, err = p.fetch(ctx, w, pageAt(w.Offset, size)+1, size)
		switch {
		case err == nil && len(p.page.entries) == 0:
			return true, nil
		case err != nil && !unreadable(err) && statusOf(err) != http.StatusBadRequest:
			return false, err
		}
	}
	return false, malformed(http.StatusBadRequest, "the server does not show all entries of one minute")
}

// checkIsolated is called when a page of a single entry cannot be read. An entry
// behind it that can be read shows that the entry is the cause. Otherwise the
// whole log is unreadable, and passing over it entry by entry would lose it.
func (p *poll) checkIsolated(ctx context.Context, w *window, cause error) error {
	broken := p.page
	p.page = new(page)
	defer func() { p.page = broken }()
	for step := 1; step <= 64; step *= 2 {
		_, err := p.fetch(ctx, w, w.Offset+1+step, 1)
		if err == nil || statusOf(err) == http.StatusBadRequest {
			return nil
		}
		if !unreadable(err) {
			return err
		}
	}
	return malformed(http.StatusOK, cause.Error())
}

// catchUp looks for the last entry read of a settled window behind its place,
// on the page in hand, whose first entry is at the position first. It is there
// if something came in after all, or if the server shows one page again and
// again. An entry without an id may also be another one of the same bytes.
func (p *poll) catchUp(w *window, first int) {
	if !p.settled(w) || w.Last == 0 || w.Behind != 0 {
		return
	}
	for i := max(0, w.Offset-first); i < len(p.ids); i++ {
		if p.ids[i] == w.Last && p.page.id(i) != nil {
			w.Behind, w.BehindAt = w.Last, w.LastAt
			return
		}
	}
}
