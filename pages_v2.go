package cloudflareaudit

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxEmpty bounds how many pages in a row may be empty and lead to another.
const maxEmpty = 20

// trail is how far a poll has followed the pages of a window, each of which
// leads to the next. It is not kept in a cursor: the next poll asks for what
// stands before the last entry read, and recognises by their ids those that
// another page shows again, however long Cloudflare remembers a page.
type trail struct {
	// before is what all its requests have in common.
	before time.Time
	// next leads to the next page. It is empty at the first.
	next string
	// ended says that there is none.
	ended bool
	// empty counts the pages without entries since the last with one.
	empty int
}

// followPage asks for the page of w that the last one led to. How long a page is
// says nothing; only the last one leads to no other. A reply that cannot be read
// is asked for again in smaller pages, down to the one entry that is the cause.
func (p *poll) followPage(ctx context.Context, w *window) (got, error) {
	if w.trail.before.IsZero() {
		w.trail.before = w.rest()
	}
	if w.trail.ended {
		return got{end: true}, nil
	}
	for again := false; ; {
		size := p.pageSize(w)
		r, err := p.fetchNext(ctx, w, size)
		switch {
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
		case statusOf(err) == http.StatusBadRequest && w.trail.next != "" && !again:
			// The page has been forgotten: go on by time.
			w.trail = trail{before: w.rest()}
			again = true
		default:
			return got{}, err
		}
	}
}

// followed notes what the page in hand leads to.
func (p *poll) followed(w *window, r reply) (got, error) {
	g := got{reply: r, first: w.Offset, last: p.page.next == ""}
	if len(p.page.entries) > 0 {
		w.trail.empty = 0
	} else if w.trail.empty++; w.trail.empty > maxEmpty {
		return g, malformed(http.StatusOK, "one empty page leads to another")
	}
	if !g.last && p.page.next == w.trail.next {
		return g, malformed(http.StatusOK, "the page leads to itself")
	}
	w.trail.next, w.trail.ended = p.page.next, g.last
	return g, nil
}

func (p *poll) fetchNext(ctx context.Context, w *window, size int) (reply, error) {
	q := p.query(w, w.trail.before)
	q.cursor, q.perPage = w.trail.next, size
	return p.ask(ctx, q)
}

// passUnreadable is called when a page of a single entry cannot be read. What it
// leads to can be, and is where to go on; one behind it that can be read shows
// that the entry is the cause. Otherwise the whole log is unreadable, and
// passing over it entry by entry would lose it.
func (p *poll) passUnreadable(ctx context.Context, w *window, cause error) (got, error) {
	here := w.trail
	err := p.checkFollowing(ctx, w, cause)
	if err != nil {
		return got{}, err
	}
	// Replies may have been damaged for a while, and are not any more.
	w.trail = here
	r, err := p.fetchNext(ctx, w, 1)
	switch {
	case err == nil:
		return p.followed(w, r)
	case !unreadable(err):
		return got{}, err
	}
	next, follows := leadsTo(p.page.body)
	w.trail.next, w.trail.ended = next, !follows
	return got{reply: r, first: w.Offset, unreadable: err}, nil
}

// checkFollowing looks for a page that can be read behind the one that cannot.
func (p *poll) checkFollowing(ctx context.Context, w *window, cause error) error {
	for range 64 {
		next, ok := leadsTo(p.page.body)
		if !ok {
			return p.checkOldest(ctx, w, cause)
		}
		w.trail.next = next
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
	q := p.query(w, w.trail.before)
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
	const name = `"cursor"`
	i := bytes.LastIndex(body, []byte(name))
	if i < 0 {
		return "", false
	}
	rest := bytes.TrimLeft(body[i+len(name):], " \t\r\n:")
	dec := jsontext.NewDecoder(bytes.NewReader(rest), readOptions...)
	v, err := dec.ReadValue()
	if err != nil {
		return "", false
	}
	next = value(v).text()
	return next, next != ""
}
