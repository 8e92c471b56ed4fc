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
		rows("?script/secret_put; ?script/secret_create", "worker.script.secret.update", medium, same, same),
		rows("?script/delete_secret", "worker.script.secret.delete", medium, same, same),
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
		"site-deleted":                {logged("pages.project", "delete"), ofAccount("DELETE", "/pages/projects/site/deployments/1")},
		"site-built-otherwise":        {logged("pages.project", "update"), logged("pages.project", "create")},
		"site-deploy-hook-created":    {ofAccount("POST", "/pages/projects/site/deploy_hooks"), ofAccount("DELETE", "/pages/projects/site/deploy_hooks/1")},
		"site-log-opened":             {ofAccount("POST", "/pages/projects/site/deployments/1/tails"), ofAccount("DELETE", "/pages/projects/site/deployments/1/tails/1")},
		"site-code-removed":           {logged("snippet", "delete"), logged("snippet", "create")},
		"site-part-changed":           {logged("pages.project", "create"), logged("pages.project", "disable")},
		"site-assets-uploaded":        {requested("POST", "/pages/assets/upload"), ofAccount("POST", "/pages/projects/site/deployments")},
		"worker-secret-changed":       {logged("script", "secret_put"), logged("script", "secret_list")},
		"worker-tailed":               {ofAccount("POST", "/workers/scripts/proxy/tails"), ofAccount("DELETE", "/workers/scripts/proxy/tails/1")},
		"worker-logs-stopped":         {ofAccount("DELETE", "/workers/observability/destinations/logs"), ofAccount("POST", "/workers/observability/destinations")},
		"worker-logs-sent":            {ofAccount("POST", "/workers/observability/destinations", requestBody(`{"name":"logs"}`)), ofAccount("PATCH", "/workers/observability/destinations/logs", requestBody(`{"enabled":false}`))},
		"worker-namespace-deleted":    {ofAccount("DELETE", "/workers/dispatch/namespaces/shop"), ofAccount("POST", "/workers/dispatch/namespaces")},
		"worker-logs-searched":        {ofAccount("POST", "/workers/observability/telemetry/query"), ofAccount("POST", "/workers/observability/telemetry/live-tail")},
		"worker-part-changed":         {ofAccount("POST", "/workers/dispatch/namespaces"), ofAccount("DELETE", "/workers/dispatch/namespaces/shop")},
		"worker-assets-uploaded":      {ofAccount("POST", "/workers/assets/upload"), ofAccount("POST", "/workers/scripts/proxy/assets-upload-session")},
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

