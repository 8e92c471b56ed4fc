package product

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// TestUnderstand_CostGrowsWithTheLength has rulesets of which comparing each rule
// with all others would take minutes.
func TestUnderstand_CostGrowsWithTheLength(t *testing.T) {
	t.Parallel()
	const many = 100_000
	list := func(each, last string) string { return "[" + strings.Repeat(each+",", many) + last + "]" }
	rule := func(s string) string { return `{"expression":"` + s + `"}` }
	config := `{"action_parameters":{"bic":true},"id":"`
	for name, tt := range map[string]struct{ phase, old, now string }{
		"the last ones differ": {"http_request_firewall_custom", list(rule("a"), rule("b")+","+rule("c")), list(rule("a"), rule("d")+","+rule("e"))},
		"shifted by one":       {"http_request_firewall_custom", list("1,2", "9"), list("2,1", "8,8")},
		"configuration rules":  {"http_config_settings", list(config+`b"}`, "1"), list(config+`a"}`, "2")},
	} {
		entry := `{"action":{"type":"update","result":true},"resource":{"type":"firewall.ruleset","id":"r"},"metadata":{"phase":"` + tt.phase +
			`"},"oldValueJson":{"rules":` + tt.old + `},"newValueJson":{"rules":` + tt.now + `}}`
		var doc jsondoc.Doc
		require.NoError(t, doc.Parse(entry))
		var e audit.Entry
		e.Decode(&doc, audit.V1)
		var f Facts
		start := time.Now()
		Understand(&e, &f)
		assert.Less(t, time.Since(start), 10*time.Second, name)
	}
}
