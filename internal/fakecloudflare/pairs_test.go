package fakecloudflare_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// entryV1 and entryV2 are what the tests read of an entry.
type entryV1 struct {
	ID       string
	When     time.Time
	Action   struct{ Result bool }
	Actor    struct{ ID, Email, IP string }
	Metadata struct {
		ZoneID   string `json:"zone_id"`
		ZoneName string `json:"zone_name"`
	}
}

type entryV2 struct {
	ID      string
	Account struct{ ID string }
	Action  struct {
		Description, Result, Type string
		Time                      time.Time
	}
	Actor struct {
		ID, Email, Context, Type string
		IP                       string `json:"ip_address"`
		Token                    *struct{ ID, Name string }
	}
	Raw struct {
		RayID     string `json:"cf_ray_id"`
		Method    string
		Status    int `json:"status_code"`
		URI       string
		UserAgent string `json:"user_agent"`
	}
	Resource struct {
		ID, Product, Type, Scope string
		Request, Response        json.RawMessage
	}
	Zone *struct{ ID, Name string }
}

// parse decodes an entry, in which no term may be left.
func parse[T any](t *testing.T, raw json.RawMessage) (e T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &e), string(raw))
	require.NotContains(t, string(raw), "$")
	return e
}

var (
	uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

func TestGeneratePairs_AreOneChangeTwice(t *testing.T) {
	t.Parallel()
	from := noon.Add(-24 * time.Hour)
	pairs := fakecloudflare.GeneratePairs(1, 1000, from, noon)
	require.Len(t, pairs, 1000)
	var (
		last                                 = from
		seen                                 = make(map[string]bool)
		failed, earlier, later, typed, query int
		farthest                             time.Duration
	)
	for _, p := range pairs {
		one, two := parse[entryV1](t, p.V1), parse[entryV2](t, p.V2)
		assert.Regexp(t, uuid4, one.ID)
		assert.Regexp(t, uuid7, two.ID)
		require.False(t, seen[one.ID] || seen[two.ID])
		seen[one.ID], seen[two.ID] = true, true

		assert.Equal(t, one.Actor.ID, two.Actor.ID)
		assert.Equal(t, one.Actor.Email, two.Actor.Email)
		assert.Equal(t, one.Actor.IP, two.Actor.IP)
		assert.Equal(t, fakecloudflare.DefaultAccountID, two.Account.ID)
		if two.Zone != nil {
			assert.Equal(t, one.Metadata.ZoneID, two.Zone.ID, string(p.V1))
			assert.Equal(t, one.Metadata.ZoneName, two.Zone.Name)
		}
		assert.Equal(t, !p.Failed, one.Action.Result)
		assert.Equal(t, map[bool]string{true: "failure", false: "success"}[p.Failed], two.Action.Result)
		assert.Equal(t, p.Failed, two.Raw.Status >= 500)

		require.False(t, one.When.Before(last) || one.When.After(noon) || two.Action.Time.Before(from) || two.Action.Time.After(noon))
		last = one.When
		apart := two.Action.Time.Sub(one.When)
		require.LessOrEqual(t, apart.Abs(), 5*time.Second)
		farthest = max(farthest, apart.Abs())
		switch {
		case apart < 0:
			earlier++
		case apart > 0:
			later++
		}
		if p.Failed {
			failed++
		}
		if two.Resource.Type != "" {
			typed++
		}
		if strings.Contains(two.Raw.URI, "?") {
			query++
		}
	}
	assert.InDelta(t, 25, failed, 15)
	assert.InDelta(t, 440, earlier, 60)
	assert.InDelta(t, 560, later, 60)
	assert.Greater(t, farthest, 4*time.Second)
	assert.Less(t, typed, 300, "the type is mostly missing")
	assert.InDelta(t, 170, query, 60)
}

func TestGeneratePairs_AreNamedAsTheProjectNamesThem(t *testing.T) {
	t.Parallel()
	n, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{DropRoutine: new(bool)})
	require.NoError(t, err)
	have := make(map[string]int)
	for _, p := range fakecloudflare.GeneratePairs(2, 200, noon.Add(-time.Hour), noon) {
		event, _ := n.Normalize(p.V1)
		want := p.Action
		if p.Failed {
			want += ".failed"
		}
		assert.Equal(t, want, event.Action, string(p.V1))
		have[p.Action]++
	}
	for _, action := range strings.Fields(`
		dns.record.create dns.record.update dns.record.delete member.add member.update member.remove account.login
		account.2fa.enforce account.2fa.disable api_token.create api_token.update api_token.roll api_token.revoke
		zone.create zone.delete zone.settings.update zone.cache.purge zone.pagerule.create zone.pagerule.delete
		zone.firewall.rule.create zone.firewall.rule.update zone.firewall.rule.delete firewall_rule.disable
		worker.script.update worker.script.deploy worker.route.create worker.route.delete access_policy.create access_app.create
		identity_provider.update gateway.rule.delete gateway.location.create gateway.config.update logpush.job.delete
		r2.bucket.create r2.bucket.visibility.change d1.database.create ai_gateway.gateway.delete queue.consumer.update`) {
		assert.Positive(t, have[action], action)
	}
}

