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
type followedPages struct{ poll *poll }

// maxEmpty bounds how many consecutive empty pages are followed.
const maxEmpty = 50

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

// byTime starts a new trail at the point down to which w has been read.
func byTime(w *window) trail { return trail{Since: w.Since, Before: w.rest(), begun: true} }

// next requests the page of w that follows the last one. A short page is not
// the last one: only a page without a cursor is. An unreadable reply is
// requested again in smaller pages, down to the single entry that is the cause.
func (f *followedPages) next(ctx context.Context, w *window) (turned, error) {
	switch {
	case w.Trail.ended:
		return turned{end: true}, nil
	case !w.Trail.begun && w.Trail.Next == "":
		w.Trail = byTime(w)
	case !w.Trail.begun:
		w.Trail.begun, w.Trail.resumed = true, true
	}
	var refused *trail
	for {
		size := f.poll.pageSize(w)
		r, err := f.fetchNext(ctx, w, size)
		switch {
		case err == nil && w.Trail.resumed && f.isAnother(w):
			w.Trail = byTime(w)
		case err == nil:
			f.poll.biggest = min(2*f.poll.biggest, f.poll.most)
			return f.followed(w, r)
		case cloudflare.Unreadable(err) && size > 1:
			f.poll.biggest = size / 2
		case cloudflare.Unreadable(err):
			return f.passUnreadable(ctx, w, err)
		case cloudflare.Status(err) == http.StatusBadRequest && size > cloudflare.DefaultPageSize:
			// Cloudflare's documentation is inconsistent about the largest
			// page.
			f.poll.most, f.poll.biggest = cloudflare.DefaultPageSize, cloudflare.DefaultPageSize
		case w.Trail.Next != "" && refused == nil && mayBeForgotten(err):
			here := w.Trail
			refused, w.Trail = &here, byTime(w)
		default:
			if refused != nil {
				// The page was not the cause.
				w.Trail = *refused
			}
			return turned{}, err
		}
	}
}

// isAnother reports whether the current page, with which w is resumed, may
// differ from the one requested: it is empty and the last one, or it begins
// where ids are no longer remembered, as the first page of the window does.
func (f *followedPages) isAnother(w *window) bool {
	if f.poll.page().Len() == 0 {
		return f.poll.page().Next() == ""
	}
	when := f.poll.page().When(0)
	return w.plausible(when) && when.After(w.remembered())
}

// remembered is the time below which the ids of the window's entries are
// remembered.
func (w *window) remembered() time.Time { return w.reached().Add(disorder) }

// mayBeForgotten reports whether err may mean that the cursor of the page has
// expired. How Cloudflare reports that is not documented.
func mayBeForgotten(err error) bool {
	api, ok := errors.AsType[*apierror.Error](err)
	return ok && api.Kind != apierror.KindCredentials && api.Kind != apierror.KindRateLimited
}

// followed records the cursor that the current page has for the next.
func (f *followedPages) followed(w *window, r cloudflare.Reply) (turned, error) {
	t := &w.Trail
	g := turned{Reply: r, first: w.Offset, last: f.poll.page().Next() == ""}
	if f.poll.page().Len() > 0 {
		t.empty = 0
	} else if t.empty++; t.empty > maxEmpty {
		f.poll.standsStill()
		return g, apierror.Malformed(http.StatusOK, "one empty page leads to another")
	}
	if !g.last && f.poll.page().Next() == t.Next {
		f.poll.standsStill()
		return g, apierror.Malformed(http.StatusOK, "the page leads to itself")
	}
	t.behind, t.resumed = f.poll.page().Next(), false
	return g, nil
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

// passUnreadable is called when a page of a single entry cannot be read. The
// cursor of the next page can still be found, and reading continues there. If a
// later page can be read, the entry is the cause. Otherwise the whole log is
// unreadable, and passing over it entry by entry would lose it.
func (f *followedPages) passUnreadable(ctx context.Context, w *window, cause error) (turned, error) {
	here := w.Trail
	err := f.checkFollowing(ctx, w, cause)
	w.Trail = here
	if err != nil {
		return turned{}, err
	}
	// Replies may have been damaged for a while only.
	r, err := f.fetchNext(ctx, w, 1)
	switch {
	case err == nil:
		return f.followed(w, r)
	case !cloudflare.Unreadable(err):
		return turned{}, err
	}
	w.Trail.behind, _ = f.poll.page().FindNext()
	return turned{Reply: r, first: w.Offset, unreadable: err}, nil
}

// checkFollowing looks for a readable page after the one that cannot be read.
func (f *followedPages) checkFollowing(ctx context.Context, w *window, cause error) error {
	for range 64 {
		next, ok := f.poll.page().FindNext()
		if !ok {
			return f.checkOldest(ctx, w, cause)
		}
		w.Trail.Next = next
		if _, err := f.fetchNext(ctx, w, 1); err == nil || !cloudflare.Unreadable(err) {
			return err
		}
	}
	return apierror.Malformed(http.StatusOK, cause.Error())
}

// checkOldest is called when no page follows an unreadable entry, which
// suggests the last one of a window. It is the last if the window read in
// reverse begins with the same entry. A reply that is damaged as a whole has no
// id to compare.
func (f *followedPages) checkOldest(ctx context.Context, w *window, cause error) error {
	id := f.poll.page().Torn().RawID
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
