package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/rules"
)

var accountSuite = suite{
	pairs: slices.Concat(
		rows("?user/email_verified; ?user/verify_email", "account.email.view", info, same, same),
		rows("/account.2fa.disable", "account.2fa.disable", high, same, same),
		rows("account/login; /LOGIN; /SSO_LOGIN", "account.login", info, same, same),
		rows("/logout", "account.logout", info, same, same),
		rows("/cloudflare_login", "account.staff_login", medium, same, same, byStaff, `"metadata":{"actual_user":"support"}`),
		rows("/MFA_enabled", "account.2fa.enable", info, same, same),
		rows("?/MFA_disabled; ?user/TFA_disabled; ?user/two_factor_removed; ?user.two_factor_authentication/delete; ?user.2fa/delete; ?user.mfa/delete; "+
			"?user.webauthn/delete; ?user.security_keys/delete; ?user/totp_revoked; ?user/backup_codes_reset", "account.2fa.disable", high, same, same),
		rows("?user.mfa/update", "account.2fa.update", medium, same, same),
		rows("account/add_enforce_twofactor", "account.2fa.enforce", medium, same, same),
		rows("account/add_enforce_twofactor", "account.2fa.disable", high, same, same, newValue(`{"enforce_twofactor":false}`)),
		rows("account/add_enforce_twofactor", "account.2fa.disable", high, same, same, `"newValue":"false"`),
		rows("?account/remove_enforce_twofactor; ?account/delete_enforce_twofactor; ?account/disable_enforce_twofactor", "account.2fa.disable", high, same, same),
		rows("?accounts/update", "account.2fa.disable", high, same, low, values(`{"settings":{"enforce_twofactor":true}}`, `{"settings":{"enforce_twofactor":false}}`)),
		rows("?accounts/update", "account.update", low, same, low, values(`{"name":"a","settings":{"enforce_twofactor":false}}`, `{"name":"b","settings":{"enforce_twofactor":false}}`)),
		rows("/change_password", "account.password.change", medium, same, same),
		rows("?/change_email; ?user/email_changed; ?user/update_email", "account.email.change", high, same, same),
		rows("?user/update", "user.update", medium, same, same),
		rows("?user/update", "account.email.change", high, same, same, values(`{"email":"alice@example.com"}`, `{"email":"mallory@example.net"}`)),
		rows("subscription/view", "subscription.view", info, same, same),
		rows("?subscription/delete", "subscription.delete", medium, same, same),
		rows("?subscription/update", "subscription.update", medium, same, low, values(`{"rate_plan":{"id":"business"}}`, `{"rate_plan":{"id":"free"}}`)),
		rows("?share/create; ?resource_share/delete", "", medium, same, same),
		// How members sign in. The names are derived.
		rows("?sso_connector/create; ?sso_connectors/update; ?sso_connector/delete; ?account/sso_disabled; ?account/saml_update", "", high, same, same),
	),
	calls: accountCalls(),
	examples: map[string]ruleExample{
		"account-administered":      {called("PUT {a}/profile", requestBody(`{"business_name":"Example"}`)), called("PUT {a}", requestBody(`{"settings":{"enforce_twofactor":false}}`))},
		"staff-access":              {logged("account", "cloudflare_login", byStaff), logged("account", "login")},
		"login-failed":              {logged("account", "login", `"action":{"type":"login","result":false}`), logged("account", "login")},
		"login":                     {logged("account", "login"), logged("account", "logout")},
		"logout":                    {logged("account", "logout"), logged("account", "login")},
		"2fa-enforcement-removed":   {logged("account", "remove_enforce_twofactor"), logged("account", "add_enforce_twofactor")},
		"2fa-disabled":              {logged("user", "MFA_disabled"), logged("user", "MFA_enabled")},
		"2fa-enforced":              {logged("account", "add_enforce_twofactor"), logged("account", "add_enforce_twofactor", `"newValue":"false"`)},
		"2fa-enabled":               {logged("user", "MFA_enabled"), logged("user", "MFA_disabled")},
		"2fa-changed":               {logged("user", "totp_update"), logged("user", "totp_enabled")},
		"password-changed":          {logged("user", "change_password"), logged("user", "change_email")},
		"email-confirmed":           {logged("user", "email_verified"), logged("user", "change_email")},
		"email-changed":             {logged("user", "change_email"), logged("email_routing.rule", "update")},
		"user-changed":              {logged("user", "update"), logged("user", "update", values(`{"email":"alice@example.com"}`, `{"email":"bob@example.com"}`))},
		"account-deleted":           {logged("account", "delete"), logged("account", "billing_delete")},
		"account-moved":             {requested("POST", "/accounts/"+exampleAccount+"/move", requestBody(`{"destination_organization_id":"o2"}`)), logged("account", "update")},
		"organization-member-added": {called("POST /organizations/1/members", requestBody(`{"member":{"user":{"email":"dave@example.org"}}}`)), called("DELETE /organizations/1/members/1")},
		"organization-moved":        {called("PUT /organizations/1", requestBody(`{"name":"Example","parent":{"id":"o2"}}`)), called("PUT /organizations/1", requestBody(`{"name":"Example"}`))},
		"organization-removed":      {called("DELETE /organizations/1"), called("DELETE {a}")},
		"tenant-nameserver-changed": {called("POST /tenants/1/custom_ns", requestBody(`{"ns_name":"ns1.example.com"}`)), called("GET /tenants/1/custom_ns")},
		"subscription-ended":        {logged("subscription", "delete"), logged("subscription", "view")},
		"subscription-downgraded":   {called("PUT {z}/subscription", requestBody(`{"rate_plan":{"id":"free"}}`)), called("PUT {z}/subscription", requestBody(`{"rate_plan":{"id":"business"}}`))},
		"share-granted":             {called("POST {a}/shares", requestBody(`{"name":"policies","recipients":[{"account_id":"x"}]}`)), called("DELETE {a}/shares/1/recipients/1")},
		"share-withdrawn":           {called("DELETE {a}/shares/1"), called("POST {a}/shares", requestBody(`{"name":"policies"}`))},
		"single-sign-on-changed":    {logged("sso_connector", "delete"), logged("account", "SSO_LOGIN")},
	},
	facts: map[string]factCase{
		"member of an organization": {
			raw:    called("POST /organizations/1/members", responseBody(`{"id":"m1","status":"active","user":{"email":"dave@example.org"}}`)),
			action: "organization.member.add",
			want:   rules.Facts{Target: "dave@example.org"},
		},
		"staff": {
			raw:       logged("account", "cloudflare_login", byStaff, `"metadata":{"actual_user":"support"}`),
			want:      rules.Facts{Target: "support"},
			staff:     true,
			actorName: "support",
		},
		"own second factor": {
			raw:  logged("user", "MFA_disabled", `"resource":{"type":"user","id":"a1"}`),
			want: rules.Facts{Target: "alice@example.com", Direction: rules.Weaker},
		},
	},
	moves: map[string]moveCase{
		"enforcement set to off":  {logged("account", "add_enforce_twofactor", values(`{"enforce_twofactor":true}`, `{"enforce_twofactor":false}`)), "account.2fa.disable", rules.Weaker, ""},
		"enforcement off by text": {logged("account", "update_enforce_twofactor", `"newValue":"false"`), "account.2fa.disable", rules.Weaker, ""},
		"enforcement on":          {logged("account", "add_enforce_twofactor", values(`{}`, `{"enforce_twofactor":true}`)), "account.2fa.enforce", rules.Safer, ""},
		"enforcement off among settings": {logged("account", "update", values(`{"settings":{"enforce_twofactor":true}}`, `{"settings":{"enforce_twofactor":false}}`)),
			"account.2fa.disable", rules.Weaker, ""},
		"plan given up":      {logged("subscription", "update", values(`{"rate_plan":{"id":"pro"}}`, `{"rate_plan":{"id":"free"}}`)), "subscription.update", rules.Weaker, "free"},
		"plan that was free": {logged("subscription", "update", values(`{"rate_plan":{"id":"free"}}`, `{"rate_plan":{"id":"free"}}`)), "subscription.update", "", "free"},
		"same parent":        {logged("organization", "organization.update", values(`{"parent":{"id":"o1"}}`, `{"parent":{"id":"o1"}}`)), "organization.update", "", ""},
		"enforcement that was off": {logged("account", "update", values(`{"name":"a","settings":{"enforce_twofactor":false}}`, `{"name":"b","settings":{"enforce_twofactor":false}}`)),
			"account.update", "", ""},
	},
}

