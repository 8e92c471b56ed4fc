package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
)

// ruleFileNamed writes a file of rules with a name that ends in ext.
func ruleFileNamed(t *testing.T, ext, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules"+ext)
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestRuleFile_YAMLMeansWhatTheSameJSONMeans(t *testing.T) {
	t.Parallel()
	const asYAML = `
# mine
- id: tls
  severity: high
  title: "TLS lowered[: {setting}]"
  techniques: [T1562.007]
  match: &settings
    action: zone.settings.*
    production: true
    changed:
      - {field: min_tls_version, new: 1.0}
      - {field: proxied, old: true, new: False}
- id: tls-at-the-office
  severity: low
  match:
    <<: *settings
    action: zone.settings.update
    source_ip: 192.0.2.0/24
- {id: worker-scheduled, disabled: true}
`
	const asJSON = `[
	{"id":"tls","severity":"high","title":"TLS lowered[: {setting}]","techniques":["T1562.007"],"match":{"action":"zone.settings.*","production":true,
		"changed":[{"field":"min_tls_version","new":"1.0"},{"field":"proxied","old":"true","new":"false"}]}},
	{"id":"tls-at-the-office","severity":"low","match":{"source_ip":"192.0.2.0/24","action":"zone.settings.update","production":true,
		"changed":[{"field":"min_tls_version","new":"1.0"},{"field":"proxied","old":"true","new":"false"}]}},
	{"id":"worker-scheduled","disabled":true}]`
	// The second rule stands behind one that covers it, which is a fault, so
	// only what was read is compared here.
	f, err := parseRuleFile("rules.yaml", []byte(asYAML))
	require.NoError(t, err)
	_, err = cloudflareaudit.ParseRules([]byte(f.json))
	assert.ErrorContains(t, err, `rules[1] "tls-at-the-office": match: is never reached`)
	var fromYAML, fromJSON []cloudflareaudit.Rule
	texts := strings.NewReplacer(`:1.0`, `:"1.0"`, `"old":true`, `"old":"true"`, `"new":false`, `"new":"false"`)
	lists := regexp.MustCompile(`"(action|source_ip)":("[^"]*")`)
	require.NoError(t, json.Unmarshal(lists.ReplaceAll([]byte(texts.Replace(f.json)), []byte(`"$1":[$2]`)), &fromYAML))
	require.NoError(t, json.Unmarshal(lists.ReplaceAll([]byte(asJSON), []byte(`"$1":[$2]`)), &fromJSON))
	assert.Equal(t, fromJSON, fromYAML)
}

func TestRuleFile_TheFormIsToldFromTheNameAndTheText(t *testing.T) {
	t.Parallel()
	const asJSON, asYAML = `[{"id":"mine","severity":"high","match":{"action":"dns.*"}}]`, "- id: mine\n  severity: high\n  match: {action: dns.*}\n"
	for _, file := range []struct{ ext, content string }{
		{"", asJSON}, {".json", asJSON}, {".yaml", asJSON}, {".txt", asJSON},
		{"", asYAML}, {".yml", asYAML}, {".YAML", asYAML}, {".yaml", "[{id: mine, severity: high, match: {action: dns.*}}]"},
	} {
		got := command(t, "rules", "--json", "--rules", ruleFileNamed(t, file.ext, file.content))
		require.Equal(t, exitOK, got.code, "%v: %s", file, got.err)
		var rules []cloudflareaudit.Rule
		require.NoError(t, json.Unmarshal([]byte(got.out), &rules))
		assert.Equal(t, "mine", rules[0].ID)
		assert.Equal(t, []string{"dns.*"}, rules[0].Match.Action)
	}
	got := command(t, "rules", "--rules", ruleFileNamed(t, ".json", asYAML))
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "must be a JSON list of rules")
}

func TestRuleFile_AllFaultsWithTheirLines(t *testing.T) {
	t.Parallel()
	const asYAML = `# broken
- id: dns at night
  severity: hihg
  match:
    acton: dns.*
- id: tls
  severity: high
  severity: low
  match:
    action: zone.settings.update
    changed:
      - {field: ssl, new: off}
      - {feild: x}
- login
- {id: other, drop: true}
- id: tls
  severity: low
  match: {action: dns.record.delete, scope: broad}
`
	const asJSON = `[
	{"id": "dns at night",
	 "severity": "hihg",
	 "match": {
		"acton": "dns.*"}},
	{"id": "tls",
	 "severity": "high",
	 "severity": "low",
	 "match": {
		"action": "zone.settings.update",
		"changed": [
			{"field": "ssl", "new": "off"},
			{"feild": "x"}]}},
	"login",
	{"id": "other", "drop": true},
	{"id": "tls",
	 "severity": "low",
	 "match": {"action": "dns.record.delete", "scope": "broad"}}
]`
	want := []string{
		`line 5: rules[0] "dns at night": match.acton: there is no such condition; did you mean "action"?`,
		`line 2: rules[0] "dns at night": id: "dns at night": must be`,
		`line 3: rules[0] "dns at night": severity: "hihg": must be`,
		`line 8: rules[1] "tls": severity: duplicate key`,
		`line 11: rules[1] "tls": match.changed.feild: there is no such field; did you mean "field"?`,
		`line 14: rules[2]: "login": must be an object`,
		`line 15: rules[3] "other": the last rule takes all`,
		`line 16: rules[4] "tls": id: "tls": duplicate id, used by rules[1]`,
		`line 18: rules[4] "tls": match.scope: never holds`,
	}
	for ext, content := range map[string]string{".yaml": asYAML, ".json": asJSON} {
		got := command(t, "rules", "--rules", ruleFileNamed(t, ext, content))
		assert.Equal(t, exitUsage, got.code)
		assert.Empty(t, got.out)
		for _, line := range want {
			assert.Contains(t, got.err, "cfaudit: --rules: "+line, ext)
		}
	}
}

