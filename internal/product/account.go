package product

import (
	"strings"

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

// How members of the account sign in.
var signOn = family{
	prefixes: oneOf{"sso_connector."},
	switches: true,
	subjects: []subject{
		{"^sso ^saml account_sso", "", "sso_connector", "", either, exact},
		{"^account$ ^user$ ^$", "sso saml", "sso_connector", "", both, exact},
	},
	routes: []route{
		{"*", "/accounts/{account}/sso_connectors", "sso_connector"},
	},
	rules: []rules.Rule{
		{ID: "single-sign-on-changed", Severity: high, Techniques: oneOf{"T1556", "T1484.002"},
			Match: rules.Match{Action: oneOf{"sso_connector.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Single sign-on of the account changed: {words}[: {target}]",
			Why:   "It decides how all members of a domain prove who they are."},
	},
}

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
