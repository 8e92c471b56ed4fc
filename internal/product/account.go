package product

import (
	"cmp"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Users and the account itself.
var account = family{
	prefixes: oneOf{"account.", "user."},
	read:     (*review).readAccount,
	pairs: []pair{
		{"*", "login", "account.login"},
		{"*", "logout", "account.logout"},
		{"*", "cloudflare_login", "account.staff_login"},
		{"*", "MFA_enabled", "account.2fa.enable"},
		{"*", "MFA_disabled", "account.2fa.disable"}, // derived, not published
		{"*", "add_enforce_twofactor", "account.2fa.enforce"},
		{"*", "remove_enforce_twofactor", "account.2fa.disable"},  // derived, not published
		{"*", "delete_enforce_twofactor", "account.2fa.disable"},  // derived, not published
		{"*", "disable_enforce_twofactor", "account.2fa.disable"}, // derived, not published
		{"*", "change_password", "account.password.change"},
		{"*", "change_email", "account.email.change"}, // derived, not published
		{"user", "update", "user.update"},             // derived, not published
	},
	subjects: []subject{
		{enforceWords, enforceWords, "account.2fa", "create=account.2fa.enforce enable=account.2fa.enforce update=account.2fa.enforce " +
			"delete=account.2fa.disable reset=account.2fa.disable", either, exact},
		{factorWords, factorWords, "account.2fa", "create=account.2fa.enable delete=account.2fa.disable reset=account.2fa.disable", either, exact},
		{"^account$ ^user$ ^$", "password", "account.password", "create=account.password.change update=account.password.change reset=account.password.change", both, exact},
		{"^account$ ^user$ ^$", "email", "account.email", "create=account.email.change update=account.email.change", both, exact},
		{"", "^login sso_login ^sign_in ^signin", "account", "login=account.login view=account.login", either, exact},
		{"", "^logout ^sign_out ^signout", "account", "logout=account.logout", either, exact},
		{"^account$ ^accounts$", "", "account", "", bare, leftover},
	},
	routes: []route{
		{"POST", "/user/two_factor_authentication", "account.2fa.enable"},      // derived, not published
		{"DELETE", "/user/two_factor_authentication", "account.2fa.disable"},   // derived, not published
		{"PUT PATCH", "/user/two_factor_authentication", "account.2fa.update"}, // derived, not published
		{"PUT PATCH", "/user", "user.update"},
		{"GET", "/user", "user.view"},
		{"PUT PATCH", "/accounts/{account}", "account.update"},
		{"PUT", "/accounts/{account}/profile", "account.profile.update"},
		{"POST", "/accounts", "account.create"},
		{"POST", "/accounts/{account}/move", "account.move"},
		{"DELETE", "/accounts/{account}", "account.delete"},
		{"GET", "/accounts/{account}", "account.view"},
		{"GET", "/accounts", "account.view"},
	},
	names: oneOf{"account.add"},
	joints: []joint{
		{actions: oneOf{"account.*", "user.*"}, by: byActor},
	},
	rules: []rules.Rule{
		{ID: "staff-access", Severity: medium, Techniques: oneOf{"T1199"},
			Match: rules.Match{Action: oneOf{"account.staff_login"}},
			Title: "Cloudflare staff opened the account[: {target}]",
			Why:   "Somebody at Cloudflare looked into the account. That should go together with a support case of yours."},
		{ID: "login-failed", Severity: low, Techniques: oneOf{"T1110"},
			Match: rules.Match{Action: oneOf{"account.login"}, Outcome: oneOf{"failure"}},
			Title: "Cloudflare sign-in failed",
			Why:   "One failure is a slip; many, or many users from one address, are somebody guessing passwords."},
		{ID: "login", Severity: info, Techniques: oneOf{"T1078.004"},
			Match: rules.Match{Action: oneOf{"account.login"}},
			Title: "Cloudflare sign-in",
			Why:   "A sign-in matters by where it comes from and by what follows it."},
		{ID: "logout", Severity: info,
			Match: rules.Match{Action: oneOf{"account.logout"}},
			Title: "Cloudflare sign-out",
			Why:   "The end of a session."},
		{ID: "2fa-enforcement-removed", Severity: high, Techniques: oneOf{"T1556.006"},
			Match: rules.Match{Action: oneOf{"account.2fa.disable"}, Setting: oneOf{enforcementSetting}},
			Title: "Two-factor authentication no longer enforced for the account",
			Why:   "Every member can sign in with a password alone from now on."},
		{ID: "2fa-disabled", Severity: high, Techniques: oneOf{"T1556.006"},
			Match: rules.Match{Action: oneOf{"account.2fa.disable"}},
			Title: "Two-factor authentication disabled[: {target}]",
			Why:   "A password alone is enough from now on. Somebody who has taken over an account removes its second factor first."},
		{ID: "2fa-enforced", Severity: medium, Techniques: oneOf{"T1556.006"},
			Match: rules.Match{Action: oneOf{"account.2fa.enforce"}},
			Title: "Two-factor enforcement of the account changed",
			Why:   "The rule for all members' sign-in was set. It shuts out members without a second factor."},
		{ID: "2fa-enabled", Severity: info,
			Match: rules.Match{Action: oneOf{"account.2fa.enable", "account.2fa.view"}},
			Title: "Two-factor authentication enabled",
			Why:   "A user added a second factor."},
		{ID: "2fa-changed", Severity: medium, Techniques: oneOf{"T1556.006"},
			Match: rules.Match{Action: oneOf{"account.2fa.*"}},
			Title: "Two-factor authentication changed[: {target}]",
			Why:   "A replaced second factor may be an attacker's."},
		{ID: "password-changed", Severity: medium, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"account.password.*"}},
			Title: "Password changed[: {target}]",
			Why:   "A change that the user did not make locks the user out."},
		used("email-confirmed", "The user followed the link in a mail of Cloudflare's.", "account.email.view"),
		{ID: "email-changed", Severity: high, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"account.email.*"}},
			Title: "Login e-mail address changed[: {target}]",
			Why:   "Whoever has the address can reset the password."},
		{ID: "user-changed", Severity: medium, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"user.update"}},
			Title: "User profile changed[: {target}]",
			Why:   "The profile is part of how a user proves to be the user, to Cloudflare's support too."},
		{ID: "account-moved", Severity: high, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"account.move"}},
			Title: "Account moved to another organization[: {target}]",
			Why:   "Whoever holds the organization holds the account."},
		{ID: "account-deleted", Severity: high, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"account.delete"}},
			Title: "Account deleted[: {target}]",
			Why:   "All its zones and settings go with it."},
	},
}

