package cloudflareaudit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
)

// section returns what a document says under a heading, up to the next one.
func section(t *testing.T, name, heading string) string {
	t.Helper()
	_, text, found := strings.Cut("\n"+document(t, name), "\n"+heading+"\n")
	require.True(t, found, "%s has no heading %q", name, heading)
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// blocks are the code blocks of a language in a text.
func blocks(text, language string) (all []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// table are the rows of the first table in a text, without its head.
func table(t *testing.T, text string) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2, "there is no table")
	return rows[2:]
}

// code are the parts of a text that are set as code.
func code(text string) (all []string) {
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestDocs_TheEventIsWhatItsEntryBecomes(t *testing.T) {
	t.Parallel()
	shown := blocks(section(t, "docs/events.md", "# What an event looks like"), "json")
	require.Len(t, shown, 1)
	var event struct {
		Raw json.RawMessage `json:"raw_event"`
	}
	require.NoError(t, json.Unmarshal([]byte(shown[0]), &event))
	var entry bytes.Buffer
	require.NoError(t, json.Compact(&entry, event.Raw))

	fixtures, err := os.ReadFile("testdata/entries/firewall.json")
	require.NoError(t, err)
	var entries []map[string]any
	require.NoError(t, json.Unmarshal(fixtures, &entries))
	var raw map[string]any
	require.NoError(t, json.Unmarshal(event.Raw, &raw))
	assert.Contains(t, entries, raw, "the entry is none of the fixtures")

	normalizer, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{})
	require.NoError(t, err)
	got, verdict := normalizer.Normalize(entry.Bytes())
	assert.False(t, verdict.Drop)
	assert.JSONEq(t, string(got.AppendJSON(nil)), shown[0])
	assert.NoError(t, eventschema.Check([]byte(shown[0])))
}

func TestDocs_TheConfigurationIsThatOfTheCatalog(t *testing.T) {
	t.Parallel()
	rows := table(t, section(t, "docs/configuration.md", "# Configuration"))
	fields := new(cloudflareaudit.Connector).Descriptor().Fields
	require.Len(t, rows, len(fields))
	for i, f := range fields {
		name, initial, allowed := rows[i][0], rows[i][1], rows[i][2]
		require.Equal(t, "`"+f.Name+"`", name)
		switch {
		case f.Required:
			assert.Equal(t, "required", initial, name)
		case f.Default == nil:
			assert.Empty(t, code(initial), name)
		default:
			assert.Equal(t, fmt.Sprintf("`%v`", f.Default), initial, name)
		}
		if f.Type == ingest.FieldNumber {
			assert.Equal(t, fmt.Sprintf("`%d` to `%d`", f.Minimum, f.Maximum), allowed, name)
		}
		bounds := span.FindStringSubmatch(allowed)
		if bounds == nil {
			assert.NotEqual(t, ingest.FieldNumber, f.Type, "%s is a number without bounds", name)
			continue
		}
		for bound, by := range map[string]int{bounds[1]: -1, bounds[2]: +1} {
			assert.NoError(t, configure(f.Name, bound), name)
			assert.ErrorContains(t, configure(f.Name, beyond(t, bound, by)), f.Name)
		}
	}
}

// span is how the table writes the bounds of a field.
var span = regexp.MustCompile("^`([0-9a-z]+)` to `([0-9a-z]+)`$")

// configure reports whether a value is allowed for a field.
func configure(field string, v any) error {
	_, err := cloudflareaudit.ParseConfig(map[string]any{"account_id": accountID, "api_token": token, field: v})
	return err
}

// beyond is the value one further than a bound: a number, or a duration.
func beyond(t *testing.T, bound string, by int) any {
	t.Helper()
	if n, err := strconv.Atoi(bound); err == nil {
		if n+by == 0 {
			return -1 // 0 stands for the default
		}
		return n + by
	}
	d, err := cloudflareaudit.ParseDuration(bound)
	require.NoError(t, err)
	return (d + time.Duration(by)*time.Second).String()
}

