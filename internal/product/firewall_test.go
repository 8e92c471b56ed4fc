package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Names that an update of a ruleset may have.
const rulesetUpdated = "?ruleset/rulesets_update; ?rulesets/update; ?rulesets.rules/update; ?rulesets.phases.http_request_firewall_custom.entrypoint/update"

// The rulesets that entries are about.
const (
	inAccount  = `"metadata":{"kind":"root","phase":"http_request_firewall_custom"}`
	inFirewall = `"metadata":{"kind":"zone","phase":"http_request_firewall_custom","zone_name":"example.com"}`
	inManaged  = `"metadata":{"kind":"zone","phase":"http_request_firewall_managed","zone_name":"example.com"}`
)

func rulesetChange(kind, zone string, was, is string) string {
	return logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom","kind":"`+kind+`","zone_name":"`+zone+`"}`, oldValue(was), newValue(is))
}

// rulesetOf is an entry about a ruleset of a phase, of which nothing more is known.
func rulesetOf(phase string) string {
	return logged("ruleset", "rulesets_update", `"metadata":{"phase":"`+phase+`","kind":"zone","zone_name":"example.com"}`, newValue(`{"name":"default"}`))
}

var firewallSuite = suite{
	pairs: slices.Concat(
		rows("/zone.firewall.rule.delete", "zone.firewall.rule.delete", medium, low, same, inZone),
		rows("/firewall_rule.disable", "firewall_rule.disable", high, medium, same, inZone),
		rows("/waf_rule.disable", "waf_rule.disable", high, medium, same, inZone),
		rows("?firewallrules/create; ?uarules/create; ?ratelimit/create", "zone.firewall.rule.create", medium, low, same, inZone, newValue(`{"description":"d"}`)),
		rows("?firewallrules/update; ?uarules/update; ?ratelimit/update; ?firewall.waf.packages/update; "+rulesetUpdated, "zone.firewall.rule.update", medium, low, same, inZone),
		rows("?firewallrules/delete; ?uarules/delete; ?ratelimit/delete; ?firewall.rules/delete; ?filters/delete; ?firewall.access_rules.rules/delete; "+
			"?firewall.ua_rules/delete; ?firewall.lockdowns/delete; ?firewall.waf.overrides/delete; ?rulesets.rules/delete; ?rulesets/delete; ?rate_limits/delete",
			"zone.firewall.rule.delete", medium, low, same, inZone, oldValue(`{"description":"d"}`)),
		rows("?rulesets.rules/delete; ?rulesets/delete", "zone.firewall.rule.delete", high, same, same, inAccount),
		rows("?firewallrules/update; ?uarules/update; ?ratelimit/update", "firewall_rule.disable", high, medium, low, inZone, values(`{"paused":false,"description":"d"}`, `{"paused":true,"description":"d"}`)),
		rows("?firewallrules/update; ?rulesets.rules/update", "firewall_rule.disable", high, medium, low, inZone, values(`{"id":"1","action":"block","enabled":true}`, `{"id":"1","action":"block","enabled":false}`)),
		rows(rulesetUpdated, "firewall_rule.disable", high, medium, low, inFirewall, values(`{"rules":[{"id":"1","action":"block","enabled":true}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
		rows(rulesetUpdated, "waf_rule.disable", high, medium, low, inManaged, values(`{"rules":[{"id":"1","action":"block","enabled":true}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
		rows("?firewall.waf.packages/update; ?waf_rule/update", "waf_rule.disable", high, medium, low, inZone, values(`{"id":"1","mode":"on"}`, `{"id":"1","mode":"off"}`)),
		rows(rulesetUpdated, "zone.firewall.rule.update", medium, low, low, inFirewall, values(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"log"}]}`)),
		rows(rulesetUpdated, "zone.firewall.rule.update", medium, low, low, inFirewall, values(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"skip"}]}`)),
		rows("?firewallrules/update; ?rulesets.rules/update", "zone.firewall.rule.update", medium, low, low, inZone, values(`{"id":"1","action":"block"}`, `{"id":"1","action":"log"}`)),
		rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, low, inFirewall, values(`{"rules":[{"id":"1","action":"block"},{"id":"2","action":"log"}]}`, `{"rules":[{"id":"2","action":"log"}]}`)),
		rows(rulesetUpdated, "zone.firewall.rule.delete", high, same, low, inAccount, values(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[]}`)),
		rows(rulesetUpdated, "firewall_rule.disable", high, same, low, inAccount, values(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
		rows(rulesetUpdated, "zone.firewall.rule.update", high, same, low, inAccount, values(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"log"}]}`)),
		rows("?ratelimit/update; ?rate_limits/update", "zone.firewall.rule.update", medium, low, low, inZone, values(`{"threshold":10}`, `{"threshold":1000}`)),
		rows("?firewall.access_rules.rules/create; ?access_rule/create", "zone.firewall.rule.create", medium, low, same, inZone, newValue(`{"mode":"whitelist"}`)),
		rows("?firewall.access_rules.rules/create; ?access_rule/create", "zone.firewall.rule.create", low, same, same, inZone, newValue(`{"mode":"block"}`)),
		rows("firewall.waf.packages/view", "zone.firewall.rule.view", info, same, same),
		rows(rulesetUpdated, "zone.ruleset.redirect.update", medium, same, same, `"metadata":{"kind":"zone","phase":"http_request_dynamic_redirect","zone_name":"example.com"}`),
		rows(rulesetUpdated, "zone.ruleset.origin.update", medium, same, same, `"metadata":{"kind":"zone","phase":"http_request_origin","zone_name":"example.com"}`),
		rows(rulesetUpdated, "zone.ruleset.config.update", medium, same, low, `"metadata":{"kind":"zone","phase":"http_config_settings","zone_name":"example.com"}`,
			values(`{"rules":[{"id":"1","action_parameters":{"bic":true}}]}`, `{"rules":[{"id":"1","action_parameters":{"bic":false}}]}`)),
		// Deleting a rule that lets requests through protects more, unless another rule
		// is deleted or weakened along with it.
		rows("?firewallrules/delete", "zone.firewall.rule.delete", low, same, same, inZone, oldValue(`{"action":"allow"}`)),
		rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, same, inFirewall, values(`{"rules":[{"id":"1","action":"skip"},{"id":"2","action":"x"}]}`, `{"rules":[]}`)),
		rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, same, inFirewall, values(`{"rules":[{"id":"2","action":"x"},{"id":"1","action":"skip"}]}`, `{"rules":[]}`)),
		rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, same, inFirewall, values(`{"rules":[{"id":"1","action":"skip"},{"id":"2","action":"block"}]}`, `{"rules":[{"id":"2","action":"log"}]}`)),
	),
	calls: firewallCalls(),
	examples: map[string]ruleExample{
		"firewall-disabled-production": {logged("firewallrules", "update", inProduction, oldValue(`{"paused":false}`), newValue(`{"paused":true}`)), logged("firewallrules", "update", inProduction, oldValue(`{"paused":true}`), newValue(`{"paused":false}`))},
		"firewall-disabled":            {logged("firewallrules", "disable", inStaging), logged("firewallrules", "disable", inProduction)},
		"firewall-rule-deleted-account": {rulesetChange("root", "", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[]}`),
			rulesetChange("zone", "example.com", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[]}`)},
		"firewall-rule-deleted-production": {logged("firewallrules", "delete", inProduction), logged("firewallrules", "delete", inStaging)},
		"firewall-rule-deleted":            {logged("firewallrules", "delete", inStaging), logged("firewallrules", "delete")},
		"firewall-weakened-account": {rulesetChange("root", "", `{"modified_rules":[{"id":"1","action":"block"}]}`, `{"modified_rules":[{"id":"1","action":"log"}]}`),
			rulesetChange("root", "", `{"modified_rules":[{"id":"1","action":"log"}]}`, `{"modified_rules":[{"id":"1","action":"block"}]}`)},
		"firewall-weakened":     {logged("access_rule", "create", inProduction, newValue(`{"mode":"whitelist"}`)), logged("access_rule", "create", inProduction, newValue(`{"mode":"block"}`))},
		"firewall-strengthened": {logged("firewallrules", "update", oldValue(`{"action":"log"}`), newValue(`{"action":"block"}`)), logged("firewallrules", "update", oldValue(`{"action":"block"}`), newValue(`{"action":"log"}`))},
		"firewall-rule-renamed": {logged("firewallrules", "update", inProduction, values(`{"description":"old","paused":false}`, `{"description":"new","paused":false}`)),
			logged("firewallrules", "update", inProduction, values(`{"description":"old","expression":"a"}`, `{"description":"new","expression":"b"}`))},
		"firewall-changed-production": {logged("firewallrules", "update", inProduction), logged("firewallrules", "update", inStaging)},
		"firewall-changed":            {logged("firewallrules", "update", inStaging), logged("firewallrules", "view", inStaging)},
		"snippet-rule-changed":        {rulesetOf("http_request_snippets"), rulesetOf("http_request_transform")},
		"log-fields-changed":          {rulesetOf("http_log_custom_fields"), rulesetOf("http_response_compression")},
		"error-page-rule-changed":     {rulesetOf("http_custom_errors"), rulesetOf("http_request_cache_settings")},
		"ruleset-version-deleted":     {requested("DELETE", "/zones/"+exampleZone+"/rulesets/1/versions/2"), requested("DELETE", "/zones/"+exampleZone+"/rulesets/1")},
		"ruleset-changed":             {rulesetOf("http_request_cache_settings"), rulesetOf("http_request_origin")},
		"redirect-rule-changed": {logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_dynamic_redirect","kind":"zone","zone_name":"example.com"}`, newValue(`{"name":"redirects"}`)),
			logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_transform","kind":"zone"}`)},
		"configuration-rule-weakens": {logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_config_settings","kind":"zone","zone_name":"example.com"}`, newValue(`{"name":"settings","modified_rules":[{"id":"1","action":"set_config","action_parameters":{"ssl":"off"}}]}`)),
			logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_config_settings","kind":"zone"}`, newValue(`{"modified_rules":[{"id":"1","action":"set_config","action_parameters":{"ssl":"strict","mirage":false}}]}`))},
	},
	facts: map[string]factCase{
		"account-wide ruleset": {
			raw:     logged("ruleset", "rulesets_update", `"metadata":{"kind":"root","phase":"http_request_firewall_custom","name":"all"}`),
			want:    rules.Facts{Target: "all", AccountWide: true},
			ruleset: true,
		},
	},
}

