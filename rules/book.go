package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Vocabulary is what a [Book] knows about the actions of entries.
type Vocabulary struct {
	// Actions are the canonical actions that are known, such as
	// "dns.record.delete", in lower case. Entries may have others; rules grade
	// those too, only more slowly.
	Actions []string
	// Verb returns the kind of the verb of a canonical action, as in
	// [Match.Verb], or "". With it, [Book.Check] and [Book.Review] report rules
	// whose verb and action contradict each other.
	Verb func(action string) string
	// Values maps the name of a condition to all texts that entries are known
	// to have for it, and Names maps it to some of them, for conditions that
	// have many more. Case is ignored. [Book.Review] doubts a pattern that fits
	// none of the Values, or that is nearly one of the Names.
	Values, Names map[string][]string
	// Words puts a canonical action into words, for {words} in titles: "queue
	// consumer changed" for queue.consumer.update. If nil, the words are
	// "Cloudflare queue.consumer.update".
	Words func(action string) string
}

// Book holds default rules and puts the rules of users in front of them. It is
// safe for concurrent use and caches compiled rules, so one per process is
// enough.
type Book struct {
	defaults []Rule
	byID     map[string]int // positions in defaults
	ids      []string
	actions  []string // sorted
	known    map[string]*actionWords
	verb     func(string) string
	values   map[string][]string
	names    map[string][]string
	words    func(string) string
	index    index
	table    *table // of the default rules only
	cache    cache
}

// NewBook returns a Book of the default rules, in the order given. The last one
// must have no condition, so that every entry is graded. The error joins an
// [ingest.FieldError] for every fault of the rules.
func NewBook(defaults []Rule, v Vocabulary) (*Book, error) {
	b := &Book{
		defaults: cloneAll(defaults),
		byID:     make(map[string]int, len(defaults)),
		actions:  slices.Compact(slices.Sorted(slices.Values(v.Actions))),
		known:    make(map[string]*actionWords, len(v.Actions)),
		verb:     v.Verb,
		values:   v.Values,
		names:    v.Names,
		words:    v.Words,
	}
	if faults := checkDefaults(b.defaults); len(faults) > 0 {
		return nil, fmt.Errorf("default rules: %w", errors.Join(faults...))
	}
	for i, r := range b.defaults {
		b.byID[r.ID] = i
		b.ids = append(b.ids, r.ID)
	}
	all := make([]*compiled, len(b.defaults))
	for i, r := range b.defaults {
		all[i] = compile(r, r.Title)
	}
	b.actions = withLiterals(all, b.actions)
	b.index = newIndex(all, b.actions, grades)
	room := make([]actionWords, len(b.actions))
	for i, action := range b.actions {
		b.known[action] = &room[i]
	}
	b.table = &table{book: b, defaults: all, counters: newCounters(all, b.actions)}
	return b, nil
}

// actionWords is a known action in words, from the first time they are asked for: a
// log has a small part of the actions that there are.
type actionWords struct{ said atomic.Pointer[string] }

// wordsOf is an action in words.
func (b *Book) wordsOf(action string) string {
	w := b.known[action]
	if w == nil {
		return b.newWords(action)
	}
	said := w.said.Load()
	if said == nil {
		said = new(b.newWords(action))
		w.said.Store(said)
	}
	return *said
}

// appendWords appends an action in words.
func (b *Book) appendWords(to []byte, action string) []byte {
	said := b.wordsOf(action)
	if b.words == nil {
		to = append(to, "Cloudflare "...)
	}
	at := len(to)
	if to = appendPart(to, said); at == 0 && len(to) > 0 && 'a' <= to[0] && to[0] <= 'z' {
		to[0] -= 'a' - 'A' // a title begins with a capital
	}
	return to
}

func (b *Book) newWords(action string) string {
	if b.words == nil {
		return action
	}
	return b.words(action)
}

// Defaults returns the default rules in order. The caller may modify the
// result.
func (b *Book) Defaults() []Rule { return cloneAll(b.defaults) }

// Check finds the faults of a user's rules, those of [Book.Parse] included. The
// error joins an [ingest.FieldError] for every one. Its Field begins with the
// position and the id of the rule: `rules[2] "night": match.action`.
func (b *Book) Check(user []Rule) error {
	_, faults := b.compile(user)
	return errors.Join(faults...)
}

// Effective returns the rules in force, given those of a user, in the order in
// which they are tried: the user's own, then the default rules with the user's
// changes. Disabled rules are left out. The caller may modify the result. The
// error is that of [Book.Check].
func (b *Book) Effective(user []Rule) ([]Rule, error) {
	all, err := b.All(user)
	return slices.DeleteFunc(all, func(r Rule) bool { return r.Disabled }), err
}