// Organizations, which hold accounts, and tenants, which hold customers.
var organizations = family{
	prefixes: oneOf{"organization.", "tenant."},
	read:     (*review).readOrganization,
	routes: []route{
		{"POST", "/organizations/{organization_id}/members", "organization.member.add"},
		{"DELETE", "/organizations/{organization_id}/members/{id}", "organization.member.remove"},
		{"PUT", "/organizations/{id}/profile", "organization.profile.update"},
		{"*", "/organizations", "organization"},
		{"*", "/tenants/{tenant}/custom_ns", "tenant.custom_ns"},
	},
	names: oneOf{"organization.move"},
	rules: []rules.Rule{
		{ID: "organization-member-added", Severity: high, Techniques: oneOf{"T1098.003", "T1136.003"},
			Match: rules.Match{Action: oneOf{"organization.member.add"}},
			Title: "Member added to the organization[: {target}]",
			Why:   "Members of an organization administer all accounts in it."},
		{ID: "organization-moved", Severity: high, Techniques: oneOf{"T1098"},
			Match: rules.Match{Action: oneOf{"organization.move"}},
			Title: "Organization moved below another one[: {target}]",
			Why:   "Whoever holds the upper organization holds all accounts in the lower one."},
		{ID: "organization-removed", Severity: medium, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"organization.delete", "organization.member.remove"}},
			Title: "{words}[: {target}]",
			Why:   "Those who administered all accounts together no longer do."},
		{ID: "tenant-nameserver-changed", Severity: medium, Techniques: oneOf{"T1584.002"},
			Match: rules.Match{Action: oneOf{"tenant.custom_ns.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "The zones of its customers are answered under these names, or no longer are."},
	},
}

// Subscriptions.
var billing = family{
	prefixes: oneOf{"subscription."},
	read:     (*review).readSubscription,
	subjects: []subject{
		{"^subscription", "", "subscription", "", either, named},
	},
	routes: []route{
		{"*", "{scope}/subscriptions", "subscription"},
		{"*", "/zones/{zone}/subscription", "subscription"},
	},
	rules: []rules.Rule{
		{ID: "subscription-ended", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"subscription.delete", "subscription.disable"}},
			Title: "Subscription cancelled[: {target}]",
			Why:   "The protections that it paid for end with it."},
		{ID: "subscription-downgraded", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"subscription.*"}, Direction: oneOf{"weaker"}},
			Title: "Subscription set to the free plan[: {target}]",
			Why:   "The protections that only a paid plan has end."},
	},
}

