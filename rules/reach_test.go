package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestParse_FindsRulesThatCanNeverDecide(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for _, tt := range []struct {
		earlier, later string
		reached        bool
	}{
		{`{"action":"dns.*"}`, `{"action":"dns.*"}`, false},
		{`{"action":"dns.*"}`, `{"action":"dns.record.delete","record_type":"MX"}`, false},
		{`{"action":"dns.record.*"}`, `{"action":"dns.*"}`, true},
		{`{"action":"dns.record.*"}`, `{"action":["dns.record.delete","zone.delete"]}`, true},
		{`{"action":["dns.*","zone.*"]}`, `{"action":["zone.delete","dns.record.delete"]}`, false},
		{`{"action":"DNS.*"}`, `{"action":"dns.record.*"}`, false},
		{`{"action":"dns.*","production":true}`, `{"action":"dns.*"}`, true},
		{`{"action":"dns.*","production":true}`, `{"action":"dns.*","production":false}`, true},
		{`{"action":"dns.*","production":true}`, `{"action":"dns.record.create","production":true}`, false},
		{`{"source_ip":"192.0.2.0/24"}`, `{"source_ip":["192.0.2.7","192.0.2.128/25"]}`, false},
		{`{"source_ip":"192.0.2.0/25"}`, `{"source_ip":"192.0.2.0/24"}`, true},
		{`{"source_ip":"192.0.2.0/24"}`, `{"source_ip":"2001:db8::1"}`, true},
		{`{"source_ip":"192.0.2.0/24"}`, `{"actor":"a@example.com"}`, true},
		{`{"zone":"*.bücher.example"}`, `{"zone":"shop.xn--bcher-kva.example"}`, false},
		{`{"setting":"ssl*"}`, `{"setting":"ssl/tls_1_3"}`, true},
		{`{"setting":"ssl/*"}`, `{"setting":"ssl/tls_1_3"}`, false},
		{`{"changed":{"field":"content"}}`, `{"changed":{"field":"content","new":"192.0.2.*"}}`, false},
		{`{"changed":{"field":"content","new":"192.0.2.*"}}`, `{"changed":{"field":"content"}}`, true},
		{`{"changed":{"field":"content","old":"a*"}}`, `{"changed":{"field":"content","old":"ab","new":"c"}}`, false},
		{`{"changed":[{"field":"a"},{"field":"b"}]}`, `{"changed":[{"field":"b"},{"field":"c"}]}`, true},
		{`{"action":"*"}`, `{"target":"x"}`, true}, // never reached in fact, but that may be missed
	} {
		_, err := b.Parse([]byte(`[{"id":"first","severity":"low","match":` + tt.earlier + `},{"id":"second","severity":"high","match":` + tt.later + `}]`))
		if tt.reached {
			assert.NoError(t, err, "%s %s", tt.earlier, tt.later)
			continue
		}
		assert.ErrorContains(t, err, `rules[1] "second": match: is never reached, because rules[0] "first" comes before it`, "%s %s", tt.earlier, tt.later)
	}
	// A rule that drops leaves failed attempts to the next one, and one that is
	// switched off is not in the way.
	for _, first := range []string{`"drop":true`, `"severity":"low","disabled":true`} {
		_, err := b.Parse([]byte(`[{"id":"first",` + first + `,"match":{"action":"dns.*"}},{"id":"second","severity":"high","match":{"action":"dns.*"}}]`))
		assert.NoError(t, err, first)
	}
	_, err := b.Parse([]byte(`[{"id":"first","drop":true,"match":{"action":"dns.*"}},{"id":"second","severity":"high","match":{"action":"dns.*","outcome":"success"}}]`))
	assert.ErrorContains(t, err, "is never reached")
	_, err = b.NewClassifier(Config{Rules: []Rule{
		{ID: "first", Severity: low, Match: Match{Action: []string{"dns.*"}}}, {ID: "second", Severity: high, Match: Match{Action: []string{"dns.*"}}},
	}})
	assert.ErrorContains(t, err, "is never reached", "rules given as values are checked too")
}

