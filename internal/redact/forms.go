package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// privateKey stands in the first line of a private key in PEM.
	privateKey = "PRIVATE KEY"
	// originKey begins the key of the Origin CA, which is at least 40 bytes long.
	originKey, originKeyLength = "v1.0-", 40
	// pemBlock begins a PEM block in base64, and pemCertificate one that is a
	// certificate, which is public.
	pemBlock, pemCertificate = "LS0tLS1CRUdJTi", "LS0tLS1CRUdJTiBDRVJU"
	// webToken begins a JSON web token, or the token of a tunnel: a brace and a
	// quote in base64.
	webToken = "eyJ"
	// minLength is the least length of a text that may be one of the last
	// three.
	minLength = 32
)

var prefixesInTexts = newWords(texts(tokenPrefixes))

// HasTokenPrefix reports whether a text contains the prefix of a known kind of
// token, in any case.
func HasTokenPrefix(s string) bool { return prefixesInTexts.in(s) }

// HoldsSecret reports whether a text is or contains a secret, judged by its
// form.
func HoldsSecret(s string) bool {
	switch {
	case strings.Contains(s, privateKey), isAuthorization(s), prefixesInTexts.in(s):
		return true
	case len(s) < minLength:
		return false
	case strings.HasPrefix(s, originKey) && strings.IndexByte(s, ' ') < 0:
		return len(s) >= originKeyLength
	case strings.HasPrefix(s, pemBlock):
		return !strings.HasPrefix(s, pemCertificate)
	}
	return holdsWebToken(s)
}

// holdsWebToken reports whether a text contains a web token.
func holdsWebToken(s string) bool {
	for i := strings.Index(s, webToken); i >= 0; {
		end := i
		for end < len(s) && (isAlnum(s[end]) || strings.IndexByte("-_.+/=", s[end]) >= 0) {
			end++
		}
		if end-i >= minLength && (i == 0 || !isAlnum(s[i-1])) {
			return true
		}
		next := strings.Index(s[end:], webToken)
		if next < 0 {
			break
		}
		i = end + next
	}
	return false
}

func isAlnum(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// isAuthorization reports whether a text is the value of an Authorization header,
// rather than a sentence that begins like one.
func isAuthorization(s string) bool {
	if !mayBeAuthorization(s) {
		return false
	}
	_, rest, _ := strings.Cut(s, " ")
	rest = strings.TrimSpace(rest)
	return !strings.Contains(rest, " ") && (len(rest) >= 20 || strings.ContainsAny(rest, "0123456789"))
}

// mayBeAuthorization reports whether a text begins with one of schemes.
func mayBeAuthorization(s string) bool {
	for i := range schemes {
		if text.FoldPrefix(s, schemes[i].text) {
			return true
		}
	}
	return false
}
