package rules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func TestParse_ReportsEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for _, tt := range []struct{ rules, want string }{
		{`[{"severity":"high","match":{"action":"x"}}]`, `rules[0]: id: is required`},
		{`[{"id":"My Rule","severity":"high","match":{"action":"x"}}]`, `rules[0] "My Rule": id: "My Rule": must be at most 64 lower-case letters`},
		{`[{"id":"a","severity":"high","match":{"action":"x"}},{"id":"a","severity":"low","match":{"action":"y"}}]`, `rules[1] "a": id: "a": duplicate id, used by rules[0]`},
		{`[{"id":"a","match":{"action":"x"}}]`, `rules[0] "a": severity: is required`},
		{`[{"id":"a","severity":"severe","match":{"action":"x"}}]`, `severity: "severe": must be critical, high, medium, low or info`},
		{`[{"id":"a","severity":"high","drop":true,"match":{"action":"x"}}]`, `drop: cannot be combined with a severity`},
		{`[{"id":"a","severty":"high","severity":"high","match":{"action":"x"}}]`, `severty: there is no such field; did you mean "severity"?`},
		{`[{"id":"a","severity":"high","match":{"acton":"x","action":"x"}}]`, `match.acton: there is no such condition; did you mean "action"?`},
		{`[{"id":"a","severity":"high","match":{"changed":[{"feild":"x"}]}}]`, `match.changed.feild: there is no such field; did you mean "field"?`},
		{`[{"id":"a","severity":"high","match":{"changed":[{"old":"x"}]}}]`, `match.changed.field: is empty`},
		{`[{"id":"a","severity":"high","match":{"changed":"content"}}]`, `match.changed: must be a list of objects`},
		{`[{"id":"a","severity":"high","match":{"changed":["content"]}}]`, `match.changed: "content": must be a list of objects`},
		{`[{"id":"a","severity":"high"}]`, `match: is required, because no default rule has this id`},
		{`[{"id":"dns-record-deletd","severity":"high"}]`, `did you mean "dns-record-deleted"?`},
		{`[{"id":"login","severity":"high","match":{"action":"x"}}]`, `match: the id is that of a default rule`},
		{`[{"id":"other","severity":"high","match":{"action":"x"}}]`, `match: the id is that of a default rule`},
		{`[{"id":"a","severity":"high","match":{"source_ip":"10.0.0.0/33"}}]`, `match.source_ip: "10.0.0.0/33": must be an address`},
		{`[{"id":"a","severity":"high","match":{"action":"dns.[ab]"}}]`, `match.action: "dns.[ab]": is not a pattern`},
		{`[{"id":"a","severity":"high","match":{"action":""}}]`, `match.action: is empty`},
		{`[{"id":"a","severity":"high","match":{"action":[]}}]`, `match.action: "[]": is empty`},
		{`[{"id":"a","severity":"high","match":{"action":7}}]`, `match.action: "7": must be text or a list of texts`},
		{`[{"id":"a","severity":"high","match":{"action":["x",7]}}]`, `match.action: "7": must be text`},
		{`[{"id":"a","severity":"high","match":{"zone":"https://example.com"}}]`, `match.zone: "https://example.com": must be the name or the id of a zone`},
		{`[{"id":"a","severity":"high","match":{"outcome":"bad"}}]`, `match.outcome: "bad": must be one of success, failure, unknown`},
		{`[{"id":"a","severity":"high","match":{"production":"yes","action":"x"}}]`, `match.production: "yes": must be true or false`},
		{`[{"id":"a","severity":"high","match":"dns"}]`, `match: "dns": must be an object`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"techniques":["T12"]}]`, `techniques: "T12": must be an ATT&CK id`},
		{`[{"id":"login","severity":"high","techniques":["T1098","x"]}]`, `techniques: "x": must be an ATT&CK id`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"{who}"}]`, `there is no placeholder {who}`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a [b"}]`, `has a [ without a ]`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a } b"}]`, `has an unmatched }`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a\nb"}]`, `must be one line`},
		{`[{"id":"a","drop":true,"match":{"action":"*"}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":true,"match":{"actor_type":"user","production":true}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":true,"match":{"source_ip":"0.0.0.0/0"}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":"yes","match":{"action":"x"}}]`, `drop: "yes": must be true or false`},
		{`[{"id":"a","severity":"high","severity":"low","match":{"action":"x"}}]`, `rules[0] "a": severity: duplicate key`},
		{`[{"id":"a","severity":"high","match":{"action":"x","action":"y"}}]`, `match.action: duplicate key`},
		{`[{"id":"a","severity":"high","match":{"changed":{"field":"x","field":"y"}}}]`, `match.changed.field: duplicate key`},
		{`[7]`, `rules[0]: "7": must be an object`},
		{`[{"id":7}]`, `rules[0] "7": id: "7": must be text`},
	} {
		rules, err := b.Parse([]byte(tt.rules))
		if assert.ErrorContains(t, err, tt.want, tt.rules) {
			assert.Nil(t, rules)
			var field *ingest.FieldError
			assert.ErrorAs(t, err, &field)
		}
	}
	// A match that cannot be read is not missing as well.
	for _, match := range []string{`"dns"`, `{"acton":"x"}`, `{"action":7}`, `{"action":[]}`, `{"changed":7}`} {
		_, err := b.Parse([]byte(`[{"id":"a","severity":"high","match":` + match + `}]`))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "match: is required", match)
	}
	_, err := b.Parse([]byte(`[{"id":"a","severity":"x","match":{"acton":1}},{"drop":1},{"id":"b","severity":"low","match":{"verb":"del","scope":"x"}}]`))
	require.Error(t, err)
	assert.GreaterOrEqual(t, len(err.(interface{ Unwrap() []error }).Unwrap()), 5, "all faults at once: %v", err)
	for notAList, want := range map[string]string{
		``:                                 "must be a JSON list of rules: unexpected EOF",
		`[`:                                "must be a JSON list of rules: unexpected EOF",
		`{}`:                               "must be a JSON list of rules, but begins with {}",
		`"x"`:                              `must be a JSON list of rules, but begins with "x"`,
		`[],[]`:                            "must be a JSON list of rules: line 1: ",
		"[\n{\"id\": \"a\"},\n{\"id\" 1}]": "must be a JSON list of rules: line 3: ",
	} {
		_, err := b.Parse([]byte(notAList))
		assert.ErrorContains(t, err, want)
	}
	_, err = b.Parse([]byte(`[{"id":"B"},7,{"id":"a","severity":"x","match":{"acton":1}},{"match":{"target":"x"}}]`))
	require.Error(t, err)
	var places []string
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		place, _, _ := strings.Cut(fault.Error(), ":")
		places = append(places, place)
	}
	assert.Equal(t, []string{`rules[0] "B"`, `rules[1]`, `rules[2] "a"`, `rules[3]`}, slices.Compact(places), "in the order of the rules: %v", err)
	for _, last := range []string{`[{"id":"other","drop":true}]`, `[{"id":"other","disabled":true}]`} {
		_, err := b.Parse([]byte(last))
		assert.ErrorContains(t, err, "the last rule takes all that no other one matches")
	}
}