func firewallCalls() callList {
	var list callList
	for _, of := range []string{"{z}/firewall/rules", "{z}/filters", "{z}/firewall/access_rules/rules",
		"{z}/firewall/ua_rules", "{z}/firewall/lockdowns", "{z}/firewall/waf/overrides", "{z}/rate_limits"} {
		list.add("POST "+of, "zone.firewall.rule.create", medium)
		list.add("PUT "+of+"/1; PATCH "+of+"/1", "zone.firewall.rule.update", medium)
		list.add("DELETE "+of+"/1; DELETE "+of, "zone.firewall.rule.delete", medium)
		list.add("GET "+of, "zone.firewall.rule.view", drop)
	}
	list.add("PATCH {z}/firewall/waf/packages/1/groups/1; PATCH {z}/firewall/waf/packages/1/rules/1; PATCH {z}/firewall/waf/packages/1", "waf_rule.disable", high, requestBody(`{"mode":"off"}`))
	list.add("GET {z}/firewall/waf/packages", "zone.firewall.rule.view", drop)
	list.add("PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint; PUT {z}/rulesets/phases/http_ratelimit/entrypoint; PUT {z}/rulesets/phases/ddos_l7/entrypoint; "+
		"PUT {z}/rulesets/phases/http_request_firewall_managed/entrypoint; PUT {z}/rulesets/1", "zone.firewall.rule.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {a}/rulesets/phases/http_request_firewall_custom/entrypoint", "zone.firewall.rule.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {z}/rulesets/phases/http_request_transform/entrypoint", "zone.ruleset.update", low, requestBody(`{"rules":[]}`))
	list.add("GET {z}/rulesets/phases/http_ratelimit/entrypoint; GET {a}/rulesets", "zone.firewall.rule.view", drop)
	list.add("POST {z}/rulesets/1/rules", "zone.firewall.rule.create", low, requestBody(`{"action":"block"}`))
	list.add("POST {z}/rulesets/1/rules", "zone.firewall.rule.create", medium, requestBody(`{"action":"skip"}`))
	list.add("POST {a}/rulesets/1/rules", "zone.firewall.rule.create", high, requestBody(`{"action":"skip"}`))
	list.add("PATCH {z}/rulesets/1/rules/1; PUT {z}/rulesets/1/rules/1", "firewall_rule.disable", high, requestBody(`{"enabled":false}`))
	list.add("PATCH {z}/rulesets/1/rules/1", "zone.firewall.rule.rename", low, requestBody(`{"description":"d"}`))
	list.add("PATCH {z}/rulesets/1/rules/1", "zone.firewall.rule.update", medium, requestBody(`{"position":{"index":1}}`), responseBody(`{"success":true,"result":{"rules":[{"id":"372e67954025e0ba6aaa6d586b9e0b59","description":"d"}]}}`))
	list.add("DELETE {z}/rulesets/1/rules/1; DELETE {z}/rulesets/1", "zone.firewall.rule.delete", medium)
	list.add("DELETE {z}/rulesets/1/versions/1; DELETE {a}/rulesets/1/versions/1", "zone.ruleset.version.delete", low)
	list.add("PUT {z}/rulesets/phases/http_request_snippets/entrypoint", "zone.ruleset.snippet.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {z}/rulesets/phases/http_log_custom_fields/entrypoint", "zone.ruleset.log_fields.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {a}/rulesets/phases/http_custom_errors/entrypoint", "zone.ruleset.error_page.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {z}/rulesets/phases/http_request_cloud_connector/entrypoint", "zone.ruleset.origin.update", medium, requestBody(`{"rules":[]}`))
	list.add("DELETE {a}/rulesets/1/rules/1; DELETE {a}/rulesets/1; DELETE {a}/firewall/access_rules/rules/1; DELETE /user/firewall/access_rules/rules/1", "zone.firewall.rule.delete", high)
	list.add("PUT {z}/rulesets/phases/http_request_dynamic_redirect/entrypoint", "zone.ruleset.redirect.update", medium, requestBody(`{"rules":[]}`))
	list.add("PUT {z}/rulesets/phases/http_config_settings/entrypoint", "zone.ruleset.config.update", medium, requestBody(`{"rules":[{"action_parameters":{"security_level":"off"}}]}`))
	list.add("PUT {z}/rulesets/phases/http_config_settings/entrypoint", "zone.ruleset.config.update", low, requestBody(`{"rules":[{"action_parameters":{"polish":"off"}}]}`))
	return list
}

