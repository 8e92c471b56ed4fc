package text

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsPlain_LooksAtEveryByteWhereverItStands(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 20 {
			for _, around := range []string{"a", " ", "~", "!", "#", "[", "]"} {
				s := strings.Repeat(around, at) + string([]byte{byte(c)}) + strings.Repeat(around, 19-at)
				printable := c >= ' ' && c <= '~'
				require.Equal(t, printable, IsPlain(s), "%q", s)
				require.Equal(t, printable && c != '"' && c != '\\', IsPlainJSON(s), "%q", s)
			}
		}
	}
	require.True(t, IsPlain(""))
	require.True(t, IsPlainJSON(""))
}
