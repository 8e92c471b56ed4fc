package product

import (
	"slices"
	"testing"
)

var listsSuite = suite{
	pairs: slices.Concat(
		rows("?rules_list/create; ?rules.list/delete", "", low, same, same, newValue(`{"name":"office"}`)),
		rows("?rules_list.item/create", "rules_list.item.create", medium, same, same, newValue(`{"ip":"192.0.2.0/24"}`)),
	),
	calls: listsCalls(),
	examples: map[string]ruleExample{
		"bulk-redirects-changed": {requested("POST", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"redirect":{"source_url":"example.com/login","target_url":"https://example.net/"}}]`)),
			requested("DELETE", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`{"items":[{"redirect":{"source_url":"example.com/login"}}]}`))},
		"list-items-changed": {requested("POST", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"ip":"203.0.113.66"},{"ip":"198.51.100.0/24"}]`)),
			requested("POST", "/accounts/"+exampleAccount+"/rules/lists", requestBody(`{"kind":"ip","name":"office"}`))},
		"list-changed": {requested("POST", "/accounts/"+exampleAccount+"/rules/lists", requestBody(`{"kind":"ip","name":"office"}`)), requested("GET", "/accounts/"+exampleAccount+"/rules/lists/1")},
	},
	moves: map[string]moveCase{
		"redirect": {requested("POST", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"redirect":{"source_url":"example.com/login","target_url":"https://example.net/"}}]`)),
			"rules_list.redirect.create", "", "example.com/login to https://example.net/"},
		"addresses":         {requested("POST", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"ip":"203.0.113.66"},{"ip":"198.51.100.0/24"}]`)), "rules_list.item.create", "", "203.0.113.66 and 1 more"},
		"hostname":          {requested("PUT", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"hostname":{"url_hostname":"a.example.com"}}]`)), "rules_list.item.update", "", "a.example.com"},
		"network":           {requested("PUT", "/accounts/"+exampleAccount+"/rules/lists/1/items", requestBody(`[{"asn":64496}]`)), "rules_list.item.update", "", "64496"},
		"items by their id": {requested("DELETE", "/accounts/"+exampleAccount+"/rules/lists/7e/items", requestBody(`{"items":[{"id":"1"}]}`)), "rules_list.item.delete", "", "7e"},
	},
}

func listsCalls() callList {
	var list callList
	list.add("POST {a}/rules/lists", "rules_list.create", low, requestBody(`{"kind":"ip","name":"office"}`))
	list.add("PUT {a}/rules/lists/1", "rules_list.update", low)
	list.add("DELETE {a}/rules/lists/1", "rules_list.delete", low)
	list.add("POST {a}/rules/lists/1/items", "rules_list.item.create", medium, requestBody(`[{"ip":"192.0.2.0/24"}]`))
	list.add("PUT {a}/rules/lists/1/items", "rules_list.item.update", medium)
	list.add("DELETE {a}/rules/lists/1/items", "rules_list.item.delete", medium, requestBody(`{"items":[{"id":"1"}]}`))
	list.add("POST {a}/rules/lists/1/items", "rules_list.redirect.create", medium, requestBody(`[{"redirect":{"source_url":"example.com/login","target_url":"https://example.net/"}}]`))
	list.add("PUT {a}/rules/lists/1/items", "rules_list.redirect.update", medium, requestBody(`[{"redirect":{"source_url":"example.com/login","target_url":"https://example.net/"}}]`))
	list.add("GET {a}/rules/lists/1", "rules_list.view", drop)
	return list
}

func TestLists_EveryEntryIsUnderstoodAndGraded(t *testing.T) { listsSuite.check(t) }
