package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// maxMembers bounds how many members of an object are searched for its name.
const maxMembers = 200

// Hide hides a value that may be a secret: it returns v, or [Masked] if v is a
// string and no setting. The new value belongs to doc.
func Hide(doc *jsondoc.Doc, v jsondoc.Value) jsondoc.Value {
	if v.Kind() == jsondoc.String && !isSetting(v.Text()) {
		return doc.Literal(Masked)
	}
	return v
}

// Shown is the value of a field as text, bounded, on one line and without
// secrets, and "" for null and the missing value. Of an object or array it names
// the members or elements, because nested values are too long to read. field is
// the path of the member, with dots in between.
func (p Policy) Shown(field string, v jsondoc.Value) string {
	m := masker{Policy: p}
	return m.shown(field, v)
}

func (m *masker) shown(field string, v jsondoc.Value) string {
	switch v.Kind() {
	case jsondoc.String:
		return text.OneLine(m.content(v.Text(), m.ofField(field, aText)), maxShown)
	case jsondoc.Number:
		if m.ofField(field, aNumber) == certain {
			return Masked
		}
		return v.Text()
	case jsondoc.True, jsondoc.False:
		return v.Text()
	case jsondoc.Object, jsondoc.Array:
		if m.ofField(field, kindOf(v)) == certain {
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

// outline names the elements of an array or the members of an object.
func (m *masker) outline(v jsondoc.Value) string {
	var b strings.Builder
	for item := range v.All() {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		name, kind := item.Name(), item.Kind()
		switch {
		case kind == jsondoc.Object && name == "":
			if named := label(item); named != "" {
				b.WriteString(m.content(named, no))
			} else {
				b.WriteString(m.brief(item))
			}
		case kind == jsondoc.Object || kind == jsondoc.Array:
			b.WriteString(name)
		case name != "":
			b.WriteString(name + "=" + m.scalar(name, item))
		default:
			b.WriteString(m.shown("", item))
		}
		if b.Len() >= maxShown {
			break
		}
	}
	return b.String()
}

// scalar is the value of a member that is no object or array, whose path is field.
func (m *masker) scalar(field string, v jsondoc.Value) string {
	if m.Values && IsValue(v.Name()) && v.Kind() == jsondoc.String && !isSetting(v.Text()) {
		return Masked
	}
	return m.shown(field, v)
}

// brief names the first members of an object that has no name for itself. Whom an
// Access policy lets in is such an object, {"email_domain":{"domain":"example.com"}}:
// a member that wraps a single value is shown with it.
func (m *masker) brief(v jsondoc.Value) string {
	const most = 3
	var parts []string
	for item := range v.All() {
		if len(parts) == most {
			parts = append(parts, "…")
			break
		}
		name, kind := item.Name(), item.Kind()
		path, only := name, item
		if kind == jsondoc.Object {
			only = item.Sole()
			path += "." + only.Name()
		}
		switch {
		case kind == jsondoc.Array, !only.Exists(), only.Kind() == jsondoc.Object, only.Kind() == jsondoc.Array:
			parts = append(parts, name)
		default:
			parts = append(parts, name+"="+m.scalar(path, only))
		}
	}
	if len(parts) == 0 {
		return "{…}"
	}
	return strings.Join(parts, " ")
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

// ofField says whether a field, or an object that it is part of, is a secret,
// judged by the names in its path.
func (m *masker) ofField(field string, of shape) suspicion {
	secret, within := no, ""
	for rest := field; ; {
		name, below, more := strings.Cut(rest, ".")
		kind := of
		switch {
		case isHeaders(within):
			kind = aText
		case more:
			kind = anObject
		}
		if secret == certain && isOpen(name) {
			secret = no
		}
		if within != "cache_key" && mayBeSecretName(name) && matchesSecretName(name, kind) || strings.HasSuffix(name, "token_hash") ||
			m.Values && (name == "codes" || isHeaders(within) && !isPlainHeader(name)) {
			secret = certain
		}
		if !more {
			return secret
		}
		within, rest = name, below
	}
}
