package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var addressingSuite = suite{
	pairs: slices.Concat(

		rows("?bgp_prefix/update; ?address_map/delete; ?addressing.prefix/create; ?regional_hostname/delete", "", medium, same, same),
	),
	calls: addressingCalls(),
	examples: map[string]ruleExample{
		"prefix-withdrawn": {called("PATCH {a}/addressing/prefixes/1/bgp/status", requestBody(`{"advertised":false}`)), called("PATCH {a}/addressing/prefixes/1/bgp/status", requestBody(`{"advertised":true}`))},
		"prefix-deleted":   {called("DELETE {a}/addressing/prefixes/1"), called("DELETE {a}/addressing/prefixes/1/bindings/1")},
		"prefix-delegated": {called("POST {a}/addressing/prefixes/1/delegations", requestBody(`{"cidr":"192.0.2.0/24","delegated_account_id":"x"}`)), called("DELETE {a}/addressing/prefixes/1/delegations/1")},
		"prefix-changed":   {called("PUT {a}/addressing/address_maps/1/ips/192.0.2.1"), called("GET {a}/addressing/prefixes/1")},
		"region-changed":   {called("PATCH {z}/addressing/regional_hostnames/www.example.com", requestBody(`{"region_key":"us"}`)), called("POST {z}/addressing/regional_hostnames", requestBody(`{"hostname":"www.example.com","region_key":"eu"}`))},
	},
	moves: map[string]moveCase{
		"withdrawn on demand": {called("PATCH {a}/addressing/prefixes/1/bgp/prefixes/1", requestBody(`{"on_demand":{"advertised":false}}`)), "address_prefix.bgp.update", rules.Weaker, ""},
	},
}

func addressingCalls() callList {
	var list callList
	list.collect("{a}/addressing/address_maps", "address_map", medium, medium, medium)
	list.collect("{a}/addressing/prefixes", "address_prefix", medium, medium, high)
	list.collect("{a}/addressing/prefixes/1/bgp/prefixes", "address_prefix.bgp", medium, medium, "")
	list.collect("{a}/addressing/prefixes/1/bindings", "address_prefix.binding", medium, "", medium)
	list.collect("{a}/addressing/prefixes/1/delegations", "address_prefix.delegation", medium, "", medium)
	list.collect("{a}/dls/regional_services/prefix_bindings", "regional_service.prefix", low, medium, medium)
	list.collect("{z}/addressing/regional_hostnames", "regional_service.hostname", low, medium, medium)
	list.add("DELETE {a}/addressing/address_maps/1/accounts/1; DELETE {a}/addressing/address_maps/1/ips/1; DELETE {a}/addressing/address_maps/1/zones/1", "address_map.member.remove", medium)
	list.add("PUT {a}/addressing/address_maps/1/accounts/1; PUT {a}/addressing/address_maps/1/ips/1; PUT {a}/addressing/address_maps/1/zones/1", "address_map.member.add", medium)
	list.add("POST {a}/addressing/loa_documents", "address_prefix.loa.create", medium)
	list.add("PATCH {a}/addressing/prefixes/1/bgp/status", "address_prefix.bgp.update", medium)
	list.add("POST {a}/addressing/prefixes/1/validate", "address_prefix.validation.create", medium)
	list.add("PATCH {a}/addressing/prefixes/1/bgp/status", "address_prefix.bgp.update", high, requestBody(`{"advertised":false}`))
	list.add("PATCH {a}/addressing/prefixes/1/bgp/status", "address_prefix.bgp.update", low, requestBody(`{"advertised":true}`))
	list.add("PATCH {a}/addressing/prefixes/1/bgp/prefixes/1", "address_prefix.bgp.update", high, requestBody(`{"on_demand":{"advertised":false}}`))
	return list
}

func TestAddressing_EveryEntryIsUnderstoodAndGraded(t *testing.T) { addressingSuite.check(t) }
