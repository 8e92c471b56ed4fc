package feed

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

const (
	// depth is the offset from which on pages of the newest window may be
	// larger than the page size. A batch filled by pages of 100 ends there, so
	// pages of both sizes line up.
	depth = 1000
	// maxOffset bounds how far a window is paged, in case the server's pages
	// never end.
	maxOffset = 50_000_000
	// maxReturns bounds how often in a row the server may repeat one page.
	maxReturns = 3
	// neighbours is how many entries on either side are compared to decide
	// whether an entry is out of order.
	neighbours = 7
)

// intake is what the polls of all logs have read so far.
type intake struct {
	handler Handler
	// page is the current reply, and doc the entry of it passed to the handler
	// last.
	page     *cloudflare.Page
	doc      jsondoc.Doc
	coverage ingest.Coverage
	// kept sums up what the handler kept.
	kept Kept
}

// poll is one poll of one log under way.
type poll struct {
	reader   *Reader
	log      *cloudflare.Log
	endpoint endpoint
	// overlap is how late an entry of the log may appear. spans are the parts of
	// it that are re-read more often, the longest first.
	overlap time.Duration
	spans   []recentSpan
	// intake is shared with the poll of the other log.
	intake *intake
	feed   *feed
	// biggest is the largest page to request: it shrinks when a reply is too
	// large or damaged, and grows back up to most.
	biggest, most int
	// fullest is the most entries that a page has shown.
	fullest int
	// ids and places are the fingerprints of the entries of the current page
	// and their times in the log.
	ids    []fingerprint
	places []time.Time
	// newer says that the batch has entries of the newest window, and news is how
	// many entries of the current page were not handled before.
	newer bool
	news  int
	// others is how many events the batch had before this poll.
	others int
	// isNew says that the log has not been read before, and progressed that its
	// position has moved, if only to its start.
	isNew, progressed bool
	// unbounded says that the server does not keep to the span asked for.
	unbounded bool
	// seenFull says that there is no room for the ids of newer entries.
	seenFull bool
	// complete is the time up to which all entries shown were handled before
	// this poll. An entry that appears before it is late.
	complete time.Time
	// before has the ends of the page read last, and returns counts how often in a
	// row the server has repeated it.
	before  ends
	returns int
}

// ends are the first and the last entry of a page.
type ends [2]fingerprint

// ends are those of the current page, and whether they tell it from others. A page
// of nothing but the same bytes proves nothing: many entries without an id can have
// them.
func (p *poll) ends() (e ends, tell bool) {
	page := p.intake.page
	if page.Len() == 0 {
		return e, false
	}
	top, bottom := page.Key(0), page.Key(page.Len()-1)
	return ends{fingerprintOf(top), fingerprintOf(bottom)}, top != bottom || page.ID(0) != ""
}

// aside makes room for other replies than the current page, which back makes current
// again.
func (p *poll) aside() (back func()) {
	page := p.intake.page
	p.intake.page = new(cloudflare.Page)
	return func() { p.intake.page = page }
}

// page is the current reply.
func (p *poll) page() *cloudflare.Page { return p.intake.page }

// read reads the log and advances the feed. An error means that it could not be
// read completely.
func (p *poll) read(ctx context.Context) error {
	already := p.intake.coverage.Read
	p.others = p.intake.kept.Events
	err := p.run(ctx)
	if err != nil {
		if lasts(err) && p.intake.kept.Events == p.others {
			// A cursor that moves without an event would hide the failure.
			p.progressed = p.isNew
		}
		err = p.log.Failed(err)
		if !p.progressed {
			return err
		}
		if ctx.Err() == nil && p.intake.coverage.Read > already {
			p.reader.opts.Logger.Warn("poll ended early; the next one continues from there", "error", err)
		}
		if p.isNew && p.feed.Settled.IsZero() {
			// A failure has the server's time, too. Once a window has been read, the
			// start is that of the window.
			p.feed.Start = earlier(p.feed.Start, p.startBefore(p.reader.serverTime()))
		}
	}
	p.feed.settle()
	p.feed.advance()
	p.feed.prune()
	return err
}

