package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var modelsSuite = suite{
	pairs: append(slices.Concat(
		rows("ai_gateway.gateway/create", "ai_gateway.gateway.create", low, same, same, `"action":{"type":"create","result":true,"info":"gateway created"}`),
		rows("ai_gateway.gateway/update", "ai_gateway.gateway.update", low, same, same),
		rows("ai_gateway.gateway/delete", "ai_gateway.gateway.delete", low, same, same),
	), rows("?ai_search.instance/delete; ?flagship.flag/update", "", low, same, same)...),
	calls: modelsCalls(),
	examples: map[string]ruleExample{
		"ai-gateway-opened":       {ofAccount("PUT", "/ai-gateway/gateways/chat", requestBody(`{"authentication":false}`)), ofAccount("PUT", "/ai-gateway/gateways/chat", requestBody(`{"authentication":true}`))},
		"ai-logs-deleted":         {ofAccount("DELETE", "/ai-gateway/gateways/chat/logs"), ofAccount("PATCH", "/ai-gateway/gateways/chat/logs/1")},
		"ai-prompts-redirected":   {ofAccount("POST", "/ai-gateway/custom-providers", requestBody(`{"name":"models","base_url":"https://models.example.com"}`)), ofAccount("DELETE", "/ai-gateway/custom-providers/1")},
		"ai-provider-key-changed": {ofAccount("POST", "/ai-gateway/gateways/chat/provider_configs", requestBody(`{"alias":"main","provider_slug":"models"}`)), ofAccount("POST", "/ai-gateway/gateways/chat/datasets")},
		"ai-search-opened":        {ofAccount("PUT", "/ai-search/instances/docs", requestBody(`{"public_endpoint_params":{"enabled":true}}`)), ofAccount("PUT", "/ai-search/instances/docs", requestBody(`{"public_endpoint_params":{"enabled":false}}`))},
		"ai-security-disabled":    {requested("PUT", "/zones/"+exampleZone+"/ai-security/settings", requestBody(`{"enabled":false}`)), requested("PUT", "/zones/"+exampleZone+"/ai-security/settings", requestBody(`{"enabled":true}`))},
		"ai-used":                 {ofAccount("POST", "/ai/run/model"), ofAccount("POST", "/ai/finetunes")},
		"ai-changed":              {logged("ai_gateway.gateway", "create"), ofAccount("DELETE", "/ai-gateway/gateways/chat/logs")},
		"analytics-searched":      {ofAccount("POST", "/analytics/query/http/summary"), ofAccount("POST", "/rum/site_info")},
		"web-analytics-changed":   {ofAccount("DELETE", "/rum/site_info/shop"), ofAccount("POST", "/analytics/query/http/summary")},
	},
	moves: map[string]moveCase{
		"gateway opened":          {logged("ai_gateway.gateway", "update", values(`{"authentication":true}`, `{"authentication":false}`)), "ai_gateway.gateway.update", rules.Weaker, ""},
		"gateway created open":    {ofAccount("POST", "/ai-gateway/gateways", requestBody(`{"id":"chat","authentication":false}`)), "ai_gateway.gateway.create", rules.Weaker, ""},
		"gateway not recording":   {ofAccount("PUT", "/ai-gateway/gateways/chat", requestBody(`{"authentication":true,"collect_logs":false}`)), "ai_gateway.gateway.update", rules.Weaker, "chat"},
		"gateway guards off":      {ofAccount("PUT", "/ai-gateway/gateways/chat", requestBody(`{"dlp":{"enabled":false}}`)), "ai_gateway.gateway.update", rules.Weaker, "chat"},
		"gateway as open as ever": {logged("ai_gateway.gateway", "update", values(`{"authentication":false}`, `{"authentication":false}`)), "ai_gateway.gateway.update", "", ""},
		"gateway closed":          {logged("ai_gateway.gateway", "update", values(`{"authentication":false}`, `{"authentication":true}`)), "ai_gateway.gateway.update", rules.Safer, ""},
		"search created open":     {ofAccount("POST", "/ai-search/instances", requestBody(`{"id":"docs","public_endpoint_params":{"enabled":true}}`)), "ai_search.instance.create", rules.Weaker, ""},
	},
}

