package product

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// rulesChanged is an entry about the rules of a ruleset before and after.
func rulesChanged(phase string, was, is []string) string {
	list := func(rules []string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }
	return logged("ruleset", "rulesets_update", `"metadata":{"phase":"`+phase+`","kind":"zone","zone_name":"example.com"}`, values(list(was), list(is)))
}

// Each member of a rule that changes is a change of the event, and moves the
// protection where that is certain.
func TestControls_EachMemberOfARuleIsCompared(t *testing.T) {
	t.Parallel()
	const custom = "http_request_firewall_custom"
	const skip = `"action":"skip","action_parameters":`
	const execute = `"action":"execute","action_parameters":`
	for name, tt := range map[string]struct {
		phase, was, is string
		action         string
		direction      string
		reversed       string // the direction of the opposite change
		field          string
		old, now       string
	}{
		"expression":  {custom, `"action":"block","expression":"a"`, `"action":"block","expression":"b"`, "update", "", "", "expression", "a", "b"},
		"action":      {custom, `"action":"block"`, `"action":"log"`, "update", rules.Weaker, rules.Safer, "action", "block", "log"},
		"description": {custom, `"action":"block","description":"a"`, `"action":"block","description":"b"`, "rename", "", "", "description", "a", "b"},
		"requests": {"http_ratelimit", `"action":"block","ratelimit":{"requests_per_period":10,"period":60}`, `"action":"block","ratelimit":{"requests_per_period":100,"period":60}`,
			"update", rules.Weaker, rules.Safer, "ratelimit.requests_per_period", "10", "100"},
		"period": {"http_ratelimit", `"action":"block","ratelimit":{"requests_per_period":10,"period":60}`, `"action":"block","ratelimit":{"requests_per_period":10,"period":10}`,
			"update", rules.Weaker, rules.Safer, "ratelimit.period", "60", "10"},
		"requests and period": {"http_ratelimit", `"action":"block","ratelimit":{"requests_per_period":100,"period":60}`, `"action":"block","ratelimit":{"requests_per_period":10,"period":10}`,
			"update", "", "", "ratelimit.requests_per_period", "100", "10"},
		"timeout": {"http_ratelimit", `"action":"block","ratelimit":{"mitigation_timeout":600}`, `"action":"block","ratelimit":{"mitigation_timeout":10}`,
			"update", rules.Weaker, rules.Safer, "ratelimit.mitigation_timeout", "600", "10"},
		"complexity": {"http_ratelimit", `"action":"block","ratelimit":{"score_per_period":10}`, `"action":"block","ratelimit":{"score_per_period":100}`,
			"update", rules.Weaker, rules.Safer, "ratelimit.score_per_period", "10", "100"},
		"what is counted": {"http_ratelimit", `"action":"block","ratelimit":{"characteristics":["ip.src"]}`, `"action":"block","ratelimit":{"characteristics":["cf.colo.id"]}`,
			"update", "", "", "ratelimit.characteristics", "ip.src", "cf.colo.id"},
		"phases skipped": {custom, skip + `{"phases":["http_ratelimit"]}`, skip + `{"phases":["http_ratelimit","http_request_firewall_managed"]}`,
			"update", rules.Weaker, rules.Safer, "action_parameters.phases", "http_ratelimit", "http_ratelimit, http_request_firewall_managed"},
		"products skipped": {custom, skip + `{"products":["waf"]}`, skip + `{"products":["waf","bic"]}`,
			"update", rules.Weaker, rules.Safer, "action_parameters.products", "waf", "waf, bic"},
		"ruleset skipped": {custom, skip + `{"phases":["http_ratelimit"]}`, skip + `{"phases":["http_ratelimit"],"ruleset":"current"}`,
			"update", rules.Weaker, rules.Safer, "action_parameters.ruleset", "", "current"},
		"rules skipped": {custom, skip + `{"rules":{"m":["1"]}}`, skip + `{"rules":{"m":["1","2"]}}`,
			"update", rules.Weaker, rules.Safer, "action_parameters.rules.m", "1", "1, 2"},
		"rules of another ruleset skipped": {custom, skip + `{"rules":{"m":["1"]}}`, skip + `{"rules":{"m":["1"],"n":["2"]}}`,
			"update", rules.Weaker, rules.Safer, "action_parameters.rules.n", "", "2"},
		"others skipped instead": {custom, skip + `{"phases":["http_ratelimit"]}`, skip + `{"phases":["http_request_sbfm"]}`,
			"update", rules.Weaker, rules.Weaker, "action_parameters.phases", "http_ratelimit", "http_request_sbfm"},
		"logging": {custom, `"action":"block","logging":{"enabled":true}`, `"action":"block","logging":{"enabled":false}`,
			"update", rules.Weaker, rules.Safer, "logging.enabled", "true", "false"},
		"version": {"http_request_firewall_managed", execute + `{"id":"m","version":"latest"}`, execute + `{"id":"m","version":"3"}`,
			"update", "", "", "action_parameters.version", "latest", "3"},
		"score threshold": {"http_request_firewall_managed", execute + `{"id":"m","overrides":{"rules":[{"id":"r9","score_threshold":25}]}}`,
			execute + `{"id":"m","overrides":{"rules":[{"id":"r9","score_threshold":60}]}}`,
			"update", rules.Weaker, rules.Safer, "r9: score_threshold", "25", "60"},
		"sensitivity": {"ddos_l7", execute + `{"id":"m","overrides":{"sensitivity_level":"default"}}`, execute + `{"id":"m","overrides":{"sensitivity_level":"eoff"}}`,
			"update", rules.Weaker, rules.Safer, "*: sensitivity_level", "default", "eoff"},
		"redirect": {"http_request_dynamic_redirect", `"action":"redirect","action_parameters":{"from_value":{"target_url":{"value":"https://a.example.com"}}}`,
			`"action":"redirect","action_parameters":{"from_value":{"target_url":{"value":"https://b.example.com"}}}`,
			"zone.ruleset.redirect.update", "", "", "action_parameters.from_value.target_url", "value=https://a.example.com", "value=https://b.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, is := `{"id":"1",`+tt.was+`,"version":"1"}`, `{"id":"1",`+tt.is+`,"version":"2"}`
			f := understood(t, rulesChanged(tt.phase, []string{was}, []string{is}))
			want := tt.action
			if !strings.Contains(want, ".") {
				want = "zone.firewall.rule." + want
			}
			assert.Equal(t, want, f.Action)
			assert.Equal(t, tt.direction, f.Direction)
			id, field, found := strings.Cut(tt.field, ": ")
			if !found {
				id, field = "1", tt.field
			}
			var fields []string
			for _, c := range f.Changes {
				fields = append(fields, c.Field)
				if c.Field == "rules."+id+"."+field {
					assert.Equal(t, tt.old, c.Old)
					assert.Equal(t, tt.now, c.New)
				}
			}
			assert.Contains(t, fields, "rules."+id+"."+field)
			assert.NotContains(t, fields, "rules.1.version", "it changes along with others")
			assert.Equal(t, tt.reversed, understood(t, rulesChanged(tt.phase, []string{is}, []string{was})).Direction)
		})
	}
}