func accountCalls() callList {
	var list callList
	list.add("POST /user/two_factor_authentication", "account.2fa.enable", info)
	list.add("DELETE /user/two_factor_authentication; DELETE /user/mfa/1; DELETE /user/webauthn/1; DELETE /user/2fa; DELETE /user/security_keys/1", "account.2fa.disable", high)
	list.add("PUT /user/two_factor_authentication; PATCH /user/two_factor_authentication", "account.2fa.update", medium)
	list.add("PATCH /user; PUT /user", "user.update", medium)
	list.add("PATCH /user", "account.email.change", high, requestBody(`{"email":"mallory@example.net"}`))
	list.add("PUT {a}; PATCH {a}", "account.update", low, requestBody(`{"name":"x"}`))
	list.add("PUT {a}", "account.2fa.disable", high, requestBody(`{"name":"x","settings":{"enforce_twofactor":false}}`))
	list.add("PUT {a}", "account.2fa.enforce", medium, requestBody(`{"name":"x","settings":{"enforce_twofactor":true}}`))
	list.add("POST /accounts", "account.create", low)
	list.add("DELETE {a}", "account.delete", high)
	list.add("GET /accounts; GET {a}", "account.view", drop)
	list.add("GET /user", "user.view", drop)
	list.add("GET /user/two_factor_authentication", "account.2fa.view", drop)
	// Whoever takes an account over may move it, or change how members sign in.
	list.collect("{a}/shares", "share", medium, medium, medium)
	list.collect("{a}/shares/1/recipients", "share.recipient", medium, "", medium)
	list.collect("{a}/shares/1/resources", "share.resource", medium, medium, medium)
	list.collect("{a}/sso_connectors", "sso_connector", high, high, high)
	list.collect("{a}/subscriptions", "subscription", low, low, medium)
	list.collect("/organizations", "organization", low, low, medium)
	list.collect("/tenants/1/custom_ns", "tenant.custom_ns", medium, "", medium)
	list.add("POST {a}/move", "account.move", high)
	list.add("PUT {a}/profile", "account.profile.update", low)
	list.add("POST {a}/sso_connectors/1/begin_verification", "sso_connector.verification.start", low)
	list.add("POST {z}/subscription; POST {z}/subscriptions", "subscription.create", low)
	list.add("DELETE /user/subscriptions/1", "subscription.delete", medium)
	list.add("PUT /user/subscriptions/1; PUT {z}/subscription", "subscription.update", low)
	list.add("DELETE {a}/tags; DELETE {z}/tags", "resource_tag.delete", low)
	list.add("PUT {a}/tags; PUT {z}/tags", "resource_tag.update", low)
	list.add("POST /organizations/1/members", "organization.member.add", high)
	list.add("DELETE /organizations/1/members/1", "organization.member.remove", medium)
	list.add("PUT /organizations/1/profile", "organization.profile.update", low)
	list.add("POST {a}/sso_connectors", "sso_connector.create", high, requestBody(`{"email_domain":"example.com"}`))
	list.add("PATCH {a}/sso_connectors/1", "sso_connector.disable", high, requestBody(`{"enabled":false}`))
	return list
}

