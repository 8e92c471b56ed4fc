package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// assigned masks what a text assigns to the name of a secret, such as "token: x",
// "api_key = 'x'" or "Password=x;", and the password in a call of curl.
func (m *masker) assigned(s string) string {
	s = m.authorizations(s)
	if !stemsInText.in(s) {
		return m.userOption(s)
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		next := strings.IndexAny(s[i:], ":=,> ")
		if next < 0 {
			break
		}
		at := i + next
		from, to := m.assignedAt(s, at)
		i = max(at+1, to)
		if to == from {
			continue
		}
		m.n++
		b.WriteString(s[done:from])
		b.WriteString(Masked)
		done = to
	}
	return m.userOption(b.String() + s[done:])
}

// assignedAt is where in s the value is that a sign at at assigns to a secret: by the
// sign itself, as the content of an element, or behind an option or a password. There
// may be none.
func (m *masker) assignedAt(s string, at int) (from, to int) {
	before, behind := s[:at], s[at+1:]
	switch s[at] {
	default:
		return valueAfter(s, at, nameBefore(before))
	case ',':
		if !isCall(s, at) {
			return 0, 0
		}
		return valueAfter(s, at, nameBefore(before))
	case '>':
		name := lastName(before)
		to = strings.IndexByte(behind, '<')
		if to <= 0 || !strings.HasSuffix(before, "<"+name) || !isAssignable(name) || !isAssigned(behind[:to], true, name) {
			return 0, 0
		}
		return at + 1, at + 1 + to
	case ' ':
		name := lastName(before)
		to = len(behind)
		if n := strings.IndexAny(behind, space+quotes+",;"); n >= 0 {
			to = n
		}
		value := behind[:to]
		switch option := strings.TrimLeft(name, "-"); {
		case len(name)-len(option) == len("--") && isAssignable(option) && isAssigned(value, false, option):
		case isPasswordWord(name) && len(value) >= shortPassword && isAssigned(value, false, name) && strings.Trim(value, "0123456789-.:") != "":
		default:
			return 0, 0
		}
		return at + 1, at + 1 + to
	}
}

// shortPassword is the least length of a password that follows its name without a
// sign.
const shortPassword = 6

// isPasswordWord reports whether a word says that a password follows.
func isPasswordWord(s string) bool {
	return strings.EqualFold(s, "password") || strings.EqualFold(s, "passwd")
}

// lastName is the name that a text ends in.
func lastName(s string) string {
	start := len(s)
	for start > 0 && isIDByte[s[start-1]] {
		start--
	}
	return s[start:]
}

// isAssignable reports whether a text may assign a secret to a name.
func isAssignable(name string) bool {
	if name == "" || len(name) < minWord {
		return false
	}
	if matchesSecretName(name, anObject) {
		return true
	}
	var memory nameMemory
	return memory.wordsOf(name).endsIn(passwords)
}

// passwords are the ends of names of passwords that are too common in words to be
// among the stems.
var passwords = newEnds([]row{{passWord, "DB_PASS"}})

// nameBefore is the name at the end of a text, without the quotes around it.
func nameBefore(s string) string {
	end := strings.TrimRight(s, " \t\\\"'`")
	start := len(end) - len(lastName(end))
	// "API key" is one name.
	if name := end[start:]; !strings.EqualFold(name, "key") || start == 0 || end[start-1] != ' ' {
		return name
	}
	before := strings.TrimRight(end[:start], " ")
	word := len(before)
	for word > 0 && isIDByte[before[word-1]] {
		word--
	}
	return strings.ReplaceAll(end[word:], " ", "_")
}

// quotes are what a value may stand in, possibly escaped.
const quotes = "\"'`"