// lasts reports whether the next poll is likely to meet err as well.
func lasts(err error) bool {
	api, ok := errors.AsType[*apierror.Error](err)
	return ok && (api.Kind == apierror.KindMalformed || api.Kind == apierror.KindRequest)
}

// run reads the newest entries first: a new window when one is due, then the rest
// of the older windows, until the batch is full.
func (p *poll) run(ctx context.Context) error {
	f, gaveWay := p.feed, false
	if p.due() {
		if w := f.Newest; w != nil && !w.Waits && len(f.Backlog) > 0 {
			// New entries appear faster than the newest window can be read.
			// Alternate between the two, so that the backlog shrinks.
			w.Waits, f.ReadAt, gaveWay = true, p.now(), true
		} else if err := p.look(ctx); err != nil {
			return err
		}
	}
	for {
		if p.seenFull {
			// Settled entries can be read without remembering their ids.
			f.split()
			f.Newest = nil
		}
		w := f.Newest
		if w == nil || w.Waits && len(f.Backlog) > 0 {
			if len(f.Backlog) == 0 {
				return nil
			}
			w = &f.Backlog[0]
		}
		state, err := p.readWindow(ctx, w)
		switch {
		case err != nil && gaveWay && onlyHere(err):
			// A window that cannot be read must not hide what is newer.
			return cmp.Or(p.look(ctx), err)
		case err != nil:
			return err
		case state != unfinished && w == f.Newest:
			f.finishNewest(state)
		case state == finished:
			f.Backlog = f.Backlog[1:]
		case !p.seenFull || w != f.Newest:
			return nil
		}
	}
}

// due reports whether to look for newer entries first. A backlog gives way to
// them once per poll interval, so that it does not delay current alerts, but no
// more often, so that it shrinks.
func (p *poll) due() bool {
	if p.feed.unread() == 0 {
		return true
	}
	age := p.now().Sub(p.feed.ReadAt)
	// An age below zero means that a clock was ahead for a while.
	return age >= p.reader.opts.PollInterval || age < -ClockTolerance
}

// stale reports whether the newest entries were read so long ago, before a
// backlog, that entries which appeared since should not wait for the next
// interval.
func (p *poll) stale() bool { return p.now().Sub(p.feed.ReadAt) >= MinPollInterval }

// now is the server's time, to the second, or the local time while it is
// unknown.
func (p *poll) now() time.Time { return p.reader.Now() }

// look requests the unsettled entries. The window must not end after the
// server's time, or entries between the two would count as read before they
// exist; nor much before it, or they would wait for the next poll. When the
// reply shows that the assumed time was wrong, look requests once more, unless
// no window is due at the correct time.
func (p *poll) look(ctx context.Context) error {
	f := p.feed
	for corrected := false; ; corrected = true {
		now, began := p.now(), time.Now()
		w := window{Since: f.Settled, HideUserLogs: p.reader.opts.HideUserLogs}
		span, recent := p.onlyRecent(now)
		switch {
		case recent:
			w.Since = later(f.Settled, f.Through.Add(-span))
		case f.Settled.IsZero():
			f.Start = earlier(f.Start, p.startBefore(now))
			w.Since = f.Start
		}
		w.Before = later(now, w.Since)
		t, err := p.endpoint.next(ctx, &w)
		if err != nil {
			return err
		}
		readAt := now
		if !t.Date.IsZero() {
			// The window may have taken several requests.
			off, took := now.Sub(t.Date), time.Since(began)
			if !corrected && (off > ClockTolerance || off < -ClockTolerance-took) {
				if !p.due() {
					return nil
				}
				if f.Settled.IsZero() && off > 0 {
					// The start came from a clock that was ahead.
					f.Start = f.Start.Add(-off)
				}
				p.reader.opts.Logger.Warn("the local clock is wrong; windows follow the server's", "off_by", off.Round(time.Second))
				continue
			}
			// The server answered in the second that begins at Date, and read
			// its log at most as much earlier as the answer took.
			readAt = earlier(now, t.Date.Add(-took))
		}
		w.ReadAt = readAt.Truncate(time.Second)
		if !recent {
			w.Settled = w.ReadAt.Add(-p.overlap).Truncate(time.Second)
			f.AllReadAt = w.ReadAt
		}
		if err := p.checkOrder(); err != nil {
			return err
		}
		p.adopt(&w, t)
		return nil
	}
}