func modelsCalls() callList {
	var list callList
	list.add("PUT {a}/ai-gateway/gateways/1", "ai_gateway.gateway.update", low)
	list.add("DELETE {a}/ai-gateway/gateways/1", "ai_gateway.gateway.delete", low)
	list.add("PATCH {a}/ai-gateway/gateways/n/logs/1", "ai_gateway.log.update", low)
	list.add("POST {a}/ai-gateway/gateways/n/datasets", "ai_gateway.dataset.create", low)
	list.add("PUT {a}/ai-gateway/gateways/n/datasets/1", "ai_gateway.dataset.update", low)
	list.add("DELETE {a}/ai-gateway/gateways/n/datasets/1", "ai_gateway.dataset.delete", low)
	list.add("POST {a}/ai-gateway/gateways/n/evaluations", "ai_gateway.evaluation.create", low)
	list.add("DELETE {a}/ai-gateway/gateways/n/evaluations/1", "ai_gateway.evaluation.delete", low)
	list.add("POST {a}/ai-gateway/gateways/n/provider_configs", "ai_gateway.provider_key.create", medium)
	list.add("POST {a}/ai-gateway/gateways/n/routes", "ai_gateway.route.create", medium)
	list.add("PATCH {a}/ai-gateway/gateways/n/routes/1; POST {a}/ai-gateway/gateways/n/routes/1/versions", "ai_gateway.route.update", medium)
	list.add("DELETE {a}/ai-gateway/gateways/n/routes/1", "ai_gateway.route.delete", low)
	list.add("POST {a}/ai-gateway/gateways/n/routes/1/deployments", "ai_gateway.route.deploy", medium)
	list.add("POST {a}/ai-gateway/custom-providers", "ai_gateway.custom_provider.create", medium)
	list.add("DELETE {a}/ai-gateway/custom-providers/1", "ai_gateway.custom_provider.delete", low)
	list.add("POST {a}/ai-gateway/billing/spending-limit", "ai_gateway.spending_limit.update", low)
	list.add("DELETE {a}/ai-gateway/billing/spending-limit", "ai_gateway.spending_limit.delete", low)
	list.add("POST {a}/ai-gateway/billing/topup", "ai_gateway.credit.add", low)
	list.add("POST {a}/ai-gateway/billing/topup/config", "ai_gateway.automatic_credit.update", low)
	list.add("DELETE {a}/ai-gateway/billing/topup/config", "ai_gateway.automatic_credit.delete", low)
	list.add("POST {a}/ai-gateway/billing/topup/status", "ai_gateway.credit.check", info)
	list.add("POST {a}/ai/run/n", "ai.model.run", info)
	list.add("POST {a}/ai/tomarkdown", "ai.document.convert", info)
	list.add("POST {a}/ai/finetunes", "ai.finetune.create", low)
	list.add("POST {a}/ai/finetunes/1/finetune-assets", "ai.finetune.update", low)
	list.add("POST {a}/ai-search/instances; POST {a}/ai-search/namespaces/n/instances", "ai_search.instance.create", low)
	list.add("PUT {a}/ai-search/instances/1; PUT {a}/ai-search/namespaces/n/instances/1", "ai_search.instance.update", low)
	list.add("DELETE {a}/ai-search/instances/1; DELETE {a}/ai-search/namespaces/n/instances/1", "ai_search.instance.delete", low)
	list.add("POST {a}/ai-search/instances/1/jobs; POST {a}/ai-search/namespaces/n/instances/n/jobs", "ai_search.job.create", low)
	list.add("POST {a}/ai-search/instances/1/search; POST {a}/ai-search/namespaces/n/instances/1/search", "ai_search.instance.search", info)
	list.add("POST {a}/ai-search/instances/1/chat/completions; POST {a}/ai-search/namespaces/n/instances/1/chat/completions", "ai_search.instance.ask", info)
	list.add("POST {a}/ai-search/namespaces", "ai_search.namespace.create", low)
	list.add("PUT {a}/ai-search/namespaces/1", "ai_search.namespace.update", low)
	list.add("DELETE {a}/ai-search/namespaces/1", "ai_search.namespace.delete", low)
	list.add("POST {a}/ai-search/namespaces/1/search", "ai_search.namespace.search", info)
	list.add("POST {a}/ai-search/namespaces/1/chat/completions", "ai_search.namespace.ask", info)
	list.add("POST {a}/ai-search/namespaces/n/instances/n/items", "ai_search.item.create", low)
	list.add("PATCH {a}/ai-search/namespaces/n/instances/n/items/1", "ai_search.item.update", low)
	list.add("DELETE {a}/ai-search/namespaces/n/instances/n/items/1", "ai_search.item.delete", low)
	list.add("PATCH {a}/ai-search/namespaces/n/instances/n/jobs/1", "ai_search.job.update", low)
	list.add("POST {z}/ai-audit/robots/bulk", "ai_audit.robots.update", low)
	list.add("PUT {z}/ai-security/settings", "ai_security.settings.update", low)
	list.add("PUT {z}/ai-security/custom-topics", "ai_security.custom_topic.update", low)
	list.add("POST {a}/browser-rendering/crawl", "browser.crawl.create", info)
	list.add("DELETE {a}/browser-rendering/crawl/1", "browser.crawl.cancel", info)
	list.add("POST {a}/browser-rendering/accessibilityTree; POST {a}/browser-rendering/content; POST {a}/browser-rendering/json; POST {a}/browser-rendering/links; POST {a}/browser-rendering/markdown; "+
		"POST {a}/browser-rendering/pdf; POST {a}/browser-rendering/scrape; POST {a}/browser-rendering/screenshot; POST {a}/browser-rendering/snapshot", "browser.page.render", info)
	list.add("POST {a}/browser-rendering/devtools/browser", "browser.session.create", info)
	list.add("DELETE {a}/browser-rendering/devtools/browser/1", "browser.session.delete", info)
	list.add("PUT {a}/browser-rendering/devtools/browser/1/json/new", "browser.tab.create", info)
	list.add("POST {a}/flagship/apps", "flagship.application.create", low)
	list.add("PUT {a}/flagship/apps/1", "flagship.application.update", low)
	list.add("DELETE {a}/flagship/apps/1", "flagship.application.delete", low)
	list.add("POST {a}/flagship/apps/n/flags", "flagship.flag.create", low)
	list.add("PUT {a}/flagship/apps/n/flags/1", "flagship.flag.update", low)
	list.add("DELETE {a}/flagship/apps/n/flags/1", "flagship.flag.delete", low)
	list.add("POST {a}/analytics/query/n/summary; POST {a}/analytics/query/n/timeseries; POST {a}/analytics/query/n/top-n; POST {a}/analytics/query/data-security/findings/summary; POST {a}/analytics/query/data-security/findings/timeseries; POST {a}/analytics/query/data-security/content-findings/top-n", "analytics.data.search", info)
	list.add("POST {a}/rum/site_info", "web_analytics.site.create", low)
	list.add("PUT {a}/rum/site_info/1", "web_analytics.site.update", low)
	list.add("DELETE {a}/rum/site_info/1", "web_analytics.site.delete", low)
	list.add("POST {a}/rum/v2/n/rule", "web_analytics.rule.create", low)
	list.add("PUT {a}/rum/v2/n/rule/1; POST {a}/rum/v2/n/rules", "web_analytics.rule.update", low)
	list.add("DELETE {a}/rum/v2/n/rule/1", "web_analytics.rule.delete", low)
	list.add("DELETE {a}/ai-gateway/gateways/n/logs", "ai_gateway.log.delete", medium)
	list.add("POST {a}/ai-gateway/gateways", "ai_gateway.gateway.create", low)
	list.add("PUT {a}/ai-search/namespaces/n/instances/n/items", "ai_search.item.update", low)
	list.add("PUT {z}/ai-security/settings", "ai_security.settings.disable", medium, requestBody(`{"enabled":false}`))
	return list
}

func TestAI_EveryEntryIsUnderstoodAndGraded(t *testing.T) { modelsSuite.check(t) }
