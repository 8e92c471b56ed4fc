package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestSchema_IsTheCatalogEntry(t *testing.T) {
	t.Parallel()
	got := command(t, "schema")
	require.Equal(t, exitOK, got.code)
	assert.Empty(t, got.err)
	var d ingest.Descriptor
	require.NoError(t, json.Unmarshal([]byte(got.out), &d))
	require.NoError(t, d.Validate())
	assert.Equal(t, cloudflareaudit.ConnectorID, d.ConnectorID)
	assert.NotContains(t, got.out, `\u003e`)
}

func TestRules_JSONIsTheEffectiveTable(t *testing.T) {
	t.Parallel()
	var defaults, changed []cloudflareaudit.Rule
	got := command(t, "rules", "--json")
	require.NoError(t, json.Unmarshal([]byte(got.out), &defaults))
	assert.Equal(t, cloudflareaudit.DefaultRules(), defaults)

	mine := `[{"id":"mine","match":{"action":"dns.*"},"severity":"critical"},{"id":"` + defaults[1].ID + `","disabled":true}]`
	got = command(t, "rules", "--json", "--rules", write(t, mine))
	require.Equal(t, exitOK, got.code, got.err)
	require.NoError(t, json.Unmarshal([]byte(got.out), &changed))
	assert.Len(t, changed, len(defaults))
	assert.Equal(t, "mine", changed[0].ID)
	assert.NotContains(t, got.out, `"`+defaults[1].ID+`"`)
}

func TestRules_TableHasARowForEachRule(t *testing.T) {
	t.Parallel()
	got := command(t, "rules")
	require.Equal(t, exitOK, got.code)
	lines := strings.Split(got.out, "\n")
	assert.Regexp(t, `^RULE +SEVERITY +MATCHES +WHY$`, lines[0])
	column := strings.Index(lines[0], "SEVERITY")
	var rows []string
	for _, line := range lines[1:] {
		assert.Equal(t, strings.TrimRight(line, " "), line)
		assert.LessOrEqual(t, len([]rune(line)), 150)
		if line != "" && line[0] != ' ' {
			rows = append(rows, line)
			assert.NotEqual(t, ' ', rune(line[column]), "not aligned: %s", line)
		}
	}
	rules := cloudflareaudit.DefaultRules()
	require.Len(t, rows, len(rules))
	for i, r := range rules {
		severity := string(r.Severity)
		if r.Drop {
			severity = "drop"
		}
		assert.Equal(t, []string{r.ID, severity}, strings.Fields(rows[i])[:2])
	}

	kept := command(t, "rules", "--drop-routine=false")
	assert.NotContains(t, kept.out, " drop ")
}

func TestDescribe_NamesEveryCondition(t *testing.T) {
	t.Parallel()
	yes := true
	got, err := describe(cloudflareaudit.Match{
		Action: []string{"dns.*", "zone.*"}, Production: &yes, ActionType: []string{"logpush job"},
		Changed: []cloudflareaudit.Change{{Field: "proxied", New: "false"}, {Field: "ttl"}},
	})
	require.NoError(t, err)
	assert.Equal(t, `action=dns.*|zone.* action_type="logpush job" production=true changed=proxied:*->false|ttl`, got)

	got, err = describe(cloudflareaudit.Match{})
	require.NoError(t, err)
	assert.Equal(t, "everything else", got)
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"short", []string{"short"}},
		{"one two three", []string{"one two", "three"}},
		{"a=one|two|three", []string{"a=one|", "two|", "three"}},
		{"unbreakable", []string{"unbreakable"}},
		{"unbreakable but", []string{"unbreakable", "but"}},
		{"one  \n two", []string{"one two"}},
	} {
		assert.Equal(t, test.want, wrap(test.in, 8), test.in)
	}
}

func TestSummary_AccountsForEveryEntry(t *testing.T) {
	t.Parallel()
	c := ingest.Coverage{
		Read: 20, Delivered: 4, Dropped: map[string]int{"b": 2, "a": 2, "c": 9}, Repeated: 3, Late: 1, Undecodable: 2,
		Requests: 1, Backlog: 2,
	}
	assert.Equal(t, "read 17 entries: 4 events (1 critical, 3 info; 1 late, 2 undecodable), 13 dropped (9 c, 2 a, 2 b); re-read 3 to catch late ones",
		summary(c, severities{ingest.Info: 3, ingest.Critical: 1}))
	assert.Equal(t, "; 1 request, 2 windows of backlog left", traffic(c))
	assert.Equal(t, "read 0 entries: 0 events, 0 dropped", summary(ingest.Coverage{}, nil))
	assert.Equal(t, "; 0 requests, no backlog", traffic(ingest.Coverage{}))
}

// A sentence that wraps two errors stays one, with both worded for a person; a
// list of errors becomes one of clauses.
func TestExplain_KeepsASentence(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	failed := &ingest.StepError{Key: "a", Step: ingest.StepDeliver, Err: full}
	assert.Equal(t, "cannot write the events: no space left on device", explain(fmt.Errorf("%w: %w", errOutput, full)))
	assert.Equal(t, "cannot write the events: cannot deliver the events: no space left on device", explain(fmt.Errorf("%w: %w", errOutput, failed)))
	assert.Equal(t, "cannot write the events; cannot deliver the events: no space left on device", explain(errors.Join(errOutput, failed)))
}