func TestAccount_EveryEntryIsUnderstoodAndGraded(t *testing.T) { accountSuite.check(t) }

// The names of these actions have not been published, so any spelling may occur.
func TestAccount_RecognisesEverySpellingOfASecondFactor(t *testing.T) {
	t.Parallel()
	c := grading(t, rules.Config{ProductionZones: oneOf{"example.com"}})
	check := func(resource, action, want string, severity ingest.Severity) {
		t.Helper()
		raw := logged(resource, action, inZone)
		v, f := grade(t, c, raw)
		assert.Equal(t, want, f.Action, raw)
		assert.Equal(t, severity, v.Severity, raw)
	}
	for _, factor := range strings.Fields("mfa MFA tfa 2fa two_factor twofactor totp webauthn security_key securitykey backup_code backup_codes") {
		for _, off := range strings.Fields("disable disabled remove removed delete deleted revoke revoked off unenroll unenrolled reset") {
			check("user", factor+"_"+off, "account.2fa.disable", high)
			check("user", off+"_"+factor, "account.2fa.disable", high)
			check("user."+factor, off, "account.2fa.disable", high)
		}
		for _, on := range strings.Fields("enable enabled add added create") {
			check("user", factor+"_"+on, "account.2fa.enable", info)
		}
	}
}
