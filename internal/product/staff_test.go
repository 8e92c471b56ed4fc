package product

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/rules"
)

// What Cloudflare's own people do in an account is worth an alert, whatever it is.
func TestDefaultRules_WhatStaffDoIsNeverLow(t *testing.T) {
	t.Parallel()
	c, err := Rules().NewClassifier(rules.Config{DropRoutine: true})
	require.NoError(t, err)
	graded := 0
	for _, action := range slices.Sorted(maps.Keys(known.namings)) {
		naming := known.namings[action]
		if action == ActionUnknown || action == "zone.settings.read" {
			continue
		}
		v := c.Grade(&rules.Facts{Action: action, Verb: naming.verb, ActorType: "staff"})
		graded++
		if v.Rule == "tls-settings-deployed" {
			continue // the change itself has an entry of its own
		}
		assert.NotContains(t, []string{"low", "info"}, string(v.Severity), "%s: %s", action, v.Rule)
		assert.False(t, v.Drop, "%s: %s", action, v.Rule)
	}
	require.Greater(t, graded, 1500)
}