// A rule that is not part of a ruleset is compared by the same standard.
func TestControls_ARuleOfItsOwnIsComparedLikeOneOfARuleset(t *testing.T) {
	t.Parallel()
	for was, is := range map[string]string{
		`{"threshold":10}`:                            `{"threshold":20}`,
		`{"period":60}`:                               `{"period":10}`,
		`{"action":{"mode":"ban","timeout":600}}`:     `{"action":{"mode":"ban","timeout":10}}`,
		`{"action":"bypass","products":["waf"]}`:      `{"action":"bypass","products":["waf","bic"]}`,
		`{"logging":{"enabled":true}}`:                `{"logging":{"enabled":false}}`,
		`{"ratelimit":{"requests_per_period":1}}`:     `{"ratelimit":{"requests_per_period":2}}`,
		`{"action":"block","ratelimit":{"period":9}}`: `{"action":"block","ratelimit":{"period":8}}`,
	} {
		down, up := understood(t, logged("ratelimit", "update", inZone, values(was, is))), understood(t, logged("ratelimit", "update", inZone, values(is, was)))
		assert.Equal(t, rules.Weaker, down.Direction, "%s", is)
		assert.Equal(t, rules.Safer, up.Direction, "%s", is)
		assert.NotEmpty(t, down.Changes)
		for _, c := range down.Changes {
			assert.NotContains(t, c.Field, "rules.", "the change is recorded once")
		}
	}
}

