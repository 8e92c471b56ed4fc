package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// savedEntries are entries of several kinds: two DNS records created, of which
// one attempt failed, one record deleted, a read that is dropped, and a text
// that is no entry.
const savedEntries = `{"id":"e2","when":"2026-05-12T10:02:00Z","action":{"type":"add","result":true},"actor":{"type":"user","email":"alice@example.com"},"resource":{"type":"DNS_record"},"newValueJson":{"type":"A","name":"=www.example.com","content":"192.0.2.1"}}
{"id":"e1","when":"2026-05-12T10:01:00Z","action":{"type":"add","result":false},"actor":{"type":"user","email":"bob@example.com"},"resource":{"type":"DNS_record"},"newValueJson":{"type":"A","name":"api.example.com","content":"192.0.2.1"}}
{"id":"e3","when":"2026-05-12T10:03:00Z","action":{"type":"delete","result":true},"actor":{"type":"user","email":"bob@example.com"},"resource":{"type":"DNS_record"},"oldValueJson":{"type":"MX","name":"example.com","content":"mx.example.com"}}
{"id":"e4","when":"2026-05-12T10:04:00Z","action":{"type":"read","result":true},"resource":{"type":"zone.settings"}}
not JSON
`

const tuningRules = `
- {id: by-bob, severity: high, match: {actor: bob@example.com}}
- {id: by-carol, severity: high, match: {actor: carol@example.com}}
- {id: dns-record-created, severity: medium}
`

func TestRuleStats_CountsWhatEachRuleDecided(t *testing.T) {
	t.Parallel()
	file := ruleFileNamed(t, ".yaml", tuningRules)
	run := func(args ...string) result {
		got := call{args: append([]string{"rules", "--stats", "--rules", file}, args...), stdin: savedEntries}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		assert.Empty(t, got.err)
		return got
	}
	var stats ruleStats
	require.NoError(t, json.Unmarshal([]byte(run("--format", "json", "-").out), &stats))
	assert.Equal(t, 5, stats.Entries)
	by := make(map[string]*ruleStat)
	total, share := 0, 0.0
	for _, r := range stats.Rules {
		require.NotContains(t, by, r.Rule)
		by[r.Rule] = r
		total, share = total+r.Entries, share+r.Share
	}
	assert.Equal(t, 5, total, "each entry is counted once")
	assert.InDelta(t, 1, share, 1e-9)

	bob := by["by-bob"]
	assert.True(t, bob.Own)
	assert.Equal(t, severities{"high": 1, "medium": 1}, bob.Graded, "a failed attempt is graded lower")
	assert.InDelta(t, 0.4, bob.Share, 1e-9)
	assert.Equal(t, []string{"e1", "e3"}, []string{bob.First.ExternalID, bob.Last.ExternalID}, "by time, not by place")
	assert.Equal(t, "by-bob", stats.Rules[0].Rule, "the most frequent comes first")
	assert.Equal(t, severities{"medium": 1}, by["dns-record-created"].Graded)
	assert.True(t, by["dns-record-created"].Own)
	read := by["zone-settings-read"]
	assert.Equal(t, []int{1, 1, 0}, []int{read.Entries, read.Dropped, len(read.Graded)})
	assert.Equal(t, "zone.settings.read", read.First.Title)
	assert.Equal(t, 1, by["unreadable"].Entries)
	assert.Equal(t, 0, by["by-carol"].Entries)
	assert.Nil(t, by["by-carol"].First)
	require.Contains(t, by, "zone-deleted", "rules that never decided are listed")

	shown := run().out
	for _, want := range []string{
		`(?m)^by-bob +high +2 +40\.0 % +1 high, 1 medium +2026-05-12T10:01:00Z DNS record created: api\.example\.com \(failed\) \(e1\)`,
		`(?m)^ +2026-05-12T10:03:00Z .* \(e3\)`,
		`(?m)^by-carol +high +0 +0\.0 % +- +never$`,
		`(?m)^zone-settings-read +drop +1 +20\.0 % +dropped +`,
		`\n\nnever fired: \d+ rules; --all lists them\n$`,
	} {
		assert.Regexp(t, want, shown)
	}
	kept := run("--drop-routine=false").out
	assert.Regexp(t, `(?m)^zone-settings-read +info +1 +20\.0 % +info +`, kept)

	rows, err := csv.NewReader(strings.NewReader(run("--format", "csv").out)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 1+len(stats.Rules))
	assert.Equal(t, []string{"by-bob", "true", "high", "2", "0.4000", "0", "0", "1", "1", "0", "0"}, rows[1][:11])
}

