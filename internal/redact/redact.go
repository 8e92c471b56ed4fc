// Package redact masks the secrets in entries of the audit logs, and in values
// shown elsewhere.
//
// A secret is recognised in three ways, whether or not the entry is understood: by
// the name of the member that holds it, by its form wherever it stands, and as a
// part of an address. The names, forms and addresses are data, in lists.go and
// prefixes.go. Whether other values may be secrets depends on the subject of the
// entry. Only the caller knows it, and states it in a [Policy]. A secret that the
// caller knows itself is hidden by [Known].
//
// [Entry] replaces values in the table of an entry. Most entries have no secret;
// the sieve in sieve.go recognises them in one scan without allocating.
package redact

import (
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
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
	// string, may be a secret. Settings such as "on" are shown all the same.
	Values bool
	// Addresses says that what looks random in the query of an address may be a
	// secret.
	Addresses bool
	// Hooks says that the query of an address may be a secret, and so may be what
	// looks random in its path.
	Hooks bool
	// BareTexts says that the values of an entry of the audit log are credentials
	// where they are texts that hold no JSON.
	BareTexts bool
}

// Unknown is the policy for an entry that is not understood.
var Unknown = Policy{Values: true, Addresses: true}

// Entry masks the secrets in the entry that doc holds, in whatever form it is: of
// either log, as it was delivered elsewhere, or within something else. It does so
// by replacing values in doc, and returns how many it masked.
func Entry(doc *jsondoc.Doc, p Policy) (masked int) {
	m := masker{Policy: p, doc: doc, top: doc}
	m.entry()
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

// suspicion says whether a value is a secret because of its place.
type suspicion byte

const (
	no       suspicion = iota
	possible           // unless it looks like a setting
	certain
)

// masker masks the secrets in one document and counts them.
type masker struct {
	Policy
	doc *jsondoc.Doc
	// top is the entry that the document stands in. It is nil outside of entries.
	top *jsondoc.Doc
	n   int
	// namesOnly says that the members around are lists of names, such as those of
	// the headers in a cache key, none of which is a secret.
	namesOnly bool
	// admission is the segment of the path of the request that lets in, if there is
	// one.
	admission string
	// layers counts the encodings around the document.
	layers int
	// thorough turns the sieve off, so that tests can compare.
	thorough bool
}

// maxLayers bounds how many encodings are removed from a text.
const maxLayers = 3

// entry masks the secrets of the document, and what they say of each other.
func (m *masker) entry() {
	m.sections(m.doc.Root())
	if m.admission != "" {
		m.repeated(m.doc.Root(), 0)
	}
}

func (m *masker) sections(root jsondoc.Value) {
	if root.Kind() != jsondoc.Object {
		m.value(root, no, 0)
		return
	}
	for section := range root.All() {
		switch section.Name() {
		case "id", "when", "interface", "metadata", "newValueJson", "oldValueJson":
			m.value(section, no, 0)
		case "action", "actor", "owner", "account", "zone", "raw":
			m.known(section)
		case "resource":
			m.resource(section)
		default:
			m.member(beside{}, section, no, -1)
		}
	}
}

// known masks the secrets in a section that says who did what, when and how. Most
// have nothing but members that are known not to be called like a secret.
func (m *masker) known(v jsondoc.Value) {
	if v.Kind() != jsondoc.Object {
		m.value(v, no, 0)
		return
	}
	for item := range v.All() {
		kind := item.Kind()
		switch item.Name() {
		case "id", "type", "email", "ip", "result", "info", "name", "description", "time", "context", "ip_address", "token_id", "token_name",
			"method", "status_code", "cf_ray_id", "user_agent":
			if kind != jsondoc.Object && kind != jsondoc.Array {
				m.value(item, no, 0)
				continue
			}
		case "token":
			if kind == jsondoc.Object {
				m.known(item)
				continue
			}
		case "uri":
			if kind == jsondoc.String && isPath(item) {
				m.uri(item)
				continue
			}
		}
		m.member(beside{}, item, no, -1)
	}
}

// resource masks the secrets in the resource of an entry of Audit Logs v2, which
// has the bodies of the request and of the response.
func (m *masker) resource(v jsondoc.Value) {
	if v.Kind() != jsondoc.Object {
		m.body(v, 0)
		return
	}
	for item := range v.All() {
		switch item.Name() {
		case "id", "product", "scope", "type":
			m.value(item, no, 0)
		default:
			m.body(item, 0)
		}
	}
}

// body masks the secrets in the body of a request or of a response, at a depth.
func (m *masker) body(v jsondoc.Value, depth int) {
	switch v.Kind() {
	case jsondoc.String:
		m.bodyText(v)
		return
	case jsondoc.Object:
		// The response itself may be a secret, such as that to the roll of a
		// token.
		if v.Get("result").Kind() == jsondoc.String {
			m.reply(v, depth)
			return
		}
	}
	m.value(v, no, depth)
}

// reply masks the secrets in a response whose result is a text.
func (m *masker) reply(v jsondoc.Value, depth int) {
	around := besides(v)
	for item := range v.All() {
		if item.Name() == "result" && item.Kind() == jsondoc.String {
			m.bodyText(item)
		} else {
			m.member(around, item, no, depth-1)
		}
	}
}

// bodyText masks a body that is a text, if it may be a secret, or else the secrets
// in it.
func (m *masker) bodyText(v jsondoc.Value) {
	if inner := v.Inner(); inner.Exists() {
		if shown, changed := m.below(inner.Doc(), func(inside *masker) { inside.body(inner, 0) }); changed {
			m.doc.Replace(v, shown)
		}
		return
	}
	secret := no
	if m.Values || isRandom(v.Text()) || m.asksForSecret() {
		secret = possible
	}
	m.text(v, secret)
}

// asksForSecret reports whether the path of the request says that the reply is a
// secret.
func (m *masker) asksForSecret() bool {
	path, _, _ := strings.Cut(m.requestURI(), "?")
	return has(secretPaths, path[strings.LastIndexByte(path, '/')+1:])
}

// requestURI is the URI of the request that the entry is about, if it has one.
func (m *masker) requestURI() string {
	if m.top == nil {
		return ""
	}
	raw := m.top.Root().Get("raw")
	if !raw.Exists() {
		if raw = m.top.Root().Get("Raw"); raw.Kind() == jsondoc.String { // of Logpush
			raw = raw.Inner()
		}
	}
	if uri := raw.Get("uri"); uri.Exists() {
		return uri.Text()
	}
	return raw.Get("URI").Text()
}

// value masks the secrets in v, or everything in v if v is a secret.
func (m *masker) value(v jsondoc.Value, secret suspicion, depth int) {
	switch kind := v.Kind(); {
	case kind == jsondoc.String:
		m.text(v, secret)
	case kind == jsondoc.Number && secret != no:
		if secret == certain || !isSetting(v.Text()) {
			m.mask(v)
		}
	case kind != jsondoc.Object && kind != jsondoc.Array:
	case depth > maxDepth:
		m.mask(v)
	case depth == 0 && secret == no && !m.thorough && !m.mayHoldSecrets(v):
	case kind == jsondoc.Object:
		m.members(v, secret, depth)
	default:
		option := false // the element before is an option for a secret
		for item := range v.All() {
			if isText := item.Kind() == jsondoc.String; option && isText {
				m.value(item, certain, depth+1)
				option = false
				continue
			} else if isText {
				option = isSecretOption(item.Source())
			}
			m.value(item, secret, depth+1)
		}
	}
}

// isSecretOption reports whether a text in JSON is an option of a command, such as
// "--token", whose value follows.
func isSecretOption(source string) bool {
	const quotedDashes = `"--`
	return strings.HasPrefix(source, quotedDashes) && len(source) > len(quotedDashes) && isVariable(source[1:len(source)-1]) && isSecretMember(source[len(quotedDashes):len(source)-1])
}

// mask masks v as a whole.
func (m *masker) mask(v jsondoc.Value) {
	m.n++
	m.doc.Replace(v, Masked)
}

// members masks the secrets in an object, which may be one itself.
func (m *masker) members(v jsondoc.Value, secret suspicion, depth int) {
	around := besides(v)
	if around.token {
		m.mask(v) // since a name cannot be replaced
		return
	}
	for item := range v.All() {
		m.member(around, item, secret, depth)
	}
}

// member masks the secrets in a member of an object, which may be a secret itself.
func (m *masker) member(around beside, item jsondoc.Value, secret suspicion, depth int) {
	name, kind := item.Name(), item.Kind()
	switch name {
	case "uri", "URI", "Uri":
		if kind == jsondoc.String && isPath(item) {
			m.uri(item)
			return
		}
	case "request", "response", "ResourceRequest", "ResourceResponse", "ResourceValue":
		if secret == no && (kind == jsondoc.String || kind == jsondoc.Object) {
			m.body(item, depth+1)
			return
		}
	case "newValue", "oldValue", "NewValue", "OldValue":
		if kind == jsondoc.String && secret == no {
			m.text(item, m.ofBareText(item))
			return
		}
	case "keys":
		if kind == jsondoc.Array && kindOf(item) == aText && m.isAboutNames() {
			m.value(item, no, depth+1)
			return
		}
	case "cache_key":
		if kind == jsondoc.Object && !m.namesOnly {
			m.namesOnly = true
			m.value(item, no, depth+1)
			m.namesOnly = false
			return
		}
	case "cookie", "cookies", "Cookie", "Cookies":
		if kind == jsondoc.Object || kind == jsondoc.Array && kindOf(item) == anObject {
			m.cookies(item, depth+1)
			return
		}
		if kind == jsondoc.Array {
			m.value(item, no, depth+1) // names of cookies
			return
		}
	}
	if kind == jsondoc.Object && secret == no && isHeaders(name) && !m.namesOnly {
		m.headers(item, depth+1)
		return
	}
	if kind == jsondoc.String && secret == no && strings.HasSuffix(name, "expression") {
		m.expression(item)
		return
	}
	m.value(item, m.suspect(around, item, name, secret), depth+1)
}

// suspect says whether a member is a secret, by its name and by the members beside
// it. secret is what is said of the object.
func (m *masker) suspect(around beside, item jsondoc.Value, name string, secret suspicion) suspicion {
	if m.namesOnly {
		return no
	}
	if around.webKey {
		if has(privateParts, name) {
			return certain
		}
		return no
	}
	if secret != no && isOpen(name) {
		secret = no
	}
	if secret == certain || m.isSecretName(name, item) && !around.explains(name, item) {
		return certain
	}
	switch name {
	case "value", "values", "text", "content", "default":
		switch {
		case around.binding, around.pair:
			return certain
		case around.plain && !isRandom(item.Text()):
		case m.Values && (name == "value" || name == "text") && !around.record && !around.compares:
			return possible
		}
	case "json":
		// A variable of a Worker.
		if m.Values && (item.Kind() == jsondoc.String || around.json) {
			return possible
		}
	case "codes":
		if m.Values { // backup codes of a second factor
			return certain
		}
	case "code":
		if !around.message && isOneTimeCode(item) {
			return certain
		}
	case "params":
		if around.sql { // data for a database
			return possible
		}
	case "sql":
		if item.Kind() == jsondoc.String {
			m.statement(item)
		}
	}
	if len(name) > len("code") && isCodeName(name) && isOneTimeCode(item) {
		return certain
	}
	if m.Values && item.Kind() == jsondoc.String && strings.HasSuffix(name, "base64") {
		return certain // the source of a Worker, or a value
	}
	return secret
}

// isAboutNames reports whether the request is one for a store of values by names,
// which are called keys.
func (m *masker) isAboutNames() bool {
	return strings.Contains(m.requestURI(), "/storage/kv/")
}

// ofBareText says whether a value of the audit log may be a credential. JSON in
// it is looked at in any case.
func (m *masker) ofBareText(v jsondoc.Value) suspicion {
	if !m.BareTexts && !m.Values || strings.HasPrefix(v.Source(), `"{`) || strings.HasPrefix(v.Source(), `"[`) {
		return no
	}
	content := strings.TrimSpace(v.Text())
	if content == "" || content[0] == '{' || content[0] == '[' {
		return no
	}
	if m.BareTexts || isRandom(content) {
		return possible
	}
	return no
}

// cookies masks the values of cookies, and leaves their names.
func (m *masker) cookies(v jsondoc.Value, depth int) {
	for item := range v.All() {
		switch kind := item.Kind(); {
		case kind == jsondoc.Object && depth <= maxDepth:
			m.cookies(item, depth+1)
		case item.Name() == "value":
			m.value(item, certain, depth+1)
		default:
			m.value(item, no, depth+1)
		}
	}
}

// headers masks the values of headers, except those that are never secret. Where
// values are settings, it masks those whose name says so or that look random.
func (m *masker) headers(v jsondoc.Value, depth int) {
	for item := range v.All() {
		name := item.Name()
		switch {
		case isPlainHeader(name):
			m.value(item, no, depth+1)
		case m.Values:
			m.value(item, max(possible, m.ofName(name)), depth+1)
		case item.Kind() == jsondoc.Object:
			m.header(item, name, depth+1)
		case item.Kind() == jsondoc.Array && kindOf(item) == aText, item.Kind() == jsondoc.String:
			m.headerTexts(item, name, depth+1)
		default:
			m.member(beside{}, item, no, depth+1)
		}
	}
}

// header masks the value that a rule gives a header.
func (m *masker) header(v jsondoc.Value, name string, depth int) {
	for item := range v.All() {
		if item.Name() == "value" && item.Kind() == jsondoc.String {
			m.headerTexts(item, name, depth+1)
		} else {
			m.member(beside{}, item, m.ofName(name), depth+1)
		}
	}
}

// headerTexts masks a text, or several, to which a header is set.
func (m *masker) headerTexts(v jsondoc.Value, name string, depth int) {
	secret := m.ofName(name)
	if v.Kind() == jsondoc.String {
		if secret == no && isRandom(v.Text()) {
			secret = possible
		}
		m.text(v, secret)
		return
	}
	for item := range v.All() {
		m.headerTexts(item, name, depth+1)
	}
}

// ofName says whether the value of a header is a secret by its name.
func (m *masker) ofName(name string) suspicion {
	if isSecretMember(name) {
		return certain
	}
	return no
}

// statement masks the texts in a statement of SQL that is about secrets.
func (m *masker) statement(v jsondoc.Value) {
	whole := v.Text()
	if !stemsInText.in(whole) || strings.IndexByte(whole, '\'') < 0 {
		return
	}
	parts := strings.Split(whole, "'")
	for i := 1; i < len(parts); i += 2 {
		if parts[i] != "" && !isSetting(parts[i]) {
			parts[i] = Masked
			m.n++
		}
	}
	if shown := strings.Join(parts, "'"); shown != whole {
		m.doc.Replace(v, shown)
	}
}

// text masks a string that is a secret, or that holds one.
func (m *masker) text(v jsondoc.Value, secret suspicion) {
	if secret == no && !m.thorough && !mayHoldSecret(v) {
		return
	}
	if inner := v.Inner(); inner.Exists() && secret != certain {
		if shown, changed := m.below(inner.Doc(), func(inside *masker) { inside.value(inner, secret, 0) }); changed {
			m.doc.Replace(v, shown)
		}
		return
	}
	whole := v.Text()
	if secret == no && isPublicName(v.Name()) && isPadded(whole) && !m.holdsEncoded(whole) {
		return
	}
	if shown := m.content(whole, secret); shown != whole {
		m.doc.Replace(v, shown)
	}
}

// below masks the secrets in a document that stands within a text of this one.
func (m *masker) below(doc *jsondoc.Doc, mask func(inside *masker)) (shown string, changed bool) {
	inside := masker{Policy: m.Policy, doc: doc, top: m.top, namesOnly: m.namesOnly, layers: m.layers, thorough: m.thorough}
	mask(&inside)
	m.n += inside.n
	if m.admission == "" {
		m.admission = inside.admission
	}
	if doc.Replaced() == 0 {
		return "", false
	}
	return string(doc.Root().AppendJSON(nil)), true
}

// content masks a text that is a secret, or that holds one. A text may hold JSON,
// or be encoded.
func (m *masker) content(s string, secret suspicion) string {
	switch {
	case s == "", s == Masked, secret == certain && (isPublic(s) || isAlgorithm(s) || isField(s)):
		return s
	case secret == certain:
		m.n++
		return Masked
	case mayBeJSON(s):
		trimmed := strings.TrimSpace(s)
		if shown := m.json(trimmed, secret); shown != trimmed {
			return shown
		}
		return s
	case isMultipart(s):
		return m.multipart(s)
	case secret == possible && !isSetting(s) && !isPublic(s) && !isAddress(s) && !isPairs(s), m.holdsEncoded(s):
		m.n++
		return Masked
	}
	if !HoldsSecret(s) {
		return m.links(s)
	}
	// What is left of an address without its secrets says where something goes.
	if n := m.n; strings.Contains(s, "://") || isPairs(s) {
		if shown := m.links(s); !HoldsSecret(shown) {
			return shown
		}
		m.n = n
	}
	m.n++
	return Masked
}

// holdsEncoded reports whether a text is one in base64 with a secret in it.
func (m *masker) holdsEncoded(s string) bool {
	if m.layers >= maxLayers {
		return false
	}
	_, data, found := strings.Cut(s, ";base64,")
	if !found {
		data = s
	}
	plain, ok := decoded(data)
	if !ok {
		return false
	}
	inner := masker{Policy: m.Policy, layers: m.layers + 1, thorough: m.thorough}
	return inner.content(plain, no) != plain
}

// mayBeJSON reports whether a text begins as an object or an array does.
func mayBeJSON(s string) bool {
	trimmed := strings.TrimSpace(s)
	return trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[')
}

// documents are the tables of JSON in texts.
var documents = sync.Pool{New: func() any { return new(jsondoc.Doc) }}

// json masks the secrets in a text that is JSON, possibly cut off, as long
// bodies are.
func (m *masker) json(s string, secret suspicion) string {
	doc := documents.Get().(*jsondoc.Doc)
	defer func() {
		doc.Reset()
		documents.Put(doc)
	}()
	if doc.Parse(s) != nil {
		return m.torn(s)
	}
	if shown, changed := m.below(doc, func(inside *masker) { inside.value(doc.Root(), secret, 0) }); changed {
		return shown
	}
	return s
}

// isRandom reports whether a text looks drawn at random, and is neither an id nor
// a setting.
func isRandom(s string) bool {
	const uuidLength = 36
	if !isOpaque(s) || text.IsHexID(s) || isSetting(s) || strings.Count(s, "-") == 4 && len(s) == uuidLength {
		return false
	}
	return tokenRun(s) == len(s) && looksMixed(s)
}
