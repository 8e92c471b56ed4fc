package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Address prefixes of the account.
var prefixes = family{
	prefixes: oneOf{"address_prefix.", "address_map."},
	switches: true,
	read:     (*review).readPrefix,
	subjects: []subject{
		{"^address_map ^addressing_address_map", "", "address_map", "", either, named},
		{"^bgp_prefix addressing_prefixes_bgp", "", "address_prefix.bgp", "", either, named},
		{"^addressing ^prefix", "", "address_prefix", "", either, named},
	},
	routes: []route{
		{"PUT", "/accounts/{account}/addressing/address_maps/{id}/accounts/{member}", "address_map.member.add"},
		{"DELETE", "/accounts/{account}/addressing/address_maps/{id}/accounts/{member}", "address_map.member.remove"},
		{"PUT", "/accounts/{account}/addressing/address_maps/{id}/zones/{member}", "address_map.member.add"},
		{"DELETE", "/accounts/{account}/addressing/address_maps/{id}/zones/{member}", "address_map.member.remove"},
		{"PUT", "/accounts/{account}/addressing/address_maps/{id}/ips/{member}", "address_map.member.add"},
		{"DELETE", "/accounts/{account}/addressing/address_maps/{id}/ips/{member}", "address_map.member.remove"},
		{"*", "/accounts/{account}/addressing/address_maps", "address_map"},
		{"POST", "/accounts/{account}/addressing/loa_documents", "address_prefix.loa.create"},
		{"PATCH", "/accounts/{account}/addressing/prefixes/{id}/bgp/status", "address_prefix.bgp.update"},
		{"*", "/accounts/{account}/addressing/prefixes/{prefix_id}/bgp/prefixes", "address_prefix.bgp"},
		{"*", "/accounts/{account}/addressing/prefixes/{prefix_id}/bindings", "address_prefix.binding"},
		{"*", "/accounts/{account}/addressing/prefixes/{prefix_id}/delegations", "address_prefix.delegation"},
		{"POST", "/accounts/{account}/addressing/prefixes/{id}/validate", "address_prefix.validation.create"},
		{"*", "/accounts/{account}/addressing/prefixes", "address_prefix"},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "prefix-withdrawn", Severity: high, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"address_prefix.bgp.*"}, Direction: oneOf{"weaker"}},
			Title: "Prefix no longer advertised by Cloudflare[: {target}]",
			Why:   "All addresses of the prefix lose the protection of Cloudflare, or are reached by nobody."},
		{ID: "prefix-deleted", Severity: high, Techniques: oneOf{"T1485", "T1489"},
			Match: rules.Match{Action: oneOf{"address_prefix.delete"}},
			Title: "Address prefix deleted[: {target}]",
			Why:   "All addresses of the prefix leave Cloudflare."},
		{ID: "prefix-delegated", Severity: medium, Techniques: oneOf{"T1583"},
			Match: rules.Match{Action: oneOf{"address_prefix.delegation.create"}},
			Title: "Address prefix delegated to another account[: {target}]",
			Why:   "The other account answers under your addresses."},
		{ID: "prefix-changed", Severity: medium, Techniques: oneOf{"T1557", "T1489"},
			Match: rules.Match{Action: oneOf{"address_prefix.*", "address_map.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "The traffic of whole networks may go elsewhere, or nowhere."},
	},
}

// Where traffic is decrypted.
var regions = family{
	prefixes: oneOf{"regional_service."},
	read:     (*review).readRegion,
	subjects: []subject{
		{"regional_hostname regional_service", "", "regional_service.hostname", "", either, named},
	},
	routes: []route{
		{"*", "/zones/{zone}/addressing/regional_hostnames", "regional_service.hostname"},
		{"*", "/accounts/{account}/dls/regional_services/prefix_bindings", "regional_service.prefix"},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "region-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"regional_service.*"}, Verb: oneOf{"update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "Traffic that has to stay in a region by law or contract is decrypted elsewhere."},
	},
}

// readPrefix determines whether a prefix is advertised.
func (r *review) readPrefix() {
	r.readNamed("cidr", "name", "description")
	if advertised := r.after.get("on_demand").Get("advertised"); advertised.Exists() {
		r.Direction = directionIn(offOn, r.before.get("on_demand").Get("advertised"), advertised)
	}
}

// readRegion determines whether a region is set for the first time.
func (r *review) readRegion() {
	r.readNamed("hostname", "cidr")
	if r.verb == VerbCreate {
		r.Direction = rules.Safer
	}
}
