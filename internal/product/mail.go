package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Email routing.
var mail = family{
	prefixes:    oneOf{"email_routing."},
	plainValues: true,
	subjects: []subject{
		{"email_routing", "email_routing", "email_routing", "", either, named},
	},
	routes: []route{
		{"PUT", "/zones/{zone}/email/routing/rules/catch_all", "email_routing.update"},
		{"*", "/zones/{zone}/email/routing/rules", "email_routing"},
		{"*", "/accounts/{account}/email/routing/addresses", "email_routing"},
	},
	rules: []rules.Rule{
		{ID: "email-routing-changed", Severity: medium, Techniques: oneOf{"T1114.003"},
			Match: rules.Match{Action: oneOf{"email_routing.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Email routing changed[: {target}]",
			Why:   "Mail may go to somebody else, passwords to be reset included."},
	},
}
