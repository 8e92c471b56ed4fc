package entries

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// maxWrappers bounds how deep wrappers nest.
const maxWrappers = 8

// originals are the members of a wrapper that have the entry as received, as
// far as it has one: beside them it may have the same entry in another form.
var originals = []string{"original", "_raw", "full_log", "message"}

// streamed are the members of a wrapper that may have more entries than fit into
// memory.
var streamed = []string{"data", "results", "hits", "events", "records", "Records", "logs"}

// content is a value found in a wrapper.
type content struct {
	value jsondoc.Value
	// id identifies an entry or an event, unless it is "".
	id string
	// event is the event that the entry was taken from, or the missing value.
	event jsondoc.Value
	// isEntry is false for what stands in one list with entries.
	isEntry bool
}

// open passes on the entries inside a value that is no entry itself, and reports
// whether there were any.
func (in *Reader) open(v jsondoc.Value) (opened bool, err error) {
	list := contents(v, 0)
	for _, c := range list {
		if c.event.Exists() {
			err = in.emitEvent(c)
		} else {
			err = in.emitValue(c.value)
		}
		if err != nil {
			break
		}
	}
	return len(list) > 0, err
}

// contents lists the entries in v, which are in objects, lists and strings that
// hold JSON. It is empty if there are none.
func contents(v jsondoc.Value, depth int) []content {
	if depth > maxWrappers {
		return nil
	}
	switch v.Kind() {
	case jsondoc.String:
		if inner := v.Inner(); inner.Exists() {
			return contents(inner, depth+1)
		}
	case jsondoc.Array:
		return inList(v, depth)
	case jsondoc.Object:
		if raw, id := v.Get("raw_event"), v.Get("external_id").Text(); raw.Exists() && id != "" {
			return []content{{value: raw, id: id, event: v, isEntry: true}}
		}
		if shape := audit.ShapeOf(v); shape.IsEntry() {
			return []content{{value: v, id: idOf(v), isEntry: true}}
		}
		return inMembers(v, depth)
	}
	return nil
}

// inList are the elements of a list that has entries. Numbers beside them, such as
// times, are no entries.
func inList(v jsondoc.Value, depth int) (all []content) {
	found := false
	for element := range v.All() {
		inside := contents(element, depth+1)
		found = found || len(inside) > 0
		if len(inside) == 0 && !isNumber(element) {
			inside = []content{{value: element}}
		}
		all = append(all, inside...)
	}
	if !found {
		return nil
	}
	return all
}

func isNumber(v jsondoc.Value) bool {
	return v.Kind() == jsondoc.Number || v.Kind() == jsondoc.String && strings.Trim(v.Text(), "0123456789.") == ""
}

// inMembers are the entries in the members of a wrapper, each one once.
func inMembers(v jsondoc.Value, depth int) (all []content) {
	add := func(m jsondoc.Value) {
		known := len(all)
		for _, c := range contents(m, depth+1) {
			again := slices.ContainsFunc(all[:known], func(o content) bool { return c.id != "" && o.id == c.id })
			if !again {
				all = append(all, c)
			}
		}
	}
	for _, first := range [...]bool{true, false} {
		for m := range v.All() {
			if slices.Contains(originals, m.Name()) == first {
				add(m)
			}
		}
	}
	return all
}

// idOf is the id of an entry.
func idOf(entry jsondoc.Value) string {
	for _, name := range [...]string{"id", "ID", "AuditLogID"} {
		if id := entry.Get(name).Text(); id != "" {
			return id
		}
	}
	return ""
}

// emitValue passes on a value.
func (in *Reader) emitValue(v jsondoc.Value) error {
	doc := v.Doc()
	if v != doc.Root() {
		doc = &in.part
		v.View(doc)
	}
	return in.emit(doc)
}

// emitEvent passes on the entry of an event of our own. The entry may be a text,
// if it was not JSON, or nested too deep.
func (in *Reader) emitEvent(c content) error {
	in.Event = c.event
	defer func() { in.Event = jsondoc.Value{} }()
	if c.value.Kind() != jsondoc.String {
		return in.emitValue(c.value)
	}
	if inner := c.value.Inner(); inner.Exists() {
		return in.emitValue(inner)
	}
	in.stop = in.Broken([]byte(c.value.Text()), c.event.Get("raw_truncated").Kind() == jsondoc.True)
	return in.stop
}
