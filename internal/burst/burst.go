// Package burst counts what each actor does, and notices when it is more than a
// rule allows within a span of time. It knows facts and times, and neither logs
// nor cursors.
//
// Which bursts there are depends only on the entries, whatever their order and
// however often each one comes: the times of the entries are rounded down to a
// tenth of the span, the ids of the entries in each tenth make a set, and a
// burst is ten tenths in a row, the last of them with an entry, that have enough
// ids together. More entries never undo a burst. One alarm is raised for all
// bursts that end in the same span, counted from 1970, so an actor who goes on
// raises one alarm in each span, and one whose burst extends over a boundary
// raises two. Nothing of an alarm depends on more than that, so that it is the
// same whichever entry completed it.
package burst

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/rules"
)

const (
	// tenths is the number of parts that a span is divided into.
	tenths = 10
	// maxIDs bounds the ids and the alarms that a tracker remembers: 11 bytes of
	// a cursor for each id.
	maxIDs = 1 << 15
	// near is how far from the entry at hand, beyond the span of its rule, ids
	// are likely to be needed again.
	near = time.Hour
	// maxYear is the last year of an entry that is counted: a time in a state
	// has four digits for the year.
	maxYear = 9000
)

// Actor is who did something, as events show it. At least one field is set,
// unless nobody is known.
type Actor struct {
	ID    string `json:"id,omitempty"`
	Type  string `json:"type,omitempty"`
	Email string `json:"email,omitempty"`
	// Shown is the name that events show.
	Shown string `json:"shown,omitempty"`
}

// key identifies the actor.
func (a *Actor) key() string { return cmp.Or(a.ID, strings.ToLower(a.Email), a.Shown) }

// clone is a copy of a that shares no memory with it.
func (a *Actor) clone() Actor {
	rest := a.ID + a.Type + a.Email + a.Shown
	next := func(n int) (part string) {
		part, rest = rest[:n], rest[n:]
		return part
	}
	return Actor{next(len(a.ID)), next(len(a.Type)), next(len(a.Email)), next(len(a.Shown))}
}

// Entry is an entry that a rule counts.
type Entry struct {
	// ID identifies the entry in its log, and When is its own time. An entry
	// without a time is not counted.
	ID   string
	When time.Time
	// Log is the log that it is from. Two logs that describe the same changes
	// are counted separately.
	Log string
	// Account is the account whose log it is.
	Account string
	Actor   Actor
}

// Alarm is what a burst raises.
type Alarm struct {
	Rule    *rules.BurstRule
	Account string
	Actor   Actor
	// ID is the same for the same alarm, whichever entries led to it.
	ID [16]byte
	// At is the beginning of the span in which the burst ended. Its entries lie
	// from Since to before Before.
	At, Since, Before time.Time
}

// Tracker counts entries. It is not safe for concurrent use.
type Tracker struct {
	rows map[rowKey]*row
	// due are the alarms that have been raised and not been taken.
	due []alarmKey
	// ids counts the ids and the alarms in all rows.
	ids int
	// spare is room for the ids of some more tenths.
	spare []uint64
	// forgotten counts those given up because there were too many.
	forgotten int
	most      int
}

// NewTracker makes a tracker that has counted nothing.
func NewTracker() *Tracker {
	return &Tracker{rows: make(map[rowKey]*row), most: maxIDs}
}

// rowKey is what is counted separately.
type rowKey struct {
	rule           *rules.BurstRule
	account, actor string
}

// row is what one actor has done in terms of one rule. Its lists are in
// ascending order.
type row struct {
	rowKey
	who  Actor
	logs []tally
	// raised are the spans, by their number since 1970, for which an alarm has
	// been raised.
	raised []int64
}

// tally is what one log says of it.
type tally struct {
	log    string
	counts []tenth
}

// tenth is the ids of the entries of a tenth of a span, by its number since 1970.
type tenth struct {
	number int64
	ids    []uint64
}

// alarmKey is an alarm of a row.
type alarmKey struct {
	row  *row
	span int64
}

// Forgotten counts the ids that were given up, because too many actors did too
// much at once, while they were likely to be needed: some bursts may go
// unnoticed.
func (t *Tracker) Forgotten() int { return t.forgotten }

