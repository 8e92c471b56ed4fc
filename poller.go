package cloudflareaudit

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	// backlogPage is the page size for the depth of a window: the most the
	// API allows.
	backlogPage = maxPageSize
	// depth is the offset at which the depth of a window begins. A batch that
	// was filled by pages of 100 ends there, so the pages of both sizes meet.
	depth = 1000
	// maxRequests bounds the pages of one poll, and with them its time.
	maxRequests = 100
	// maxOffset bounds how far a window is paged, against a server that never
	// comes to an end.
	maxOffset = 50_000_000
	// maxReturns bounds how often in a row one page may be shown again.
	maxReturns = 3
	// clockTolerance is how far the end of a new window may be from the
	// server's clock before the window is asked for again.
	clockTolerance = 5 * time.Second
	// keptBody bounds the buffers that are kept between polls.
	keptBody = 4 << 20
	// maxKept bounds what is kept of an entry that cannot be read.
	maxKept = 64 << 10
	// maxBatchBytes bounds the entries of one batch: with the page in hand it
	// is what a poll holds in memory.
	maxBatchBytes = 64 << 20
	// neighbours is how many entries on either side tell where an entry
	// stands.
	neighbours = 7
)

// poller reads one account's audit log. It knows nothing about how far it has
// come; see [position] for that.
type poller struct {
	cfg        Config
	client     *client
	normalizer *Normalizer
	// maxSeen bounds the ids in a cursor; see the constant of this name.
	maxSeen int
	clock   serverClock
	// resolver is nil unless something is to be looked up.
	resolver *resolver
}

// poll is one poll under way.
type poll struct {
	*poller
	feed  *feed
	batch ingest.Batch
	// page is the reply in hand.
	page *page
	// biggest is the largest page that can be read: it shrinks when a reply
	// is too large or damaged.
	biggest int
	// bytes is the size of the entries in the batch.
	bytes int
	// places are the times at which the entries of the page in hand stand.
	places []time.Time
	// progressed says that the position has moved.
	progressed bool
	// seenFull says that the poll ended because feed.Seen is full.
	seenFull bool
	// seenSince is the time from which feed.Seen is complete.
	seenSince time.Time
	// ends are the first and the last entry of the page read last, and returns
	// counts how often in a row it has come again.
	ends    [2]fingerprint
	returns int
	// handledFrom and handledTo say, in a window left open by an earlier poll,
	// from which time on and up to which position everything has been handled.
	// They are zero in a new window.
	handledFrom time.Time
	handledTo   int
	// gaps are the events whose entries leave something out.
	gaps []gap
}

// pages keeps page buffers for the next poll, of whichever connector.
var pages = sync.Pool{New: func() any { return new(page) }}

// release keeps p for the next poll, unless a large reply has made it large.
func release(p *page) {
	if cap(p.body) <= keptBody {
		pages.Put(p)
	}
}

// Poll implements [ingest.Source]. The first cursor fixes where the feed
// begins, and it is returned even when nothing could be read, so that nothing
// that happens from then on is missed.
func (c *Connector) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	pos, err := decodePosition(cursor, c.cfg.AccountID)
	if err != nil {
		return ingest.Batch{}, err
	}
	p := &poll{poller: &c.poller, feed: &pos.AuditLogs, biggest: maxPageSize}
	p.page = pages.Get().(*page)
	defer func() { release(p.page) }()
	p.seenSince = p.feed.Settled.Add(-disorder)
	if cursor == nil {
		p.feed.Start = p.startBefore(p.clock.now(p.cfg.Clock()))
		p.progressed = true
	}
	if err := p.run(ctx); err != nil {
		if !p.progressed {
			return ingest.Batch{Coverage: p.batch.Coverage}, failure(err)
		}
		if ctx.Err() == nil && p.batch.Coverage.Read > 0 {
			p.cfg.Logger.Warn("poll ended early; the next one goes on from there", "error", failure(err))
		}
		if cursor == nil {
			// Even a failure shows the time.
			p.feed.Start = earlier(p.feed.Start, p.startBefore(p.clock.now(p.cfg.Clock())))
		}
	}
	p.resolve(ctx)
	p.feed.prune(p.maxSeen)
	if p.batch.Cursor, err = pos.encode(); err != nil {
		return ingest.Batch{}, err
	}
	p.batch.More = !p.seenFull && (len(p.feed.Windows) > 0 || p.feed.Through.IsZero())
	p.batch.Coverage.Delivered = len(p.batch.Events)
	p.batch.Coverage.Complete = p.feed.complete()
	p.batch.Coverage.Backlog = len(p.feed.Windows)
	return p.batch, nil
}

