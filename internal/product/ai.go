package product

import "github.com/aisoc/cloudflareaudit/rules"

// Workers AI, AI Gateway, AI Search, browser rendering and feature flags.
var models = family{
	prefixes: oneOf{"ai.", "ai_gateway.", "ai_search.", "ai_audit.", "ai_security.", "browser.", "flagship."},
	read:     (*review).readModel,
	pairs: []pair{
		{"ai_gateway.gateway", "create", "ai_gateway.gateway.create"},
		{"ai_gateway.gateway", "update", "ai_gateway.gateway.update"},
		{"ai_gateway.gateway", "delete", "ai_gateway.gateway.delete"},
	},
	subjects: []subject{
		{"ai_gateway_gateway ai_gateway$", "", "ai_gateway.gateway", "", either, within},
	},
	routes: []route{
		{"*", "/accounts/{account}/ai-gateway/gateways", "ai_gateway.gateway"},
		{"DELETE", "/accounts/{account}/ai-gateway/gateways/{id}/logs", "ai_gateway.log.delete"},
		{"PATCH", "/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}", "ai_gateway.log.update"},
		{"*", "/accounts/{account}/ai-gateway/gateways/{gateway}/datasets", "ai_gateway.dataset"},
		{"*", "/accounts/{account}/ai-gateway/gateways/{gateway}/evaluations", "ai_gateway.evaluation"},
		{"*", "/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs", "ai_gateway.provider_key"},
		{"*", "/accounts/{account}/ai-gateway/gateways/{gateway}/routes", "ai_gateway.route"},
		{"POST", "/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/deployments", "ai_gateway.route.deploy"},
		{"POST", "/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/versions", "ai_gateway.route.update"},
		{"*", "/accounts/{account}/ai-gateway/custom-providers", "ai_gateway.custom_provider"},
		{"POST", "/accounts/{account}/ai-gateway/billing/spending-limit", "ai_gateway.spending_limit.update"},
		{"DELETE", "/accounts/{account}/ai-gateway/billing/spending-limit", "ai_gateway.spending_limit.delete"},
		{"POST", "/accounts/{account}/ai-gateway/billing/topup", "ai_gateway.credit.add"},
		{"POST", "/accounts/{account}/ai-gateway/billing/topup/config", "ai_gateway.automatic_credit.update"},
		{"DELETE", "/accounts/{account}/ai-gateway/billing/topup/config", "ai_gateway.automatic_credit.delete"},
		{"POST", "/accounts/{account}/ai-gateway/billing/topup/status", "ai_gateway.credit.check"},
		{"POST", "/accounts/{account}/ai/run/{model}", "ai.model.run"},
		{"POST", "/accounts/{account}/ai/tomarkdown", "ai.document.convert"},
		{"*", "/accounts/{account}/ai/finetunes", "ai.finetune"},
		{"POST", "/accounts/{account}/ai/finetunes/{id}/finetune-assets", "ai.finetune.update"},
		{"*", "/accounts/{account}/ai-search/instances", "ai_search.instance"},
		{"POST", "/accounts/{account}/ai-search/instances/{id}/jobs", "ai_search.job.create"},
		{"POST", "/accounts/{account}/ai-search/instances/{id}/search", "ai_search.instance.search"},
		{"POST", "/accounts/{account}/ai-search/instances/{id}/chat/completions", "ai_search.instance.ask"},
		{"*", "/accounts/{account}/ai-search/namespaces", "ai_search.namespace"},
		{"POST", "/accounts/{account}/ai-search/namespaces/{id}/search", "ai_search.namespace.search"},
		{"POST", "/accounts/{account}/ai-search/namespaces/{id}/chat/completions", "ai_search.namespace.ask"},
		{"*", "/accounts/{account}/ai-search/namespaces/{namespace}/instances", "ai_search.instance"},
		{"POST", "/accounts/{account}/ai-search/namespaces/{namespace}/instances/{id}/search", "ai_search.instance.search"},
		{"POST", "/accounts/{account}/ai-search/namespaces/{namespace}/instances/{id}/chat/completions", "ai_search.instance.ask"},
		{"*", "/accounts/{account}/ai-search/namespaces/{namespace}/instances/{instance}/items", "ai_search.item"},
		{"*", "/accounts/{account}/ai-search/namespaces/{namespace}/instances/{instance}/jobs", "ai_search.job"},
		{"POST", "/zones/{zone}/ai-audit/robots/bulk", "ai_audit.robots.update"},
		{"PUT", "/zones/{zone}/ai-security/settings", "ai_security.settings.update"},
		{"PUT", "/zones/{zone}/ai-security/custom-topics", "ai_security.custom_topic.update"},
		{"POST", "/accounts/{account}/browser-rendering/crawl", "browser.crawl.create"},
		{"DELETE", "/accounts/{account}/browser-rendering/crawl/{id}", "browser.crawl.cancel"},
		{"POST", "/accounts/{account}/browser-rendering/accessibilityTree", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/content", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/json", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/links", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/markdown", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/pdf", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/scrape", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/screenshot", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/snapshot", "browser.page.render"},
		{"POST", "/accounts/{account}/browser-rendering/devtools/browser", "browser.session.create"},
		{"DELETE", "/accounts/{account}/browser-rendering/devtools/browser/{id}", "browser.session.delete"},
		{"PUT", "/accounts/{account}/browser-rendering/devtools/browser/{id}/json/new", "browser.tab.create"},
		{"*", "/accounts/{account}/flagship/apps", "flagship.application"},
		{"*", "/accounts/{account}/flagship/apps/{app}/flags", "flagship.flag"},
	},
	names: oneOf{"ai_security.settings.disable"},
	rules: []rules.Rule{
		{ID: "ai-gateway-opened", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"ai_gateway.gateway.*"}, Direction: oneOf{"weaker"}},
			Title: "{words}: authentication, logging or a guard is off[: {target}]",
			Why:   "Without authentication anybody uses the models at the account's cost, and without logs or guards nobody notices what goes in and out."},
		{ID: "ai-logs-deleted", Severity: medium, Techniques: oneOf{"T1070"},
			Match: rules.Match{Action: oneOf{"ai_gateway.log.delete"}},
			Title: "{words}[: {target}]",
			Why:   "The prompts and answers that went through the gateway are no longer on record."},
		{ID: "ai-prompts-redirected", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"ai_gateway.custom_provider.create", "ai_gateway.custom_provider.update", "ai_gateway.route.create", "ai_gateway.route.update", "ai_gateway.route.deploy"}},
			Title: "{words}[: {target}]",
			Why:   "It decides which provider gets the prompts, and whose answers are believed."},
		{ID: "ai-provider-key-changed", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"ai_gateway.provider_key.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Requests to the provider are made, billed and recorded under this key."},
		{ID: "ai-search-opened", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"ai_search.instance.*"}, Direction: oneOf{"weaker"}},
			Title: "{words}, open to the public[: {target}]",
			Why:   "Anybody can ask for what is in the documents that it has indexed."},
		{ID: "ai-security-disabled", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"ai_security.settings.disable"}},
			Title: "AI security switched off[: {target}]",
			Why:   "Prompts of visitors are no longer examined for attacks and private data."},
		used("ai-used", "Programs use models, search and browsers all the time, and it changes nothing.",
			"ai.model.run", "ai.document.convert", "ai_search.*.search", "ai_search.*.ask", "ai_gateway.credit.check",
			"browser.page.render", "browser.crawl.*", "browser.session.*", "browser.tab.*"),
		ordinary("ai-changed", "Nobody gets at more than before.", "ai.*", "ai_gateway.*", "ai_search.*", "ai_audit.*", "ai_security.*", "flagship.*"),
	},
}

