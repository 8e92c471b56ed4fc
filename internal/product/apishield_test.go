package product

import (
	"slices"
	"testing"
)

var apiShieldSuite = suite{
	pairs: slices.Concat(
		rows("?api_shield/disable; ?api_gateway.schema/delete; ?token_validation/delete", "", medium, same, same),
		rows("?schema_validation/update", "", medium, same, low, values(`{"validation_default_mitigation_action":"block"}`, `{"validation_default_mitigation_action":"none"}`)),
		rows("?token_validation/update", "", medium, same, low, values(`{"action":"block"}`, `{"action":"log"}`)),
	),
	calls: apiShieldCalls(),
	examples: map[string]ruleExample{
		"api-expression-made":         {requested("POST", "/zones/"+exampleZone+"/api_gateway/expression-template/fallthrough"), requested("POST", "/zones/"+exampleZone+"/api_gateway/operations")},
		"token-keys-changed":          {requested("PUT", "/zones/"+exampleZone+"/token_validation/config/372e67954025e0ba6aaa6d586b9e0b59/credentials"), requested("DELETE", "/zones/"+exampleZone+"/token_validation/config/372e67954025e0ba6aaa6d586b9e0b59")},
		"api-protection-weakened":     {requested("PATCH", "/zones/"+exampleZone+"/schema_validation/settings", requestBody(`{"validation_default_mitigation_action":"none"}`)), requested("PATCH", "/zones/"+exampleZone+"/schema_validation/settings", requestBody(`{"validation_default_mitigation_action":"block"}`))},
		"api-protection-strengthened": {requested("PATCH", "/zones/"+exampleZone+"/schema_validation/settings", requestBody(`{"validation_default_mitigation_action":"block"}`)), requested("PATCH", "/zones/"+exampleZone+"/schema_validation/settings", requestBody(`{"validation_default_mitigation_action":"log"}`))},
		"api-protection-removed":      {requested("DELETE", "/zones/"+exampleZone+"/schema_validation/schemas/372e67954025e0ba6aaa6d586b9e0b59"), requested("POST", "/zones/"+exampleZone+"/schema_validation/schemas")},
		"api-protection-changed":      {requested("POST", "/zones/"+exampleZone+"/token_validation/rules", requestBody(`{"title":"log forged tokens","action":"log"}`)), requested("POST", "/zones/"+exampleZone+"/api_gateway/operations")},
		"api-changed":                 {requested("POST", "/zones/"+exampleZone+"/api_gateway/operations", requestBody(`[{"endpoint":"/orders","method":"GET","host":"api.example.com"}]`)), requested("DELETE", "/zones/"+exampleZone+"/api_gateway/operations")},
	},
}

func apiShieldCalls() callList {
	var list callList
	list.add("PUT {z}/api_gateway/configuration", "api_shield.session.update", low)
	list.add("PATCH {z}/api_gateway/discovery/operations", "api_shield.discovery.update", low)
	list.add("POST {z}/api_gateway/expression-template/fallthrough", "api_shield.expression.view", info)
	list.add("POST {z}/api_gateway/labels/user; DELETE {z}/api_gateway/labels/user; PUT {z}/api_gateway/labels/managed/1/resources/operation; PUT {z}/api_gateway/labels/user/1/resources/operation", "api_shield.label.update", low)
	list.add("PUT {z}/api_gateway/labels/user/1; PATCH {z}/api_gateway/labels/user/1; DELETE {z}/api_gateway/labels/user/1", "api_shield.label.update", low)
	list.add("POST {z}/api_gateway/operations/labels; PUT {z}/api_gateway/operations/labels; DELETE {z}/api_gateway/operations/labels", "api_shield.label.update", low)
	list.add("POST {z}/api_gateway/operations/1/labels; PUT {z}/api_gateway/operations/1/labels; DELETE {z}/api_gateway/operations/1/labels", "api_shield.label.update", low)
	list.add("POST {z}/api_gateway/operations; POST {z}/api_gateway/operations/item", "api_shield.operation.create", low)
	list.add("DELETE {z}/api_gateway/operations; DELETE {z}/api_gateway/operations/1", "api_shield.operation.delete", medium)
	list.add("PATCH {z}/api_gateway/operations/schema_validation; PUT {z}/api_gateway/operations/1/schema_validation; PUT {z}/schema_validation/settings/operations/1; PATCH {z}/schema_validation/settings/operations", "api_shield.settings.update", medium, requestBody(`{"mitigation_action":"none"}`))
	list.add("PUT {z}/api_gateway/operations/1/schema_validation", "api_shield.settings.update", low, requestBody(`{"mitigation_action":"block"}`))
	list.add("PUT {z}/api_gateway/settings/schema_validation; PATCH {z}/api_gateway/settings/schema_validation; PUT {z}/schema_validation/settings; PATCH {z}/schema_validation/settings", "api_shield.settings.update", medium, requestBody(`{"validation_override_mitigation_action":"none"}`))
	list.add("DELETE {z}/schema_validation/settings/operations/1", "api_shield.settings.reset", medium)
	list.add("POST {z}/api_gateway/user_schemas; POST {z}/schema_validation/schemas", "api_shield.schema.create", low)
	list.add("PATCH {z}/api_gateway/user_schemas/1; PATCH {z}/schema_validation/schemas/1", "api_shield.schema.update", medium, requestBody(`{"validation_enabled":false}`))
	list.add("PATCH {z}/schema_validation/schemas/1", "api_shield.schema.update", low, requestBody(`{"validation_enabled":true}`))
	list.add("DELETE {z}/api_gateway/user_schemas/1; DELETE {z}/schema_validation/schemas/1", "api_shield.schema.delete", medium)
	list.add("POST {z}/token_validation/config", "api_shield.token_config.create", medium)
	list.add("PATCH {z}/token_validation/config/1", "api_shield.token_config.update", medium)
	list.add("DELETE {z}/token_validation/config/1", "api_shield.token_config.delete", medium)
	list.add("PUT {z}/token_validation/config/1/credentials", "api_shield.token_key.update", medium)
	list.add("POST {z}/token_validation/rules", "api_shield.token_rule.create", medium)
	list.add("PATCH {z}/token_validation/rules/1; POST {z}/token_validation/rules/bulk; PATCH {z}/token_validation/rules/bulk", "api_shield.token_rule.update", medium)
	list.add("PATCH {z}/token_validation/rules/1", "api_shield.token_rule.disable", medium, requestBody(`{"enabled":false}`))
	list.add("DELETE {z}/token_validation/rules/1", "api_shield.token_rule.delete", medium)
	return list
}

func TestAPIShield_EveryEntryIsUnderstoodAndGraded(t *testing.T) { apiShieldSuite.check(t) }