func TestRuleTry_ShowsWhatWouldChange(t *testing.T) {
	t.Parallel()
	now := ruleFileNamed(t, ".yaml", tuningRules)
	next := ruleFileNamed(t, ".yaml", `
- {id: www, severity: critical, title: "{target} made", match: {action: dns.record.create}}
- {id: deleted, drop: true, match: {action: dns.record.delete}}
- {id: zone-settings-read, severity: low}
`)
	run := func(stdin string, args ...string) result {
		got := call{args: append([]string{"rules", "--rules", now, "--try", next}, args...), stdin: stdin}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
		return got
	}
	got := run(savedEntries, "--format", "json")
	assert.Equal(t, "4 of 5 entries would change (2 raised; 1 dropped; 1 no longer dropped)\n", got.err)
	var trial ruleTrial
	require.NoError(t, json.Unmarshal([]byte(got.out), &trial))
	require.Len(t, trial.Changes, 4)
	by := make(map[string]*ruleChange)
	for _, c := range trial.Changes {
		by[c.Example.ExternalID] = c
	}
	assert.Equal(t, changeKind{graded{"dns-record-created", "medium", false}, graded{"www", "critical", false}, true}, by["e2"].changeKind)
	assert.Equal(t, "=www.example.com made", by["e2"].TitleAfter)
	assert.Equal(t, changeKind{graded{"by-bob", "medium", false}, graded{"www", "high", false}, true}, by["e1"].changeKind)
	assert.True(t, by["e3"].After.Dropped)
	assert.True(t, by["e4"].Before.Dropped)
	assert.Equal(t, "low", by["e4"].After.severity())

	shown := run(savedEntries).out
	assert.Regexp(t, `(?m)^1 +medium +dns-record-created +2026-05-12T10:02:00Z .* \(e2\)\n +-> critical +-> www +-> =www\.example\.com made$`, shown)
	assert.Regexp(t, `(?m)^1 +high +by-bob +.* \(e3\)\n +-> drop +-> deleted$`, shown)

	limited := run(savedEntries+savedEntries, "--limit", "1", "--format", "csv")
	assert.Contains(t, limited.err, "8 of 10 entries would change")
	assert.Contains(t, limited.err, "; 3 kinds of change are not shown, see --limit\n")
	rows, err := csv.NewReader(strings.NewReader(limited.out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, "2", rows[1][0])
	all := run(savedEntries, "--limit", "0", "--format", "csv").out
	assert.Contains(t, all, "'", "no cell is a formula")
	assert.NotContains(t, all, ",=")

	next = now
	same := run(savedEntries)
	assert.Equal(t, "0 of 5 entries would change\n", same.err)
	assert.Empty(t, same.out)
}

// A change of the title alone is a change too.
func TestRuleTry_ATitleAloneIsAChange(t *testing.T) {
	t.Parallel()
	next := ruleFileNamed(t, ".yaml", `- {id: dns-record-created, title: "Record made: {target}"}`)
	got := call{args: []string{"rules", "--try", next, "--format", "json"}, stdin: savedEntries}.run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "2 of 5 entries would change (2 with another rule or title alone)\n", got.err)
}

func TestRules_ReadsFilesAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "saved.json")
	require.NoError(t, os.WriteFile(good, []byte(`{"result":[`+strings.Replace(savedEntries[:strings.Index(savedEntries, "\nnot")], "\n", ",", 3)+`],"success":true}`), 0o600))
	mine := ruleFileNamed(t, ".yaml", tuningRules)
	bad := ruleFileNamed(t, ".yaml", "- {id: x, severity: urgent, match: {action: dns.*}}\n")
	for line, want := range map[string]string{
		"rules --stats " + good:                         "",
		"rules --try " + mine + " " + good:              "",
		"rules --stats " + good + " /does/not/exist":    "no such file",
		"rules --try " + mine + " /does/not/exist":      "no such file",
		"rules --try " + bad + " " + good:               `--try: line 1: rules[0] "x": severity: "urgent"`,
		"rules --try /does/not/exist " + good:           "--try: cannot read the file",
		"rules --stats":                                 "there are no entries in the input",
		"rules --try " + mine:                           "there are no entries in the input",
		"rules --stats --try " + mine:                   "mutually exclusive",
		"rules --stats --json":                          "--format json",
		"rules --stats --format yaml":                   "must be table, json or csv",
		"rules --format json":                           "--format requires --stats or --try",
		"rules --stats --limit 3":                       "--limit requires --try",
		"rules --try " + mine + " --limit -1 " + good:   "must be 0 or more",
		"rules --check x":                               "unexpected argument",
		"rules --try " + mine + " --try " + mine + " x": "is given twice",
	} {
		got := command(t, strings.Fields(line)...)
		if want == "" {
			assert.Equal(t, exitOK, got.code, "%s: %s", line, got.err)
			continue
		}
		assert.NotEqual(t, exitOK, got.code, line)
		assert.Contains(t, got.err, want, line)
	}
	partly := command(t, "rules", "--stats", good, "/does/not/exist")
	assert.Contains(t, partly.out, "RULE", "what could be read is counted")
}

