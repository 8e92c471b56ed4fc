package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// API Shield: what requests to an API may look like, and whose tokens they carry.
var apiShield = family{
	prefixes: oneOf{"api_shield."},
	switches: true,
	read:     (*review).readAPIShield,
	subjects: []subject{
		{"token_validation", "token_validation", "api_shield.token_rule", "", either, named},
		{"schema_validation", "schema_validation", "api_shield.schema", "", either, named},
		{"api_gateway api_shield", "api_shield", "api_shield", "", either, named},
	},
	routes: []route{
		{"PUT", "/zones/{zone}/api_gateway/configuration", "api_shield.session.update"},
		{"PATCH", "/zones/{zone}/api_gateway/discovery/operations", "api_shield.discovery.update"},
		{"POST", "/zones/{zone}/api_gateway/expression-template/fallthrough", "api_shield.expression.view"},
		{"PUT", "/zones/{zone}/api_gateway/labels/managed/{id}/resources/operation", "api_shield.label.update"},
		{"POST DELETE", "/zones/{zone}/api_gateway/labels/user", "api_shield.label.update"},
		{"PUT PATCH DELETE", "/zones/{zone}/api_gateway/labels/user/{id}", "api_shield.label.update"},
		{"PUT", "/zones/{zone}/api_gateway/labels/user/{id}/resources/operation", "api_shield.label.update"},
		{"POST PUT DELETE", "/zones/{zone}/api_gateway/operations/labels", "api_shield.label.update"},
		{"POST PUT DELETE", "/zones/{zone}/api_gateway/operations/{id}/labels", "api_shield.label.update"},
		{"POST", "/zones/{zone}/api_gateway/operations/item", "api_shield.operation.create"},
		{"PATCH", "/zones/{zone}/api_gateway/operations/schema_validation", "api_shield.settings.update"},
		{"PUT", "/zones/{zone}/api_gateway/operations/{id}/schema_validation", "api_shield.settings.update"},
		{"*", "/zones/{zone}/api_gateway/operations", "api_shield.operation"},
		{"PUT PATCH", "/zones/{zone}/api_gateway/settings/schema_validation", "api_shield.settings.update"},
		{"*", "/zones/{zone}/api_gateway/user_schemas", "api_shield.schema"},
		{"*", "/zones/{zone}/schema_validation/schemas", "api_shield.schema"},
		{"PUT PATCH", "/zones/{zone}/schema_validation/settings", "api_shield.settings.update"},
		{"PATCH", "/zones/{zone}/schema_validation/settings/operations", "api_shield.settings.update"},
		{"PUT", "/zones/{zone}/schema_validation/settings/operations/{id}", "api_shield.settings.update"},
		{"DELETE", "/zones/{zone}/schema_validation/settings/operations/{id}", "api_shield.settings.reset"},
		{"*", "/zones/{zone}/token_validation/config", "api_shield.token_config"},
		{"PUT", "/zones/{zone}/token_validation/config/{id}/credentials", "api_shield.token_key.update"},
		{"POST PATCH", "/zones/{zone}/token_validation/rules/bulk", "api_shield.token_rule.update"},
		{"*", "/zones/{zone}/token_validation/rules", "api_shield.token_rule"},
	},
	reads: []rules.Rule{
		{ID: "api-expression-made", Severity: info,
			Match: rules.Match{Action: oneOf{"api_shield.expression.view"}},
			Title: "Expression for requests to unknown endpoints made",
			Why:   "The API wrote an expression for a rule. Nothing was changed."},
	},
	rules: []rules.Rule{
		{ID: "token-keys-changed", Severity: medium, Techniques: oneOf{"T1556", "T1606"},
			Match: rules.Match{Action: oneOf{"api_shield.token_key.*", "api_shield.token_config.create", "api_shield.token_config.update"}},
			Title: "Keys of API tokens changed: {words}[: {target}]",
			Why:   "Tokens signed with these keys pass at Cloudflare, and those signed with others do not."},
		{ID: "api-protection-weakened", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"api_shield.*"}, Direction: oneOf{"weaker"}},
			Title: "Protection of API weakened: {words}[: {target}]",
			Why:   "Requests or tokens that were blocked are let through from now on."},
		{ID: "api-protection-strengthened", Severity: low,
			Match: rules.Match{Action: oneOf{"api_shield.*"}, Direction: oneOf{"safer"}},
			Title: "Protection of API strengthened",
			Why:   "More requests or tokens are blocked than before."},
		{ID: "api-protection-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"api_shield.schema.*", "api_shield.operation.*", "api_shield.token_rule.*", "api_shield.token_config.*", "api_shield.disable", "api_shield.delete"},
				Verb: oneOf{"delete", "disable"}},
			Title: "Protection of API removed: {words}[: {target}]",
			Why:   "Requests to these endpoints are no longer checked against a schema, or their tokens no longer against a key."},
		{ID: "api-protection-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"api_shield.token_rule.*", "api_shield.settings.*"}, Verb: oneOf{"create", "update", "reset"}},
			Title: "Protection of API changed: {words}[: {target}]",
			Why:   "It says what becomes of requests that fit no schema and of tokens that fail. It may be less than before; the entry does not tell."},
		{ID: "api-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"api_shield.*"}, Verb: oneOf{"create", "update", "enable", "roll"}},
			Title: "Description of API changed",
			Why:   "Endpoints, schemas and labels describe the API. Only settings and rules block anything."},
	},
}

// readAPIShield determines which endpoint or rule an entry is about, and which way
// it moved. A rule says in its action what becomes of a token that fails.
func (r *review) readAPIShield() {
	r.readOther()
	if r.Target == "" {
		r.Target = r.text("endpoint")
	}
	if r.verb == VerbUpdate && r.Direction == "" && strings.HasPrefix(r.name, "api_shield.token_rule.") {
		r.Direction = directionIn("log | block", r.before.get("action"), r.after.get("action"))
	}
}
