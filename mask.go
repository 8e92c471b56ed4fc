package cloudflareaudit

import (
	"net/url"
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
	if !secret && !m.values && strings.IndexByte(string(v), '\\') >= 0 && !mayHoldSecret(string(v)) {
		return v // without decoding it
	}
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

// isSecretMember reports whether a member by its name holds a secret, rather
// than what everybody may know of one.
func isSecretMember(key string) bool {
	if strings.IndexByte(key, '-') >= 0 && isSecretHeader(key) {
		return true
	}
	if !isSecretField(key) {
		return strings.EqualFold(key, "cookie")
	}
	key = strings.ToLower(key)
	switch {
	case strings.Contains(key, "public"), strings.HasSuffix(key, "token_hash"), strings.HasPrefix(key, "com.cloudflare."),
		strings.HasPrefix(key, "cache_key"):
		return false
	}
	return true
}

// isSecretHeader reports whether a header by its name proves who sends it.
func isSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "-auth") || strings.Contains(name, "auth-") || strings.HasSuffix(name, "-verify") || strings.HasSuffix(name, "-cookie")
}

// hasPassword reports whether a text is an address with a password in it.
func hasPassword(text string) bool {
	i := strings.Index(text, "://")
	return i >= 0 && withoutPassword(text, i+3) != text
}

// isSignature reports whether a parameter of an address by its name signs it.
func isSignature(name string) bool {
	return strings.EqualFold(name, "sig") || strings.HasSuffix(strings.ToLower(name), "signature")
}

// tokenPrefixes are those of Cloudflare's own credentials, and of others that
// are often kept there.
var tokenPrefixes = []string{"cfat_", "cfut_", "cfk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "rk_live_", "whsec_"}

// holdsSecret reports whether a text by its form is a secret or has one in it.
func holdsSecret(text string) bool {
	if strings.Contains(text, "PRIVATE KEY") || isAuthorization(text, "bearer ") || isAuthorization(text, "basic ") {
		return true
	}
	if strings.IndexByte(text, '_') >= 0 || strings.IndexByte(text, '-') >= 0 {
		for _, prefix := range tokenPrefixes {
			if strings.Contains(text, prefix) {
				return true
			}
		}
	}
	switch {
	case len(text) < 32:
		return false
	case strings.HasPrefix(text, "v1.0-") && !strings.Contains(text, " "): // the key of the Origin CA
		return len(text) >= 40
	case strings.HasPrefix(text, "LS0tLS1CRUdJTi"): // a PEM block, of which a certificate is none
		return !strings.HasPrefix(text, "LS0tLS1CRUdJTiBDRVJU")
	}
	return holdsWebToken(text)
}

// mayHoldSecret reports whether a text in which JSON may stand, as it is written
// in JSON, has anything in it that a secret is known by.
func mayHoldSecret(literal string) bool {
	for _, sign := range []string{"=", "://", `\/`, `\u`, "eyJ", "LS0t", "v1.0-"} {
		if strings.Contains(literal, sign) {
			return true
		}
	}
	for i := range len(literal) {
		switch rest := literal[i:]; literal[i] | 0x20 {
		case 'a':
			if foldPrefix(rest, "auth") {
				return true
			}
		case 'b':
			if foldPrefix(rest, "bearer ") || foldPrefix(rest, "basic ") {
				return true
			}
		case 'c':
			if foldPrefix(rest, "cookie") {
				return true
			}
		case 'v':
			if foldPrefix(rest, "verify") {
				return true
			}
		}
	}
	return speaksOfSecret(literal) || holdsSecret(literal)
}

// holdsWebToken reports whether a JSON web token, or the token of a tunnel,
// stands in a text.
func holdsWebToken(text string) bool {
	const begin = "eyJ"
	for i := strings.Index(text, begin); i >= 0; {
		end := i
		for end < len(text) && (isAlnum(text[end]) || strings.IndexByte("-_.+/=", text[end]) >= 0) {
			end++
		}
		if end-i >= 32 && (i == 0 || !isAlnum(text[i-1])) {
			return true
		}
		next := strings.Index(text[end:], begin)
		if next < 0 {
			break
		}
		i = end + next
	}
	return false
}

func isAlnum(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// isAuthorization reports whether a text is the value of such a header, rather
// than words that begin as one.
func isAuthorization(text, scheme string) bool {
	if !foldPrefix(text, scheme) {
		return false
	}
	rest := strings.TrimSpace(text[len(scheme):])
	return !strings.Contains(rest, " ") && (len(rest) >= 20 || strings.ContainsAny(rest, "0123456789"))
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

// query masks the secrets in the query of a URI.
func (m *masking) query(query string) string {
	if query == "" {
		return ""
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, text, _ := strings.Cut(part, "=")
		plainName, err1 := url.QueryUnescape(name)
		plain, err2 := url.QueryUnescape(text)
		if err1 == nil && err2 == nil && !isSecretMember(plainName) && !isSignature(plainName) && !holdsSecret(plain) && !holdsSecret(plainName) && !hasPassword(plain) {
			continue
		}
		m.n++
		parts[i] = masked
		if err1 == nil && !holdsSecret(plainName) && text != "" {
			parts[i] = name + "=" + masked
		}
	}
	return strings.Join(parts, "&")
}

// links masks the secrets in the addresses that stand in a text, and in a text
// that is a form or an address without a host.
func (m *masking) links(text string) string {
	if strings.Contains(text, "://") {
		var b strings.Builder
		for rest := text; ; {
			i := strings.IndexAny(rest, " \t\r\n")
			if i < 0 {
				return b.String() + m.link(rest)
			}
			b.WriteString(m.link(rest[:i]))
			b.WriteByte(rest[i])
			rest = rest[i+1:]
		}
	}
	if strings.IndexByte(text, '=') < 0 {
		return text
	}
	if path, query, found := strings.Cut(text, "?"); found && !strings.ContainsAny(path, " \t\n\"=") {
		return path + "?" + m.query(query)
	}
	if isForm(text) {
		return m.query(text)
	}
	if assignsPassword(text) {
		m.n++
		return masked
	}
	return text
}

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
	}
	return !strings.ContainsAny(text, " \t\n;")
}

// assignsPassword reports whether a text gives something its password, as the
// addresses of databases do.
func assignsPassword(text string) bool {
	for i := strings.IndexByte(text, '='); i > 0; {
		name := strings.TrimRight(text[:i], " ")
		for _, end := range []string{"password", "pwd", "accountkey", "sharedaccesskey"} {
			if at := len(name) - len(end); at >= 0 && strings.EqualFold(name[at:], end) {
				return true
			}
		}
		next := strings.IndexByte(text[i+1:], '=')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return false
}

// link masks the secrets in one address: the password, the path where it is one,
// and the query.
func (m *masking) link(text string) string {
	scheme := strings.Index(text, "://")
	if scheme < 0 {
		return text
	}
	if next := nextAddress(text, scheme+3); next > 0 {
		first := m.link(text[:next])
		return first + m.link(text[next:])
	}
	shown := withoutHook(withoutPassword(text, scheme+3), scheme+3, m.hooks)
	if path, query, found := strings.Cut(shown, "?"); found && query != "" {
		if !m.addresses {
			query = m.query(query) // which counts what it masks
			if !strings.HasPrefix(text, path+"?") {
				m.n++
			}
			return path + "?" + query
		}
		shown = path + "?" + masked
	}
	if shown != text {
		m.n++
	}
	return shown
}

// nextAddress is where another address begins behind i in a text without white
// space, or 0. One in a query is part of it.
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
		// What stands behind a colon and is no port is a password.
		_, port, found := strings.Cut(rest[:slash], ":")
		if !found || strings.Trim(port, "0123456789") == "" || strings.Contains(port, "@") {
			user = rest[:slash]
		}
	}
	if at := strings.LastIndexByte(user, '@'); at >= 0 {
		return text[:i] + masked + rest[at:]
	}
	return text
}

