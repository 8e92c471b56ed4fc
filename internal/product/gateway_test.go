package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var gatewaySuite = suite{
	pairs: slices.Concat(

		rows("gateway.rule/gateway_create", "gateway.rule.create", medium, same, same),
		rows("?gateway.rule/gateway_update", "gateway.rule.update", medium, same, same),
		rows("?gateway.rule/gateway_update; ?gateway.rule/rule_updated", "gateway.rule.disable", medium, same, same, values(`{"action":"block","enabled":true}`, `{"action":"block","enabled":false}`)),
		rows("?gateway.rule/gateway_delete", "gateway.rule.delete", medium, same, same),
		rows("gateway.location/gateway_create_location", "gateway.location.create", low, same, same),
		rows("gateway.config/gateway_update", "gateway.config.update", medium, same, same, `"action":{"type":"gateway_update"}`),
		rows("gateway.config/gateway_update", "gateway.activity_log.disable", high, same, low, values(`{"settings":{"activity_log":{"enabled":true}}}`, `{"settings":{"activity_log":{"enabled":false}}}`)),
		rows("gateway.config/gateway_update", "gateway.config.update", medium, same, low, values(`{"settings":{"antivirus":{"fail_closed":true}}}`, `{"settings":{"antivirus":{"fail_closed":false}}}`)),
		rows("?gateway.logging/update; ?gateway.pac_file/update; ?gateway.audit_ssh_settings/update; ?gateway.list/update", "", medium, same, same),
	),
	calls: gatewayCalls(),
	examples: map[string]ruleExample{
		"gateway-extended":          {logged("gateway.location", "gateway_create_location"), logged("gateway.location", "delete")},
		"gateway-logging-reduced":   {called("PUT {a}/gateway/logging", requestBody(`{"settings_by_rule_type":{"dns":{"log_all":false,"log_blocks":false}}}`)), called("PUT {a}/gateway/logging", requestBody(`{"redact_pii":true}`))},
		"gateway-weakened":          {logged("gateway.rule", "gateway_delete", oldValue(`{"name":"no malware","action":"block"}`)), logged("gateway.rule", "gateway_delete", oldValue(`{"name":"exempt","action":"allow"}`))},
		"gateway-changed":           {logged("gateway.rule", "gateway_delete"), logged("gateway.location", "gateway_create_location")},
		"gateway-selection-changed": {called("PATCH {a}/gateway/lists/1", requestBody(`{"name":"blocked","remove":["203.0.113.7"]}`)), called("POST {a}/gateway/lists", requestBody(`{"name":"blocked"}`))},
	},
	facts: map[string]factCase{
		"the account itself is no target": {
			raw: logged("gateway.config", "gateway_update", `"resource":{"type":"gateway.config","id":"o1"}`),
		},
		"which traffic is not logged": {
			raw:  called("PUT {a}/gateway/logging", requestBody(`{"settings_by_rule_type":{"dns":{"log_all":true},"http":{"log_all":false},"l4":{"log_all":false,"log_blocks":true}}}`)),
			want: rules.Facts{Direction: rules.Weaker, Setting: "http, l4"},
		},
	},
	moves: map[string]moveCase{
		"more is logged":                  {logged("gateway.logging", "update", values(`{"settings_by_rule_type":{"dns":{"log_all":false,"log_blocks":true}}}`, `{"settings_by_rule_type":{"dns":{"log_all":true}}}`)), "gateway.logging.update", rules.Safer, ""},
		"as much is logged":               {logged("gateway.logging", "update", values(`{"settings_by_rule_type":{"dns":{"log_all":false,"log_blocks":true}}}`, `{"redact_pii":true,"settings_by_rule_type":{"dns":{"log_all":false,"log_blocks":true}}}`)), "gateway.logging.update", "", ""},
		"activity log on again":           {logged("gateway.config", "gateway_update", values(`{"settings":{"activity_log":{"enabled":false}}}`, `{"settings":{"activity_log":{"enabled":true}}}`)), "gateway.activity_log.enable", rules.Safer, ""},
		"activity log on, decryption off": {logged("gateway.config", "gateway_update", values(`{"settings":{"activity_log":{"enabled":false},"tls_decrypt":{"enabled":true}}}`, `{"settings":{"activity_log":{"enabled":true},"tls_decrypt":{"enabled":false}}}`)), "gateway.config.update", rules.Weaker, ""},
		"a default that a PUT repeats":    {called("PUT {a}/gateway/configuration", requestBody(`{"settings":{"antivirus":{"fail_closed":false},"body_scanning":{"inspection_mode":"shallow"}}}`)), "gateway.config.update", "", ""},
		"a setting that a PATCH states":   {called("PATCH {a}/gateway/configuration", requestBody(`{"settings":{"body_scanning":{"inspection_mode":"shallow"}}}`)), "gateway.config.update", rules.Weaker, ""},
		"decryption that a PUT repeats":   {called("PUT {a}/gateway/configuration", requestBody(`{"settings":{"tls_decrypt":{"enabled":true},"activity_log":{"enabled":true}}}`)), "gateway.config.update", "", ""},
		"decryption that a PATCH states":  {called("PATCH {a}/gateway/configuration", requestBody(`{"settings":{"tls_decrypt":{"enabled":true}}}`)), "gateway.config.update", rules.Safer, ""},
		"block turned into allow":         {logged("gateway.rule", "gateway_update", values(`{"action":"block"}`, `{"action":"allow"}`)), "gateway.rule.update", rules.Weaker, ""},
		"still blocks":                    {logged("gateway.rule", "gateway_update", values(`{"action":"block","name":"a"}`, `{"action":"block","name":"b"}`)), "gateway.rule.update", "", "b"},
		"block enabled again":             {logged("gateway.rule", "gateway_update", values(`{"action":"block","enabled":false}`, `{"action":"block","enabled":true}`)), "gateway.rule.enable", rules.Safer, ""},
		"created but off":                 {called("POST {a}/gateway/rules", requestBody(`{"action":"allow","enabled":false}`)), "gateway.rule.create", "", ""},
		"disabled rule deleted":           {logged("gateway.rule", "gateway_delete", oldValue(`{"action":"block","enabled":false}`)), "gateway.rule.delete", "", ""},
	},
}

