package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// lists are those of lists.go, and what says that the example of a row is
// recognised.
var lists = []struct {
	name string
	rows []row
	is   func(example string) bool
	// covers reports whether a row makes another one needless.
	covers func(text, other string) bool
}{
	{"secretWords", secretWords, isSecretMember, isWithin},
	{"secretEnds", secretEnds, isSecretMember, nil},
	{"secretNames", secretNames, isSecretMember, nil},
	{"headerParts", headerParts, isSecretMember, nil},
	{"headerEnds", headerEnds, isSecretMember, nil},
	{"plainHeaders", plainHeaders, isPlainHeader, nil},
	{"openEnds", openEnds, func(s string) bool { return isOpenEnd(s) && !isSecretMember(s) }, isEndOf},
	{"harmlessParts", harmlessParts, isHarmless, nil},
	{"harmlessEnds", harmlessEnds, isHarmless, nil},
	{"harmlessBeginnings", harmlessBeginnings, isHarmless, nil},
	{"signatureNames", signatureNames, isSignature, nil},
	{"signatureEnds", signatureEnds, isSignature, nil},
	{"tokenPrefixes", tokenPrefixes, func(s string) bool { return HasTokenPrefix(s) && HoldsSecret(s) }, isWithin},
	{"schemes", schemes, HoldsSecret, nil},
	{"passwordEnds", passwordEnds, assignsPassword, nil},
	{"hooks", hooks, func(s string) bool {
		var m masker
		return m.links(s) != s && m.n == 1
	}, nil},
}

func isWithin(text, other string) bool { return strings.Contains(other, text) }

func isEndOf(text, other string) bool { return strings.HasSuffix(other, text) }

// isHarmless reports whether a name has a word of secrets in it and is none.
func isHarmless(name string) bool {
	return wordsInNames.in(name) && !isOpenEnd(name) && !isSecretMember(name)
}

func TestLists_TheExampleOfEachRowIsRecognised(t *testing.T) {
	t.Parallel()
	for _, list := range lists {
		seen := map[string]bool{}
		for i, r := range list.rows {
			assert.True(t, list.is(r.example), "%s: %q", list.name, r.example)
			assert.False(t, seen[r.text], "%s: %q is there twice", list.name, r.text)
			seen[r.text] = true
			if list.name != "openEnds" {
				assert.Equal(t, strings.ToLower(r.text), r.text, "%s: a row is in lower case", list.name)
			}
			host, below, _ := strings.Cut(strings.ToLower(r.text), "/")
			example := strings.ToLower(r.example)
			assert.Contains(t, example, host, "%s: the example is not one of its row", list.name)
			assert.Contains(t, example, below)
			for j, other := range list.rows {
				assert.False(t, i != j && list.covers != nil && list.covers(other.text, r.text), "%s: %q needs no row beside %q", list.name, r.text, other.text)
			}
		}
	}
}
