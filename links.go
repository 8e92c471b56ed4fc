package cloudflareaudit

import (
	"net/url"
	"strings"
)

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
	if query := strings.IndexAny(path, "?#"); query >= 0 {
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

// hasPassword reports whether a text is an address with a password in it.
func hasPassword(text string) bool {
	i := strings.Index(text, "://")
	return i >= 0 && withoutPassword(text, i+3) != text
}
