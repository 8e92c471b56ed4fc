package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Data loss prevention.
var dataLoss = family{
	prefixes: oneOf{"dlp."},
	switches: true,
	read:     (*review).readDataLoss,
	subjects: []subject{
		{"^dlp_payload", "", "dlp.payload_log", "", either, named},
		{"^dlp_dataset", "", "dlp.dataset", "", either, named},
		{"^dlp_entr", "", "dlp.entry", "", either, named},
		{"^dlp_email", "", "dlp.email_rule", "", either, named},
		{"^dlp_setting", "", "dlp.settings", "", either, named},
		{"^dlp", "", "dlp.profile", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/dlp/patterns/validate", "dlp.pattern_test.view"},
		{"PUT", "/accounts/{account}/dlp/payload_log", "dlp.payload_log.update"},
		{"*", "/accounts/{account}/dlp/settings", "dlp.settings"},
		{"*", "/accounts/{account}/dlp/profiles/custom", "dlp.profile"},
		{"DELETE", "/accounts/{account}/dlp/profiles/predefined/{id}", "dlp.profile.delete"},
		{"PUT", "/accounts/{account}/dlp/profiles/predefined/{id}/config", "dlp.profile.update"},
		{"PUT", "/accounts/{account}/dlp/entries/custom/{id}", "dlp.entry.update"},
		{"*", "/accounts/{account}/dlp/entries/integration", "dlp.entry"},
		{"*", "/accounts/{account}/dlp/entries/predefined", "dlp.entry"},
		{"*", "/accounts/{account}/dlp/entries", "dlp.entry"},
		{"POST", "/accounts/{account}/dlp/datasets/{id}/upload", "dlp.dataset.update"},
		{"POST", "/accounts/{account}/dlp/datasets/{id}/upload/{version}", "dlp.dataset.update"},
		{"POST", "/accounts/{account}/dlp/datasets/{id}/versions/{version}", "dlp.dataset.update"},
		{"POST", "/accounts/{account}/dlp/datasets/{id}/versions/{version}/entries/{entry}", "dlp.dataset.update"},
		{"*", "/accounts/{account}/dlp/datasets", "dlp.dataset"},
		{"*", "/accounts/{account}/dlp/email/rules", "dlp.email_rule"},
		{"POST", "/accounts/{account}/dlp/email/account_mapping", "dlp.email_mapping.update"},
		{"*", "/accounts/{account}/dlp/custom_prompt_topics", "dlp.prompt_topic"},
		{"*", "/accounts/{account}/dlp/data_classes", "dlp.label"},
		{"*", "/accounts/{account}/dlp/data_tag_categories/{category}/data_tags", "dlp.label"},
		{"*", "/accounts/{account}/dlp/data_tag_categories", "dlp.label"},
		{"PUT", "/accounts/{account}/dlp/sensitivity_groups/{id}/level_order", "dlp.label.update"},
		{"*", "/accounts/{account}/dlp/sensitivity_groups/{group}/levels", "dlp.label"},
		{"*", "/accounts/{account}/dlp/sensitivity_groups", "dlp.label"},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "payload-log-changed", Severity: medium, Techniques: oneOf{"T1562.008", "T1530"},
			Match: rules.Match{Action: oneOf{"dlp.payload_log.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable"}},
			Title: "Log of what data loss prevention found changed: {words}[: {target}]",
			Why:   "Without a key no finding is kept as evidence, and whoever has a new key reads the data that was found."},
		{ID: "data-loss-weakened", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"dlp.*"}, Direction: oneOf{"weaker"}},
			Title: "Data loss prevention weakened: {words}[: {target}]",
			Why:   "Data that it recognized leaves unseen."},
		{ID: "data-loss-changed", Severity: medium, Techniques: oneOf{"T1562.007"},
			Match: rules.Match{Action: oneOf{"dlp.profile.*", "dlp.entry.*", "dlp.dataset.*", "dlp.email_rule.*", "dlp.email_mapping.*", "dlp.settings.*", "dlp.prompt_topic.*"},
				Verb: oneOf{"update", "delete", "disable", "reset"}},
			Title: "{words}[: {target}]",
			Why:   "Data that it recognized may leave unseen."},
		ordinary("data-loss-extended", "More is recognized than before, or sorted otherwise.",
			"dlp.*"),
	},
}

// readDataLoss determines whether something is no longer recognized, or no longer
// kept as evidence.
func (r *review) readDataLoss() {
	r.readOther()
	logging := r.after
	if settings := r.after.get("payload_logging"); settings.Exists() {
		logging = object(nil).read(settings)
	}
	switch {
	case logging.has("public_key") && logging.text("public_key") == "":
		r.rename("dlp.payload_log.disable")
		r.Direction = rules.Weaker
	case r.verb == VerbDelete && !strings.HasPrefix(r.name, "dlp.label."):
		r.Direction = rules.Weaker
	}
}
