package feed

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
)

// followedPages is the endpoint of Audit Logs v2, each page of which has the
// cursor of the next.
type followedPages struct {
	poll *poll
	// torn is the fault of the last unreadable page.
	torn tornPage
	// visited are the cursors of this trail that this poll has followed, and shown
	// the ends of the pages that they led to.
	visited map[string]bool
	shown   map[ends]bool
	// vain says that in this poll empty pages have led nowhere.
	vain bool
	// wide says that the next page should be as large as can be, because a
	// smaller one did not reach far enough to continue by time.
	wide bool
}

// tornPage is the fault of a page that cannot be read. before is how many
// entries precede it, and id the JSON of the id of the entry at the fault, or
// empty.
type tornPage struct {
	before int
	id     string
	// alone says that the next page begins with that entry, so that a page of
	// one entry has nothing else, and follows that entries before it were read.
	alone, follows bool
}

const (
	// maxEmpty bounds how many consecutive empty pages are followed.
	maxEmpty = 50
	// fewEmpty is how many make it worth a request to ask whether anything is
	// left. Once they have led nowhere, no more of them are followed.
	fewEmpty = 3
)

var (
	errLeadsBack = apierror.Malformed(http.StatusOK, "the page leads to itself")
	errEmpty     = apierror.Malformed(http.StatusOK, "one empty page leads to another")
)

// trail is how far the chain of pages of a window has been followed.
//
// How long the cursor of a page stays valid is not documented. Once one has
// expired, the window is continued by time: the next request covers the entries
// before the last one read, and repeated entries are recognised by id.
type trail struct {
	// Since and Before are the bounds of all its requests.
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// Next is the cursor of the page to handle next. It is empty at the first.
	Next string `json:"next"`
	// behind is the cursor of the page after that, once it has been read. It is
	// empty at the last.
	behind string
	// begun says that this poll has followed the trail, and resumed that the
	// next page is the first one after loading a cursor.
	begun, resumed bool
	// ended says that the last page has been handled.
	ended bool
	// empty counts consecutive pages without entries.
	empty int
}

// next requests the page of w that follows the last one. A short page is not
// the last one: only a page without a cursor is. Of an unreadable reply the
// entries before the fault are requested again, for the cursor that follows
// them, and then the one at the fault alone.
func (f *followedPages) next(ctx context.Context, w *window) (turned, error) {
	switch {
	case w.Trail.ended:
		return turned{end: true}, nil
	case !w.Trail.begun && w.Trail.Next == "":
		f.byTime(w)
	case !w.Trail.begun:
		w.Trail.begun, w.Trail.resumed = true, true
	case w.Trail.Next != "" && f.visited[w.Trail.Next]:
		if err := f.leave(w, errLeadsBack); err != nil {
			return turned{}, err
		}
	}
	var refused *trail
	for {
		size := f.size(w)
		r, err := f.fetchNext(ctx, w, size)
		switch {
		case err == nil && f.isAnother(w):
			if w.Trail.resumed {
				f.byTime(w)
			} else if err := f.leave(w, errLeadsBack); err != nil {
				return turned{}, err
			}
		case err == nil:
			f.poll.biggest = min(2*f.poll.biggest, f.poll.most)
			f.torn = f.torn.reached()
			if g, left, err := f.followed(ctx, w, r); !left || err != nil {
				return g, err
			}
		case cloudflare.Unreadable(err) && size > 1:
			f.findTorn(size, err)
		case cloudflare.Unreadable(err):
			return f.passUnreadable(ctx, w, r, err)
		case cloudflare.Status(err) == http.StatusBadRequest && size > cloudflare.DefaultPageSize:
			// Cloudflare's documentation is inconsistent about the largest
			// page.
			f.poll.most, f.poll.biggest = cloudflare.DefaultPageSize, cloudflare.DefaultPageSize
		case w.Trail.Next != "" && refused == nil && onlyHere(err):
			here := w.Trail
			refused = &here
			if err := f.leave(w, err); err != nil {
				w.Trail = here
				return turned{}, err
			}
		default:
			if refused != nil {
				// The page was not the cause.
				w.Trail = *refused
			}
			return turned{}, err
		}
	}
}

// size is the size of the next page of w.
func (f *followedPages) size(w *window) int {
	switch {
	case f.torn.alone:
		return 1
	case f.torn.before > 0:
		return f.torn.before
	case f.wide:
		return f.poll.biggest
	}
	return f.poll.pageSize(w)
}

