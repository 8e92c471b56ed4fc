package burst

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// stateVersion is written into every state. Of a state with a higher version
// nothing is used.
const stateVersion = 1

// Save returns what t remembers, or nil if that is nothing. It is JSON that an
// operator can read:
//
//	{
//	 "version": 1,
//	 "rows": [{
//	  "rule": "mass-deletion",
//	  "within": "10m",
//	  "account": "…",
//	  "actor": {"id": "…", "type": "user", "email": "…", "shown": "…"},
//	  "counted": {"v1": {"2026-03-02T09:50:00Z": "q83vEjRWeJA="}},
//	  "raised": ["2026-03-02T09:50:00Z"],
//	  "due": []
//	 }]
//	}
//
// Each tenth has the fingerprints of its ids in ascending order, eight bytes
// each, in base64, so that the order in which they came leaves no trace. The
// alarms that are due have been raised, but not taken.
func (t *Tracker) Save() json.RawMessage {
	if len(t.rows) == 0 {
		return nil
	}
	b := []byte(`{"version":` + strconv.Itoa(stateVersion) + `,"rows":[`)
	for i, r := range slices.SortedFunc(maps.Values(t.rows), (*row).compare) {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.append(b)
		b = r.appendSpans(append(b, `,"raised":[`...), r.raised)
		var due []int64
		for _, span := range r.raised {
			if t.isDue(r, span) {
				due = append(due, span)
			}
		}
		b = r.appendSpans(append(b, `],"due":[`...), due)
		b = append(b, "]}"...)
	}
	return append(b, "]}"...)
}

// append appends what identifies a row, and what it counted.
func (r *row) append(b []byte) []byte {
	b = appendText(b, `{"rule":`, r.rule.ID)
	b = appendText(b, `,"within":`, rules.SpanText(r.rule.Within))
	b = appendText(b, `,"account":`, r.account)
	b = appendText(b, `,"actor":{"id":`, r.who.ID)
	b = appendText(b, `,"type":`, r.who.Type)
	b = appendText(b, `,"email":`, r.who.Email)
	b = appendText(b, `,"shown":`, r.who.Shown)
	b = append(b, `},"counted":{`...)
	var ids []byte
	for i, log := range r.logs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, "", log.log), ":{"...)
		for j, c := range log.counts {
			if j > 0 {
				b = append(b, ',')
			}
			ids = ids[:0]
			for _, id := range c.ids {
				ids = binary.BigEndian.AppendUint64(ids, id)
			}
			b = appendTime(b, c.number*seconds(r.rule)/tenths)
			b = base64.StdEncoding.AppendEncode(append(b, `:"`...), ids)
			b = append(b, '"')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendSpans appends the beginnings of spans.
func (r *row) appendSpans(b []byte, spans []int64) []byte {
	for i, span := range spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTime(b, span*seconds(r.rule))
	}
	return b
}

// appendText appends a text as JSON, after what precedes it. Invalid UTF-8, which
// events have none of, becomes U+FFFD.
func appendText(b []byte, before, s string) []byte {
	b, _ = jsontext.AppendQuote(append(b, before...), s)
	return b
}

// appendTime appends a time, in seconds since 1970, as a JSON text.
func appendTime(b []byte, unix int64) []byte {
	return append(time.Unix(unix, 0).UTC().AppendFormat(append(b, '"'), time.RFC3339), '"')
}

// Load makes a tracker of what [Tracker.Save] returned, of which nil is
// nothing. Rows of rules that are no longer in force, or whose span is another
// one, are left out. An error means that the state is damaged or from a newer
// release.
func Load(saved json.RawMessage, c *rules.Classifier) (*Tracker, error) {
	t := NewTracker()
	if len(saved) == 0 {
		return t, nil
	}
	var doc jsondoc.Doc
	if err := doc.Parse(string(saved)); err != nil {
		return nil, err
	}
	if version := doc.Root().Get("version").Source(); version != strconv.Itoa(stateVersion) {
		return nil, fmt.Errorf("it has version %.20q, and this release reads version %d", version, stateVersion)
	}
	i, l := 0, loader{Tracker: t, rules: c}
	for in := range doc.Root().Get("rows").All() {
		if err := l.load(in); err != nil {
			return nil, fmt.Errorf("rows[%d]: %w", i, err)
		}
		i++
	}
	t.settle()
	if t.ids > 2*t.most {
		return nil, fmt.Errorf("it has %d ids, but at most %d are allowed", t.ids, 2*t.most)
	}
	return t, nil
}

