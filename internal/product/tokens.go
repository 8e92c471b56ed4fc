package product

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Credentials for the API.
var tokens = family{
	prefixes:    oneOf{"api_token.", "api_key."},
	credentials: true,
	read:        (*review).readToken,
	pairs: []pair{
		{"*", "token_create", "api_token.create"},
		{"*", "token_update", "api_token.update"}, // derived, not published
		{"*", "token_roll", "api_token.roll"},
		{"tokens.value", "update", "api_token.roll"}, // derived, not published
		{"*", "token_revoke", "api_token.revoke"},
		// An "API key" is always the Global API key of a user.
		{"*", "API_key_view", "api_key.view"},
		{"*", "API_key_created", "api_key.create"},
		{"*", "rotate_API_key", "api_key.rotate"},
		{"*", "API_key_deactivated", "api_key.deactivate"},
	},
	subjects: []subject{
		{"api_key apikey global_key", "api_key apikey global_key", "api_key", "roll=api_key.rotate update=api_key.rotate reset=api_key.rotate " +
			"delete=api_key.deactivate disable=api_key.deactivate", either, common},
		{"token apitoken", "token apitoken", "api_token", "delete=api_token.revoke reset=api_token.roll", either, common},
	},
	routes: []route{
		{"PUT", "{scope}/tokens/{id}/value", "api_token.roll"},
		{"GET", "{scope}/tokens/verify", "api_token.verification.view"},
		{"GET", "{scope}/tokens/permission_groups", "api_token.permission_group.view"},
		{"POST", "{scope}/tokens", "api_token.create"},
		{"PUT PATCH", "{scope}/tokens/{id}", "api_token.update"},
		{"DELETE", "{scope}/tokens/{id}", "api_token.revoke"},
		{"GET", "{scope}/tokens", "api_token.view"},
		{"GET", "{scope}/tokens/{id}", "api_token.view"},
		{"GET POST", "/user/api_key", "api_key.view"}, // derived, not published
		{"PUT", "/user/api_key", "api_key.rotate"},    // derived, not published
	},
	joints: []joint{
		{actions: oneOf{"api_token.create"}},
		// Only one of the logs may tell that the status of a token changed.
		{actions: oneOf{"api_token.update", "api_token.enable", "api_token.disable"}, class: "api_token.update"},
		{actions: oneOf{"api_token.*"}, by: byToken},
	},
	reads: []rules.Rule{
		{ID: "global-key-viewed", Severity: high, Techniques: oneOf{"T1552"},
			Match: rules.Match{Action: oneOf{"api_key.view"}},
			Title: "Global API key displayed[: {target}]",
			Why:   "The key can do all that its user can, does not expire and asks for no second factor."},
		{ID: "api-tokens-viewed", Severity: low, Techniques: oneOf{"T1526"},
			Match: rules.Match{Action: oneOf{"api_token.view", "access_service_token.view"}},
			Title: "API tokens listed",
			Why:   "The list tells which credentials there are and what each may do, though not their secrets."},
	},
	rules: []rules.Rule{
		{ID: "global-key-deactivated", Severity: low,
			Match: rules.Match{Action: oneOf{"api_key.deactivate"}},
			Title: "Global API key deactivated",
			Why:   "One permanent credential less, and a broken integration if something still used it."},
		{ID: "global-key-rotated", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_key.rotate"}},
			Title: "Global API key rotated[: {target}]",
			Why:   "Somebody holds a new credential that can do all that its user can."},
		{ID: "global-key-created", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_key.*"}},
			Title: "Global API key created[: {target}]",
			Why:   "A key of this kind can do all that its user can, does not expire and asks for no second factor."},
		{ID: "own-token-changed", Severity: high, Techniques: oneOf{"T1562.008", "T1531"},
			Match: rules.Match{Action: oneOf{"api_token.*"}, Verb: oneOf{"update", "delete", "roll", "enable", "disable", "reset"}, OwnToken: new(true)},
			Title: "The connector's own API token changed: {words}[: {target}]",
			Why:   "Whoever does it may be about to blind you: without its token the connector reads nothing more."},
		{ID: "token-created-broad", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.create"}, Scope: oneOf{"broad"}},
			Title: "API token with broad scopes created[: {target}]",
			Why:   "The token reaches an entire account or can grant itself more. It outlives the session that made it."},
		{ID: "token-created-narrow", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.create"}, Scope: oneOf{"narrow"}},
			Title: "API token created[: {target}]",
			Why:   "The token is limited, but it outlives the session that made it."},
		{ID: "token-created", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.create"}},
			Title: "API token with unknown scopes created[: {target}]",
			Why:   "The audit log does not say what the token may do, so the worst is assumed."},
		{ID: "token-updated-narrow", Severity: low, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.update"}, Scope: oneOf{"narrow"}},
			Title: "API token changed",
			Why:   "The token is limited also after the change."},
		{ID: "token-disabled", Severity: low,
			Match: rules.Match{Action: oneOf{"api_token.disable"}},
			Title: "API token disabled",
			Why:   "It can do nothing until it is enabled again. The connector's own token is graded higher."},
		{ID: "token-enabled", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.enable"}},
			Title: "Disabled API token enabled again[: {target}]",
			Why:   "Whoever has the secret of the token can use it again."},
		{ID: "token-widened", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.update"}},
			Title: "Scopes of API token changed[: {target}]",
			Why:   "A token in use may have been given more permissions; the audit log does not always say which."},
		{ID: "token-rolled-narrow", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.roll"}, Scope: oneOf{"narrow"}},
			Title: "Limited API token rolled[: {target}]",
			Why:   "Whoever did it holds the token's new secret, and its owner is locked out. The token is limited."},
		{ID: "token-rolled", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"api_token.roll"}},
			Title: "API token rolled[: {target}]",
			Why:   "Whoever did it holds the token's new secret with all its permissions, and its owner is locked out."},
		{ID: "token-revoked", Severity: low, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"api_token.revoke"}},
			Title: "API token revoked",
			Why:   "It takes access away and gives none, and every rotation ends with it. Many at once cut off your automation."},
	},
}

