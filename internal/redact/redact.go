// Package redact masks the secrets in entries of the audit logs, and in values
// shown elsewhere.
//
// A secret is recognised in three ways: by the name of the member that holds
// it, by its form wherever it stands, and as a part of an address. The names,
// forms and addresses are data, in lists.go. Whether other values may be
// secrets depends on the subject of the entry. Only the caller knows it, and
// states it in a [Policy].
//
// [Entry] replaces values in the table of an entry. Most entries have no secret;
// the sieve in sieve.go recognises them in one scan without allocating.
package redact

import (
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// Masked replaces a secret.
const Masked = "[masked]"

const (
	// maxDepth bounds how deep a value is searched. Deeper values are masked.
	maxDepth = 64
	// maxShown bounds the text that Shown and Outline make of a value, in bytes.
	maxShown = 256
)

// Policy says which values of an entry may be secrets because of the subject of
// the entry. The zero Policy is for entries whose values are settings or
// records; [Unknown] is for entries that are not understood.
type Policy struct {
	// Values says that a member called "value" or "text", or a body that is a
	// string, may be a secret.
	Values bool
	// Addresses says that the query of any address may be a secret.
	Addresses bool
	// Hooks says that the path of any address may be a secret.
	Hooks bool
	// BareTexts says that the values of an entry of the audit log are credentials
	// where they are texts that hold no JSON.
	BareTexts bool
}

// Unknown is the policy for an entry that is not understood.
var Unknown = Policy{Values: true, Addresses: true}

// Entry masks the secrets in the entry that doc holds, of the log api (audit.V1
// or audit.V2), by replacing values in doc. It returns how many values it
// masked.
//
// It skips the members that say who did what, when and to which resource.
func Entry(doc *jsondoc.Doc, api string, p Policy) (masked int) {
	m := masker{Policy: p, doc: doc}
	m.entry(api)
	return m.n
}

// Text masks the secrets in a text that is not JSON, or is damaged JSON, and
// returns how many it masked. Its subject is unknown, so every member called
// "value" or "text" counts as a secret.
func Text(s string) (shown string, masked int) {
	var m masker
	shown = m.torn(s)
	return shown, m.n
}

// Query masks the secrets in the query of a URI, which is what follows the
// question mark, and returns how many it masked.
func Query(query string) (shown string, masked int) {
	var m masker
	shown = m.query(query)
	return shown, m.n
}

// masker masks the secrets in one document and counts them.
type masker struct {
	Policy
	doc *jsondoc.Doc
	n   int
	// thorough turns the sieve off, so that tests can compare.
	thorough bool
}

func (m *masker) entry(api string) {
	switch root := m.doc.Root(); {
	case root.Kind() != jsondoc.Object:
		m.value(root, false, 0)
	case api == audit.V2:
		m.entryV2(root)
	default:
		m.entryV1(root)
	}
}

func (m *masker) entryV1(root jsondoc.Value) {
	for section := range root.All() {
		switch section.Name() {
		case "id", "action", "actor", "interface", "owner", "resource", "when":
		case "newValue", "oldValue", "NewValue", "OldValue": // the latter two of Logpush
			m.value(section, m.BareTexts && isBareText(section), 0)
		default:
			m.value(section, false, 0)
		}
	}
}

// openedPart masks the secrets in a request or, if isBody, in a body, which may
// be JSON in a string.
func (m *masker) openedPart(v jsondoc.Value, isBody bool) {
	inner := v.Inner()
	if !inner.Exists() {
		m.part(v, isBody)
		return
	}
	below := masker{Policy: m.Policy, doc: inner.Doc(), thorough: m.thorough}
	below.part(inner, isBody)
	m.n += below.n
	if inner.Doc().Replaced() > 0 {
		m.doc.Replace(v, string(inner.AppendJSON(nil)))
	}
}

func (m *masker) part(v jsondoc.Value, isBody bool) {
	if isBody {
		m.body(v)
	} else {
		m.request(v)
	}
}

// isBareText reports whether a value of the audit log is a non-empty string
// that holds no JSON.
func isBareText(v jsondoc.Value) bool {
	if v.Kind() != jsondoc.String {
		return false
	}
	text := strings.TrimSpace(v.Text())
	return text != "" && text != "null" && text[0] != '{' && text[0] != '['
}

func (m *masker) entryV2(root jsondoc.Value) {
	for section := range root.All() {
		switch section.Name() {
		case "id", "account", "action", "actor", "zone":
		case "raw":
			m.request(section)
		case "resource":
			m.resource(section)
		case "Raw": // this and the following of Logpush
			m.openedPart(section, false)
		case "ResourceRequest", "ResourceResponse", "ResourceValue":
			m.openedPart(section, true)
		default:
			m.value(section, false, 0)
		}
	}
}

// request masks the secrets in the HTTP request of an entry.
func (m *masker) request(v jsondoc.Value) {
	if v.Kind() != jsondoc.Object {
		m.value(v, false, 0)
		return
	}
	for item := range v.All() {
		if strings.EqualFold(item.Name(), "uri") && item.Kind() == jsondoc.String {
			m.uri(item)
			continue
		}
		m.value(item, false, 0)
	}
}

func (m *masker) uri(v jsondoc.Value) {
	if !m.thorough && !mayHaveQuery(v) {
		return
	}
	path, query, _ := strings.Cut(v.Text(), "?")
	if shown := m.query(query); shown != query {
		m.doc.Replace(v, path+"?"+shown)
	}
}

func (m *masker) resource(v jsondoc.Value) {
	if v.Kind() != jsondoc.Object {
		m.body(v)
		return
	}
	for item := range v.All() {
		switch item.Name() {
		case "id", "product", "scope", "type":
		default:
			m.body(item)
		}
	}
}

// body masks the secrets in the body of a request or of a response.
func (m *masker) body(v jsondoc.Value) {
	switch v.Kind() {
	case jsondoc.String:
		m.text(v, m.Values)
		return
	case jsondoc.Object:
		// The response itself may be a secret, such as that to the roll of a
		// token.
		if m.Values && v.Get("result").Kind() == jsondoc.String {
			m.members(v, false, "result", 0)
			return
		}
	}
	m.value(v, false, 0)
}

// value masks the secrets in v, or everything in v if v is a secret.
func (m *masker) value(v jsondoc.Value, secret bool, depth int) {
	switch kind := v.Kind(); {
	case kind == jsondoc.String:
		m.text(v, secret)
	case kind == jsondoc.Number && secret:
		m.mask(v)
	case kind != jsondoc.Object && kind != jsondoc.Array:
	case depth > maxDepth:
		m.mask(v)
	case depth == 0 && !secret && !m.thorough && !m.mayHoldSecrets(v):
	case kind == jsondoc.Object:
		m.members(v, secret, "", depth)
	default:
		for item := range v.All() {
			m.value(item, secret, depth+1)
		}
	}
}

// mask masks v as a whole.
func (m *masker) mask(v jsondoc.Value) {
	m.n++
	m.doc.Replace(v, Masked)
}

// members masks the secrets in an object. Members called member are secrets,
// unless it is empty.
func (m *masker) members(v jsondoc.Value, secret bool, member string, depth int) {
	// An object may have many members called "value".
	asked, binding := false, false
	isBinding := func() bool {
		if !asked {
			asked, binding = true, isSecretBinding(v)
		}
		return binding
	}
	for item := range v.All() {
		name := item.Name()
		hidden := secret && name != "id" && !isOpenEnd(name) || name == member && member != "" || m.isSecretName(name, item.NameClass())
		switch name {
		case "value", "text":
			hidden = hidden || m.Values || isBinding()
		case "json":
			hidden = hidden || m.Values && item.Kind() == jsondoc.String // a variable of a Worker
		case "codes":
			hidden = hidden || m.Values // backup codes of a second factor
		case "custom_key":
			hidden = secret || item.Kind() == jsondoc.String // that of a certificate, not of a cache
		case "header", "headers":
			if m.Values && !hidden && item.Kind() == jsondoc.Object {
				m.headers(item, depth+1)
				continue
			}
		}
		m.value(item, hidden, depth+1)
	}
}

// headers masks the values of headers, except those that are never secret.
func (m *masker) headers(v jsondoc.Value, depth int) {
	for item := range v.All() {
		m.value(item, !isPlainHeader(item.Name()), depth+1)
	}
}

// isSecretBinding reports whether an object declares itself a secret, as the
// binding of a Worker does.
func isSecretBinding(v jsondoc.Value) bool {
	// Read the source, because the member may already be masked.
	kind := v.Get("type").Source()
	if kind == "" || kind[0] != '"' {
		return false
	}
	if strings.IndexByte(kind, '\\') < 0 {
		return strings.Contains(kind, "secret")
	}
	var doc jsondoc.Doc
	return doc.Parse(kind) == nil && strings.Contains(doc.Root().Text(), "secret")
}

// text masks a string that is a secret, or that holds one.
func (m *masker) text(v jsondoc.Value, secret bool) {
	if !secret && !m.thorough && !mayHoldSecret(v) {
		return
	}
	if inner := v.Inner(); inner.Exists() && !secret {
		m.inner(v, inner)
		return
	}
	text := v.Text()
	if shown := m.content(text, secret); shown != text {
		m.doc.Replace(v, shown)
	}
}

// inner masks the secrets in a string that holds JSON.
func (m *masker) inner(v, inner jsondoc.Value) {
	if HoldsSecret(inner.Source()) {
		m.mask(v)
		return
	}
	below := masker{Policy: m.Policy, doc: inner.Doc(), thorough: m.thorough}
	below.value(inner, false, 0)
	m.n += below.n
	if inner.Doc().Replaced() > 0 {
		m.doc.Replace(v, string(inner.AppendJSON(nil)))
	}
}

// content masks a text that is a secret, or that holds one. A text may hold JSON.
func (m *masker) content(text string, secret bool) string {
	if text == "" {
		return ""
	}
	if secret || HoldsSecret(text) {
		m.n++
		return Masked
	}
	if !mayBeJSON(text) {
		return m.links(text)
	}
	trimmed := strings.TrimSpace(text)
	if shown := m.json(trimmed); shown != trimmed {
		return shown
	}
	return text
}

// mayBeJSON reports whether a text begins as an object or an array does.
func mayBeJSON(text string) bool {
	trimmed := strings.TrimSpace(text)
	return trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[')
}

// documents are the tables of JSON in texts.
var documents = sync.Pool{New: func() any { return new(jsondoc.Doc) }}

// json masks the secrets in a text that is JSON, possibly cut off, as long
// bodies are.
func (m *masker) json(text string) string {
	doc := documents.Get().(*jsondoc.Doc)
	defer func() {
		doc.Reset()
		documents.Put(doc)
	}()
	if doc.Parse(text) != nil {
		return m.torn(text)
	}
	inner := masker{Policy: m.Policy, doc: doc, thorough: m.thorough}
	inner.value(doc.Root(), false, 0)
	m.n += inner.n
	if doc.Replaced() == 0 {
		return text
	}
	return string(doc.Root().AppendJSON(nil))
}