func TestParse_FindsConditionsThatContradictTheAction(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for match, want := range map[string]string{
		`{"action":"dns.*","scope":"broad"}`:                            "match.scope: never holds for the actions of this rule: it is about api_token.*, api_key.*",
		`{"action":"worker.*","record_type":"MX"}`:                      "match.record_type: never holds",
		`{"action":["dns.record.create","zone.*"],"role":"other"}`:      "match.role: never holds",
		`{"action":"zone.delete","decision":"bypass"}`:                  "match.decision: never holds",
		`{"action":"dns.*","worker":"none"}`:                            "match.worker: never holds",
		`{"action":"dns.*","setting":"ssl"}`:                            "match.setting: never holds",
		`{"action":"member.*","own_token":true}`:                        "match.own_token: never holds",
		`{"action":"dns.*","account_wide":true}`:                        "match.account_wide: never holds",
		`{"action":"dns.record.delete","verb":"create"}`:                "match.verb: never holds for the actions of this rule: the verb of dns.record.delete is delete",
		`{"action":"dns.record.frob","verb":"create"}`:                  "match.verb: never holds for the actions of this rule: the verb of dns.record.frob is not known",
		`{"action":"dns.*","account_wide":false}`:                       "",
		`{"action":"dns.*","verb":"create"}`:                            "",
		`{"action":"*","scope":"broad"}`:                                "",
		`{"action":"api*","scope":"broad"}`:                             "",
		`{"action":"*.delete","record_type":"MX"}`:                      "",
		`{"action":["zone.delete","dns.*"],"record_type":"MX"}`:         "",
		`{"action":"dns.settings.update","record_type":"unknown"}`:      "",
		`{"action":"waf_rule.disable","setting":"waf"}`:                 "",
		`{"action":"account.2fa.*","setting":"enforce_twofactor"}`:      "",
		`{"action":["dns.record.delete","member.add"],"verb":"create"}`: "",
	} {
		_, err := b.Parse([]byte(`[{"id":"mine","severity":"low","match":` + match + `}]`))
		if want == "" {
			assert.NoError(t, err, match)
			continue
		}
		assert.ErrorContains(t, err, want, match)
	}
}

// What a rule is said to cover it must match, or good rules would be refused.
func TestCovers_IsNeverWrong(t *testing.T) {
	t.Parallel()
	c := newClassifier(t, Config{ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{"checkout*"}})
	tried, covered, matches := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tried++
		m := drawMatch(t)
		wide, narrow := compile(Rule{Match: m}, ""), compile(Rule{Match: narrowed(t, m)}, "")
		if !wide.covers(narrow) {
			return
		}
		covered++
		for range 200 {
			f := drawFacts(t)
			if narrow.failing(f, c) != "" {
				continue
			}
			matches++
			assert.Empty(t, wide.failing(f, c), "%+v is said to cover %+v, but not for %+v", wide.Match, narrow.Match, f)
		}
	})
	t.Logf("%d of %d pairs cover, and %d times both match", covered, tried, matches)
	// About a third cover. With -short there are too few to expect more than some.
	least := tried
	if testing.Short() {
		least = 0
	}
	assert.Greater(t, covered, least/10)
	assert.Greater(t, matches, least/20) // some pairs match often, most never
	for i, r := range c.table.defaults {
		for _, earlier := range c.table.defaults[:i] {
			assert.False(t, earlier.covers(r), "%s is never reached, because of %s", r.ID, earlier.ID)
		}
	}
}

// narrowed is a match that m may cover: with some of its texts put in the place of
// others, and at times a condition more.
func narrowed(t *rapid.T, m Match) Match {
	r := Rule{Match: m}
	m = r.clone().Match
	for _, of := range conditions {
		if of.list == nil || of.prefixes || len(of.values) > 0 {
			continue
		}
		for i := range *of.list(&m) {
			if rapid.Bool().Draw(t, "other") {
				(*of.list(&m))[i] = rapid.SampledFrom(patternTexts).Draw(t, "text")
			}
		}
	}
	if rapid.Bool().Draw(t, "more") {
		m.Verb = []string{"delete", "create"}
	}
	if rapid.Bool().Draw(t, "changes") {
		m.Changed = append(m.Changed, Change{Field: rapid.SampledFrom(patternTexts).Draw(t, "field")})
	}
	return m
}