// All is [Book.Effective] including disabled rules. Each rule is complete, its
// match included. [Book.Parse] accepts the list as JSON, and the list grades as
// user does: print it to get a file to edit. The error is that of [Book.Check].
func (b *Book) All(user []Rule) ([]Rule, error) {
	if err := b.Check(user); err != nil {
		return nil, err
	}
	defaults := b.Defaults()
	var all []Rule
	for i := range user {
		r := user[i].clone()
		if at, isDefault := b.byID[r.ID]; isDefault {
			defaults[at] = amended(defaults[at], r)
		} else {
			all = append(all, r)
		}
	}
	return append(all, defaults...), nil
}

// amended is a default rule with a user's changes.
func amended(d, user Rule) Rule {
	d.Title = cmp.Or(user.Title, d.Title)
	d.Why = cmp.Or(user.Why, d.Why)
	if user.Severity != "" || user.Drop {
		d.Severity, d.Drop = user.Severity, user.Drop
	}
	if user.Techniques != nil {
		d.Techniques = user.Techniques
	}
	d.Disabled = user.Disabled
	if d.Burst != nil {
		d.Burst = d.Burst.amended(user.Burst)
	}
	return d
}

// counts reports whether a user's rule counts entries, or changes a default rule
// that does.
func (b *Book) counts(r Rule) bool {
	i, isDefault := b.byID[r.ID]
	return r.Burst != nil || isDefault && b.defaults[i].Burst != nil
}

// table is a compiled list of rules. It is immutable and safe for concurrent
// use.
type table struct {
	book *Book
	// own are the user's own rules, and index arranges them.
	own   []*compiled
	index index
	// defaults are the default rules, each at its position, with nil for
	// disabled ones. The index of the book arranges them, because a change of a
	// default rule does not affect its match.
	defaults []*compiled
	// counters are those of both lists that count. The indexes of the lists do
	// not have them.
	counters counters
}

// compile checks and compiles a user's rules. Results are cached.
func (b *Book) compile(user []Rule) (*table, []error) {
	if len(user) == 0 {
		return b.table, nil
	}
	buf := keys.Get().(*[]byte)
	defer keys.Put(buf)
	*buf = appendRules((*buf)[:0], user)
	if t, faults, found := b.cache.get(*buf); found {
		return t, faults
	}
	t, faults := b.newTable(cloneAll(user))
	b.cache.put(*buf, t, faults)
	return t, faults
}

// newTable checks and compiles rules, which must not be modified afterwards.
func (b *Book) newTable(user []Rule) (*table, []error) {
	c := checker{book: b}
	own := c.check(user)
	if len(c.faults) > 0 {
		return nil, c.errors()
	}
	t := &table{book: b, own: own, defaults: b.table.defaults}
	t.index = newIndex(own, b.actions, grades)
	for _, r := range user {
		i, isDefault := b.byID[r.ID]
		if !isDefault {
			continue
		}
		if &t.defaults[0] == &b.table.defaults[0] {
			t.defaults = slices.Clone(t.defaults)
		}
		t.defaults[i] = nil
		if !r.Disabled {
			t.defaults[i] = compile(amended(b.defaults[i], r), b.defaults[i].Title)
		}
	}
	t.counters = b.table.counters
	if slices.ContainsFunc(user, b.counts) {
		t.counters = newCounters(slices.Concat(own, t.defaults), b.actions)
	}
	return t, nil
}

// first is the first rule that matches. There always is one, because the last
// default rule matches everything and cannot be disabled.
func (t *table) first(f *Facts, c *Classifier) *compiled {
	book := &t.book.index
	standard, listed := book.byAction[f.Action]
	known := listed
	if !listed {
		_, known = t.book.known[f.Action]
	}
	if len(t.own) > 0 {
		if r := t.firstOwn(f, c, known); r != nil {
			return r
		}
	}
	switch {
	case listed:
	case known:
		standard = book.general
	default:
		for _, i := range book.others {
			if r := t.defaults[i]; r != nil && r.failing(f, c) == "" {
				return r
			}
		}
	}
	for _, i := range standard {
		if r := t.defaults[i]; r != nil && r.failingBeyondAction(f, c) == "" {
			return r
		}
	}
	return t.defaults[len(t.defaults)-1]
}

// firstOwn is the first of the user's own rules that matches, or nil.
func (t *table) firstOwn(f *Facts, c *Classifier, known bool) *compiled {
	list, listed := t.index.byAction[f.Action]
	switch {
	case listed:
	case known:
		list = t.index.general
	default:
		for _, i := range t.index.others {
			if r := t.own[i]; r.failing(f, c) == "" {
				return r
			}
		}
		return nil
	}
	for _, i := range list {
		if r := t.own[i]; r.failingBeyondAction(f, c) == "" {
			return r
		}
	}
	return nil
}
