package redact

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Every name of a secret contains one of signsInNames, except for names with a
// letter that only lower-casing makes ASCII.
var signsInNames = newWords(slices.Concat(texts(secretStems, headerParts, headerEnds, secretNames, secretEnds, weakEnds), signsOf(secretPhrases, "")))

// stemsInText finds the stems of the names to which a text may assign a secret.
var stemsInText = newWords(append(texts(secretStems), passWord))

// passWord is the last word of names to which a text may assign a password.
const passWord = "pass"

// signsOf are for each phrase its last word, and the letters before it, since words
// may be separated in several ways. end is what follows a phrase.
func signsOf(phrases []row, end string) []string {
	var signs []string
	for _, phrase := range phrases {
		at := strings.LastIndexByte(phrase.text, '_')
		if at < 0 {
			signs = append(signs, phrase.text+end)
			continue
		}
		for _, separator := range []string{"_", "-", ""} {
			signs = append(signs, phrase.text[at-2:at]+separator+phrase.text[at+1:]+end)
		}
	}
	slices.Sort(signs)
	return slices.Compact(signs)
}

// isSecretName is isSecret for the name of v, whose class is known.
func (m *masker) isSecretName(name string, v jsondoc.Value) bool {
	if class := v.NameClass(); class&(jsondoc.Wide|jsondoc.Escape) == 0 && !m.thorough && !signsInNames.in(name) {
		return false
	}
	return matchesSecretName(name, kindOf(v))
}

// isSecretMember reports whether a member that is a text holds a secret, judged
// by its name, rather than something public about one.
func isSecretMember(name string) bool { return mayBeSecretName(name) && matchesSecretName(name, aText) }

// mayBeSecretName reports whether it is worth while to match a name.
func mayBeSecretName(name string) bool { return signsInNames.in(name) || !text.IsASCII(name) }

// shape is what counts of a value when its name is judged.
type shape byte

const (
	aText shape = iota // or a list of them
	aNumber
	anObject // or a list of them
)

func kindOf(v jsondoc.Value) shape {
	switch v.Kind() {
	case jsondoc.Number:
		return aNumber
	case jsondoc.Object:
		return anObject
	case jsondoc.Array:
		return kindOf(v.First())
	}
	return aText
}

// matchesSecretName matches a name against the lists.
func matchesSecretName(name string, of shape) bool {
	if isSecretHeader(name) {
		return true
	}
	var memory nameMemory
	n := memory.wordsOf(name)
	switch {
	case n.is(secretNames), n.endsIn(phraseNames):
		return true
	case n.endsIn(openNames), n.beginsWith(openBeginnings), n.has(openWords), of == aNumber && n.endsIn(countedNames):
		return false
	}
	return n.endsIn(secretTails) || of == aText && n.endsIn(weakTails) || n.hasStem()
}

// isOpen reports whether a name marks the member as public, even within a secret.
func isOpen(name string) bool {
	var memory nameMemory
	n := memory.wordsOf(name)
	return n.endsIn(openNames) || n.has(openWords)
}

// isPublicName reports whether a name says that a key is public.
func isPublicName(name string) bool {
	var memory nameMemory
	return name != "" && memory.wordsOf(name).has(openWords)
}

// nameWords are the words of a name in lower case, with an underscore before and
// behind each.
type nameWords string

// maxName bounds the part of a name that is looked at, from its end.
const maxName = 64

// nameMemory has room for the words of a name, so that looking at one costs no
// memory.
type nameMemory [2*maxName + 2]byte

// wordsOf splits a name at its hyphens and underscores, and where a capital letter
// begins a word.
func (b *nameMemory) wordsOf(name string) nameWords {
	if !text.IsASCII(name) {
		name = strings.ToLower(name) // which may make letters ASCII
	}
	name = name[max(0, len(name)-maxName):]
	b[0] = '_'
	n := 1
	for i := range len(name) {
		c := name[i]
		if isCapital(c) {
			if i > 0 && b[n-1] != '_' && (!isCapital(name[i-1]) || i+1 < len(name) && isLower(name[i+1])) {
				b[n] = '_'
				n++
			}
			c += 'a' - 'A'
		} else if c == '-' {
			c = '_'
		}
		b[n] = c
		n++
	}
	b[n] = '_'
	return nameWords(unsafe.String(&b[0], n+1))
}

