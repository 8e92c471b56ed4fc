package cloudflareaudit

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// readOptions make the JSON reader as forgiving as a feed needs it to be: one
// invalid UTF-8 byte or one repeated key must not cost a page of a thousand
// entries.
var readOptions = []jsontext.Options{
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
}

// value is one JSON value, known to be well formed, as it stands in an entry.
// The empty value means that there is none. What its methods return shares its
// memory wherever no escape sequence has to be undone.
type value string

// kind is the kind of v, or 0 when there is no value.
func (v value) kind() jsontext.Kind {
	if v == "" {
		return 0
	}
	switch c := v[0]; c {
	case '-', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	default:
		return jsontext.Kind(c)
	}
}

// text is v as text: the content of a string, a number or boolean as written,
// and "" for null, for an object or array and for no value. NUL characters are
// removed, because no consumer of an event expects one.
func (v value) text() string {
	switch v.kind() {
	case '"':
		return unquote(string(v))
	case '0', 't', 'f':
		return string(v)
	}
	return ""
}

// each calls fn for the members of an object, or for the elements of an array
// with an empty key, in order, until fn returns false. It does nothing for any
// other kind of value.
//
// It only finds where each value ends, which takes half the time of reading it
// again. That is enough because values are known to be well formed; of others
// it comes to an end too.
func (v value) each(fn func(key string, member value) bool) {
	kind := v.kind()
	if kind != '{' && kind != '[' {
		return
	}
	s := string(v)
	for i := skipSpace(s, 1); ; {
		key, member, end := memberAt(s, i, kind == '{')
		if member == "" || !fn(key, member) {
			return
		}
		i = behind(s, end)
	}
}

// memberAt is the member of an object, or the element of an array, that begins
// at i, and where it ends. Behind the last one the value is "".
func memberAt(s string, i int, isObject bool) (key string, member value, end int) {
	if i >= len(s) || s[i] == '}' || s[i] == ']' {
		return "", "", i
	}
	if isObject {
		if s[i] != '"' {
			return "", "", i
		}
		end = skipString(s, i)
		key = s[i:end]
		i = skipSpace(s, skipSpace(s, end)+1) // behind the colon
	}
	end = skipValue(s, i)
	if end <= i {
		return "", "", i
	}
	if isObject {
		key = unquote(key)
	}
	return key, value(s[i:end]), end
}

// behind is where the member behind the one that ends at end begins.
func behind(s string, end int) int {
	return min(skipSpace(s, skipSpace(s, end)+1), len(s))
}

// skipSpace is where the white space at i ends.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString is where the string at i ends.
func skipString(s string, i int) int {
	for i++; i < len(s); {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			break
		}
		// A quote behind an odd number of backslashes is part of the string.
		escaped := false
		for back := i + n - 1; back >= i && s[back] == '\\'; back-- {
			escaped = !escaped
		}
		i += n + 1
		if !escaped {
			return i
		}
	}
	return len(s)
}

// skipValue is where the value at i ends.
func skipValue(s string, i int) int {
	for depth := 0; i < len(s); {
		switch s[i] {
		case '"':
			i = skipString(s, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth <= 0 {
				return i + 1 + min(depth, 0)
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(s)
}

// get is the member of an object that path leads to, or "" when there is none.
// Of a repeated key the last one counts.
func (v value) get(path ...string) value {
	for _, name := range path {
		var found value
		v.each(func(key string, member value) bool {
			if key == name {
				found = member
			}
			return true
		})
		v = found
	}
	return v
}

// unquote is the content of a JSON string literal, without NUL characters.
func unquote(literal string) string {
	inner := literal[1 : len(literal)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// The only error is invalid UTF-8, which AppendUnquote has replaced.
	b, _ := jsontext.AppendUnquote(make([]byte, 0, len(inner)), literal)
	return strings.ReplaceAll(string(b), "\x00", "")
}

// number is v as an integer, or 0 when it is not one. A number in quotes
// counts.
func number(v value) int {
	n, err := strconv.Atoi(v.text())
	if err != nil {
		return 0
	}
	return n
}
