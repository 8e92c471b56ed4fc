package text

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInBase64_FindsASecretWhereverItBegins(t *testing.T) {
	t.Parallel()
	const secret = "cfat_0pen>5esame?0pen~5esame"
	for _, around := range []string{"", "B", "Be", "Bearer ", "Authorization: Bearer ", "user@example.com:"} {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := encoding.EncodeToString([]byte(around + secret + "\r\n"))
			found := 0
			for _, form := range InBase64(secret) {
				found += strings.Count(encoded, form)
			}
			require.Positive(t, found, "%q: %s", around, encoded)
		}
	}
}

func TestInBase64_OfAShortTextIsTheText(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"", "a", "ab", "sesame1"} {
		require.Equal(t, []string{short}, InBase64(short))
	}
}
