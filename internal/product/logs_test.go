package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var logsSuite = suite{
	pairs: slices.Concat(
		rows("logpush job/job_create; ?logpush.jobs/create", "logpush.job.create", medium, same, same, newValue(`{"dataset":"http_requests","enabled":true}`)),
		rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.update", medium, same, same),
		rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.disable", high, same, low, values(`{"dataset":"audit_logs","enabled":true}`, `{"dataset":"audit_logs","enabled":false}`)),
		rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.update", high, same, same, values(`{"destination_conf":"s3://logs.example.com"}`, `{"destination_conf":"s3://logs.example.net"}`)),
		rows("?logpush job/job_delete; ?logpush.jobs/delete", "logpush.job.delete", high, same, same),
		rows("?log_explorer.dataset/delete", "log_explorer.dataset.delete", high, same, same),
		rows("?log_explorer.dataset/update", "log_explorer.dataset.disable", high, same, low, values(`{"enabled":true}`, `{"enabled":false}`)),
		rows("?logs.control.cmb_config/delete", "log_boundary.delete", medium, same, same),
		rows("?notification.silence/delete", "notification.silence.delete", low, same, same),
		rows("?notification.webhook/update; ?alert.destination/delete", "", medium, same, same),
		rows("?notification.policy/policy_updated", "notification.update", low, same, same),
		rows("?log_retention/update", "", high, same, low, values(`{"flag":true}`, `{"flag":false}`)),
		rows("?notification.policy/update", "notification.disable", medium, same, low, values(`{"name":"n","enabled":true}`, `{"name":"n","enabled":false}`)),
	),
	calls: logsCalls(),
	examples: map[string]ruleExample{
		"log-administered":         {called("PUT {a}/alerting/v3/policies/1", requestBody(`{"name":"origin down","mechanisms":{"email":[{"id":"soc@example.com"}]}}`)), called("PUT {a}/alerting/v3/policies/1", requestBody(`{"name":"origin down","enabled":false}`))},
		"log-delivery-deleted":     {logged("logpush job", "job_delete"), logged("logpush job", "job_update")},
		"log-delivery-disabled":    {logged("logpush job", "job_update", oldValue(`{"enabled":true}`), newValue(`{"enabled":false}`)), logged("logpush job", "job_update", oldValue(`{"enabled":false}`), newValue(`{"enabled":true}`))},
		"log-delivery-redirected":  {logged("logpush job", "job_update", oldValue(`{"destination_conf":"s3://a"}`), newValue(`{"destination_conf":"s3://b"}`)), logged("logpush job", "job_create", newValue(`{"destination_conf":"s3://b"}`))},
		"log-delivery-enabled":     {logged("logpush job", "job_update", oldValue(`{"enabled":false}`), newValue(`{"enabled":true}`)), logged("logpush job", "job_update")},
		"log-delivery-changed":     {logged("logpush job", "job_update"), logged("logpush job", "view")},
		"log-retention-disabled":   {requested("POST", "/zones/"+exampleZone+"/logs/control/retention/flag", requestBody(`{"flag":false}`)), requested("POST", "/zones/"+exampleZone+"/logs/control/retention/flag", requestBody(`{"flag":true}`))},
		"notification-silenced":    {requested("PUT", "/accounts/"+exampleAccount+"/alerting/v3/destinations/webhooks/w1", requestBody(`{"name":"pager","url":"https://siem.example.com/x"}`)), logged("notification.policy", "update")},
		"log-destination-tried":    {called("POST {a}/logpush/ownership", requestBody(`{"destination_conf":"s3://logs.example.net"}`)), called("POST {a}/logpush/jobs")},
		"live-log-opened":          {called("POST {z}/logpush/edge/jobs"), called("POST {z}/logpush/jobs")},
		"log-storage-ended":        {called("DELETE {a}/logs/explorer/datasets/1"), called("PUT {a}/logs/explorer/datasets/1", requestBody(`{"enabled":true}`))},
		"log-storage-unlocked":     {called("PUT {a}/logs/explorer/datasets/1", requestBody(`{"enabled":true,"deletion_protection":false}`)), called("PUT {a}/logs/explorer/datasets/1", requestBody(`{"enabled":false}`))},
		"log-boundary-changed":     {called("POST {a}/logs/control/cmb/config", requestBody(`{"regions":"eu"}`)), called("GET {a}/logs/control/cmb/config")},
		"notification-unaddressed": {called("PUT {a}/alerting/v3/policies/1", requestBody(`{"name":"origin down","enabled":true,"mechanisms":{"email":[],"webhooks":[]}}`)), called("PUT {a}/alerting/v3/policies/1", requestBody(`{"name":"origin down","enabled":true,"mechanisms":{"email":[{"id":"soc@example.com"}]}}`))},
		"notification-deleted":     {logged("notification.policy", "delete"), logged("notification.policy", "create")},
	},
	facts: map[string]factCase{
		"log delivery": {
			raw:  logged("logpush job", "job_delete", oldValue(`{"name":"siem","dataset":"audit_logs"}`)),
			want: rules.Facts{Target: "siem (audit_logs)"},
		},
	},
	moves: map[string]moveCase{
		"boundary removed":       {called("DELETE {a}/logs/control/cmb/config"), "log_boundary.delete", rules.Weaker, ""},
		"logs may leave":         {called("POST {a}/logs/control/cmb/config", requestBody(`{"regions":"eu","allow_out_of_region_access":true}`)), "log_boundary.update", rules.Weaker, ""},
		"log delivery off":       {logged("logpush job", "job_update", values(`{"enabled":true}`, `{"enabled":false}`)), "logpush.job.disable", rules.Weaker, ""},
		"log delivery on":        {logged("logpush job", "job_update", values(`{"enabled":false}`, `{"enabled":true}`)), "logpush.job.enable", rules.Safer, ""},
		"log delivery still off": {logged("logpush job", "job_update", values(`{"enabled":false,"filter":"a"}`, `{"enabled":false,"filter":"b"}`)), "logpush.job.update", "", ""},
	},
}

