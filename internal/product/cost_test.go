package product

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// TestUnderstand_CostGrowsWithTheLength has rulesets of which comparing each rule
// with all others would take sixteen times as long when there are four times as many.
func TestUnderstand_CostGrowsWithTheLength(t *testing.T) {
	const few, many = 5_000, 20_000
	list := func(n int, each, last string) string { return "[" + strings.Repeat(each+",", n) + last + "]" }
	rule := func(s string) string { return `{"expression":"` + s + `"}` }
	config := `{"action_parameters":{"bic":true},"id":"`
	for name, tt := range map[string]struct{ phase, each, was, each2, is string }{
		"the last ones differ": {"http_request_firewall_custom", rule("a"), rule("b") + "," + rule("c"), rule("a"), rule("d") + "," + rule("e")},
		"shifted by one":       {"http_request_firewall_custom", "1,2", "9", "2,1", "8,8"},
		"configuration rules":  {"http_config_settings", config + `b"}`, "1", config + `a"}`, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				entry := `{"action":{"type":"update","result":true},"resource":{"type":"firewall.ruleset","id":"r"},"metadata":{"phase":"` + tt.phase +
					`"},"oldValueJson":{"rules":` + list(n, tt.each, tt.was) + `},"newValueJson":{"rules":` + list(n, tt.each2, tt.is) + `}}`
				var doc jsondoc.Doc
				require.NoError(t, doc.Parse(entry))
				var e audit.Entry
				e.Decode(&doc, audit.V1)
				var f Facts
				start := time.Now()
				Understand(&e, &f)
				return time.Since(start)
			}
			// Another process may take the processor during one attempt, hardly
			// during the same half of each.
			var ratios []float64
			for range 5 {
				small := cost(few)
				ratios = append(ratios, float64(cost(many))/float64(small))
			}
			assert.Less(t, slices.Min(ratios), 9.0, "of %v", ratios)
		})
	}
}
