package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var magicSuite = suite{
	pairs: slices.Concat(

		rows("?magic.route/delete; ?pcap/create; ?magic.gre_tunnel/update; ?magic.connector/delete; ?magic.site/update; ?magic.cloud/update; ?cni.interconnect/delete; ?advanced_tcp_protection.rule/delete; ?mnm.rule/delete", "", medium, same, same),
	),
	calls: magicCalls(),
	examples: map[string]ruleExample{
		"network-described":             {called("POST {a}/magic/apps", requestBody(`{"name":"crm"}`)), called("DELETE {a}/magic/sites/1")},
		"network-routes-emptied":        {called("DELETE {a}/magic/routes"), called("DELETE {a}/magic/routes/1")},
		"network-changed":               {logged("magic.route", "delete"), logged("magic.route", "view")},
		"network-appliance-changed":     {called("PATCH {a}/magic/connectors/1", requestBody(`{"activated":false,"notes":"Lisbon"}`)), called("GET {a}/magic/connectors/1")},
		"network-appliance-interrupted": {called("POST {a}/magic/connectors/1/interrupts", requestBody(`{"shutdown":{}}`)), called("POST {a}/magic/connectors")},
		"network-site-changed":          {called("POST {a}/magic/sites/1/acls", requestBody(`{"name":"guests to servers"}`)), called("POST {a}/magic/sites", requestBody(`{"name":"Lisbon"}`))},
		"cloud-network-changed":         {called("PATCH {a}/magic/cloud/providers/1", requestBody(`{"friendly_name":"AWS"}`)), called("POST {a}/magic/cloud/providers/1/discover")},
		"cloud-network-applied":         {called("POST {a}/magic/cloud/onramps/1/apply"), called("POST {a}/magic/cloud/onramps/1/plan")},
		"flood-protection-disabled":     {called("PATCH {a}/magic/advanced_tcp_protection/configs/tcp_protection_status", requestBody(`{"enabled":false}`)), called("PATCH {a}/magic/advanced_tcp_protection/configs/tcp_protection_status", requestBody(`{"enabled":true}`))},
		"flood-protection-weakened":     {called("POST {a}/magic/advanced_tcp_protection/configs/allowlist", requestBody(`{"prefix":"203.0.113.0/24","enabled":true}`)), called("DELETE {a}/magic/advanced_tcp_protection/configs/allowlist/1")},
		"flood-protection-changed":      {called("POST {a}/magic/advanced_tcp_protection/configs/syn_protection/rules", requestBody(`{"name":"all","burst_sensitivity":"low"}`)), called("GET {a}/magic/advanced_tcp_protection/configs/syn_protection/rules")},
		"packets-captured":              {logged("pcap", "create"), logged("pcap", "view")},
		"flow-monitoring-changed":       {called("DELETE {a}/mnm/rules/1"), called("POST {a}/mnm/rules", requestBody(`{"name":"all"}`))},
	},
	moves: map[string]moveCase{
		"allow list":          {called("POST {a}/magic/advanced_tcp_protection/configs/allowlist", requestBody(`{"prefix":"203.0.113.0/24"}`)), "tcp_protection.allow_list.create", rules.Weaker, "203.0.113.0/24"},
		"allow list off":      {called("PATCH {a}/magic/advanced_tcp_protection/configs/allowlist/1", requestBody(`{"enabled":false}`)), "tcp_protection.allow_list.update", rules.Safer, ""},
		"prefix left out":     {called("PATCH {a}/magic/advanced_tcp_protection/configs/prefixes/1", requestBody(`{"excluded":true}`)), "tcp_protection.prefix.update", rules.Weaker, ""},
		"prefix taken in":     {called("PATCH {a}/magic/advanced_tcp_protection/configs/prefixes/1", requestBody(`{"excluded":false}`)), "tcp_protection.prefix.update", rules.Safer, ""},
		"rule only watches":   {logged("advanced_tcp_protection.rule", "update", values(`{"mode":"enabled"}`, `{"mode":"monitoring"}`)), "tcp_protection.rule.update", rules.Weaker, ""},
		"rule that may watch": {called("PATCH {a}/magic/advanced_tcp_protection/configs/syn_protection/rules/1", requestBody(`{"mode":"monitoring"}`)), "tcp_protection.rule.update", "", ""},
	},
}