// run reads the newest entries first: a new window when one is due, then what
// is left of the older ones, until the batch is full.
func (p *poll) run(ctx context.Context) error {
	resumed := true
	if p.windowDue() {
		done, err := p.openWindow(ctx)
		if err != nil {
			return err
		}
		resumed = done
	}
	for len(p.feed.Windows) > 0 {
		w := &p.feed.Windows[0]
		if resumed {
			p.resume(w)
		}
		exhausted, err := p.readWindow(ctx, w)
		if err != nil || !exhausted {
			return err
		}
		p.feed.Windows, resumed = p.feed.Windows[1:], true
	}
	return nil
}

// resume notes what has been handled in a window left open by an earlier poll,
// whether or not the ids are still remembered.
func (p *poll) resume(w *window) {
	p.handledFrom, p.handledTo = time.Time{}, 0
	if w.Anchor.IsZero() {
		return
	}
	p.handledFrom = w.Anchor.Add(disorder)
	if w.HideUserLogs != p.cfg.HideUserLogs {
		// The position counts entries of another list, so the rest begins at
		// the time that was reached.
		w.HideUserLogs, w.Offset = p.cfg.HideUserLogs, 0
		w.Before = earlier(w.Before, w.rest())
	}
	if w.Anchor.Before(p.seenSince) {
		// Nothing can come in between any more, so the position is exact.
		p.handledTo = w.Offset
	}
}

// windowDue reports whether to look for newer entries first. A backlog gives
// way to them once in every poll interval, so that it does not delay today's
// alerts, and not more often, so that it shrinks. A window that takes the place
// of an unfinished one reads some of it again, so it gets twice the time: even
// where reading is slower than that, one of them comes to its end.
func (p *poll) windowDue() bool {
	switch {
	case len(p.feed.Windows) == 0:
		return true
	case len(p.feed.Windows) >= maxWindows:
		return false
	case p.crowded():
		return true
	}
	age := p.clock.now(p.cfg.Clock()).Sub(p.feed.ReadAt)
	patience := p.cfg.PollInterval << min(p.feed.Windows[0].Absorbed, 10)
	// An age below zero means that a clock was ahead for a while.
	return age >= patience || age < -clockTolerance
}

// openWindow asks for the newest window and puts it in front of the open ones.
// The window must not end after the server's clock, or entries between the two
// would count as read before they exist; nor much before, or they would wait
// for the next poll. When the reply shows another time than was assumed, the
// window is asked for once more, if it is due by that time at all.
//
// Done says that there is nothing more to read in a window just opened.
func (p *poll) openWindow(ctx context.Context) (done bool, err error) {
	now := p.clock.now(p.cfg.Clock())
	for corrected := false; ; corrected = true {
		w, absorbed := p.nextWindow(now)
		got, err := p.next(ctx, &w)
		if err != nil {
			return false, err
		}
		readAt := now
		if !got.date.IsZero() {
			off := now.Sub(got.date)
			if !corrected && (off > clockTolerance || off < -clockTolerance-got.took) {
				if !p.windowDue() {
					return true, nil
				}
				if p.feed.Through.IsZero() && off > 0 {
					// The start was told by a clock that is ahead.
					p.feed.Start = p.feed.Start.Add(-off)
				}
				p.cfg.Logger.Warn("the local clock is wrong; windows follow the server's", "off_by", off.Round(time.Second))
				now = p.clock.now(p.cfg.Clock())
				continue
			}
			// The server answered in the second that begins at date, and
			// looked at most took earlier.
			readAt = earlier(now, got.date.Add(-got.took))
		}
		p.adopt(w, absorbed, readAt.Truncate(time.Second))
		if done = p.take(&p.feed.Windows[0], got); done {
			p.feed.Windows = p.feed.Windows[1:]
		}
		return done, nil
	}
}

