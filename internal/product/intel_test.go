package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var intelSuite = suite{
	pairs: slices.Concat(

		rows("?indicator_feed/delete; ?sinkhole/update; ?vuln_scanner.environment/delete; ?brand_protection.query/delete", "", medium, same, same),
		rows("?threat_event/create; ?securitytxt/update", "", low, same, same),
		rows("?security_center.insight/update", "security_insight.update", low, same, same),
	),
	calls: intelCalls(),
	examples: map[string]ruleExample{
		"intelligence-changed":        {called("POST {a}/cloudforce-one/requests/new", requestBody(`{"summary":"phishing"}`)), called("POST {a}/cloudforce-one/requests")},
		"diagnosis-changed":           {called("POST {a}/diagnostics/endpoint-healthchecks", requestBody(`{"name":"shop"}`)), called("POST {a}/diagnostics/traceroute")},
		"intelligence-published":      {called("PUT {a}/intel/indicator-feeds/1", requestBody(`{"name":"ours","is_public":true}`)), called("PUT {a}/intel/indicator-feeds/1", requestBody(`{"name":"ours","is_public":false}`))},
		"indicators-changed":          {called("PUT {a}/intel/indicator-feeds/1/snapshot"), called("POST {a}/intel/indicator-feeds", requestBody(`{"name":"ours"}`))},
		"sinkhole-changed":            {called("PUT {a}/intel/sinkholes/1", requestBody(`{"name":"botnet"}`)), called("GET {a}/intel/sinkholes/1")},
		"intelligence-watch-removed":  {called("DELETE {a}/cloudforce-one/events/queries/1"), called("DELETE {a}/cloudforce-one/requests/1")},
		"insight-dismissed":           {called("PUT {a}/security-center/insights/1/dismiss", requestBody(`{"dismiss":true}`)), called("PUT {a}/security-center/insights/1/dismiss", requestBody(`{"dismiss":false}`))},
		"brand-watch-removed":         {called("DELETE {a}/brand-protection/logos/1"), called("POST {a}/brand-protection/logos", requestBody(`{"tag":"logo"}`))},
		"scanner-credentials-changed": {called("PATCH {a}/vuln_scanner/credential_sets/1/credentials/1", requestBody(`{"name":"attacker"}`)), called("POST {a}/vuln_scanner/scans")},
		"scanner-target-changed":      {called("PUT {a}/vuln_scanner/target_environments/1", requestBody(`{"name":"shop"}`)), called("POST {a}/vuln_scanner/target_environments", requestBody(`{"name":"shop"}`))},
	},
	moves: map[string]moveCase{
		"insight dismissed":  {called("PUT {a}/security-center/insights/1/dismiss", requestBody(`{"dismiss":true}`)), "security_insight.dismiss", rules.Weaker, ""},
		"insight restored":   {called("PUT {z}/security-center/insights/1/dismiss", requestBody(`{"dismiss":false}`)), "security_insight.restore", rules.Safer, ""},
		"alert off":          {called("PATCH {a}/cloudforce-one/events/queries/1", requestBody(`{"name":"ours","rule_enabled":false}`)), "threat_event.query.disable", rules.Weaker, "ours"},
		"feed for others":    {called("PUT {a}/intel/indicator-feeds/permissions/add", requestBody(`{"account_tag":"x","feed_id":1}`)), "indicator_feed.permission.add", rules.Weaker, ""},
		"dataset for others": {called("PATCH {a}/cloudforce-one/events/dataset/1", requestBody(`{"isPublic":true}`)), "threat_event.dataset.update", rules.Weaker, ""},
		"was public":         {logged("indicator_feed", "update", values(`{"is_public":true,"name":"a"}`, `{"is_public":true,"name":"b"}`)), "indicator_feed.update", "", "b"},
	},
}

