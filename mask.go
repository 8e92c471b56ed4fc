package cloudflareaudit

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// masking masks the secrets in JSON texts and counts them.
type masking struct {
	// values says that a member called "value" or "text" holds a secret too, and
	// so does a body that is a text and not an object.
	values bool
	// addresses says that the query of an address may be one, and hooks that
	// its path may.
	addresses, hooks bool
	n                int
}

// maskingOf is how to mask an entry of a kind. Of what nobody has heard of no
// value is shown.
func maskingOf(n *naming) masking {
	open := n != nil && plainValues(n)
	return masking{values: !open, addresses: !open, hooks: n != nil && leadsAway(n)}
}

// body masks the secrets in the body of a request or of a response.
func (m *masking) body(v value) value {
	switch v.kind() {
	case '"':
		return m.text(v, m.values)
	case '{':
		// The answer may be a secret itself, such as that to the roll of a token.
		if result := v.get("result"); m.values && result.kind() == '"' {
			return m.object(v, "result")
		}
	}
	return m.value(v, false)
}

// maskEntry masks the secrets in an entry of the audit log. Its parts that are
// no values and no metadata hold none.
func maskEntry(raw string, about *naming) (shown string, n int) {
	m := maskingOf(about)
	v := value(raw)
	if v.kind() != '{' {
		return raw, 0
	}
	v = m.rebuilt(v, func(key string, item value) value {
		switch key {
		case "id", "action", "actor", "interface", "owner", "resource", "when":
			return item
		case "newValue", "oldValue":
			return m.value(item, isBareSecret(about, item))
		}
		return m.value(item, false)
	})
	return string(v), m.n
}

// isBareSecret reports whether a value of the audit log that is a text and no
// JSON may be a credential: those of credentials are nothing else.
func isBareSecret(about *naming, v value) bool {
	if about.family != familyToken || v.kind() != '"' {
		return false
	}
	text := strings.TrimSpace(v.text())
	return text != "" && text != "null" && text[0] != '{' && text[0] != '['
}

// call masks the secrets in an entry of Audit Logs v2: in the bodies, in the query
// of the URI, and in members that nobody has heard of.
func (m *masking) call(raw string) string {
	if value(raw).kind() != '{' {
		return string(m.value(value(raw), false))
	}
	return string(m.rebuilt(value(raw), func(section string, v value) value {
		switch section {
		case "id", "account", "action", "actor", "zone":
			return v
		case "raw":
			return m.request(v)
		case "resource":
			return m.resource(v)
		}
		return m.value(v, false)
	}))
}

func (m *masking) request(v value) value {
	if v.kind() != '{' {
		return m.value(v, false)
	}
	return m.rebuilt(v, func(key string, item value) value {
		if key == "uri" && item.kind() == '"' {
			path, query, _ := strings.Cut(item.text(), "?")
			if shown := m.query(query); shown != query {
				return quote(path + "?" + shown)
			}
			return item
		}
		return m.value(item, false)
	})
}

func (m *masking) resource(v value) value {
	if v.kind() != '{' {
		return m.body(v)
	}
	return m.rebuilt(v, func(key string, item value) value {
		switch key {
		case "id", "product", "scope", "type":
			return item
		}
		return m.body(item)
	})
}

// maskedJSON is what stands for a secret in a JSON text.
const maskedJSON = value(`"` + masked + `"`)

// maxMasked bounds how deep a value is looked into. What is deeper is masked.
const maxMasked = 64

// value masks the secrets in v, or all that it holds where it is a secret.
func (m *masking) value(v value, secret bool) value { return m.at(v, secret, 0) }

func (m *masking) at(v value, secret bool, depth int) value {
	switch kind := v.kind(); {
	case depth > maxMasked && (kind == '{' || kind == '['):
		m.n++
		return maskedJSON
	case kind == '{':
		return m.members(v, secret, "", depth)
	case kind == '[':
		return m.elements(v, secret, depth)
	case kind == '"':
		return m.text(v, secret)
	case kind == '0' && secret:
		m.n++
		return maskedJSON
	}
	return v
}

// object masks the secrets in an object, in which one member is a secret.
func (m *masking) object(v value, member string) value { return m.members(v, false, member, 0) }

func (m *masking) members(v value, secret bool, member string, depth int) value {
	return m.rebuilt(v, func(key string, item value) value {
		hidden := secret && key != "id" && !isOpenEnd(key) || key == member && member != "" || isSecretMember(key)
		switch key {
		case "value", "text":
			// The secret of a Worker says of itself that it is one.
			hidden = hidden || m.values || strings.Contains(v.get("type").text(), "secret")
		case "json":
			hidden = hidden || m.values && item.kind() == '"' // a variable of a Worker
		case "codes":
			hidden = hidden || m.values // those that stand in for a second factor
		case "custom_key":
			hidden = secret || item.kind() == '"' // that of a certificate, not of a cache
		}
		if m.values && !hidden && item.kind() == '{' && isHeaders(key) {
			return m.headers(item, depth+1)
		}
		return m.at(item, hidden, depth+1)
	})
}