// Count counts an entry for a rule.
func (t *Tracker) Count(rule *rules.BurstRule, e *Entry) {
	if e.When.Unix() < 0 || e.When.Year() > maxYear {
		return // an entry without a time has the year 1
	}
	r := t.row(rule, e)
	counts := r.tally(e.Log)
	number := e.When.Unix() / (seconds(rule) / tenths)
	i, found := find(*counts, number)
	if !found {
		*counts = slices.Insert(*counts, i, tenth{number, t.room()})
	}
	at := &(*counts)[i]
	// Beyond what makes a burst by itself, more entries make no difference.
	if len(at.ids) >= rule.Count {
		return
	}
	id := fingerprint(e.ID)
	place, known := slices.BinarySearch(at.ids, id)
	if known {
		return
	}
	at.ids = slices.Insert(at.ids, place, id)
	t.ids++
	t.raise(r, *counts, i)
	if t.ids > t.most {
		t.evict(e.When)
	}
}

// room is a list for the first ids of a tenth. Most have few, so the lists of
// several are allocated together.
func (t *Tracker) room() []uint64 {
	const few, lists = 4, 8
	if len(t.spare) < few {
		t.spare = make([]uint64, few*lists)
	}
	list := t.spare[:0:few]
	t.spare = t.spare[few:]
	return list
}

// find is the position of a tenth, or the one where it belongs.
func find(counts []tenth, number int64) (i int, found bool) {
	if len(counts) > 0 && number < counts[0].number {
		return 0, false // entries often come newest first
	}
	for i = len(counts); i > 0 && counts[i-1].number >= number; i-- {
	}
	return i, i < len(counts) && counts[i].number == number
}

// row is the row that an entry belongs to.
func (t *Tracker) row(rule *rules.BurstRule, e *Entry) *row {
	key := rowKey{rule, e.Account, e.Actor.key()}
	r := t.rows[key]
	if r == nil {
		// What is kept must not hold on to the memory of the entry.
		r = &row{who: e.Actor.clone()}
		r.rowKey = rowKey{rule, strings.Clone(e.Account), r.who.key()}
		t.rows[r.rowKey] = r
	}
	return r
}

// tally is what the row has counted in a log.
func (r *row) tally(log string) *[]tenth {
	for i := range r.logs {
		if r.logs[i].log == log {
			return &r.logs[i].counts
		}
	}
	r.logs = append(r.logs, tally{log: strings.Clone(log)})
	i := len(r.logs) - 1
	for ; i > 0 && r.logs[i-1].log > log; i-- {
		r.logs[i-1], r.logs[i] = r.logs[i], r.logs[i-1]
	}
	return &r.logs[i].counts
}

// Raise raises the alarm of a rule about an actor that was raised before at the
// time at, unless it has been raised. It does nothing if no alarm of the rule has
// that time.
func (t *Tracker) Raise(rule *rules.BurstRule, account string, who Actor, at time.Time) {
	if at.Unix() < 0 || at.Year() > maxYear || at.Unix()%seconds(rule) != 0 {
		return
	}
	r := t.row(rule, &Entry{Account: account, Actor: who})
	span := at.Unix() / seconds(rule)
	if i, raised := slices.BinarySearch(r.raised, span); !raised {
		r.raised = slices.Insert(r.raised, i, span)
		t.ids++
		t.due = append(t.due, alarmKey{r, span})
	}
	if t.ids > t.most {
		t.evict(at)
	}
}

// raise raises the alarms of the bursts that the tenth at position i is part of.
func (t *Tracker) raise(r *row, counts []tenth, i int) {
	for end := i; end < len(counts) && counts[end].number < counts[i].number+tenths; end++ {
		span := counts[end].number / tenths
		at, raised := slices.BinarySearch(r.raised, span)
		if raised {
			continue
		}
		n := 0
		for j := end; j >= 0 && counts[j].number > counts[end].number-tenths; j-- {
			n += len(counts[j].ids)
		}
		if n >= r.rule.Count {
			r.raised = slices.Insert(r.raised, at, span)
			t.ids++
			t.due = append(t.due, alarmKey{r, span})
		}
	}
}

// Due reports whether there are alarms to take.
func (t *Tracker) Due() bool { return len(t.due) > 0 }

// Take takes the next alarm. There must be one.
func (t *Tracker) Take() Alarm {
	next := t.due[0]
	t.due = t.due[1:]
	return next.row.alarm(next.span)
}

// alarm is the alarm of a row for a span.
func (r *row) alarm(span int64) Alarm {
	at := time.Unix(span*seconds(r.rule), 0).UTC()
	var b []byte
	for _, part := range []string{r.rule.ID, r.account, r.actor, rules.SpanText(r.rule.Within)} {
		b = append(append(b, part...), 0)
	}
	sum := sha256.Sum256(strconv.AppendInt(b, span, 10))
	return Alarm{
		Rule: r.rule, Account: r.account, Actor: r.who, ID: [16]byte(sum[:16]),
		At: at, Since: at.Add(-r.rule.Within * (tenths - 1) / tenths), Before: at.Add(r.rule.Within),
	}
}