// ofAccount is a request about something of the account.
func ofAccount(method, path string, more ...string) string {
	return requested(method, "/accounts/"+exampleAccount+path, more...)
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
	list.add("PATCH {a}/workers/scripts/proxy/settings; PATCH {a}/workers/scripts/proxy/script-settings", "worker.script.settings.update", low)
	list.add("PUT {a}/workers/scripts/proxy/secrets", "worker.script.secret.update", medium)
	list.add("DELETE {a}/workers/scripts/proxy/secrets/DB", "worker.script.secret.delete", medium)
	list.add("PUT {a}/workers/scripts/proxy/schedules", "worker.script.schedule", low)
	list.add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.expose", medium)
	list.add("PUT {z}/snippets/snippet_rules", "snippet.rule.update", medium)
	list.add("PUT {z}/snippets/a", "snippet.update", medium)
	list.add("DELETE {z}/snippets/a", "snippet.delete", low)
	list.add("PATCH {a}/workers/scripts/proxy/secrets-bulk; PUT {a}/workers/dispatch/namespaces/n/scripts/proxy/secrets", "worker.script.secret.update", medium)
	list.add("DELETE {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low)
	list.add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low, requestBody(`{"enabled":false}`))
	list.add("POST {a}/workers/scripts/proxy/tails", "worker.script.tail.create", medium)
	list.add("DELETE {a}/workers/scripts/proxy/tails/1", "worker.script.tail.delete", low)
	list.add("POST {a}/workers/scripts/proxy/assets-upload-session", "worker.script.upload.create", low)
	for _, of := range []string{"{a}/workers/services/proxy/environments/production", "{a}/workers/dispatch/namespaces/n/scripts/proxy"} {
		list.add("PUT "+of+"/content", "worker.script.update", medium)
	}
	list.add("PATCH {a}/workers/services/proxy/environments/production/settings", "worker.script.settings.update", low)
	list.add("PUT {a}/workers/dispatch/namespaces/n/scripts/proxy; POST {a}/workers/workers/1/versions", "worker.script.update", medium)
	list.add("DELETE {a}/workers/dispatch/namespaces/n/scripts/proxy; DELETE {a}/workers/workers/1", "worker.script.delete", low)
	list.add("POST {a}/pages/projects/site/deployments", "pages.deployment.create", medium)
	list.add("POST {a}/pages/projects/site/deployments/1/rollback", "pages.deployment.rollback", medium)
	list.add("POST {a}/pages/projects/site/domains", "pages.domain.add", medium)
	list.add("DELETE {a}/pages/projects/site/domains/login.example.com", "pages.domain.remove", low)
	list.add("DELETE {a}/pages/projects/site", "pages.project.delete", medium)
	list.add("DELETE {a}/workers/scripts/1/deployments/n", "worker.script.deployment.delete", low)
	list.add("PATCH {a}/workers/dispatch/namespaces/n/scripts/1/secrets-bulk", "worker.script.secret.update", medium)
	list.add("DELETE {a}/workers/dispatch/namespaces/n/scripts/1/secrets/n", "worker.script.secret.delete", medium)
	list.add("PATCH {a}/workers/dispatch/namespaces/n/scripts/1/settings", "worker.script.settings.update", low)
	list.add("PUT {a}/workers/dispatch/namespaces/n/scripts/1/tags", "worker.script.tag.update", low)
	list.add("DELETE {a}/workers/dispatch/namespaces/n/scripts/1/tags/n", "worker.script.tag.delete", low)
	list.add("POST {a}/workers/dispatch/namespaces/n/scripts/1/assets-upload-session", "worker.script.upload.create", low)
	list.add("POST {a}/workers/dispatch/namespaces", "worker.namespace.create", low)
	list.add("DELETE {a}/workers/dispatch/namespaces/1", "worker.namespace.delete", medium)
	list.add("POST {a}/workers/workers", "worker.script.create", medium)
	list.add("PUT {a}/workers/workers/1; PATCH {a}/workers/workers/1", "worker.script.update", medium)
	list.add("DELETE {a}/workers/workers/1/versions/n", "worker.script.version.delete", low)
	list.add("PUT {a}/workers/account-settings", "worker.account_settings.update", low)
	list.add("POST {a}/workers/assets/upload", "worker.asset.upload", info)
	list.add("PUT {a}/workers/subdomain", "worker.subdomain.update", low)
	list.add("DELETE {a}/workers/subdomain", "worker.subdomain.delete", medium)
	list.add("POST {a}/workers/observability/destinations", "worker.log_destination.create", medium)
	list.add("PATCH {a}/workers/observability/destinations/1", "worker.log_destination.update", medium)
	list.add("DELETE {a}/workers/observability/destinations/1", "worker.log_destination.delete", medium)
	list.add("POST {a}/workers/observability/queries", "worker.saved_query.create", low)
	list.add("POST {a}/workers/observability/shared/query", "worker.shared_query.create", low)
	list.add("POST {a}/workers/observability/telemetry/keys; POST {a}/workers/observability/telemetry/values; POST {a}/workers/observability/telemetry/query", "worker.log.search", info)
	list.add("POST {a}/workers/observability/telemetry/live-tail", "worker.log.tail.create", medium)
	list.add("POST {a}/workers/observability/telemetry/live-tail/heartbeat", "worker.log.tail.check", info)
	list.add("DELETE {z}/snippets/snippet_rules", "snippet.rule.delete", low)
	list.add("DELETE {a}/pages/projects/1/deployments/n", "pages.deployment.delete", low)
	list.add("POST {a}/pages/projects/1/deployments/n/retry", "pages.deployment.retry", medium)
	list.add("POST {a}/pages/projects/1/deployments/n/tails", "pages.deployment.tail.create", medium)
	list.add("DELETE {a}/pages/projects/1/deployments/n/tails/n", "pages.deployment.tail.delete", low)
	list.add("PATCH {a}/pages/projects/1/domains/n", "pages.domain.update", low)
	list.add("POST {a}/pages/projects/1/deploy_hooks", "pages.deploy_hook.create", medium, requestBody(`{"name":"cms","branch":"main"}`))
	list.add("DELETE {a}/pages/projects/1/deploy_hooks/n", "pages.deploy_hook.delete", low)
	list.add("POST {a}/pages/projects/1/purge_build_cache", "pages.build_cache.purge", low)
	list.add("POST /pages/assets/check-missing", "pages.asset.check", info)
	list.add("POST /pages/assets/upload", "pages.asset.upload", info)
	list.add("POST /pages/assets/upsert-hashes", "pages.asset.register", info)
	list.add("POST {a}/pages/projects", "pages.project.create", low)
	list.add("PATCH {a}/pages/projects/1", "pages.project.update", medium)
	list.add("PATCH {a}/workers/observability/destinations/logs", "worker.log_destination.disable", medium, requestBody(`{"enabled":false}`))
	return list
}

func TestWorkers_EveryEntryIsUnderstoodAndGraded(t *testing.T) { workersSuite.check(t) }
