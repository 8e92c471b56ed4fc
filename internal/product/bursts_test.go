package product

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/rules"
)

// burstsSuite has the entry that each rule counts, and the most similar one that
// it does not.
var burstsSuite = suite{
	examples: map[string]ruleExample{
		"mass-deletion":      {logged("r2.bucket", "delete", `"resource":{"type":"r2.bucket","id":"backups"}`), logged("zone", "purge")},
		"token-mass-change":  {requested("POST", "/accounts/"+exampleAccount+"/tokens"), requested("GET", "/accounts/"+exampleAccount+"/tokens")},
		"member-mass-change": {requested("DELETE", "/accounts/"+exampleAccount+"/members/372e67954025e0ba6aaa6d586b9e0b59"), requested("GET", "/accounts/"+exampleAccount+"/members")},
		"access-mass-change": {logged("access.policy", "update"), logged("access.policy", "create")},
		"dns-mass-change":    {logged("dns.record", "create"), logged("dns.record", "create", `"actor":{"id":"1","type":"system"}`)},
	},
}

// counting are the ids of the rules that count an entry.
func counting(t testing.TB, c *rules.Classifier, raw string) (ids []string) {
	t.Helper()
	for _, r := range c.Bursts(&understood(t, raw).Facts, nil) {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestBursts_EachRuleCountsItsExampleAndNotTheNearestOne(t *testing.T) {
	t.Parallel()
	c := grading(t, rules.Config{})
	assert.Len(t, burstsSuite.examples, len(burstRules))
	for _, r := range burstRules {
		example := burstsSuite.examples[r.ID]
		assert.Contains(t, counting(t, c, example.yes), r.ID)
		assert.NotContains(t, counting(t, c, example.no), r.ID)
		v, _ := grade(t, c, example.yes)
		assert.NotEqual(t, r.ID, v.Rule, "a rule that counts grades nothing")
		failed := strings.NewReplacer(`"result":true`, `"result":false`, `"result":"success"`, `"result":"failure"`).Replace(example.yes)
		assert.NotEqual(t, example.yes, failed)
		assert.Empty(t, counting(t, c, failed), "an attempt that failed changes nothing")
	}
}

func TestBursts_WhatIsRemovedCountsAsDeletedWhateverItIs(t *testing.T) {
	t.Parallel()
	c := grading(t, rules.Config{})
	n := 0
	eachSuite(func(_ string, s *suite) {
		for _, raw := range s.entries() {
			f := understood(t, raw)
			last := f.Action[strings.LastIndexByte(f.Action, '.')+1:]
			if f.ActorKind == "system" || f.Failed || !slices.Contains([]string{"delete", "remove", "revoke"}, last) {
				continue
			}
			n++
			assert.Contains(t, counting(t, c, raw), "mass-deletion", raw)
		}
	})
	assert.Greater(t, n, 100)
}