// IDText is the id of the alarm as text.
func (a *Alarm) IDText() string { return "burst-" + hex.EncodeToString(a.ID[:]) }

// reach is the time of the entries that can be in one burst with those of a
// tenth.
func (r *row) reach(number int64) (first, last time.Time) {
	at := time.Unix(number*seconds(r.rule)/tenths, 0)
	return at.Add(-r.rule.Within), at.Add(r.rule.Within + r.rule.Within/tenths)
}

// spanReach is the time of the entries that can be in a burst that ends in a
// span.
func (r *row) spanReach(span int64) (first, last time.Time) {
	at := time.Unix(span*seconds(r.rule), 0)
	return at.Add(-r.rule.Within), at.Add(r.rule.Within)
}

// Prune forgets what no later entry can be in one burst with. open reports
// whether entries from first to last may still come, of a log or, if log is
// empty, of any: one that has not been counted yet can raise the same alarm.
func (t *Tracker) Prune(open func(log string, first, last time.Time) bool) {
	for _, r := range t.rows {
		for i := range r.logs {
			log := &r.logs[i]
			log.counts = slices.DeleteFunc(log.counts, func(c tenth) bool {
				first, last := r.reach(c.number)
				return !open(log.log, first, last)
			})
		}
		r.raised = slices.DeleteFunc(r.raised, func(span int64) bool {
			first, last := r.spanReach(span)
			return !t.isDue(r, span) && !open("", first, last)
		})
		r.logs = slices.DeleteFunc(r.logs, func(log tally) bool { return len(log.counts) == 0 && len(r.raised) == 0 })
	}
	t.settle()
}

func (t *Tracker) isDue(r *row, span int64) bool { return slices.Contains(t.due, alarmKey{r, span}) }

// settle removes empty rows and counts what is left.
func (t *Tracker) settle() {
	t.ids = 0
	for key, r := range t.rows {
		n := len(r.raised)
		for _, log := range r.logs {
			for _, c := range log.counts {
				n += len(c.ids)
			}
		}
		if n == 0 {
			delete(t.rows, key)
		}
		t.ids += n
	}
}

// evict gives up a quarter of what is remembered: what is farthest from the
// entry at hand. Saved entries come in either order of time, so what is oldest
// may be what is needed next.
func (t *Tracker) evict(now time.Time) {
	type item struct {
		row  *row
		log  int // or -1 for an alarm
		at   int64
		away time.Duration
	}
	var items []*item
	add := func(r *row, log int, at, unit int64) {
		items = append(items, &item{r, log, at, now.Sub(time.Unix(at*unit, 0)).Abs()})
	}
	for _, r := range t.rows {
		for i := range r.logs {
			for _, c := range r.logs[i].counts {
				add(r, i, c.number, seconds(r.rule)/tenths)
			}
		}
		for _, span := range r.raised {
			if !t.isDue(r, span) {
				add(r, -1, span, seconds(r.rule))
			}
		}
	}
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(b.away, a.away), a.row.compare(b.row), cmp.Compare(a.log, b.log), cmp.Compare(a.at, b.at))
	})
	for _, it := range items {
		if t.ids <= t.most-t.most/4 {
			break
		}
		n := it.row.forget(it.log, it.at)
		t.ids -= n
		if it.away <= it.row.rule.Within+near {
			t.forgotten += n
		}
	}
	t.settle()
}

// forget removes a tenth of a log, or an alarm, and returns how much that was.
func (r *row) forget(log int, at int64) (n int) {
	if log < 0 {
		i, _ := slices.BinarySearch(r.raised, at)
		r.raised = slices.Delete(r.raised, i, i+1)
		return 1
	}
	counts := &r.logs[log].counts
	i, _ := find(*counts, at)
	n = len((*counts)[i].ids)
	*counts = slices.Delete(*counts, i, i+1)
	return n
}

// compare orders rows.
func (r *row) compare(other *row) int {
	return cmp.Or(strings.Compare(r.rule.ID, other.rule.ID), strings.Compare(r.account, other.account), strings.Compare(r.actor, other.actor))
}

// seconds is the span of a rule.
func seconds(rule *rules.BurstRule) int64 { return int64(rule.Within / time.Second) }

// fingerprint is 64 bits of a hash of an id.
func fingerprint(id string) uint64 {
	// Ids fit into the buffer, so that hashing one allocates nothing.
	var buf [256]byte
	sum := sha256.Sum256(append(buf[:0], id...))
	return binary.BigEndian.Uint64(sum[:8])
}
