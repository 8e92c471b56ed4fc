package redact

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// privateKey stands in the first line of a private key in PEM.
	privateKey = "PRIVATE KEY"
	// puttyKey begins a private key of PuTTY.
	puttyKey = "PuTTY-User-Key-File"
	// originKey begins the key of the Origin CA, which is at least 40 bytes long.
	originKey, originKeyLength = "v1.0-", 40
	// secondFactor begins an address with the seed of a second factor.
	secondFactor = "otpauth://"
	// pemBlock begins a PEM block in base64, and pemCertificate one that is a
	// certificate, which is public.
	pemBlock, pemCertificate = "LS0tLS1CRUdJTi", "LS0tLS1CRUdJTiBDRVJU"
	// pemBegin begins a PEM block.
	pemBegin = "-----BEGIN "
	// webToken begins a JSON web token, or the token of a tunnel: a brace and a
	// quote in base64.
	webToken = "eyJ"
	// minLength is the least length of a text that may be one of pemBlock,
	// originKey or webToken.
	minLength = 32
	// globalKeyLength is the length of a Global API key, which is hexadecimal, and
	// apiTokenLength that of an API token of the old kind.
	globalKeyLength, apiTokenLength = 37, 40
	// minBase64 is the least length of a text that is looked at in base64.
	minBase64 = 24
)

var prefixesInTexts = newWords(prefixTexts())

// HasTokenPrefix reports whether a text contains a token of a known kind.
func HasTokenPrefix(s string) bool { return prefixesInTexts.in(s) && holdsToken(s) }

// HoldsSecret reports whether a text is or contains a secret, judged by its
// form.
func HoldsSecret(s string) bool {
	switch {
	case strings.Contains(s, privateKey), isAuthorization(s), HasTokenPrefix(s), strings.Contains(s, secondFactor), strings.HasPrefix(s, puttyKey):
		return true
	case len(s) < minLength:
		return false
	case strings.HasPrefix(s, originKey) && strings.IndexByte(s, ' ') < 0:
		return len(s) >= originKeyLength
	case strings.HasPrefix(s, pemBlock):
		return !strings.HasPrefix(s, pemCertificate)
	}
	return holdsWebToken(s) || holdsBareToken(s)
}

// holdsToken reports whether a text contains one of cloudflareTokens or
// tokenForms.
func holdsToken(s string) bool {
	if lower := lowerASCII(s); contains(lower, cloudflareTokens) {
		return true
	}
	for i := range tokenForms {
		if tokenForms[i].in(s) {
			return true
		}
	}
	return false
}

// in reports whether a text contains a token of this kind.
func (f *form) in(s string) bool {
	for {
		at := strings.Index(s, f.text)
		if at < 0 {
			return false
		}
		rest := s[at+len(f.text):]
		if (f.within || at == 0 || !isAlnum(s[at-1])) && f.fits(rest) {
			return true
		}
		s = rest
	}
}

// fits reports whether what follows the text of a form completes a token. Where
// the text is not telling, it must not look like words.
func (f *form) fits(rest string) bool {
	n := tokenRun(rest)
	// Tokens with an underscore behind their prefix are no base64, which has slashes.
	if end := strings.IndexByte(rest[:n], '/'); end >= 0 && strings.HasSuffix(f.text, "_") {
		n = end
	}
	// An equals sign ends base64, or a name.
	if end := strings.IndexByte(rest[:n], '='); end >= 0 && strings.Trim(rest[end:n], "=") != "" {
		n = end
	}
	return n >= f.least && (f.least < some || looksMixed(rest[:n]))
}

// tokenRun is how many characters of a token s begins with.
func tokenRun(s string) int {
	n := 0
	for n < len(s) && isTokenByte[s[n]] {
		n++
	}
	return n
}

// isTokenByte are the characters of tokens and of base64.
var isTokenByte = func() (is [256]bool) {
	for c := range is {
		is[c] = isAlnum(byte(c)) || strings.IndexByte("-_.~+/=", byte(c)) >= 0
	}
	return is
}()

// looksMixed reports whether a text has a digit, or letters of both cases.
func looksMixed(s string) bool {
	digit, lower, upper := false, false, false
	for i := range len(s) {
		digit = digit || isDigit(s[i])
		lower = lower || isLower(s[i])
		upper = upper || isCapital(s[i])
	}
	return digit || lower && upper
}

// holdsBareToken reports whether a text contains a Global API key, or an API token
// of the old kind.
func holdsBareToken(s string) bool {
	for start := 0; start < len(s); {
		end := start
		for end < len(s) && isIDByte[s[end]] {
			end++
		}
		if n := end - start; (n == globalKeyLength || n == apiTokenLength) && isBareToken(s[start:end]) {
			return true
		}
		start = end + 1
	}
	return false
}

// isIDByte are the characters of ids and of Cloudflare's tokens.
var isIDByte = func() (is [256]bool) {
	for c := range is {
		is[c] = isAlnum(byte(c)) || c == '-' || c == '_'
	}
	return is
}()