// What is shared with other accounts.
var shares = family{
	prefixes: oneOf{"share."},
	routes: []route{
		{"*", "/accounts/{account}/shares/{share_id}/recipients", "share.recipient"},
		{"*", "/accounts/{account}/shares/{share_id}/resources", "share.resource"},
		{"*", "/accounts/{account}/shares", "share"},
	},
	subjects: []subject{
		{"^resource_shar ^share", "", "share", "", either, named},
	},
	rules: []rules.Rule{
		{ID: "share-granted", Severity: medium, Techniques: oneOf{"T1537"},
			Match: rules.Match{Action: oneOf{"share.*"}, Verb: oneOf{"create", "update"}},
			Title: "{words}[: {target}]",
			Why:   "Those who receive the share read and use what is in it."},
		{ID: "share-withdrawn", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"share.*"}, Verb: oneOf{"delete"}},
			Title: "{words}[: {target}]",
			Why:   "Accounts that take their policies from the share lose them."},
	},
}

// Labels of resources.
var resourceTags = family{
	prefixes: oneOf{"resource_tag."},
	routes: []route{
		{"PUT", "{scope}/tags", "resource_tag.update"},
		{"DELETE", "{scope}/tags", "resource_tag.delete"},
	},
	rules: []rules.Rule{
		ordinary("account-administered", "Names, contacts, plans and labels let nobody in and protect nothing.",
			"account.create", "account.update", "account.profile.update", "organization.*", "subscription.*", "resource_tag.*", "sso_connector.verification.start"),
	},
}

