package product

import (
	"slices"
	"testing"
)

var pageRulesSuite = suite{
	pairs: slices.Concat(
		rows("pagerule/update", "zone.pagerule.update", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("?pagerule/create", "zone.pagerule.create", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("?pagerule/delete", "zone.pagerule.delete", low, same, same, `"metadata":{"pr_match":"example.com/*"}`),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"forwarding_url"}]}`)),
		rows("?pagerule/create", "zone.pagerule.create", medium, same, same, newValue(`{"actions":[{"id":"forwarding_url"}]}`)),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"waf","value":"on"}]}`, `{"actions":[{"id":"waf","value":"off"}]}`)),
		rows("pagerule/update", "zone.pagerule.update", medium, same, low, values(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"host_header_override","value":"a.example"}]}`)),
	),
	calls: pageRulesCalls(),
	examples: map[string]ruleExample{
		"page-rule-forwards":        {logged("pagerule", "update", newValue(`{"actions":[{"id":"forwarding_url"}]}`)), logged("pagerule", "update", newValue(`{"actions":[{"id":"cache_level"}]}`))},
		"page-rule-changed":         {logged("pagerule", "delete"), logged("pagerule", "create", newValue(`{"actions":[{"id":"forwarding_url"}]}`))},
		"page-rule-weakens":         {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, newValue(`{"actions":[{"id":"disable_security"}]}`)), logged("pagerule", "update", values(`{"actions":[{"id":"waf","value":"off"}]}`, `{"actions":[{"id":"waf","value":"on"}]}`))},
		"page-rule-leads-elsewhere": {logged("pagerule", "create", `"metadata":{"pr_match":"example.com/*"}`, newValue(`{"actions":[{"id":"resolve_override","value":"o.example.net"}]}`)), logged("pagerule", "create", newValue(`{"actions":[{"id":"cache_level"}]}`))},
	},
}

func pageRulesCalls() callList {
	var list callList
	list.add("POST {z}/pagerules", "zone.pagerule.create", medium, requestBody(`{"actions":[{"id":"forwarding_url"}],"targets":[{"constraint":{"value":"example.com/*"}}]}`))
	list.add("PUT {z}/pagerules/1; PATCH {z}/pagerules/1", "zone.pagerule.update", low)
	list.add("DELETE {z}/pagerules/1", "zone.pagerule.delete", low)
	return list
}

func TestPageRules_EveryEntryIsUnderstoodAndGraded(t *testing.T) { pageRulesSuite.check(t) }