// loader loads rows.
type loader struct {
	*Tracker
	rules *rules.Classifier
	// text and raw are memory for decoding ids.
	text, raw []byte
}

// load adds a row.
func (t *loader) load(in jsondoc.Value) error {
	rule := t.rules.BurstRule(in.Get("rule").Text())
	if rule == nil || in.Get("within").Text() != rules.SpanText(rule.Within) {
		return nil
	}
	actor := in.Get("actor")
	r := &row{who: Actor{actor.Get("id").Text(), actor.Get("type").Text(), actor.Get("email").Text(), actor.Get("shown").Text()}}
	r.rowKey = rowKey{rule, in.Get("account").Text(), r.who.key()}
	if t.rows[r.rowKey] != nil {
		return errors.New("it appears twice")
	}
	t.rows[r.rowKey] = r
	for log := range in.Get("counted").All() {
		counts, err := t.counts(log, seconds(rule)/tenths)
		if err != nil {
			return fmt.Errorf("counted.%s: %w", log.Name(), err)
		}
		into := r.tally(log.Name())
		if *into != nil {
			return fmt.Errorf("counted.%s: it appears twice", log.Name())
		}
		*into = counts
	}
	var err error
	if r.raised, err = loadSpans(in.Get("raised"), seconds(rule)); err != nil {
		return fmt.Errorf("raised: %w", err)
	}
	due, err := loadSpans(in.Get("due"), seconds(rule))
	if err != nil {
		return fmt.Errorf("due: %w", err)
	}
	for _, span := range due {
		if _, raised := slices.BinarySearch(r.raised, span); !raised {
			return errors.New("due: it was not raised")
		}
		t.due = append(t.due, alarmKey{r, span})
	}
	return nil
}

// counts reads the counts of a log, in tenths of the given seconds.
func (t *loader) counts(in jsondoc.Value, unit int64) ([]tenth, error) {
	counts := make([]tenth, 0, in.Len())
	// All ids share one array.
	all := make([]uint64, 0, base64.StdEncoding.DecodedLen(len(in.Source()))/8)
	for m := range in.All() {
		number, err := numberOf(m.Name(), unit)
		if err != nil {
			return nil, err
		}
		t.text = append(t.text[:0], m.Text()...)
		t.raw, err = base64.StdEncoding.AppendDecode(t.raw[:0], t.text)
		if err != nil || len(t.raw) == 0 || len(t.raw)%8 != 0 {
			return nil, fmt.Errorf("the ids of %s are damaged", m.Name())
		}
		from := len(all)
		for b := t.raw; len(b) > 0; b = b[8:] {
			all = append(all, binary.BigEndian.Uint64(b))
		}
		c := tenth{number, all[from:len(all):len(all)]}
		if n := len(counts); !ascending(c.ids) || n > 0 && counts[n-1].number >= number {
			return nil, errors.New("its times, or its ids, do not ascend")
		}
		counts = append(counts, c)
	}
	return counts, nil
}

// loadSpans reads a list of the beginnings of spans of the given seconds.
func loadSpans(in jsondoc.Value, unit int64) ([]int64, error) {
	var spans []int64
	for at := range in.All() {
		span, err := numberOf(at.Text(), unit)
		if err != nil {
			return nil, err
		}
		spans = append(spans, span)
	}
	if !ascending(spans) {
		return nil, errors.New("its times do not ascend")
	}
	return spans, nil
}

// ascending reports whether each element of a list comes after the one before
// it.
func ascending[T int64 | uint64](list []T) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

// numberOf is the number since 1970 of the unit of seconds that begins at a
// time.
func numberOf(written string, unit int64) (int64, error) {
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a time", written)
	}
	if at.Unix() < 0 || at.Year() > maxYear || at.Unix()%unit != 0 || at.Nanosecond() != 0 {
		return 0, fmt.Errorf("%.40q is not a multiple of %d seconds since 1970", written, unit)
	}
	return at.Unix() / unit, nil
}
