package cloudflareaudit

import (
	"slices"
	"strings"
)

// secretWords are what the name of a secret has in it.
var secretWords = newWordSet(
	"secret", "token", "key", "jwk", "psk", "hash", "credential", "authorization", "private",
	"passw", "passcode", "passphrase", "pwd", "auth_code", "authcode", "override_code", "ownership_challenge",
	"recovery_code", "backup_code", "otpauth", "qr_code", // of a second factor
	"disable_for_time", // override codes by hours
)

// isSecretField reports whether a field by its name holds a secret, rather than
// the name or the state of one.
func isSecretField(field string) bool {
	return (secretWords.in(field) || strings.HasSuffix(strings.ToLower(field), "pem")) && !isOpenEnd(field)
}

// isOpenEnd reports whether a field by the end of its name is what everybody may
// know.
func isOpenEnd(field string) bool {
	return slices.ContainsFunc(openEnds, func(end string) bool { return strings.HasSuffix(field, end) })
}

// openEnds are the ends of names of what everybody may know of a secret. What an
// address holds is looked at by itself.
var openEnds = []string{"_name", "_tag", "_id", "_uuid", "_status", "_type", "_on", "_at", "_count", "_url", "_uri", "_endpoint",
	"_days", "_interval", "_algorithm", "_size", "_length", "_version", "_ip", "_network", "_cidr", "_port",
	"keytag", "sitekey", "site_key", "KeyId", "KeyName", "TokenId", "TokenName"}

// signs are what stands in every JSON text that holds a secret, apart from values
// which are secrets because of what they are about. Whether that is one has to be
// looked into.
var signs = newWordSet(slices.Concat([]string{
	"auth", "cookie", "verify", "signature", "sig", "pem", // in names
	"bearer ", "basic ", "eyj", "ls0t", "v1.0-", // in values
	"://", `\/\/`, `\u0`, // of addresses, and of what is written in escapes
	`value\"`, `text\"`, // of a text that cannot be read as JSON
}, secretWords.list, tokenPrefixes.list)...)

// mayHoldSecret reports whether a JSON text has a sign in it of a secret. To tell
// that takes a fraction of what looking for the secret does, and most have none.
func mayHoldSecret(text string) bool {
	// Forms and connection strings have names before the one, and queries may
	// write them with the other.
	return strings.IndexByte(text, '=') >= 0 || strings.IndexByte(text, '%') >= 0 || signs.in(text)
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

// isSignature reports whether a parameter of an address by its name signs it.
func isSignature(name string) bool {
	return strings.EqualFold(name, "sig") || strings.HasSuffix(strings.ToLower(name), "signature")
}

// tokenPrefixes are those of Cloudflare's own credentials, and of others that
// are often kept there.
var tokenPrefixes = newWordSet("cfat_", "cfut_", "cfk_",
	"ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "rk_live_", "whsec_")

// holdsSecret reports whether a text by its form is a secret or has one in it.
func holdsSecret(text string) bool {
	if strings.Contains(text, "PRIVATE KEY") || isAuthorization(text, "bearer ") || isAuthorization(text, "basic ") {
		return true
	}
	switch {
	case tokenPrefixes.in(text):
		return true
	case len(text) < 32:
		return false
	case strings.HasPrefix(text, "v1.0-") && !strings.Contains(text, " "): // the key of the Origin CA
		return len(text) >= 40
	case strings.HasPrefix(text, "LS0tLS1CRUdJTi"): // a PEM block, of which a certificate is none
		return !strings.HasPrefix(text, "LS0tLS1CRUdJTiBDRVJU")
	}
	return holdsWebToken(text)
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

// wordSet is words to be looked for in texts, in any case. They have two bytes or
// more.
type wordSet struct {
	list []string
	// starting has the words by the place of their first two bytes, so that in most
	// places of a text there is none to compare.
	starting [1 << 10][]string
}

func newWordSet(words ...string) *wordSet {
	w := &wordSet{list: words}
	for _, word := range words {
		at := twoBytes(word[0], word[1])
		w.starting[at] = append(w.starting[at], word)
	}
	return w
}

// twoBytes is a place for two bytes. Letters have the same one in either case.
func twoBytes(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// in reports whether one of the words stands in a text.
func (w *wordSet) in(text string) bool {
	for i := 1; i < len(text); i++ {
		for _, word := range w.starting[twoBytes(text[i-1], text[i])] {
			if foldPrefix(text[i-1:], word) {
				return true
			}
		}
	}
	return false
}

// foldPrefix reports whether s begins with prefix, which is in lower case, in
// any case.
func foldPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}
