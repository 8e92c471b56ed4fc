package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Gateway: policies for the traffic of users and devices.
var gateway = family{
	prefixes: oneOf{"gateway."},
	read:     (*review).readGateway,
	pairs: []pair{
		{"gateway.rule", "gateway_create", "gateway.rule.create"},
		{"gateway.rule", "gateway_update", "gateway.rule.update"}, // derived, not published
		{"gateway.rule", "gateway_delete", "gateway.rule.delete"}, // derived, not published
		{"gateway.location", "gateway_create_location", "gateway.location.create"},
		{"gateway.config", "gateway_update", "gateway.config.update"},
	},
	subjects: []subject{
		{"^gateway_logging", "", "gateway.logging", "", either, within},
		{"^gateway_proxy", "", "gateway.proxy_endpoint", "", either, within},
		{"^gateway_certificate", "", "gateway.certificate", "", either, within},
		{"^gateway_location", "", "gateway.location", "", either, within},
		{"^gateway_config ^gateway_setting", "", "gateway.config", "", either, within},
		{"^gateway_rule ^gateway_polic teams_rule", "", "gateway.rule", "", either, within},
	},
	routes: []route{
		{"*", "/accounts/{account}/gateway/rules", "gateway.rule"},
		{"*", "/accounts/{account}/gateway/locations", "gateway.location"},
		{"PUT PATCH", "/accounts/{account}/gateway/configuration", "gateway.config.update"},
	},
	joints: []joint{
		{actions: oneOf{"gateway.config.*"}, by: byActor},
	},
	rules: []rules.Rule{
		{ID: "gateway-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"gateway.rule.*", "gateway.config.*", "gateway.logging.*", "gateway.proxy_endpoint.*", "gateway.certificate.*", "device.policy.*", "dlp.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "Gateway or device policy changed[: {target}]",
			Why:   "Gateway and its client decide what users and devices may reach, and what is logged of it."},
	},
}

// Lists that Gateway rules use.
var gatewayLists = family{
	prefixes:    oneOf{"gateway.list."},
	plainValues: true,
	read:        (*review).readGateway,
	subjects: []subject{
		{"^gateway_list", "", "gateway.list", "", either, within},
	},
	routes: []route{
		{"*", "/accounts/{account}/gateway/lists", "gateway.list"},
	},
}

// Tunnels into a network.
var tunnels = family{
	prefixes: oneOf{"tunnel."},
	subjects: []subject{
		{"tunnel warp_connector", "token", "tunnel.token", "", both, within},
		{"teamnet_route", "", "tunnel.route", "", either, within},
		{"tunnel cfd_tunnel warp_connector", "tunnel", "tunnel", "", either, leftover},
	},
	routes: []route{
		{"GET", "/accounts/{account}/cfd_tunnel/{id}/token", "tunnel.token.view"},
		{"GET", "/accounts/{account}/warp_connector/{id}/token", "tunnel.token.view"},
		{"PUT", "/accounts/{account}/cfd_tunnel/{id}/configurations", "tunnel.config.update"},
		{"DELETE", "/accounts/{account}/cfd_tunnel/{id}/connections", "tunnel.connection.delete"},
		{"POST", "/accounts/{account}/cfd_tunnel/{id}/management", "tunnel.management_token.create"},
		{"*", "/accounts/{account}/cfd_tunnel", "tunnel"},
		{"*", "/accounts/{account}/warp_connector", "tunnel"},
		{"*", "/accounts/{account}/teamnet/routes", "tunnel.route"},
		{"POST", "/accounts/{account}/magic/ipsec_tunnels/{id}/psk_generate", "tunnel.secret.roll"},
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
		{ID: "tunnel-changed", Severity: medium, Techniques: oneOf{"T1572"},
			Match: rules.Match{Action: oneOf{"tunnel.update", "tunnel.roll", "tunnel.config.update", "tunnel.secret.roll", "tunnel.route.create", "tunnel.route.update"}},
			Title: "Tunnel or its route changed[: {target}]",
			Why:   "It may lead to something else in the network, or somebody else may run it."},
		{ID: "tunnel-deleted", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"tunnel.delete"}},
			Title: "Tunnel deleted[: {target}]",
			Why:   "What it led to is no longer reached."},
	},
}

// Devices that run the client.
var devices = family{
	prefixes: oneOf{"device.", "dlp."},
	subjects: []subject{
		{"^dlp", "", "dlp", "", either, named},
	},
	routes: []route{
		{"GET", "/accounts/{account}/devices/{id}/override_codes", "device.override_code.view"},
		{"GET", "/accounts/{account}/devices/registrations/{id}/override_codes", "device.override_code.view"},
	},
	reads: []rules.Rule{
		{ID: "override-code-viewed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"device.override_code.view"}},
			Title: "Override code of device displayed[: {target}]",
			Why:   "Whoever has the code can switch the client of the device off."},
	},
}

// Settings of the client.
var devicePolicies = family{
	prefixes: oneOf{"device.policy."},
	switches: true,
	subjects: []subject{
		{"device_polic devices_polic device_setting devices_setting device_posture devices_posture devices_network", "", "device.policy", "", either, named},
	},
}

// Routes and captures of a network.
var networks = family{
	prefixes: oneOf{"magic.", "packet_capture."},
	subjects: []subject{
		{"^magic_route", "", "magic.route", "", either, named},
		{"^pcap packet_capture", "", "packet_capture", "", either, named},
	},
	rules: []rules.Rule{
		{ID: "network-changed", Severity: medium, Techniques: oneOf{"T1557", "T1489"},
			Match: rules.Match{Action: oneOf{"magic.route.*", "address_prefix.*"}, Verb: oneOf{"create", "update", "delete", "disable"}},
			Title: "Route or prefix of the network changed[: {target}]",
			Why:   "The traffic of a whole network may go elsewhere, or nowhere."},
		{ID: "packets-captured", Severity: medium, Techniques: oneOf{"T1040"},
			Match: rules.Match{Action: oneOf{"packet_capture.create"}},
			Title: "Packets of the network captured[: {target}]",
			Why:   "The capture shows what others send."},
	},
}

// Address prefixes.
var prefixes = family{
	prefixes: oneOf{"address_prefix."},
	switches: true,
	subjects: []subject{
		{"^addressing ^prefix ^bgp_prefix", "", "address_prefix", "", either, named},
	},
}

func (r *review) readGateway() { r.Target = r.text("name", "description") }
