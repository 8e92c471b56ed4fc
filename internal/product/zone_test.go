package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var zoneSuite = suite{
	pairs: slices.Concat(
		rows("/zone.transfer_out", "zone.transfer_out", high, same, same, inZone),
		// The account is the resource when a zone is added to it.
		rows("account/add", "zone.create", low, same, same, inZone),
		rows("account/pending", "zone.pending", info, same, same, inZone),
		rows("zone/delete; ?zones/delete", "zone.delete", high, same, same, inZone),
		rows("?zone/transfer_out; ?registrar.domain/transferred_out", "zone.transfer_out", high, same, same, inZone),
		rows("zone/purge; ?purge_cache/create", "zone.cache.purge", low, same, same, inZone),
		rows("?hold/delete; ?zone.hold/delete", "zone.hold.remove", medium, same, same, inZone),
		rows("?dnssec/delete", "zone.dnssec.disable", medium, same, same, inZone),
		rows("?dnssec/update", "zone.dnssec.disable", medium, same, low, inZone, values(`{"status":"active"}`, `{"status":"disabled"}`)),
		rows("?dnssec/update", "zone.dnssec.update", medium, same, same, inZone),
		rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", drop, same, same, bySystem, inZone),
		rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", info, same, same, inZone),
		// Reads are graded, not dropped.
		rows("zones/view", "zone.view", info, same, same),
		rows("hold/view", "zone.hold.view", info, same, same),
		rows("dnssec/view", "zone.dnssec.view", info, same, same),
		rows("?zone/update", "zone.pause", high, medium, low, inZone, values(`{"paused":false}`, `{"paused":true}`)),
		rows("?zone/update", "zone.update", medium, same, same, inZone, values(`{"type":"full"}`, `{"type":"secondary"}`)),
		rows("?hold/update", "zone.hold.remove", medium, same, same, inZone, newValue(`{"hold_after":"2027-01-31T15:56:36Z"}`)),
	),
	calls: zoneCalls(),
	examples: map[string]ruleExample{
		"zone-transferred-out":     {logged("zone", "transfer_out", inProduction), logged("zone", "transfer_in", inProduction)},
		"zone-deleted":             {logged("zone", "delete", inStaging), logged("zone", "purge", inProduction)},
		"zone-paused-production":   {logged("zone", "pause", inProduction), logged("zone", "unpause", inProduction)},
		"zone-paused":              {logged("zone", "pause", inStaging), logged("zone", "pause", inProduction)},
		"zone-hold-set":            {logged("zone.hold", "create", inProduction), logged("zone.hold", "delete", inProduction)},
		"zone-version-changed":     {logged("zone_versioning", "update", inProduction), logged("zone_versioning", "create", inProduction)},
		"tag-gateway-changed":      {requested("PUT", "/zones/"+exampleZone+"/settings/google-tag-gateway/config", requestBody(`{"enabled":true,"measurementId":"GTM-EXAMPLE"}`), `"zone":{"id":"`+exampleZone+`","name":"example.com"}`), requested("PATCH", "/zones/"+exampleZone+"/settings/rum")},
		"zone-environment-created": {requested("POST", "/zones/"+exampleZone+"/environments"), requested("PUT", "/zones/"+exampleZone+"/environments")},
		"zone-changed":             {logged("zone", "update", values(`{"plan":"a"}`, `{"plan":"b"}`)), logged("zone", "update", values(`{"type":"full"}`, `{"type":"partial"}`))},
		"zone-activation-checked":  {requested("PUT", "/zones/"+exampleZone+"/activation_check"), requested("PATCH", "/zones/"+exampleZone)},
		"zone-hold-removed":        {logged("zone.hold", "delete", inProduction), logged("zone.hold", "create", inProduction)},
		"dnssec-disabled":          {logged("dnssec", "delete", inProduction), logged("dnssec", "create", inProduction)},
		"dnssec-changed":           {logged("dnssec", "update", inProduction), logged("dnssec", "update", inProduction, newValue(`{"status":"disabled"}`))},
		"zone-created":             {logged("account", "add", inProduction), logged("account", "add")},
		"zone-pending":             {logged("account", "pending", inProduction), logged("account", "add", inProduction)},
		"cache-purged":             {logged("zone", "purge", inProduction), logged("zone", "delete", inProduction)},
		"name-servers-changed":     {logged("zone", "update", values(`{"type":"full"}`, `{"type":"partial"}`)), logged("zone", "update", values(`{"plan":"a"}`, `{"plan":"b"}`))},
	},
	facts: map[string]factCase{
		"zone": {
			raw:  logged("zone", "delete", `"metadata":{"zone_name":"example.org"}`),
			want: rules.Facts{Target: "example.org", ZoneName: "example.org", ZoneID: "r1"},
		},
	},
	moves: map[string]moveCase{
		"DNSSEC off":  {logged("dnssec", "update", values(`{"status":"active"}`, `{"status":"disabled"}`)), "zone.dnssec.disable", rules.Weaker, ""},
		"DNSSEC on":   {logged("dnssec", "update", values(`{"status":"disabled"}`, `{"status":"active"}`)), "zone.dnssec.enable", rules.Safer, ""},
		"hold off":    {logged("zone.hold", "update", values(`{"hold":true}`, `{"hold":false}`)), "zone.hold.remove", rules.Weaker, ""},
		"zone paused": {logged("zone", "update", values(`{"paused":false}`, `{"paused":true}`)), "zone.pause", rules.Weaker, ""},
	},
}

