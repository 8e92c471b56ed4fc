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
		"load-balancer-deleted": {logged("load_balancer", "delete"), logged("load_balancer.monitor", "delete")},
	},
}

func trafficCalls() callList {
	var list callList
	list.add("PUT {z}/load_balancers/1", "load_balancer.update", medium)
	list.add("DELETE {z}/load_balancers/1", "load_balancer.delete", medium)
	list.add("PATCH {a}/load_balancers/pools/1", "load_balancer.pool.update", medium, requestBody(`{"origins":[{"address":"203.0.113.66"}]}`))
	list.add("POST {a}/load_balancers/monitors", "load_balancer.monitor.create", low)
	list.add("PUT {z}/cloud_connector/rules", "cloud_connector.rule.update", medium)
	return list
}

func TestTraffic_EveryEntryIsUnderstoodAndGraded(t *testing.T) { trafficSuite.check(t) }