// isBareToken reports whether a word of the length of a token is one. An API token
// has capital letters, small ones and digits throughout; names do not.
func isBareToken(s string) bool {
	digits, lower, upper, hex := 0, 0, 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case isDigit(c):
			digits++
			hex++
		case isLower(c):
			lower++
			if c <= 'f' {
				hex++
			}
		case isCapital(c):
			upper++
		}
	}
	if len(s) == globalKeyLength {
		return hex == len(s) && digits > 0 && lower > 0
	}
	return digits >= 2 && lower >= 6 && upper >= 6
}

// decoded is the text that s is in base64, if it is one.
func decoded(s string) (string, bool) {
	if !mayBeBase64(s) {
		return "", false
	}
	s = strings.TrimRight(s, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.DecodeString(s)
	if err != nil || !utf8.Valid(b) {
		return "", false
	}
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return "", false
		}
	}
	return string(b), true
}

// mayBeBase64 reports whether a text may be another one in base64, judged by its
// characters and by the first three bytes encoded.
func mayBeBase64(s string) bool {
	// The first byte is a letter, a digit or so, and white space at most.
	if len(s) < minBase64 || !(s[0] >= 'I' && s[0] <= 'f' && isAlnum(s[0]) || s[0] == 'C' || s[0] == 'D') {
		return false
	}
	var first [3]byte
	if strings.ContainsAny(s[:4], "-_") {
		if _, err := base64.RawURLEncoding.Decode(first[:], []byte(s[:4])); err != nil {
			return false
		}
	} else if _, err := base64.RawStdEncoding.Decode(first[:], []byte(s[:4])); err != nil {
		return false
	}
	for _, c := range first {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; !isTokenByte[c] || c == '.' || c == '~' {
			return false
		}
	}
	return true
}

// isPublic reports whether a text is, by its form, nothing but a certificate or a
// public key.
func isPublic(s string) bool {
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, pemCertificate):
		return true
	case strings.HasPrefix(s, pemBegin):
		return !HoldsSecret(s) && (strings.Contains(s, "CERTIFICATE") || strings.Contains(s, "PUBLIC KEY"))
	}
	return slices.ContainsFunc(publicKeys, func(r row) bool { return strings.HasPrefix(s, r.text) })
}

// isAlgorithm reports whether a text is the name of an algorithm.
func isAlgorithm(s string) bool {
	return slices.ContainsFunc(algorithms, func(r row) bool { return strings.EqualFold(r.text, s) })
}

// isField reports whether a text says, in the rules language, where in a request a
// value is to be found.
func isField(s string) bool {
	at := strings.Index(s, requestField)
	if at < 0 || HoldsSecret(s) {
		return false
	}
	call := strings.TrimRight(s[:at], "(")
	return call == "" || len(call) < at && isVariable(call)
}

// requestField begins the names of the fields of a request.
const requestField = "http.request."

// isPadded reports whether a text is nothing but base64 with padding.
func isPadded(s string) bool {
	bare := strings.TrimRight(s, "=")
	return len(bare) < len(s) && len(s)%4 == 0 && tokenRun(bare) == len(bare) && !strings.ContainsAny(bare, ".~=")
}

// publicKeys begin public keys of SSH.
var publicKeys = []row{
	{"ssh-rsa AAAA", "ssh-rsa AAAAB3NzaC1yc2E"}, {"ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"},
	{"ecdsa-sha2-", "ecdsa-sha2-nistp256 AAAAE2VjZHNh"}, {"sk-ssh-ed25519", "sk-ssh-ed25519@openssh.com AAAAGnNr"},
}

// isSetting reports whether a text is, by its form, a setting rather than a
// secret: a switch, a small number, a time or how long, an address of the network
// or of e-mail, a host.
func isSetting(s string) bool {
	const longest = 253
	if s == "" || len(s) > longest {
		return s == ""
	}
	if slices.ContainsFunc(settingWords, func(r row) bool { return strings.EqualFold(r.text, s) }) {
		return true
	}
	if isDigit(s[0]) {
		return isQuantity(s)
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	host := s
	if user, at, found := strings.Cut(s, "@"); found {
		if user == "" || strings.ContainsAny(user, space+":/") {
			return false
		}
		host = at
	}
	return isHost(strings.TrimPrefix(host, "*."))
}

const (
	// maxDigits bounds the digits of a number that is a setting.
	maxDigits = 5
	// maxVersion bounds the length of a version, which is numbers with dots between.
	maxVersion = 15
)

// isQuantity reports whether a text that begins with a digit is a small number, a
// time, how long, or an address of the network.
func isQuantity(s string) bool {
	if strings.Trim(s, "0123456789") == "" {
		return len(s) <= maxDigits
	}
	if _, err := time.ParseDuration(s); err == nil {
		return true
	}
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return true
	}
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil || strings.Trim(s, "0123456789.") == "" && (len(s) <= maxDigits || len(s) <= maxVersion && strings.Count(s, ".") > 1) || isHost(s)
}

// isHost reports whether a text is the name of a host, none of whose labels looks
// random.
func isHost(s string) bool {
	labels := 0
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || isOpaque(part) {
			return false
		}
		for i := range len(part) {
			if c := part[i]; !isLower(c) && !isDigit(c) && c != '-' {
				return false
			}
		}
		labels++
	}
	return labels > 1 && isLower(s[len(s)-1])
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

// lowerASCII is s with its capital letters of ASCII made small.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if isCapital(c) {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
