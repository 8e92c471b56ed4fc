package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Access: sign-in to applications.
var access = family{
	prefixes: oneOf{"access_", "identity_provider."},
	switches: true,
	read:     (*review).readAccess,
	finish:   (*review).nameApplication,
	subjects: []subject{
		{"access_organization", "", "access_organization", "", either, within},
		{"access_certificate access_ca", "", "access_certificate", "", either, within},
		{"identity_provider identityprovider idp", "identity_provider identityprovider", "identity_provider", "", either, within},
		{"service_token servicetoken", "service_token", "access_service_token", "", either, within},
		{"access_polic access_app_polic", "access_polic", "access_policy", "", either, within},
		{"access_group", "access_group", "access_group", "", either, within},
		{"^access_app", "access_app", "access_app", "", either, within},
		{"access_gateway_ca", "", "access_gateway_ca", "", either, named},
		{"^access_key", "", "access_key", "", either, within},
		{"^access_user ^access_seat", "", "access_user", "", either, within},
		{"^access_bookmark ^access_tag ^access_custom_page", "", "access_page", "", either, within},
	},
	routes: []route{
		{"*", "{scope}/access/apps/{app_id}/policies", "access_policy"},
		{"POST", "{scope}/access/apps/{app_id}/ca", "access_app.ca.create"},
		{"DELETE", "{scope}/access/apps/{app_id}/ca", "access_app.ca.delete"},
		{"POST", "{scope}/access/apps/{app_id}/revoke_tokens", "access_app.sessions.revoke"},
		{"PUT PATCH", "{scope}/access/apps/{id}/settings", "access_app.settings.update"},
		{"POST", "/accounts/{account}/access/policy-tests", "access_policy.test.view"},
		{"POST", "{scope}/access/organizations", "access_organization.create"},
		{"PUT PATCH", "{scope}/access/organizations", "access_organization.update"},
		{"PUT", "/accounts/{account}/access/organizations/doh", "access_organization.doh.update"},
		{"POST", "{scope}/access/organizations/revoke_user", "access_user.revoke"},
		{"PUT", "{scope}/access/certificates/settings", "access_certificate.settings.update"},
		{"*", "{scope}/access/certificates", "access_certificate"},
		{"*", "/accounts/{account}/access/gateway_ca", "access_gateway_ca"},
		{"PUT", "/accounts/{account}/access/keys", "access_key.update"},
		{"POST", "/accounts/{account}/access/keys/rotate", "access_key.roll"},
		{"POST", "/accounts/{account}/access/saml_certificates/{id}/rotate", "identity_provider.saml_certificate.roll"},
		{"POST", "/accounts/{account}/access/identity_providers/{id}/saml_certificate", "identity_provider.saml_certificate.create"},
		{"*", "/accounts/{account}/access/idp_federation_grants", "identity_provider.federation_grant"},
		{"*", "/accounts/{account}/access/users", "access_user"},
		{"PATCH", "/accounts/{account}/access/seats", "access_user.seat.update"},
		{"POST", "/accounts/{account}/access/bookmarks/{id}", "access_bookmark.create"},
		{"*", "/accounts/{account}/access/bookmarks", "access_bookmark"},
		{"*", "/accounts/{account}/access/custom_pages", "access_page"},
		{"*", "/accounts/{account}/access/tags", "access_tag"},
		{"*", "{scope}/access/policies", "access_policy"},
		{"*", "{scope}/access/apps", "access_app"},
		{"*", "{scope}/access/groups", "access_group"},
		{"*", "{scope}/access/identity_providers", "identity_provider"},
		{"POST", "{scope}/access/service_tokens/{id}/rotate", "access_service_token.roll"},
		{"POST", "{scope}/access/service_tokens/{id}/refresh", "access_service_token.update"},
		{"*", "{scope}/access/service_tokens", "access_service_token"},
	},
	rules: []rules.Rule{
		{ID: "service-token-rotated", Severity: high, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"access_service_token.roll"}},
			Title: "Secret of Access service token rotated[: {target}]",
			Why:   "Whoever did it holds a secret that passes every policy which admits the token already, without a person signing in."},
		{ID: "service-token-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"access_service_token.create", "access_service_token.update", "access_service_token.enable"}},
			Title: "Access service token created or changed[: {target}]",
			Why:   "The token passes Access without a person signing in, but only where a policy admits it, and policies have rules of their own."},
		{ID: "service-token-deleted", Severity: low,
			Match: rules.Match{Action: oneOf{"access_service_token.delete", "access_service_token.disable"}},
			Title: "Access service token deleted",
			Why:   "It takes access away and gives none; the machine that used it is locked out."},
		{ID: "access-bypass", Severity: critical, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.create", "access_policy.update", "access_app.create", "access_app.update"}, Decision: oneOf{"bypass"}, Direction: oneOf{"weaker"}},
			Title: "Access policy bypasses authentication[: {target}]",
			Why:   "What the policy covers is open to anybody it names, without signing in and without a log."},
		{ID: "access-opened-to-everyone", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.create", "access_policy.update", "access_app.create", "access_app.update"}, Decision: oneOf{"allow"}, Direction: oneOf{"weaker"}},
			Title: "Access opened to everyone who can sign in[: {target}]",
			Why:   "With a one-time PIN anybody with an e-mail address can sign in; whether the policy was created or changed makes no difference."},
		{ID: "access-group-opened", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_group.create", "access_group.update"}, Direction: oneOf{"weaker"}},
			Title: "Access group includes everyone[: {target}]",
			Why:   "Every policy that names the group, now or later, admits everyone who can sign in."},
		{ID: "access-bypass-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"access_policy.update", "access_policy.delete", "access_app.update", "access_group.update"}, Direction: oneOf{"safer"}},
			Title: "Access narrowed",
			Why:   "What was open to all asks for a sign-in, admits fewer, or refuses."},
		{ID: "access-policy-deleted", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.delete", "access_policy.disable"}},
			Title: "Access policy removed[: {target}]",
			Why:   "A rule that decided who may enter an application is gone."},
		{ID: "access-policy-updated", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.update", "access_policy.reset"}},
			Title: "Access policy changed[: {target}]",
			Why:   "Who may enter an application has changed."},
		{ID: "access-policy-opened", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.create", "access_app.create"}, Direction: oneOf{"weaker"}},
			Title: "Access policy lets in a machine[: {target}]",
			Why:   "Whatever has a token or a certificate enters, without a person signing in."},
		{ID: "access-policy-created", Severity: low,
			Match: rules.Match{Action: oneOf{"access_policy.create"}},
			Title: "Access policy created",
			Why:   "The policy asks for a sign-in or refuses."},
		{ID: "identity-provider-shared", Severity: high, Techniques: oneOf{"T1484.002"},
			Match: rules.Match{Action: oneOf{"identity_provider.federation_grant.create"}},
			Title: "Identity provider shared with other accounts[: {target}]",
			Why:   "The other accounts of the organization rely on the provider, and so on whoever controls it here."},
		{ID: "identity-provider-unshared", Severity: medium, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"identity_provider.federation_grant.delete"}},
			Title: "Identity provider no longer shared with other accounts[: {target}]",
			Why:   "Users of the other accounts cannot sign in through it any more."},
		{ID: "identity-provider-deleted", Severity: high, Techniques: oneOf{"T1556", "T1531"},
			Match: rules.Match{Action: oneOf{"identity_provider.delete", "identity_provider.disable"}},
			Title: "Identity provider removed[: {target}]",
			Why:   "Nobody can sign in through it any more; what remains may be weaker."},
		{ID: "identity-provider-created", Severity: high, Techniques: oneOf{"T1484.002"},
			Match: rules.Match{Action: oneOf{"identity_provider.create", "identity_provider.enable"}},
			Title: "Identity provider added[: {target}]",
			Why:   "Whoever controls the provider decides who is who."},
		{ID: "identity-provider-changed", Severity: medium, Techniques: oneOf{"T1484.002"},
			Match: rules.Match{Action: oneOf{"identity_provider.update", "identity_provider.reset", "identity_provider.roll", "identity_provider.saml_certificate.*"}, Verb: oneOf{"create", "update", "reset", "roll"}},
			Title: "Identity provider changed[: {target}]",
			Why:   "A changed address or certificate hands the sign-in to somebody else."},
		{ID: "access-app-deleted", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_app.delete", "access_app.disable"}},
			Title: "Access application removed[: {target}]",
			Why:   "What it protected is reachable without a sign-in."},
		{ID: "access-app-changed", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_app.update", "access_app.settings.update", "access_app.enable", "access_group.*"}, Verb: oneOf{"update", "delete", "enable", "disable"}},
			Title: "Access application or group changed[: {target}]",
			Why:   "Who may enter, or what is protected, has changed."},
		{ID: "access-organization-changed", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_organization.*", "access_certificate.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Access settings or certificates changed[: {target}]",
			Why:   "How long a session lasts, and whose certificates pass, holds for all applications."},
		{ID: "access-keys-changed", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_key.*"}, Verb: oneOf{"create", "update", "delete", "roll", "reset"}},
			Title: "Signing keys of Access rotated or their rotation changed: {words}[: {target}]",
			Why:   "Every application trusts what these keys have signed. Rotated by surprise they end sessions, and rotated too rarely they serve a thief."},
		{ID: "ssh-authority-deleted", Severity: medium, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"access_app.ca.delete", "access_gateway_ca.delete"}},
			Title: "{words}[: {target}]",
			Why:   "Servers that trust only this authority let nobody in any more."},
		{ID: "access-sessions-revoked", Severity: low,
			Match: rules.Match{Action: oneOf{"access_app.sessions.revoke", "access_user.revoke"}},
			Title: "Access sessions revoked",
			Why:   "Users have to sign in again, which is how one answers a stolen session."},
	},
}