// recentSpan is a part of the unsettled span, up to now, that is re-read at least
// every so often.
type recentSpan struct{ long, every time.Duration }

// recentSpans are the spans for entries as late as those of Audit Logs v2, which
// were seen 167 to 450 s after their time. The shorter a span, the more often it
// is re-read, so that an entry that is late by some time, and not by more than
// half the overlap, waits for at most half as much again.
func recentSpans(overlap time.Duration) []recentSpan {
	var spans []recentSpan
	for long := overlap / 2; len(spans) < 3; long /= 2 {
		spans = append(spans, recentSpan{long, long / 4})
	}
	return spans
}

// onlyRecent is the recent span to re-read, unless the entire unsettled span is
// due. That is read twice per overlap, so that no late entry waits for more than
// half of it. In a crowd it is always due, because what has settled makes room.
func (p *poll) onlyRecent(now time.Time) (span time.Duration, recent bool) {
	age, before := now.Sub(p.feed.AllReadAt), p.feed.ReadAt.Sub(p.feed.AllReadAt)
	if p.feed.Crowded || before < 0 || age < 0 || age >= min(p.overlap/2, AllEvery) {
		return 0, false
	}
	for _, s := range p.spans {
		// The turns of a span are counted from the last read of all.
		if s.every <= 0 || age/s.every > before/s.every {
			return s.long, true
		}
	}
	return p.spans[len(p.spans)-1].long, true
}

// adopt makes w, whose first page is the current page, the newest window. It
// may replace an unfinished one, whose rest is also in w, because Through has
// not moved past it, or is settled and in the backlog.
func (p *poll) adopt(w *window, t turned) {
	f := p.feed
	if f.Settled.IsZero() {
		f.Settled = f.Start
	}
	f.ReadAt, f.Newest = w.ReadAt, w
	p.progressed = true
	state := p.take(w, t)
	if state != unfinished {
		f.finishNewest(state)
	}
	p.leaveCrowd(w)
}

// leaveCrowd ends the reading of the newest window while the ids of too many
// entries are remembered, once a page has shown no other entries: re-reading all
// of them would cost more than it finds. What is further down is read when it is
// settled.
func (p *poll) leaveCrowd(w *window) {
	f := p.feed
	f.Crowded = len(f.Seen) >= p.reader.opts.MaxIDs || f.Crowded && len(f.Seen) > p.reader.opts.MaxIDs/2
	if f.Crowded && w == f.Newest && p.news == 0 {
		p.seenFull = true
	}
}

// startBefore is the start of a feed whose first poll is at now.
func (p *poll) startBefore(now time.Time) time.Time {
	return now.Add(-p.reader.opts.InitialLookback).UTC().Truncate(time.Second)
}

// readWindow continues an open window until it ends or the batch is full.
func (p *poll) readWindow(ctx context.Context, w *window) (windowState, error) {
	for {
		if p.enough(w) || p.intake.coverage.Requests >= MaxRequests {
			return unfinished, nil
		}
		if w.Offset > maxOffset-cloudflare.MaxPageSize {
			return unfinished, apierror.Malformed(http.StatusOK, "the pages of the window do not come to an end")
		}
		t, err := p.endpoint.next(ctx, w)
		if err != nil {
			return unfinished, err
		}
		if err := p.checkAdvance(); err != nil {
			return unfinished, err
		}
		state := p.take(w, t)
		p.progressed = true
		if state != unfinished {
			return state, nil
		}
		p.leaveCrowd(w)
	}
}