// headers masks the values of headers that are sent to somewhere, except those
// that say nothing.
func (m *masking) headers(v value, depth int) value {
	return m.rebuilt(v, func(name string, item value) value { return m.at(item, !isPlainHeader(name), depth+1) })
}

func isHeaders(member string) bool { return member == "header" || member == "headers" }

func isPlainHeader(name string) bool {
	switch strings.ToLower(name) {
	case "accept", "content-type", "host", "user-agent":
		return true
	}
	return false
}

func (m *masking) elements(v value, secret bool, depth int) value {
	return m.rebuilt(v, func(_ string, item value) value { return m.at(item, secret, depth+1) })
}

// rebuilt is v with its members or elements as fn makes them. What fn leaves as
// it is stays so byte for byte, with the white space around it.
func (m *masking) rebuilt(v value, fn func(key string, item value) value) value {
	var b []byte
	s := string(v)
	done := 0
	isObject := v.kind() == '{'
	for i := skipSpace(s, 1); ; {
		key, item, end := memberAt(s, i, isObject)
		if item == "" {
			break
		}
		if now := fn(key, item); now != item {
			b = append(b, s[done:end-len(item)]...)
			b = append(b, now...)
			done = end
		}
		i = behind(s, end)
	}
	if b == nil {
		return v
	}
	return value(append(b, s[done:]...))
}

// text masks a JSON string that is a secret, or that holds one.
func (m *masking) text(v value, secret bool) value {
	text := v.text()
	if shown := m.content(text, secret); shown != text {
		return quote(shown)
	}
	return v
}

// content masks a text that is a secret, or that holds one. A text may hold JSON.
func (m *masking) content(text string, secret bool) string {
	if text == "" {
		return ""
	}
	if secret || holdsSecret(text) {
		m.n++
		return masked
	}
	trimmed := strings.TrimSpace(text)
	if c := trimmed[:min(1, len(trimmed))]; c == "{" || c == "[" {
		now := ""
		if jsontext.Value(trimmed).IsValid(readOptions...) {
			now = string(m.value(value(trimmed), false))
		} else {
			// Long bodies may be cut off.
			now = m.torn(trimmed)
		}
		if now != trimmed {
			return now
		}
		return text
	}
	return m.links(text)
}

func quote(text string) value {
	b, _ := jsontext.AppendQuote(nil, text)
	return value(b)
}

// torn masks the secrets in a text that is JSON but for a part that is missing or
// wrong. Of such a text it is not known what it is about, so values count as
// secrets.
func (m *masking) torn(text string) string {
	var b []byte
	done := 0
	key := ""              // of the value that follows
	depth, hidden := 0, -1 // how deep we are, and since when all is a secret
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		default:
			end := i + 1
			if (c == '-' || '0' <= c && c <= '9') && (hidden >= 0 || isHidden(key)) {
				for end < len(text) && strings.IndexByte("0123456789.+-eE", text[end]) >= 0 {
					end++
				}
				m.n++
				b = append(append(b, text[done:i]...), maskedJSON...)
				done = end
			}
			i = end
			continue
		case ',':
			key = ""
		case '{', '[':
			if depth++; hidden < 0 && isHidden(key) {
				hidden = depth
			}
			key = ""
		case '}', ']':
			if depth--; depth < hidden {
				hidden = -1
			}
		case '"':
			end := skipString(text, i)
			behind := skipSpace(text, end)
			if behind < len(text) && text[behind] == ':' {
				key, i = unquote(text[i:end]), end
				continue
			}
			if shown := m.tornText(text[i:end], hidden >= 0 || isHidden(key)); shown != text[i:end] {
				b = append(b, text[done:i]...)
				b = append(b, shown...)
				done = end
			}
			i = end
			continue
		}
		i++
	}
	if b == nil {
		return text
	}
	return string(append(b, text[done:]...))
}

// tornText masks a string literal, whose end may be missing.
func (m *masking) tornText(literal string, secret bool) string {
	if len(literal) < 2 || literal[len(literal)-1] != '"' {
		// What is cut off cannot be read, but may go on as it began.
		if !secret && !strings.Contains(literal, `\"`) && !holdsSecret(literal[1:]) {
			return literal
		}
		m.n++
		return string(maskedJSON)
	}
	text := unquote(literal)
	switch {
	case text == "":
	case secret || holdsSecret(text):
		m.n++
		return string(maskedJSON)
	case strings.Contains(literal, `\"`):
		if shown := m.torn(text); shown != text {
			return string(quote(shown))
		}
	default:
		unread := masking{addresses: true, hooks: m.hooks}
		if shown := unread.links(text); shown != text {
			m.n += unread.n
			return string(quote(shown))
		}
	}
	return literal
}

// isHidden reports whether a member of a text that cannot be read as JSON may be
// a secret.
func isHidden(key string) bool {
	return key == "value" || key == "text" || isSecretMember(key)
}

// leadsAway reports whether what an action is about has an address of the user's
// to which Cloudflare posts.
func leadsAway(n *naming) bool {
	return n.family == familyLogs || strings.HasPrefix(n.name, "notification.")
}
