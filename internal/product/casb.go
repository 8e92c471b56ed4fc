package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// The posture of other clouds and their applications.
var posture = family{
	prefixes: oneOf{"casb."},
	hooks:    true,
	read:     (*review).readPosture,
	subjects: []subject{
		{"^casb_webhook", "", "casb.webhook", "", either, named},
		{"^casb_finding", "", "casb.finding", "", either, named},
		{"^casb", "", "casb.integration", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/one/integrations/{id}/pause", "casb.integration.pause"},
		{"POST", "/accounts/{account}/one/integrations/{id}/resume", "casb.integration.resume"},
		{"*", "/accounts/{account}/one/integrations", "casb.integration"},
		{"POST", "/accounts/{account}/data-security/posture/content/export", "casb.content.export"},
		{"POST", "/accounts/{account}/data-security/posture/findings/export", "casb.finding.export"},
		{"POST", "/accounts/{account}/data-security/posture/findings/{id}/instances/export", "casb.finding.export"},
		{"POST", "/accounts/{account}/data-security/posture/remediations/jobs/export", "casb.remediation.export"},
		{"POST", "/accounts/{account}/data-security/posture/findings/ignore", "casb.finding.ignore"},
		{"POST", "/accounts/{account}/data-security/posture/findings/unignore", "casb.finding.unignore"},
		{"POST", "/accounts/{account}/data-security/posture/findings/{id}/instances/archive", "casb.finding.archive"},
		{"POST", "/accounts/{account}/data-security/posture/findings/{id}/instances/unarchive", "casb.finding.unarchive"},
		{"POST", "/accounts/{account}/data-security/posture/findings/{id}/tune_finding_severity", "casb.finding.severity.update"},
		{"POST", "/accounts/{account}/data-security/posture/findings/{id}/reset_finding_severity", "casb.finding.severity.reset"},
		{"POST", "/accounts/{account}/data-security/posture/remediations/jobs", "casb.remediation.create"},
		{"POST", "/accounts/{account}/data-security/posture/webhooks/jobs", "casb.finding.send"},
		{"POST", "/accounts/{account}/data-security/posture/webhooks/evaluate", "casb.webhook.test"},
		{"POST", "/accounts/{account}/data-security/posture/webhooks/{id}/evaluate", "casb.webhook.test"},
		{"*", "/accounts/{account}/data-security/posture/webhooks", "casb.webhook"},
	},
	reads: []rules.Rule{
		{ID: "posture-exported", Severity: low, Techniques: oneOf{"T1213"},
			Match: rules.Match{Action: oneOf{"casb.content.export", "casb.finding.export", "casb.remediation.export", "casb.finding.send"}},
			Title: "Findings about other clouds exported or sent",
			Why:   "The list tells where the secrets and the open files of the company are."},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "posture-watch-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"casb.integration.delete", "casb.integration.pause", "casb.integration.disable"}},
			Title: "Watch over another cloud ended: {words}[: {target}]",
			Why:   "What happens there raises no findings any more."},
		{ID: "posture-integration-changed", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"casb.integration.create", "casb.integration.update"}},
			Title: "Integration with another cloud added or changed[: {target}]",
			Why:   "It holds credentials that read, and partly change, what is in the other cloud."},
		{ID: "finding-hidden", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"casb.finding.ignore", "casb.finding.archive", "casb.finding.severity.update"}},
			Title: "Findings about another cloud hidden or graded otherwise: {words}[: {target}]",
			Why:   "Nobody looks at a finding that is ignored, archived or of low severity."},
		{ID: "finding-webhook-changed", Severity: medium, Techniques: oneOf{"T1562", "T1567"},
			Match: rules.Match{Action: oneOf{"casb.webhook.*"}, Verb: oneOf{"create", "update", "delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "Those who should hear of findings hear nothing, or somebody else does."},
		ordinary("posture-administered", "Other clouds are watched as before.",
			"casb.remediation.create", "casb.integration.enable", "casb.webhook.enable", "casb.finding.severity.reset"),
		used("posture-webhook-tested", "A test sends no finding.", "casb.webhook.test"),
	},
}

// readPosture names integrations and webhooks, and tells a webhook that is switched
// off.
func (r *review) readPosture() {
	r.readNamed("name", "label")
	switch {
	case strings.HasSuffix(r.name, ".pause"), strings.HasSuffix(r.name, ".ignore"), strings.HasSuffix(r.name, ".archive"):
		r.Direction = rules.Weaker
	case strings.HasSuffix(r.name, ".resume"), strings.HasSuffix(r.name, ".unignore"), strings.HasSuffix(r.name, ".unarchive"):
		r.Direction = rules.Safer
	case r.name == "casb.webhook.update" && strings.EqualFold(r.after.text("status"), "disabled"):
		r.rename("casb.webhook.disable")
		r.Direction = rules.Weaker
	}
}
