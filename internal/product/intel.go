package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Threat intelligence: events, requests to analysts, feeds of indicators, scans and
// sinkholes.
var intelligence = family{
	prefixes: oneOf{"threat_event.", "threat_request.", "indicator_feed.", "sinkhole.", "port_scan.", "malware_sample.", "misclassification.", "botnet_feed.", "url_scan."},
	read:     (*review).readIntelligence,
	subjects: []subject{
		{"indicator_feed", "", "indicator_feed", "", either, named},
		{"sinkhole", "", "sinkhole", "", either, named},
		{"threat_event", "", "threat_event", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/cloudforce-one/events/graphql", "threat_event.query.view"},
		{"POST", "/accounts/{account}/cloudforce-one/events/create", "threat_event.create"},
		{"POST", "/accounts/{account}/cloudforce-one/events/create/bulk", "threat_event.create"},
		{"POST", "/accounts/{account}/cloudforce-one/events/create/bulk/relationships", "threat_event.create"},
		{"POST", "/accounts/{account}/cloudforce-one/events/categories/create", "threat_event.category.create"},
		{"*", "/accounts/{account}/cloudforce-one/events/categories", "threat_event.category"},
		{"POST", "/accounts/{account}/cloudforce-one/events/dataset/create", "threat_event.dataset.create"},
		{"*", "/accounts/{account}/cloudforce-one/events/dataset", "threat_event.dataset"},
		{"POST", "/accounts/{account}/cloudforce-one/events/queries/create", "threat_event.query.create"},
		{"*", "/accounts/{account}/cloudforce-one/events/queries", "threat_event.query"},
		{"POST", "/accounts/{account}/cloudforce-one/events/tags/create", "threat_event.tag.create"},
		{"POST", "/accounts/{account}/cloudforce-one/events/tags/categories/create", "threat_event.tag.create"},
		{"*", "/accounts/{account}/cloudforce-one/events/tags/categories", "threat_event.tag"},
		{"*", "/accounts/{account}/cloudforce-one/events/tags", "threat_event.tag"},
		{"POST", "/accounts/{account}/cloudforce-one/events/event_tag/{id}/create", "threat_event.tag.add"},
		{"DELETE", "/accounts/{account}/cloudforce-one/events/event_tag/{id}", "threat_event.tag.remove"},
		{"DELETE", "/accounts/{account}/cloudforce-one/events/relate/{id}", "threat_event.relation.delete"},
		{"PATCH", "/accounts/{account}/cloudforce-one/events/{id}/raw/{raw}", "threat_event.update"},
		{"PATCH", "/accounts/{account}/cloudforce-one/events/{id}", "threat_event.update"},
		{"POST", "/accounts/{account}/cloudforce-one/requests", "threat_request.view"},
		{"POST", "/accounts/{account}/cloudforce-one/requests/new", "threat_request.create"},
		{"POST", "/accounts/{account}/cloudforce-one/requests/priority/new", "threat_request.priority.create"},
		{"PUT DELETE", "/accounts/{account}/cloudforce-one/requests/priority/{id}", "threat_request.priority.update"},
		{"PUT", "/accounts/{account}/cloudforce-one/requests/{id}", "threat_request.update"},
		{"DELETE", "/accounts/{account}/cloudforce-one/requests/{id}", "threat_request.delete"},
		{"POST", "/accounts/{account}/cloudforce-one/requests/{id}/message", "threat_request.message.view"},
		{"POST", "/accounts/{account}/cloudforce-one/requests/{id}/message/new", "threat_request.message.create"},
		{"PUT DELETE", "/accounts/{account}/cloudforce-one/requests/{id}/message/{message}", "threat_request.message.update"},
		{"*", "/accounts/{account}/cloudforce-one/requests/{request}/asset", "threat_request.asset"},
		{"POST", "/accounts/{account}/cloudforce-one/binary", "malware_sample.create"},
		{"*", "/accounts/{account}/cloudforce-one/scans/config", "port_scan.config"},
		{"PUT", "/accounts/{account}/intel/indicator-feeds/permissions/add", "indicator_feed.permission.add"},
		{"PUT", "/accounts/{account}/intel/indicator-feeds/permissions/remove", "indicator_feed.permission.remove"},
		{"PUT", "/accounts/{account}/intel/indicator-feeds/{id}/snapshot", "indicator_feed.snapshot.update"},
		{"*", "/accounts/{account}/intel/indicator-feeds", "indicator_feed"},
		{"POST", "/accounts/{account}/intel/miscategorization", "misclassification.create"},
		{"*", "/accounts/{account}/intel/sinkholes", "sinkhole"},
		{"*", "/zones/{zone}/intel/sinkholes/{sinkhole}/ingresses", "sinkhole.ingress"},
		{"DELETE", "/accounts/{account}/botnet_feed/configs/asn/{id}", "botnet_feed.network.delete"},
		{"POST", "/accounts/{account}/urlscanner/v2/scan", "url_scan.create"},
		{"POST", "/accounts/{account}/urlscanner/v2/bulk", "url_scan.create"},
	},
	names: oneOf{"threat_event.query.disable"},
	rules: []rules.Rule{
		{ID: "intelligence-published", Severity: medium, Techniques: oneOf{"T1567"},
			Match: rules.Match{Action: oneOf{"threat_event.dataset.*", "indicator_feed.*"}, Direction: oneOf{"weaker"}},
			Title: "Threat intelligence opened to others: {words}[: {target}]",
			Why:   "Others read what you know about your attackers, the attackers perhaps among them."},
		{ID: "indicators-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"indicator_feed.snapshot.update", "indicator_feed.update", "indicator_feed.delete", "indicator_feed.permission.remove"}},
			Title: "{words}[: {target}]",
			Why:   "Gateway and firewall rules block what the feed lists; what is no longer in it passes."},
		{ID: "sinkhole-changed", Severity: medium, Techniques: oneOf{"T1562", "T1557"},
			Match: rules.Match{Action: oneOf{"sinkhole.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "What infected machines send to it is stored elsewhere, or nowhere."},
		{ID: "intelligence-watch-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"threat_event.query.delete", "threat_event.query.disable", "port_scan.config.delete", "botnet_feed.network.delete"}},
			Title: "Watch of threat intelligence removed: {words}[: {target}]",
			Why:   "It raises no alarm any more."},
	},
}

// Watch over the brand, and what Cloudflare finds in the account.
var findings = family{
	prefixes: oneOf{"brand_protection.", "security_insight.", "security_txt.", "abuse_report."},
	read:     (*review).readFinding,
	subjects: []subject{
		{"brand_protection", "", "brand_protection.query", "", either, named},
		{"security_center_insight security_insight", "", "security_insight", "", either, named},
		{"securitytxt security_txt", "", "security_txt", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/brand-protection/submit", "brand_protection.report.create"},
		{"POST", "/accounts/{account}/brand-protection/queries/bulk", "brand_protection.query.create"},
		{"*", "/accounts/{account}/brand-protection/queries", "brand_protection.query"},
		{"*", "/accounts/{account}/brand-protection/logos", "brand_protection.logo"},
		{"*", "/accounts/{account}/cloudforce-one/v2/brand-protection/logo/queries", "brand_protection.logo"},
		{"PUT", "{scope}/security-center/insights/{id}/dismiss", "security_insight.dismiss"},
		{"PATCH", "{scope}/security-center/insights/{id}/classification", "security_insight.classify"},
		{"PUT", "/zones/{zone}/security-center/securitytxt", "security_txt.update"},
		{"DELETE", "/zones/{zone}/security-center/securitytxt", "security_txt.delete"},
		{"POST", "/accounts/{account}/abuse-reports/{type}", "abuse_report.create"},
		{"POST", "/accounts/{account}/abuse-reports/{id}/mitigations/appeal", "abuse_report.appeal.create"},
	},
	names:  oneOf{"security_insight.restore"},
	raises: true,
	rules: []rules.Rule{
		{ID: "insight-dismissed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"security_insight.dismiss", "security_insight.classify"}},
			Title: "{words}[: {target}]",
			Why:   "A weakness that Cloudflare found stays, and nobody is reminded of it."},
		{ID: "brand-watch-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"brand_protection.query.delete", "brand_protection.logo.delete"}},
			Title: "{words}[: {target}]",
			Why:   "Domains and pages that imitate the company raise no alarm any more."},
	},
}

// Scans of one's own API for weaknesses.
var scanner = family{
	prefixes: oneOf{"vulnerability_scanner."},
	subjects: []subject{
		{"vuln_scanner vulnerability_scanner", "", "vulnerability_scanner.environment", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/vuln_scanner/credential_sets/{set}/credentials", "vulnerability_scanner.credential"},
		{"*", "/accounts/{account}/vuln_scanner/credential_sets", "vulnerability_scanner.credential_set"},
		{"*", "/accounts/{account}/vuln_scanner/target_environments", "vulnerability_scanner.environment"},
		{"POST", "/accounts/{account}/vuln_scanner/scans", "vulnerability_scanner.scan.create"},
	},
	rules: []rules.Rule{
		{ID: "scanner-credentials-changed", Severity: medium, Techniques: oneOf{"T1552"},
			Match: rules.Match{Action: oneOf{"vulnerability_scanner.credential.*", "vulnerability_scanner.credential_set.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "The scanner signs in to your API with them, as a user and as an attacker."},
		{ID: "scanner-target-changed", Severity: medium, Techniques: oneOf{"T1595.002"},
			Match: rules.Match{Action: oneOf{"vulnerability_scanner.environment.*"}, Verb: oneOf{"update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "The scanner sends its credentials there, and no longer looks at what it looked at."},
	},
}

// Checks of what is reached from Cloudflare, and what it knows of the Internet.
var diagnostics = family{
	prefixes: oneOf{"diagnostics."},
	routes: []route{
		{"*", "/accounts/{account}/diagnostics/endpoint-healthchecks", "diagnostics.endpoint"},
		{"POST", "/accounts/{account}/diagnostics/traceroute", "diagnostics.traceroute.view"},
		{"POST", "/accounts/{account}/request-tracer/trace", "diagnostics.request_trace.view"},
		{"POST", "/radar/datasets/download", "diagnostics.dataset.download"},
	},
	rules: []rules.Rule{
		ordinary("diagnosis-changed", "It measures what is reached and protects nothing.", "diagnostics.endpoint.*"),
		ordinary("intelligence-changed", "It is the daily work of analysts and changes no protection.",
			"threat_event.*", "threat_request.*", "indicator_feed.*", "port_scan.*", "malware_sample.*", "misclassification.*", "url_scan.*", "brand_protection.*", "security_txt.*", "abuse_report.*", "vulnerability_scanner.*"),
	},
}

// readIntelligence determines whether what is known is opened to others.
func (r *review) readIntelligence() {
	r.readNamed("name", "label", "summary", "cidr", "url")
	switch {
	case r.name == "indicator_feed.permission.add":
		r.Direction = rules.Weaker
	case r.verb == VerbDelete:
	case r.name == "threat_event.query.update" && (closed(r, "alert_enabled") || closed(r, "rule_enabled")):
		r.rename("threat_event.query.disable")
		r.Direction = rules.Weaker
	case opened(r, "is_public"), opened(r, "isPublic"), opened(r, "is_downloadable"):
		r.Direction = rules.Weaker
	}
}

// opened reports whether a switch that was not known to be on is.
func opened(r *review, key string) bool {
	return r.after.text(key) == "true" && r.before.text(key) != "true"
}

// closed reports whether a switch that was not known to be off is.
func closed(r *review, key string) bool {
	return r.after.text(key) == "false" && r.before.text(key) != "false"
}

// readFinding determines whether a finding is hidden or shown again.
func (r *review) readFinding() {
	r.readNamed("name", "tag", "host_name", "title")
	if strings.HasPrefix(r.name, "security_insight.") {
		r.Direction = rules.Weaker
	}
	if r.name == "security_insight.dismiss" && r.after.text("dismiss") == "false" {
		r.rename("security_insight.restore")
		r.Direction = rules.Safer
	}
}

func (r *review) readErrorPage() { r.readNamed("name", "id") }
