package product

import (
	"slices"
	"testing"
)

var networkSuite = suite{
	pairs: slices.Concat(
		rows("gateway.rule/gateway_create", "gateway.rule.create", medium, same, same),
		rows("?gateway.rule/gateway_update", "gateway.rule.update", medium, same, same),
		rows("?gateway.rule/gateway_delete", "gateway.rule.delete", medium, same, same),
		rows("gateway.location/gateway_create_location", "gateway.location.create", low, same, same),
		rows("gateway.config/gateway_update", "gateway.config.update", medium, same, same, `"action":{"type":"gateway_update"}`),
		rows("?cfd_tunnel/token_view", "tunnel.token.view", medium, same, same),
		rows("?tunnel/update_configuration; ?tunnel/delete; ?teamnet.route/create", "", medium, same, same),
		rows("?gateway.logging/update; ?device.policy/update; ?devices.posture_rule/delete; ?dlp.profile/delete", "", medium, same, same),
		rows("?magic.route/delete; ?bgp_prefix/update; ?pcap/create", "", medium, same, same),
	),
	calls: networkCalls(),
	examples: map[string]ruleExample{
		"override-code-viewed": {requested("GET", "/accounts/"+exampleAccount+"/devices/d1/override_codes"), requested("GET", "/accounts/"+exampleAccount+"/devices/d1")},
		"tunnel-changed":       {logged("tunnel", "update_configuration"), logged("tunnel", "view")},
		"tunnel-deleted":       {logged("tunnel", "delete"), logged("tunnel.token", "delete")},
		"network-changed":      {logged("magic.route", "delete"), logged("magic.route", "view")},
		"packets-captured":     {logged("pcap", "create"), logged("pcap", "view")},
		"gateway-changed":      {logged("gateway.rule", "gateway_delete"), logged("gateway.location", "gateway_create_location")},
		"tunnel-created":       {logged("cfd_tunnel", "create"), logged("cfd_tunnel", "delete")},
		"tunnel-token-viewed":  {requested("GET", "/accounts/"+exampleAccount+"/cfd_tunnel/f1/token"), requested("GET", "/accounts/"+exampleAccount+"/cfd_tunnel/f1")},
	},
	facts: map[string]factCase{
		"the account itself is no target": {
			raw: logged("gateway.config", "gateway_update", `"resource":{"type":"gateway.config","id":"o1"}`),
		},
	},
}

func networkCalls() callList {
	var list callList
	list.add("POST {a}/gateway/rules", "gateway.rule.create", medium)
	list.add("POST {a}/gateway/locations", "gateway.location.create", low)
	list.add("PUT {a}/gateway/configuration; PATCH {a}/gateway/configuration", "gateway.config.update", medium)
	list.add("POST {a}/cfd_tunnel", "tunnel.create", medium, requestBody(`{"name":"office"}`))
	list.add("GET {a}/cfd_tunnel/1/token", "tunnel.token.view", medium)
	list.add("GET {a}/cfd_tunnel/1", "tunnel.view", drop)
	list.add("PATCH {a}/gateway/lists/1", "gateway.list.update", low)
	list.add("GET {a}/warp_connector/1/token", "tunnel.token.view", medium)
	list.add("POST {a}/warp_connector", "tunnel.create", medium)
	list.add("PUT {a}/cfd_tunnel/1/configurations", "tunnel.config.update", medium)
	list.add("DELETE {a}/cfd_tunnel/1/connections", "tunnel.connection.delete", low)
	list.add("POST {a}/cfd_tunnel/1/management", "tunnel.management_token.create", low)
	list.add("DELETE {a}/cfd_tunnel/1", "tunnel.delete", medium)
	list.add("POST {a}/teamnet/routes", "tunnel.route.create", medium, requestBody(`{"network":"10.0.0.0/8"}`))
	list.add("POST {a}/magic/ipsec_tunnels/1/psk_generate", "tunnel.secret.roll", medium)
	list.add("GET {a}/devices/1/override_codes; GET {a}/devices/registrations/1/override_codes", "device.override_code.view", medium)
	list.add("PATCH {a}/devices/policy; PUT {a}/devices/policy/exclude", "device.policy.update", medium)
	list.add("PATCH {a}/addressing/prefixes/1/bgp/status", "address_prefix.update", medium, requestBody(`{"advertised":false}`))
	return list
}

func TestNetwork_EveryEntryIsUnderstoodAndGraded(t *testing.T) { networkSuite.check(t) }