// Analytics and Web Analytics.
var measurements = family{
	prefixes: oneOf{"analytics.", "web_analytics."},
	routes: []route{
		{"POST", "/accounts/{account}/analytics/query/{dataset}/summary", "analytics.data.search"},
		{"POST", "/accounts/{account}/analytics/query/{dataset}/timeseries", "analytics.data.search"},
		{"POST", "/accounts/{account}/analytics/query/{dataset}/top-n", "analytics.data.search"},
		{"POST", "/accounts/{account}/analytics/query/data-security/findings/summary", "analytics.data.search"},
		{"POST", "/accounts/{account}/analytics/query/data-security/findings/timeseries", "analytics.data.search"},
		{"POST", "/accounts/{account}/analytics/query/data-security/content-findings/top-n", "analytics.data.search"},
		{"*", "/accounts/{account}/rum/site_info", "web_analytics.site"},
		{"*", "/accounts/{account}/rum/v2/{ruleset}/rule", "web_analytics.rule"},
		{"POST", "/accounts/{account}/rum/v2/{ruleset}/rules", "web_analytics.rule.update"},
	},
	rules: []rules.Rule{
		used("analytics-searched", "Dashboards ask for figures all the time.", "analytics.data.search"),
		ordinary("web-analytics-changed", "It counts visits, and protects nothing.", "web_analytics.*"),
	},
}

// guards are members of an AI Gateway that protect or record, with their values
// from the weakest to the safest.
var guards = map[string]string{
	"authentication": offOn,
	"collect_logs":   offOn,
	"dlp":            offOn,
	"guardrails":     offOn,
}

// readModel determines whether a gateway or a search has been opened.
func (r *review) readModel() {
	r.readOther()
	if r.Target == "" {
		r.Target = r.text("alias", "id", "provider_slug")
	}
	switch r.name {
	case "ai_gateway.gateway.create", "ai_gateway.gateway.update":
		r.readGuards()
	case "ai_search.instance.create", "ai_search.instance.update":
		if r.after.get("public_endpoint_params").Get("enabled").Text() == "true" {
			r.Direction = rules.Weaker
		}
	case "ai_security.settings.update":
		if r.after.text("enabled") == "false" {
			r.rename("ai_security.settings.disable")
			r.Direction = rules.Weaker
		}
	}
}

func (r *review) readGuards() {
	for i := range r.after {
		m := &r.after[i]
		switch direction := directionIn(guards[m.key], r.before.get(m.key), m.val); {
		case direction == rules.Weaker && (r.verb == VerbUpdate || m.key == "authentication"):
			r.Direction = rules.Weaker
			return
		case direction == rules.Safer && r.verb == VerbUpdate:
			r.Direction = rules.Safer
		}
	}
}