// findTorn locates the fault of the current page. One with a fault that has no
// place among its entries is requested again in smaller pages.
func (f *followedPages) findTorn(size int, cause error) {
	intact, placed := f.poll.page().Intact()
	if !placed || intact >= size {
		f.poll.biggest = size / 2
		return
	}
	if cloudflare.TooLarge(cause) && intact > 0 {
		f.poll.fits(intact)
		return
	}
	f.torn = tornPage{before: intact, id: f.poll.page().Torn().RawID, alone: intact == 0}
}

// reached is the fault once the entries before it have been read.
func (t tornPage) reached() tornPage {
	if t.before == 0 {
		return tornPage{}
	}
	return tornPage{id: t.id, alone: true, follows: true}
}

// byTime starts a new trail at the point down to which w has been read.
func (f *followedPages) byTime(w *window) {
	w.Trail = trail{Since: w.Since, Before: w.rest(), begun: true}
	f.torn = tornPage{}
	clear(f.visited)
	clear(f.shown)
}

// leave is called when the pages of the trail lead no further, because of cause.
// Reading continues by time, in the largest pages if need be, unless that leads to
// the same place again.
func (f *followedPages) leave(w *window, cause error) error {
	before := w.Trail.Before
	f.byTime(w)
	moved := w.Trail.Before.Before(before)
	if !moved && f.wide {
		return cause
	}
	f.wide = !moved
	return nil
}

// isAnother reports whether the current page is not the one that follows in w:
// it begins where ids are no longer remembered, as the first page of the window
// does. A page with which w is resumed is another one too if it is empty and the
// last one.
func (f *followedPages) isAnother(w *window) bool {
	if f.poll.page().Len() == 0 {
		return w.Trail.resumed && f.poll.page().Next() == ""
	}
	when := f.poll.page().When(0)
	return w.Trail.Next != "" && w.plausible(when) && when.After(w.remembered())
}

// remembered is the time below which the ids of the window's entries are
// remembered.
func (w *window) remembered() time.Time { return w.reached().Add(disorder) }

// onlyHere reports whether another request may succeed although one has failed with
// err. That the cursor of a page has expired is such an error; how Cloudflare
// reports it is not documented.
func onlyHere(err error) bool {
	api, ok := errors.AsType[*apierror.Error](err)
	return ok && api.Kind != apierror.KindCredentials && api.Kind != apierror.KindRateLimited
}

// followed records the cursor that the current page has for the next. A cursor of
// the last page, which leads back or to empty pages, is none. Where the page is one
// that was shown before, or one empty page too many, the trail is left instead.
func (f *followedPages) followed(ctx context.Context, w *window, r cloudflare.Reply) (g turned, left bool, err error) {
	t, page := &w.Trail, f.poll.page()
	next, repeats := page.Next(), f.repeats()
	f.visit(t.Next)
	t.behind, t.resumed = next, false
	t.empty++
	if page.Len() > 0 {
		t.empty = 0
	}
	g = turned{Reply: r, first: w.Offset, last: next == ""}
	if g.last || !repeats && !f.visited[next] && t.empty != fewEmpty && t.empty <= maxEmpty {
		return g, false, nil
	}
	switch end, err := f.isEnd(ctx, w, repeats); {
	case err != nil:
		return turned{}, false, err
	case end && (repeats || page.Len() == 0):
		return turned{Reply: r, end: true}, false, nil
	case end:
		g.last = true
		return g, false, nil
	}
	switch {
	case repeats:
		return g, true, f.leave(w, errLeadsBack)
	case t.empty > maxEmpty || f.vain && t.empty > 0:
		f.vain = true
		return g, true, f.leave(w, errEmpty)
	}
	return g, false, nil
}

// visit notes that the cursor led to the current page.
func (f *followedPages) visit(cursor string) {
	if f.visited == nil {
		f.visited, f.shown = make(map[string]bool), make(map[ends]bool)
	}
	f.visited[cursor] = true
	if e, tell := f.poll.ends(); tell {
		f.shown[e] = true
	}
}

// repeats reports whether the trail has shown the current page before, under
// another cursor.
func (f *followedPages) repeats() bool {
	e, tell := f.poll.ends()
	return tell && f.shown[e]
}

