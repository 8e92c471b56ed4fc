package text

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASCIIZone_SpellsLettersAsTheDNSDoes(t *testing.T) {
	t.Parallel()
	for unicode, ascii := range map[string]string{
		"bücher":    "bcher-kva",
		"münchen":   "mnchen-3ya",
		"ü":         "tda",
		"例え":        "r8jz45g",
		"почта":     "80a1acny",
		"他们为什么不说中文": "ihqwcrb4cv8a8dqg056pqjye",
		"なぜみんな日本語を話してくれないのか": "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
		"😀": "e28h",
	} {
		assert.Equal(t, ascii, punycode([]rune(unicode)), unicode)
	}
	assert.Equal(t, "xn--r8jz45g.example", ASCIIZone("例え.example"))
	assert.Equal(t, "example.com", ASCIIZone("example.com"))
}
