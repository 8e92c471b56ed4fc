package product

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// technique is the form of the ids of MITRE ATT&CK techniques.
var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

func TestDefaultRules_EachIsWellFormed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	titles := make(map[string]string)
	defaults := Rules().Defaults()
	for i, r := range defaults {
		assert.False(t, seen[r.ID], "two rules are called %s", r.ID)
		seen[r.ID] = true
		assert.Equal(t, strings.ToLower(r.ID), r.ID)
		assert.LessOrEqual(t, len(r.ID), 64)
		assert.True(t, r.Drop != r.Severity.Valid(), "%s: a rule either drops or grades", r.ID)
		for _, id := range r.Techniques {
			assert.Regexp(t, technique, id, r.ID)
		}
		if r.Burst == nil {
			_, err := rules.ParseTemplate(r.Title)
			assert.NoError(t, err, r.ID)
		}
		assert.NotEmpty(t, r.Title, r.ID)
		assert.Empty(t, titles[r.Title], "%s and %s have the same title", r.ID, titles[r.Title])
		if !strings.HasPrefix(r.Title, "{words}") { // which differ with the action
			titles[r.Title] = r.ID
		}
		assert.True(t, strings.HasSuffix(r.Why, "."), "%s: why must be a sentence", r.ID)
		assert.True(t, unicode.IsUpper(rune(r.Why[0])), "%s: why must be a sentence", r.ID)
		if i < len(defaults)-1 {
			r.ID = "mine-" + r.ID
			assert.NoError(t, Rules().Check([]rules.Rule{r}), "it must be acceptable as a rule of a user, too")
		}
	}
	assert.Equal(t, rules.Match{}, defaults[len(defaults)-1].Match, "the last rule takes what is left")
}

func TestDefaultRules_AnAlertNamesItsTargetAndATechnique(t *testing.T) {
	t.Parallel()
	for _, r := range Rules().Defaults() {
		if r.Severity != ingest.High && r.Severity != ingest.Critical && r.Severity != ingest.Medium {
			continue
		}
		assert.NotEmpty(t, r.Techniques, r.ID)
		if r.Burst != nil {
			assert.Contains(t, r.Title, "[ by {actor}]", "%s: a title without the actor makes one alert of all", r.ID)
		} else if r.ID != "2fa-enforcement-removed" && r.ID != "2fa-enforced" {
			assert.True(t, strings.Contains(r.Title, "{target}") || strings.Contains(r.Title, "{setting}"),
				"%s: a title without the resource makes one alert of all", r.ID)
		}
	}
}

// A change that protects better is no attack, and routine makes no alert of its own
// for every single thing.
func TestDefaultRules_WhatIsHarmlessHasNoTechniqueAndNoTarget(t *testing.T) {
	t.Parallel()
	detail := regexp.MustCompile(`\[[^]]*\]`)
	for _, r := range Rules().Defaults() {
		if slices.Equal(r.Match.Direction, oneOf{rules.Safer}) {
			assert.Empty(t, r.Techniques, r.ID)
		}
		if r.Drop || r.Severity == low || r.Severity == info {
			title := detail.ReplaceAllString(r.Title, "")
			for _, name := range []string{"{target}", "{zone}", "{worker}", "{actor}", "{old}", "{new}"} {
				assert.NotContains(t, title, name, r.ID)
			}
		}
	}
	c := gradingProduction(t, "checkout")
	eachSuite(func(_ string, s *suite) {
		for _, raw := range s.entries() {
			if v, f := grade(t, c, raw); f.Direction == rules.Safer && (v.Severity == low || v.Severity == info) {
				assert.Empty(t, v.Techniques, "%s: %s", v.Rule, raw)
			}
		}
	})
}

func TestDefaultRules_EveryActionPatternMatchesAKnownAction(t *testing.T) {
	t.Parallel()
	for _, r := range Rules().Defaults() {
		for _, pattern := range r.Match.Action {
			matches := false
			for name := range known.namings {
				matches = matches || text.NewGlob(pattern).Match(name)
			}
			assert.True(t, matches, "%s: no entry ever has the action %s", r.ID, pattern)
		}
	}
}