func TestDocs_TheSeveritiesAreThoseOfTheRules(t *testing.T) {
	t.Parallel()
	rules := cloudflareaudit.DefaultRules()
	for _, row := range table(t, section(t, "docs/grading.md", "## The main rules")) {
		id, severity := strings.Trim(row[2], "`"), row[3]
		i := slices.IndexFunc(rules, func(r cloudflareaudit.Rule) bool { return r.ID == id })
		if !assert.GreaterOrEqual(t, i, 0, "there is no rule %q", id) {
			continue
		}
		want := string(rules[i].Severity)
		if rules[i].Drop {
			want = "drop"
		}
		assert.Equal(t, want, severity, id)
		// The canonical action in the first column must be one that leads to
		// the rule.
		for _, action := range code(row[0]) {
			action = strings.TrimSuffix(action, "*")
			assert.True(t, slices.ContainsFunc(rules[i].Match.Action, func(pattern string) bool {
				pattern = strings.TrimSuffix(pattern, "*")
				return strings.HasPrefix(pattern, action) || strings.HasPrefix(action, pattern)
			}), "rule %s is not about %s", id, action)
		}
	}
}

// The rules that the README shows have the severity that it shows.
func TestReadme_TheTenRulesAreDefaultRules(t *testing.T) {
	t.Parallel()
	severities := make(map[string]string)
	for _, r := range cloudflareaudit.DefaultRules() {
		severities[r.ID] = string(r.Severity)
	}
	rows := table(t, section(t, "README.md", "## Ten rules, and how to tune them"))
	assert.Len(t, rows, 10)
	for _, row := range rows {
		assert.Equal(t, severities[strings.Trim(row[0], "`")], row[2], row[0])
	}
}

func TestDocs_TheRulesAreValid(t *testing.T) {
	t.Parallel()
	shown := blocks(section(t, "docs/rules.md", "## A rule"), "json")
	require.Len(t, shown, 1)
	rules, err := cloudflareaudit.ParseRules([]byte(shown[0]))
	require.NoError(t, err)
	_, err = cloudflareaudit.EffectiveRules(rules)
	require.NoError(t, err)
}

func TestDocs_TheHostIsTheExample(t *testing.T) {
	t.Parallel()
	shown := blocks(section(t, "docs/host-integration.md", "## A whole host"), "go")
	require.Len(t, shown, 1)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(source), "\nfunc Example() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	assert.Equal(t, strings.ReplaceAll("\n"+body+"\n", "\n\t", "\n"), "\n"+shown[0])
}

func TestDocs_TheDependenciesAreThoseOfTheModule(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	var listed []string
	for _, row := range table(t, section(t, "CONTRIBUTING.md", "### Dependencies")) {
		listed = append(listed, code(row[0])...)
	}
	for _, path := range listed {
		assert.Contains(t, string(mod), "\t"+path+" v")
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		assert.Contains(t, listed, m[1])
	}
}

func TestDocs_TheLayoutExists(t *testing.T) {
	t.Parallel()
	for _, row := range table(t, section(t, "CONTRIBUTING.md", "### Every path")) {
		for _, path := range code(row[0]) {
			_, err := os.Stat(path)
			assert.NoError(t, err)
		}
	}
}

// document returns what a document says.
func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func TestDocs_TheCodeIsThatOfTheExamples(t *testing.T) {
	t.Parallel()
	shown := blocks(document(t, "docs/host-integration.md"), "go")
	require.Len(t, shown, 5)
	source := document(t, "host_example_test.go")
	for _, block := range shown[1:] { // the first one has a test of its own
		assert.Contains(t, source, "\n"+block, "the document shows what is not in the source")
	}
}

// go test passes when its pattern matches no test at all.
func TestMakefile_EachPatternMatchesATest(t *testing.T) {
	t.Parallel()
	source := strings.NewReplacer("\\\n", "", "$$", "$").Replace(document(t, "Makefile"))
	found := 0
	for line := range strings.Lines(source) {
		words := strings.Fields(strings.ReplaceAll(line, "'", ""))
		at := slices.Index(words, "-run") + 1
		if at == 0 {
			continue
		}
		found++
		in := slices.IndexFunc(words, func(word string) bool { return word == "." || strings.HasPrefix(word, "./") })
		require.GreaterOrEqual(t, in, 0, line)
		folder := words[in]
		if module := slices.Index(words, "-C") + 1; module > 0 {
			folder = filepath.Join(words[module], folder)
		}
		tests := testsIn(t, folder)
		pattern := regexp.MustCompile(words[at])
		assert.True(t, slices.ContainsFunc(tests, pattern.MatchString), "no test in %s matches %s", folder, pattern)
	}
	assert.Equal(t, strings.Count(source, "-run "), found)
	assert.NotZero(t, found)
}

// testsIn are the names of the tests in a folder.
func testsIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, name := range files {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(document(t, name), -1) {
			names = append(names, m[1])
		}
	}
	return names
}
