package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Access: sign-in to applications.
var access = family{
	prefixes: oneOf{"access_", "identity_provider."},
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
	},
	routes: []route{
		{"*", "{scope}/access/apps/{app_id}/policies", "access_policy"},
		{"POST", "{scope}/access/apps/{app_id}/ca", "access_app.ca.create"},
		{"DELETE", "{scope}/access/apps/{app_id}/ca", "access_app.ca.delete"},
		{"POST", "{scope}/access/apps/{app_id}/revoke_tokens", "access_app.sessions.revoke"},
		{"PUT PATCH", "{scope}/access/organizations", "access_organization.update"},
		{"POST", "{scope}/access/organizations/revoke_user", "access_user.revoke"},
		{"*", "{scope}/access/certificates", "access_certificate"},
		{"*", "{scope}/access/policies", "access_policy"},
		{"*", "{scope}/access/apps", "access_app"},
		{"*", "{scope}/access/groups", "access_group"},
		{"*", "{scope}/access/identity_providers", "identity_provider"},
		{"POST", "{scope}/access/service_tokens/{id}/rotate", "access_service_token.roll"},
		{"POST", "{scope}/access/service_tokens/{id}/refresh", "access_service_token.update"},
		{"*", "{scope}/access/service_tokens", "access_service_token"},
	},
	rules: []rules.Rule{
		{ID: "service-token-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"access_service_token.create", "access_service_token.roll", "access_service_token.update"}},
			Title: "Access service token created or changed[: {target}]",
			Why:   "The token passes Access without a person signing in."},
		{ID: "access-bypass", Severity: critical, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.create", "access_policy.update", "access_app.create", "access_app.update"}, Decision: oneOf{"bypass"}, Direction: oneOf{"weaker"}},
			Title: "Access policy bypasses authentication[: {target}]",
			Why:   "What the policy covers is open to anybody it names, without signing in and without a log."},
		{ID: "access-bypass-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"access_policy.update", "access_policy.delete"}, Direction: oneOf{"safer"}},
			Title: "Access policy no longer bypasses authentication",
			Why:   "What was open asks for a sign-in, or refuses."},
		{ID: "access-policy-deleted", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.delete", "access_policy.disable"}},
			Title: "Access policy removed[: {target}]",
			Why:   "A rule that decided who may enter an application is gone."},
		{ID: "access-policy-updated", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.update", "access_policy.reset"}},
			Title: "Access policy changed[: {target}]",
			Why:   "Who may enter an application has changed."},
		{ID: "access-policy-opened", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_policy.create"}, Direction: oneOf{"weaker"}},
			Title: "Access policy lets in everyone or a machine[: {target}]",
			Why:   "Anybody who can sign in somehow enters, or whatever has a token without signing in."},
		{ID: "access-policy-created", Severity: low,
			Match: rules.Match{Action: oneOf{"access_policy.create"}},
			Title: "Access policy created",
			Why:   "The policy asks for a sign-in or refuses."},
		{ID: "identity-provider-deleted", Severity: high, Techniques: oneOf{"T1556", "T1531"},
			Match: rules.Match{Action: oneOf{"identity_provider.delete", "identity_provider.disable"}},
			Title: "Identity provider removed[: {target}]",
			Why:   "Nobody can sign in through it any more; what remains may be weaker."},
		{ID: "identity-provider-created", Severity: high, Techniques: oneOf{"T1484.002"},
			Match: rules.Match{Action: oneOf{"identity_provider.create", "identity_provider.enable"}},
			Title: "Identity provider added[: {target}]",
			Why:   "Whoever controls the provider decides who is who."},
		{ID: "identity-provider-changed", Severity: medium, Techniques: oneOf{"T1484.002"},
			Match: rules.Match{Action: oneOf{"identity_provider.update", "identity_provider.reset", "identity_provider.roll"}},
			Title: "Identity provider changed[: {target}]",
			Why:   "A changed address or certificate hands the sign-in to somebody else."},
		{ID: "access-app-deleted", Severity: high, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_app.delete", "access_app.disable"}},
			Title: "Access application removed[: {target}]",
			Why:   "What it protected is reachable without a sign-in."},
		{ID: "access-app-changed", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_app.update", "access_group.*"}, Verb: oneOf{"update", "delete"}},
			Title: "Access application or group changed[: {target}]",
			Why:   "Who may enter, or what is protected, has changed."},
		{ID: "access-organization-changed", Severity: medium, Techniques: oneOf{"T1556"},
			Match: rules.Match{Action: oneOf{"access_organization.*", "access_certificate.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Access settings or certificates changed[: {target}]",
			Why:   "How long a session lasts, and whose certificates pass, holds for all applications."},
	},
}

// readAccess determines whom a policy admits without a sign-in.
func (r *review) readAccess() {
	r.Target = r.text("name", "app_name")
	r.Decision = strings.ToLower(r.text("decision"))
	was := strings.ToLower(r.before.text("decision"))
	if strings.HasPrefix(r.name, "access_app.") && (r.verb == VerbCreate || len(r.before) > 0) {
		// The entry of an application may include its policies.
		r.Decision, was = bypassIn(r.after.get("policies")), bypassIn(r.before.get("policies"))
	}
	switch {
	case r.verb == VerbDelete:
		if was == bypass {
			r.Direction = rules.Safer
		}
	case r.Decision == bypass && was != bypass:
		r.Direction = rules.Weaker
	case r.Decision != "" && r.Decision != bypass && was == bypass:
		r.Direction = rules.Safer
	case r.verb == VerbCreate && (r.Decision == "non_identity" || r.Decision == "allow" && hasEveryone(r.after.get("include"))):
		r.Direction = rules.Weaker
	}
}

// bypass is the decision of a policy that requires no sign-in.
const bypass = "bypass"

// bypassIn is bypass if one of the policies has that decision.
func bypassIn(policies jsondoc.Value) string {
	for policy := range policies.All() {
		if strings.EqualFold(policy.Get("decision").Text(), bypass) {
			return bypass
		}
	}
	return ""
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
