package cloudflareaudit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	// backlogPage is the page size for the depth of a window: the most the
	// API allows.
	backlogPage = maxPageSize
	// depth is the offset at which the depth of the newest window begins. A
	// batch that was filled by pages of 100 ends there, so the pages of both
	// sizes meet.
	depth = 1000
	// maxRequests bounds the pages of one poll, and with them its time.
	maxRequests = 100
	// maxOffset bounds how far a window is paged, against a server that never
	// comes to an end.
	maxOffset = 50_000_000
	// maxReturns bounds how often in a row one page may be shown again.
	maxReturns = 3
	// allEvery is how long a late entry may wait when polls follow each other
	// closely. It is below the usual interval.
	allEvery = 270 * time.Second
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

// poller reads one account's audit logs. It knows nothing about how far it has
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

// intake is what one poll brings in.
type intake struct {
	batch ingest.Batch
	// bytes is the size of the entries in the batch.
	bytes int
	// page is the reply in hand.
	page *page
	// gaps are the events whose entries leave something out.
	gaps []gap
}

// poll is one poll of one endpoint under way.
type poll struct {
	*poller
	*endpoint
	*intake
	feed *feed
	// biggest is the largest page to ask for: it shrinks when a reply is too
	// large or damaged, and grows again up to most.
	biggest, most int
	// fullest is the most entries that a page has shown.
	fullest int
	// ids and places are those of the entries of the page in hand: what stands
	// for each, and the time at which it stands.
	ids    []fingerprint
	places []time.Time
	// newer says that entries of the newest window are in the batch.
	newer bool
	// others are how many events the batch had before this poll.
	others int
	// isNew says that the endpoint has not been read before, and progressed that
	// its position has moved, if only to where it begins.
	isNew, progressed bool
	// seenFull says that there is no room for the ids of newer entries.
	seenFull bool
	// complete is the time up to which all that had been shown was handled
	// before this poll. What comes in before it is late.
	complete time.Time
	// ends are the first and the last entry of the page read last, and returns
	// counts how often in a row it has come again.
	ends    [2]fingerprint
	returns int
}

// pages keeps page buffers for the next poll, of whichever connector.
var pages = sync.Pool{New: func() any { return new(page) }}

// release keeps p for the next poll, unless a large reply has made it large.
func release(p *page) {
	p.decoded = entry{}
	if cap(p.body) <= keptBody {
		pages.Put(p)
	}
}

// Poll implements [ingest.Source]. The first cursor fixes where the feed
// begins, and it is returned even when nothing could be read, so that nothing
// that happens from then on is missed.
//
// Of two endpoints, the one goes first that has newer entries to read. When one
// of them fails the other goes on, and Coverage.Notices and the log say so.
func (c *Connector) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	pos, err := decodePosition(cursor, c.cfg.AccountID)
	if err != nil {
		return ingest.Batch{}, err
	}
	in := &intake{page: pages.Get().(*page)}
	defer func() { release(in.page) }()
	polls := make([]*poll, 0, 2)
	for _, e := range c.cfg.endpoints() {
		p := &poll{poller: &c.poller, endpoint: e, intake: in, biggest: maxPageSize, most: maxPageSize}
		f := e.feed(pos)
		if *f == nil {
			*f = &feed{Seen: seen{}, Start: p.startBefore(p.clock.now(p.cfg.Clock()))}
			p.isNew, p.progressed = true, true
		}
		p.feed, p.complete = *f, (*f).Complete
		polls = append(polls, p)
	}
	slices.SortStableFunc(polls, func(a, b *poll) int { return a.feed.first(b.feed) })
	var failures []error
	for _, p := range polls {
		if p.full() {
			// It is the first to go next time.
			in.batch.More = true
			continue
		}
		err := p.read(ctx)
		if err != nil && !p.progressed {
			failures = append(failures, err)
			continue
		}
		in.batch.More = in.batch.More || p.feed.open() > 0 || p.feed.Settled.IsZero() || err == nil && p.stale()
	}
	if len(failures) == len(polls) {
		return ingest.Batch{Coverage: in.batch.Coverage}, errors.Join(failures...)
	}
	polls[0].resolve(ctx)
	if ctx.Err() != nil {
		failures = nil // the host is about to stop
	}
	for _, err := range failures {
		in.batch.Coverage.Notices = append(in.batch.Coverage.Notices, err.Error())
		c.cfg.Logger.Warn("one of the two audit logs could not be read; the other goes on", "error", err)
	}
	for i, p := range polls {
		f := p.feed
		if f.Settled.Sub(p.now()) > clockTolerance {
			notice := fmt.Sprintf("%s is not read before %s, because a clock that was ahead has moved the cursor there: "+
				"restore an older cursor, or remove it", p.title, f.Settled.Format(time.RFC3339))
			in.batch.Coverage.Notices = append(in.batch.Coverage.Notices, notice)
			c.cfg.Logger.Warn(notice)
		}
		in.batch.Coverage.Backlog += f.open()
		if complete := &in.batch.Coverage.Complete; i == 0 || f.Complete.Before(*complete) {
			*complete = f.Complete
		}
	}
	in.batch.Coverage.Delivered = len(in.batch.Events)
	in.batch.Cursor, err = pos.encode()
	if err != nil {
		return ingest.Batch{}, err
	}
	return in.batch, nil
}

