package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Log delivery.
var logs = family{
	prefixes: oneOf{"logpush."},
	hooks:    true,
	read:     (*review).readLogDelivery,
	pairs: []pair{
		{"logpush job", "job_create", "logpush.job.create"},
		{"logpush job", "job_update", "logpush.job.update"},
		{"logpush job", "job_delete", "logpush.job.delete"}, // derived, not published
	},
	subjects: []subject{
		{"logpush log_push logpull instant_log", "logpush", "logpush.job", "", either, common},
	},
	routes: []route{
		{"*", "{scope}/logpush/jobs", "logpush.job"},
		{"POST", "{scope}/logpush/ownership", "logpush.destination.challenge"},
		{"POST", "{scope}/logpush/ownership/validate", "logpush.destination.validate"},
		{"POST", "{scope}/logpush/validate/destination", "logpush.destination.validate"},
	},
	rules: []rules.Rule{
		{ID: "log-delivery-deleted", Severity: high, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"logpush.job.delete"}},
			Title: "Log delivery deleted[: {target}]",
			Why:   "What happens next is in no log of yours."},
		{ID: "log-delivery-disabled", Severity: high, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"logpush.job.disable"}},
			Title: "Log delivery disabled[: {target}]",
			Why:   "What happens next is in no log of yours."},
		{ID: "log-delivery-redirected", Severity: high, Techniques: oneOf{"T1562.008", "T1537"},
			Match: rules.Match{Action: oneOf{"logpush.job.update"}, Changed: []rules.Change{{Field: "destination_conf", Old: "*"}}},
			Title: "Log delivery redirected[: {target}]",
			Why:   "The logs go somewhere else, and no longer to you."},
		{ID: "log-delivery-enabled", Severity: low,
			Match: rules.Match{Action: oneOf{"logpush.job.enable"}},
			Title: "Log delivery enabled",
			Why:   "Logs are delivered again."},
		{ID: "log-delivery-changed", Severity: medium, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"logpush.job.*"}, Verb: oneOf{"create", "update", "reset"}},
			Title: "Log delivery changed[: {target}]",
			Why:   "A filter or a new destination can hide entries or give them away."},
	},
}

// Log retention.
var retention = family{
	prefixes: oneOf{"log_retention."},
	switches: true,
	subjects: []subject{
		{"log_retention logs_retention logs_control_retention", "log_retention", "log_retention", "", either, named},
	},
	routes: []route{
		{"POST", "/zones/{zone}/logs/control/retention/flag", "log_retention.update"},
	},
	rules: []rules.Rule{
		{ID: "log-retention-disabled", Severity: high, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"log_retention.*"}, Direction: oneOf{"weaker"}},
			Title: "Log retention disabled[: {target}]",
			Why:   "What happens next is kept nowhere."},
	},
}

// Notifications and their destinations.
var notifications = family{
	prefixes: oneOf{"notification."},
	hooks:    true,
	switches: true,
	subjects: []subject{
		{"^notification ^alert", "", "notification", "", either, leftover},
	},
	routes: []route{
		{"*", "/accounts/{account}/alerting/v3/policies", "notification"},
		{"*", "/accounts/{account}/alerting/v3/destinations/webhooks", "notification.destination"},
		{"DELETE", "/accounts/{account}/alerting/v3/destinations/pagerduty", "notification.destination.delete"},
		{"*", "/accounts/{account}/alerting/v3/silences", "notification.silence"},
	},
	rules: []rules.Rule{
		{ID: "notification-deleted", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"notification.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "Notification removed[: {target}]",
			Why:   "Nobody hears of what the notification was about."},
		{ID: "notification-silenced", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"notification.silence.create", "notification.silence.update", "notification.destination.update"}},
			Title: "Notification silenced or redirected[: {target}]",
			Why:   "Those who should hear of it hear nothing, or somebody else does."},
	},
}

// The audit log itself.
var auditLogs = family{
	prefixes: oneOf{"audit_log."},
	routes: []route{
		{"GET", "/accounts/{account}/audit_logs", "audit_log.view"},
		{"GET", "/accounts/{account}/logs/audit", "audit_log.view"},
	},
}

// readLogDelivery determines whether a job is switched off or on.
func (r *review) readLogDelivery() {
	dataset, name := r.text("dataset"), r.text("name")
	if r.Target = name + dataset; name != "" && dataset != "" {
		r.Target = name + " (" + dataset + ")"
	}
	if r.verb != VerbUpdate {
		return
	}
	switch was, is := r.before.text("enabled"), r.after.text("enabled"); {
	case is == "false" && was != "false":
		r.rename("logpush.job.disable")
		r.Direction = rules.Weaker
	case is == "true" && was == "false":
		r.rename("logpush.job.enable")
		r.Direction = rules.Safer
	}
}