// nextWindow is the window to open at the server's time now, and how many of
// the open windows it takes the place of.
//
// It begins where everything is settled. An open window that has not been read
// down to there is absorbed: the new one covers the same span again from its
// newest entry, and what has been handled is recognised by id. So the unread
// parts of the windows stay apart, and every entry of the overlap is read
// again at a time when the latest of them can be seen.
func (p *poll) nextWindow(now time.Time) (w window, absorbed int) {
	f := p.feed
	if f.Through.IsZero() {
		f.Start = earlier(f.Start, p.startBefore(now))
		return window{Since: f.Start, Before: later(now.Truncate(time.Second), f.Start)}, 0
	}
	w = window{Since: f.Settled, Before: later(now.Truncate(time.Second), f.Through)}
	if p.crowded() {
		// Newer entries have to wait. Reading the overlap once more settles
		// it, so that the ids in it can be forgotten.
		w.Before = f.Through
	}
	w.RereadFrom, w.RereadTo = f.Settled, f.Through
	for _, open := range f.Windows {
		if open.reached().Before(w.Since) {
			break
		}
		w.RereadFrom = open.reached()
		w.Since, w.Before = open.Since, later(w.Before, open.Before)
		w.Absorbed = open.Absorbed + 1
		absorbed++
	}
	return w, absorbed
}

// crowded reports whether there are so many ids to remember that newer entries
// should wait, and whether waiting helps.
func (p *poll) crowded() bool {
	return len(p.feed.Seen) >= p.maxSeen/2 && p.feed.Settled.Before(p.feed.Through)
}

// adopt makes w, whose first page was read at the server's time readAt, the
// newest window.
func (p *poll) adopt(w window, absorbed int, readAt time.Time) {
	f := p.feed
	w.HideUserLogs = p.cfg.HideUserLogs
	f.Windows = append([]window{w}, f.Windows[absorbed:]...)
	f.ReadAt = readAt
	f.Through = later(f.Through, earlier(w.Before, readAt))
	// A second more, because some servers leave out the second named by
	// since.
	f.Settled = later(f.Settled, earlier(readAt.Add(-p.cfg.Overlap-time.Second), f.Through))
	p.progressed = true
}

// startBefore is where a feed begins whose first poll is at now.
func (p *poll) startBefore(now time.Time) time.Time {
	return now.Add(-p.cfg.InitialLookback).UTC().Truncate(time.Second)
}

// readWindow reads on in an open window until it is exhausted or the poll has
// all it may hold.
func (p *poll) readWindow(ctx context.Context, w *window) (exhausted bool, err error) {
	for !exhausted {
		if p.enough(w) || p.batch.Coverage.Requests >= maxRequests {
			return false, nil
		}
		got, err := p.next(ctx, w)
		if err != nil {
			return false, err
		}
		if err := p.checkAdvance(); err != nil {
			return false, err
		}
		exhausted = p.take(w, got)
		p.progressed = true
	}
	return true, nil
}

// enough reports whether the batch should be delivered before more of w is
// read. In the depth of a window, what would not fit into the batch would have
// to be read twice.
func (p *poll) enough(w *window) bool {
	room := p.cfg.MaxEvents - len(p.batch.Events)
	if p.full() || p.seenFull {
		return true
	}
	return len(p.batch.Events) > 0 && w.Offset >= depth && room < p.cfg.PageSize
}

