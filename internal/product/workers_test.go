package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Names that changes of routes have had over time, and others that follow from
// them.
const (
	routeCreated = "route/route_create; ?zone/route_create; ?route/create; ?workers.routes/create; ?workers.filters/create"
	routeUpdated = "?route/route_update; ?workers.routes/update; ?workers.filters/update"
)

var workersSuite = suite{
	pairs: slices.Concat(
		rows("/worker.route.create", "worker.route.create", medium, same, same, inZone, newValue(`{"pattern":"example.com/*","script":"proxy"}`)),
		rows("script/script_create; ?workers.scripts/create; ?workers.scripts.deployments/create; ?workers.scripts.versions/create", "worker.script.create", medium, same, same),
		rows("script/script_update; ?workers.scripts/update; ?workers.scripts.content/update; ?workers.scripts.settings/update; ?workers.scripts.schedules/update",
			"worker.script.update", medium, same, same),
		rows("script/script_deploy", "worker.script.deploy", medium, same, same),
		rows("script/script_on_subdomain; ?workers.scripts.subdomain/create", "worker.script.expose", medium, same, same),
		rows("script/script_on_subdomain", "worker.script.expose", low, same, same, `"resource":{"type":"script","id":"checkout"}`),
		rows("script/script_schedules", "worker.script.schedule", low, same, same),
		rows("/patch_settings; script/patch_settings", "worker.script.settings.update", low, same, same),
		rows("?script/script_delete; ?workers.scripts/delete", "worker.script.delete", low, same, same),
		rows(routeCreated, "worker.route.create", medium, same, same, `"metadata":{"pattern":"example.com/*"}`),
		rows(routeCreated, "worker.route.create", medium, same, same, `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
		rows(routeCreated, "worker.route.create", low, same, same, `"metadata":{"pattern":"example.com/*","script":"checkout"}`),
		rows(routeCreated, "worker.route.create", low, same, same, newValue(`{"pattern":"example.com/*","script":null}`)),
		rows(routeUpdated, "worker.route.update", medium, same, low, values(`{"pattern":"example.com/*","script":"checkout"}`, `{"pattern":"example.com/*","script":"proxy"}`)),
		rows("?workers.domains/update", "worker.domain.update", medium, same, low, values(`{"hostname":"example.com","service":"checkout"}`, `{"hostname":"example.com","service":"proxy"}`)),
		rows("route/route_delete; ?workers.routes/delete", "worker.route.delete", low, same, same, `"metadata":{"pattern":"example.com/*"}`),
		rows("?script/secret_put; ?script/secret_create; ?script/delete_secret", "worker.script.settings.update", low, same, same),
		rows("?snippet/update; ?zaraz/update; ?pages.deployment/create; ?pages.domain/create", "", medium, same, same),
	),
	calls: workersCalls(),
	examples: map[string]ruleExample{
		"worker-route-removed":        {logged("route", "route_delete"), logged("route", "route_create")},
		"worker-route-without-script": {logged("route", "route_create", `"metadata":{"pattern":"example.com/*","script":""}`), logged("route", "route_create", `"metadata":{"pattern":"example.com/*"}`)},
		"worker-route-verified":       {logged("route", "route_create", `"metadata":{"script":"checkout-2"}`), logged("route", "route_create", `"metadata":{"script":"check"}`)},
		"worker-route-unverified":     {logged("route", "route_create", `"metadata":{"script":"proxy"}`), logged("route", "route_create", `"metadata":{"script":"checkout"}`)},
		"worker-exposed-verified":     {logged("script", "script_on_subdomain", `"resource":{"type":"script","id":"checkout"}`), logged("script", "script_on_subdomain")},
		"worker-exposed":              {logged("script", "script_on_subdomain"), logged("script", "script_deploy")},
		"worker-deployed":             {logged("script", "script_deploy"), logged("script", "script_delete")},
		"worker-scheduled":            {logged("script", "script_schedules"), logged("script", "script_update")},
		"worker-settings-changed":     {logged("script", "patch_settings"), logged("zone", "patch_settings")},
		"worker-deleted":              {logged("script", "script_delete"), logged("script", "script_create")},
		"worker-hidden":               {requested("POST", "/accounts/"+exampleAccount+"/workers/scripts/checkout/subdomain", requestBody(`{"enabled":false}`)), requested("POST", "/accounts/"+exampleAccount+"/workers/scripts/checkout/subdomain", requestBody(`{"enabled":true}`))},
		"site-deployed":               {logged("pages.deployment", "create"), logged("pages.project", "update")},
	},
	facts: map[string]factCase{
		"route": {
			raw:  logged("route", "route_create", `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
			want: rules.Facts{IsWorker: true, Target: "example.com/*", Script: "proxy"},
		},
		"route without a script": {
			raw:  logged("route", "route_create", newValue(`{"pattern":"example.com/*","script":null}`)),
			want: rules.Facts{IsWorker: true, Target: "example.com/*", NoScript: true},
		},
		"route that does not say": {
			raw:  logged("route", "route_create", `"metadata":{"pattern":"example.com/*"}`),
			want: rules.Facts{IsWorker: true, Target: "example.com/*"},
		},
		"script": {
			raw:  logged("script", "script_deploy", `"resource":{"type":"script","id":"checkout"}`),
			want: rules.Facts{IsWorker: true, Target: "checkout", Script: "checkout"},
		},
	},
}