func TestRules_FailWhenMostCannotBeRead(t *testing.T) {
	t.Parallel()
	junk := write(t, "not an entry\nneither\n")
	other := write(t, `{"a":1}`)
	half := write(t, "not an entry\n"+string(recent(1)[0])+"\n")
	trial := write(t, "- id: mine\n  why: It is tried.\n  severity: high\n  match: {action: dns.record.*}\n")
	for args, shown := range map[string]string{
		"--stats":        "unreadable",
		"--explain":      "graded   low by rule unreadable",
		"--try " + trial: "",
	} {
		rules := append([]string{"rules"}, strings.Fields(args)...)
		got := command(t, append(rules, junk)...)
		assert.Equal(t, exitFailed, got.code, args)
		assert.Contains(t, got.err, "2 of 2 entries could not be read: it looks like plain text", args)
		assert.Contains(t, got.out, shown, "what there is, is shown")
		got = command(t, append(rules, other)...)
		assert.Equal(t, exitFailed, got.code, args)
		assert.Contains(t, got.err, "1 of 1 entry could not be read: it looks like JSON objects of another kind, with the members a", args)
		assert.Equal(t, exitOK, command(t, append(rules, half)...).code, args)
	}
}

// What looks mistaken in a rule is a warning wherever rules are used, with the
// line, and no more than that.
func TestRules_WarnsOfWhatLooksMistaken(t *testing.T) {
	t.Parallel()
	const want = `line 2: rules[1] "typo": match.action: "dns.recrod.*": matches no known action; did you mean "dns.record.*"?`
	const list = "- {id: fine, severity: low, match: {action: dns.record.create}}\n- {id: typo, severity: low, match: {action: dns.recrod.*}}\n"
	file := ruleFileNamed(t, ".yaml", list)
	a := newAccount(t, recent(3)...)
	for _, args := range [][]string{
		{"rules"}, {"rules", "--check"}, {"rules", "--yaml"}, {"normalize"}, {"config", "check"},
		{"poll", "--state", t.TempDir()}, {"export", "--since", "2h"}, {"report", "--since", "2h"},
	} {
		c := a.call(append(args, "--rules", file)...)
		if args[0] == "rules" || args[0] == "normalize" {
			c.args = append(args, "--rules", file)
		}
		got := c.run(t.Context())
		assert.Equal(t, exitOK, got.code, "%v: %s", args, got.err)
		assert.Equal(t, 1, strings.Count(strings.ReplaceAll(got.err, `\"`, `"`), "--rules: "+want), "%v: %s", args, got.err)
		assert.NotContains(t, got.out, "matches no known")
	}
	got := a.call("check", "--rules", file).run(t.Context())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Contains(t, strings.Join(strings.Fields(got.out), " "), `rules[1] "typo": match.action: "dns.recrod.*": matches no known action`)
	assert.Contains(t, got.out, "--rules: Correct the rule")

	trial := call{args: []string{"rules", "--try", file}, stdin: savedEntries}.run(t.Context())
	assert.Contains(t, trial.err, "cfaudit: warning: --try: "+want)

	config := write(t, "drop_routine: true\nrules:\n"+list)
	got = command(t, "rules", "--check", "--config", config)
	assert.Contains(t, got.err, "cfaudit: warning: "+config+", line 2: rules: line 4: rules[1] \"typo\"")
	assert.Equal(t, "2 rules: valid\n", got.out)
}

// Rules that count are accounted for by what they raise.
func TestRules_StatsAndTryCountBursts(t *testing.T) {
	t.Parallel()
	var list []string
	for i := range 25 {
		list = append(list, strings.Replace(fakecloudflare.Logged("kv.namespace", "delete"),
			"11111111-2222-4333-8444-555555555555", fmt.Sprint("entry-", i), 1))
	}
	saved := write(t, strings.Join(list, "\n"))
	stats := command(t, "rules", "--stats", "--format", "csv", saved)
	require.Equal(t, exitOK, stats.code, stats.err)
	assert.Contains(t, stats.out, "\nmass-deletion,false,high,1,0.0000,0,0,1,0,0,0,")
	assert.Contains(t, stats.out, ",25,1.0000,")

	higher := ruleFileNamed(t, ".yaml", "- id: mass-deletion\n  burst: {count: 26}\n")
	trial := command(t, "rules", "--try", higher, saved)
	require.Equal(t, exitOK, trial.code, trial.err)
	assert.Contains(t, trial.out+trial.err, "0 of 25 entries would change; 0 bursts instead of 1")
	assert.NotContains(t, command(t, "rules", "--try", ruleFileNamed(t, ".yaml", "[]"), saved).err, "burst")
}