// OAuth clients and what users grant them.
var oauth = family{
	prefixes: oneOf{"oauth_grant.", "oauth_client."},
	read:     (*review).readOAuth,
	subjects: []subject{
		{"oauth_client", "oauth_client", "oauth_client", "", either, exact},
		{"^oauth user_oauth", "", "oauth_grant", "", either, exact},
		{"^account$ ^user$ ^$", "oauth", "oauth_grant", "", both, exact},
	},
	routes: []route{
		{"POST", "/accounts/{account}/oauth_clients/{id}/rotate_secret", "oauth_client.roll"},
		{"DELETE", "/accounts/{account}/oauth_clients/{id}/rotate_secret", "oauth_client.old_secret.delete"},
		{"*", "/accounts/{account}/oauth_clients", "oauth_client"},
	},
	rules: []rules.Rule{
		{ID: "oauth-granted", Severity: medium, Techniques: oneOf{"T1528"},
			Match: rules.Match{Action: oneOf{"oauth_grant.*", "oauth_client.create"}, Verb: oneOf{"create", "update", "enable", "accept", "roll"}},
			Title: "OAuth client added or authorized[: {target}]",
			Why:   "The program acts in the name of a user, also after the password is changed."},
		{ID: "oauth-client-changed", Severity: medium, Techniques: oneOf{"T1528"},
			Match: rules.Match{Action: oneOf{"oauth_client.*"}, Verb: oneOf{"update", "enable", "roll", "reset"}},
			Title: "OAuth client changed or its secret rotated[: {target}]",
			Why:   "Another redirect address receives the grants of users, and whoever has the secret uses them."},
		{ID: "oauth-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"oauth_grant.*", "oauth_client.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "OAuth client, its old secret or a grant removed",
			Why:   "It takes access away and gives none."},
	},
}

func (r *review) readOAuth() { r.readNamed("client_name", "name") }

// readToken determines which token an entry is about and its scope.
func (r *review) readToken() {
	if strings.HasPrefix(r.name, "api_key.") {
		r.Target = r.e.ActorEmail
		return
	}
	r.Target = r.meta.text("token_name")
	if r.Target == "" {
		r.Target = r.text("name")
	}
	r.TokenID = r.meta.text("token_tag", "token_id")
	if r.TokenID == "" && !strings.EqualFold(r.e.ResourceType, "account") && !strings.EqualFold(r.e.ResourceType, "user") {
		r.TokenID = r.e.ResourceID
	}
	if r.Target == "" {
		r.Target = r.TokenID
	}
	r.readTokenStatus()
	r.Scope = rules.ScopeUnknown
	for _, o := range [...]object{r.after, r.meta} {
		for _, key := range []string{"policies", "scopes", "permissions", "permission_groups"} {
			if v := o.get(key); v.Exists() && r.Scope == rules.ScopeUnknown {
				r.Scope = ScopeOf(v)
			}
		}
	}
}