func magicCalls() callList {
	var list callList
	list.collect("{a}/cni/cnis", "cni.connection", medium, medium, medium)
	list.collect("{a}/cni/interconnects", "cni.interconnect", medium, "", medium)
	list.collect("{a}/magic/advanced_tcp_protection/configs/allowlist", "tcp_protection.allow_list", medium, medium, low)
	list.collect("{a}/magic/advanced_tcp_protection/configs/prefixes", "tcp_protection.prefix", medium, medium, medium)
	list.collect("{a}/magic/advanced_tcp_protection/configs/syn_protection/filters", "tcp_protection.filter", medium, medium, medium)
	list.collect("{a}/magic/advanced_tcp_protection/configs/tcp_flow_protection/filters", "tcp_protection.filter", medium, medium, medium)
	list.collect("{a}/magic/advanced_tcp_protection/configs/syn_protection/rules", "tcp_protection.rule", medium, medium, medium)
	list.collect("{a}/magic/advanced_tcp_protection/configs/tcp_flow_protection/rules", "tcp_protection.rule", medium, medium, medium)
	list.collect("{a}/magic/apps", "magic.app", low, low, low)
	list.collect("{a}/magic/cf1_sites", "magic.location", low, low, low)
	list.collect("{a}/magic/cf1_sites/1/ramps", "magic.location.ramp", low, "", low)
	list.collect("{a}/magic/cloud/catalog-syncs", "magic.cloud.catalog_sync", medium, medium, medium)
	list.collect("{a}/magic/cloud/onramps", "magic.cloud.onramp", medium, medium, medium)
	list.collect("{a}/magic/cloud/providers", "magic.cloud.provider", medium, medium, medium)
	list.collect("{a}/magic/connectors", "magic.connector", medium, medium, medium)
	list.collect("{a}/magic/gre_tunnels", "magic.tunnel", medium, medium, medium)
	list.collect("{a}/magic/ipsec_tunnels", "magic.tunnel", medium, medium, medium)
	list.add("POST {a}/magic/routes", "magic.route.create", medium)
	list.add("PUT {a}/magic/routes/1", "magic.route.update", medium)
	list.add("DELETE {a}/magic/routes/1", "magic.route.delete", medium)
	list.collect("{a}/magic/sites", "magic.site", low, medium, medium)
	list.collect("{a}/magic/sites/1/acls", "magic.site.acl", medium, medium, medium)
	list.collect("{a}/magic/sites/1/lans", "magic.site.lan", medium, medium, medium)
	list.collect("{a}/magic/sites/1/wans", "magic.site.wan", medium, medium, medium)
	list.collect("{a}/mnm/rules", "network_monitoring.rule", low, medium, medium)
	list.add("PUT {a}/cni/settings", "cni.settings.update", medium)
	list.add("DELETE {a}/magic/advanced_tcp_protection/configs/allowlist", "tcp_protection.allow_list.delete", low)
	list.add("DELETE {a}/magic/advanced_tcp_protection/configs/prefixes", "tcp_protection.prefix.delete", medium)
	list.add("POST {a}/magic/advanced_tcp_protection/configs/prefixes/bulk", "tcp_protection.prefix.create", medium)
	list.add("DELETE {a}/magic/advanced_tcp_protection/configs/syn_protection/filters; DELETE {a}/magic/advanced_tcp_protection/configs/tcp_flow_protection/filters", "tcp_protection.filter.delete", medium)
	list.add("DELETE {a}/magic/advanced_tcp_protection/configs/syn_protection/rules; DELETE {a}/magic/advanced_tcp_protection/configs/tcp_flow_protection/rules", "tcp_protection.rule.delete", medium)
	list.add("PATCH {a}/magic/advanced_tcp_protection/configs/tcp_protection_status", "tcp_protection.update", medium)
	list.add("PUT {a}/magic/cf_interconnects; PUT {a}/magic/cf_interconnects/1; PUT {a}/magic/gre_tunnels; PUT {a}/magic/ipsec_tunnels", "magic.tunnel.update", medium)
	list.add("POST {a}/magic/cloud/catalog-syncs/1/refresh; POST {a}/magic/cloud/providers/discover; POST {a}/magic/cloud/providers/1/discover", "magic.cloud.inventory.update", low)
	list.add("PATCH {a}/magic/cloud/onramps/magic_wan_address_space; PUT {a}/magic/cloud/onramps/magic_wan_address_space", "magic.cloud.address_space.update", medium)
	list.add("POST {a}/magic/cloud/onramps/1/apply", "magic.cloud.onramp.apply", medium)
	list.add("POST {a}/magic/cloud/onramps/1/export", "magic.cloud.onramp.export", info)
	list.add("POST {a}/magic/cloud/onramps/1/plan", "magic.cloud.onramp_plan.view", info)
	list.add("POST {a}/magic/cloud/resources/policy-preview", "magic.cloud.policy_preview.view", info)
	list.add("POST {a}/magic/connectors/1/interrupts", "magic.connector.interrupt", medium)
	list.add("DELETE {a}/magic/routes", "magic.route.purge", high)
	list.add("PUT {a}/magic/routes", "magic.route.update", medium)
	list.add("DELETE {a}/mnm/config", "network_monitoring.config.delete", medium)
	list.add("PATCH {a}/mnm/config; PUT {a}/mnm/config", "network_monitoring.config.update", medium)
	list.add("POST {a}/mnm/config", "network_monitoring.config.create", low)
	list.add("PUT {a}/mnm/rules", "network_monitoring.rule.update", medium)
	list.add("PATCH {a}/mnm/rules/1/advertisement", "network_monitoring.advertisement.update", medium)
	list.add("POST {a}/mnm/vpc-flows/token", "network_monitoring.token.create", low)
	list.add("POST {a}/pcaps", "packet_capture.create", medium)
	list.add("POST {a}/pcaps/ownership", "packet_capture.destination.create", low)
	list.add("POST {a}/pcaps/ownership/validate", "packet_capture.destination.view", info)
	list.add("DELETE {a}/pcaps/ownership/1", "packet_capture.destination.delete", low)
	list.add("PUT {a}/pcaps/1/stop", "packet_capture.cancel", low)
	list.add("PATCH {a}/magic/advanced_tcp_protection/configs/tcp_protection_status", "tcp_protection.disable", high, requestBody(`{"enabled":false}`))
	list.add("PATCH {a}/magic/advanced_tcp_protection/configs/tcp_protection_status", "tcp_protection.update", low, requestBody(`{"enabled":true}`))
	list.add("PATCH {a}/magic/advanced_tcp_protection/configs/syn_protection/rules/1", "tcp_protection.rule.update", medium, requestBody(`{"mode":"disabled"}`))
	return list
}

func TestMagic_EveryEntryIsUnderstoodAndGraded(t *testing.T) { magicSuite.check(t) }
