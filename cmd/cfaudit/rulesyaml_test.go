package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A user edits the rules that are in force: loaded again, they grade as before.
func TestRules_AsYAMLCanBeLoaded(t *testing.T) {
	t.Parallel()
	mine := ruleFileNamed(t, ".yaml", `
- {id: terraform, drop: true, match: {action: dns.*, actor: "terraform@*"}, why: "yes: #1 \u007f [x] 'it''s'"}
- {id: numbers, severity: high, match: {changed: {field: min_tls_version, new: "1.0"}, target: ["on", "1.0", "~", "*"]}}
- {id: cache-purged, severity: medium, techniques: []}
- {id: login, disabled: true}
`)
	for name, args := range map[string][]string{"the default rules": nil, "with a user's": {"--rules", mine}} {
		printed := command(t, append([]string{"rules", "--yaml"}, args...)...)
		require.Equal(t, exitOK, printed.code, printed.err)
		before := command(t, append([]string{"rules", "--json"}, args...)...)
		require.Equal(t, exitOK, before.code, before.err)
		again := ruleFileNamed(t, ".yaml", printed.out)
		after := command(t, "rules", "--json", "--rules", again)
		require.Equal(t, exitOK, after.code, after.err)
		assert.Equal(t, before.out, after.out, name)
		twice := command(t, "rules", "--yaml", "--rules", again)
		assert.Equal(t, printed.out, twice.out, name)
		assert.Contains(t, printed.out, "    action: [zone.settings.read]\n", "lists stand on one line")
	}
}

func TestWriteYAML_KeepsEveryJSONValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`[]`, `{}`, `null`, `"x"`, `[null,true,1.50,"","null","1.0","on","a: b","- c","#","*a","&a","\u0000\u007f\u2028é","two\nlines"]`,
		`{"b":{"z":[],"a":[[1],{"c":{}}]},"a":[1,2]}`,
	} {
		var b bytes.Buffer
		require.NoError(t, writeYAML(&b, json.RawMessage(text)))
		root, err := parseYAML(b.Bytes())
		require.NoError(t, err, b.String())
		c := converter{left: maxNodes}
		c.value(root)
		require.NoError(t, c.err)
		assert.JSONEq(t, text, string(c.json), b.String())
	}
}

// What --yaml prints grades and counts as before, thresholds included.
func TestRules_YAMLKeepsTheThresholdsOfBursts(t *testing.T) {
	t.Parallel()
	mine := ruleFileNamed(t, ".yaml", `
- id: mass-deletion
  burst: {count: 50, within: 5m}
- id: workers
  severity: critical
  match: {action: worker.*.delete}
  burst: {count: 3, within: 1h}
`)
	printed := command(t, "rules", "--rules", mine, "--yaml")
	require.Equal(t, exitOK, printed.code, printed.err)
	again := command(t, "rules", "--rules", ruleFileNamed(t, ".yaml", printed.out))
	require.Equal(t, exitOK, again.code, again.err)
	assert.Equal(t, command(t, "rules", "--rules", mine).out, again.out)
	assert.Contains(t, again.out, "50 by one actor within 5m:")
	assert.Contains(t, again.out, "3 by one actor within 1h:")

	bad := command(t, "rules", "--rules", ruleFileNamed(t, ".yaml", "- id: mass-deletion\n  burst:\n    count: 1\n    within: 90s\n"))
	assert.Equal(t, exitUsage, bad.code)
	assert.Contains(t, bad.err, `line 3: rules[0] "mass-deletion": burst.count: "1": must be from 2 to 1000`)
	assert.Contains(t, bad.err, `line 4: rules[0] "mass-deletion": burst.within: "1m30s": must be whole minutes`)
}
