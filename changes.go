package cloudflareaudit

import (
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	// maxChanges bounds the changed fields of an event.
	maxChanges = 16
	// maxChangeText bounds the text of a value, in bytes.
	maxChangeText = 256
	// maxDepth bounds how deep objects are compared member by member.
	maxDepth = 3
	// masked stands for a secret.
	masked = "[masked]"
)

// uninteresting are members that change along with others or never.
func uninteresting(field string) bool {
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
	r.compareObjects("", r.before, r.after, 1)
	if len(r.before) == 0 && len(r.after) == 0 && (r.setting == "" || r.family == familyAccount) {
		before, after := r.e.oldValue, r.e.newValue
		if r.family == familyToken {
			before, after = hiddenText(before), hiddenText(after)
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
		if i < len(before) && before[i] == *m {
			continue // most members are the same, and stand in the same order
		}
		if old := before.get(m.key); old != m.val {
			r.compareValues(prefix, m.key, old, m.val, depth)
		}
	}
	for i := range before {
		if m := &before[i]; (i >= len(after) || after[i].key != m.key) && !after.has(m.key) {
			r.compareValues(prefix, m.key, m.val, "", depth)
		}
	}
}

func (r *review) compareValues(prefix, field string, before, after value, depth int) {
	switch {
	case depth == 1 && uninteresting(field):
		return
	case r.family == familyFirewall && depth == 1 && isRuleList(field):
		return
	case depth < maxDepth && isObject(before) && isObject(after) && before != after:
		old := object(nil).read(before, nil)
		r.compareObjects(prefix+field+".", old, object(nil).read(after, old), depth+1)
		return
	}
	if isValue(field) && !plainValues(&r.naming) {
		before, after = hiddenText(before), hiddenText(after)
	}
	r.note(prefix+field, before, after)
}

// isValue reports whether a member is that of a variable or of a secret.
func isValue(field string) bool { return field == "value" || field == "text" || field == "json" }

// hiddenText stands for a text that may be a secret.
func hiddenText(v value) value {
	if v.kind() == '"' {
		return maskedJSON
	}
	return v
}

func isRuleList(field string) bool {
	return slices.Contains(ruleLists, field) || slices.Contains(deletedLists, field)
}

// isObject reports whether v is an object or missing.
func isObject(v value) bool {
	k := v.kind()
	return k == '{' || k == 'n' || k == 0
}

// note keeps a change of field, unless there is none to tell.
func (r *review) note(field string, before, after value) {
	if r.n == maxChanges && before != "" && before.kind() != 'n' && after != "" && after.kind() != 'n' {
		// It need not be rendered to be counted.
		r.changesOmitted++
		return
	}
	m := maskingOf(&r.naming)
	m.addresses = true
	c := ingest.FieldChange{Field: oneLine(field, maxName), Old: m.shown(field, before), New: m.shown(field, after)}
	if c.Old != "" || c.New != "" {
		r.add(c)
	}
}

func (r *review) add(c ingest.FieldChange) {
	if r.n == maxChanges {
		r.changesOmitted++
		return
	}
	r.changed[r.n] = c
	r.n++
}

// shown is a value as text, bounded, without control characters and without
// secrets.
func (m *masking) shown(field string, v value) string {
	switch v.kind() {
	case '"':
		return oneLine(m.content(v.text(), m.isSecretChange(field)), maxChangeText)
	case '0':
		if m.isSecretChange(field) {
			return masked
		}
		return string(v)
	case 't', 'f':
		return string(v)
	case '{', '[':
		if m.isSecretChange(field) {
			return masked
		}
		if m.values && v.kind() == '{' && isHeaders(field[strings.LastIndexByte(field, '.')+1:]) {
			v = m.headers(v, 0)
		}
		return oneLine(m.outline(v), maxChangeText)
	}
	return ""
}

// outline names the elements of an array or the members of an object. It does
// not print them in full, because there is no telling what they hold.
func (m *masking) outline(v value) string {
	var b strings.Builder
	v.each(func(key string, item value) bool {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		switch kind := item.kind(); {
		case kind == '{' && key == "":
			b.WriteString(m.content(or(object(nil).read(item, nil).text("name", "description", "id", "email", "type"), "{…}"), false))
		case kind == '{' || kind == '[':
			b.WriteString(key)
		case key != "" && m.values && isValue(key):
			b.WriteString(key + "=" + m.shown(key, hiddenText(item)))
		case key != "":
			b.WriteString(key + "=" + m.shown(key, item))
		default:
			b.WriteString(m.shown("", item))
		}
		return b.Len() < maxChangeText
	})
	return b.String()
}

// isSecretChange reports whether a changed field is a secret by its name, or by
// that of what it is part of.
func (m *masking) isSecretChange(field string) bool {
	within := ""
	for name := range strings.SplitSeq(field, ".") {
		if isSecretMember(name) && within != "cache_key" || strings.HasSuffix(name, "token_hash") || m.values && (name == "codes" || isHeaders(within) && !isPlainHeader(name)) {
			return true
		}
		within = name
	}
	return false
}
