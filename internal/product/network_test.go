package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var networkSuite = suite{
	pairs: slices.Concat(
		rows("?cfd_tunnel/tunnel_token_rotated; ?warp_connector/token_rolled", "tunnel.token.roll", medium, same, same),
		rows("?cfd_tunnel/token_view", "tunnel.token.view", medium, same, same),
		rows("?tunnel/update_configuration; ?tunnel/delete; ?teamnet.route/create; ?virtual_network/delete; ?zerotrust.routes.hostname_route/delete", "", medium, same, same),
	),
	calls: networkCalls(),
	examples: map[string]ruleExample{
		"private-network-administered":   {called("POST {a}/teamnet/virtual_networks", requestBody(`{"name":"staging"}`)), called("PATCH {a}/teamnet/virtual_networks/1")},
		"tunnel-changed":                 {logged("tunnel", "update_configuration"), logged("tunnel", "view")},
		"tunnel-deleted":                 {logged("tunnel", "delete"), logged("tunnel.token", "delete")},
		"tunnel-created":                 {logged("cfd_tunnel", "create"), logged("cfd_tunnel", "delete")},
		"tunnel-token-viewed":            {requested("GET", "/accounts/"+exampleAccount+"/cfd_tunnel/f1/token"), requested("GET", "/accounts/"+exampleAccount+"/cfd_tunnel/f1")},
		"tunnel-management-token-issued": {called("POST {a}/cfd_tunnel/1/management"), called("POST {a}/cfd_tunnel")},
		"tunnel-route-changed":           {called("POST {a}/teamnet/routes", requestBody(`{"network":"198.51.100.0/24"}`)), called("GET {a}/teamnet/routes")},
		"private-network-changed":        {called("DELETE {a}/teamnet/virtual_networks/1"), called("POST {a}/teamnet/virtual_networks", requestBody(`{"name":"staging"}`))},
	},
	facts: map[string]factCase{
		"where a route leads": {
			raw:  called("POST {a}/zerotrust/routes/hostname", requestBody(`{"hostname":"db.example.com","comment":"x"}`)),
			want: rules.Facts{Target: "db.example.com"},
		},
	},
}

func networkCalls() callList {
	var list callList
	list.add("GET {a}/cfd_tunnel/1/token; GET {a}/warp_connector/1/token", "tunnel.token.view", medium)
	list.add("GET {a}/cfd_tunnel/1", "tunnel.view", drop)
	list.add("POST {a}/cfd_tunnel", "tunnel.create", medium, requestBody(`{"name":"office"}`))
	list.collect("{a}/cfd_tunnel", "tunnel", medium, medium, medium)
	list.collect("{a}/warp_connector", "tunnel", medium, medium, medium)
	list.collect("{a}/connectivity/directory/services", "tunnel.service", medium, medium, medium)
	list.collect("{a}/teamnet/routes", "tunnel.route", medium, medium, medium)
	list.collect("{a}/teamnet/virtual_networks", "tunnel.virtual_network", low, medium, medium)
	list.collect("{a}/zerotrust/routes/hostname", "tunnel.hostname_route", medium, medium, medium)
	list.collect("{a}/zerotrust/subnets/warp", "tunnel.subnet", low, medium, medium)
	list.add("PUT {a}/cfd_tunnel/1/configurations; PUT {a}/warp_connector/1/configurations", "tunnel.config.update", medium)
	list.add("DELETE {a}/cfd_tunnel/1/connections", "tunnel.connection.delete", low)
	list.add("POST {a}/cfd_tunnel/1/management", "tunnel.management_token.create", medium)
	list.add("POST {a}/magic/ipsec_tunnels/psk", "tunnel.secret.update", medium)
	list.add("POST {a}/magic/ipsec_tunnels/1/psk_generate", "tunnel.secret.roll", medium)
	list.add("POST {a}/teamnet/routes/network/1", "tunnel.route.create", medium)
	list.add("DELETE {a}/teamnet/routes/network/1", "tunnel.route.delete", medium)
	list.add("PATCH {a}/teamnet/routes/network/1", "tunnel.route.update", medium)
	list.add("PUT {a}/warp_connector/1/failover", "tunnel.failover.update", low)
	list.add("PATCH {a}/zerotrust/connectivity_settings", "tunnel.settings.update", medium)
	list.add("PATCH {a}/zerotrust/subnets/cloudflare_source/1; PUT {a}/zerotrust/subnets/initial_resolved_ip/1", "tunnel.subnet.update", medium)
	return list
}

func TestNetwork_EveryEntryIsUnderstoodAndGraded(t *testing.T) { networkSuite.check(t) }
