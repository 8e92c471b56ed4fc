package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var casbSuite = suite{
	pairs: slices.Concat(

		rows("?casb.integration/delete; ?casb.webhook/update; ?casb.integration/create", "", medium, same, same),
	),
	calls: casbCalls(),
	examples: map[string]ruleExample{
		"posture-administered":        {called("POST {a}/data-security/posture/remediations/jobs"), called("POST {a}/data-security/posture/remediations/jobs/export")},
		"posture-webhook-tested":      {called("POST {a}/data-security/posture/webhooks/1/evaluate"), called("POST {a}/data-security/posture/webhooks", requestBody(`{"label":"siem"}`))},
		"posture-exported":            {called("POST {a}/data-security/posture/content/export"), called("GET {a}/data-security/posture/content")},
		"posture-watch-removed":       {called("POST {a}/one/integrations/1/pause"), called("POST {a}/one/integrations/1/resume")},
		"posture-integration-changed": {called("POST {a}/one/integrations", requestBody(`{"name":"mail","application":"MICROSOFT_INTERNAL"}`)), called("DELETE {a}/one/integrations/1")},
		"finding-hidden":              {called("POST {a}/data-security/posture/findings/1/instances/archive"), called("POST {a}/data-security/posture/findings/unignore")},
		"finding-webhook-changed":     {called("PUT {a}/data-security/posture/webhooks/1", requestBody(`{"label":"siem","destination_url":"https://siem.example.com/x"}`)), called("POST {a}/data-security/posture/webhooks/1/evaluate")},
	},
	moves: map[string]moveCase{
		"watch paused":      {called("POST {a}/one/integrations/1/pause"), "casb.integration.pause", rules.Weaker, ""},
		"watch resumed":     {called("POST {a}/one/integrations/1/resume"), "casb.integration.resume", rules.Safer, ""},
		"findings archived": {called("POST {a}/data-security/posture/findings/1/instances/archive"), "casb.finding.archive", rules.Weaker, ""},
		"findings shown":    {called("POST {a}/data-security/posture/findings/unignore"), "casb.finding.unignore", rules.Safer, ""},
		"webhook off":       {called("PUT {a}/data-security/posture/webhooks/1", requestBody(`{"label":"siem","status":"disabled"}`)), "casb.webhook.disable", rules.Weaker, "siem"},
	},
}

func casbCalls() callList {
	var list callList
	list.collect("{a}/data-security/posture/webhooks", "casb.webhook", medium, medium, medium)
	list.collect("{a}/one/integrations", "casb.integration", medium, medium, medium)
	list.add("POST {a}/data-security/posture/content/export", "casb.content.export", low)
	list.add("POST {a}/data-security/posture/findings/export; POST {a}/data-security/posture/findings/1/instances/export", "casb.finding.export", low)
	list.add("POST {a}/data-security/posture/findings/ignore", "casb.finding.ignore", medium)
	list.add("POST {a}/data-security/posture/findings/unignore", "casb.finding.unignore", low)
	list.add("POST {a}/data-security/posture/findings/1/instances/archive", "casb.finding.archive", medium)
	list.add("POST {a}/data-security/posture/findings/1/instances/unarchive", "casb.finding.unarchive", low)
	list.add("POST {a}/data-security/posture/findings/1/reset_finding_severity", "casb.finding.severity.reset", low)
	list.add("POST {a}/data-security/posture/findings/1/tune_finding_severity", "casb.finding.severity.update", medium)
	list.add("POST {a}/data-security/posture/remediations/jobs", "casb.remediation.create", low)
	list.add("POST {a}/data-security/posture/remediations/jobs/export", "casb.remediation.export", low)
	list.add("POST {a}/data-security/posture/webhooks/evaluate; POST {a}/data-security/posture/webhooks/1/evaluate", "casb.webhook.test", info)
	list.add("POST {a}/data-security/posture/webhooks/jobs", "casb.finding.send", low)
	list.add("POST {a}/one/integrations/1/pause", "casb.integration.pause", medium)
	list.add("POST {a}/one/integrations/1/resume", "casb.integration.resume", low)
	list.add("PUT {a}/data-security/posture/webhooks/1", "casb.webhook.disable", medium, requestBody(`{"label":"siem","status":"disabled"}`))
	return list
}

func TestCASB_EveryEntryIsUnderstoodAndGraded(t *testing.T) { casbSuite.check(t) }
