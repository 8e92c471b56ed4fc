package redact

import (
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Known is a secret that the caller knows, such as the token it reads the log with.
// It is masked wherever it stands, in base64 or escaped, too. The zero Known is none.
type Known struct{ hide text.Hidden }

// minKnown is the least length of a secret that is looked for. A shorter one would
// be found in ordinary words.
const minKnown = 8

// NewKnown makes a Known of a secret. It is the zero Known for one too short to be
// one.
func NewKnown(secret string) Known {
	if len(secret) < minKnown {
		return Known{}
	}
	return Known{text.Hide(secret)}
}

// Text is s without the secret, and how often it stood there.
func (k Known) Text(s string) (shown string, masked int) {
	if k.hide == nil {
		return s, 0
	}
	return k.hide(s, Masked)
}

// Entry masks the secret in the entry that doc holds, and returns in how many values
// it stood.
func (k Known) Entry(doc *jsondoc.Doc) (masked int) {
	root := doc.Root()
	if k.hide == nil || !root.Exists() {
		return 0
	}
	// No form of it is shorter than the shortest secret.
	if !root.AnyText(minKnown, func(raw string, _ jsondoc.Class) bool {
		_, n := k.hide(raw, Masked)
		return n > 0
	}) {
		return 0
	}
	return k.value(root)
}

func (k Known) value(v jsondoc.Value) (masked int) {
	switch v.Kind() {
	case jsondoc.String:
		shown, n := k.Text(v.Text())
		if n > 0 {
			v.Doc().Replace(v, shown)
			return 1
		}
	case jsondoc.Object, jsondoc.Array:
		for item := range v.All() {
			if _, n := k.Text(item.Name()); n > 0 {
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
