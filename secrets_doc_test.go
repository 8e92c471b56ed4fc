package cloudflareaudit

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	maskedRow   = regexp.MustCompile("(?m)^\\| [^|]+ \\| `(\\{[^`]*\\})` \\| `(\\{[^`]*\\})` \\|$")
	readableRow = regexp.MustCompile("(?m)^\\| [^|]+ \\| `(\\{[^`]*\\})` \\|$")
)

// Every example in docs/secrets.md is masked as the page says.
func TestDocs_SecretsAreMaskedAsThePageSays(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("docs/secrets.md")
	require.NoError(t, err)
	page := string(source)
	n := normalizer(t, Config{})
	masks := maskedRow.FindAllStringSubmatch(page, -1)
	stays := readableRow.FindAllStringSubmatch(page, -1)
	require.Greater(t, len(masks), 8)
	require.Greater(t, len(stays), 5)
	for _, row := range masks {
		assert.NotEqual(t, row[1], row[2])
	}
	for _, row := range stays {
		masks = append(masks, []string{"", row[1], row[1]})
	}
	for _, row := range masks {
		for _, raw := range []string{
			requested("POST", "/v5/unheard/of", body(row[1])), logged("dns.record", "add", after(row[1])), `{"event":{"a":` + row[1] + `}}`, `[` + row[1] + `]`,
		} {
			got, _ := n.Normalize([]byte(raw))
			assert.Contains(t, string(got.RawEvent), row[2], raw)
		}
	}
}