// enough reports whether to deliver the batch before reading more of w. Entries
// of a large page that do not fit into the batch have to be read twice. For up to
// half a page that is acceptable when every batch begins with newer entries,
// because the backlog has to shrink too.
func (p *poll) enough(w *window) bool {
	if p.full() || p.seenFull && w == p.feed.Newest {
		return true
	}
	if p.intake.kept.Events == 0 || !p.deep(w) {
		return false
	}
	size := p.pageSize(w)
	unread := size - w.Offset%size
	if p.newer && w.closed {
		unread /= 2
	}
	return unread > p.reader.opts.MaxEvents-p.intake.kept.Events
}

// deep reports whether pages of w may be larger than the page size.
func (p *poll) deep(w *window) bool { return w.closed || w.Offset >= depth }

// full reports whether the batch has reached one of its bounds.
func (p *poll) full() bool {
	return p.intake.kept.Events >= p.reader.opts.MaxEvents || p.intake.kept.Bytes >= MaxBatchBytes
}

// pageSize is the size of the next page of w. Deep in a window a page is as large
// as a batch can be. The first one, which may be the only one, is as large as
// there is room in this batch.
func (p *poll) pageSize(w *window) int {
	size := p.reader.opts.PageSize
	if p.deep(w) {
		most := p.reader.opts.MaxEvents
		if w.Offset == 0 {
			most -= p.intake.kept.Events
		}
		size = max(min(size, cloudflare.DefaultPageSize), min(cloudflare.MaxPageSize, most))
	}
	if !p.log.Numbered && w.Offset > 0 {
		// The page may begin with entries that have been read before.
		size = max(size, cloudflare.DefaultPageSize)
	}
	size = min(size, p.biggest)
	if p.log.Numbered && w.closed {
		size = aligned(size, w.Offset)
	}
	return size
}

// aligned is a size of at most size, and more than half of it, with which a page
// begins at the offset, so that nothing before it is read again. Where there is
// none, it is size: smaller pages would cost more requests than they save.
func aligned(size, offset int) int {
	for s := size; 2*s > size; s-- {
		if offset%s == 0 {
			return s
		}
	}
	return size
}

// checkAdvance compares the current page with the one before it. Late entries
// may push a page's entries to the next one, so a page can return once. If it
// keeps returning, the server does not page.
func (p *poll) checkAdvance() error {
	now, tell := p.ends()
	if !tell {
		return nil
	}
	if now != p.before {
		p.before, p.returns = now, 0
		return p.checkOrder()
	}
	if p.returns++; p.returns < maxReturns {
		return nil
	}
	return apierror.Malformed(http.StatusOK, "every page shows the same entries")
}

// checkOrder compares the ends of the current page. One that begins with the oldest
// entries is not in the order asked for, in which nothing would follow what is older
// than the window.
func (p *poll) checkOrder() error {
	n := p.page().Len()
	if n < 2*neighbours {
		return nil
	}
	var newest, oldest time.Time
	for i := range neighbours {
		first, last := p.page().When(i), p.page().When(n-1-i)
		if first.IsZero() || last.IsZero() {
			return nil
		}
		newest = later(newest, first)
		if oldest.IsZero() || last.Before(oldest) {
			oldest = last
		}
	}
	if newest.Add(disorder).Before(oldest) {
		return apierror.Malformed(http.StatusOK, "the server lists the oldest entries first")
	}
	return nil
}

// query is the request for the entries of w from since until before.
func (p *poll) query(w *window, since, before time.Time) cloudflare.Query {
	if w.closed {
		before = before.Add(edge / 2)
	}
	return cloudflare.Query{Log: p.log, Since: since.Add(-edge / 2), Before: before}
}

