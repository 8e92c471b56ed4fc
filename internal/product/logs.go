package product

import (
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
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
		{"POST", "{scope}/logpush/validate/destination/exists", "logpush.destination.validate"},
		{"POST", "{scope}/logpush/validate/origin", "logpush.options.validate"},
		{"POST", "/zones/{zone}/logpush/edge/jobs", "logpush.live_job.create"},
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
		{ID: "log-destination-tried", Severity: low, Techniques: oneOf{"T1537"},
			Match: rules.Match{Action: oneOf{"logpush.destination.challenge"}},
			Title: "Destination of log delivery challenged",
			Why:   "Nothing is delivered yet; it is what comes before a new or redirected delivery."},
		{ID: "live-log-opened", Severity: low, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"logpush.live_job.create"}},
			Title: "Live log of requests opened",
			Why:   "Whoever opened it watches the requests of visitors for a while."},
	},
}

// Logs that Cloudflare stores, and where.
var retention = family{
	prefixes: oneOf{"log_retention.", "log_boundary.", "log_explorer."},
	switches: true,
	read:     (*review).readRetention,
	subjects: []subject{
		{"log_explorer logs_explorer", "", "log_explorer.dataset", "", either, named},
		{"cmb_config logs_control_cmb", "", "log_boundary", "", either, named},
		{"log_retention logs_retention logs_control_retention", "log_retention", "log_retention", "", either, named},
	},
	routes: []route{
		{"POST", "/zones/{zone}/logs/control/retention/flag", "log_retention.update"},
		{"POST", "/accounts/{account}/logs/control/cmb/config", "log_boundary.update"},
		{"DELETE", "/accounts/{account}/logs/control/cmb/config", "log_boundary.delete"},
		{"POST", "{scope}/logs/explorer/query/sql", "log_explorer.query.view"},
		{"*", "{scope}/logs/explorer/datasets", "log_explorer.dataset"},
	},
	names:  oneOf{"log_explorer.dataset.disable"},
	raises: true,
	rules: []rules.Rule{
		{ID: "log-storage-ended", Severity: high, Techniques: oneOf{"T1562.008", "T1070"},
			Match: rules.Match{Action: oneOf{"log_explorer.dataset.delete", "log_explorer.dataset.disable"}},
			Title: "Stored logs deleted or no longer stored: {words}[: {target}]",
			Why:   "What happens next is kept nowhere, and what was kept may be gone."},
		{ID: "log-storage-unlocked", Severity: medium, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"log_explorer.dataset.update"}, Direction: oneOf{"weaker"}},
			Title: "Stored logs may be deleted from now on[: {target}]",
			Why:   "The protection from deletion was taken off, which comes before a deletion."},
		{ID: "log-boundary-changed", Severity: medium, Techniques: oneOf{"T1562.008"},
			Match: rules.Match{Action: oneOf{"log_boundary.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "Region of the logs changed: {words}[: {target}]",
			Why:   "Logs may leave the region in which they have to stay, or no longer be where you read them."},
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
	read:     (*review).readNotification,
	subjects: []subject{
		{"^notification_silence ^alert_silence", "", "notification.silence", "", either, exact},
		{"^notification_destination ^notification_webhook ^alert_destination ^alert_webhook", "", "notification.destination", "", either, exact},
		{"^notification ^alert", "", "notification", "", either, leftover},
	},
	routes: []route{
		{"*", "/accounts/{account}/alerting/v3/policies", "notification"},
		{"*", "/accounts/{account}/alerting/v3/destinations/webhooks", "notification.destination"},
		{"POST", "/accounts/{account}/alerting/v3/destinations/pagerduty/connect", "notification.destination.create"},
		{"DELETE", "/accounts/{account}/alerting/v3/destinations/pagerduty", "notification.destination.delete"},
		{"*", "/accounts/{account}/alerting/v3/silences", "notification.silence"},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "notification-deleted", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"notification.*"}, Verb: oneOf{"delete", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "Nobody hears of what the notification was about."},
		{ID: "notification-silenced", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"notification.silence.create", "notification.silence.update", "notification.destination.update"}},
			Title: "Notification silenced or redirected[: {target}]",
			Why:   "Those who should hear of it hear nothing, or somebody else does."},
		{ID: "notification-unaddressed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"notification.update"}, Direction: oneOf{"weaker"}},
			Title: "Notification goes to nobody any more[: {target}]",
			Why:   "It is still there, but has no recipient."},
		ordinary("log-administered", "Logs are kept and somebody is told, as before.",
			"log_explorer.*", "log_retention.*", "notification.*"),
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

// readRetention determines whether logs may leave their region.
func (r *review) readRetention() {
	r.readNamed("name", "dataset", "regions")
	if r.name == "log_boundary.delete" {
		r.Direction = rules.Weaker
	}
}

// readNotification determines whether a notification has lost all recipients.
func (r *review) readNotification() {
	r.readOther()
	if r.name == "notification.silence.delete" {
		r.Direction = rules.Safer
	}
	recipients := r.after.get("mechanisms")
	if r.name == "notification.update" && recipients.Exists() && !hasRecipient(recipients) {
		r.Direction = rules.Weaker
	}
}

// hasRecipient reports whether one of the lists of recipients, by kind, has one.
func hasRecipient(mechanisms jsondoc.Value) bool {
	for list := range mechanisms.All() {
		if list.First().Exists() {
			return true
		}
	}
	return false
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
