package cloudflareaudit

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxEmpty bounds how many pages in a row may be empty and lead to another.
	maxEmpty = 50
	// maxNext bounds what leads to a page, which is part of an address and of
	// every cursor.
	maxNext = 8 << 10
)

// trail is how far the pages of a window have been followed, each of which leads
// to the next.
//
// How long Cloudflare remembers a page is not known. Where it has forgotten one,
// the window is read on by time: what stands before the last entry read is asked
// for, and what is shown again is known by its id.
type trail struct {
	// Since and Before are what all its requests have in common.
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// Next leads to the page to handle next. It is empty at the first.
	Next string `json:"next"`
	// behind leads to the page behind that, once it has been read. It is empty
	// at the last.
	behind string
	// begun says that it is followed by this poll, and resumed that an earlier
	// one has come so far.
	begun, resumed bool
	// ended says that the last page has been handled.
	ended bool
	// empty counts the pages without entries since the last with one.
	empty int
}

// byTime is the trail that begins where w has been read to.
func byTime(w *window) trail { return trail{Since: w.Since, Before: w.rest(), begun: true} }

// followPage asks for the page of w that the last one led to. How long a page is
// says nothing; only the last one leads to no other. A reply that cannot be read
// is asked for again in smaller pages, down to the one entry that is the cause.
func (p *poll) followPage(ctx context.Context, w *window) (got, error) {
	switch {
	case w.Trail.ended:
		return got{end: true}, nil
	case !w.Trail.begun && w.Trail.Next == "":
		w.Trail = byTime(w)
	case !w.Trail.begun:
		w.Trail.begun, w.Trail.resumed = true, true
	}
	var refused *trail
	for {
		size := p.pageSize(w)
		r, err := p.fetchNext(ctx, w, size)
		switch {
		case err == nil && w.Trail.resumed && p.isAnother(w):
			w.Trail = byTime(w)
		case err == nil:
			p.biggest = min(2*p.biggest, p.most)
			return p.followed(w, r)
		case unreadable(err) && size > 1:
			p.biggest = size / 2
		case unreadable(err):
			return p.passUnreadable(ctx, w, err)
		case statusOf(err) == http.StatusBadRequest && size > defaultPageSize:
			// Cloudflare's documents differ about the most that can be asked for.
			p.most, p.biggest = defaultPageSize, defaultPageSize
		case w.Trail.Next != "" && refused == nil && mayBeForgotten(err):
			here := w.Trail
			refused, w.Trail = &here, byTime(w)
		default:
			if refused != nil {
				// The page was not the cause.
				w.Trail = *refused
			}
			return got{}, err
		}
	}
}

// isAnother reports whether the page in hand, with which w is resumed, may not be
// the one that was asked for: an empty last one, or one that begins where ids are
// no longer remembered, as the first of the window does.
func (p *poll) isAnother(w *window) bool {
	if len(p.page.entries) == 0 {
		return p.page.next == ""
	}
	when := p.page.entries[0].when
	return w.plausible(when) && when.After(w.remembered())
}

// remembered is the time down from which ids of the window are remembered.
func (w *window) remembered() time.Time { return w.reached().Add(disorder) }

// mayBeForgotten reports whether err may be about the page that was asked for.
// In which words a page is refused that has been forgotten is not known.
func mayBeForgotten(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Kind != KindCredentials && api.Kind != KindRateLimited
}

// followed notes what the page in hand leads to.
func (p *poll) followed(w *window, r reply) (got, error) {
	t := &w.Trail
	g := got{reply: r, first: w.Offset, last: p.page.next == ""}
	if len(p.page.entries) > 0 {
		t.empty = 0
	} else if t.empty++; t.empty > maxEmpty {
		p.standsStill()
		return g, malformed(http.StatusOK, "one empty page leads to another")
	}
	if !g.last && p.page.next == t.Next {
		p.standsStill()
		return g, malformed(http.StatusOK, "the page leads to itself")
	}
	t.behind, t.resumed = p.page.next, false
	return g, nil
}