func intelCalls() callList {
	var list callList
	list.collect("{a}/brand-protection/logos", "brand_protection.logo", low, "", medium)
	list.collect("{a}/cloudforce-one/v2/brand-protection/logo/queries", "brand_protection.logo", low, "", medium)
	list.collect("{a}/cloudforce-one/requests/1/asset", "threat_request.asset", low, low, low)
	list.collect("{a}/cloudforce-one/scans/config", "port_scan.config", low, low, medium)
	list.collect("{a}/diagnostics/endpoint-healthchecks", "diagnostics.endpoint", low, low, low)
	list.collect("{a}/intel/indicator-feeds", "indicator_feed", low, medium, "")
	list.collect("{a}/intel/sinkholes", "sinkhole", medium, medium, medium)
	list.collect("{a}/vuln_scanner/credential_sets", "vulnerability_scanner.credential_set", medium, medium, medium)
	list.collect("{a}/vuln_scanner/credential_sets/1/credentials", "vulnerability_scanner.credential", medium, medium, medium)
	list.collect("{a}/vuln_scanner/target_environments", "vulnerability_scanner.environment", low, medium, medium)
	list.collect("{z}/intel/sinkholes/1/ingresses", "sinkhole.ingress", medium, medium, medium)
	list.add("POST {a}/abuse-reports/1/mitigations/appeal", "abuse_report.appeal.create", low)
	list.add("POST {a}/abuse-reports/1", "abuse_report.create", low)
	list.add("DELETE {a}/botnet_feed/configs/asn/1", "botnet_feed.network.delete", medium)
	list.add("DELETE {a}/brand-protection/queries", "brand_protection.query.delete", medium)
	list.add("POST {a}/brand-protection/queries; POST {a}/brand-protection/queries/bulk", "brand_protection.query.create", low)
	list.add("POST {a}/brand-protection/submit", "brand_protection.report.create", low)
	list.add("POST {a}/cloudforce-one/binary", "malware_sample.create", low)
	list.add("POST {a}/cloudforce-one/events/categories/create", "threat_event.category.create", low)
	list.add("DELETE {a}/cloudforce-one/events/categories/1", "threat_event.category.delete", low)
	list.add("PATCH {a}/cloudforce-one/events/categories/1", "threat_event.category.update", low)
	list.add("POST {a}/cloudforce-one/events/create; POST {a}/cloudforce-one/events/create/bulk; POST {a}/cloudforce-one/events/create/bulk/relationships", "threat_event.create", low)
	list.add("POST {a}/cloudforce-one/events/dataset/create", "threat_event.dataset.create", low)
	list.add("DELETE {a}/cloudforce-one/events/dataset/1", "threat_event.dataset.delete", low)
	list.add("PATCH {a}/cloudforce-one/events/dataset/1", "threat_event.dataset.update", low)
	list.add("DELETE {a}/cloudforce-one/events/event_tag/1", "threat_event.tag.remove", low)
	list.add("POST {a}/cloudforce-one/events/event_tag/1/create", "threat_event.tag.add", low)
	list.add("POST {a}/cloudforce-one/events/graphql", "threat_event.query.view", info)
	list.add("POST {a}/cloudforce-one/events/queries/create", "threat_event.query.create", low)
	list.add("DELETE {a}/cloudforce-one/events/queries/1", "threat_event.query.delete", medium)
	list.add("PATCH {a}/cloudforce-one/events/queries/1", "threat_event.query.update", low)
	list.add("DELETE {a}/cloudforce-one/events/relate/1", "threat_event.relation.delete", low)
	list.add("POST {a}/cloudforce-one/events/tags/categories/create; POST {a}/cloudforce-one/events/tags/create", "threat_event.tag.create", low)
	list.add("DELETE {a}/cloudforce-one/events/tags/categories/1; DELETE {a}/cloudforce-one/events/tags/1", "threat_event.tag.delete", low)
	list.add("PATCH {a}/cloudforce-one/events/tags/categories/1; PATCH {a}/cloudforce-one/events/tags/1", "threat_event.tag.update", low)
	list.add("PATCH {a}/cloudforce-one/events/1; PATCH {a}/cloudforce-one/events/1/raw/1", "threat_event.update", low)
	list.add("POST {a}/cloudforce-one/requests", "threat_request.view", info)
	list.add("POST {a}/cloudforce-one/requests/new", "threat_request.create", low)
	list.add("POST {a}/cloudforce-one/requests/priority/new", "threat_request.priority.create", low)
	list.add("DELETE {a}/cloudforce-one/requests/priority/1; PUT {a}/cloudforce-one/requests/priority/1", "threat_request.priority.update", low)
	list.add("DELETE {a}/cloudforce-one/requests/1", "threat_request.delete", low)
	list.add("PUT {a}/cloudforce-one/requests/1", "threat_request.update", low)
	list.add("POST {a}/cloudforce-one/requests/1/message", "threat_request.message.view", info)
	list.add("POST {a}/cloudforce-one/requests/1/message/new", "threat_request.message.create", low)
	list.add("DELETE {a}/cloudforce-one/requests/1/message/1; PUT {a}/cloudforce-one/requests/1/message/1", "threat_request.message.update", low)
	list.add("POST {a}/diagnostics/traceroute", "diagnostics.traceroute.view", info)
	list.add("PUT {a}/intel/indicator-feeds/permissions/add", "indicator_feed.permission.add", medium)
	list.add("PUT {a}/intel/indicator-feeds/permissions/remove", "indicator_feed.permission.remove", medium)
	list.add("PUT {a}/intel/indicator-feeds/1/snapshot", "indicator_feed.snapshot.update", medium)
	list.add("POST {a}/intel/miscategorization", "misclassification.create", low)
	list.add("POST {a}/request-tracer/trace", "diagnostics.request_trace.view", info)
	list.add("PATCH {a}/security-center/insights/1/classification; PATCH {z}/security-center/insights/1/classification", "security_insight.classify", medium)
	list.add("PUT {a}/security-center/insights/1/dismiss; PUT {z}/security-center/insights/1/dismiss", "security_insight.dismiss", medium)
	list.add("POST {a}/urlscanner/v2/bulk; POST {a}/urlscanner/v2/scan", "url_scan.create", low)
	list.add("POST {a}/vuln_scanner/scans", "vulnerability_scanner.scan.create", low)
	list.add("POST /radar/datasets/download", "diagnostics.dataset.download", info)
	list.add("DELETE {z}/security-center/securitytxt", "security_txt.delete", low)
	list.add("PUT {z}/security-center/securitytxt", "security_txt.update", low)
	list.add("PUT {a}/security-center/insights/1/dismiss; PUT {z}/security-center/insights/1/dismiss", "security_insight.dismiss", medium, requestBody(`{"dismiss":true}`))
	list.add("PUT {a}/security-center/insights/1/dismiss", "security_insight.restore", low, requestBody(`{"dismiss":false}`))
	list.add("PATCH {a}/cloudforce-one/events/dataset/1", "threat_event.dataset.update", medium, requestBody(`{"name":"ours","isPublic":true}`))
	list.add("PATCH {a}/cloudforce-one/events/queries/1", "threat_event.query.disable", medium, requestBody(`{"name":"ours","alert_enabled":false}`))
	return list
}

func TestIntel_EveryEntryIsUnderstoodAndGraded(t *testing.T) { intelSuite.check(t) }
