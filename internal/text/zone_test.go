package text

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASCIIZone_SpellsLettersAsTheDNSDoes(t *testing.T) {
	t.Parallel()
	for unicode, ascii := range map[string]string{
		"bücher":    "xn--bcher-kva",
		"münchen":   "xn--mnchen-3ya",
		"ü":         "xn--tda",
		"例え":        "xn--r8jz45g",
		"почта":     "xn--80a1acny",
		"他们为什么不说中文": "xn--ihqwcrb4cv8a8dqg056pqjye",
		"なぜみんな日本語を話してくれないのか": "xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
		"😀":      "xn--e28h",
		"straße": "xn--strae-oqa",
	} {
		assert.Equal(t, ascii+".example", ASCIIZone(unicode+".example"), unicode)
	}
	assert.Equal(t, "example.com", ASCIIZone("example.com"))
}

// A name has many spellings, which lead to the same zone.
func TestZoneName_KnowsEverySpelling(t *testing.T) {
	t.Parallel()
	for _, spelling := range []string{
		"bücher.example", "bu\u0308cher.example", "BÜCHER.example", "BU\u0308CHER.EXAMPLE.", "bücher\u3002example", "bücher\uff0eexample",
		"bücher\uff61example\u3002", "xn--bcher-kva.example", "XN--BCHER-KVA.example.", "bü\u00adcher.example", "ｂücher.ｅxample",
	} {
		assert.Equal(t, "xn--bcher-kva.example", ASCIIZone(ZoneName(spelling)), "%q", spelling)
	}
	for _, spelling := range []string{"*.bücher.example", "*\u3002bu\u0308cher.example", "*.xn--bcher-kva.example"} {
		assert.Equal(t, "*.xn--bcher-kva.example", ASCIIZone(ZoneName(spelling)), "%q", spelling)
	}
	assert.Equal(t, "bücher.example", ZoneName("Bu\u0308cher\u3002example."))
	for _, plain := range []string{"under_score.example", "a b.example", "-a.example", "a..example", "", ".", "xn--.example", "xn--a-\u00fc.example"} {
		assert.NotPanics(t, func() { ASCIIZone(ZoneName(plain)) })
	}
	assert.Equal(t, "under_score.example", ASCIIZone(ZoneName("Under_Score.example")))
}

func FuzzZoneName(f *testing.F) {
	for _, seed := range []string{"example.com", "bu\u0308cher.example", "*\u3002x", "\xff", "xn--\u00fc", "\u200d.a", "a\u0300\u0301."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := ZoneName(name)
		require.Equal(t, utf8.ValidString(name), utf8.ValidString(got) && utf8.ValidString(name), "%q", name)
		ascii := ASCIIZone(got)
		if IsASCII(name) {
			require.Equal(t, got, ascii)
		}
	})
}