// Whatever happens to other rules, before or after it, the rule that was switched
// off gives the event its action, its target and its first change.
func TestControls_ADisabledRuleNeverHidesBehindAnother(t *testing.T) {
	t.Parallel()
	off := [2]string{`{"id":"off","description":"the wall","action":"block","enabled":true}`, `{"id":"off","description":"the wall","action":"block","enabled":false}`}
	for name, other := range map[string][2]string{
		"changed":     {`{"id":"1","action":"block","expression":"a"}`, `{"id":"1","action":"block","expression":"b"}`},
		"weakened":    {`{"id":"1","action":"block"}`, `{"id":"1","action":"log"}`},
		"enabled":     {`{"id":"1","action":"block","enabled":false}`, `{"id":"1","action":"block","enabled":true}`},
		"deleted":     {`{"id":"1","action":"block"}`, ``},
		"added":       {``, `{"id":"1","action":"skip"}`},
		"renamed":     {`{"id":"1","description":"a"}`, `{"id":"1","description":"b"}`},
		"of its kind": {``, ``},
	} {
		for _, first := range []bool{true, false} {
			was, is := []string{off[0]}, []string{off[1]}
			for i := range maxChanges + 4 {
				// The names of the members tell the rules apart.
				numbered := func(rule string) string { return strings.Replace(rule, `"id":"1"`, fmt.Sprintf(`"id":"1%d"`, i), 1) }
				for side, list := range []*[]string{&was, &is} {
					if other[side] == "" {
						continue
					}
					if first {
						*list = append(*list, numbered(other[side]))
					} else {
						*list = append([]string{numbered(other[side])}, *list...)
					}
				}
			}
			f := understood(t, rulesChanged("http_request_firewall_custom", was, is))
			assert.Equal(t, "firewall_rule.disable", f.Action, name)
			assert.Equal(t, rules.Weaker, f.Direction, name)
			assert.Equal(t, "the wall", f.Target, name)
			var fields []string
			for _, c := range f.Changes {
				fields = append(fields, c.Field)
			}
			if assert.NotEmpty(t, fields, name) {
				assert.Equal(t, "rules.off.enabled", fields[0], name)
			}
		}
	}
	// An entry that has only the new rules says which one is off.
	f := understood(t, logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom","kind":"zone"}`,
		oldValue(`{}`), newValue(`{"modified_rules":[{"id":"1","action":"block"},{"id":"2","action":"block","enabled":false}]}`)))
	assert.Equal(t, "firewall_rule.disable", f.Action)
	assert.Equal(t, "2", f.Target)
}

// An entry may have the rules that were modified and those that were added in two
// lists.
func TestControls_EveryListOfAnEntryCounts(t *testing.T) {
	t.Parallel()
	f := understood(t, logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom","kind":"zone"}`,
		values(`{"modified_rules":[{"id":"1","action":"block","expression":"a"}],"added_rules":[]}`,
			`{"modified_rules":[{"id":"1","action":"block","expression":"b"}],"added_rules":[{"id":"2","action":"skip","description":"door"}]}`)))
	assert.Equal(t, "zone.firewall.rule.create", f.Action)
	assert.Equal(t, rules.Weaker, f.Direction)
	assert.Equal(t, "door", f.Target)
}

// Rules that change places are told with their places. Those that merely follow
// a deleted or added one have not moved.
func TestControls_RulesThatChangePlaces(t *testing.T) {
	t.Parallel()
	places := func(was, is string) (list []string) {
		rulesOf := func(ids string) (list []string) {
			for _, id := range ids {
				list = append(list, fmt.Sprintf(`{"id":"%c","action":"block"}`, id))
			}
			return list
		}
		for _, c := range understood(t, rulesChanged("http_request_firewall_custom", rulesOf(was), rulesOf(is))).Changes {
			if id, found := strings.CutSuffix(c.Field, ".position"); found {
				list = append(list, id[len("rules."):]+c.Old+c.New)
			}
		}
		return list
	}
	assert.ElementsMatch(t, []string{"a12", "b21"}, places("ab", "ba"))
	assert.ElementsMatch(t, []string{"a15", "e51"}, places("abcde", "ebcda"))
	assert.ElementsMatch(t, []string{"a13", "b21", "c32"}, places("abc", "bca"))
	assert.ElementsMatch(t, []string{"c34", "d43"}, places("abcd", "abdc"))
	for was, is := range map[string]string{"abcd": "bd", "bd": "abcd", "abc": "abc", "ab": "cd"} {
		assert.Empty(t, places(was, is), "%s to %s", was, is)
	}
}
