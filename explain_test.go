package cloudflareaudit

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Grading looks rules up by action, and explaining tries them in their order. Both
// must lead to the same rule for every entry.
func TestExplain_AgreesWithNormalize(t *testing.T) {
	t.Parallel()
	own, err := ParseRules([]byte(`[
		{"id":"wide","severity":"high","match":{"actor":"bob@*"}},
		{"id":"unheard-of","severity":"high","match":{"action":["frob.nicate","*.frobnicate"]}},
		{"id":"cache-purged","disabled":true},
		{"id":"no-dns","drop":true,"match":{"action":"dns.record.create"}}]`))
	require.NoError(t, err)
	for _, cfg := range []Config{
		{},
		{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout*"}, OwnTokenID: ownToken, DropRoutine: new(false)},
		{Rules: own, ProductionZones: []string{"example.com"}},
	} {
		// Entries without a time get that of the clock.
		cfg.Clock = func() time.Time { return time.Unix(1_800_000_000, 0) }
		n, err := NewNormalizer(cfg)
		require.NoError(t, err)
		raws := append(savedEntries(t), logged("frob", "nicate"), logged("x", "frobnicate"), logged("zone", "purge", `"actor":{"id":"b","email":"bob@example.com"}`))
		for _, raw := range raws {
			event, verdict := n.Normalize([]byte(raw))
			x := n.Explain([]byte(raw))
			assert.Equal(t, event, x.Event)
			assert.Equal(t, verdict, x.Verdict)
			last := x.Trials[len(x.Trials)-1]
			assert.Empty(t, last.Failed)
			assert.Equal(t, verdict.Rule, last.Rule.ID, raw)
			for _, trial := range x.Trials[:len(x.Trials)-1] {
				assert.Contains(t, conditions, trial.Failed)
			}
		}
	}
}

func TestExplain_TellsWhatTheConditionsWereTestedAgainst(t *testing.T) {
	t.Parallel()
	n, err := NewNormalizer(Config{ProductionZones: []string{"example.com"}, OwnTokenID: ownToken})
	require.NoError(t, err)
	x := n.Explain([]byte(setting("staging.example.net", "ssl", "tls", "strict", "flexible")))
	said := make(map[string][]string)
	var names []string
	for _, f := range x.Facts {
		said[f.Name], names = f.Values, append(names, f.Name)
	}
	assert.Equal(t, conditions, names, "each condition once, in its order")
	for name, want := range map[string][]string{
		"action": {"zone.settings.update"}, "resource_type": {"zone"}, "action_type": {"change_setting"}, "verb": {"update"},
		"outcome": {"success"}, "actor": {"alice@example.com", "a1"}, "actor_type": {"user"}, "source_ip": {"192.0.2.10"},
		"zone": {"staging.example.net", "r1"}, "setting": {"ssl", "tls/ssl"}, "direction": {"weaker"}, "role": {}, "record_type": {},
		"production": {"false"}, "own_token": {"false"}, "account_wide": {"false"}, "changed": {"ssl: strict -> flexible"},
	} {
		assert.Equal(t, want, said[name], name)
	}
	failed := make(map[string]string)
	for _, trial := range x.Trials {
		failed[trial.Rule.ID] = trial.Failed
	}
	assert.Equal(t, "actor_type", failed["zone-changed-by-system"])
	assert.Equal(t, "production", failed["setting-weakened-production"])
	assert.Equal(t, "action", failed["zone-deleted"])
	assert.Equal(t, "", failed["setting-weakened"])
	assert.NotContains(t, failed, "setting-strengthened", "rules after the one that decides are not tried")

	// The caller may change what it gets.
	x.Trials[0].Rule.Match.Action[0] = "x"
	again := n.Explain([]byte(setting("staging.example.net", "ssl", "tls", "strict", "flexible")))
	assert.NotEqual(t, "x", again.Trials[0].Rule.Match.Action[0])
	assert.False(t, slices.Equal(x.Trials[0].Rule.Match.Action, again.Trials[0].Rule.Match.Action))
}