func zoneCalls() callList {
	var list callList
	list.add("HEAD {z}", "zone.view", drop)
	list.add("POST /zones", "zone.create", low, requestBody(`{"name":"example.com"}`))
	list.add("PATCH {z}", "zone.update", low)
	list.add("PATCH {z}", "zone.pause", high, requestBody(`{"paused":true}`))
	list.add("DELETE {z}; DELETE {z}/?force=1", "zone.delete", high)
	list.add("GET /zones; GET {z}", "zone.view", drop)
	list.add("POST {z}/purge_cache", "zone.cache.purge", low)
	list.add("POST {z}/environments/1/purge_cache; POST {z}/cache/cache_reserve_clear", "zone.cache.purge", low)
	list.add("PUT {z}/activation_check", "zone.activation.check", info)
	list.add("PUT {z}/settings/google-tag-gateway/config", "zone.tag_gateway.update", medium, requestBody(`{"enabled":true,"measurementId":"GTM-EXAMPLE"}`))
	list.add("POST {z}/environments", "zone.environment.create", low)
	list.add("PUT {z}/environments; PATCH {z}/environments", "zone.environment.update", medium)
	list.add("POST {z}/environments/1/rollback", "zone.environment.reset", medium)
	list.add("DELETE {z}/environments/1", "zone.environment.delete", medium)
	list.add("PATCH {z}/dnssec", "zone.dnssec.disable", medium, requestBody(`{"status":"disabled"}`))
	list.add("PATCH {z}/dnssec; PUT {z}/dnssec", "zone.dnssec.enable", low, requestBody(`{"status":"active"}`))
	list.add("DELETE {z}/dnssec", "zone.dnssec.disable", medium)
	list.add("GET {z}/dnssec", "zone.dnssec.view", drop)
	list.add("POST {z}/hold", "zone.hold.create", low)
	list.add("PATCH {z}/hold", "zone.hold.update", low)
	list.add("DELETE {z}/hold", "zone.hold.remove", medium)
	list.add("GET {z}/hold", "zone.hold.view", drop)
	list.add("PATCH {z}", "zone.unpause", low, requestBody(`{"paused":false}`))
	list.add("PATCH {z}", "zone.update", medium, requestBody(`{"vanity_name_servers":["ns1.example.net"]}`))
	list.add("PATCH {z}/hold", "zone.hold.remove", medium, requestBody(`{"hold_after":"2027-01-31T15:56:36Z"}`))
	list.add("POST {a}/registrar/domains/example.com/transfer_out; PUT {a}/registrar/domains/example.com/transfer_out", "zone.transfer_out", high)
	return list
}

func TestZone_EveryEntryIsUnderstoodAndGraded(t *testing.T) { zoneSuite.check(t) }