// How members of the account sign in.
var signOn = family{
	prefixes: oneOf{"sso_connector."},
	switches: true,
	subjects: []subject{
		{"^sso ^saml account_sso", "", "sso_connector", "", either, exact},
		{"^account$ ^user$ ^$", "sso saml", "sso_connector", "", both, exact},
	},
	routes: []route{
		{"POST", "/accounts/{account}/sso_connectors/{id}/begin_verification", "sso_connector.verification.start"},
		{"*", "/accounts/{account}/sso_connectors", "sso_connector"},
	},
	rules: []rules.Rule{
		{ID: "single-sign-on-changed", Severity: high, Techniques: oneOf{"T1556", "T1484.002"},
			Match: rules.Match{Action: oneOf{"sso_connector.create", "sso_connector.update", "sso_connector.delete", "sso_connector.enable", "sso_connector.disable", "sso_connector.reset"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "{words}[: {target}]",
			Why:   "It decides how all members of a domain prove who they are."},
	},
}

// readOrganization determines whether an organization comes below another one.
func (r *review) readOrganization() {
	r.Target = r.text("name", "ns_name", "email")
	for _, o := range [...]object{r.after, r.before, r.meta} {
		for _, user := range [...]jsondoc.Value{o.get("user"), o.get("member").Get("user")} {
			if r.Target == "" {
				r.Target = user.Get("email").Text()
			}
		}
	}
	now, was := r.after.get("parent").Get("id").Text(), r.before.get("parent").Get("id").Text()
	if r.name == "organization.update" && now != "" && now != was {
		r.rename("organization.move")
	}
}

// readSubscription determines whether a plan is given up.
func (r *review) readSubscription() {
	plan := func(o object) string { return o.get("rate_plan").Get("id").Text() }
	now, was := plan(r.after), plan(r.before)
	r.Target = cmp.Or(now, was, r.text("name"))
	r.zoneIsTarget = true
	if r.verb == VerbUpdate && strings.EqualFold(now, freePlan) && !strings.EqualFold(was, freePlan) {
		r.Direction = rules.Weaker
	}
}

// freePlan is the id of the plan that costs nothing.
const freePlan = "free"

// readAccount reads the entries of the account, its users and its members.
func (r *review) readAccount() {
	r.Target = r.meta.text("user_email", "email", "member_email")
	if r.Target == "" {
		r.Target = r.text("email", "invited_member_email", "userName")
	}
	for _, o := range [...]object{r.after, r.before, r.meta} {
		if r.Target == "" {
			r.Target = o.get("user").Get("email").Text()
		}
	}
	if r.isEnforcement() {
		r.Setting = enforcementSetting
	}
	switch r.name {
	case "account.2fa.enforce", "account.2fa.update", "account.2fa.enable", "account.update":
		switch now := r.enforcement(); {
		case now == "false":
			r.rename("account.2fa.disable")
			r.Setting = enforcementSetting
		case now == "true" && r.e.Call != nil:
			// Without the old value, this may already have been so.
			r.rename("account.2fa.enforce")
			r.Setting = enforcementSetting
		}
	case "user.update":
		if now := r.after.text("email"); now != "" && !strings.EqualFold(now, r.before.text("email")) {
			r.rename("account.email.change")
		}
	case "account.staff_login":
		r.Target = r.ActorName
	case "account.move":
		r.Target = r.text("destination_organization_id")
	case "member.invitation.accept", "member.leave":
		r.Target = cmp.Or(r.Target, r.e.ActorEmail)
		if strings.EqualFold(r.after.text("status"), "rejected") {
			r.rename("member.invitation.decline")
		}
	}
	if e := r.e; r.Target == "" && r.isAboutOneself() && (e.ResourceID == "" || e.ResourceID == e.ActorID || e.ResourceID == e.OwnerID) {
		r.Target = e.ActorEmail
	}
	switch {
	case r.name == "account.2fa.disable":
		r.Direction = rules.Weaker
	case r.name == "account.2fa.enable", r.name == "account.2fa.enforce":
		r.Direction = rules.Safer
	case strings.HasPrefix(r.name, "member."), strings.HasPrefix(r.name, "user_group."):
		r.readRole()
	}
}

// isAboutOneself reports whether users do this to their own access, so that the
// actor is the target unless the entry names another.
func (r *review) isAboutOneself() bool {
	switch r.name {
	case "account.login", "account.logout", "account.password.change", "account.email.change", "user.update":
		return true
	case "account.2fa.enable", "account.2fa.disable", "account.2fa.update":
		return !r.isEnforcement()
	}
	return false
}

// enforcementSetting is the requirement of a second factor for all members.
const enforcementSetting = "enforce_twofactor"

// isEnforcement reports whether the entry is about the requirement of a second
// factor for all members.
func (r *review) isEnforcement() bool {
	return strings.Contains(strings.ToLower(r.e.ActionType), "enforce")
}

// enforcement is the new value of the account-wide requirement of a second
// factor, as text.
func (r *review) enforcement() string {
	if len(r.after) == 0 && r.isEnforcement() {
		return strings.ToLower(r.e.New.Text())
	}
	now, before := r.after.get(enforcementSetting), r.before.get(enforcementSetting)
	if !now.Exists() {
		now = r.after.get("settings").Get(enforcementSetting)
		before = r.before.get("settings").Get(enforcementSetting)
	}
	if now.Same(before) && now.Exists() && r.name == "account.update" {
		// An update of another setting includes this one.
		return ""
	}
	return now.Text()
}

// The words for a second factor, and for requiring one of all members.
const (
	enforceWords = "enforce_two_factor enforce_twofactor enforce_2fa enforce_mfa"
	factorWords  = "mfa tfa 2fa two_factor twofactor totp webauthn security_key securitykey backup_code recovery_code"
)
