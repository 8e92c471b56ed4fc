package text

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGlob_MatchesTheWholeText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "A", true}, {"A", "a", true}, {"a", "ab", false},
		{"*", "", true}, {"*", "x.y", true}, {"a*", "a", true}, {"a*", "Abc", true}, {"a*", "ba", false},
		{"*c", "abc", true}, {"*c", "cab", false}, {"a*c", "abcabc", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false},
		{"dns.*", "dns.record.delete", true}, {"dns.*", "dns", false}, {"*.delete", "dns.record.delete", true},
		{"**", "x", true}, {"a**", "a", true}, {"*ab", "aab", true}, {"Ü*", "übel", true}, {"ü*", "ÜBEL", true},
	} {
		assert.Equal(t, tt.want, NewGlob(tt.pattern).Match(tt.s), "%q %q", tt.pattern, tt.s)
	}
}
