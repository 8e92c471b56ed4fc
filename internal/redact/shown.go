package redact

import (
	"cmp"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// maxMembers bounds how many members of an object are searched for its name.
const maxMembers = 200

// Hide hides a value that may be a secret: it returns v, or [Masked] if v is a
// string. The new value belongs to doc.
func Hide(doc *jsondoc.Doc, v jsondoc.Value) jsondoc.Value {
	if v.Kind() == jsondoc.String {
		return doc.Literal(Masked)
	}
	return v
}

// Shown is the value of a field as text, bounded, on one line and without
// secrets, and "" for null and the missing value. Objects and arrays are shown as
// by [Policy.Outline]. field is the path of the member, with dots in between.
func (p Policy) Shown(field string, v jsondoc.Value) string {
	m := masker{Policy: p}
	return m.shown(field, v)
}

// Outline names the elements of an array or the members of an object, bounded
// and without secrets. It does not print them in full, because nested values
// are too long to read and unknown ones may be secrets.
func (p Policy) Outline(v jsondoc.Value) string {
	m := masker{Policy: p}
	return m.outline(v)
}

func (m *masker) shown(field string, v jsondoc.Value) string {
	switch v.Kind() {
	case jsondoc.String:
		return text.OneLine(m.content(v.Text(), m.isSecretField(field)), maxShown)
	case jsondoc.Number:
		if m.isSecretField(field) {
			return Masked
		}
		return v.Text()
	case jsondoc.True, jsondoc.False:
		return v.Text()
	case jsondoc.Object, jsondoc.Array:
		if m.isSecretField(field) {
			return Masked
		}
		if m.Values && v.Kind() == jsondoc.Object && isHeaders(field[strings.LastIndexByte(field, '.')+1:]) {
			return text.OneLine(m.headersOutline(v), maxShown)
		}
		return text.OneLine(m.outline(v), maxShown)
	}
	return ""
}

// headersOutline is the outline of headers. They are masked in a copy, because
// showing a value must not change it.
func (m *masker) headersOutline(v jsondoc.Value) string {
	var plain, shown jsondoc.Doc
	if plain.Parse(string(v.AppendJSON(nil))) != nil {
		return Masked
	}
	inner := masker{Policy: m.Policy, doc: &plain}
	inner.headers(plain.Root(), 0)
	if shown.Parse(string(plain.Root().AppendJSON(nil))) != nil {
		return Masked
	}
	return m.outline(shown.Root())
}

func (m *masker) outline(v jsondoc.Value) string {
	var b strings.Builder
	for item := range v.All() {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		name, kind := item.Name(), item.Kind()
		switch {
		case kind == jsondoc.Object && name == "":
			b.WriteString(m.content(cmp.Or(label(item), "{…}"), false))
		case kind == jsondoc.Object || kind == jsondoc.Array:
			b.WriteString(name)
		case name != "" && m.Values && IsValue(name) && kind == jsondoc.String:
			b.WriteString(name + "=" + Masked)
		case name != "":
			b.WriteString(name + "=" + m.shown(name, item))
		default:
			b.WriteString(m.shown("", item))
		}
		if b.Len() >= maxShown {
			break
		}
	}
	return b.String()
}

// label is the name that an object has for itself.
func label(v jsondoc.Value) string {
	const count = 5
	var found [count]jsondoc.Value
	n := 0
	for item := range v.All() {
		if n++; n > maxMembers {
			break
		}
		if item.Kind() == jsondoc.Null {
			continue
		}
		switch item.Name() {
		case "name":
			found[0] = item
		case "description":
			found[1] = item
		case "id":
			found[2] = item
		case "email":
			found[3] = item
		case "type":
			found[4] = item
		}
	}
	for _, item := range found {
		if name := item.Text(); name != "" {
			return name
		}
	}
	return ""
}

// isSecretField reports whether a field, or an object that it is part of, is a
// secret, judged by the names in its path.
func (m *masker) isSecretField(field string) bool {
	within := ""
	for name := range strings.SplitSeq(field, ".") {
		if isSecretMember(name) && within != "cache_key" || strings.HasSuffix(name, "token_hash") ||
			m.Values && (name == "codes" || isHeaders(within) && !isPlainHeader(name)) {
			return true
		}
		within = name
	}
	return false
}
