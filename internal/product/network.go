package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Tunnels into a network, and what is reached through them.
var tunnels = family{
	prefixes: oneOf{"tunnel."},
	read:     (*review).readTunnel,
	switches: true,
	subjects: []subject{
		{"tunnel warp_connector", "token", "tunnel.token", "", both, within},
		{"hostname_route", "", "tunnel.hostname_route", "", either, within},
		{"teamnet_route", "", "tunnel.route", "", either, within},
		{"virtual_network", "", "tunnel.virtual_network", "", either, within},
		{"^zerotrust_subnet warp_subnet", "", "tunnel.subnet", "", either, within},
		{"connectivity_service vpc_service", "", "tunnel.service", "", either, within},
		{"tunnel cfd_tunnel warp_connector", "tunnel", "tunnel", "", either, leftover},
	},
	routes: []route{
		{"GET", "/accounts/{account}/cfd_tunnel/{id}/token", "tunnel.token.view"},
		{"GET", "/accounts/{account}/warp_connector/{id}/token", "tunnel.token.view"},
		{"PUT", "/accounts/{account}/cfd_tunnel/{id}/configurations", "tunnel.config.update"},
		{"PUT", "/accounts/{account}/warp_connector/{id}/configurations", "tunnel.config.update"},
		{"PUT", "/accounts/{account}/warp_connector/{id}/failover", "tunnel.failover.update"},
		{"DELETE", "/accounts/{account}/cfd_tunnel/{id}/connections", "tunnel.connection.delete"},
		{"POST", "/accounts/{account}/cfd_tunnel/{id}/management", "tunnel.management_token.create"},
		{"*", "/accounts/{account}/cfd_tunnel", "tunnel"},
		{"*", "/accounts/{account}/warp_connector", "tunnel"},
		{"POST", "/accounts/{account}/teamnet/routes/network/{network}", "tunnel.route.create"},
		{"PATCH", "/accounts/{account}/teamnet/routes/network/{network}", "tunnel.route.update"},
		{"DELETE", "/accounts/{account}/teamnet/routes/network/{network}", "tunnel.route.delete"},
		{"*", "/accounts/{account}/teamnet/routes", "tunnel.route"},
		{"*", "/accounts/{account}/teamnet/virtual_networks", "tunnel.virtual_network"},
		{"*", "/accounts/{account}/zerotrust/routes/hostname", "tunnel.hostname_route"},
		{"*", "/accounts/{account}/zerotrust/subnets/warp", "tunnel.subnet"},
		{"PATCH", "/accounts/{account}/zerotrust/subnets/cloudflare_source/{id}", "tunnel.subnet.update"},
		{"PUT", "/accounts/{account}/zerotrust/subnets/initial_resolved_ip/{id}", "tunnel.subnet.update"},
		{"PATCH", "/accounts/{account}/zerotrust/connectivity_settings", "tunnel.settings.update"},
		{"*", "/accounts/{account}/connectivity/directory/services", "tunnel.service"},
		{"POST", "/accounts/{account}/magic/ipsec_tunnels/{id}/psk_generate", "tunnel.secret.roll"},
		{"POST", "/accounts/{account}/magic/ipsec_tunnels/psk", "tunnel.secret.update"},
	},
	reads: []rules.Rule{
		{ID: "tunnel-token-viewed", Severity: medium, Techniques: oneOf{"T1552"},
			Match: rules.Match{Action: oneOf{"tunnel.token.view"}},
			Title: "Token of tunnel displayed[: {target}]",
			Why:   "Whoever has the token can run the tunnel, and with it receive its traffic."},
	},
	rules: []rules.Rule{
		{ID: "tunnel-created", Severity: medium, Techniques: oneOf{"T1572"},
			Match: rules.Match{Action: oneOf{"tunnel.create"}},
			Title: "Tunnel created[: {target}]",
			Why:   "A tunnel leads from the Internet into a network, past its firewall."},
		{ID: "tunnel-management-token-issued", Severity: medium, Techniques: oneOf{"T1552"},
			Match: rules.Match{Action: oneOf{"tunnel.management_token.create"}},
			Title: "Management token of tunnel issued[: {target}]",
			Why:   "Whoever has the token reads the live log of the tunnel, with the requests in it, and the state of its host."},
		{ID: "tunnel-route-changed", Severity: medium, Techniques: oneOf{"T1572", "T1557"},
			Match: rules.Match{Action: oneOf{"tunnel.route.*", "tunnel.hostname_route.*", "tunnel.service.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "It can draw traffic into another tunnel or cut it off. Only devices and Workers of the account follow it, so that it opens nothing to the Internet."},
		{ID: "tunnel-changed", Severity: medium, Techniques: oneOf{"T1572"},
			Match: rules.Match{Action: oneOf{"tunnel.update", "tunnel.roll", "tunnel.config.update", "tunnel.secret.roll", "tunnel.secret.update", "tunnel.token.roll"}},
			Title: "{words}[: {target}]",
			Why:   "It may lead to something else in the network, or somebody else may run it."},
		{ID: "tunnel-deleted", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"tunnel.delete"}},
			Title: "Tunnel deleted[: {target}]",
			Why:   "What it led to is no longer reached."},
		{ID: "private-network-changed", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"tunnel.virtual_network.*", "tunnel.subnet.*", "tunnel.settings.*"}, Verb: oneOf{"update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "Devices get other addresses, or no longer reach what they reached."},
		ordinary("private-network-administered", "Nothing is reached through a new network until a route leads there, and a tunnel that still runs connects again.",
			"tunnel.virtual_network.create", "tunnel.subnet.create", "tunnel.connection.delete", "tunnel.failover.update"),
	},
}

// readTunnel names what a tunnel or a route leads to.
func (r *review) readTunnel() { r.readNamed("name", "hostname", "network") }