func TestGeneratePairs_DependOnTheirArgumentsAlone(t *testing.T) {
	t.Parallel()
	a := fakecloudflare.GeneratePairs(7, 100, noon.Add(-time.Hour), noon)
	assert.Equal(t, a, fakecloudflare.GeneratePairs(7, 100, noon.Add(-time.Hour), noon))
	assert.NotEqual(t, a, fakecloudflare.GeneratePairs(8, 100, noon.Add(-time.Hour), noon))
	for _, p := range fakecloudflare.GeneratePairs(1, 50, noon, noon) {
		one, _ := fakecloudflare.When(p.V1)
		two, _ := fakecloudflare.When(p.V2)
		assert.Equal(t, []time.Time{noon, noon}, []time.Time{one, two}, "a span may be empty")
	}
}

func TestGenerateV2_HasTheShapeThatIsSent(t *testing.T) {
	t.Parallel()
	const n = 3000
	from := noon.Add(-24 * time.Hour)
	entries := fakecloudflare.GenerateV2(1, n, from, noon)
	require.Equal(t, entries, fakecloudflare.GenerateV2(1, n, from, noon))
	require.Len(t, entries, n)
	var (
		last  = from
		whole int
		calls = make(map[string]int)
		seen  = make(map[string]bool)
		hex   = regexp.MustCompile(`/[0-9a-f-]{32,36}\b`)
	)
	for _, raw := range entries {
		e := parse[entryV2](t, raw)
		assert.Regexp(t, uuid7, e.ID)
		require.False(t, seen[e.ID])
		seen[e.ID] = true
		require.False(t, e.Action.Time.Before(last) || e.Action.Time.After(noon))
		last = e.Action.Time
		if e.Action.Time.Nanosecond() == 0 {
			whole++
		}
		assert.Contains(t, []string{"accounts", "zones", "user"}, e.Resource.Scope)
		assert.False(t, strings.HasPrefix(e.Raw.URI, fakecloudflare.Prefix))
		assert.True(t, strings.HasPrefix(e.Raw.URI, "/"+e.Resource.Scope), e.Raw.URI)
		assert.NotEmpty(t, e.Resource.Product)
		assert.NotEmpty(t, e.Action.Description)
		if e.Raw.Method == "POST" {
			assert.Empty(t, e.Resource.ID, "what is created has no id yet")
		}
		assert.Equal(t, e.Actor.Context == "api_token", e.Actor.Token != nil)
		path, _, _ := strings.Cut(e.Raw.URI, "?")
		calls[e.Action.Type+" "+e.Raw.Method+" "+hex.ReplaceAllString(path, "/*")]++
	}
	assert.InDelta(t, n/7, whole, n/20, "times have differing digits")
	for _, call := range []string{
		"create POST /zones/*/dns_records", "create POST /zones/*/dns_records/batch", "delete DELETE /zones/*/dns_records/*",
		"view GET /zones/*/dns_records", "login POST /user/login", "create POST /accounts/*/members", "create POST /user/tokens",
		"update PUT /zones/*/rulesets/phases/http_request_firewall_custom/entrypoint", "create POST /accounts/*/scim/v2/Users",
		"update PUT /accounts/*/workers/domains", "update PUT /accounts/*",
	} {
		assert.Positive(t, calls[call], call)
	}
}

func TestGenerateV2_ResourceFollowsFromThePath(t *testing.T) {
	t.Parallel()
	type resource struct{ id, product, kind, scope string }
	const hex = `[0-9a-f]{32}`
	want := map[string]resource{
		"DELETE Delete DNS Record":                 {hex, "dns_records", "", "zones"},
		"POST Batch DNS Records":                   {"", "dns_records", "batch", "zones"},
		"PUT Update a zone entry point ruleset":    {"", "rulesets", "phases.http_request_firewall_custom.entrypoint", "zones"},
		"DELETE Delete an IP Access rule":          {hex, "firewall", "access_rules.rules", "zones"},
		"PUT Roll Token":                           {hex, "tokens", "value", "accounts"},
		"PUT Update Token":                         {hex, "tokens", "", "user"},
		"PUT Update Account":                       {hex, "accounts", "", "accounts"},
		"DELETE Delete Zone":                       {hex, "zones", "", "zones"},
		"PATCH Edit User":                          {"", "user", "", "user"},
		"PUT Update a Queue Consumer":              {hex, "queues", "consumers", "accounts"},
		"DELETE Delete Worker":                     {`checkout-\d+`, "workers", "scripts", "accounts"},
		"PUT Update an Access application policy":  {`[0-9a-f-]{36}`, "access", "apps.policies", "accounts"},
		"GET Get all zone settings":                {"", "settings", "", "zones"},
		"POST Create a Zero Trust Gateway rule":    {"", "gateway", "rules", "accounts"},
		"PATCH Edit zone setting":                  {"", "settings", "security_level", "zones"},
		"DELETE Remove Custom Domain From Bucket":  {`files\..+`, "r2", "buckets.domains.custom", "accounts"},
		"DELETE Disable Two-Factor Authentication": {"", "two_factor_authentication", "", "user"},
	}
	typed := make(map[string]bool)
	for _, raw := range fakecloudflare.GenerateV2(3, 10_000, noon.Add(-time.Hour), noon) {
		e := parse[entryV2](t, raw)
		call := e.Raw.Method + " " + e.Action.Description
		w, ok := want[call]
		if !ok {
			continue
		}
		assert.Regexp(t, "^"+w.id+"$", e.Resource.ID, call)
		assert.Equal(t, w.product, e.Resource.Product, call)
		assert.Equal(t, w.scope, e.Resource.Scope, call)
		if e.Resource.Type != "" {
			assert.Equal(t, w.kind, e.Resource.Type, call)
			typed[call] = true
		}
	}
	for call, w := range want {
		assert.Equal(t, w.kind != "", typed[call], call)
	}
}
