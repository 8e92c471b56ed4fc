package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// maxChanges bounds the changed fields of an event.
	maxChanges = 16
	// maxDepth bounds how deep objects are compared member by member.
	maxDepth = 3
)

// isHousekeeping reports whether a member changes only along with others, or
// never.
func isHousekeeping(field string) bool {
	switch field {
	case "id", "zone_id", "zone_name", "account_id", "created_on", "modified_on", "created_at", "updated_at",
		"last_updated", "version", "meta", "ref", "zone_tag", "account_tag", "etag":
		return true
	}
	return false
}

// compare notes the differences between the resource before and after, and the
// pairs "old_x" and "new_x" in the metadata.
func (r *review) compare() {
	prefix := ""
	if r.e.Call != nil && r.route.id != "" && r.route.isRule() {
		prefix = "rules." + r.route.id + "." // as in an entry about the whole rule set
	}
	r.compareObjects(prefix, r.before, r.after, 1)
	if len(r.before) == 0 && len(r.after) == 0 && !r.settled {
		before, after := r.e.Old, r.e.New
		if r.family.credentials {
			before, after = redact.Hide(r.e.Doc, before), redact.Hide(r.e.Doc, after)
		}
		r.note("value", before, after)
	}
	for i := range r.meta {
		if field, ok := strings.CutPrefix(r.meta[i].key, "new_"); ok {
			r.note(field, r.meta.get("old_"+field), r.meta[i].val)
		}
	}
}

func (r *review) compareObjects(prefix string, before, after object, depth int) {
	for i := range after {
		m := &after[i]
		if i < len(before) && before[i].key == m.key && before[i].val.Same(m.val) {
			continue // most members are equal and in the same order
		}
		if old := before.get(m.key); !old.Same(m.val) {
			r.compareValues(prefix, m.key, old, m.val, depth)
		}
	}
	for i := 0; i < len(before) && !r.partial; i++ {
		if m := &before[i]; (i >= len(after) || after[i].key != m.key) && !after.has(m.key) {
			r.compareValues(prefix, m.key, m.val, jsondoc.Value{}, depth)
		}
	}
}

func (r *review) compareValues(prefix, field string, before, after jsondoc.Value, depth int) {
	switch {
	case depth == 1 && (isHousekeeping(field) || r.family.skips != nil && r.family.skips(field)):
		return
	case depth < maxDepth && mayBeObject(before) && mayBeObject(after) && !before.Same(after):
		memory := &r.nested[depth]
		memory[0], memory[1] = memory[0].read(before), memory[1].read(after)
		r.compareObjects(prefix+field+".", memory[0], memory[1], depth+1)
		return
	}
	if redact.IsValue(field) && !r.family.plainValues {
		before, after = redact.Hide(r.e.Doc, before), redact.Hide(r.e.Doc, after)
	}
	r.note(prefix+field, before, after)
}

// mayBeObject reports whether v is an object, null or missing.
func mayBeObject(v jsondoc.Value) bool {
	k := v.Kind()
	return k == jsondoc.Object || k == jsondoc.Null || k == jsondoc.Missing
}

// isSaid reports whether v is a value other than null.
func isSaid(v jsondoc.Value) bool { return v.Exists() && v.Kind() != jsondoc.Null }

// note records a change of field, if there is one.
func (r *review) note(field string, before, after jsondoc.Value) {
	if len(r.Changes) == maxChanges && isSaid(before) && isSaid(after) {
		// It need not be rendered to be counted.
		r.ChangesOmitted++
		return
	}
	p := policyOf(&r.naming)
	p.Addresses = true
	c := ingest.FieldChange{Field: text.OneLine(field, maxName), Old: p.Shown(field, before), New: p.Shown(field, after)}
	if c.Old != "" || c.New != "" {
		r.add(c)
	}
}

func (r *review) add(c ingest.FieldChange) {
	if len(r.Changes) == maxChanges {
		r.ChangesOmitted++
		return
	}
	r.Changes = append(r.Changes, c)
}