// Servers to which agents of artificial intelligence connect through Access, and
// the portals in front of them.
var agentServers = family{
	prefixes: oneOf{"mcp_portal.", "mcp_server."},
	subjects: []subject{
		{"mcp_portal", "", "mcp_portal", "", either, named},
		{"mcp_server", "", "mcp_server", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/access/ai-controls/mcp/portals", "mcp_portal"},
		{"POST", "/accounts/{account}/access/ai-controls/mcp/servers/{id}/sync", "mcp_server.tools.update"},
		{"*", "/accounts/{account}/access/ai-controls/mcp/servers", "mcp_server"},
	},
	rules: []rules.Rule{
		{ID: "agent-server-changed", Severity: medium, Techniques: oneOf{"T1199"},
			Match: rules.Match{Action: oneOf{"mcp_portal.*", "mcp_server.create", "mcp_server.update", "mcp_server.delete"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Agents send it the data of users and follow what its tools answer, some of them with the credentials stored here."},
	},
}

// Servers that are reached through Access for Infrastructure.
var infrastructure = family{
	prefixes: oneOf{"infrastructure_target."},
	read:     (*review).readTarget,
	subjects: []subject{
		{"infrastructure_target", "", "infrastructure_target", "", either, named},
	},
	routes: []route{
		{"PUT", "/accounts/{account}/infrastructure/targets/batch", "infrastructure_target.update"},
		{"DELETE", "/accounts/{account}/infrastructure/targets/batch", "infrastructure_target.delete"},
		{"POST", "/accounts/{account}/infrastructure/targets/batch_delete", "infrastructure_target.delete"},
		{"*", "/accounts/{account}/infrastructure/targets", "infrastructure_target"},
	},
	rules: []rules.Rule{
		{ID: "infrastructure-target-changed", Severity: medium, Techniques: oneOf{"T1021.004", "T1557"},
			Match: rules.Match{Action: oneOf{"infrastructure_target.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Users connect to the address that stands here; another one receives their sessions, and without one they reach nothing."},
		ordinary("access-administered", "It admits nobody: an application or an authority without a policy, or what users see and who is listed.",
			"access_app.create", "access_group.create", "access_app.ca.create", "access_gateway_ca.create", "access_user.*", "access_page.*", "access_bookmark.*", "access_tag.*", "mcp_server.tools.update"),
	},
}

func (r *review) readTarget() { r.readNamed("hostname", "name") }

// readAccess determines whom a policy, a group or an application with policies
// admits.
func (r *review) readAccess() {
	r.Target = r.text("name", "app_name", "hostname", "email", "idp_id")
	r.Decision = strings.ToLower(r.text("decision"))
	switch kind, _, _ := strings.Cut(r.name, "."); kind {
	case "access_policy":
		r.readAdmission(r.admissionOf(r.before.text("decision"), r.before), r.admissionOf(r.Decision, r.after))
	case "access_group":
		r.readAdmission(r.admissionOf(allow, r.before), r.admissionOf(allow, r.after))
	case "access_app":
		r.Decision = ""
		if r.verb == VerbCreate || len(r.before) > 0 {
			// The entry of an application may include its policies.
			r.readAdmission(widestOf(r.before.get("policies")), widestOf(r.after.get("policies")))
		}
	case "access_organization":
		r.readSwitches()
	case "access_service_token":
		r.readSwitches()
		r.Direction = reverse(r.Direction) // a token that is off admits nobody
	}
}

// readAdmission determines the direction of a change of who is admitted, which is
// that of the state it leads to.
func (r *review) readAdmission(was, is admission) {
	if is != guarded && r.Decision == "" {
		r.Decision = decisions[is]
	}
	switch {
	case r.verb == VerbDelete:
		if was >= everyone {
			r.Direction = rules.Safer
		}
	case is >= everyone && is > was, is > was && (r.verb == VerbCreate || len(r.before) > 0):
		r.Direction = rules.Weaker
	case was >= everyone && is < was && len(r.after) > 0:
		r.Direction = rules.Safer
	}
}

// admission is whom a policy admits, from the fewest to the most.
type admission int

const (
	guarded  admission = iota // nobody, or those it names once they have signed in
	machines                  // whatever has a token or a certificate
	everyone                  // everyone who can sign in
	anybody                   // without signing in
)

// allow is the decision of a policy that asks for a sign-in.
const allow = "allow"

// decisions are the decisions of policies that admit more than those they name.
var decisions = [...]string{machines: "non_identity", everyone: allow, anybody: "bypass"}

// admissionOf is whom a policy with a decision and these rules admits.
func admissionOf(decision string, include, require jsondoc.Value) admission {
	switch strings.ToLower(decision) {
	case decisions[anybody]:
		return anybody
	case decisions[machines]:
		return machines
	case allow:
		if hasEveryone(include) && !require.First().Exists() {
			return everyone
		}
	}
	return guarded
}

// admissionOf is admissionOf for a policy or a group before or after a change. What
// the entry leaves out stays as it was.
func (r *review) admissionOf(decision string, o object) admission {
	rule := func(key string) jsondoc.Value {
		if v := o.get(key); v.Exists() {
			return v
		}
		return r.before.get(key)
	}
	return admissionOf(decision, rule("include"), rule("require"))
}

// widestOf is whom a list of policies admits.
func widestOf(policies jsondoc.Value) admission {
	widest := guarded
	for policy := range policies.All() {
		widest = max(widest, admissionOf(policy.Get("decision").Text(), policy.Get("include"), policy.Get("require")))
	}
	return widest
}

// hasEveryone reports whether one of the rules of a policy matches everyone.
func hasEveryone(list jsondoc.Value) bool {
	for rule := range list.All() {
		if rule.Get("everyone").Exists() {
			return true
		}
	}
	return false
}

// nameApplication adds the application to the name of a policy: policies of
// several applications often have the same name.
func (r *review) nameApplication() {
	if !strings.HasPrefix(r.name, "access_policy.") {
		return
	}
	name := r.Target
	if app := r.text("app_name", "app_id"); app != "" && app != name {
		r.Target = strings.TrimSpace(name + " (" + app + ")")
	}
	if id := r.text("app_id"); id != "" {
		r.shared = strings.TrimSpace(name + " (" + id + ")")
	}
}
