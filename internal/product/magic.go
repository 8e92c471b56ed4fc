package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Routes, tunnels and sites of a network behind Cloudflare.
var networks = family{
	prefixes: oneOf{"magic.", "cni."},
	read:     (*review).readNetwork,
	subjects: []subject{
		{"^magic_route", "", "magic.route", "", either, named},
		{"gre_tunnel ipsec_tunnel magic_tunnel", "", "magic.tunnel", "", either, named},
		{"^magic_connector", "", "magic.connector", "", either, named},
		{"^magic_site", "", "magic.site", "", either, named},
		{"^magic_cloud", "", "magic.cloud", "", either, named},
		{"^cni ^magic_interconnect", "", "cni.interconnect", "", either, named},
	},
	routes: []route{
		{"DELETE", "/accounts/{account}/magic/routes", "magic.route.purge"},
		{"POST", "/accounts/{account}/magic/routes", "magic.route.create"},
		{"PUT", "/accounts/{account}/magic/routes", "magic.route.update"},
		{"PUT", "/accounts/{account}/magic/routes/{id}", "magic.route.update"},
		{"DELETE", "/accounts/{account}/magic/routes/{id}", "magic.route.delete"},
		{"*", "/accounts/{account}/magic/gre_tunnels", "magic.tunnel"},
		{"*", "/accounts/{account}/magic/ipsec_tunnels", "magic.tunnel"},
		{"PUT", "/accounts/{account}/magic/cf_interconnects", "magic.tunnel.update"},
		{"PUT", "/accounts/{account}/magic/cf_interconnects/{id}", "magic.tunnel.update"},
		{"*", "/accounts/{account}/magic/sites/{site}/acls", "magic.site.acl"},
		{"*", "/accounts/{account}/magic/sites/{site}/lans", "magic.site.lan"},
		{"*", "/accounts/{account}/magic/sites/{site}/wans", "magic.site.wan"},
		{"*", "/accounts/{account}/magic/sites", "magic.site"},
		{"POST", "/accounts/{account}/magic/connectors/{id}/interrupts", "magic.connector.interrupt"},
		{"*", "/accounts/{account}/magic/connectors", "magic.connector"},
		{"*", "/accounts/{account}/magic/apps", "magic.app"},
		{"*", "/accounts/{account}/magic/cf1_sites/{site}/ramps", "magic.location.ramp"},
		{"*", "/accounts/{account}/magic/cf1_sites", "magic.location"},
		{"POST", "/accounts/{account}/magic/cloud/providers/discover", "magic.cloud.inventory.update"},
		{"POST", "/accounts/{account}/magic/cloud/providers/{id}/discover", "magic.cloud.inventory.update"},
		{"*", "/accounts/{account}/magic/cloud/providers", "magic.cloud.provider"},
		{"PUT PATCH", "/accounts/{account}/magic/cloud/onramps/magic_wan_address_space", "magic.cloud.address_space.update"},
		{"POST", "/accounts/{account}/magic/cloud/onramps/{id}/apply", "magic.cloud.onramp.apply"},
		{"POST", "/accounts/{account}/magic/cloud/onramps/{id}/plan", "magic.cloud.onramp_plan.view"},
		{"POST", "/accounts/{account}/magic/cloud/onramps/{id}/export", "magic.cloud.onramp.export"},
		{"*", "/accounts/{account}/magic/cloud/onramps", "magic.cloud.onramp"},
		{"POST", "/accounts/{account}/magic/cloud/catalog-syncs/{id}/refresh", "magic.cloud.inventory.update"},
		{"*", "/accounts/{account}/magic/cloud/catalog-syncs", "magic.cloud.catalog_sync"},
		{"POST", "/accounts/{account}/magic/cloud/resources/policy-preview", "magic.cloud.policy_preview.view"},
		{"*", "/accounts/{account}/cni/interconnects", "cni.interconnect"},
		{"*", "/accounts/{account}/cni/cnis", "cni.connection"},
		{"PUT", "/accounts/{account}/cni/settings", "cni.settings.update"},
	},
	rules: []rules.Rule{
		{ID: "network-routes-emptied", Severity: high, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"magic.route.purge"}},
			Title: "All routes of the network deleted[: {target}]",
			Why:   "The traffic of the whole network has no way left through Cloudflare."},
		{ID: "network-changed", Severity: medium, Techniques: oneOf{"T1557", "T1489"},
			Match: rules.Match{Action: oneOf{"magic.route.*", "magic.tunnel.*", "cni.interconnect.*", "cni.connection.*", "cni.settings.*"},
				Verb: oneOf{"create", "update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "The traffic of a whole network may go elsewhere, or nowhere."},
		{ID: "network-appliance-changed", Severity: medium, Techniques: oneOf{"T1489", "T1557"},
			Match: rules.Match{Action: oneOf{"magic.connector.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "A whole site reaches the network through it."},
		{ID: "network-appliance-interrupted", Severity: medium, Techniques: oneOf{"T1529"},
			Match: rules.Match{Action: oneOf{"magic.connector.interrupt"}},
			Title: "Network appliance restarted or shut down[: {target}]",
			Why:   "A whole site is off the network until the appliance is up again."},
		{ID: "network-site-changed", Severity: medium, Techniques: oneOf{"T1562.004", "T1489"},
			Match: rules.Match{Action: oneOf{"magic.site.acl.*", "magic.site.update", "magic.site.delete", "magic.site.lan.*", "magic.site.wan.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Its access lists decide which networks of the site talk to each other, and its links whether it is reached."},
		{ID: "cloud-network-changed", Severity: medium, Techniques: oneOf{"T1557", "T1489"},
			Match: rules.Match{Action: oneOf{"magic.cloud.provider.*", "magic.cloud.onramp.*", "magic.cloud.address_space.*", "magic.cloud.catalog_sync.*", "magic.cloud.create", "magic.cloud.update", "magic.cloud.delete"},
				Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Cloudflare changes routes in the other cloud with the credentials that stand here."},
		{ID: "cloud-network-applied", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"magic.cloud.onramp.apply"}},
			Title: "Planned connection to another cloud put in place[: {target}]",
			Why:   "The routes in the other cloud have changed."},
	},
}

// Protection of networks from floods of packets.
var floods = family{
	prefixes: oneOf{"tcp_protection."},
	switches: true,
	read:     (*review).readFloodProtection,
	subjects: []subject{
		{"advanced_tcp_protection", "", "tcp_protection.rule", "", either, named},
	},
	routes: []route{
		{"PATCH", "/accounts/{account}/magic/advanced_tcp_protection/configs/tcp_protection_status", "tcp_protection.update"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/allowlist", "tcp_protection.allow_list"},
		{"POST", "/accounts/{account}/magic/advanced_tcp_protection/configs/prefixes/bulk", "tcp_protection.prefix.create"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/prefixes", "tcp_protection.prefix"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/syn_protection/rules", "tcp_protection.rule"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/syn_protection/filters", "tcp_protection.filter"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/tcp_flow_protection/rules", "tcp_protection.rule"},
		{"*", "/accounts/{account}/magic/advanced_tcp_protection/configs/tcp_flow_protection/filters", "tcp_protection.filter"},
	},
	names:  oneOf{"tcp_protection.disable"},
	raises: true,
	rules: []rules.Rule{
		{ID: "flood-protection-disabled", Severity: high, Techniques: oneOf{"T1562", "T1498"},
			Match: rules.Match{Action: oneOf{"tcp_protection.disable"}},
			Title: "TCP protection of the network disabled[: {target}]",
			Why:   "Floods reach all prefixes of the account."},
		{ID: "flood-protection-weakened", Severity: medium, Techniques: oneOf{"T1562", "T1498"},
			Match: rules.Match{Action: oneOf{"tcp_protection.*"}, Direction: oneOf{"weaker"}},
			Title: "TCP protection of the network weakened: {words}[: {target}]",
			Why:   "Some floods, or all from some addresses, reach the network."},
		{ID: "flood-protection-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"tcp_protection.*"}, Verb: oneOf{"create", "update", "delete", "enable"}},
			Title: "{words}[: {target}]",
			Why:   "Which packets count as a flood has changed."},
	},
}

// Captures of packets.
var captures = family{
	prefixes: oneOf{"packet_capture."},
	hooks:    true,
	subjects: []subject{
		{"^pcap packet_capture", "", "packet_capture", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/pcaps/ownership/validate", "packet_capture.destination.view"},
		{"POST", "/accounts/{account}/pcaps/ownership", "packet_capture.destination.create"},
		{"DELETE", "/accounts/{account}/pcaps/ownership/{id}", "packet_capture.destination.delete"},
		{"PUT", "/accounts/{account}/pcaps/{id}/stop", "packet_capture.cancel"},
		{"POST", "/accounts/{account}/pcaps", "packet_capture.create"},
	},
	rules: []rules.Rule{
		{ID: "packets-captured", Severity: medium, Techniques: oneOf{"T1040"},
			Match: rules.Match{Action: oneOf{"packet_capture.create"}},
			Title: "Packets of the network captured[: {target}]",
			Why:   "The capture shows what others send."},
	},
}

// Monitoring of the flows of a network.
var flows = family{
	prefixes: oneOf{"network_monitoring."},
	subjects: []subject{
		{"^mnm network_monitoring", "", "network_monitoring.rule", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/mnm/config", "network_monitoring.config"},
		{"PATCH", "/accounts/{account}/mnm/rules/{id}/advertisement", "network_monitoring.advertisement.update"},
		{"*", "/accounts/{account}/mnm/rules", "network_monitoring.rule"},
		{"POST", "/accounts/{account}/mnm/vpc-flows/token", "network_monitoring.token.create"},
	},
	rules: []rules.Rule{
		{ID: "flow-monitoring-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"network_monitoring.config.*", "network_monitoring.rule.*", "network_monitoring.advertisement.*"}, Verb: oneOf{"update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "A flood that no rule watches for raises no alarm, and no prefix is moved behind Cloudflare because of it."},
		ordinary("network-described", "It describes or watches the network and changes no route.",
			"magic.app.*", "magic.location.*", "magic.site.create", "magic.cloud.inventory.update", "packet_capture.*", "network_monitoring.*"),
	},
}

// readNetwork names routes, links, sites and appliances.
func (r *review) readNetwork() {
	r.readNamed("name", "prefix", "friendly_name", "hostname", "notes")
}

// floodModes are the modes of rules against floods, from the weakest to the safest.
const floodModes = "disabled monitoring enabled"

// readFloodProtection determines whether more packets pass than before.
func (r *review) readFloodProtection() {
	r.readNamed("name", "prefix", "expression")
	switch strings.TrimSuffix(strings.TrimPrefix(r.name, "tcp_protection."), "."+r.verb) {
	case "allow_list":
		r.Direction = map[string]string{VerbCreate: rules.Weaker, VerbUpdate: reverse(r.Direction), VerbDelete: rules.Safer}[r.verb]
	case "prefix":
		excluded := r.after.text("excluded")
		switch {
		case r.verb == VerbDelete, excluded == "true" && r.before.text("excluded") != "true":
			r.Direction = rules.Weaker
		case excluded == "false" && r.before.text("excluded") != "false":
			r.Direction = rules.Safer
		}
	case "rule":
		r.Direction = directionIn(floodModes, r.before.get("mode"), r.after.get("mode"))
		if r.verb == VerbDelete {
			r.Direction = rules.Weaker
		}
	}
}