func workersCalls() callList {
	var list callList
	for _, of := range []string{"{z}/workers/routes", "{z}/workers/filters"} {
		list.add("POST "+of, "worker.route.create", medium, requestBody(`{"pattern":"example.com/*","script":"proxy"}`))
		list.add("POST "+of, "worker.route.create", low, requestBody(`{"pattern":"example.com/*","script":"checkout"}`))
		list.add("PUT "+of+"/1", "worker.route.update", medium, requestBody(`{"pattern":"example.com/*","script":"proxy"}`))
		list.add("DELETE "+of+"/1", "worker.route.delete", low)
	}
	list.add("PUT {a}/workers/domains", "worker.domain.update", medium, requestBody(`{"hostname":"example.com","service":"proxy"}`))
	list.add("DELETE {a}/workers/domains/1", "worker.domain.delete", low)
	list.add("PUT {a}/workers/scripts/proxy; PUT {a}/workers/scripts/proxy/content; POST {a}/workers/scripts/proxy/versions", "worker.script.update", medium)
	list.add("POST {a}/workers/scripts/proxy/deployments", "worker.script.deploy", medium)
	list.add("DELETE {a}/workers/scripts/proxy", "worker.script.delete", low)
	list.add("GET {a}/workers/scripts; GET {a}/workers/scripts/proxy", "worker.script.view", drop)
	list.add("PATCH {a}/workers/scripts/proxy/settings; PATCH {a}/workers/scripts/proxy/script-settings; PUT {a}/workers/scripts/proxy/secrets; "+
		"DELETE {a}/workers/scripts/proxy/secrets/DB", "worker.script.settings.update", low)
	list.add("PUT {a}/workers/scripts/proxy/schedules", "worker.script.schedule", low)
	list.add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.expose", medium)
	list.add("PUT {z}/snippets/snippet_rules", "snippet.rule.update", medium)
	list.add("PUT {z}/snippets/a", "snippet.update", medium)
	list.add("DELETE {z}/snippets/a", "snippet.delete", low)
	list.add("PATCH {a}/workers/scripts/proxy/secrets-bulk", "worker.script.settings.update", low)
	list.add("DELETE {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low)
	list.add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low, requestBody(`{"enabled":false}`))
	list.add("POST {a}/workers/scripts/proxy/tails", "worker.script.tail.create", low)
	list.add("DELETE {a}/workers/scripts/proxy/tails/1", "worker.script.tail.delete", low)
	list.add("POST {a}/workers/scripts/proxy/assets-upload-session", "worker.script.upload.create", low)
	for _, of := range []string{"{a}/workers/services/proxy/environments/production", "{a}/workers/dispatch/namespaces/n/scripts/proxy"} {
		list.add("PUT "+of+"/content", "worker.script.update", medium)
	}
	list.add("PATCH {a}/workers/services/proxy/environments/production/settings; PUT {a}/workers/dispatch/namespaces/n/scripts/proxy/secrets", "worker.script.settings.update", low)
	list.add("PUT {a}/workers/dispatch/namespaces/n/scripts/proxy; POST {a}/workers/workers/1/versions", "worker.script.update", medium)
	list.add("DELETE {a}/workers/dispatch/namespaces/n/scripts/proxy; DELETE {a}/workers/workers/1", "worker.script.delete", low)
	list.add("POST {a}/pages/projects/site/deployments", "pages.deployment.create", medium)
	list.add("POST {a}/pages/projects/site/deployments/1/rollback", "pages.deployment.rollback", medium)
	list.add("POST {a}/pages/projects/site/domains", "pages.domain.add", medium)
	list.add("DELETE {a}/pages/projects/site/domains/login.example.com", "pages.domain.remove", low)
	list.add("DELETE {a}/pages/projects/site", "pages.project.delete", medium)
	return list
}

func TestWorkers_EveryEntryIsUnderstoodAndGraded(t *testing.T) { workersSuite.check(t) }
