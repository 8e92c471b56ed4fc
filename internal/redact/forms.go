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
	// minLength is the length from which on a text may be one of the last three.
	minLength = 32
)

var prefixesInTexts = newWords(texts(tokenPrefixes))

// HasTokenPrefix reports whether the prefix of a known kind of token stands in a
// text, in any case.
func HasTokenPrefix(text string) bool { return prefixesInTexts.in(text) }

// HoldsSecret reports whether a text is a secret or has one in it, judged by its
// form.
func HoldsSecret(text string) bool {
	switch {
	case strings.Contains(text, privateKey), isAuthorization(text), prefixesInTexts.in(text):
		return true
	case len(text) < minLength:
		return false
	case strings.HasPrefix(text, originKey) && strings.IndexByte(text, ' ') < 0:
		return len(text) >= originKeyLength
	case strings.HasPrefix(text, pemBlock):
		return !strings.HasPrefix(text, pemCertificate)
	}
	return holdsWebToken(text)
}

// holdsWebToken reports whether a web token stands in a text.
func holdsWebToken(text string) bool {
	for i := strings.Index(text, webToken); i >= 0; {
		end := i
		for end < len(text) && (isAlnum(text[end]) || strings.IndexByte("-_.+/=", text[end]) >= 0) {
			end++
		}
		if end-i >= minLength && (i == 0 || !isAlnum(text[i-1])) {
			return true
		}
		next := strings.Index(text[end:], webToken)
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
