package fakecloudflare

import (
	"bytes"
	"cmp"
	"encoding/json"
	"hash/fnv"
	"slices"
	"sort"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// item is an entry of the log.
type item struct {
	stamp   time.Time // when it happened
	visible time.Time // when it appears in the log
	raw     []byte
	position
}

// position is where an item stands in the order of a store.
type position struct {
	place time.Time // the stamp, or up to the spread of the store later
	n     int       // the items that were added before
}

func (p position) compare(q position) int {
	return cmp.Or(p.place.Compare(q.place), cmp.Compare(p.n, q.n))
}

// store is a log: entries ordered by stamp, and by insertion within one.
type store struct {
	// spread is how far the order may be from that of the stamps. It is set
	// before there are items.
	spread time.Duration
	items  []item
	sorted int       // the items that are in order; the rest have been added since
	latest time.Time // the latest time at which an item becomes visible
}

// add appends items. They are put in order by the next read, because doing so
// one by one would take quadratic time.
func (s *store) add(items ...item) {
	for _, it := range items {
		it.position = position{it.stamp.Add(s.delay(it.raw)), len(s.items)}
		s.items = append(s.items, it)
		if it.visible.After(s.latest) {
			s.latest = it.visible
		}
	}
}

// delay is how far behind its stamp an entry stands, which depends on its bytes
// alone.
func (s *store) delay(raw []byte) time.Duration {
	if s.spread == 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write(raw)
	return time.Duration(h.Sum64() % uint64(s.spread+1))
}

func (s *store) sort() {
	fresh := s.items[s.sorted:]
	if len(fresh) == 0 {
		return
	}
	inOrder := func(a, b item) int { return a.compare(b.position) }
	oldest := slices.MinFunc(fresh, inOrder).place
	from := sort.Search(s.sorted, func(i int) bool { return s.items[i].place.After(oldest) })
	slices.SortFunc(s.items[from:], inOrder)
	s.sorted = len(s.items)
}

// query asks for a page of the log.
type query struct {
	from, to      time.Time // half open; a zero time is no bound
	asc           bool
	page, perPage int
	match         []func(raw []byte) bool // all of which an entry must meet
}

// page returns the page that q asks for at the time now, and how many entries
// all its pages have together.
func (s *store) page(q query, now time.Time) (entries [][]byte, total int) {
	window := s.window(q, now)
	total = len(window)
	// Dividing instead of multiplying, a huge page number cannot overflow.
	if q.page-1 > total/q.perPage {
		return nil, total
	}
	start := (q.page - 1) * q.perPage
	for i := start; i < min(start+q.perPage, total); i++ {
		if q.asc {
			entries = append(entries, window[i].raw)
		} else {
			entries = append(entries, window[total-1-i].raw)
		}
	}
	return entries, total
}

// behind returns the perPage items of q that come behind the last one that was
// shown, or the first ones when last is nil, and whether there are more.
func (s *store) behind(last *position, q query, now time.Time) (items []item, more bool) {
	window := s.window(q, now)
	if !q.asc {
		if last != nil {
			window = window[:sort.Search(len(window), func(i int) bool { return window[i].compare(*last) >= 0 })]
		}
		items = slices.Clone(window[max(0, len(window)-q.perPage):])
		slices.Reverse(items)
		return items, len(window) > q.perPage
	}
	if last != nil {
		window = window[sort.Search(len(window), func(i int) bool { return window[i].compare(*last) > 0 }):]
	}
	return slices.Clone(window[:min(q.perPage, len(window))]), len(window) > q.perPage
}

// window returns, in order, all the items of q that are visible at the time now.
func (s *store) window(q query, now time.Time) []item {
	s.sort()
	window := s.items
	if !q.to.IsZero() {
		window = window[:firstFrom(window, q.to.Add(s.spread))]
	}
	window = window[firstFrom(window, q.from):]
	if len(q.match) == 0 && s.spread == 0 && !s.latest.After(now) {
		return window
	}
	shown := make([]item, 0, len(window))
	for _, it := range window {
		if !it.visible.After(now) && q.covers(it.stamp) && q.matches(it.raw) {
			shown = append(shown, it)
		}
	}
	return shown
}

// covers reports whether t is within the bounds of q.
func (q query) covers(t time.Time) bool {
	return !t.Before(q.from) && (q.to.IsZero() || t.Before(q.to))
}

func (q query) matches(raw []byte) bool {
	for _, match := range q.match {
		if !match(raw) {
			return false
		}
	}
	return true
}

// firstFrom is the index of the first item that stands at t or later.
func firstFrom(items []item, t time.Time) int {
	return sort.Search(len(items), func(i int) bool { return !items[i].place.Before(t) })
}

// When returns the time of an entry of either endpoint, and whether it has one
// that can be read.
func When(entry json.RawMessage) (time.Time, bool) {
	t, from, to := findTime(entry)
	return t, from < to
}

// findTime returns the time of an entry, which is "when" in one of v1 and
// "action.time" in one of v2, and where its text is; from and to are equal when
// there is no time that can be read.
func findTime(entry []byte) (t time.Time, from, to int) {
	for _, path := range [][]string{{"when"}, {"action", "time"}} {
		t, err := time.Parse(time.RFC3339, text(entry, path...))
		if err == nil {
			val, at := find(entry, path...)
			return t, at, at + len(val)
		}
	}
	return time.Time{}, 0, 0
}

// text returns the string at path in an entry, or "" when there is none.
func text(raw []byte, path ...string) string {
	val, _ := find(raw, path...)
	if val.Kind() != '"' {
		return ""
	}
	b, err := jsontext.AppendUnquote(nil, val)
	if err != nil {
		return ""
	}
	return string(b)
}

// find returns the value at path in an entry and where it starts, or nil. What
// follows the value is not looked at.
func find(raw []byte, path ...string) (jsontext.Value, int) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for _, name := range path {
		if dec.PeekKind() != '{' {
			return nil, 0
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, 0
		}
		for {
			key, err := dec.ReadToken()
			if err != nil || key.Kind() != '"' {
				return nil, 0
			}
			if key.String() == name {
				break
			}
			if err := dec.SkipValue(); err != nil {
				return nil, 0
			}
		}
	}
	val, err := dec.ReadValue()
	if err != nil {
		return nil, 0
	}
	return val, int(dec.InputOffset()) - len(val)
}