// ask sends q and reads the reply into the current page.
func (p *poll) ask(ctx context.Context, q cloudflare.Query) (cloudflare.Reply, error) {
	r, err := p.reader.client.Page(ctx, q, p.intake.page)
	r.Count(&p.intake.coverage)
	if !r.Date.IsZero() {
		p.reader.clock.set(r.Date, p.reader.opts.Clock())
	}
	if cloudflare.TooLarge(err) {
		if _, placed := p.page().Intact(); !placed {
			// It is no list of entries, so a smaller page would be no better.
			err = apierror.Malformed(http.StatusOK, err.Error())
		}
	}
	return r, err
}

// fits notes how many entries a reply that was too large had room for. Where they
// are as many as in a usual page, larger pages are not tried again.
func (p *poll) fits(entries int) {
	p.biggest = entries
	if entries >= cloudflare.DefaultPageSize {
		p.most = entries
	}
}

// checkCount is called after a request for size entries that ended with err. A
// page with more of them is an error, because the positions of all later entries
// would be wrong.
func (p *poll) checkCount(size int, err error) error {
	shown := p.page().Len()
	if cloudflare.Unreadable(err) {
		if shown, _ = p.page().Intact(); p.page().Torn().RawID != "" {
			shown++
		}
	} else if err != nil {
		return err
	}
	if shown > size {
		return apierror.Malformed(http.StatusOK, "the page has more entries than were asked for")
	}
	return err
}

// take handles the entries of the current page. It stops early when the batch
// is full.
func (p *poll) take(w *window, t turned) windowState {
	switch {
	case t.unreadable != nil:
		if p.keepUnreadable(w, t.unreadable) {
			w.Trail.turn()
		}
		return unfinished
	case t.end && w.closed:
		return p.finish(w)
	case t.end:
		return p.leaveSettled(w)
	}
	p.news = 0
	p.place(w, t.first)
	if p.log.Numbered {
		p.catchUp(w, t.first)
	}
	cover := p.cover(w)
	// In the newest window a single reply must show all settled entries.
	whole := t.last && (w.closed || t.first == 0 || !p.beginsSettled(w.Settled))
	for i := range p.page().Len() {
		at := p.reachedAt(i)
		switch {
		case !whole && !w.closed && p.settledFrom(i, w.Settled):
			return p.leaveSettled(w)
		case at.Before(w.Since):
			return p.finish(w)
		case p.full():
			return p.stay(w)
		}
		stated := p.page().When(i)
		id, when := p.ids[i], p.places[i]
		switch p.claim(w, t.first+i, id, when, when.Equal(stated)) {
		case noRoom:
			return p.stay(w)
		case another:
			p.intake.coverage.Repeated++
		case fresh:
			p.keep(i, when)
			p.news++
			p.newer = p.newer || !w.closed
		}
		w.passed(t.first+i, at, id, when)
		p.intake.coverage.Read++
		cover.Read++
	}
	switch {
	case whole:
		return p.finish(w)
	case t.last:
		return p.leaveSettled(w)
	}
	w.Trail.turn()
	return unfinished
}

// finish ends the window w, which has been read to its end.
func (p *poll) finish(w *window) windowState {
	p.cover(w).Exhausted = true
	return finished
}

// leaveSettled ends the newest window w where its settled part begins. The
// settled part is read as a window of the backlog, unless one reply has shown
// all of it: positions in the newest window depend on unsettled entries, which
// one Cloudflare replica may show and the next may not.
func (p *poll) leaveSettled(w *window) windowState {
	cover := p.cover(w)
	cover.Since, cover.Exhausted = later(w.Since, w.Settled), true
	return settledLeft
}

