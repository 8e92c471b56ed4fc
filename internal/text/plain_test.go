package text

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsPlain_LooksAtEveryByteWhereverItStands(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		printable := c >= ' ' && c <= '~'
		for n := range 20 {
			for at := range n + 1 {
				for _, around := range []string{"a", " ", "~", "!", "#", "[", "]"} {
					s := strings.Repeat(around, at) + string([]byte{byte(c)}) + strings.Repeat(around, n-at)
					if printable != IsPlain(s) || (printable && c != '"' && c != '\\') != IsPlainJSON(s) {
						require.Fail(t, "taken for what it is not", "%q", s)
					}
				}
			}
		}
	}
	require.True(t, IsPlain(""))
	require.True(t, IsPlainJSON(""))
}
