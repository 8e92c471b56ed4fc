package product

import (
	"slices"
	"testing"
)

var customPagesSuite = suite{
	pairs: slices.Concat(
		rows("?custom_page/update", "custom_page.update", medium, same, same),
	),
	calls: customPagesCalls(),
	examples: map[string]ruleExample{
		"custom-page-changed": {requested("PUT", "/zones/"+exampleZone+"/custom_pages/managed_challenge", requestBody(`{"state":"customized","url":"https://example.net/challenge"}`)), requested("DELETE", "/zones/"+exampleZone+"/custom_pages/assets/logo")},
		"custom-page-removed": {requested("DELETE", "/zones/"+exampleZone+"/custom_pages/assets/logo"), requested("PUT", "/zones/"+exampleZone+"/custom_pages/assets/logo")},
	},
}

func customPagesCalls() callList {
	var list callList
	list.add("PUT {z}/custom_pages/500_errors; PUT {a}/custom_pages/500_errors", "custom_page.update", medium, requestBody(`{"state":"customized","url":"https://example.net/500"}`))
	list.add("POST {z}/custom_pages/assets; POST {a}/custom_pages/assets", "custom_page.asset.create", medium)
	list.add("PUT {z}/custom_pages/assets/logo", "custom_page.asset.update", medium)
	list.add("DELETE {z}/custom_pages/assets/logo", "custom_page.asset.delete", low)
	return list
}

func TestCustomPages_EveryEntryIsUnderstoodAndGraded(t *testing.T) { customPagesSuite.check(t) }
