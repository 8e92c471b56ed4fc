package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// The bounds of a [Burst].
const (
	minBurst, maxBurst = 2, 1000
	// Spans are whole minutes, so that they divide into whole seconds.
	spanUnit = time.Minute
	maxSpan  = 24 * time.Hour
)

// Burst makes a [Rule] count instead of grade: once one actor has Count entries
// that match the rule within the span Within, one further event is raised. A
// rule that counts grades no entry, and every one that matches an entry counts
// it, in any order.
//
// Its title may have the placeholders {actor}, {count} and {within}.
type Burst struct {
	// Count is how many entries make a burst, 2 to 1000.
	Count int
	// Within is the span of time they lie in: whole minutes, up to 24 hours.
	Within time.Duration
}

// burstJSON is the form of a [Burst] in JSON.
type burstJSON struct {
	Count  int    `json:"count,omitempty"`
	Within string `json:"within,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: {"count": 20, "within": "10m"}.
// A zero field is left out.
func (b Burst) MarshalJSON() ([]byte, error) {
	return json.Marshal(burstJSON{b.Count, SpanText(b.Within)})
}

// UnmarshalJSON implements [json.Unmarshaler]. It does not check the bounds.
func (b *Burst) UnmarshalJSON(src []byte) error {
	var form burstJSON
	if err := json.Unmarshal(src, &form); err != nil {
		return err
	}
	*b = Burst{Count: form.Count}
	if form.Within == "" {
		return nil
	}
	within, err := time.ParseDuration(form.Within)
	if err != nil {
		return fmt.Errorf("within: %w", err)
	}
	b.Within = within
	return nil
}

// SpanText returns a span of time as rules write it, such as "10m" or "1h30m",
// and "" for zero.
func SpanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// spanWords is a span as titles state it: "10 minutes", "1 hour".
func spanWords(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	if d%time.Hour == 0 {
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// BurstRule is a [Rule] that counts, as it is in force. It is immutable.
type BurstRule struct {
	// ID, Why, Severity and Techniques are those of the rule, and Count and
	// Within those of its [Burst].
	ID, Why    string
	Severity   ingest.Severity
	Techniques []string
	Count      int
	Within     time.Duration

	title Template
}

// Title returns the title of an event about a burst of actor, which is "" when
// the actor is not known.
func (b *BurstRule) Title(actor string) string {
	return b.title.render(&Facts{Actor: actor}, nil, hasDetail(b.Severity), false)
}

// defaultBurstTitle is the title of a rule that counts and has none. It follows
// the id of the rule.
const defaultBurstTitle = ": {count} or more within {within}[ by {actor}]"

// burstTitle is the title of a rule that counts, with its thresholds filled in.
func (r *Rule) burstTitle() string {
	title := r.Title
	if title == "" {
		title = "Burst " + r.ID + defaultBurstTitle
	}
	return strings.NewReplacer("{count}", strconv.Itoa(r.Burst.Count), "{within}", spanWords(r.Burst.Within)).Replace(title)
}

// compileBurst is the part of compile for rules that count.
func (r *compiled) compileBurst() {
	r.title, _ = parseTemplate(r.burstTitle())
	r.burst = &BurstRule{
		ID: r.ID, Why: r.Why, Severity: r.Severity, Techniques: r.Techniques,
		Count: r.Burst.Count, Within: r.Burst.Within, title: r.title,
	}
}

// counters are the rules of a table that count.
type counters struct {
	rules []*compiled
	index index
}

// newCounters picks the rules that count. actions must be sorted.
func newCounters(all []*compiled, actions []string) counters {
	var c counters
	for _, r := range all {
		if r != nil && r.burst != nil {
			c.rules = append(c.rules, r)
		}
	}
	c.index = newIndex(c.rules, actions, counts)
	// One look-up has to do for each entry.
	for _, action := range actions {
		if _, listed := c.index.byAction[action]; !listed {
			c.index.byAction[action] = c.index.general
		}
	}
	return c
}

// Bursts appends to list the rules that count the entry, and returns the
// extended list. It does not retain the facts.
func (c *Classifier) Bursts(f *Facts, list []*BurstRule) []*BurstRule {
	t := c.table
	at, listed := t.counters.index.byAction[f.Action]
	if !listed {
		at = t.counters.index.others
	}
	for _, i := range at {
		if r := t.counters.rules[i]; (listed || len(r.actions) == 0 || text.MatchAny(r.actions, f.Action)) && r.failingBeyondAction(f, c) == "" {
			list = append(list, r.burst)
		}
	}
	return list
}

// BurstRule returns the rule with that id if it counts, and nil otherwise.
func (c *Classifier) BurstRule(id string) *BurstRule {
	for _, r := range c.table.counters.rules {
		if r.ID == id {
			return r.burst
		}
	}
	return nil
}

// amended is a burst with a user's changes.
func (b Burst) amended(user *Burst) *Burst {
	if user != nil {
		b.Count, b.Within = cmp.Or(user.Count, b.Count), cmp.Or(user.Within, b.Within)
	}
	return &b
}

// checkBurst checks the burst of a rule. standard is the default rule that it
// changes, or nil.
func (c *checker) checkBurst(r, standard *Rule) {
	b := r.Burst
	switch {
	case standard != nil && standard.Burst == nil && b != nil:
		c.fault("burst", "", "the id is that of a default rule that grades entries and does not count them: choose another id")
		return
	case standard != nil && standard.Burst != nil:
		b = standard.Burst.amended(b)
	case b == nil:
		return
	}
	if r.Drop {
		c.fault("drop", "", "cannot be combined with a burst, which drops nothing: use disabled to switch the rule off")
	}
	if (b.Count < minBurst || b.Count > maxBurst) && !c.wrong("burst.count") {
		c.fault("burst.count", numberText(b.Count), fmt.Sprintf("must be from %d to %d", minBurst, maxBurst))
	}
	if (b.Within < spanUnit || b.Within > maxSpan || b.Within%spanUnit != 0) && !c.wrong("burst.within") {
		c.fault("burst.within", SpanText(b.Within), burstSpanForm)
	}
}

// burstSpanForm describes the span of a burst.
const burstSpanForm = "must be whole minutes or hours from 1m to 24h, such as 10m"

// numberText is a number in a fault, or "" where it is missing.
func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// checkTitle checks the title of a rule. Only the titles of rules that count
// have thresholds, and no entry of their own to take values from.
func (c *checker) checkTitle(r *Rule, counting bool) {
	title := r.Title
	if counting {
		title = strings.NewReplacer("{count}", "2", "{within}", "1 hour").Replace(title)
		for _, name := range placeholderNames() {
			if name != "actor" && strings.Contains(title, "{"+name+"}") {
				c.fault("title", r.Title, "there is no placeholder {"+name+"} in the title of a burst, which has {actor}, {count} and {within}")
				return
			}
		}
	}
	if _, fault := parseTemplate(title); fault != "" {
		c.fault("title", r.Title, fault)
	}
}