func TestJoints_EveryActionPatternMatchesAKnownAction(t *testing.T) {
	t.Parallel()
	for _, f := range families {
		for _, j := range f.joints {
			for _, pattern := range j.actions {
				matches := false
				for name := range known.namings {
					matches = matches || text.NewGlob(pattern).Match(name)
				}
				assert.True(t, matches, "no entry ever has the action %s", pattern)
			}
		}
	}
}

func TestDefaultRules_AreACopy(t *testing.T) {
	t.Parallel()
	a := Rules().Defaults()
	for i := range a {
		a[i].ID = "x"
		for _, list := range [][]string{a[i].Match.Action, a[i].Match.Target, a[i].Techniques, a[i].Match.RecordType} {
			for j := range list {
				list[j] = "x"
			}
		}
		for j := range a[i].Match.Changed {
			a[i].Match.Changed[j].Field = "x"
		}
		if p := a[i].Match.Production; p != nil {
			*p = false
		}
		if a[i].Burst != nil {
			a[i].Burst.Count = 1
		}
	}
	for _, r := range Rules().Defaults() {
		require.NotEqual(t, "x", r.ID)
		assert.NotContains(t, r.Match.Action, "x")
		assert.NotContains(t, r.Match.RecordType, "x")
		assert.NotContains(t, r.Techniques, "x")
		assert.True(t, r.Burst == nil || r.Burst.Count > 1)
		for _, c := range r.Match.Changed {
			assert.NotEqual(t, "x", c.Field)
		}
		if r.Match.Production != nil {
			assert.True(t, *r.Match.Production)
		}
	}
	assert.Equal(t, "MX", addressRecords[0])
}

// A rule that is refused because an earlier one covers it must never be the one
// that decides, or good rules would be refused.
func TestDefaultRules_ACoveredRuleMatchesNothingThatItsCoverDoesNot(t *testing.T) {
	t.Parallel()
	defaults := slices.DeleteFunc(Rules().Defaults(), func(r rules.Rule) bool { return r.Burst != nil })
	// The last rule has no conditions, which is only allowed there.
	probes := make([]rules.Rule, len(defaults)-1)
	alone := make([]*rules.Classifier, len(probes))
	for i, r := range defaults[:len(probes)] {
		probes[i] = rules.Rule{ID: "probe-" + r.ID, Severity: low, Match: r.Match}
		alone[i] = grading(t, rules.Config{ProductionZones: oneOf{"example.com"}, VerifiedWorkers: oneOf{"checkout*"}, Rules: probes[i : i+1]})
	}
	assert.NoError(t, Rules().Check(probes), "in their order each default rule is reached")

	covered := make(map[[2]int]bool)
	refusal := regexp.MustCompile(`rules\[(\d+)\] "(probe-[^"]+)": match: is never reached, because rules\[0\] `)
	position := make(map[string]int)
	for i, p := range probes {
		position[p.ID] = i
	}
	for wide := range probes {
		// A check compares each rule with each before it, and here only those with
		// the first are asked for: in small groups there are few of the others.
		for group := range slices.Chunk(probes, 10) {
			others := slices.DeleteFunc(slices.Clone(group), func(r rules.Rule) bool { return r.ID == probes[wide].ID })
			err := Rules().Check(slices.Concat(probes[wide:wide+1], others))
			if err == nil {
				continue
			}
			for _, m := range refusal.FindAllStringSubmatch(err.Error(), -1) {
				covered[[2]int{wide, position[m[2]]}] = true
			}
		}
	}
	require.Greater(t, len(covered), 30, "there is nothing to test")

	matches := 0
	eachSuite(func(_ string, s *suite) {
		for _, raw := range s.entries() {
			f := understood(t, raw)
			f.OwnToken = strings.EqualFold(f.TokenID, ownToken)
			matching := make([]bool, len(probes))
			for i, c := range alone {
				matching[i] = c.Grade(&f.Facts).Rule == probes[i].ID
			}
			for pairing := range covered {
				if wide, narrow := pairing[0], pairing[1]; matching[narrow] {
					matches++
					assert.True(t, matching[wide], "%s is said to cover %s, but not for %s", probes[wide].ID, probes[narrow].ID, raw)
				}
			}
		}
	})
	assert.Greater(t, matches, 300)
}
