package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exampleEntries are, by rule of docs/rules.example.yaml, an entry that it
// decides on and its grade. The default rule that is switched off decides none.
var exampleEntries = map[string]struct{ grade, entry string }{
	"terraform-dns": {"info", `"action":{"type":"rec_add","result":true},"interface":"API","actor":{"type":"user","email":"terraform@example.com","ip":"192.0.2.7"},
		"resource":{"type":"DNS_record"},"newValueJson":{"type":"A","name":"www.example.com","content":"192.0.2.1"}`},
	"dns-by-hand": {"high", `"action":{"type":"rec_add","result":true},"interface":"UI","actor":{"type":"user","email":"terraform@example.com","ip":"203.0.113.7"},
		"resource":{"type":"DNS_record"},"newValueJson":{"type":"A","name":"www.example.com","content":"192.0.2.1"}`},
	"old-tls-allowed": {"high", `"action":{"type":"change_setting","result":true},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"zone"},
		"metadata":{"name":"min_tls_version","old_value":"1.3","value":"1.1","zone_name":"example.com"}`},
	"shop-weakened": {"critical", `"action":{"type":"change_setting","result":true},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"zone"},
		"metadata":{"name":"ssl","old_value":"strict","value":"off","zone_name":"shop.example.com"}`},
	"break-glass-used": {"critical", `"action":{"type":"purge","result":true},"actor":{"type":"user","email":"break-glass@example.com"},"resource":{"type":"zone"}`},
	"token-attempt-failed": {"medium", `"action":{"type":"token_create","result":false},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"account"},
		"metadata":{"token_name":"ci"}`},
	"office-sign-ins": {"drop", `"action":{"type":"login","result":true},"actor":{"type":"user","email":"alice@example.com","ip":"2001:db8::7"},"resource":{"type":"account"}`},
	"cache-purged":    {"info", `"action":{"type":"purge","result":true},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"zone"}`},
	"zone-created":    {"low", `"action":{"type":"add","result":true},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"zone"}`},
}

func TestDocs_EachRuleOfTheExampleDecides(t *testing.T) {
	t.Parallel()
	const example = "../../docs/rules.example.yaml"
	got := command(t, "rules", "--rules", example, "--check")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "10 rules: valid\n", got.out)
	assert.Empty(t, got.err, "nothing looks mistaken")

	var entries strings.Builder
	for id, x := range exampleEntries {
		entry := fmt.Sprintf(`{"id":%q,"when":"2026-05-12T10:00:00Z",%s}`, id, x.entry)
		require.True(t, json.Valid([]byte(entry)), entry)
		entries.WriteString(entry + "\n")
	}
	got = call{args: []string{"rules", "--rules", example, "--stats", "--format", "json"}, stdin: entries.String()}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	var stats ruleStats
	require.NoError(t, json.Unmarshal([]byte(got.out), &stats))
	decided := 0
	for _, r := range stats.Rules {
		want, listed := exampleEntries[r.Rule]
		if !listed {
			assert.Zero(t, r.Entries, r.Rule)
			assert.False(t, r.Own, "%s has an entry", r.Rule)
			continue
		}
		decided++
		assert.Equal(t, 1, r.Entries, r.Rule)
		if want.grade == "drop" {
			assert.Equal(t, 1, r.Dropped, r.Rule)
			continue
		}
		for severity, n := range r.Graded {
			assert.Equal(t, []any{want.grade, 1}, []any{string(severity), n}, r.Rule)
		}
	}
	assert.Equal(t, len(exampleEntries), decided)
}

// Rules in the documents are valid, and nothing in them looks mistaken.
func TestDocs_RulesInThemAreSound(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range []string{"README.md", "docs/rules.md", "docs/severity.md"} {
		for _, m := range regexp.MustCompile("(?s)```(json|yaml)\n(.*?)```").FindAllStringSubmatch(read(t, "../../"+name), -1) {
			if !strings.Contains(m[2], `"match": {`) && !strings.Contains(m[2], "match:") {
				continue
			}
			found++
			got := command(t, "rules", "--check", "--rules", ruleFileNamed(t, "."+m[1], m[2]))
			assert.Equal(t, exitOK, got.code, "%s: %s", name, got.err)
			assert.Empty(t, got.err, name)
		}
	}
	assert.GreaterOrEqual(t, found, 3)
}
