package redact

import (
	"net/url"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// uri masks the secrets in the path and in the query of a request.
func (m *masker) uri(v jsondoc.Value) {
	if !m.thorough && !mayBeSecretURI(v) {
		return
	}
	path, query, found := strings.Cut(v.Text(), "?")
	shown := m.requestPath(path)
	if found {
		shown += "?" + m.query(query)
	}
	if shown != v.Text() {
		m.doc.Replace(v, shown)
	}
}

// isPath reports whether a text is a path, or may be one behind escapes.
func isPath(v jsondoc.Value) bool {
	const slash, escape = `"/`, `"\\`
	source := v.Source()
	return strings.HasPrefix(source, slash) || strings.HasPrefix(source, escape)
}

// path masks the segments of a path that are secrets: by their form, and where they
// look random behind one of hookPaths or admissionPaths, or, if mayBe, anywhere.
func (m *masker) path(path string, mayBe bool) string {
	shown, _ := m.segments(path, mayBe, hookPaths, admissionPaths)
	return shown
}

// requestPath masks the segments of the path of a request that let in, and remembers
// the last, because the id of what a request is about stands in its bodies as well.
func (m *masker) requestPath(path string) string {
	shown, last := m.segments(path, false, admissionPaths)
	if last != "" {
		m.admission = last
	}
	return shown
}

// segments masks the segments of a path that are secrets by their form, and those that
// look random: behind one of the lists, or, if mayBe, anywhere. last is the last of
// the latter.
func (m *masker) segments(path string, mayBe bool, behind ...[]row) (shown, last string) {
	shown = mapParts(path, "/", func(part string) string {
		opaque := mayBe && isOpaque(part)
		for _, list := range behind {
			mayBe = mayBe || isSegment(part, list)
		}
		if !opaque && !HoldsSecret(part) {
			return part
		}
		if opaque {
			last = part
		}
		m.n++
		return Masked
	})
	return shown, last
}

// repeated masks what lets in wherever else it stands in a value.
func (m *masker) repeated(v jsondoc.Value, depth int) {
	switch v.Kind() {
	case jsondoc.String:
		if s := v.Text(); strings.Contains(s, m.admission) {
			m.n++
			m.doc.Replace(v, strings.ReplaceAll(s, m.admission, Masked))
		}
	case jsondoc.Object, jsondoc.Array:
		if depth > maxDepth {
			return // masked already
		}
		for item := range v.All() {
			m.repeated(item, depth+1)
		}
	}
}

// isSegment reports whether a segment of a path is in a list, in any case.
func isSegment(part string, list []row) bool {
	for i := range list {
		if strings.EqualFold(list[i].text, part) {
			return true
		}
	}
	return false
}

// query masks the secrets in the query of a URI.
func (m *masker) query(query string) string {
	if query == "" {
		return ""
	}
	return mapParts(query, "&", func(part string) string {
		shown, secret := m.parameter(part)
		if secret {
			m.n++
		}
		return shown
	})
}

// mapParts replaces the parts of a text between any of the separators.
func mapParts(text, separators string, mapping func(part string) string) string {
	var b strings.Builder
	done := 0 // how much of text is in b
	for start := 0; start <= len(text); {
		end := len(text)
		if n := strings.IndexAny(text[start:], separators); n >= 0 {
			end = start + n
		}
		if shown := mapping(text[start:end]); shown != text[start:end] {
			b.WriteString(text[done:start])
			b.WriteString(shown)
			done = end
		}
		start = end + 1
	}
	if b.Len() == 0 {
		return text
	}
	return b.String() + text[done:]
}

// parameter is one parameter of a query with its value masked, if it is secret.
func (m *masker) parameter(part string) (shown string, secret bool) {
	name, text, _ := strings.Cut(part, "=")
	plainName, err1 := url.QueryUnescape(name)
	plain, err2 := url.QueryUnescape(text)
	if err1 == nil && err2 == nil && !HoldsSecret(plainName) && !m.isSecretParameter(plainName, plain) {
		return part, false
	}
	if err1 == nil && !HoldsSecret(plainName) && text != "" {
		return name + "=" + Masked, true
	}
	return Masked, true
}

// isSecretParameter reports whether a parameter is a secret.
func (m *masker) isSecretParameter(name, value string) bool {
	switch {
	case isOption(name):
		return HoldsSecret(value) || hasPassword(value)
	case isSecretMember(name), isSignature(name), m.Values && IsValue(name) && value != "" && !isSetting(value):
		return true
	case isOpen(name):
		return hasPassword(value) // an id may look like a token
	}
	return HoldsSecret(value) || hasPassword(value) || mayBeJSON(value) && m.hidesIn(value) || m.Addresses && (isRandom(value) || value == "" && isRandom(name))
}

// hidesIn reports whether there is something to mask in a text that is JSON.
func (m *masker) hidesIn(value string) bool {
	inside := masker{Policy: m.Policy, layers: m.layers}
	return inside.json(value, no) != value
}

const space = " \t\r\n"

// links masks the secrets in the addresses within a text, in what it assigns, and in
// a text that is a form or an address without a host.
func (m *masker) links(text string) string {
	if strings.Contains(text, "://") {
		text = m.addresses(text)
		if strings.ContainsAny(text, space) {
			return m.assigned(text)
		}
		return text
	}
	if strings.IndexByte(text, '=') < 0 {
		return m.assigned(text)
	}
	if path, query, found := strings.Cut(text, "?"); found && !strings.ContainsAny(path, space+"\"=") {
		return path + "?" + m.query(query)
	}
	if isForm(text) {
		return m.query(text)
	}
	return m.assigned(text)
}

// isAddress reports whether a text is an address of the web, and nothing else.
func isAddress(text string) bool {
	scheme := strings.Index(text, "://")
	return scheme > 0 && isHTTP(text[:scheme+3]) && scheme <= len("https") && !strings.ContainsAny(text, space)
}

// addresses masks the secrets in the addresses in a text.
func (m *masker) addresses(text string) string {
	return mapParts(text, space, m.link)
}

// isPairs reports whether a text is a form of several fields.
func isPairs(text string) bool { return strings.IndexByte(text, '&') > 0 && isForm(text) }

// isForm reports whether a text is a list of names and values, as forms and the
// queries of addresses have it.
func isForm(text string) bool {
	for part := range strings.SplitSeq(text, "&") {
		name, _, found := strings.Cut(part, "=")
		if !found || name == "" {
			return false
		}
		for i := range len(name) {
			if !isAlnum(name[i]) && strings.IndexByte("_-.%[]", name[i]) < 0 {
				return false
			}
		}
		if _, err := url.QueryUnescape(part); err != nil {
			return false
		}
	}
	return !strings.ContainsAny(text, space+";")
}

// link masks the secrets in the addresses that stand in a text without white
// space.
func (m *masker) link(text string) string {
	if strings.Count(text, "://") == 1 {
		return m.address(text)
	}
	var b strings.Builder
	for {
		scheme := strings.Index(text, "://")
		next := 0
		if scheme >= 0 {
			next = nextAddress(text, scheme+3)
		}
		if next == 0 {
			b.WriteString(m.address(text))
			return b.String()
		}
		b.WriteString(m.link(text[:next]))
		text = text[next:]
	}
}

// address masks the secrets in one address: the password, the path where it is
// one, and the query.
func (m *masker) address(text string) string {
	scheme := strings.Index(text, "://")
	if scheme < 0 {
		return text
	}
	shown := m.withoutHook(withoutPassword(text, scheme+3), scheme+3)
	if path, query, found := strings.Cut(shown, "?"); found && query != "" {
		if !m.Hooks {
			query = m.query(query) // counts what it masks
			if !strings.HasPrefix(text, path+"?") {
				m.n++
			}
			return path + "?" + query
		}
		shown = path + "?" + hookQuery(query)
	}
	if shown != text {
		m.n++
	}
	return shown
}

// hookQuery masks the query of a webhook, or of where logs go, but for what is known
// to be an option.
func hookQuery(query string) string {
	of := masker{Policy: Policy{Addresses: true}}
	options := 0
	shown := mapParts(query, "&", func(part string) string {
		name, value, found := strings.Cut(part, "=")
		if kept, secret := of.parameter(part); found && !secret && isOption(name) && !isRandom(value) {
			options++
			return kept
		}
		if !found || name == "" || HoldsSecret(name) || !isVariable(name) {
			return Masked
		}
		return name + "=" + Masked
	})
	if options == 0 {
		return Masked
	}
	return shown
}

// isOption reports whether a parameter is one of optionParameters.
func isOption(name string) bool { return has(optionParameters, strings.ToLower(name)) }

// nextAddress is where another address begins after i in a text without white
// space, or 0. An address in a query is part of the query.
func nextAddress(text string, i int) int {
	next := strings.Index(text[i:], "://")
	if next <= 0 {
		return 0
	}
	j := i + next
	for j > i && (isAlnum(text[j-1]) || text[j-1] == '+' || text[j-1] == '-') {
		j--
	}
	if j == i || strings.IndexByte(text[i:j], '?') >= 0 && strings.IndexByte("=&/%", text[j-1]) >= 0 {
		return 0
	}
	return j
}

// isHTTP reports whether a text ends in the scheme of the web.
func isHTTP(text string) bool {
	for _, scheme := range []string{"http://", "https://"} {
		if at := len(text) - len(scheme); at >= 0 && strings.EqualFold(text[at:], scheme) {
			return true
		}
	}
	return false
}

// withoutPassword masks the user and the password in an address whose host begins
// at i. That of a database may have a slash or a question mark in it.
func withoutPassword(text string, i int) string {
	rest := text[i:]
	user := rest
	if slash := strings.IndexAny(rest, "/?#"); slash >= 0 && isHTTP(text[:i]) {
		// Text after a colon that is not a port is a password.
		_, port, found := strings.Cut(rest[:slash], ":")
		if !found || strings.Trim(port, "0123456789") == "" || strings.Contains(port, "@") {
			user = rest[:slash]
		}
	}
	if at := strings.LastIndexByte(user, '@'); at >= 0 {
		return text[:i] + Masked + rest[at:]
	}
	return text
}

// hasPassword reports whether a text is an address with a password in it.
func hasPassword(text string) bool {
	i := strings.Index(text, "://")
	return i >= 0 && withoutPassword(text, i+3) != text
}

// withoutHook masks the path of an address whose host begins at i if the path
// is a secret; if it may be one, only the segments that look random.
func (m *masker) withoutHook(text string, i int) string {
	host, path, found := strings.Cut(text[i:], "/")
	if !found || path == "" {
		return text
	}
	end := len(text)
	if query := strings.IndexAny(path, "?#"); query >= 0 {
		end = i + len(host) + 1 + query
		path = path[:query]
	}
	if path == "" {
		return text
	}
	if isHook(host, path) {
		return text[:end-len(path)] + Masked + text[end:]
	}
	if key := strings.LastIndexByte(path, '/'); isStream(text[:i]) {
		if key < 0 || key == len(path)-1 {
			return text
		}
		return text[:end-len(path)+key+1] + Masked + text[end:]
	}
	of := masker{}
	return text[:end-len(path)] + of.path(path, m.Hooks && isHTTP(text[:i])) + text[end:]
}

// isStream reports whether a text is one of streamSchemes.
func isStream(text string) bool {
	scheme := strings.TrimSuffix(text, "://")
	return slices.ContainsFunc(streamSchemes, func(r row) bool {
		at := len(scheme) - len(r.text)
		return at >= 0 && strings.EqualFold(scheme[at:], r.text) && (at == 0 || !isAlnum(scheme[at-1]))
	})
}

// isHook reports whether an address is in hooks. host may have a user and a
// port.
func isHook(host, path string) bool {
	if j := strings.LastIndexByte(host, '@'); j >= 0 {
		host = host[j+1:]
	}
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	for _, hook := range hooks {
		of, below, _ := strings.Cut(hook.text, "/")
		if (name == of || of[0] == '.' && strings.HasSuffix(name, of)) && strings.HasPrefix(path, below) {
			return true
		}
	}
	return false
}

// isOpaque reports whether a path segment looks random.
func isOpaque(part string) bool {
	digits := 0
	for i := range len(part) {
		if '0' <= part[i] && part[i] <= '9' {
			digits++
		}
	}
	return len(part) >= 10 && digits > 0 || len(part) >= 32
}