// valueAfter is where in s the value is that a sign at at assigns to a secret. There
// may be none.
func valueAfter(s string, at int, name string) (from, to int) {
	if !isAssignable(name) {
		return 0, 0
	}
	tight := s[at] == '='
	from = at + 1
	if strings.HasPrefix(s[from:], "//") {
		return 0, 0 // the scheme of an address
	}
	for from < len(s) && (s[from] == '=' || s[from] == '>') {
		if s[from] == '=' && tight {
			return 0, 0 // a comparison
		}
		from++
	}
	for from < len(s) && (s[from] == ' ' || s[from] == '\t') {
		tight = false
		from++
	}
	for i := range schemes {
		if n := len(schemes[i].text); len(s)-from > n && strings.EqualFold(s[from:from+n], schemes[i].text) {
			from += n
			break
		}
	}
	quote := from
	for quote < len(s) && s[quote] == '\\' {
		quote++
	}
	if quote < len(s) && strings.IndexByte(quotes, s[quote]) >= 0 {
		from = quote + 1
		to = len(s)
		if n := strings.IndexAny(s[from:], s[quote:from]+"\\\n"); n >= 0 {
			to = from + n
		}
		if !isAssigned(s[from:to], s[at] != ',', name) {
			return 0, 0
		}
		return from, to
	}
	to = len(s)
	if n := strings.IndexAny(s[from:], space+quotes+",;&)}]<>|"); n >= 0 {
		to = from + n
	}
	if s[at] == ':' && to > from && strings.IndexByte(".?!:", s[to-1]) >= 0 {
		to--
	}
	if !isAssigned(s[from:to], tight, name) {
		return 0, 0
	}
	return from, to
}

// isCall reports whether a comma in s stands between two texts, as in a call that sets
// a header.
func isCall(s string, at int) bool {
	next := strings.TrimLeft(s[at+1:], " \\")
	return at > 0 && strings.IndexByte(quotes, s[at-1]) >= 0 && next != "" && strings.IndexByte(quotes, next[0]) >= 0
}

// authorizations masks what stands in a text behind one of schemes and looks random.
func (m *masker) authorizations(s string) string {
	const shortest = 16
	if !schemesInText.in(s) {
		return s
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		for k := range schemes {
			from := i + len(schemes[k].text)
			if !text.FoldPrefix(s[i:], schemes[k].text) || i > 0 && isAlnum(s[i-1]) {
				continue
			}
			if n := tokenRun(s[from:]); n >= shortest && looksMixed(s[from:from+n]) {
				m.n++
				b.WriteString(s[done:from])
				b.WriteString(Masked)
				done = from + n
				i = done - 1
			}
			break
		}
	}
	return b.String() + s[done:]
}

// schemesInText finds schemes.
var schemesInText = newWords(texts(schemes))

// isAssigned reports whether a text is the value of a secret, rather than a place
// for one or the next word of a sentence. sure says that it can be no word.
func isAssigned(value string, sure bool, name string) bool {
	const shortest, longWord = 4, 24
	if value == "" || strings.HasPrefix(value, "[") || strings.IndexByte("<$%{*(/", value[0]) >= 0 || isSetting(value) || isPublic(value) || strings.Trim(value, ".*?+\\^") == "" {
		return false
	}
	if strings.EqualFold(name, "key") {
		return isRandom(value)
	}
	return sure || len(value) >= shortest && strings.ContainsAny(value, "0123456789") || len(value) >= longWord
}

// userOption masks the password in the option of curl for a user.
func (m *masker) userOption(s string) string {
	if !strings.Contains(s, "curl ") {
		return s
	}
	for _, option := range []string{" -u ", " --user "} {
		before, behind, found := strings.Cut(s, option)
		if !found {
			continue
		}
		end := len(behind)
		if n := strings.IndexAny(behind, space); n >= 0 {
			end = n
		}
		if user, password, found := strings.Cut(behind[:end], ":"); found && strings.Trim(password, quotes) != "" && password != Masked {
			m.n++
			s = before + option + user + ":" + Masked + behind[end:]
		}
	}
	return s
}
