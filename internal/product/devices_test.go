package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var devicesSuite = suite{
	pairs: slices.Concat(

		rows("?device.policy/update; ?devices.posture_rule/delete; ?devices.networks/update; ?device_settings/update", "", medium, same, same),
		rows("?device.policy/update", "device.policy.update", medium, same, low, values(`{"switch_locked":true}`, `{"switch_locked":false}`)),
		rows("?device.policy/update", "device.policy.update", medium, same, low, values(`{"allowed_to_leave":false}`, `{"allowed_to_leave":true}`)),
		rows("?devices.registration/delete", "device.registration.delete", low, same, same),
		rows("?dex.test/delete", "dex.test.delete", low, same, same),
		rows("?zt_risk_scoring.behavior/update", "", medium, same, same),
	),
	calls: devicesCalls(),
	examples: map[string]ruleExample{
		"device-administered":    {called("PATCH {a}/devices/deployment-groups/1", requestBody(`{"name":"pilot"}`)), called("DELETE {a}/devices/registrations/1")},
		"override-code-viewed":   {called("GET {a}/devices/1/override_codes"), called("GET {a}/devices/1")},
		"devices-disconnected":   {called("POST {a}/devices/resilience/disconnect", requestBody(`{"disconnect":true,"justification":"test"}`)), called("POST {a}/devices/resilience/disconnect", requestBody(`{"disconnect":false}`))},
		"device-readmitted":      {called("POST {a}/devices/unrevoke", requestBody(`["f174e90a-fafe-4643-bbbc-4a0ed4fc8415"]`)), called("POST {a}/devices/revoke", requestBody(`["f174e90a-fafe-4643-bbbc-4a0ed4fc8415"]`))},
		"device-removed":         {called("POST {a}/devices/revoke", requestBody(`["f174e90a-fafe-4643-bbbc-4a0ed4fc8415"]`)), called("DELETE {a}/devices/posture/1")},
		"device-policy-weakened": {called("PATCH {a}/devices/policy/1", requestBody(`{"name":"Staff","switch_locked":false}`)), called("PATCH {a}/devices/policy", requestBody(`{"support_url":"https://help.example.com"}`))},
		"device-policy-changed":  {called("PUT {a}/devices/policy/exclude", requestBody(`[{"address":"198.51.100.0/24","description":"partner"}]`)), called("PUT {a}/devices/deployment-groups/1")},
		"device-command-sent":    {called("POST {a}/dex/commands", requestBody(`{"commands":[{"type":"pcap","user_email":"carol@example.com","device_id":"d1"}]}`)), called("POST {a}/dex/rules")},
		"risk-score-reset":       {called("POST {a}/zt_risk_scoring/1/reset"), called("PUT {a}/zt_risk_scoring/behaviors")},
		"risk-scoring-changed":   {called("PUT {a}/zt_risk_scoring/behaviors", requestBody(`{"behaviors":{"imp_travel":{"enabled":false,"risk_level":"high"}}}`)), called("GET {a}/zt_risk_scoring/behaviors")},
	},
	facts: map[string]factCase{
		"device in a list of ids": {
			raw:    called("POST {a}/devices/unrevoke", requestBody(`["f174e90a-fafe-4643-bbbc-4a0ed4fc8415","x"]`)),
			action: "device.unrevoke",
			want:   rules.Facts{Target: "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"},
		},
		"command": {
			raw:    called("POST {a}/dex/commands", requestBody(`{"commands":[{"type":"pcap","user_email":"carol@example.com"}]}`)),
			action: "dex.command.create",
			want:   rules.Facts{Target: "pcap (carol@example.com)"},
		},
	},
	moves: map[string]moveCase{
		"behavior no longer scored": {logged("zt_risk_scoring.behavior", "update", values(`{"behaviors":{"imp_travel":{"enabled":true}}}`, `{"behaviors":{"imp_travel":{"enabled":false}}}`)), "risk_score.update", "", ""},
		"behavior scored no more":   {called("PUT {a}/zt_risk_scoring/behaviors", requestBody(`{"behaviors":{"imp_travel":{"enabled":false}}}`)), "risk_score.behavior.update", "", ""},
	},
}

