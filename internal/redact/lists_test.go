package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
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
	{"secretPhrases", secretPhrases, isSecretMember, nil},
	{"secretNames", secretNames, isSecretMember, nil},
	{"secretStems", secretStems, isSecretMember, isWithin},
	{"secretEnds", secretEnds, isSecretMember, nil},
	{"weakEnds", weakEnds, func(s string) bool {
		return isSecretMember(s) && !matchesSecretName(s, anObject) || strings.Contains(s, "pass")
	}, nil},
	{"headerParts", headerParts, isSecretMember, nil},
	{"headerEnds", headerEnds, isSecretMember, nil},
	{"plainHeaders", plainHeaders, isPlainHeader, nil},
	{"openEnds", openEnds, func(s string) bool { return isOpen(s) && !isSecretMember(s) }, nil},
	{"openBeginnings", openBeginnings, isHarmless, nil},
	{"openWords", openWords, isHarmless, nil},
	{"harmlessWords", harmlessWords, func(s string) bool { return !isSecretMember(s) }, nil},
	{"counted", counted, func(s string) bool { return !matchesSecretName(s, aNumber) && matchesSecretName(s, aText) }, nil},
	{"namesBeside", namesBeside, isShown, nil},
	{"publicBeside", publicBeside, isShown, nil},
	{"comparisonNames", comparisonNames, func(s string) bool {
		var doc jsondoc.Doc
		_ = doc.Parse(`{"resource":{"request":` + s + `}}`)
		return Entry(&doc, Policy{Values: true}) == 0
	}, nil},
	{"fileNames", fileNames, isShown, nil},
	{"plainCodes", plainCodes, func(s string) bool { return !isCodeName(s) }, nil},
	{"algorithms", algorithms, isAlgorithm, nil},
	{"pairNames", pairNames, isMasked, nil},
	{"privateParts", privateParts, isMasked, nil},
	{"settingWords", settingWords, isSetting, nil},
	{"publicKeys", publicKeys, isPublic, nil},
	{"signatureNames", signatureNames, isSignature, nil},
	{"signatureEnds", signatureEnds, isSignature, nil},
	{"optionParameters", optionParameters, func(s string) bool {
		m := masker{Policy: Policy{Hooks: true}}
		return m.links(s) == s && m.n == 0
	}, nil},
	{"cloudflareTokens", cloudflareTokens, func(s string) bool { return HasTokenPrefix(s) && HoldsSecret(s) }, isWithin},
	{"schemes", schemes, HoldsSecret, nil},
	{"secretPaths", secretPaths, func(s string) bool {
		var doc jsondoc.Doc
		_ = doc.Parse(called(s, answer(`{"result":"open-sesame"}`)))
		return Entry(&doc, Policy{}) == 1
	}, nil},
	{"hookPaths", hookPaths, isMaskedLink, nil},
	{"admissionPaths", admissionPaths, isMaskedLink, nil},
	{"streamSchemes", streamSchemes, isMaskedLink, nil},
	{"hooks", hooks, isMaskedLink, nil},
}

func isMaskedLink(s string) bool {
	var m masker
	return m.links(s) != s && m.n == 1
}

// isShown reports whether nothing in a body is masked.
func isShown(body string) bool { return countMasked(body) == 0 }

// isMasked reports whether one value in a body is masked.
func isMasked(body string) bool { return countMasked(body) == 1 }

func countMasked(body string) int {
	var doc jsondoc.Doc
	_ = doc.Parse(`{"metadata":` + body + `}`)
	return Entry(&doc, Policy{})
}

func isWithin(text, other string) bool { return strings.Contains(other, text) }

// isHarmless reports whether a name has a stem of secrets in it and is none.
func isHarmless(name string) bool { return stemsInText.in(name) && !isSecretMember(name) }

func TestLists_TheExampleOfEachRowIsRecognised(t *testing.T) {
	t.Parallel()
	for _, list := range lists {
		seen := map[string]bool{}
		for i, r := range list.rows {
			assert.True(t, list.is(r.example), "%s: %q", list.name, r.example)
			assert.False(t, seen[r.text], "%s: %q is there twice", list.name, r.text)
			seen[r.text] = true
			if list.name != "publicKeys" {
				assert.Equal(t, strings.ToLower(r.text), r.text, "%s: a row is in lower case", list.name)
			}
			for j, other := range list.rows {
				assert.False(t, i != j && list.covers != nil && list.covers(other.text, r.text), "%s: %q needs no row beside %q", list.name, r.text, other.text)
			}
		}
	}
}

// The example of a form is a token of it, and of no other kind; cut short, or as a
// part of a word, it is none.
func TestForms_TheExampleOfEachIsRecognised(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i := range tokenForms {
		f := &tokenForms[i]
		assert.False(t, seen[f.text], "%q is there twice", f.text)
		seen[f.text] = true
		assert.GreaterOrEqual(t, len(f.text), minWord, f.text)
		for _, text := range []string{f.example, "use " + f.example + " for it", `key="` + f.example + `"`} {
			assert.True(t, f.in(text), text)
			assert.True(t, HoldsSecret(text), text)
		}
		assert.False(t, f.in(f.text), f.text)
		if !f.within {
			assert.False(t, f.in("x"+f.example), f.text)
		}
	}
}
