package product

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// The default rules are written in names that are known, so a user who copies
// one of them is not warned.
func TestReview_DoubtsNothingInTheDefaultRules(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, r := range Rules().Defaults() {
		if r.ID == "other" {
			continue // it has no condition
		}
		r.ID = "my-" + r.ID
		if len(r.ID) > 64 {
			r.ID = r.ID[:64]
		}
		assert.Empty(t, Rules().Review([]rules.Rule{r}), r.ID)
		checked++
	}
	assert.Greater(t, checked, 100)
}
