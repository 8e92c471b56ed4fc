package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Names that changes of tokens have had over time, and others that follow from
// them.
const (
	tokenCreated = "account/token_create; ?tokens/create; ?api_token/create"
	tokenUpdated = "?account/token_update; ?tokens/update"
	tokenRolled  = "account/token_roll; ?tokens.value/update"
)

const oneZone = "com.cloudflare.api.account.zone.a379a6f6eeafb9a55e378c118034e275"

// tokenPolicy is a token with one permission for one kind of resource.
func tokenPolicy(resource, permission string) string {
	return `{"name":"ci","policies":[{"effect":"allow","resources":{"` + resource + `":"*"},"permission_groups":[{"id":"p1","name":"` + permission + `"}]}]}`
}

var tokensSuite = suite{
	pairs: slices.Concat(
		rows("/api_token.create; /tokenCreate", "api_token.create", high, same, same, `"metadata":{"scopes":["Account.*"]}`),
		// The log does not state the scopes of most tokens.
		rows(tokenCreated, "api_token.create", high, same, same, `"metadata":{"token_name":"ci","token_tag":"t1"}`),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy("com.cloudflare.api.account.*", "Analytics Read"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy("com.cloudflare.api.account.zone.*", "Zone Read"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy("com.cloudflare.api.user.*", "User Details Read"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy("com.cloudflare.api.account.023e105f4ecef8ad9ca31a8372d0c353", "Account Rulesets Write"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy(oneZone, "Account Settings Write"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy(oneZone, "API Tokens Write"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy(oneZone, "Workers Scripts Write"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy(oneZone, "DNS Write"))),
		rows(tokenCreated, "api_token.create", high, same, same, newValue(tokenPolicy(oneZone, "Account Members Write"))),
		rows(tokenCreated, "api_token.create", medium, same, same, newValue(tokenPolicy(oneZone, "DNS Read"))),
		rows(tokenUpdated, "api_token.update", high, same, same),
		rows(tokenUpdated, "api_token.update", high, same, low, values(tokenPolicy(oneZone, "DNS Read"), tokenPolicy("com.cloudflare.api.account.zone.*", "DNS Read"))),
		rows(tokenUpdated, "api_token.update", low, same, low, values(tokenPolicy(oneZone, "DNS Read"), tokenPolicy(oneZone, "Cache Purge"))),
		rows(tokenRolled, "api_token.roll", high, same, same, `"metadata":{"token_name":"ci","old_token_hash":"a","new_token_hash":"b"}`),
		rows(tokenRolled, "api_token.roll", medium, same, same, newValue(tokenPolicy(oneZone, "DNS Read"))),
		rows("account/token_revoke; ?tokens/delete", "api_token.revoke", low, same, same, `"metadata":{"old_token_status":"active","new_token_status":"deleted"}`),
		rows("account/token_revoke; ?tokens/delete", "api_token.revoke", high, same, same, `"metadata":{"token_name":"siem","token_tag":"`+ownToken+`"}`),
		rows("user/API_key_view", "api_key.view", high, same, same),
		rows("account/rotate_API_key", "api_key.rotate", high, same, same, `"action":{"type":"rotate_API_key","result":true,"info":"key digest: 0a1b"}`),
		rows("api_key/API_key_created", "api_key.create", high, same, same),
		rows("api_key/API_key_deactivated", "api_key.deactivate", low, same, same),
		rows(tokenUpdated, "api_token.disable", low, same, same, newValue(`{"name":"ci","status":"disabled"}`)),
		rows(tokenUpdated, "api_token.disable", low, same, same, values(`{"name":"ci","status":"active"}`, `{"name":"ci","status":"disabled"}`)),
		rows(tokenUpdated, "api_token.enable", medium, same, low, values(`{"name":"ci","status":"disabled"}`, `{"name":"ci","status":"active"}`)),
		rows("?account/token_update", "api_token.disable", low, same, same, `"metadata":{"old_token_status":"active","new_token_status":"disabled"}`),
		rows("?account/token_disabled; ?tokens/disable", "api_token.disable", low, same, same),
		rows("?user/oauth_create", "oauth_grant.create", medium, same, same),
		rows("?oauth_client/update", "oauth_client.update", medium, same, same),
		rows("?oauth_client/delete", "oauth_client.delete", low, same, same),
	),
	calls: tokensCalls(),
	examples: map[string]ruleExample{
		"global-key-viewed":      {logged("user", "API_key_view"), logged("zone.settings", "read")},
		"global-key-deactivated": {logged("api_key", "API_key_deactivated"), logged("api_key", "API_key_created")},
		"global-key-rotated":     {logged("account", "rotate_API_key"), logged("account", "token_roll")},
		"global-key-created":     {logged("api_key", "API_key_created"), logged("api_key", "API_key_view")},
		"own-token-changed":      {logged("account", "token_roll", `"metadata":{"token_name":"siem","token_tag":"`+ownToken+`"}`), logged("account", "token_roll", `"metadata":{"token_name":"ci","token_tag":"t1"}`)},
		"token-created-broad":    {logged("account", "token_create", `"metadata":{"scopes":["Account.*"]}`), logged("account", "token_create", `"metadata":{"scopes":["zone.dns.read"]}`)},
		"token-created-narrow":   {logged("account", "token_create", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_create")},
		"token-created":          {logged("account", "token_create"), logged("account", "token_revoke")},
		"token-updated-narrow":   {logged("account", "token_update", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_update")},
		"token-widened":          {logged("account", "token_update"), logged("account", "token_update", `"metadata":{"scopes":["zone.dns.read"]}`)},
		"token-disabled":         {called("PUT /user/tokens/1", requestBody(`{"name":"ci","status":"disabled"}`)), called("PUT /user/tokens/1", requestBody(`{"name":"ci","status":"active"}`))},
		"token-enabled":          {logged("account", "token_update", values(`{"name":"ci","status":"disabled"}`, `{"name":"ci","status":"active"}`)), logged("account", "token_update", values(`{"name":"ci","status":"active"}`, `{"name":"ci","status":"active"}`))},
		"oauth-client-changed":   {called("PATCH {a}/oauth_clients/1", requestBody(`{"client_name":"portal","redirect_uris":["https://portal.example.com/x"]}`)), called("DELETE {a}/oauth_clients/1")},
		"oauth-removed":          {called("DELETE {a}/oauth_clients/1"), called("POST {a}/oauth_clients/1/rotate_secret")},
		"token-rolled-narrow":    {logged("account", "token_roll", `"metadata":{"scopes":["zone.dns.read"]}`), logged("account", "token_roll")},
		"token-rolled":           {logged("account", "token_roll"), logged("account", "token_revoke")},
		"token-revoked":          {logged("account", "token_revoke"), logged("account", "token_roll")},
		"oauth-granted":          {logged("oauth_client", "create"), logged("oauth_client", "delete")},
		"api-tokens-viewed":      {requested("GET", "/user/tokens"), requested("GET", "/user/tokens/verify")},
	},
	facts: map[string]factCase{
		"token": {
			raw:     logged("account", "token_create", `"metadata":{"token_name":"ci","token_tag":"t1"}`),
			want:    rules.Facts{Target: "ci", Scope: rules.ScopeUnknown},
			tokenID: "t1",
		},
	},
}

func tokensCalls() callList {
	var list callList
	broad := requestBody(`{"name":"ci","policies":[{"effect":"allow","resources":{"com.cloudflare.api.account.*":"*"},"permission_groups":[{"id":"p"}]}]}`)
	narrow := requestBody(`{"name":"ci","policies":[{"effect":"allow","resources":{"com.cloudflare.api.account.zone.` + exampleZone + `":"*"},"permission_groups":[{"id":"p","name":"DNS Read"}]}]}`)
	for _, of := range []string{"/user", "{a}"} {
		list.add("POST "+of+"/tokens", "api_token.create", high)
		list.add("POST "+of+"/tokens", "api_token.create", high, broad)
		list.add("POST "+of+"/tokens", "api_token.create", medium, narrow)
		list.add("PUT "+of+"/tokens/1; PATCH "+of+"/tokens/1", "api_token.update", high, broad)
		list.add("PUT "+of+"/tokens/1", "api_token.update", low, narrow)
		list.add("PUT "+of+"/tokens/1/value", "api_token.roll", high)
		list.add("DELETE "+of+"/tokens/1", "api_token.revoke", low)
		list.add("GET "+of+"/tokens; GET "+of+"/tokens/1", "api_token.view", low)
		list.add("GET "+of+"/tokens/verify", "api_token.verification.view", drop)
		list.add("GET "+of+"/tokens/permission_groups", "api_token.permission_group.view", drop)
	}
	list.add("PUT /user/tokens/1; PUT {a}/tokens/1", "api_token.disable", low, requestBody(`{"name":"ci","status":"disabled","policies":[]}`))
	list.add("PUT {a}/tokens/"+ownToken, "api_token.disable", high, requestBody(`{"name":"siem","status":"disabled"}`))
	list.collect("{a}/oauth_clients", "oauth_client", medium, medium, low)
	list.add("DELETE {a}/oauth_clients/1/rotate_secret", "oauth_client.old_secret.delete", low)
	list.add("POST {a}/oauth_clients/1/rotate_secret", "oauth_client.roll", medium)
	list.add("GET /user/api_key; POST /user/api_key", "api_key.view", high)
	list.add("PUT /user/api_key", "api_key.rotate", high)
	return list
}

func TestTokens_EveryEntryIsUnderstoodAndGraded(t *testing.T) { tokensSuite.check(t) }

func TestTokens_TheScopeIsReadFromThePolicies(t *testing.T) {
	t.Parallel()
	policies := func(effect, resources, groups string) string {
		return `"newValueJson":{"name":"t","policies":[{"effect":"` + effect + `","resources":{` + resources + `},"permission_groups":[` + groups + `]}]}`
	}
	const (
		zone         = `"com.cloudflare.api.account.zone.a379a6f6eeafb9a55e378c118034e275":"*"`
		wholeAccount = `"com.cloudflare.api.account.023e105f4ecef8ad9ca31a8372d0c353":"*"`
		allZones     = `"com.cloudflare.api.account.zone.*":"*"`
		read         = `{"id":"p1","name":"DNS Read"}`
		write        = `{"id":"p2","name":"Cache Purge"}`
		dangerous    = `{"id":"p3","name":"API Tokens Write"}`
	)
	for name, tt := range map[string]struct{ more, want string }{
		"not said":                    {`"metadata":{"token_name":"ci"}`, rules.ScopeUnknown},
		"one zone":                    {policies("allow", zone, write), rules.ScopeNarrow},
		"all zones":                   {policies("allow", allZones, read), rules.ScopeBroad},
		"all zones of one account":    {policies("allow", `"com.cloudflare.api.account.1":{"com.cloudflare.api.account.zone.*":"*"}`, read), rules.ScopeBroad},
		"an account to read from":     {policies("allow", wholeAccount, read), rules.ScopeNarrow},
		"an account to change":        {policies("allow", wholeAccount, write), rules.ScopeBroad},
		"what leads to more":          {policies("allow", zone, dangerous), rules.ScopeBroad},
		"many permissions":            {policies("allow", zone, strings.TrimSuffix(strings.Repeat(read+",", manyPermissions), ",")), rules.ScopeBroad},
		"denied":                      {policies("deny", allZones, dangerous), rules.ScopeUnknown},
		"scopes as the page has them": {`"metadata":{"scopes":["Account.*"]}`, rules.ScopeBroad},
		"scopes that are narrow":      {`"metadata":{"scopes":["zone.dns.read"]}`, rules.ScopeNarrow},
	} {
		assert.Equal(t, tt.want, understood(t, logged("account", "token_create", tt.more)).Scope, name)
	}
}