// turn notes that the page in hand has been handled.
func (t *trail) turn() {
	if t.begun {
		t.Next, t.ended = t.behind, t.behind == ""
	}
}

// stay notes that the page in hand has not been handled to its end: the next
// poll asks for it again. Where it reaches back further than ids are remembered,
// the window is read on by time.
func (p *poll) stay(w *window) windowState {
	if slices.ContainsFunc(p.places, func(at time.Time) bool { return at.After(w.remembered()) }) {
		w.Trail = trail{}
	}
	return unfinished
}

func (p *poll) fetchNext(ctx context.Context, w *window, size int) (reply, error) {
	q := p.query(w, w.Trail.Since, w.Trail.Before)
	q.cursor, q.perPage = w.Trail.Next, size
	return p.ask(ctx, q)
}

// passUnreadable is called when a page of a single entry cannot be read. What it
// leads to can be, and is where to go on; one behind it that can be read shows
// that the entry is the cause. Otherwise the whole log is unreadable, and
// passing over it entry by entry would lose it.
func (p *poll) passUnreadable(ctx context.Context, w *window, cause error) (got, error) {
	here := w.Trail
	err := p.checkFollowing(ctx, w, cause)
	w.Trail = here
	if err != nil {
		return got{}, err
	}
	// Replies may have been damaged for a while, and are not any more.
	r, err := p.fetchNext(ctx, w, 1)
	switch {
	case err == nil:
		return p.followed(w, r)
	case !unreadable(err):
		return got{}, err
	}
	w.Trail.behind, _ = leadsTo(p.page.body)
	return got{reply: r, first: w.Offset, unreadable: err}, nil
}

// checkFollowing looks for a page that can be read behind the one that cannot.
func (p *poll) checkFollowing(ctx context.Context, w *window, cause error) error {
	for range 64 {
		next, ok := leadsTo(p.page.body)
		if !ok {
			return p.checkOldest(ctx, w, cause)
		}
		w.Trail.Next = next
		if _, err := p.fetchNext(ctx, w, 1); err == nil || !unreadable(err) {
			return err
		}
	}
	return malformed(http.StatusOK, cause.Error())
}

// checkOldest is called when an entry that cannot be read leads to no other, as
// the last one of a window does. It is the last if the window shows the same one
// from the other end. A reply that is damaged as a whole has no id to tell by.
func (p *poll) checkOldest(ctx context.Context, w *window, cause error) error {
	id := p.page.partialID()
	q := p.query(w, w.Trail.Since, w.Trail.Before)
	q.perPage, q.oldestFirst = 1, true
	switch _, err := p.ask(ctx, q); {
	case err != nil && !unreadable(err):
		return err
	case err == nil, id == "", id != p.page.partialID():
		return malformed(http.StatusOK, cause.Error()+", nor what follows it")
	}
	return nil
}

// leadsTo is what a reply leads to that cannot be read as a whole.
func leadsTo(body []byte) (next string, ok bool) {
	const name = `"result_info"`
	i := bytes.LastIndex(body, []byte(name))
	if i < 0 {
		return "", false
	}
	rest := bytes.TrimLeft(body[i+len(name):], " \t\r\n:")
	info, err := jsontext.NewDecoder(bytes.NewReader(rest), readOptions...).ReadValue()
	if err != nil {
		return "", false
	}
	next, err = nextIn(value(info))
	return next, err == nil && next != ""
}

// nextIn is what a reply leads to by its result_info, or "" at the last page.
// What cannot be sent back is an error: it is not the end of the log.
func nextIn(info value) (string, error) {
	switch info.kind() {
	case 0, 'n':
		return "", nil
	case '{':
	default:
		return "", malformed(http.StatusOK, "the result_info of the reply is no object")
	}
	switch cursor := info.get("cursor"); cursor.kind() {
	case 0, 'n':
		return "", nil
	case '"', '0':
		if len(cursor) > maxNext {
			return "", malformed(http.StatusOK, "the cursor of the next page is too long")
		}
		return cursor.text(), nil
	}
	return "", malformed(http.StatusOK, "the cursor of the next page is no text")
}