func TestParse_AChangedValueMayBeANumberOrABoolean(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	rules, err := b.Parse([]byte(`[{"id":"a","severity":"low","match":{"changed":[{"field":"x","old":1.0,"new":false},{"field":"y","new":"z"}]}}]`))
	require.NoError(t, err)
	assert.Equal(t, []Change{{"x", "1.0", "false"}, {"y", "", "z"}}, rules[0].Match.Changed)
	_, err = b.Parse([]byte(`[{"id":"a","severity":"low","match":{"changed":{"field":1,"new":[2]}}}]`))
	assert.ErrorContains(t, err, `match.changed.field: "1": must be text`)
	assert.ErrorContains(t, err, `match.changed.new: "[2]": must be text`)
}

func TestParse_ReadsWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	var mine []Rule
	for _, r := range b.Defaults() {
		if !r.Match.isZero() {
			r.ID = "my-" + r.ID
			mine = append(mine, r)
		}
	}
	text, err := json.Marshal(mine)
	require.NoError(t, err)
	read, err := b.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, mine, read)
	var plain []Rule
	require.NoError(t, json.Unmarshal(text, &plain))
	assert.Equal(t, mine, plain)

	for _, none := range []string{`[]`, `null`, " [ ]\n"} {
		read, err = b.Parse([]byte(none))
		require.NoError(t, err)
		assert.Empty(t, read)
	}
}

