package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Traffic routing.
var traffic = family{
	prefixes: oneOf{"load_balancer.", "cloud_connector."},
	subjects: []subject{
		{"load_balancer_pool load_balancers_pool ^pool$", "", "load_balancer.pool", "", either, named},
		{"load_balancer_monitor load_balancers_monitor", "", "load_balancer.monitor", "", either, named},
		{"load_balancer loadbalancer", "load_balancer", "load_balancer", "", either, named},
	},
	routes: []route{
		{"*", "/zones/{zone}/load_balancers", "load_balancer"},
		{"*", "/accounts/{account}/load_balancers/pools", "load_balancer.pool"},
		{"*", "/accounts/{account}/load_balancers/monitors", "load_balancer.monitor"},
		{"PUT", "/zones/{zone}/cloud_connector/rules", "cloud_connector.rule.update"},
	},
	rules: []rules.Rule{
		{ID: "origin-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"load_balancer.update", "load_balancer.pool.update", "cloud_connector.rule.update", "zone.fallback_origin.update"}},
			Title: "Origin of traffic changed[: {target}]",
			Why:   "Another server may see the requests and answer them."},
		{ID: "load-balancer-deleted", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"load_balancer.delete", "load_balancer.pool.delete", "zone.fallback_origin.delete"}},
			Title: "Load balancer or its origin deleted[: {target}]",
			Why:   "What it led to is no longer reached."},
	},
}
