package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var dlpSuite = suite{
	pairs: slices.Concat(

		rows("?dlp.profile/delete; ?dlp.entry/update; ?dlp.dataset/update; ?dlp_settings/update; ?dlp.payload_log/update; ?dlp.email_rule/delete", "", medium, same, same),
		rows("?dlp.profile/create", "dlp.profile.create", low, same, same),
	),
	calls: dlpCalls(),
	examples: map[string]ruleExample{
		"data-loss-extended":  {called("POST {a}/dlp/profiles/custom", requestBody(`{"name":"cards"}`)), called("POST {a}/dlp/patterns/validate", requestBody(`{"regex":"[0-9]+"}`))},
		"payload-log-changed": {called("PUT {a}/dlp/payload_log", requestBody(`{"public_key":"1pyl6I1tL7xfJuFYVzXlUW8uXXlpxegHXBzGCBKaSFA="}`)), called("PUT {a}/dlp/settings", requestBody(`{"ocr":true}`))},
		"data-loss-weakened":  {called("DELETE {a}/dlp/profiles/custom/1"), called("DELETE {a}/dlp/data_classes/1")},
		"data-loss-changed":   {called("PUT {a}/dlp/profiles/custom/1", requestBody(`{"name":"cards","allowed_match_count":100}`)), called("POST {a}/dlp/profiles/custom", requestBody(`{"name":"cards"}`))},
	},
	moves: map[string]moveCase{
		"evidence no longer kept":    {called("PUT {a}/dlp/payload_log", requestBody(`{"public_key":null}`)), "dlp.payload_log.disable", rules.Weaker, ""},
		"evidence for somebody else": {called("PUT {a}/dlp/payload_log", requestBody(`{"public_key":"1pyl6I1tL7xfJuFYVzXlUW8uXXlpxegHXBzGCBKaSFA="}`)), "dlp.payload_log.update", "", ""},
	},
}

func dlpCalls() callList {
	var list callList
	list.collect("{a}/dlp/custom_prompt_topics", "dlp.prompt_topic", low, medium, medium)
	list.collect("{a}/dlp/data_classes", "dlp.label", low, low, low)
	list.collect("{a}/dlp/data_tag_categories", "dlp.label", low, low, low)
	list.collect("{a}/dlp/data_tag_categories/1/data_tags", "dlp.label", low, low, low)
	list.collect("{a}/dlp/sensitivity_groups", "dlp.label", low, low, low)
	list.collect("{a}/dlp/sensitivity_groups/1/levels", "dlp.label", low, low, low)
	list.collect("{a}/dlp/datasets", "dlp.dataset", low, medium, medium)
	list.collect("{a}/dlp/email/rules", "dlp.email_rule", low, medium, medium)
	list.collect("{a}/dlp/entries", "dlp.entry", low, medium, medium)
	list.collect("{a}/dlp/entries/integration", "dlp.entry", low, medium, medium)
	list.collect("{a}/dlp/entries/predefined", "dlp.entry", low, medium, medium)
	list.collect("{a}/dlp/profiles/custom", "dlp.profile", low, medium, medium)
	list.add("PUT {a}/dlp/sensitivity_groups/1/level_order", "dlp.label.update", low)
	list.add("POST {a}/dlp/datasets/1/upload; POST {a}/dlp/datasets/1/upload/1; POST {a}/dlp/datasets/1/versions/1; POST {a}/dlp/datasets/1/versions/1/entries/1", "dlp.dataset.update", medium)
	list.add("POST {a}/dlp/email/account_mapping", "dlp.email_mapping.update", medium)
	list.add("PATCH {a}/dlp/email/rules", "dlp.email_rule.update", medium)
	list.add("PUT {a}/dlp/entries/custom/1", "dlp.entry.update", medium)
	list.add("POST {a}/dlp/patterns/validate", "dlp.pattern_test.view", info)
	list.add("PUT {a}/dlp/payload_log", "dlp.payload_log.update", medium)
	list.add("DELETE {a}/dlp/profiles/predefined/1", "dlp.profile.delete", medium)
	list.add("PUT {a}/dlp/profiles/predefined/1/config", "dlp.profile.update", medium)
	list.add("DELETE {a}/dlp/settings", "dlp.settings.delete", medium)
	list.add("PATCH {a}/dlp/settings; PUT {a}/dlp/settings", "dlp.settings.update", medium)
	list.add("PUT {a}/dlp/payload_log", "dlp.payload_log.disable", medium, requestBody(`{"public_key":null}`))
	list.add("PUT {a}/dlp/settings", "dlp.payload_log.disable", medium, requestBody(`{"payload_logging":{"public_key":""}}`))
	list.add("PUT {a}/dlp/entries/predefined/1", "dlp.entry.disable", medium, requestBody(`{"enabled":false}`))
	return list
}

func TestDLP_EveryEntryIsUnderstoodAndGraded(t *testing.T) { dlpSuite.check(t) }