// The rules in force can be printed, edited and loaded: unchanged, they grade as
// before.
func TestAll_PrintedAndLoadedGradesAlike(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for name, user := range map[string]string{
		"the default rules alone": `[]`,
		"rules of all kinds": `[
			{"id":"second-of-mine","severity":"high","match":{"action":"dns.record.delete"}},
			{"id":"off","disabled":true,"severity":"low","match":{"action":"dns.*"}},
			{"id":"first-of-theirs","drop":true,"match":{"action":"zone.*","actor":"alice@*","production":false,"changed":{"field":"a"}}},
			{"id":"zone-deleted","techniques":[],"severity":"low"},
			{"id":"cache-purged","drop":true},
			{"id":"other-read","drop":true},
			{"id":"zone-settings-read","severity":"medium","title":"Settings <read> & \"more\"[: {target}]"},
			{"id":"dns-record-created","disabled":true},
			{"id":"other","why":"Nothing is known."}]`,
	} {
		mine, err := b.Parse([]byte(user))
		require.NoError(t, err, name)
		all, err := b.All(mine)
		require.NoError(t, err)
		text, err := json.Marshal(all)
		require.NoError(t, err)
		loaded, err := b.Parse(text)
		require.NoError(t, err, name)
		assert.Equal(t, all, loaded)
		again, err := b.All(loaded)
		require.NoError(t, err)
		assert.Equal(t, all, again, name)

		effective, err := b.Effective(mine)
		require.NoError(t, err)
		reloaded, err := b.Effective(loaded)
		require.NoError(t, err)
		assert.Equal(t, effective, reloaded)
		assert.False(t, slices.ContainsFunc(effective, func(r Rule) bool { return r.Disabled }))

		cfg := Config{ProductionZones: oneOf{"example.com"}, DropRoutine: true, Rules: mine}
		before, err := b.NewClassifier(cfg)
		require.NoError(t, err)
		cfg.Rules = loaded
		after, err := b.NewClassifier(cfg)
		require.NoError(t, err)
		for _, action := range append(standardActions, "frob.nicate") {
			for _, f := range []*Facts{did(action), did(action, thatFailed), did(action, bySystem), did(action, zoneNamed("example.net")),
				did(action, changes(ingest.FieldChange{Field: "a"}), zoneNamed("example.net"))} {
				assert.Equal(t, before.Grade(f), after.Grade(f), "%s: %s", name, action)
			}
		}
	}
}

func TestAll_AndEffectiveHandOutCopies(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	user := []Rule{{ID: "mine", Severity: low, Match: Match{Action: oneOf{"x"}, Production: new(true)}, Techniques: oneOf{"T1098"}}}
	spoil := func(rules []Rule) {
		for i := range rules {
			rules[i].ID = "x"
			for _, list := range [][]string{rules[i].Match.Action, rules[i].Match.Outcome, rules[i].Techniques, rules[i].Match.RecordType} {
				for j := range list {
					list[j] = "spoilt"
				}
			}
			for j := range rules[i].Match.Changed {
				rules[i].Match.Changed[j].Field = "spoilt"
			}
			if p := rules[i].Match.Production; p != nil {
				*p = false
			}
		}
	}
	all, err := b.All(user)
	require.NoError(t, err)
	spoil(all)
	effective, err := b.Effective(user)
	require.NoError(t, err)
	spoil(effective)
	spoil(b.Defaults())
	assert.Equal(t, standardRules, b.Defaults())
	assert.Equal(t, oneOf{"x"}, user[0].Match.Action)
	assert.Equal(t, oneOf{"T1098"}, user[0].Techniques)
	assert.True(t, *user[0].Match.Production)

	_, err = b.Effective([]Rule{{ID: "mine"}})
	assert.Error(t, err)
	_, err = b.All([]Rule{{ID: "mine"}})
	assert.Error(t, err)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"id":"a","severity":"high","match":{"action":["dns.*"],"changed":[{"field":"x"}]},"title":"a[ {target}]"}]`))
	f.Add([]byte(`[{"id":"login","drop":true}]`))
	f.Add([]byte(`[{"id":"a","severity":"low","why":"` + "\xff" + `","match":{"actor":"x"}}]`))
	f.Add([]byte(`[{"match":{"source_ip":["::/0"],"zone":"bü*"}}]`))
	b := newBook(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, err := b.Parse(src)
		if err != nil {
			return
		}
		require.NoError(t, b.Check(rules))
		c, err := b.NewClassifier(Config{Rules: rules})
		require.NoError(t, err)
		v := c.Grade(did("dns.record.delete"))
		assert.True(t, v.Severity.Valid())
		assert.False(t, v.Drop)
		assert.NotEmpty(t, v.Title)
		text, err := json.Marshal(rules)
		require.NoError(t, err)
		again, err := b.Parse(text)
		require.NoError(t, err)
		require.Equal(t, rules, again)
	})
}