func devicesCalls() callList {
	var list callList
	list.collect("{a}/devices/deployment-groups", "device.deployment_group", low, low, low)
	list.collect("{a}/devices/ip-profiles", "device.ip_profile", low, low, low)
	list.collect("{a}/devices/networks", "device.network", medium, medium, medium)
	list.collect("{a}/devices/policy", "device.policy", medium, medium, medium)
	list.collect("{a}/devices/posture", "device.posture", medium, medium, medium)
	list.collect("{a}/devices/posture/integration", "device.posture.integration", medium, medium, medium)
	list.collect("{a}/dex/devices/dex_tests", "dex.test", low, low, low)
	list.collect("{a}/dex/rules", "dex.rule", low, low, low)
	list.collect("{a}/zt_risk_scoring/integrations", "risk_score.integration", medium, medium, medium)
	list.add("DELETE {a}/devices/physical-devices/1", "device.delete", low)
	list.add("POST {a}/devices/physical-devices/1/revoke; POST {a}/devices/revoke", "device.revoke", low)
	list.add("PATCH {a}/devices/policy", "device.policy.update", medium)
	list.add("PUT {a}/devices/policy/exclude; PUT {a}/devices/policy/1/exclude", "device.policy.exclusion.update", medium)
	list.add("PUT {a}/devices/policy/fallback_domains; PUT {a}/devices/policy/1/fallback_domains", "device.policy.fallback_domain.update", medium)
	list.add("PUT {a}/devices/policy/include; PUT {a}/devices/policy/1/include", "device.policy.inclusion.update", medium)
	list.add("DELETE {a}/devices/registrations; DELETE {a}/devices/registrations/1", "device.registration.delete", low)
	list.add("POST {a}/devices/registrations/revoke", "device.registration.revoke", low)
	list.add("POST {a}/devices/registrations/unrevoke", "device.registration.unrevoke", medium)
	list.add("POST {a}/devices/resilience/disconnect", "device.fleet.disconnect", high)
	list.add("DELETE {a}/devices/settings", "device.settings.delete", medium)
	list.add("PATCH {a}/devices/settings; PUT {a}/devices/settings", "device.settings.update", medium)
	list.add("POST {a}/devices/unrevoke", "device.unrevoke", medium)
	list.add("POST {a}/dex/commands", "dex.command.create", medium)
	list.add("PUT {a}/zt_risk_scoring/behaviors", "risk_score.behavior.update", medium)
	list.add("POST {a}/zt_risk_scoring/1/reset", "risk_score.reset", medium)
	list.add("PATCH {z}/devices/policy/certificates", "device.policy.certificate.update", medium)
	list.add("GET {a}/devices/1/override_codes; GET {a}/devices/registrations/1/override_codes", "device.override_code.view", medium)
	list.add("POST {a}/devices/resilience/disconnect", "device.fleet.disconnect", high, requestBody(`{"disconnect":true,"justification":"test"}`))
	list.add("POST {a}/devices/resilience/disconnect", "device.fleet.reconnect", low, requestBody(`{"disconnect":false}`))
	list.add("PATCH {a}/devices/policy/1", "device.policy.disable", medium, requestBody(`{"enabled":false}`))
	list.add("PUT {a}/devices/settings", "device.settings.update", medium, requestBody(`{"gateway_proxy_enabled":false}`))
	list.add("PUT {a}/devices/settings", "device.settings.update", low, requestBody(`{"gateway_proxy_enabled":true}`))
	return list
}

func TestDevices_EveryEntryIsUnderstoodAndGraded(t *testing.T) { devicesSuite.check(t) }