// readTokenStatus tells an update that switches a token off or on from others. One
// that is disabled can do nothing, whatever else the update says.
func (r *review) readTokenStatus() {
	if r.verb != VerbUpdate {
		return
	}
	was := cmp.Or(r.before.text("status"), r.meta.text("old_token_status"))
	switch is := cmp.Or(r.after.text("status"), r.meta.text("new_token_status")); {
	case strings.EqualFold(is, "disabled") && !strings.EqualFold(was, "disabled"):
		r.rename("api_token.disable")
	case strings.EqualFold(is, "active") && strings.EqualFold(was, "disabled"):
		r.rename("api_token.enable")
	}
}

// broadResources are resources of a token that cover all of a kind.
var broadResources = []string{
	"com.cloudflare.api.account.*",
	"com.cloudflare.api.account.zone.*",
	"com.cloudflare.api.user.*",
	"account.*",
	"zone.*",
	"user.*",
	"*",
}

// broadPermissions are permission groups through which all others can be
// gained.
var broadPermissions = []string{
	"account settings write",
	"account api tokens write",
	"account members write",
	"api tokens write",
	"memberships write",
	"workers scripts write",
	"dns write",
}

// manyPermissions is the number of permission groups that makes a token broad.
const manyPermissions = 10

// ScopeOf derives the scope of a token from its policies, or from a list of its
// permissions: rules.ScopeBroad, ScopeNarrow or ScopeUnknown.
func ScopeOf(v jsondoc.Value) string {
	var s tokenScope
	s.read(v, 0)
	switch {
	case s.broad, s.groups >= manyPermissions, s.account && (s.writes || s.groups == 0):
		return rules.ScopeBroad
	case s.groups > 0, s.resources > 0:
		return rules.ScopeNarrow
	}
	return rules.ScopeUnknown
}

// tokenScope sums up the policies of a token.
type tokenScope struct {
	broad     bool // all resources of a kind, or a permission that leads to all others
	account   bool // an entire account
	writes    bool // more than reading
	groups    int  // permissions named
	resources int
}

// read reads a policy, a permission, or a list of either.
func (s *tokenScope) read(v jsondoc.Value, depth int) {
	switch kind := v.Kind(); {
	case depth > maxDepth:
	case kind == jsondoc.Array:
		for item := range v.All() {
			s.read(item, depth+1)
		}
	case kind == jsondoc.String:
		s.permission(v.Text())
	case kind == jsondoc.Object:
		o := object(nil).read(v)
		if strings.EqualFold(o.text("effect"), "deny") {
			return
		}
		if name := o.text("name"); name != "" {
			s.permission(name)
		}
		s.read(o.get("permission_groups"), depth+1)
		s.resource(o.get("resources"), depth+1)
	}
}

func (s *tokenScope) permission(name string) {
	name = strings.ToLower(name)
	s.groups++
	s.broad = s.broad || isBroad(name) || slices.Contains(broadPermissions, name)
	s.writes = s.writes || !strings.HasSuffix(name, "read")
}

func (s *tokenScope) resource(v jsondoc.Value, depth int) {
	if v.Kind() != jsondoc.Object || depth > 2*maxDepth {
		return
	}
	for of := range v.All() {
		name := of.Name()
		s.resources++
		s.broad = s.broad || isBroad(name)
		if of.Text() == "*" && strings.HasPrefix(name, "com.cloudflare.api.account.") &&
			!strings.HasPrefix(name, "com.cloudflare.api.account.zone.") {
			s.account = true
		}
		s.resource(of, depth+1)
	}
}

func isBroad(resource string) bool {
	for _, broad := range broadResources {
		if strings.EqualFold(resource, broad) {
			return true
		}
	}
	return false
}

// PermissionsIn names the permissions that the policies of a token give.
func PermissionsIn(policies jsondoc.Value) string {
	var names []string
	for policy := range policies.All() {
		if strings.EqualFold(policy.Get("effect").Text(), "deny") {
			continue
		}
		names = append(names, redact.Policy{}.Shown("", policy.Get("permission_groups")))
		if len(names) == manyPermissions {
			break
		}
	}
	return text.OneLine(strings.Join(names, ", "), maxPermissions)
}

// maxPermissions bounds the text of PermissionsIn, in bytes.
const maxPermissions = 256
