package product

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Whatever a user does, no entry of the audit log is dropped but for a read of
// the settings of a zone.
func TestDefaultRules_DropNoActionOfAUserButTheReadOfSettings(t *testing.T) {
	t.Parallel()
	c, err := Rules().NewClassifier(rules.Config{DropRoutine: true})
	require.NoError(t, err)
	require.NotEmpty(t, known.namings)
	for name, n := range known.namings {
		v := c.Grade(&rules.Facts{Action: name, Verb: n.verb, ActorKind: "user", ActorType: "user"})
		assert.Equal(t, v.Rule == "zone-settings-read", v.Drop, name)
		assert.True(t, v.Severity.Valid())
		assert.NotEmpty(t, v.Rule)
	}
}
