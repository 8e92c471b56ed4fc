package product_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/product"
)

// Whatever an entry does, its event follows the published schema, and that of a
// failed attempt has an action of its own.
func TestEvents_OfEveryEntryAreSound(t *testing.T) {
	t.Parallel()
	n, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{
		AccountID: "023e105f4ecef8ad9ca31a8372d0c353", ProductionZones: []string{"example.com"}, DropRoutine: new(false),
	})
	require.NoError(t, err)
	samples := product.Samples()
	require.Greater(t, len(samples), 1000)
	for _, sample := range samples {
		event, v := n.Normalize([]byte(sample.Raw))
		assert.False(t, v.Drop, sample.Raw)
		if sample.Action != "" && !strings.Contains(sample.Raw, `"result":false`) {
			assert.Equal(t, sample.Action, event.Action, sample.Raw)
		}
		require.NoError(t, eventschema.Check(event.AppendJSON(nil)), sample.Raw)

		attempt := strings.NewReplacer(`"result":true`, `"result":false`, `"result":"success"`, `"result":"failure"`).Replace(sample.Raw)
		if attempt == sample.Raw {
			continue
		}
		failed, _ := n.Normalize([]byte(attempt))
		if sample.Action != "" {
			assert.Equal(t, sample.Action+product.FailedSuffix, failed.Action, attempt)
		}
		require.NoError(t, eventschema.Check(failed.AppendJSON(nil)), attempt)
	}
}

// The page about severities shows the tested example of each rule.
func TestExamples_AreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/severity.md")
	require.NoError(t, err)
	for id, raw := range product.RuleSamples() {
		_, section, found := strings.Cut(string(page), "\n### "+id+"\n")
		if assert.True(t, found, "docs/severity.md does not have the rule %s", id) {
			section, _, _ = strings.Cut(section, "\n### ")
			assert.Contains(t, section, "\n```json\n"+raw+"\n```\n", id)
		}
	}
}
