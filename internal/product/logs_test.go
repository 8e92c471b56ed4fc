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
		rows("?log_retention/update", "", high, same, low, values(`{"flag":true}`, `{"flag":false}`)),
		rows("?notification.policy/update", "notification.disable", medium, same, low, values(`{"name":"n","enabled":true}`, `{"name":"n","enabled":false}`)),
	),
	calls: logsCalls(),
	examples: map[string]ruleExample{
		"log-delivery-deleted":    {logged("logpush job", "job_delete"), logged("logpush job", "job_update")},
		"log-delivery-disabled":   {logged("logpush job", "job_update", oldValue(`{"enabled":true}`), newValue(`{"enabled":false}`)), logged("logpush job", "job_update", oldValue(`{"enabled":false}`), newValue(`{"enabled":true}`))},
		"log-delivery-redirected": {logged("logpush job", "job_update", oldValue(`{"destination_conf":"s3://a"}`), newValue(`{"destination_conf":"s3://b"}`)), logged("logpush job", "job_create", newValue(`{"destination_conf":"s3://b"}`))},
		"log-delivery-enabled":    {logged("logpush job", "job_update", oldValue(`{"enabled":false}`), newValue(`{"enabled":true}`)), logged("logpush job", "job_update")},
		"log-delivery-changed":    {logged("logpush job", "job_update"), logged("logpush job", "view")},
		"log-retention-disabled":  {requested("POST", "/zones/"+exampleZone+"/logs/control/retention/flag", requestBody(`{"flag":false}`)), requested("POST", "/zones/"+exampleZone+"/logs/control/retention/flag", requestBody(`{"flag":true}`))},
		"notification-silenced":   {requested("PUT", "/accounts/"+exampleAccount+"/alerting/v3/destinations/webhooks/w1", requestBody(`{"name":"pager","url":"https://siem.example.com/x"}`)), logged("notification.policy", "update")},
		"notification-deleted":    {logged("notification.policy", "delete"), logged("notification.policy", "create")},
	},
	facts: map[string]factCase{
		"log delivery": {
			raw:  logged("logpush job", "job_delete", oldValue(`{"name":"siem","dataset":"audit_logs"}`)),
			want: rules.Facts{Target: "siem (audit_logs)"},
		},
	},
	moves: map[string]moveCase{
		"log delivery off":       {logged("logpush job", "job_update", values(`{"enabled":true}`, `{"enabled":false}`)), "logpush.job.disable", rules.Weaker, ""},
		"log delivery on":        {logged("logpush job", "job_update", values(`{"enabled":false}`, `{"enabled":true}`)), "logpush.job.enable", rules.Safer, ""},
		"log delivery still off": {logged("logpush job", "job_update", values(`{"enabled":false,"filter":"a"}`, `{"enabled":false,"filter":"b"}`)), "logpush.job.update", "", ""},
	},
}

func logsCalls() callList {
	var list callList
	list.add("GET {a}/audit_logs; GET {a}/logs/audit?since=2026-05-12", "audit_log.view", drop)
	list.add("POST {a}/logpush/jobs", "logpush.job.create", medium)
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
