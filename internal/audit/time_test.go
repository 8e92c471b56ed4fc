package audit

import (
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

func valueIn(t testing.TB, text string) jsondoc.Value {
	t.Helper()
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(text))
	return doc.Root()
}

func TestTimeOf_TellsTheUnitByTheMagnitude(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC), time.Date(2010, 9, 27, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 5, 12, 9, 14, 27, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		for unit := time.Duration(1); unit <= time.Second; unit *= 1000 {
			n := new(big.Int).Div(big.NewInt(at.UnixNano()), big.NewInt(int64(unit)))
			assert.True(t, at.Equal(TimeOf(valueIn(t, n.String()))), "%s in %s", at, unit)
		}
	}
}

// What is read as a number is between 2001 and the year 5138, and what is read as
// RFC 3339 can be written so again.
func FuzzTimeOf(f *testing.F) {
	for _, seed := range []string{
		"1778577267", "1778577267.123456789", "1778577267123", "1.778577267e9", "-1", "0.5", "1e400", "9223372036854775807",
		`"2026-05-12T09:14:27Z"`, `"1778577267"`, `"1778577267.1.2"`, `" 1778577267 "`, `"0x1p33"`, `""`, `{}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var doc jsondoc.Doc
		if doc.Parse(text) != nil {
			return
		}
		at := TimeOf(doc.Root())
		if at.IsZero() {
			return
		}
		require.Equal(t, time.UTC, at.Location())
		require.True(t, at.Year() >= 1 && at.Year() <= 9999, at)
		if _, err := strconv.ParseFloat(doc.Root().Text(), 64); err == nil {
			require.True(t, at.Year() >= 2001 && at.Year() <= 5138, "%s is %s", text, at)
		}
	})
}