// place records the times in the log of the entries of the current page, whose
// first entry is at the position first. The server sorts by time, so an entry
// without a time, or with an implausible one, is not newer than the entry
// before it or, at the top, than the end of the window.
func (p *poll) place(w *window, first int) {
	p.ids, p.places = p.ids[:0], p.places[:0]
	at := w.Before.Add(-1)
	if first > 0 {
		at = w.Anchor
	}
	newer, older := p.outside(w)
	for i := range p.page().Len() {
		if stated := p.page().When(i); w.plausible(stated) || !stated.IsZero() && (i < newer || i >= older) {
			at = stated
		}
		p.ids = append(p.ids, fingerprintOf(p.page().Key(i)))
		p.places = append(p.places, at)
	}
}

// outside finds what a server shows of a log that it does not bound by time: the
// current page begins with entries, before the index newer, that are too new for a
// settled window, or ends with some, from the index older on, that are too old. One
// alone has an odd time, and one without a time counts as those around it.
func (p *poll) outside(w *window) (newer, older int) {
	n := p.page().Len()
	run := func(at, step int, beyond func(when time.Time) time.Duration) (length int) {
		far := 0
		for i := range n {
			when := p.page().When(at + i*step)
			if when.IsZero() {
				continue
			}
			off := beyond(when)
			if off <= edge {
				break
			}
			if length = i + 1; off > disorder {
				far++
			}
		}
		if far < 2 {
			return 0
		}
		return length
	}
	if w.closed {
		newer = run(0, 1, func(when time.Time) time.Duration { return when.Sub(w.Before) })
	}
	older = n - run(n-1, -1, func(when time.Time) time.Duration { return w.Since.Sub(when) })
	if (newer > 0 || older < n) && !p.unbounded {
		p.unbounded = true
		p.reader.opts.Logger.Warn("the server shows entries from outside the span asked for; they are passed over", "log", p.log.Title, "since", w.Since, "before", w.Before)
	}
	return newer, older
}

// reachedAt is the time down to which the window has been read after the i-th
// entry of the current page. It is the time of the newest entry nearby, because
// a single entry out of order says nothing about the others.
func (p *poll) reachedAt(i int) time.Time {
	at := p.places[i]
	for _, near := range p.places[max(0, i-neighbours):min(len(p.places), i+neighbours+1)] {
		at = later(at, near)
	}
	return at
}

// settledFrom reports whether the settled part begins at the i-th entry of the
// current page, rather than that entry being out of order.
func (p *poll) settledFrom(i int, settled time.Time) bool {
	return !slices.ContainsFunc(p.places[i:min(len(p.places), i+neighbours+1)],
		func(at time.Time) bool { return !at.Before(settled) })
}

// beginsSettled reports whether the current page may begin within the settled
// part. Its first entry alone is no proof: it may have no time of its own.
func (p *poll) beginsSettled(settled time.Time) bool {
	near := p.places[:min(len(p.places), neighbours+1)]
	return len(near) == 0 || slices.ContainsFunc(near, func(at time.Time) bool { return at.Before(settled) })
}

// claim is who handles an entry.
type claim int

const (
	fresh   claim = iota // this poll does, so it counts as handled from now on
	another              // another poll or another window does
	noRoom               // a later poll: its id cannot be remembered before it is settled
)

// claim decides who handles the entry id of w at index, with the time when in
// the log. timed says that this is its own time.
func (p *poll) claim(w *window, index int, id fingerprint, when time.Time, timed bool) claim {
	settled := w.closed
	switch {
	case p.endpoint.handled(w, index, id, when), timed && p.elsewhere(w, when), p.feed.Seen.has(id):
		return another
	case settled && timed && p.log.Numbered:
		// From here on the position shows that it has been handled.
	case p.hasRoom(settled):
		if !timed && (settled || when.Before(w.Since)) {
			// Its time is uncertain, and it may appear in another window too:
			// it is remembered for as long as w is open.
			when = w.Since
		}
		p.feed.Seen.add(id, when)
	case !settled:
		p.reader.opts.Logger.Warn("too many entries within the overlap to remember; newer ones wait until they are settled", "ids", len(p.feed.Seen))
		p.seenFull = true
		return noRoom
	}
	return fresh
}

