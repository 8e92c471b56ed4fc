package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Workers: scripts, routes and domains.
var workers = family{
	prefixes: oneOf{"worker."},
	read:     (*review).readWorker,
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
		{"^script worker_script workers_script workerscript ^worker$ ^workers$", "secret", "worker.script.settings", "create=worker.script.settings.update " +
			"delete=worker.script.settings.update roll=worker.script.settings.update", both, named},
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
		{"PUT", "/accounts/{account}/workers/scripts/{id}/secrets", "worker.script.settings.update"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/secrets/{name}", "worker.script.settings.update"},
		{"PUT", "/accounts/{account}/workers/scripts/{id}/schedules", "worker.script.schedule"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.expose"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/deployments", "worker.script.deploy"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/versions", "worker.script.update"},
		{"PATCH", "/accounts/{account}/workers/scripts/{id}/secrets-bulk", "worker.script.settings.update"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.subdomain.disable"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/tails", "worker.script.tail.create"},
		{"DELETE", "/accounts/{account}/workers/scripts/{id}/tails/{tail}", "worker.script.tail.delete"},
		{"POST", "/accounts/{account}/workers/scripts/{id}/assets-upload-session", "worker.script.upload.create"},
		{"PUT", "/accounts/{account}/workers/services/{id}/environments/{environment}/content", "worker.script.update"},             // since replaced by a newer path
		{"PATCH", "/accounts/{account}/workers/services/{id}/environments/{environment}/settings", "worker.script.settings.update"}, // since replaced by a newer path
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.update"},
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/content", "worker.script.update"},
		{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/secrets", "worker.script.settings.update"},
		{"DELETE", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.delete"},
		{"*", "/accounts/{account}/workers/workers", "worker.script"},
		{"POST", "/accounts/{account}/workers/workers/{id}/versions", "worker.script.update"},
	},
	names: oneOf{"worker.script.subdomain.disable"},
	joints: []joint{
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
			Title: "Worker code deployed[: {target}]",
			Why:   "New code runs at the edge, in front of the origin."},
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
		{"PUT", "/zones/{zone}/snippets/{id}", "snippet.update"},
		{"DELETE", "/zones/{zone}/snippets/{id}", "snippet.delete"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments", "pages.deployment.create"},
		{"POST", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/rollback", "pages.deployment.rollback"},
		{"POST", "/accounts/{account}/pages/projects/{id}/domains", "pages.domain.add"},
		{"DELETE", "/accounts/{account}/pages/projects/{id}/domains/{domain}", "pages.domain.remove"},
		{"*", "/accounts/{account}/pages/projects", "pages.project"},
	},
	rules: []rules.Rule{
		{ID: "site-deployed", Severity: medium, Techniques: oneOf{"T1648"},
			Match: rules.Match{Action: oneOf{"pages.deployment.create", "pages.deployment.rollback", "pages.domain.add", "snippet.create", "snippet.update", "snippet.rule.update", "zaraz.create", "zaraz.update", "zaraz.deploy"}},
			Title: "Code of a site changed: {words}[: {target}]",
			Why:   "Pages, snippets and the tools of Zaraz run for every visitor."},
	},
}

// readWorker determines which script an entry is about.
func (r *review) readWorker() {
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