func isLower(c byte) bool   { return 'a' <= c && c <= 'z' }
func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool   { return '0' <= c && c <= '9' }

func (n nameWords) is(rows []row) bool { return has(rows, string(n[1:len(n)-1])) }

func (n nameWords) has(rows []row) bool {
	for rest := string(n[1:]); rest != ""; {
		word, behind, _ := strings.Cut(rest, "_")
		if has(rows, word) {
			return true
		}
		rest = behind
	}
	return false
}

// ends are texts that names may end in, by their last word.
type ends map[string][]string

func newEnds(rows []row) ends {
	e := make(ends, len(rows))
	for _, r := range rows {
		last := r.text[strings.LastIndexByte(r.text, '_')+1:]
		e[last] = append(e[last], r.text)
	}
	return e
}

var openNames, phraseNames, secretTails, weakTails, countedNames = newEnds(openEnds), newEnds(secretPhrases), newEnds(secretEnds), newEnds(weakEnds), newEnds(counted)

// endsIn reports whether a name ends in one of the texts, at the beginning of a
// word.
func (n nameWords) endsIn(e ends) bool {
	s := string(n[:len(n)-1])
	for _, end := range e[s[strings.LastIndexByte(s, '_')+1:]] {
		if before, ok := strings.CutSuffix(s, end); ok && before != "" && before[len(before)-1] == '_' {
			return true
		}
	}
	return false
}

func (n nameWords) beginsWith(rows []row) bool {
	for i := range rows {
		if rest, ok := strings.CutPrefix(string(n[1:]), rows[i].text); ok && rest != "" && (rest[0] == '_' || rest[0] == '.') {
			return true
		}
	}
	return false
}

// hasStem reports whether one of secretStems stands in a word that is not
// harmless.
func (n nameWords) hasStem() bool {
	for rest := string(n[1:]); rest != ""; {
		word, behind, _ := strings.Cut(rest, "_")
		if contains(word, secretStems) && !has(harmlessWords, word) {
			return true
		}
		rest = behind
	}
	return false
}

// isSecretHeader reports whether a header authenticates its sender, judged by its
// name.
func isSecretHeader(name string) bool {
	if strings.IndexByte(name, '-') < 0 {
		return false
	}
	lower := strings.ToLower(name)
	return contains(lower, headerParts) || hasSuffix(lower, headerEnds)
}

// isCodeName reports whether a name is that of a code that may let in.
func isCodeName(name string) bool {
	const code = "code"
	at := len(name) - len(code)
	if at <= 0 || !strings.EqualFold(name[at:], code) {
		return false
	}
	var memory nameMemory
	before, ok := strings.CutSuffix(string(memory.wordsOf(name)), "_"+code+"_")
	return ok && !has(plainCodes, before[strings.LastIndexByte(before, '_')+1:])
}

// isHeaders reports whether the members of an object with this name are headers.
func isHeaders(name string) bool {
	for _, end := range []string{"header", "headers"} {
		if at := len(name) - len(end); at >= 0 && strings.EqualFold(name[at:], end) {
			return true
		}
	}
	return false
}

// isPlainHeader reports whether a header is never secret.
func isPlainHeader(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(plainHeaders, func(r row) bool { return lower == r.text })
}

// isSignature reports whether a parameter is the signature of its address.
func isSignature(name string) bool {
	return slices.ContainsFunc(signatureNames, func(r row) bool { return strings.EqualFold(name, r.text) }) ||
		hasSuffix(strings.ToLower(name), signatureEnds)
}

// IsValue reports whether a member is the value of a variable or of a secret.
func IsValue(name string) bool { return name == "value" || name == "text" || name == "json" }

// isHidden reports whether a member of a text that cannot be read as JSON may be
// a secret.
func isHidden(name string) bool { return name == "value" || name == "text" || isSecretMember(name) }

// has reports whether rows have a text.
func has(rows []row, s string) bool {
	for i := range rows {
		if rows[i].text == s {
			return true
		}
	}
	return false
}

func hasSuffix(s string, rows []row) bool {
	for i := range rows {
		if strings.HasSuffix(s, rows[i].text) {
			return true
		}
	}
	return false
}

func contains(s string, rows []row) bool {
	for i := range rows {
		if strings.Contains(s, rows[i].text) {
			return true
		}
	}
	return false
}