// full reports whether the batch has all it may hold.
func (p *poll) full() bool {
	return len(p.batch.Events) >= p.cfg.MaxEvents || p.bytes >= maxBatchBytes
}

// pageSize is the size of the next page of w.
func (p *poll) pageSize(w *window) int {
	size := p.cfg.PageSize
	if w.Offset >= depth {
		size = max(size, min(backlogPage, p.cfg.MaxEvents-len(p.batch.Events)))
	}
	return min(size, p.biggest)
}

// checkAdvance compares the page in hand with the one before it. Late entries
// may push a page's entries to the next one, so a page can return once. One
// that keeps returning is all there is to see: the server does not page.
func (p *poll) checkAdvance() error {
	entries := p.page.entries
	if len(entries) == 0 {
		return nil
	}
	first, _ := p.page.key(0)
	last, _ := p.page.key(len(entries) - 1)
	ends := [2]fingerprint{fingerprintOf(first), fingerprintOf(last)}
	if ends != p.ends {
		p.ends, p.returns = ends, 0
		return nil
	}
	if p.returns++; p.returns < maxReturns {
		return nil
	}
	if len(p.batch.Events) == 0 {
		// To move on would hide that the feed stands still.
		p.progressed = false
	}
	return malformed(http.StatusOK, "every page shows the same entries")
}

// got describes the page in hand.
type got struct {
	number, size int
	reply
	// end says that the window has no such page.
	end bool
	// unreadable says why the one entry of the page cannot be read.
	unreadable error
}