func gatewayCalls() callList {
	var list callList
	list.collect("{a}/gateway/certificates", "gateway.certificate", medium, "", medium)
	list.collect("{a}/gateway/lists", "gateway.list", low, medium, medium)
	list.collect("{a}/gateway/locations", "gateway.location", low, medium, medium)
	list.collect("{a}/gateway/pacfiles", "gateway.pac_file", medium, medium, medium)
	list.collect("{a}/gateway/proxy_endpoints", "gateway.proxy_endpoint", medium, medium, medium)
	list.collect("{a}/gateway/rules", "gateway.rule", medium, medium, medium)
	list.add("POST {a}/gateway", "gateway.account.create", low)
	list.add("PUT {a}/gateway/audit_ssh_settings", "gateway.ssh_audit.update", medium)
	list.add("POST {a}/gateway/audit_ssh_settings/rotate_seed", "gateway.ssh_audit.seed.roll", medium)
	list.add("POST {a}/gateway/certificates/1/activate", "gateway.certificate.activate", medium)
	list.add("POST {a}/gateway/certificates/1/deactivate", "gateway.certificate.deactivate", medium)
	list.add("PATCH {a}/gateway/configuration; PUT {a}/gateway/configuration", "gateway.config.update", medium)
	list.add("PUT {a}/gateway/logging", "gateway.logging.update", medium)
	list.add("POST {a}/gateway/rules/1/reset_expiration", "gateway.rule.expiration.reset", medium)
	list.add("POST {a}/gateway/rules", "gateway.rule.create", low, requestBody(`{"name":"no malware","action":"block"}`))
	list.add("POST {a}/gateway/rules", "gateway.rule.create", medium, requestBody(`{"name":"exempt","action":"off"}`))
	list.add("PUT {a}/gateway/rules/1", "gateway.rule.disable", medium, requestBody(`{"name":"no malware","action":"block","enabled":false}`))
	list.add("PUT {a}/gateway/rules/1", "gateway.rule.disable", low, requestBody(`{"name":"exempt","action":"allow","enabled":false}`))
	for _, method := range []string{"PUT", "PATCH"} {
		list.add(method+" {a}/gateway/configuration", "gateway.activity_log.disable", high, requestBody(`{"settings":{"activity_log":{"enabled":false}}}`))
		list.add(method+" {a}/gateway/configuration", "gateway.config.update", medium, requestBody(`{"settings":{"tls_decrypt":{"enabled":false}}}`))
	}
	list.add("PUT {a}/gateway/logging", "gateway.logging.disable", high, requestBody(`{"settings_by_rule_type":{"dns":{"log_all":false,"log_blocks":false}}}`))
	list.add("PUT {a}/gateway/logging", "gateway.logging.update", high, requestBody(`{"settings_by_rule_type":{"http":{"log_all":false,"log_blocks":true}}}`))
	list.add("PUT {a}/gateway/logging", "gateway.logging.update", low, requestBody(`{"settings_by_rule_type":{"http":{"log_all":true,"log_blocks":false}}}`))
	list.add("PUT {a}/gateway/audit_ssh_settings", "gateway.ssh_audit.disable", high, requestBody(`{"public_key":""}`))
	list.add("PUT {a}/gateway/audit_ssh_settings", "gateway.ssh_audit.update", medium, requestBody(`{"public_key":"1pyl6I1tL7xfJuFYVzXlUW8uXXlpxegHXBzGCBKaSFA="}`))
	list.add("PUT {a}/gateway/logging", "gateway.logging.disable", high, requestBody(`{"settings_by_rule_type":{"dns":{"log_all":true},"l4":{"log_all":false}}}`))
	list.add("PATCH {a}/gateway/lists/1", "gateway.list.update", medium, requestBody(`{"remove":["203.0.113.7"]}`))
	return list
}

func TestGateway_EveryEntryIsUnderstoodAndGraded(t *testing.T) { gatewaySuite.check(t) }