func TestRuleFile_YAMLThatIsNoListOfRules(t *testing.T) {
	t.Parallel()
	grown := "- &a0 [x]\n"
	for i := 1; i < 9; i++ {
		was := "*a" + string(rune('0'+i-1))
		grown += "- &a" + string(rune('0'+i)) + " [" + strings.Repeat(was+",", 9) + was + "]\n"
	}
	for content, want := range map[string]string{
		"- id: a\n severity: [\n":         "did not find",
		"rules:\n- id: a\n":               "--rules: line 1: must be a list of rules",
		"# nothing\n":                     "--rules: must be a list of rules, and is empty",
		"- id: a\n---\n- id: b\n":         "something follows the first document",
		"- &a\n  id: *a\n":                "its aliases make it too large, or contain themselves",
		"- &a\n  <<: *a\n":                "its aliases make it too large, or contain themselves",
		grown:                             "its aliases make it too large, or contain themselves",
		"- id: a\n  match: *nowhere\n":    "--rules: unknown anchor 'nowhere'",
		"- ? [a, b]\n  : c\n  id: mine\n": "there is no such field",
	} {
		got := command(t, "rules", "--rules", ruleFileNamed(t, ".yaml", content))
		assert.Equal(t, exitUsage, got.code, content)
		assert.Contains(t, got.err, want)
		assert.NotContains(t, got.err, "yaml:")
	}
}

func FuzzRuleFile(f *testing.F) {
	f.Add([]byte("- id: a\n  match: {action: [x, 1, 1.0, .inf, ~, true, 2001-01-01]}\n"))
	f.Add([]byte("- &a {id: b}\n- {<<: [*a, *a], id: c}\n- *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseRuleFile("rules.yaml", text)
		if err != nil {
			return
		}
		require.True(t, json.Valid([]byte(file.json)), "%q becomes %q", text, file.json)
		_, err = cloudflareaudit.ParseRules([]byte(file.json))
		for _, fault := range leaves(err) {
			_ = file.place(fault.Error())
		}
	})
}

func TestDocs_TheRulesInYAMLAreValid(t *testing.T) {
	t.Parallel()
	_, block, found := strings.Cut(read(t, "../../docs/severity.md"), "```yaml\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	got := command(t, "rules", "--rules", ruleFileNamed(t, ".yaml", block))
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, got.out, "terraform-dns")
}

func TestRules_ExplainTellsWhyARuleMatchedAndTheOthersDidNot(t *testing.T) {
	t.Parallel()
	mine := ruleFileNamed(t, ".yaml", `
- id: office
  severity: info
  match: {action: zone.settings.update, source_ip: 192.0.2.0/24}
- id: dns-by-robots
  severity: low
  match: {action: dns.*, actor: robot@example.com}
`)
	const entry = `{"id":"e1","when":"2026-05-12T10:58:56Z","action":{"type":"change_setting","result":true},"actor":{"id":"m","type":"user","email":"mallory@example.com","ip":"203.0.113.66"},` +
		`"resource":{"type":"zone","id":"z"},"metadata":{"name":"security_level","type":"firewall","old_value":"high","value":"essentially_off","zone_name":"example.com"}}`
	got := call{args: []string{"rules", "--explain", "--rules", mine, "--production-zone", "example.com"}, stdin: `{"result":[` + entry + `],"success":true}`}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Empty(t, got.err)
	for _, want := range []string{
		"e1\n  graded   medium by rule setting-weakened-production\n",
		"  title    Zone protection weakened: security_level from high to essentially_off for example.com\n",
		"  matched  action=zone.settings.update production=true direction=weaker\n",
		"           setting       security_level\n                         firewall/security_level\n",
		"           changed       security_level: high -> essentially_off\n",
		"  failed   office: source_ip is 203.0.113.66; wanted 192.0.2.0/24\n",
		"           dns-by-robots: action is zone.settings.update; wanted dns.*\n",
		"           zone-changed-by-system: actor_type is user; wanted system\n",
		"           for other actions: zone-settings-read\n",
		" rules about something else; --all shows them\n",
	} {
		assert.Contains(t, got.out, want)
	}
	assert.NotContains(t, got.out, "zone-deleted")
	assert.NotContains(t, got.out, "setting-strengthened", "it was not tried")

	all := call{args: []string{"rules", "--explain", "--all"}, stdin: entry + "\n" + `{"id":"e2","action":{"type":"read","result":true},"resource":{"type":"zone.settings"}}` + "\nnot JSON\n"}.run(t.Context())
	require.Equal(t, exitOK, all.code, all.err)
	assert.Contains(t, all.out, "zone-deleted: action is zone.settings.update; wanted zone.delete\n")
	assert.NotContains(t, all.out, "--all")
	assert.Contains(t, all.out, "\n\ne2\n  graded   drop by rule zone-settings-read\n")
	assert.Contains(t, all.out, "by rule unreadable\n")

	for line, want := range map[string]string{
		"rules --explain /does/not/exist": "no such file",
		"rules --explain --json":          "--json and --explain are mutually exclusive",
		"rules --all":                     "--all requires --explain",
		"rules --explain":                 "there are no entries in the input",
	} {
		got := command(t, strings.Fields(line)...)
		assert.NotEqual(t, exitOK, got.code, line)
		assert.Contains(t, got.err, want, line)
	}
}
