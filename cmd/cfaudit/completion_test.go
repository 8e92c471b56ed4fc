package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompletion_SuggestsTheValuesOfFlags(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"export --min-severity":  "critical high medium low info :4",
		"export --format":        "table jsonl csv ecs ocsf :4",
		"rules --format":         "table json csv :4",
		"rules --min-severity":   "critical high medium low info :4",
		"fleet work --format":    "jsonl ecs ocsf :4",
		"poll --http-body":       "lines array elastic splunk loki :4",
		"run --notify-form":      "slack webhook :4",
		"poll --notify-severity": "critical high medium low info :4",
		"check --audit-log-api":  "v1 v2 both :4",
		"poll --interval":        ":4",
		"poll --out":             ":0",
		"export --from":          ":0",
		"rules --rules":          ":0",
		"normalize":              ":0",
		"poll":                   ":4",
	} {
		got := command(t, append(append([]string{"__complete"}, strings.Fields(line)...), "")...)
		assert.Equal(t, exitOK, got.code, line)
		assert.Equal(t, want, strings.Join(strings.Fields(got.out), " "), line)
	}
	got := command(t, "completion", "tcsh")
	assert.Equal(t, exitUsage, got.code)
	assert.Empty(t, got.out)
	assert.Contains(t, got.err, `"tcsh": must be bash, fish, powershell or zsh`)
}