// hooks are hosts of addresses that are secrets: whoever has one may post to it,
// or read what it stands for. A dot at the beginning stands for any subdomain.
var hooks = []string{
	"hooks.slack.com", "discord.com/api/webhooks", "discordapp.com/api/webhooks", ".webhook.office.com", "outlook.office.com/webhook", ".logic.azure.com",
	".api.powerplatform.com", "hooks.zapier.com", "hook.integromat.com", ".make.com", "maker.ifttt.com", "api.telegram.org", "chat.googleapis.com",
	"events.pagerduty.com/integration", "alert.victorops.com", ".sumologic.com/receiver", "open.feishu.cn", "open.larksuite.com", "qyapi.weixin.qq.com",
	"api.opsgenie.com", "webhook.site",
	".cloudflarestream.com", "upload.videodelivery.net", "upload.imagedelivery.net",
}

// withoutHook masks the path of an address whose host begins at i where it is a
// secret, and in one that may be one the parts that nobody would think of.
func withoutHook(text string, i int, mayBe bool) string {
	host, path, found := strings.Cut(text[i:], "/")
	if !found || path == "" {
		return text
	}
	end := len(text)
	if query := strings.IndexAny(path, "?# \t\r\n"); query >= 0 {
		end = i + len(host) + 1 + query
		path = path[:query]
	}
	if path == "" {
		return text
	}
	if j := strings.LastIndexByte(host, '@'); j >= 0 {
		host = host[j+1:]
	}
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	for _, hook := range hooks {
		of, below, _ := strings.Cut(hook, "/")
		if (name == of || of[0] == '.' && strings.HasSuffix(name, of)) && strings.HasPrefix(path, below) {
			return text[:end-len(path)] + masked + text[end:]
		}
	}
	if !mayBe || !isHTTP(text[:i]) {
		return text
	}
	parts := strings.Split(path, "/")
	for k, part := range parts {
		if isOpaque(part) {
			parts[k] = masked
		}
	}
	return text[:end-len(path)] + strings.Join(parts, "/") + text[end:]
}

// isOpaque reports whether a part of a path looks drawn by lot rather than named.
func isOpaque(part string) bool {
	digits := 0
	for i := range len(part) {
		if '0' <= part[i] && part[i] <= '9' {
			digits++
		}
	}
	return len(part) >= 10 && digits > 0 || len(part) >= 32
}

// leadsAway reports whether what an action is about has an address of the user's
// to which Cloudflare posts.
func leadsAway(n *naming) bool {
	return n.family == familyLogs || strings.HasPrefix(n.name, "notification.")
}