// hasRoom reports whether one more id can be remembered. Ids of settled entries
// are needed only near the point down to which their window has been read.
func (p *poll) hasRoom(settled bool) bool {
	if !settled || p.log.Numbered {
		return len(p.feed.Seen) < p.reader.opts.MaxIDs
	}
	if len(p.feed.Seen) >= 2*p.reader.opts.MaxIDs {
		p.feed.prune()
	}
	return len(p.feed.Seen) < 2*p.reader.opts.MaxIDs
}

// elsewhere reports whether an entry belongs to a neighbour of w. Requests reach
// beyond the ends of a window, so each entry must belong to exactly one.
func (p *poll) elsewhere(w *window, when time.Time) bool {
	return when.Before(w.Since) || w.closed && !when.Before(w.Before)
}

// keep passes the i-th entry of the current page to the handler.
func (p *poll) keep(i int, when time.Time) {
	in := p.intake
	in.page.Entry(i, &in.doc)
	kept := in.handler.Entry(Entry{
		Log: p.log, Doc: &in.doc, Place: when,
		Following: min(in.page.Len()-i, p.reader.opts.MaxEvents-in.kept.Events),
	})
	if kept.Events > 0 && when.Before(p.complete) {
		in.coverage.Late++
	}
	in.add(kept)
}

func (in *intake) add(kept Kept) {
	in.kept.Events += kept.Events
	in.kept.Bytes += kept.Bytes
}

// keepUnreadable passes the entry at which the current page becomes unreadable
// to the handler, if there is room for its id.
func (p *poll) keepUnreadable(w *window, cause error) (done bool) {
	torn := p.intake.page.Torn()
	torn.Text = strings.Clone(torn.Text[:min(len(torn.Text), MaxKept)])
	if torn.ID == "" {
		torn.ID = audit.DerivedID(torn.Text)
	}
	when, timed := w.reached(), w.plausible(torn.When) || p.unbounded && !torn.When.IsZero()
	if timed {
		when = torn.When
	}
	id := fingerprintOf(torn.ID)
	switch p.claim(w, w.Offset, id, when, timed) {
	case noRoom:
		return false
	case another:
		p.intake.coverage.Repeated++
	case fresh:
		p.intake.add(p.intake.handler.Unreadable(torn, cause, when))
	}
	w.passed(w.Offset, when, id, when)
	p.intake.coverage.Read++
	p.cover(w).Read++
	return true
}

// cover is the entry for the window w in the Coverage of this poll.
func (p *poll) cover(w *window) *ingest.Window {
	list := &p.intake.coverage.Windows
	if n := len(*list); n == 0 || !(*list)[n-1].Since.Equal(w.Since) || !(*list)[n-1].Before.Equal(w.Before) {
		*list = append(*list, ingest.Window{Since: w.Since, Before: w.Before})
	}
	return &(*list)[len(*list)-1]
}

// passed records that the entry id at the position index, with the time when in
// the log, has been handled, and everything down to the time reached. The
// position never moves back: a page may begin before the first unread entry.
func (w *window) passed(index int, reached time.Time, id fingerprint, when time.Time) {
	if index >= w.Offset {
		w.Offset, w.Last, w.LastAt = index+1, id, when
	}
	if w.Anchor.IsZero() || reached.Before(w.Anchor) {
		w.Anchor = reached
	}
}

// plausible reports whether a request for the window can show an entry with the
// time when.
func (w *window) plausible(when time.Time) bool {
	since := w.Since
	if !w.Trail.Since.IsZero() {
		// Its settled part has become a separate window meanwhile.
		since = w.Trail.Since
	}
	return !when.IsZero() && !when.Before(since.Add(-edge)) && !when.After(w.Before.Add(edge))
}

// serverClock derives the server's time from the last reply that showed it.
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
