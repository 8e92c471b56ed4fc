package product

import (
	"cmp"
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Protection from malicious mail.
var mailSecurity = family{
	prefixes: oneOf{"email_security."},
	read:     (*review).readMailSecurity,
	subjects: []subject{
		{"email_security_allow", "", "email_security.allow_policy", "", either, exact},
		{"email_security_block", "", "email_security.block_sender", "", either, exact},
		{"email_security_trusted", "", "email_security.trusted_domain", "", either, exact},
		{"email_security_domain", "", "email_security.domain", "", either, exact},
		{"email_security", "email_security", "email_security", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/email-security/settings/allow_policies", "email_security.allow_policy"},
		{"*", "/accounts/{account}/email-security/settings/block_senders", "email_security.block_sender"},
		{"*", "/accounts/{account}/email-security/settings/trusted_domains", "email_security.trusted_domain"},
		{"*", "/accounts/{account}/email-security/settings/url_ignore_patterns", "email_security.ignored_url"},
		{"*", "/accounts/{account}/email-security/settings/impersonation_registry", "email_security.impersonation"},
		{"*", "/accounts/{account}/email-security/settings/sending_domain_restrictions", "email_security.domain_restriction"},
		{"*", "/accounts/{account}/email-security/settings/domains", "email_security.domain"},
		{"POST", "/accounts/{account}/email-security/investigate/preview", "email_security.message.view"},
		{"GET", "/accounts/{account}/email-security/investigate/{id}/preview", "email_security.message.view"},
		{"GET", "/accounts/{account}/email-security/investigate/{id}/raw", "email_security.message.view"},
		{"POST", "/accounts/{account}/email-security/investigate/release", "email_security.message.release"},
		{"POST", "/accounts/{account}/email-security/investigate/move", "email_security.message.move"},
		{"POST", "/accounts/{account}/email-security/investigate/{id}/move", "email_security.message.move"},
		{"POST", "/accounts/{account}/email-security/investigate/{id}/reclassify", "email_security.message.update"},
		{"POST", "/accounts/{account}/email-security/investigate/bulk", "email_security.bulk_action.create"},
		{"DELETE", "/accounts/{account}/email-security/investigate/bulk/{id}", "email_security.bulk_action.delete"},
		{"POST", "/accounts/{account}/email-security/investigate/bulk/{id}/cancel", "email_security.bulk_action.cancel"},
	},
	reads: []rules.Rule{
		{ID: "mail-viewed", Severity: low, Techniques: oneOf{"T1114"},
			Match: rules.Match{Action: oneOf{"email_security.message.view"}},
			Title: "Mail of a user displayed",
			Why:   "Analysts do so all day; an intruder reads what is confidential."},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "mail-released", Severity: medium, Techniques: oneOf{"T1566"},
			Match: rules.Match{Action: oneOf{"email_security.message.release", "email_security.message.move", "email_security.bulk_action.create"}, Direction: oneOf{"weaker"}},
			Title: "Mail that was held back delivered: {words}[: {target}]",
			Why:   "Mail that Cloudflare took for malicious is in the mailbox of its recipient."},
		{ID: "mail-moved", Severity: medium, Techniques: oneOf{"T1070.008"},
			Match: rules.Match{Action: oneOf{"email_security.message.move", "email_security.bulk_action.create"}},
			Title: "Mail in mailboxes of users moved or deleted[: {target}]",
			Why:   "It clears away an attack, or what a user should not read about one."},
		{ID: "email-security-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"email_security.allow_policy.*", "email_security.block_sender.*", "email_security.trusted_domain.*", "email_security.ignored_url.*", "email_security.impersonation.*", "email_security.domain_restriction.*", "email_security.domain.*", "email_security.create", "email_security.update", "email_security.delete", "email_security.disable"},
				Verb: oneOf{"create", "update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "A sender who is allowed, or no longer blocked, gets phishing through."},
		ordinary("mail-reviewed", "Cloudflare is told of a mail that it took for the wrong kind, or moves no more mail.",
			"email_security.message.update", "email_security.bulk_action.*"),
	},
}

// inbox is where a mail is moved to reach its recipient.
const inbox = "inbox"

// readMailSecurity determines whether more mail passes than before.
func (r *review) readMailSecurity() {
	r.readNamed("name", "pattern", "domain", "email")
	what := strings.TrimSuffix(strings.TrimPrefix(r.name, "email_security."), "."+r.verb)
	switch what {
	case "allow_policy", "trusted_domain", "ignored_url":
		r.Direction = map[string]string{VerbCreate: rules.Weaker, VerbDelete: rules.Safer}[r.verb]
	case "block_sender", "impersonation", "domain_restriction", "domain":
		r.Direction = map[string]string{VerbCreate: rules.Safer, VerbDelete: rules.Weaker}[r.verb]
	case "message.release":
		r.Direction = rules.Weaker
	case "message.move":
		if strings.EqualFold(r.text("destination"), inbox) {
			r.Direction = rules.Weaker
		}
	case "bulk_action":
		// The request has the action and the destination, and the response its
		// parameters.
		to := cmp.Or(r.text("destination"), textOf(r.after.get("action_params"), "destination"))
		if strings.EqualFold(r.text("action_type", "action"), "release") || strings.EqualFold(to, inbox) {
			r.Direction = rules.Weaker
		}
	}
}