func logsCalls() callList {
	var list callList
	list.add("GET {a}/audit_logs; GET {a}/logs/audit?since=2026-05-12", "audit_log.view", drop)
	list.collect("{a}/alerting/v3/destinations/webhooks", "notification.destination", low, medium, medium)
	list.collect("{a}/alerting/v3/policies", "notification", low, low, medium)
	list.collect("{a}/alerting/v3/silences", "notification.silence", medium, "", low)
	list.collect("{a}/logpush/jobs", "logpush.job", medium, medium, high)
	list.collect("{z}/logpush/jobs", "logpush.job", medium, medium, high)
	list.collect("{a}/logs/explorer/datasets", "log_explorer.dataset", low, low, high)
	list.collect("{z}/logs/explorer/datasets", "log_explorer.dataset", low, low, high)
	list.add("DELETE {a}/alerting/v3/destinations/pagerduty", "notification.destination.delete", medium)
	list.add("POST {a}/alerting/v3/destinations/pagerduty/connect", "notification.destination.create", low)
	list.add("PUT {a}/alerting/v3/silences", "notification.silence.update", medium)
	list.add("POST {a}/logpush/ownership; POST {z}/logpush/ownership", "logpush.destination.challenge", low)
	list.add("POST {a}/logpush/ownership/validate; POST {a}/logpush/validate/destination; POST {a}/logpush/validate/destination/exists; POST {z}/logpush/ownership/validate; POST {z}/logpush/validate/destination; POST {z}/logpush/validate/destination/exists", "logpush.destination.validate", info)
	list.add("POST {a}/logpush/validate/origin; POST {z}/logpush/validate/origin", "logpush.options.validate", info)
	list.add("DELETE {a}/logs/control/cmb/config", "log_boundary.delete", medium)
	list.add("POST {a}/logs/control/cmb/config", "log_boundary.update", medium)
	list.add("POST {a}/logs/explorer/query/sql; POST {z}/logs/explorer/query/sql", "log_explorer.query.view", info)
	list.add("POST {z}/logpush/edge/jobs", "logpush.live_job.create", low)
	list.add("POST {z}/logs/control/retention/flag", "log_retention.update", low)
	list.add("PUT {z}/logpush/jobs/1", "logpush.job.disable", high, requestBody(`{"enabled":false}`))
	list.add("PUT {a}/logpush/jobs/1", "logpush.job.update", high, requestBody(`{"destination_conf":"s3://logs.example.net"}`))
	list.add("DELETE {a}/logpush/jobs/1; DELETE {z}/logpush/jobs/1", "logpush.job.delete", high)
	list.add("DELETE {a}/alerting/v3/policies/1", "notification.delete", medium)
	list.add("DELETE {a}/alerting/v3/destinations/webhooks/1; DELETE {a}/alerting/v3/destinations/pagerduty", "notification.destination.delete", medium)
	list.add("POST {a}/alerting/v3/silences", "notification.silence.create", medium, requestBody(`[{"policy_id":"1"}]`))
	list.add("PUT {a}/alerting/v3/destinations/webhooks/1", "notification.destination.update", medium, requestBody(`{"name":"pager","url":"https://siem.example.com/x"}`))
	list.add("POST {a}/alerting/v3/destinations/webhooks", "notification.destination.create", low, requestBody(`{"name":"pager","url":"https://siem.example.com/x"}`))
	list.add("POST {a}/logpush/ownership", "logpush.destination.challenge", low)
	list.add("POST {a}/logpush/ownership/validate; POST {z}/logpush/validate/destination", "logpush.destination.validate", info)
	list.add("POST {z}/logs/control/retention/flag", "log_retention.update", high, requestBody(`{"flag":false}`))
	list.add("PUT {a}/alerting/v3/policies/1", "notification.disable", medium, requestBody(`{"enabled":false}`))
	return list
}

func TestLogs_EveryEntryIsUnderstoodAndGraded(t *testing.T) { logsSuite.check(t) }