// isEnd finds out whether the trail has been followed to its end, although the
// current page, which repeats an earlier one or does not, leads to another. It has
// if the window read in reverse begins with the entry that was shown last.
func (f *followedPages) isEnd(ctx context.Context, w *window, repeats bool) (bool, error) {
	last, page := w.Last, f.poll.page()
	if n := page.Len(); n > 0 && !repeats {
		last = fingerprintOf(page.Key(n - 1))
	}
	defer f.poll.aside()()
	q := f.poll.query(w, w.Trail.Since, w.Trail.Before)
	// The order of two tells whether it is the reverse.
	q.Size, q.OldestFirst = 2, true
	_, err := f.poll.ask(ctx, q)
	oldest := f.poll.page()
	switch {
	case cloudflare.Unreadable(err) || cloudflare.Status(err) == http.StatusBadRequest:
		return false, nil
	case err != nil:
		return false, err
	case oldest.Len() == 0:
		// Nothing is there if the empty page leads to itself. Others may lead to an
		// entry.
		return w.Offset == 0 && page.Len() == 0 && f.visited[page.Next()], nil
	}
	return fingerprintOf(oldest.Key(0)) == last && (oldest.Len() == 1 || !oldest.When(0).After(oldest.When(1))), nil
}

// handled implements [endpoint]: entries have no fixed position.
func (f *followedPages) handled(*window, int, fingerprint, time.Time) bool { return false }

// turn records that the current page has been handled.
func (t *trail) turn() {
	if t.begun {
		t.Next, t.ended = t.behind, t.behind == ""
	}
}

// stay records that the current page has been handled only in part: the next
// poll requests it again. If the page begins where ids are no longer
// remembered, the window is continued by time instead.
func (p *poll) stay(w *window) windowState {
	if slices.ContainsFunc(p.places, func(at time.Time) bool { return at.After(w.remembered()) }) {
		w.Trail = trail{}
	}
	return unfinished
}

func (f *followedPages) fetchNext(ctx context.Context, w *window, size int) (cloudflare.Reply, error) {
	q := f.poll.query(w, w.Trail.Since, w.Trail.Before)
	q.Next, q.Size = w.Trail.Next, size
	return f.poll.ask(ctx, q)
}

// passUnreadable is called when the page of a single entry in r cannot be read. The
// cursor of the next page can still be found, and reading continues there. If
// other entries can be read, the entry is the cause. Otherwise the whole log is
// unreadable, and passing over it entry by entry would lose it.
func (f *followedPages) passUnreadable(ctx context.Context, w *window, r cloudflare.Reply, cause error) (turned, error) {
	id := f.poll.page().Torn().RawID
	known := id != "" && id == f.torn.id
	next, _ := f.poll.page().FindNext()
	g := turned{Reply: r, first: w.Offset, unreadable: cause}
	if !known || !f.torn.follows {
		here, page := w.Trail, f.poll.page()
		back := f.poll.aside()
		err := f.checkFollowing(ctx, w, page, cause)
		back()
		w.Trail = here
		if err != nil {
			return turned{}, err
		}
	}
	if !known {
		// The damage may have been temporary.
		r, err := f.fetchNext(ctx, w, 1)
		switch {
		case err == nil:
			f.visit(w.Trail.Next)
			w.Trail.behind, w.Trail.resumed = f.poll.page().Next(), false
			return turned{Reply: r, first: w.Offset, last: w.Trail.behind == ""}, nil
		case !cloudflare.Unreadable(err):
			return turned{}, err
		}
		next, _ = f.poll.page().FindNext()
		g.Reply, g.unreadable = r, err
	}
	f.torn = tornPage{}
	w.Trail.behind = next
	return g, nil
}

// checkFollowing looks for a readable page after one that cannot be read.
func (f *followedPages) checkFollowing(ctx context.Context, w *window, page *cloudflare.Page, cause error) error {
	for range 64 {
		next, ok := page.FindNext()
		if !ok {
			return f.checkOldest(ctx, w, page, cause)
		}
		w.Trail.Next = next
		if _, err := f.fetchNext(ctx, w, 1); err == nil || !cloudflare.Unreadable(err) {
			return err
		}
		page = f.poll.page()
	}
	return apierror.Malformed(http.StatusOK, cause.Error())
}

// checkOldest is called when no page follows an unreadable entry, which
// suggests the last one of a window. It is the last if the window read in
// reverse begins with the same entry. A reply that is damaged as a whole has no
// id to compare.
func (f *followedPages) checkOldest(ctx context.Context, w *window, page *cloudflare.Page, cause error) error {
	id := page.Torn().RawID
	q := f.poll.query(w, w.Trail.Since, w.Trail.Before)
	q.Size, q.OldestFirst = 1, true
	switch _, err := f.poll.ask(ctx, q); {
	case err != nil && !cloudflare.Unreadable(err):
		return err
	case err == nil, id == "", id != f.poll.page().Torn().RawID:
		return apierror.Malformed(http.StatusOK, cause.Error()+", nor what follows it")
	}
	return nil
}
