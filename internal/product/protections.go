package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Protections with a switch of their own.
var protections = family{
	prefixes: oneOf{"bot_management.", "page_shield.", "api_shield.", "leaked_credential_checks.", "origin_tls_client_auth."},
	switches: true,
	subjects: []subject{
		{"api_gateway api_shield schema_validation token_validation", "api_shield", "api_shield", "", either, named},
		{"page_shield", "page_shield", "page_shield", "", either, named},
		{"bot_management", "bot_management", "bot_management", "", either, named},
		{"leaked_credential", "leaked_credential", "leaked_credential_checks", "", either, named},
		{"origin_tls_client_auth", "origin_tls_client_auth", "origin_tls_client_auth", "", either, named},
	},
	routes: []route{
		{"POST", "/zones/{zone}/leaked-credential-checks", "leaked_credential_checks.update"},
	},
	rules: []rules.Rule{
		{ID: "protection-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"api_shield.*", "page_shield.*", "origin_tls_client_auth.*"}, Verb: oneOf{"delete", "disable", "roll"}},
			Title: "Protection removed: {words}[: {target}]",
			Why:   "What it kept out comes through, or what relies on it fails."},
		{ID: "protection-weakened", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"bot_management.*", "api_shield.*", "page_shield.*", "leaked_credential_checks.*", "origin_tls_client_auth.*"}, Direction: oneOf{"weaker"}},
			Title: "Protection weakened: {words}[: {target}]",
			Why:   "A protection was lowered or switched off."},
	},
}

// Turnstile.
var widgets = family{
	prefixes: oneOf{"turnstile."},
	switches: true,
	subjects: []subject{
		{"turnstile challenges_widget", "turnstile", "turnstile.widget", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/challenges/widgets/{id}/rotate_secret", "turnstile.widget.roll"},
		{"*", "/accounts/{account}/challenges/widgets", "turnstile.widget"},
	},
	rules: []rules.Rule{
		{ID: "turnstile-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"turnstile.widget.*"}, Verb: oneOf{"delete", "disable", "roll"}},
			Title: "{words}[: {target}]",
			Why:   "Forms that rely on it let bots through, or nobody; whoever has the new secret sees which answers pass."},
		ordinary("turnstile-changed", "It challenges on other domains, or in another manner.",
			"turnstile.*"),
	},
}
