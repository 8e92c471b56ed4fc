package product

import (
	"slices"
	"testing"
)

var trafficSuite = suite{
	pairs: slices.Concat(
		rows("load_balancers/view", "load_balancer.view", info, same, same),
		rows("?load_balancer.pool/update; ?load_balancer/delete", "", medium, same, same),
	),
	calls: trafficCalls(),
	examples: map[string]ruleExample{
		"origin-changed":        {logged("load_balancer.pool", "update", values(`{"name":"shop","origins":[{"address":"192.0.2.1"}]}`, `{"name":"shop","origins":[{"address":"203.0.113.66"}]}`)), logged("load_balancer.monitor", "update")},
		"load-balancer-created": {requested("POST", "/zones/"+exampleZone+"/load_balancers", requestBody(`{"name":"shop.example.com","default_pools":["p1"]}`)), requested("DELETE", "/zones/"+exampleZone+"/load_balancers/1")},
		"origin-pool-created":   {requested("POST", "/accounts/"+exampleAccount+"/load_balancers/pools", requestBody(`{"name":"shop"}`)), requested("PATCH", "/accounts/"+exampleAccount+"/load_balancers/pools")},
		"health-check-changed":  {logged("HealthCheck", "health_check_update"), logged("HealthCheck", "view")},
		"health-check-tried":    {requested("POST", "/zones/"+exampleZone+"/healthchecks/preview"), requested("POST", "/zones/"+exampleZone+"/healthchecks")},
		"origin-region-changed": {requested("PUT", "/zones/"+exampleZone+"/origin/cloud_regions/203.0.113.7"), requested("GET", "/zones/"+exampleZone+"/origin/cloud_regions")},
		"speed-test-changed":    {requested("POST", "/zones/"+exampleZone+"/speed_api/pages/example.com/tests"), requested("GET", "/zones/"+exampleZone+"/speed_api/pages")},
		"load-balancer-deleted": {logged("load_balancer", "delete"), logged("load_balancer.monitor", "delete")},
	},
}

func trafficCalls() callList {
	var list callList
	list.add("PUT {z}/load_balancers/1", "load_balancer.update", medium)
	list.add("DELETE {z}/load_balancers/1", "load_balancer.delete", medium)
	list.add("PATCH {a}/load_balancers/pools/1", "load_balancer.pool.update", medium, requestBody(`{"origins":[{"address":"203.0.113.66"}]}`))
	list.add("POST {z}/load_balancers; POST {a}/load_balancers", "load_balancer.create", medium)
	list.add("PATCH {a}/load_balancers/pools", "load_balancer.pool.update", medium)
	list.add("POST {a}/load_balancers/pools", "load_balancer.pool.create", low)
	list.add("DELETE {a}/load_balancers/pools/1", "load_balancer.pool.delete", medium)
	list.add("POST {a}/load_balancers/monitors; POST {a}/load_balancers/monitor_groups", "load_balancer.monitor.create", low)
	list.add("DELETE {a}/load_balancers/monitors/1; DELETE {a}/load_balancers/monitor_groups/1", "load_balancer.monitor.delete", low)
	list.add("POST {a}/load_balancers/monitors/1/preview", "load_balancer.monitor.view", info)
	list.add("POST {a}/load_balancers/pools/1/preview", "load_balancer.pool.view", info)
	list.add("POST {z}/healthchecks", "health_check.create", low)
	list.add("DELETE {z}/healthchecks/1", "health_check.delete", low)
	list.add("POST {z}/healthchecks/preview; DELETE {z}/healthchecks/preview/1", "health_check.view", info)
	list.add("PUT {z}/origin/cloud_regions/192.0.2.1; DELETE {z}/origin/cloud_regions/192.0.2.1; PUT {z}/origin/cloud_regions/batch; DELETE {z}/origin/cloud_regions/batch", "origin_region.update", low)
	list.add("POST {z}/speed_api/pages/example.com/tests; POST {z}/speed_api/schedule/example.com", "speed_test.create", info)
	list.add("DELETE {z}/speed_api/pages/example.com/tests; DELETE {z}/speed_api/schedule/example.com", "speed_test.delete", info)
	list.add("PUT {z}/cloud_connector/rules", "cloud_connector.rule.update", medium)
	return list
}

func TestTraffic_EveryEntryIsUnderstoodAndGraded(t *testing.T) { trafficSuite.check(t) }
