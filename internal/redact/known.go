package redact

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Known is a secret that the caller knows, such as the token it reads the log with.
// It is masked wherever it stands, in base64, too. The zero Known is none.
type Known struct {
	// hide keeps the secret from anything that prints a struct.
	hide func(s string) (shown string, masked int)
	// shortest is the least length of a text with the secret in it.
	shortest int
}

// minKnown is the least length of a secret that is looked for. A shorter one would
// be found in ordinary words.
const minKnown = 8

// NewKnown makes a Known of a secret. It is the zero Known for one too short to be
// one.
func NewKnown(secret string) Known {
	if len(secret) < minKnown {
		return Known{}
	}
	forms := text.InBase64(secret)
	shortest := len(secret)
	for _, f := range forms {
		shortest = min(shortest, len(f))
	}
	return Known{shortest: shortest, hide: func(s string) (string, int) {
		masked := 0
		for _, f := range forms {
			if n := strings.Count(s, f); n > 0 {
				masked += n
				s = strings.ReplaceAll(s, f, Masked)
			}
		}
		return s, masked
	}}
}

// Text is s without the secret, and how often it stood there.
func (k Known) Text(s string) (shown string, masked int) {
	if k.hide == nil {
		return s, 0
	}
	return k.hide(s)
}

// Entry masks the secret in the entry that doc holds, and returns in how many values
// it stood.
func (k Known) Entry(doc *jsondoc.Doc) (masked int) {
	root := doc.Root()
	if k.hide == nil || !root.Exists() {
		return 0
	}
	if !root.AnyText(k.shortest, k.mayBeIn) {
		return 0
	}
	return k.value(root)
}

// mayBeIn reports whether a text, as written in JSON, may contain the secret.
func (k Known) mayBeIn(raw string, class jsondoc.Class) bool {
	// An escape may denote any character.
	if class&jsondoc.UnicodeEscape != 0 {
		return true
	}
	_, n := k.hide(raw)
	return n > 0 || class&jsondoc.Escape != 0 && k.isIn(strings.ReplaceAll(raw, `\/`, "/"))
}

func (k Known) isIn(s string) bool {
	_, n := k.hide(s)
	return n > 0
}

func (k Known) value(v jsondoc.Value) (masked int) {
	switch v.Kind() {
	case jsondoc.String:
		shown, n := k.hide(v.Text())
		if n > 0 {
			v.Doc().Replace(v, shown)
			return 1
		}
	case jsondoc.Object, jsondoc.Array:
		for item := range v.All() {
			if _, n := k.hide(item.Name()); n > 0 {
				v.Doc().Replace(v, Masked) // since a name cannot be replaced
				return masked + 1
			}
			masked += k.value(item)
		}
	}
	return masked
}

// Line masks the secrets in a line of an event: the words that are one by their form,
// those in addresses and in what it assigns, and the secret that is known.
func (k Known) Line(s string) string {
	s, _ = k.Text(s)
	if HoldsSecret(s) {
		s = mapParts(s, space, func(word string) string {
			if HoldsSecret(word) {
				return Masked
			}
			return word
		})
	}
	if HoldsSecret(s) {
		return Masked
	}
	var m masker
	return m.links(s)
}
