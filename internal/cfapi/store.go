package cfapi

import (
	"bytes"
	"encoding/json"
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
}

// store is the log: entries ordered by stamp, and by insertion within one.
type store struct {
	items  []item
	sorted int       // the items that are in order; the rest have been added since
	latest time.Time // the latest time at which an item becomes visible
}

// add appends items. They are put in order by the next read, because doing so
// one by one would take quadratic time.
func (s *store) add(items ...item) {
	s.items = append(s.items, items...)
	for _, it := range items {
		if it.visible.After(s.latest) {
			s.latest = it.visible
		}
	}
}

func (s *store) sort() {
	fresh := s.items[s.sorted:]
	if len(fresh) == 0 {
		return
	}
	byStamp := func(a, b item) int { return a.stamp.Compare(b.stamp) }
	oldest := slices.MinFunc(fresh, byStamp).stamp
	from := sort.Search(s.sorted, func(i int) bool { return s.items[i].stamp.After(oldest) })
	slices.SortStableFunc(s.items[from:], byStamp)
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
	s.sort()
	window := s.items
	if !q.to.IsZero() {
		window = window[:firstFrom(window, q.to)]
	}
	window = window[firstFrom(window, q.from):]
	if len(q.match) > 0 || s.latest.After(now) {
		shown := make([]item, 0, len(window))
		for _, it := range window {
			if !it.visible.After(now) && q.matches(it.raw) {
				shown = append(shown, it)
			}
		}
		window = shown
	}
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

func (q query) matches(raw []byte) bool {
	for _, match := range q.match {
		if !match(raw) {
			return false
		}
	}
	return true
}

// firstFrom is the index of the first item at t or later.
func firstFrom(items []item, t time.Time) int {
	return sort.Search(len(items), func(i int) bool { return !items[i].stamp.Before(t) })
}

// When returns the time of an entry, and whether it has one that can be read.
func When(entry json.RawMessage) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text(entry, "when"))
	return t, err == nil
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