// next asks for the page of w that follows what has been read of it. A reply
// that cannot be read is asked for again in smaller pages, down to the one
// entry that is the cause.
func (p *poll) next(ctx context.Context, w *window) (got, error) {
	if w.Offset > maxOffset {
		return got{}, malformed(http.StatusOK, "the window does not come to an end")
	}
	for {
		number, size := pageAt(w.Offset, p.pageSize(w))
		r, err := p.fetch(ctx, w, number, size)
		g := got{number: number, size: size, reply: r}
		switch {
		case err == nil && len(p.page.entries) > size:
			// The positions of all that follows would be wrong.
			return got{}, malformed(http.StatusOK, "the page has more entries than were asked for")
		case err == nil && size > defaultPageSize && capped(len(p.page.entries), size):
			p.biggest = len(p.page.entries)
		case err == nil:
			p.biggest = min(2*p.biggest, maxPageSize)
			return g, nil
		case unreadable(err) && size > 1:
			p.biggest = size / 2
		case unreadable(err):
			g.unreadable = err
			return g, p.checkIsolated(ctx, w, err)
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

// capped reports whether a page of so many entries looks like one of a server
// that has a lower limit than the size asked for and does not say so. To take
// it for the end of the window would lose the rest.
func capped(entries, size int) bool {
	return 0 < entries && entries < size && entries%50 == 0
}

// pageAt is the page that holds the entry at offset and shows the most entries
// from there on, with a size of at most most.
func pageAt(offset, most int) (number, size int) {
	size, fresh := most, most-offset%most
	for s := most - 1; s > fresh; s-- {
		if f := s - offset%s; f > fresh {
			size, fresh = s, f
		}
	}
	return offset/size + 1, size
}

func (p *poll) fetch(ctx context.Context, w *window, number, size int) (reply, error) {
	r, err := p.client.page(ctx, query{
		since: w.Since, before: w.Before,
		page: number, perPage: size,
		hideUserLogs: p.cfg.HideUserLogs,
	}, p.page)
	r.count(&p.batch.Coverage)
	if !r.date.IsZero() {
		p.clock.set(r.date, p.cfg.Clock())
	}
	return r, err
}

// checkEnd is called when the page behind a full one is answered with HTTP 400.
// That is how some servers say that there is no such page, but it could also be
// a limit on how deep a window may be paged. So the rest is asked for as a
// window of its own, which ends a little after the last entry read: it shows
// what is left, or answers with entries already read, or fails too.
func (p *poll) checkEnd(ctx context.Context, w *window) (end bool, err error) {
	if rest := w.rest(); !w.Anchor.IsZero() && rest.Before(w.Before) {
		w.Before, w.Offset, p.handledTo = rest, 0, 0
		return false, nil
	}
	// The window cannot be made smaller. A page that begins before its end and
	// has room for an entry behind it tells.
	size := 2
	for w.Offset%size == 0 {
		size++
	}
	_, err = p.fetch(ctx, w, (w.Offset-1)/size+1, size)
	if err == nil && len(p.page.entries) == size || statusOf(err) == http.StatusBadRequest {
		return false, malformed(http.StatusBadRequest, "the server does not show all entries of one minute")
	}
	return err == nil, err
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
		if err == nil || statusOf(err) == http.StatusBadRequest && w.Offset > 0 {
			return nil
		}
		if !unreadable(err) {
			return err
		}
	}
	return malformed(http.StatusOK, cause.Error())
}

// take handles the entries of the page in hand and reports whether the window
// is exhausted. It stops early when the batch is full.
func (p *poll) take(w *window, g got) (exhausted bool) {
	if g.end {
		p.cover(w).Exhausted = true
		return true
	}
	if g.unreadable != nil {
		p.keepUnreadable(w, g.unreadable)
		return false
	}
	cover := p.cover(w)
	first := (g.number - 1) * g.size
	p.place(w)
	for i := range p.page.entries {
		if p.full() {
			return false
		}
		key, _ := p.page.key(i)
		when := p.places[i]
		id := fingerprintOf(key)
		switch {
		case p.handled(id, when), first+i < p.handledTo:
			p.batch.Coverage.Repeated++
		case len(p.feed.Seen) >= p.maxSeen:
			p.cfg.Logger.Warn("too many entries within the overlap to remember; what follows waits until they are settled", "ids", len(p.feed.Seen))
			p.seenFull = true
			return false
		default:
			p.keep(w, i, when)
			p.feed.Seen.add(id, when)
		}
		w.passed(first+i, p.reachedAt(i))
		p.batch.Coverage.Read++
		cover.Read++
	}
	cover.Exhausted = len(p.page.entries) < g.size
	return cover.Exhausted
}

// place notes where the entries of the page in hand stand.
func (p *poll) place(w *window) {
	p.places = p.places[:0]
	at := w.reached()
	for i := range p.page.entries {
		if _, stated := p.page.key(i); w.plausible(stated) {
			at = stated
		}
		p.places = append(p.places, at)
	}
}

// reachedAt is the time down to which the window has been read with the i-th
// entry of the page in hand: that of the newest entry around it, because a
// single entry out of place says nothing about the others.
func (p *poll) reachedAt(i int) time.Time {
	at := p.places[i]
	for _, near := range p.places[max(0, i-neighbours):min(len(p.places), i+neighbours+1)] {
		at = later(at, near)
	}
	return at
}

// handled reports whether an entry has been handled before. Those that a
// window left open by an earlier poll has passed count even when their ids are
// no longer remembered: late entries push them to the pages that follow.
func (p *poll) handled(id fingerprint, when time.Time) bool {
	return p.feed.Seen.has(id) ||
		!p.handledFrom.IsZero() && when.After(p.handledFrom) && when.Before(p.seenSince)
}

// keep makes an event of the i-th entry of the page in hand, unless a rule
// drops it.
func (p *poll) keep(w *window, i int, when time.Time) {
	e := p.page.entry(i)
	event, verdict := p.normalizer.event(&e, when)
	c := &p.batch.Coverage
	if verdict.Drop {
		if c.Dropped == nil {
			c.Dropped = make(map[string]int)
		}
		c.Dropped[verdict.Rule]++
		return
	}
	if e.undecodable {
		c.Undecodable++
	}
	if !when.Before(w.RereadFrom) && !when.After(w.RereadTo) {
		c.Late++
	}
	p.bytes += len(e.raw)
	p.batch.Events = append(p.batch.Events, event)
	p.noteGap(&e, when)
}

// keepUnreadable makes an event of the entry at which the page in hand cannot
// be read, from what there is of it.
func (p *poll) keepUnreadable(w *window, cause error) {
	// A reply that is too large has not been scanned yet. The scan ends where
	// the reply does, in the middle of the entry.
	_, _ = p.page.scan()
	body, at := p.page.body, p.page.partial
	if at.entry.start > 0 {
		body = body[at.entry.start:]
	}
	kept := string(body[:min(len(body), maxKept)])
	e := entry{undecodable: true, notes: []string{
		"the entry could not be read: " + cause.Error() + "; raw_event holds its beginning as text",
	}}
	if id := at.at[atID]; id.end > 0 {
		e.id = value(id.of(p.page.body)).text()
	}
	if e.id == "" {
		e.id = derivedID(kept)
	}
	if t := at.at[atWhen]; t.end > 0 {
		e.when = parseTime(value(t.of(p.page.body)).text())
	}
	quoted, _ := jsontext.AppendQuote(nil, kept)
	e.raw = string(quoted)
	when := w.reached()
	if w.plausible(e.when) {
		when = e.when
	}
	w.passed(w.Offset, when)
	p.batch.Coverage.Read++
	p.cover(w).Read++
	id := fingerprintOf([]byte(e.id))
	if p.handled(id, when) {
		p.batch.Coverage.Repeated++
		return
	}
	p.feed.Seen.add(id, when)
	event, _ := p.normalizer.event(&e, when)
	event.RawTruncated = true
	p.batch.Coverage.Undecodable++
	p.batch.Events = append(p.batch.Events, event)
}

// cover is the account of the window w in this poll.
func (p *poll) cover(w *window) *ingest.Window {
	list := &p.batch.Coverage.Windows
	if n := len(*list); n == 0 || !(*list)[n-1].Since.Equal(w.Since) || !(*list)[n-1].Before.Equal(w.Before) {
		*list = append(*list, ingest.Window{Since: w.Since, Before: w.Before})
	}
	return &(*list)[len(*list)-1]
}

// passed notes that the entry at the position index, which stands at the time
// when, has been handled. The position never moves back: late entries push
// handled ones to places that have not been read yet, and a page may begin
// before the first unread entry.
func (w *window) passed(index int, when time.Time) {
	w.Offset = max(w.Offset, index+1)
	if w.Anchor.IsZero() || when.Before(w.Anchor) {
		w.Anchor = when
	}
}

// plausible reports whether an entry with the time when can stand in the window.
// The server sorts by time, so an entry that has none, or one that cannot be
// right, is where the entry before it is.
func (w *window) plausible(when time.Time) bool {
	return !when.IsZero() && !when.Before(w.Since.Add(-disorder)) && !when.After(w.Before.Add(disorder))
}

// unreadable reports whether err is about the content of a reply that arrived
// in full, or would have.
func unreadable(err error) bool {
	return errors.Is(err, errTooLarge) || errors.Is(err, errNotJSON)
}

// statusOf is the HTTP status of a refused request, or 0.
func statusOf(err error) int {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Status
	}
	return 0
}

// serverClock tells the server's time, from the last reply that showed it.
type serverClock struct {
	mu     sync.Mutex
	server time.Time
	local  time.Time // when the reply came, by the local clock
}

// now is the server's time at the local time local, or local itself while the
// server's clock is unknown.
func (c *serverClock) now(local time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server.IsZero() {
		return local.UTC()
	}
	return c.server.Add(local.Sub(c.local)).UTC()
}

func (c *serverClock) set(server, local time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.local = server, local
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