// read reads what the endpoint has to show, and moves the feed on. An error
// means that not all of it could be read.
func (p *poll) read(ctx context.Context) error {
	already := p.batch.Coverage.Read
	p.others = len(p.batch.Events)
	err := p.run(ctx)
	if err != nil {
		err = failure(p.endpoint, err)
		if !p.progressed {
			return err
		}
		if ctx.Err() == nil && p.batch.Coverage.Read > already {
			p.cfg.Logger.Warn("poll ended early; the next one goes on from there", "error", err)
		}
		if p.isNew {
			// Even a failure shows the time.
			p.feed.Start = earlier(p.feed.Start, p.startBefore(p.clock.now(p.cfg.Clock())))
		}
	}
	p.feed.settle()
	p.feed.advance()
	p.feed.prune()
	return err
}

// run reads the newest entries first: from a new window when that is due, then
// what is left of the older ones, until the batch is full.
func (p *poll) run(ctx context.Context) error {
	f := p.feed
	if p.due() {
		if w := f.Newest; w != nil && !w.Waits && len(f.Backlog) > 0 {
			// To read what is newest takes longer than until there is more of
			// it. The two take turns, so that the backlog shrinks too.
			w.Waits, f.ReadAt = true, p.now()
		} else if err := p.look(ctx); err != nil {
			return err
		}
	}
	for {
		if p.seenFull {
			// Once it is settled, it can be read without remembering ids.
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
// them once in every poll interval, so that it does not delay today's alerts,
// and not more often, so that it shrinks.
func (p *poll) due() bool {
	if p.feed.open() == 0 {
		return true
	}
	age := p.now().Sub(p.feed.ReadAt)
	// An age below zero means that a clock was ahead for a while.
	return age >= p.cfg.PollInterval || age < -clockTolerance
}

// stale reports whether the newest entries were read so long ago, before a
// backlog, that what has come in since must not wait for the next interval.
func (p *poll) stale() bool { return p.now().Sub(p.feed.ReadAt) >= minPollInterval }

// now is the server's time, to the second, as far as it is known.
func (p *poll) now() time.Time {
	return p.clock.now(p.cfg.Clock()).Truncate(time.Second)
}

// look asks for what is not settled yet. The window must not end after the
// server's clock, or entries between the two would count as read before they
// exist; nor much before, or they would wait for the next poll. When the reply
// shows another time than was assumed, the window is asked for once more, if it
// is due by that time at all.
func (p *poll) look(ctx context.Context) error {
	f := p.feed
	for corrected := false; ; corrected = true {
		now := p.now()
		w := window{Since: f.Settled, HideUserLogs: p.cfg.HideUserLogs}
		recent := p.onlyRecent(now)
		switch {
		case recent:
			w.Since = later(f.Settled, f.Through.Add(-p.recent))
		case f.Settled.IsZero():
			f.Start = earlier(f.Start, p.startBefore(now))
			w.Since = f.Start
		}
		w.Before = later(now, w.Since)
		got, err := p.next(p, ctx, &w)
		if err != nil {
			return err
		}
		readAt := now
		if !got.date.IsZero() {
			off := now.Sub(got.date)
			if !corrected && (off > clockTolerance || off < -clockTolerance-got.took) {
				if !p.due() {
					return nil
				}
				if f.Settled.IsZero() && off > 0 {
					// The start was told by a clock that is ahead.
					f.Start = f.Start.Add(-off)
				}
				p.cfg.Logger.Warn("the local clock is wrong; windows follow the server's", "off_by", off.Round(time.Second))
				continue
			}
			// The server answered in the second that begins at date, and
			// looked at most took earlier.
			readAt = earlier(now, got.date.Add(-got.took))
		}
		w.ReadAt = readAt.Truncate(time.Second)
		if !recent {
			w.Settled = w.ReadAt.Add(-p.overlap(&p.cfg)).Truncate(time.Second)
			f.AllReadAt = w.ReadAt
		}
		p.adopt(&w, got)
		return nil
	}
}

// onlyRecent reports whether to read what is new, with the little before it that
// most late entries stand in, instead of all that is not settled. All of it is
// read twice in an overlap, so that none waits for longer than half of that. The
// first look at an unfinished window must be at all of it.
func (p *poll) onlyRecent(now time.Time) bool {
	age := now.Sub(p.feed.AllReadAt)
	return p.recent > 0 && age >= 0 && age < min(p.overlap(&p.cfg)/2, allEvery)
}

// adopt makes w, whose first page is in hand, the newest window, in place of the
// one there may be: what that has left to read is in w as well, because Through
// has not come past it, or is settled and in the backlog.
func (p *poll) adopt(w *window, g got) {
	f := p.feed
	if f.Settled.IsZero() {
		f.Settled = f.Start
	}
	f.ReadAt, f.Newest = w.ReadAt, w
	p.progressed = true
	if state := p.take(w, g); state != unfinished {
		f.finishNewest(state)
	}
}

// startBefore is where a feed begins whose first poll is at now.
func (p *poll) startBefore(now time.Time) time.Time {
	return now.Add(-p.cfg.InitialLookback).UTC().Truncate(time.Second)
}

// readWindow reads on in an open window until there is no more to read in it or
// the poll has all it may hold.
func (p *poll) readWindow(ctx context.Context, w *window) (windowState, error) {
	for {
		if p.enough(w) || p.batch.Coverage.Requests >= maxRequests {
			return unfinished, nil
		}
		if w.Offset > maxOffset-maxPageSize {
			return unfinished, malformed(http.StatusOK, "the window does not come to an end")
		}
		got, err := p.next(p, ctx, w)
		if err != nil {
			return unfinished, err
		}
		if err := p.checkAdvance(); err != nil {
			return unfinished, err
		}
		state := p.take(w, got)
		p.progressed = true
		if state != unfinished {
			return state, nil
		}
	}
}

// enough reports whether the batch should be delivered before more of w is
// read. Of the large pages in the depth of a window, what would not fit into
// the batch would have to be read twice. For half a page that is the lesser evil
// when newer entries are in every batch, and the backlog has to shrink too.
func (p *poll) enough(w *window) bool {
	if p.full() || p.seenFull && w == p.feed.Newest {
		return true
	}
	if len(p.batch.Events) == 0 || !p.deep(w) {
		return false
	}
	size := p.pageSize(w)
	unread := size - w.Offset%size
	if p.newer && p.settled(w) {
		unread /= 2
	}
	return unread > p.cfg.MaxEvents-len(p.batch.Events)
}

// deep reports whether pages of w may be larger than the page size.
func (p *poll) deep(w *window) bool { return p.settled(w) || w.Offset >= depth }

// settled reports whether nothing can come into w any more.
func (p *poll) settled(w *window) bool {
	return len(p.feed.Backlog) > 0 && w == &p.feed.Backlog[0]
}

// full reports whether the batch has all it may hold.
func (p *poll) full() bool {
	return len(p.batch.Events) >= p.cfg.MaxEvents || p.bytes >= maxBatchBytes
}

// pageSize is the size of the next page of w. In its depth a page is as large as
// a batch can be; the first, which may be the only one, as what is left of it.
func (p *poll) pageSize(w *window) int {
	size := p.cfg.PageSize
	if p.deep(w) {
		most := p.cfg.MaxEvents
		if w.Offset == 0 {
			most -= len(p.batch.Events)
		}
		size = max(min(size, defaultPageSize), min(backlogPage, most))
	}
	if !p.numbered && w.Offset > 0 {
		// It may begin with what has been read before.
		size = max(size, defaultPageSize)
	}
	return min(size, p.biggest)
}

// checkAdvance compares the page in hand with the one before it. Late entries
// may push a page's entries to the next one, so a page can return once. One
// that keeps returning is all there is to see: the server does not page. Entries
// without an id do not tell: there can be many of the same bytes.
func (p *poll) checkAdvance() error {
	entries := p.page.entries
	if len(entries) == 0 {
		return nil
	}
	first, last := p.page.id(0), p.page.id(len(entries)-1)
	if first == nil || last == nil {
		return nil
	}
	ends := [2]fingerprint{fingerprintOf(first), fingerprintOf(last)}
	if ends != p.ends {
		p.ends, p.returns = ends, 0
		return nil
	}
	if p.returns++; p.returns < maxReturns {
		return nil
	}
	p.standsStill()
	return malformed(http.StatusOK, "every page shows the same entries")
}

// standsStill notes that there is nothing to be had from the pages of a window.
// To move on without an event would hide that.
func (p *poll) standsStill() {
	if len(p.batch.Events) == p.others {
		p.progressed = p.isNew
	}
}

// query asks for what stands in w from since to before before.
func (p *poll) query(w *window, since, before time.Time) query {
	if p.settled(w) {
		before = before.Add(edge / 2)
	}
	return query{endpoint: p.endpoint, since: since.Add(-edge / 2), before: before}
}

// ask sends q and reads the reply into the page in hand.
func (p *poll) ask(ctx context.Context, q query) (reply, error) {
	r, err := p.client.page(ctx, q, p.page)
	r.count(&p.batch.Coverage)
	if !r.date.IsZero() {
		p.clock.set(r.date, p.cfg.Clock())
	}
	return r, err
}

// take handles the entries of the page in hand. It stops early when the batch is
// full.
func (p *poll) take(w *window, g got) windowState {
	switch {
	case g.unreadable != nil:
		if p.keepUnreadable(w, g.unreadable) {
			w.Trail.turn()
		}
		return unfinished
	case g.end && p.settled(w):
		return p.finish(w)
	case g.end:
		return p.leaveSettled(w)
	}
	p.place(w, g.first)
	if p.numbered {
		p.catchUp(w, g.first)
	}
	cover := p.cover(w)
	// In the newest window one reply has to show all that is settled.
	whole := g.last && (p.settled(w) || g.first == 0 || !p.beginsSettled(w.Settled))
	for i := range p.page.entries {
		at := p.reachedAt(i)
		switch {
		case !whole && !p.settled(w) && p.settledFrom(i, w.Settled):
			return p.leaveSettled(w)
		case at.Before(w.Since):
			return p.finish(w)
		case p.full():
			return p.stay(w)
		}
		stated := p.page.entries[i].when
		id, when := p.ids[i], p.places[i]
		switch p.claim(w, g.first+i, id, when, when.Equal(stated)) {
		case noRoom:
			return p.stay(w)
		case another:
			p.batch.Coverage.Repeated++
		case fresh:
			p.keep(i, when)
			p.newer = p.newer || !p.settled(w)
		}
		w.passed(g.first+i, at, id, when)
		p.batch.Coverage.Read++
		cover.Read++
	}
	switch {
	case whole:
		return p.finish(w)
	case g.last:
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

// leaveSettled ends the newest window w where it comes to what is settled. That
// is read as a window of the backlog, unless one reply has shown all of it: in
// this one the positions depend on entries that are not settled, and by which
// of Cloudflare's replicas the next reply comes, they may be there or not.
func (p *poll) leaveSettled(w *window) windowState {
	cover := p.cover(w)
	cover.Since, cover.Exhausted = later(w.Since, w.Settled), true
	return settledLeft
}

// place notes where the entries of the page in hand stand, the first of them at
// the position first. The server sorts by time, so an entry that has none, or
// one that cannot be right, is not newer than the one before it or, at the top,
// than the end of the window.
func (p *poll) place(w *window, first int) {
	p.ids, p.places = p.ids[:0], p.places[:0]
	at := w.Before.Add(-1)
	if first > 0 {
		at = w.Anchor
	}
	for i := range p.page.entries {
		if stated := p.page.entries[i].when; w.plausible(stated) {
			at = stated
		}
		p.ids = append(p.ids, fingerprintOf(p.page.key(i)))
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

// settledFrom reports whether the page in hand comes to what is settled with its
// i-th entry, which is not just out of place.
func (p *poll) settledFrom(i int, settled time.Time) bool {
	return !slices.ContainsFunc(p.places[i:min(len(p.places), i+neighbours+1)],
		func(at time.Time) bool { return !at.Before(settled) })
}

// beginsSettled reports whether the page in hand may begin in the midst of what is
// settled. Its first entry alone does not tell: it may have no time of its own.
func (p *poll) beginsSettled(settled time.Time) bool {
	near := p.places[:min(len(p.places), neighbours+1)]
	return len(near) == 0 || slices.ContainsFunc(near, func(at time.Time) bool { return at.Before(settled) })
}

// claim is what is to become of an entry.
type claim int

const (
	fresh   claim = iota // it is for this poll, and from now on counts as handled
	another              // another poll or another window has it
	noRoom               // its id cannot be remembered: it waits until it is settled
)

// claim decides about the entry id of w at index, which stands at when. timed
// says that this is its own time.
func (p *poll) claim(w *window, index int, id fingerprint, when time.Time, timed bool) claim {
	settled := p.settled(w)
	switch {
	case p.numbered && p.handled(w, index, id, when), timed && p.elsewhere(w, when), p.feed.Seen.has(id):
		return another
	case settled && timed && p.numbered:
		// From here on the position tells.
	case p.hasRoom(settled):
		if settled && !timed {
			// Where it stands is not sure: it is remembered as long as w is open,
			// and may stand in another window, too.
			when = w.Since
		}
		p.feed.Seen.add(id, when)
	case !settled:
		p.cfg.Logger.Warn("too many entries within the overlap to remember; newer ones wait until they are settled", "ids", len(p.feed.Seen))
		p.seenFull = true
		return noRoom
	}
	return fresh
}

// hasRoom reports whether one more id can be remembered. Those of settled entries
// are needed only close to where their window has been read to.
func (p *poll) hasRoom(settled bool) bool {
	if !settled || p.numbered {
		return len(p.feed.Seen) < p.maxSeen
	}
	if len(p.feed.Seen) >= 2*p.maxSeen {
		p.feed.prune()
	}
	return len(p.feed.Seen) < 2*p.maxSeen
}

// handled reports whether the position tells that the entry of w at index has
// been handled. In a window that is not settled it does not: late entries push
// others to places behind it, and come to stand in front of it.
func (p *poll) handled(w *window, index int, id fingerprint, when time.Time) bool {
	switch {
	case !p.settled(w):
		return false
	case w.Behind == 0:
		return index < w.Offset
	case when.Before(w.BehindAt.Add(-disorder)):
		// It is gone from the log.
		w.Behind = 0
		return index < w.Offset
	case id == w.Behind:
		w.Behind = 0
	}
	return true
}

// elsewhere reports whether an entry is left to the window beside w. Requests
// reach beyond the ends of a window, so each entry must belong to one only.
func (p *poll) elsewhere(w *window, when time.Time) bool {
	return when.Before(w.Since) || p.settled(w) && !when.Before(w.Before)
}

// keep makes an event of the i-th entry of the page in hand, unless a rule
// drops it.
func (p *poll) keep(i int, when time.Time) {
	e := p.page.entry(i)
	f := p.normalizer.facts(e)
	verdict := p.normalizer.classifier.classify(e, &f)
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
	if when.Before(p.complete) {
		c.Late++
	}
	p.bytes += len(e.raw)
	if len(p.batch.Events) == cap(p.batch.Events) {
		rest := min(len(p.page.entries)-i, p.cfg.MaxEvents-len(p.batch.Events))
		p.batch.Events = slices.Grow(p.batch.Events, rest)
	}
	p.batch.Events = append(p.batch.Events, p.normalizer.eventOf(e, &f, verdict, when))
	p.noteGap(e, &f, when)
}

// keepUnreadable makes an event of the entry at which the page in hand cannot
// be read, from what there is of it, if there is room for its id.
func (p *poll) keepUnreadable(w *window, cause error) (kept bool) {
	// A reply that is too large has not been scanned yet. The scan ends where
	// the reply does, in the middle of the entry.
	_, _ = p.page.scan()
	body, at := p.page.body, p.page.partial
	if at.entry.start > 0 {
		body = body[at.entry.start:]
	}
	if info := bytes.LastIndex(body, []byte(`"result_info"`)); info > 0 {
		// What the page leads to is another at each reading.
		body = body[:info]
	}
	text := string(body[:min(len(body), maxKept)])
	e := entry{undecodable: true, notes: []string{
		"the entry could not be read: " + cause.Error() + "; raw_event holds its beginning as text",
	}}
	if id := at.at[atID]; id.end > 0 {
		e.id = value(id.of(p.page.body)).text()
	}
	if e.id == "" {
		e.id = derivedID(text)
	}
	e.when = at.when
	e.keepText(text)
	if p.page.layout == &layoutV2 {
		e.call = new(call)
	}
	when, timed := w.reached(), w.plausible(e.when)
	if timed {
		when = e.when
	}
	id := fingerprintOf([]byte(e.id))
	switch p.claim(w, w.Offset, id, when, timed) {
	case noRoom:
		return false
	case another:
		p.batch.Coverage.Repeated++
	case fresh:
		event, _ := p.normalizer.event(&e, when)
		event.RawTruncated = true
		p.batch.Coverage.Undecodable++
		p.batch.Events = append(p.batch.Events, event)
	}
	w.passed(w.Offset, when, id, when)
	p.batch.Coverage.Read++
	p.cover(w).Read++
	return true
}

// cover is the account of the window w in this poll.
func (p *poll) cover(w *window) *ingest.Window {
	list := &p.batch.Coverage.Windows
	if n := len(*list); n == 0 || !(*list)[n-1].Since.Equal(w.Since) || !(*list)[n-1].Before.Equal(w.Before) {
		*list = append(*list, ingest.Window{Since: w.Since, Before: w.Before})
	}
	return &(*list)[len(*list)-1]
}

// passed notes that the entry id at the position index, which stands at the time
// when, has been handled, and with it all down to the time reached. The position
// never moves back: a page may begin before the first unread entry.
func (w *window) passed(index int, reached time.Time, id fingerprint, when time.Time) {
	if index >= w.Offset {
		w.Offset, w.Last, w.LastAt = index+1, id, when
	}
	if w.Anchor.IsZero() || reached.Before(w.Anchor) {
		w.Anchor = reached
	}
}

// plausible reports whether a request for the window can show an entry of the
// time when.
func (w *window) plausible(when time.Time) bool {
	since := w.Since
	if !w.Trail.Since.IsZero() {
		// What was settled of it meanwhile is another window.
		since = w.Trail.Since
	}
	return !when.IsZero() && !when.Before(since.Add(-edge)) && !when.After(w.Before.Add(edge))
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
