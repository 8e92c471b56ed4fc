package rules

import (
	"encoding/binary"
	"sync"
)

// The bounds of a cache: the number of rule lists it holds, and the total bytes
// of their keys. A host with one connector has one list; one with thousands of
// accounts rarely has more than a few.
const (
	maxTables   = 256
	maxKeyBytes = 4 << 20
)

// keys pools the memory of keys for look-ups.
var keys = sync.Pool{New: func() any { return new([]byte) }}

// cache holds compiled rules by their content. Its keys are the encoded rules
// themselves, so that two lists are never confused. It is safe for concurrent
// use.
type cache struct {
	mu      sync.Mutex
	entries map[string]*cached
	bytes   int    // of all keys
	clock   uint64 // counts the look-ups
}

// cached is the result of compiling rules: a table or faults.
type cached struct {
	table  *table
	faults []error
	used   uint64 // the clock at the last look-up
}

func (c *cache) get(key []byte) (t *table, faults []error, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(key)]
	if e == nil {
		return nil, nil, false
	}
	c.clock++
	e.used = c.clock
	return e.table, e.faults, true
}

// put adds an entry, and evicts the least recently used ones to make room for
// it.
func (c *cache) put(key []byte, t *table, faults []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(key) > maxKeyBytes || c.entries[string(key)] != nil {
		return
	}
	for len(c.entries) >= maxTables || c.bytes+len(key) > maxKeyBytes {
		c.evict()
	}
	if c.entries == nil {
		c.entries = make(map[string]*cached)
	}
	c.clock++
	c.entries[string(key)] = &cached{t, faults, c.clock}
	c.bytes += len(key)
}

func (c *cache) evict() {
	oldest, used := "", c.clock+1
	for key, e := range c.entries {
		if e.used < used {
			oldest, used = key, e.used
		}
	}
	delete(c.entries, oldest)
	c.bytes -= len(oldest)
}

// appendRules appends the content of rules in an unambiguous form: every text
// is preceded by its length.
func appendRules(b []byte, list []Rule) []byte {
	for i := range list {
		r := &list[i]
		b = appendText(b, r.ID)
		b = appendText(b, r.Title)
		b = appendText(b, r.Why)
		b = appendText(b, string(r.Severity))
		b = append(b, bit(r.Drop)|bit(r.Disabled)<<1|bit(r.Techniques != nil)<<2)
		b = appendTexts(b, r.Techniques)
		b = appendMatch(b, &r.Match)
		if r.Burst != nil {
			b = append(b, 1)
			b = binary.AppendVarint(b, int64(r.Burst.Count))
			b = binary.AppendVarint(b, int64(r.Burst.Within))
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// listFields and flagFields are the indexes of the conditions in a [Match],
// compact because a key is made for every connector that is built.
var listFields, flagFields = func() (lists []func(*Match) *[]string, flags []func(*Match) **bool) {
	for _, of := range conditions {
		if of.list != nil {
			lists = append(lists, of.list)
		} else {
			flags = append(flags, of.flag)
		}
	}
	return lists, flags
}()

// appendMatch appends the conditions that m states: the lists, each preceded by
// its number from one on and the last followed by a zero, and the booleans
// likewise.
func appendMatch(b []byte, m *Match) []byte {
	for i, field := range listFields {
		if list := *field(m); len(list) > 0 {
			b = appendTexts(append(b, byte(i+1)), list)
		}
	}
	b = append(b, 0)
	for i, field := range flagFields {
		if flag := *field(m); flag != nil {
			b = append(b, byte(i+1), bit(*flag))
		}
	}
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(m.Changed)))
	for i := range m.Changed {
		c := &m.Changed[i]
		b = appendText(appendText(appendText(b, c.Field), c.Old), c.New)
	}
	return b
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}
