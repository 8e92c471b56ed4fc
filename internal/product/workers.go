package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Workers: scripts, routes and domains.
var workers = family{
	prefixes: oneOf{"worker."},
	read:     (*review).readWorker,
	hooks:    true, // the destinations of logs
	pairs: []pair{
		{"*", "script_create", "worker.script.create"},
		{"*", "script_update", "worker.script.update"},
		{"*", "script_deploy", "worker.script.deploy"},
		{"*", "script_delete", "worker.script.delete"}, // derived, not published
		{"*", "script_on_subdomain", "worker.script.expose"},
		{"workers.scripts.subdomain", "create", "worker.script.expose"}, // derived, not published
		{"*", "script_schedules", "worker.script.schedule"},
		{"*", "patch_settings", "worker.script.settings.update"},
		{"*", "route_create", "worker.route.create"},
		{"*", "route_update", "worker.route.update"}, // derived, not published
		{"*", "route_delete", "worker.route.delete"},
	},
	subjects: []subject{
		{"^script worker_script workers_script workerscript ^worker$ ^workers$", "secret", "worker.script.secret", "create=worker.script.secret.update " +
			"roll=worker.script.secret.update", both, named},
		{"worker_filter workers_filter worker_route workers_route workerroute ^route$ ^routes$", "", "worker.route", "", either, common},
		{"worker_domain workers_domain", "", "worker.domain", "", either, common},
		{"^script worker_script workers_script workerscript ^worker$ ^workers$", "^script", "worker.script", "", either, common},
	},
	routes: []route{
		{"*", "/zones/{zone}/workers/routes", "worker.route"},
		{"*", "/zones/{zone}/workers/filters", "worker.route"}, // since replaced by a newer path
		{"*", "/accounts/{account}/workers/domains", "worker.domain"},
		// A PUT of a script creates it or replaces its code.
		{"PUT", "/accounts/{account}/workers/scripts/{id}", "worker.script.update"},
		{"PUT", "/accounts/{account}/workers/scripts/{id}/content", "worker.script.update"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}", "worker.script.delete"},
		{"GET", "/accounts/{account}/workers/scripts", "worker.script.view"},
		{"GET", "/accounts/{account}/workers/scripts/{id}", "worker.script.view"},
		{"PATCH", "/accounts/{account}/workers/scripts/{id}/settings", "worker.script.settings.update"},
		{"PATCH", "/accounts/{account}/workers/scripts/{id}/script-settings", "worker.script.settings.update"},
		{"PUT", "/accounts/{account}/workers/scripts/{id}/secrets", "worker.script.secret.update"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/secrets/{name}", "worker.script.secret.delete"},
		{"PUT", "/accounts/{account}/workers/scripts/{id}/schedules", "worker.script.schedule"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.expose"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/deployments", "worker.script.deploy"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/deployments/{deployment}", "worker.script.deployment.delete"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/versions", "worker.script.update"},
		{"PATCH", "/accounts/{account}/workers/scripts/{id}/secrets-bulk", "worker.script.secret.update"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.subdomain.disable"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/tails", "worker.script.tail.create"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/tails/{tail}", "worker.script.tail.delete"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/assets-upload-session", "worker.script.upload.create"},
		{"PUT", "/accounts/{account}/workers/services/{id}/environments/{environment}/content", "worker.script.update"},             // since replaced by a newer path
		{"PATCH", "/accounts/{account}/workers/services/{id}/environments/{environment}/settings", "worker.script.settings.update"}, // since replaced by a newer path
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.update"},
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/content", "worker.script.update"},
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/secrets", "worker.script.secret.update"},
		{"PATCH", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/secrets-bulk", "worker.script.secret.update"},
		{"DELETE", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/secrets/{name}", "worker.script.secret.delete"},
		{"PATCH", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/settings", "worker.script.settings.update"},
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/tags", "worker.script.tag.update"},
		{"DELETE", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/tags/{tag}", "worker.script.tag.delete"},
		{"POST", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/assets-upload-session", "worker.script.upload.create"},
		{"*", "/accounts/{account}/workers/dispatch/namespaces", "worker.namespace"},
		{"DELETE", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.delete"},
		{"*", "/accounts/{account}/workers/workers", "worker.script"},
		{"POST", "/accounts/{account}/workers/workers/{id}/versions", "worker.script.update"},
		{"DELETE", "/accounts/{account}/workers/workers/{id}/versions/{version}", "worker.script.version.delete"},
		{"PUT", "/accounts/{account}/workers/account-settings", "worker.account_settings.update"},
		{"POST", "/accounts/{account}/workers/assets/upload", "worker.asset.upload"},
		{"PUT", "/accounts/{account}/workers/subdomain", "worker.subdomain.update"},
		{"DELETE", "/accounts/{account}/workers/subdomain", "worker.subdomain.delete"},
		{"*", "/accounts/{account}/workers/observability/destinations", "worker.log_destination"},
		{"POST", "/accounts/{account}/workers/observability/queries", "worker.saved_query.create"},
		{"POST", "/accounts/{account}/workers/observability/shared/query", "worker.shared_query.create"},
		{"POST", "/accounts/{account}/workers/observability/telemetry/keys", "worker.log.search"},
		{"POST", "/accounts/{account}/workers/observability/telemetry/values", "worker.log.search"},
		{"POST", "/accounts/{account}/workers/observability/telemetry/query", "worker.log.search"},
		{"POST", "/accounts/{account}/workers/observability/telemetry/live-tail", "worker.log.tail.create"},
		{"POST", "/accounts/{account}/workers/observability/telemetry/live-tail/heartbeat", "worker.log.tail.check"},
	},
	names: oneOf{"worker.script.subdomain.disable", "worker.log_destination.disable"},
	joints: []joint{
		// An upload that the audit log calls a creation is an update in Audit Logs v2.
		{actions: oneOf{"worker.script.create", "worker.script.update"}, class: "worker.script.update"},
		{actions: oneOf{"worker.script.*"}},
	},
	rules: []rules.Rule{
		{ID: "worker-route-removed", Severity: low, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"worker.route.delete", "worker.domain.delete"}},
			Title: "Worker route removed",
			Why:   "Requests go past the Worker from now on."},
		{ID: "worker-route-without-script", Severity: low,
			Match: rules.Match{Action: oneOf{"worker.route.*", "worker.domain.*"}, Worker: oneOf{"none"}},
			Title: "Worker route without a script",
			Why:   "The route switches Workers off for its pattern. That matters where a Worker guards something."},
		{ID: "worker-route-verified", Severity: low,
			Match: rules.Match{Action: oneOf{"worker.route.*", "worker.domain.*"}, Worker: oneOf{"verified"}},
			Title: "Worker route to a verified script",
			Why:   "The script is on the list of verified ones."},
		{ID: "worker-route-unverified", Severity: medium, Techniques: oneOf{"T1648", "T1659"},
			Match: rules.Match{Action: oneOf{"worker.route.*", "worker.domain.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Worker route to an unverified script[: {target}][ -> {worker}]",
			Why:   "The script sees and can change every request and reply of the route, passwords included."},
		{ID: "worker-exposed-verified", Severity: low, Techniques: oneOf{"T1583.007"},
			Match: rules.Match{Action: oneOf{"worker.script.expose"}, Worker: oneOf{"verified"}},
			Title: "Verified Worker exposed on workers.dev",
			Why:   "The script is on the list of verified ones."},
		{ID: "worker-exposed", Severity: medium, Techniques: oneOf{"T1583.007"},
			Match: rules.Match{Action: oneOf{"worker.script.expose"}},
			Title: "Worker exposed on workers.dev[: {target}]",
			Why:   "The script is reachable under a name past the zone's firewall and Access."},
		{ID: "worker-hidden", Severity: low,
			Match: rules.Match{Action: oneOf{"worker.script.subdomain.disable"}},
			Title: "Worker no longer on workers.dev",
			Why:   "The script is reachable only by its routes."},
		{ID: "worker-deployed", Severity: medium, Techniques: oneOf{"T1648"},
			Match: rules.Match{Action: oneOf{"worker.script.create", "worker.script.update", "worker.script.deploy", "worker.script.enable"}},
			Title: "{words}[: {target}]",
			Why:   "New code runs at the edge, in front of the origin. Releases are routine, so it is medium: a route to a script that is not verified is told apart."},
		{ID: "worker-secret-changed", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"worker.script.secret.*"}, Verb: oneOf{"create", "update", "delete", "roll"}},
			Title: "{words}[: {target}]",
			Why:   "With it the code signs in elsewhere and checks who calls. Whoever replaces it can read what is sent, or pass the check."},
		{ID: "worker-tailed", Severity: medium, Techniques: oneOf{"T1040"},
			Match: rules.Match{Action: oneOf{"worker.script.tail.create", "worker.log.tail.create"}},
			Title: "Live log of Worker opened[: {target}]",
			Why:   "A live log shows every request and what the code writes about it, while it is open."},
		{ID: "worker-logs-stopped", Severity: medium, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"worker.log_destination.delete", "worker.log_destination.disable"}},
			Title: "Logs of Workers no longer sent[: {target}]",
			Why:   "Whoever watches the Workers at that destination sees nothing from now on."},
		{ID: "worker-logs-sent", Severity: medium, Techniques: oneOf{"T1567"},
			Match: rules.Match{Action: oneOf{"worker.log_destination.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "{words}[: {target}]",
			Why:   "Logs and traces of Workers go to this address, and hold what requests say."},
		{ID: "worker-namespace-deleted", Severity: medium, Techniques: oneOf{"T1485", "T1489"},
			Match: rules.Match{Action: oneOf{"worker.namespace.delete", "worker.subdomain.delete"}},
			Title: "{words}[: {target}]",
			Why:   "Every script in the namespace, or every address on workers.dev, is gone at once."},
		{ID: "worker-scheduled", Severity: low, Techniques: oneOf{"T1053"},
			Match: rules.Match{Action: oneOf{"worker.script.schedule"}},
			Title: "Worker schedule changed",
			Why:   "The code runs by itself at set times."},
		{ID: "worker-settings-changed", Severity: low, Techniques: oneOf{"T1648"},
			Match: rules.Match{Action: oneOf{"worker.script.settings.*"}},
			Title: "Worker settings changed",
			Why:   "Bindings decide which data the code can reach."},
		{ID: "worker-deleted", Severity: low, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"worker.script.delete", "worker.script.disable"}},
			Title: "Worker deleted",
			Why:   "What the code did no longer happens."},
		used("worker-logs-searched", "Developers search the logs of their Workers all the time, and it changes nothing.",
			"worker.log.search", "worker.log.tail.check"),
		ordinary("worker-part-changed", "No new code runs, and nobody sees more than before.",
			"worker.namespace.*", "worker.subdomain.*", "worker.account_settings.*", "worker.saved_query.*", "worker.shared_query.*", "worker.script.*.*"),
		used("worker-assets-uploaded", "Files wait for a deployment, which has an entry of its own.", "worker.asset.upload"),
	},
}

// Pages, snippets and Zaraz: code of sites.
var sites = family{
	prefixes: oneOf{"pages.", "snippet.", "zaraz."},
	subjects: []subject{
		{"^zaraz settings_zaraz", "^zaraz", "zaraz", "", either, named},
		{"^snippet", "^snippet", "snippet", "", either, named},
		{"^pages_deployment ^pages_project_deployment", "", "pages.deployment", "", either, named},
		{"^pages_domain ^pages_project_domain", "", "pages.domain", "create=pages.domain.add delete=pages.domain.remove", either, named},
		{"^pages$ ^pages_project", "", "pages.project", "", either, named},
	},
	routes: []route{
		{"PUT", "/zones/{zone}/snippets/snippet_rules", "snippet.rule.update"},
		{"DELETE", "/zones/{zone}/snippets/snippet_rules", "snippet.rule.delete"},
		{"PUT", "/zones/{zone}/snippets/{id}", "snippet.update"},
		{"DELETE", "/zones/{zone}/snippets/{id}", "snippet.delete"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments", "pages.deployment.create"},
		{"DELETE", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}", "pages.deployment.delete"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/retry", "pages.deployment.retry"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/tails", "pages.deployment.tail.create"},
		{"DELETE", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/tails/{tail}", "pages.deployment.tail.delete"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/rollback", "pages.deployment.rollback"},
		{"POST", "/accounts/{account}/pages/projects/{id}/domains", "pages.domain.add"},
		{"DELETE", "/accounts/{account}/pages/projects/{id}/domains/{domain}", "pages.domain.remove"},
		{"PATCH", "/accounts/{account}/pages/projects/{id}/domains/{domain}", "pages.domain.update"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deploy_hooks", "pages.deploy_hook.create"},          // derived, not published
		{"DELETE", "/accounts/{account}/pages/projects/{id}/deploy_hooks/{hook}", "pages.deploy_hook.delete"}, // derived, not published
		{"POST", "/accounts/{account}/pages/projects/{id}/purge_build_cache", "pages.build_cache.purge"},
		{"POST", "/pages/assets/check-missing", "pages.asset.check"},
		{"POST", "/pages/assets/upload", "pages.asset.upload"},
		{"POST", "/pages/assets/upsert-hashes", "pages.asset.register"},
		{"*", "/accounts/{account}/pages/projects", "pages.project"},
	},
	rules: []rules.Rule{
		{ID: "site-deployed", Severity: medium, Techniques: oneOf{"T1648"},
			Match: rules.Match{Action: oneOf{"pages.deployment.create", "pages.deployment.rollback", "pages.deployment.retry", "pages.domain.add",
				"snippet.create", "snippet.update", "snippet.rule.update", "zaraz.create", "zaraz.update", "zaraz.deploy"}},
			Title: "{words}[: {target}]",
			Why:   "Pages, snippets and the tools of Zaraz run for every visitor. Releases are routine, so it is medium."},
		{ID: "site-deleted", Severity: medium, Techniques: oneOf{"T1485", "T1489"},
			Match: rules.Match{Action: oneOf{"pages.project.delete"}},
			Title: "Pages project deleted[: {target}]",
			Why:   "The site and all its deployments are gone."},
		{ID: "site-built-otherwise", Severity: medium, Techniques: oneOf{"T1195.002"},
			Match: rules.Match{Action: oneOf{"pages.project.update"}},
			Title: "Pages project changed[: {target}]",
			Why:   "The repository, the build command and the variables of a project decide which code the next build puts in front of visitors."},
		{ID: "site-log-opened", Severity: medium, Techniques: oneOf{"T1040"},
			Match: rules.Match{Action: oneOf{"pages.deployment.tail.create"}},
			Title: "Live log of Pages opened[: {target}]",
			Why:   "A live log shows every request and what the functions of the site write about it, while it is open."},
		{ID: "site-deploy-hook-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"pages.deploy_hook.create"}},
			Title: "Pages deploy hook created[: {target}]",
			Why:   "Whoever knows its address builds and deploys the site, without signing in."},
		{ID: "site-code-removed", Severity: low, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"snippet.delete", "snippet.rule.delete", "zaraz.delete", "pages.domain.remove", "pages.deployment.delete"}},
			Title: "{words}",
			Why:   "What the code did no longer happens. That matters where it guarded something."},
		ordinary("site-part-changed", "Visitors get the same code as before.", "pages.*"),
		used("site-assets-uploaded", "Files wait for a deployment, which has an entry of its own.", "pages.asset.*"),
	},
}

// readWorker determines which script an entry is about.
func (r *review) readWorker() {
	if !strings.HasPrefix(r.name, "worker.script.") && !strings.HasPrefix(r.name, "worker.route.") && !strings.HasPrefix(r.name, "worker.domain.") {
		if r.name == "worker.log_destination.update" && r.after.text("enabled") == "false" {
			r.rename("worker.log_destination.disable")
			r.Direction = rules.Weaker
		}
		r.readOther()
		return
	}
	r.IsWorker = true
	if strings.HasPrefix(r.name, "worker.route.") || strings.HasPrefix(r.name, "worker.domain.") {
		r.readRoute()
		return
	}
	if r.name == "worker.script.expose" && r.after.text("enabled") == "false" {
		r.rename("worker.script.subdomain.disable")
		r.Direction = rules.Safer
	}
	r.Script = r.e.ResourceID
	if r.Script == "" {
		r.Script = r.text("script", "script_name", "name")
	}
	r.Target = r.Script
}

func (r *review) readRoute() {
	r.Target = r.meta.text("pattern", "hostname")
	if r.Target == "" {
		r.Target = r.text("pattern", "hostname")
	}
	for _, o := range [...]object{r.after, r.meta} {
		for _, key := range []string{"script", "script_name", "service"} {
			if r.Script == "" {
				r.Script = o.text(key)
			}
			r.NoScript = r.NoScript || o.has(key)
		}
	}
	r.NoScript = r.NoScript && r.Script == ""
}