func TestFirewall_EveryEntryIsUnderstoodAndGraded(t *testing.T) { firewallSuite.check(t) }

func TestFirewall_TellsWeakerFromSafer(t *testing.T) {
	t.Parallel()
	const custom, managed = "http_request_firewall_custom", "http_request_firewall_managed"
	update := func(phase, was, is string) string {
		return logged("ruleset", "rulesets_update", `"metadata":{"phase":"`+phase+`","kind":"zone","zone_name":"example.com"}`,
			oldValue(was), newValue(is))
	}
	list := func(list ...string) string { return `{"modified_rules":[` + strings.Join(list, ",") + `]}` }
	rule := func(id, enabled, action string) string {
		return `{"id":"` + id + `","enabled":` + enabled + `,"action":"` + action + `","description":"rule ` + id + `"}`
	}
	execute := func(overrides string) string {
		return `{"id":"x","action":"execute","action_parameters":{"id":"m","overrides":` + overrides + `}}`
	}
	single := func(resource, action, was, is string) string {
		return logged(resource, action, inZone, oldValue(was), newValue(is))
	}
	for name, tt := range map[string]struct{ raw, action, direction, target string }{
		"rule switched off": {update(custom, list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", rules.Weaker, "rule 1"},
		"managed rule switched off": {update(managed, list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"waf_rule.disable", rules.Weaker, "rule 1"},
		"rate limit switched off": {update("http_ratelimit", list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", rules.Weaker, "rule 1"},
		"two rules switched off": {update(custom, list(rule("1", "true", "block"), rule("2", "true", "log")), list(rule("1", "false", "block"), rule("2", "false", "log"))),
			"firewall_rule.disable", rules.Weaker, "rule 1 and 1 more"},
		"rule switched on": {update(custom, list(rule("1", "false", "block")), list(rule("1", "true", "block"))),
			"firewall_rule.enable", rules.Safer, "rule 1"},
		"switched off, and another deleted": {update(custom, list(rule("1", "true", "block"), rule("2", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", rules.Weaker, "rule 1"},
		"block to log": {update(custom, list(rule("1", "true", "block")), list(rule("1", "true", "log"))),
			"zone.firewall.rule.update", rules.Weaker, "rule 1"},
		"block to skip": {update(custom, list(rule("1", "true", "block")), list(rule("1", "true", "skip"))),
			"zone.firewall.rule.update", rules.Weaker, "rule 1"},
		"log to block": {update(custom, list(rule("1", "true", "log")), list(rule("1", "true", "managed_challenge"))),
			"zone.firewall.rule.update", rules.Safer, "rule 1"},
		"one up, one down": {update(custom, list(rule("1", "true", "log"), rule("2", "true", "block")), list(rule("1", "true", "block"), rule("2", "true", "log"))),
			"zone.firewall.rule.update", rules.Weaker, "rule 2"},
		"rule deleted": {update(custom, list(rule("1", "true", "block"), rule("2", "true", "block")), list(rule("2", "true", "block"))),
			"zone.firewall.rule.delete", rules.Weaker, "rule 1"},
		"last rule deleted": {update(custom, list(rule("1", "true", "block")), list()),
			"zone.firewall.rule.delete", rules.Weaker, "rule 1"},
		"exemption deleted": {update(custom, list(rule("1", "true", "skip")), list()),
			"zone.firewall.rule.delete", rules.Safer, "rule 1"},
		"rule listed as deleted": {update(custom, `{}`, `{"deleted_rules":[`+rule("1", "true", "block")+`]}`),
			"zone.firewall.rule.delete", rules.Weaker, "rule 1"},
		"rule added": {update(custom, list(), list(rule("1", "true", "block"))),
			"zone.firewall.rule.create", rules.Safer, "rule 1"},
		"exemption added": {update(custom, list(), list(rule("1", "true", "skip"))),
			"zone.firewall.rule.create", rules.Weaker, "rule 1"},
		"only part of the rules shown": {update(custom, `{"rules":[`+rule("1", "true", "block")+`,`+rule("2", "true", "block")+`]}`, list(rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "rule 1"},
		"nothing known of before": {update(custom, `{}`, list(rule("1", "false", "block"))),
			"firewall_rule.disable", rules.Weaker, "rule 1"},
		"expression changed": {update(custom, list(rule("1", "true", "block"), `{"id":"2","expression":"a"}`, rule("3", "true", "log")),
			list(rule("1", "true", "block"), `{"id":"2","expression":"b","description":"rule 2"}`, rule("3", "true", "log"))),
			"zone.firewall.rule.update", "", "rule 2"},
		"nothing changed": {update(custom, list(rule("1", "true", "block")), list(rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "r1"},
		"rule deleted from the middle": {update(custom, list(rule("1", "true", "block"), rule("2", "true", "block"), rule("3", "true", "log")), list(rule("1", "true", "block"), rule("3", "true", "log"))),
			"zone.firewall.rule.delete", rules.Weaker, "rule 2"},
		"rules in another order": {update(custom, list(rule("1", "true", "block"), rule("2", "true", "log")), list(rule("2", "true", "log"), rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "rule 2"},
		"not a firewall": {update("http_request_cache_settings", list(rule("1", "true", "set")), list(rule("1", "false", "set"))),
			"zone.ruleset.update", "", "rule 1"},

		"managed ruleset overridden to log":   {update(managed, list(execute(`{}`)), list(execute(`{"action":"log"}`))), "zone.firewall.rule.update", rules.Weaker, "*"},
		"managed ruleset overridden off":      {update(managed, list(execute(`{}`)), list(execute(`{"enabled":false}`))), "waf_rule.disable", rules.Weaker, "*"},
		"one managed rule off":                {update(managed, list(execute(`{}`)), list(execute(`{"rules":[{"id":"r9","enabled":false}]}`))), "waf_rule.disable", rules.Weaker, "r9"},
		"one managed category off":            {update(managed, list(execute(`{}`)), list(execute(`{"categories":[{"category":"wordpress","enabled":false}]}`))), "waf_rule.disable", rules.Weaker, "wordpress"},
		"override taken back":                 {update(managed, list(execute(`{"rules":[{"id":"r9","enabled":false}]}`)), list(execute(`{}`))), "waf_rule.enable", rules.Safer, "x"},
		"firewall rule paused":                {single("firewallrules", "update", `{"paused":false,"action":"block","description":"d"}`, `{"paused":true,"action":"block","description":"d"}`), "firewall_rule.disable", rules.Weaker, "d"},
		"firewall rule resumed":               {single("firewallrules", "update", `{"paused":true,"description":"d"}`, `{"paused":false,"description":"d"}`), "firewall_rule.enable", rules.Safer, "d"},
		"firewall rule weakened":              {single("firewallrules", "update", `{"action":"block","description":"d"}`, `{"action":"allow","description":"d"}`), "zone.firewall.rule.update", rules.Weaker, "d"},
		"address allowed":                     {single("access_rule", "create", `{}`, `{"mode":"whitelist","notes":"n"}`), "zone.firewall.rule.create", rules.Weaker, "n"},
		"address without a note":              {single("access_rule", "create", `{}`, `{"mode":"whitelist","configuration":{"target":"ip","value":"203.0.113.66"}}`), "zone.firewall.rule.create", rules.Weaker, "203.0.113.66"},
		"address blocked":                     {single("access_rule", "create", `{}`, `{"mode":"block","notes":"n"}`), "zone.firewall.rule.create", rules.Safer, "n"},
		"WAF rule off":                        {single("waf_rule", "update", `{"mode":"on","description":"d"}`, `{"mode":"off","description":"d"}`), "waf_rule.disable", rules.Weaker, "d"},
		"rate limit raised":                   {single("ratelimit", "update", `{"threshold":10}`, `{"threshold":100}`), "zone.firewall.rule.update", rules.Weaker, "r1"},
		"rate limit lowered":                  {single("ratelimit", "update", `{"threshold":100}`, `{"threshold":10}`), "zone.firewall.rule.update", rules.Safer, "r1"},
		"WAF switched off by the old setting": {logged("zone", "change_setting", `"metadata":{"name":"waf","type":"firewall","value":"off","old_value":"on"}`), "waf_rule.disable", rules.Weaker, "waf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := understood(t, tt.raw)
			assert.Equal(t, tt.action, got.Action)
			assert.Equal(t, tt.direction, got.Direction)
			assert.Equal(t, tt.target, got.Target)
		})
	}
}

// Elements that both lists have may be left out, but only from both.
func TestAppendDiffering_LeavesOutTheSameElementsOfBothLists(t *testing.T) {
	t.Parallel()
	lists := [][]string{nil}
	for _, a := range []string{"1", "2", "3"} {
		lists = append(lists, []string{a})
		for _, b := range []string{"1", "2", "3"} {
			lists = append(lists, []string{a, b})
			for _, c := range []string{"1", "2", "3"} {
				lists = append(lists, []string{a, b, c}, []string{a, b, c, "1"})
			}
		}
	}
	array := func(list []string) (text string, count map[string]int) {
		count = make(map[string]int)
		var elements []string
		for _, id := range list {
			element := `{"id":"` + id + `"}`
			elements = append(elements, element)
			count[element]++
		}
		return "[" + strings.Join(elements, ",") + "]", count
	}
	for _, old := range lists {
		for _, now := range lists {
			before, left := array(old)
			after, right := array(now)
			was, is := differing(t, before, after)
			for _, v := range was {
				left[v]--
			}
			for _, v := range is {
				right[v]--
			}
			for _, id := range []string{`{"id":"1"}`, `{"id":"2"}`, `{"id":"3"}`} {
				assert.Equal(t, left[id], right[id], "%s and %s differ in %v and %v", before, after, was, is)
				assert.GreaterOrEqual(t, left[id], 0)
			}
			if before == after {
				assert.Empty(t, was)
			}
		}
	}
	// Rules that stay as they are cost nothing.
	was, is := differing(t, `[{"id":1},{"id":2},{"id":3}]`, `[{"id":1},{"id":3}]`)
	assert.Equal(t, []string{`{"id":2}`}, was)
	assert.Empty(t, is)
	was, is = differing(t, `[{"id":1},{"id":3}]`, `[ {"id":1}, {"id":2,"x":0},{"id":3}]`)
	assert.Empty(t, was)
	assert.Equal(t, []string{`{"id":2,"x":0}`}, is)
}

// differing is what appendDiffering keeps of two arrays.
func differing(t *testing.T, before, after string) (was, is []string) {
	t.Helper()
	old, now := appendDiffering(nil, nil, parsed(t, before), parsed(t, after))
	for _, v := range old {
		was = append(was, v.Source())
	}
	for _, v := range now {
		is = append(is, v.Source())
	}
	return was, is
}

// The names of these actions have not been published, so any spelling may occur.
func TestFirewall_RecognisesEverySpellingOfADeletedRule(t *testing.T) {
	t.Parallel()
	c := grading(t, rules.Config{ProductionZones: oneOf{"example.com"}})
	for _, resource := range strings.Fields("firewallrules firewallrule firewall.rule filter filters ratelimit uarules zonelockdown wafrule wafrules ruleset rulesets rulesets.rule access_rule access_rules") {
		for _, deleted := range strings.Fields("del delete deleted remove removed") {
			raw := logged(resource, deleted, inZone)
			v, f := grade(t, c, raw)
			assert.Equal(t, "zone.firewall.rule.delete", f.Action, raw)
			assert.Equal(t, medium, v.Severity, raw)
		}
	}
}
