package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// beside is what the members of an object say of each other. It is read once for
// an object, before anything in it is masked.
type beside struct {
	webKey  bool // it is a JSON web key, whose public parts are not secret
	binding bool // it declares itself a secret, as the binding of a Worker does
	pair    bool // a name in it says that its value is a secret
	record  bool // it is a record of the DNS, which is public
	keyName bool // a member "key" is a name, or a public key
	sql     bool // it is a statement of SQL
	json    bool // it is a variable whose value is JSON
	message bool // it describes an error
	// compares says that it is a condition, and its value what is compared with.
	compares bool
	plain    bool // it declares that its value is no secret
	file     bool // it describes a file
	token    bool // one of its names is a token
}

// besides reads the members of an object.
func besides(of jsondoc.Value) beside {
	var b beside
	var kind, name string
	for item := range of.All() {
		member := item.Name()
		if len(member) >= minTokenName || item.NameClass()&(jsondoc.Link|jsondoc.Escape) != 0 {
			b.token = b.token || isTokenName(member)
		}
		isText := item.Kind() == jsondoc.String
		b.compares = b.compares || isText && has(comparisonNames, member)
		b.plain = b.plain || member == "is_secret" && item.Kind() == jsondoc.False
		b.file = b.file || has(fileNames, member)
		switch {
		case has(namesBeside, member), has(publicBeside, member):
			b.keyName = true
		case !isText:
			b.message = b.message || member == "error" || member == "errors"
		case has(pairNames, member):
			name = item.Text()
			b.pair = b.pair || isVariable(name) && mayBeSecretName(name) && matchesSecretName(name, anObject)
		case member == "type":
			kind = item.Text()
		case member == "kty":
			b.webKey = item.Text() != ""
		case member == "sql":
			b.sql = true
		case member == "message", member == "error":
			b.message = true
		}
	}
	b.binding = strings.Contains(kind, "secret")
	b.json = kind == "json"
	b.plain = b.plain || kind == "plain_text"
	switch strings.ToLower(kind) {
	case "txt", "cname", "http", "caa", "mx", "ns", "srv":
		b.record = strings.IndexByte(name, '.') >= 0
	}
	return b
}

// explains reports whether a member with the name of a secret is something else,
// because of those beside it.
func (b beside) explains(name string, v jsondoc.Value) bool {
	return v.Kind() == jsondoc.String && (b.keyName && name == "key" || b.file && name == "hash")
}

// minTokenName is the least length of a name that is a token of another service.
const minTokenName = 20

// isTokenName reports whether the name of a member is itself a token.
func isTokenName(name string) bool {
	return prefixesInTexts.in(name) && (len(name) >= minTokenName && holdsToken(name) || contains(lowerASCII(name), cloudflareTokens))
}

// isVariable reports whether a text may be the name of a variable, of a header or
// of a field.
func isVariable(s string) bool {
	for i := range len(s) {
		if !isIDByte[s[i]] {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// isOneTimeCode reports whether the value of a member called "code" is one of a
// second factor or of an invitation, rather than that of an error or of a country.
func isOneTimeCode(v jsondoc.Value) bool {
	const fewestDigits, shortest = 6, 8
	code := v.Text()
	switch {
	case v.Kind() != jsondoc.String && v.Kind() != jsondoc.Number:
		return false
	case strings.Trim(code, "0123456789-") == "":
		return len(code) >= fewestDigits
	}
	return v.Kind() == jsondoc.String && len(code) >= shortest && tokenRun(code) == len(code) && strings.ContainsAny(code, "0123456789") && looksMixed(code)
}
