package product_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/fakeaisoc"
	"github.com/aisoc/cloudflareaudit/internal/product"
)

// Whatever an entry does, its explanation leads to the rule that graded it, and
// AiSOC can take its event. Rules of a user, with one that drops and one that is
// switched off, stand in front.
func TestEvents_OfEveryEntryAreExplained(t *testing.T) {
	t.Parallel()
	own, err := cloudflareaudit.ParseRules([]byte(`[
		{"id":"wide","severity":"high","match":{"actor":"bob@*"}},
		{"id":"cache-purged","disabled":true},
		{"id":"no-dns","drop":true,"match":{"action":"dns.record.create"}}]`))
	require.NoError(t, err)
	n, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout*"}, Rules: own})
	require.NoError(t, err)
	for _, sample := range product.Samples() {
		event, verdict := n.Normalize([]byte(sample.Raw))
		x := n.Explain([]byte(sample.Raw))
		assert.Equal(t, event, x.Event)
		assert.Equal(t, verdict, x.Verdict)
		last := x.Trials[len(x.Trials)-1]
		assert.Empty(t, last.Failed)
		assert.Equal(t, verdict.Rule, last.Rule.ID, sample.Raw)
		if verdict.Drop {
			continue // it makes no event
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal(event.AppendJSON(nil), &object))
		assert.Empty(t, fakeaisoc.Check(object), sample.Raw)
	}
}
