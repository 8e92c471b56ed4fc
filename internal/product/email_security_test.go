package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var emailSecuritySuite = suite{
	pairs: slices.Concat(

		rows("?email_security.allow_policy/create; ?email_security.block_sender/delete; ?email_security.trusted_domain/create; ?email_security.domain/delete; ?email_security/disable", "", medium, same, same),
		rows("?email_security.allow_policy/delete", "email_security.allow_policy.delete", low, same, same),
	),
	calls: emailSecurityCalls(),
	examples: map[string]ruleExample{
		"mail-reviewed":          {called("POST {a}/email-security/investigate/1/reclassify", requestBody(`{"expected_disposition":"NONE"}`)), called("POST {a}/email-security/investigate/1/move", requestBody(`{"destination":"JunkEmail"}`))},
		"mail-viewed":            {called("POST {a}/email-security/investigate/preview"), called("GET {a}/email-security/investigate/1")},
		"mail-released":          {called("POST {a}/email-security/investigate/1/move", requestBody(`{"destination":"Inbox"}`)), called("POST {a}/email-security/investigate/move", requestBody(`{"destination":"DeletedItems"}`))},
		"mail-moved":             {called("POST {a}/email-security/investigate/1/move", requestBody(`{"destination":"RecoverableItemsPurges"}`)), called("POST {a}/email-security/investigate/bulk", requestBody(`{"action":"MOVE","destination":"Inbox"}`))},
		"email-security-changed": {called("POST {a}/email-security/settings/allow_policies", requestBody(`{"pattern":"mallory@example.net","is_trusted_sender":true}`)), called("DELETE {a}/email-security/settings/allow_policies/1")},
	},
	moves: map[string]moveCase{
		"sender allowed":           {called("POST {a}/email-security/settings/allow_policies", requestBody(`{"pattern":"mallory@example.net"}`)), "email_security.allow_policy.create", rules.Weaker, "mallory@example.net"},
		"sender allowed no more":   {called("DELETE {a}/email-security/settings/allow_policies/1"), "email_security.allow_policy.delete", rules.Safer, ""},
		"sender blocked no more":   {called("DELETE {a}/email-security/settings/block_senders/1"), "email_security.block_sender.delete", rules.Weaker, ""},
		"moved to the inbox":       {called("POST {a}/email-security/investigate/move", requestBody(`{"destination":"Inbox"}`)), "email_security.message.move", rules.Weaker, ""},
		"moved to the junk":        {called("POST {a}/email-security/investigate/move", requestBody(`{"destination":"JunkEmail"}`)), "email_security.message.move", "", ""},
		"released all at once":     {called("POST {a}/email-security/investigate/bulk", responseBody(`{"action_type":"RELEASE","action_params":{"type":"RELEASE"}}`)), "email_security.bulk_action.create", rules.Weaker, ""},
		"to the inbox all at once": {called("POST {a}/email-security/investigate/bulk", responseBody(`{"action_type":"MOVE","action_params":{"type":"MOVE","destination":"Inbox"}}`)), "email_security.bulk_action.create", rules.Weaker, ""},
	},
}

func emailSecurityCalls() callList {
	var list callList
	list.collect("{a}/email-security/investigate/bulk", "email_security.bulk_action", medium, "", low)
	list.collect("{a}/email-security/settings/allow_policies", "email_security.allow_policy", medium, medium, low)
	list.collect("{a}/email-security/settings/block_senders", "email_security.block_sender", low, medium, medium)
	list.collect("{a}/email-security/settings/impersonation_registry", "email_security.impersonation", low, medium, medium)
	list.collect("{a}/email-security/settings/sending_domain_restrictions", "email_security.domain_restriction", low, medium, medium)
	list.collect("{a}/email-security/settings/trusted_domains", "email_security.trusted_domain", medium, medium, low)
	list.collect("{a}/email-security/settings/url_ignore_patterns", "email_security.ignored_url", medium, medium, low)
	list.add("POST {a}/email-security/investigate/bulk/1/cancel", "email_security.bulk_action.cancel", low)
	list.add("POST {a}/email-security/investigate/move; POST {a}/email-security/investigate/1/move", "email_security.message.move", medium)
	list.add("POST {a}/email-security/investigate/preview", "email_security.message.view", low)
	list.add("POST {a}/email-security/investigate/release", "email_security.message.release", medium)
	list.add("POST {a}/email-security/investigate/1/reclassify", "email_security.message.update", low)
	list.add("DELETE {a}/email-security/settings/domains; DELETE {a}/email-security/settings/domains/1", "email_security.domain.delete", medium)
	list.add("PATCH {a}/email-security/settings/domains/1", "email_security.domain.update", medium)
	list.add("GET {a}/email-security/investigate/1/raw; GET {a}/email-security/investigate/1/preview", "email_security.message.view", low)
	list.add("POST {a}/email-security/investigate/1/move", "email_security.message.move", medium, requestBody(`{"destination":"Inbox"}`))
	list.add("POST {a}/email-security/investigate/bulk", "email_security.bulk_action.create", medium, requestBody(`{"action":"RELEASE"}`))
	return list
}

func TestEmailSecurity_EveryEntryIsUnderstoodAndGraded(t *testing.T) { emailSecuritySuite.check(t) }
