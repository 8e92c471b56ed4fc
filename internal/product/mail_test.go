package product

import (
	"slices"
	"testing"
)

var mailSuite = suite{
	pairs: slices.Concat(
		rows("?email_routing.rule/create; ?email.routing.rule/update; ?email_routing/disable", "", medium, same, same),
	),
	calls: mailCalls(),
	examples: map[string]ruleExample{
		"email-routing-changed": {logged("email_routing.rule", "update"), logged("email_routing.rule", "view")},
	},
}

func mailCalls() callList {
	var list callList
	list.add("PUT {z}/email/routing/rules/catch_all; PUT {z}/email/routing/rules/1", "email_routing.update", medium, requestBody(`{"enabled":true}`))
	list.add("POST {z}/email/routing/rules; POST {a}/email/routing/addresses", "email_routing.create", medium)
	list.add("POST {z}/email/routing/disable", "email_routing.disable", medium)
	return list
}

func TestMail_EveryEntryIsUnderstoodAndGraded(t *testing.T) { mailSuite.check(t) }
