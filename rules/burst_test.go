package rules

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// burstBook has the rule "bulk", which counts, in front of one that grades.
func burstBook(t testing.TB) *Book {
	t.Helper()
	b, err := NewBook([]Rule{
		{ID: "bulk", Severity: "high", Match: Match{Action: []string{"dns.*"}}, Burst: &Burst{20, 10 * time.Minute},
			Title: "{count} or more[ by {actor}] in {within}", Why: "Why."},
		{ID: "created", Severity: "low", Match: Match{Action: []string{"dns.record.create"}}},
		{ID: "other", Severity: "info"},
	}, Vocabulary{Actions: []string{"dns.record.create", "zone.create"}})
	require.NoError(t, err)
	return b
}

func TestBurst_ARuleThatCountsGradesNothing(t *testing.T) {
	t.Parallel()
	b := burstBook(t)
	user, err := b.Parse([]byte(`[{"id":"all","match":{"action":"*"},"burst":{"count":2,"within":"1h30m"},"severity":"low"},
		{"id":"mine","severity":"medium","match":{"action":"zone.*"}}]`))
	require.NoError(t, err)
	c, err := b.NewClassifier(Config{Rules: user})
	require.NoError(t, err)
	for action, want := range map[string]struct {
		rule   string
		bursts []string
	}{
		"dns.record.create": {"created", []string{"all", "bulk"}}, "dns.unheard.of": {"other", []string{"all", "bulk"}},
		"zone.create": {"mine", []string{"all"}}, "unheard.of": {"other", []string{"all"}},
	} {
		f := Facts{Action: action}
		assert.Equal(t, want.rule, c.Grade(&f).Rule, action)
		var got []string
		for _, r := range c.Bursts(&f, nil) {
			got = append(got, r.ID)
		}
		assert.Equal(t, want.bursts, got, action)
		_, trials := c.Explain(&f)
		assert.Equal(t, want.rule, trials[len(trials)-1].Rule.ID)
	}
	assert.Equal(t, "20 or more by alice in 10 minutes", c.BurstRule("bulk").Title("alice"))
	assert.Equal(t, "20 or more in 10 minutes", c.BurstRule("bulk").Title(""))
	assert.Equal(t, "Burst all: 2 or more within 90 minutes", c.BurstRule("all").Title("alice"), "low titles group")
	assert.Nil(t, c.BurstRule("created"))
}

func TestBurst_AUserChangesTheThresholdsOfADefaultRule(t *testing.T) {
	t.Parallel()
	b := burstBook(t)
	for text, want := range map[string]*BurstRule{
		`{"id":"bulk","burst":{"count":5}}`:                                 {Count: 5, Within: 10 * time.Minute, Severity: "high"},
		`{"id":"bulk","burst":{"within":"24h"},"severity":"critical"}`:      {Count: 20, Within: 24 * time.Hour, Severity: "critical"},
		`{"id":"bulk","severity":"medium"}`:                                 {Count: 20, Within: 10 * time.Minute, Severity: "medium"},
		`{"id":"bulk","match":{"action":"dns.*"},"burst":{"within":"60m"}}`: {Count: 20, Within: time.Hour, Severity: "high"},
		`{"id":"bulk","disabled":true}`:                                     nil,
	} {
		user, err := b.Parse([]byte("[" + text + "]"))
		require.NoError(t, err, text)
		c, err := b.NewClassifier(Config{Rules: user})
		require.NoError(t, err)
		got := c.BurstRule("bulk")
		if want == nil {
			assert.Nil(t, got, text)
			assert.Empty(t, c.Bursts(&Facts{Action: "dns.record.create"}, nil))
			continue
		}
		assert.Equal(t, want.Count, got.Count, text)
		assert.Equal(t, want.Within, got.Within, text)
		assert.Equal(t, want.Severity, got.Severity, text)

		all, err := b.All(user)
		require.NoError(t, err)
		printed, err := json.Marshal(all)
		require.NoError(t, err)
		again, err := b.Parse(printed)
		require.NoError(t, err, "%s", printed)
		assert.Equal(t, all, again, "what is printed is read again")
		var plain []Rule
		require.NoError(t, json.Unmarshal(printed, &plain))
		assert.Equal(t, all, plain)
	}
}

func TestBurst_FaultsNameTheFieldTheValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	b := burstBook(t)
	const span = "must be whole minutes or hours from 1m to 24h, such as 10m"
	mine := func(more string) string {
		return `{"id":"mine","severity":"low","match":{"action":"dns.*"},` + more + `}`
	}
	for text, want := range map[string]string{
		mine(`"burst":{"count":1,"within":"10m"}`):                                `burst.count: "1": must be from 2 to 1000`,
		mine(`"burst":{"count":1001,"within":"10m"}`):                             `burst.count: "1001": must be from 2 to 1000`,
		mine(`"burst":{"count":-5,"within":"10m"}`):                               `burst.count: "-5": must be from 2 to 1000`,
		mine(`"burst":{"within":"10m"}`):                                          `burst.count: must be from 2 to 1000`,
		mine(`"burst":{"count":2.5,"within":"10m"}`):                              `burst.count: "2.5": must be a whole number`,
		mine(`"burst":{"count":"many","within":"10m"}`):                           `burst.count: "many": must be a whole number`,
		mine(`"burst":{"count":3}`):                                               `burst.within: ` + span,
		mine(`"burst":{"count":3,"within":"90s"}`):                                `burst.within: "1m30s": ` + span,
		mine(`"burst":{"count":3,"within":"25h"}`):                                `burst.within: "25h": ` + span,
		mine(`"burst":{"count":3,"within":"-1m"}`):                                `burst.within: "-1m": ` + span,
		mine(`"burst":{"count":3,"within":"soon"}`):                               `burst.within: "soon": ` + span,
		mine(`"burst":{"count":3,"within":10}`):                                   `burst.within: "10": ` + span,
		mine(`"burst":{"count":3,"within":"10m","of":"x"}`):                       `burst.of: there is no such field`,
		mine(`"burst":7`):                                                         `burst: "7": must be an object such as {"count": 20, "within": "10m"}`,
		mine(`"burst":{"count":3,"within":"10m"},"title":"{target} gone"`):        `title: "{target} gone": there is no placeholder {target} in the title of a burst`,
		mine(`"title":"{count} gone"`):                                            `title: "{count} gone": there is no placeholder {count}`,
		`{"id":"created","burst":{"count":3,"within":"10m"}}`:                     `burst: the id is that of a default rule that grades entries and does not count them`,
		`{"id":"bulk","drop":true}`:                                               `drop: cannot be combined with a burst`,
		`{"id":"bulk","burst":{"count":0}}`:                                       ``,
		`{"id":"bulk","burst":{"count":9999}}`:                                    `burst.count: "9999": must be from 2 to 1000`,
		`{"id":"mine","match":{"action":"x"},"burst":{"count":3,"within":"10m"}}`: `severity: is required`,
	} {
		_, err := b.Parse([]byte("[" + text + "]"))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.Equal(t, 1, len(strings.Split(err.Error(), "\n")), "%s: %s", text, err)
	}
	_, err := NewBook([]Rule{{ID: "last", Severity: "low", Burst: &Burst{3, time.Minute}}}, Vocabulary{})
	require.ErrorContains(t, err, "the last rule must grade all that no other one matches")
}

// Rules that count neither shadow other rules nor are shadowed.
func TestBurst_RulesThatCountAreNeverUnreachable(t *testing.T) {
	t.Parallel()
	const twice = `[{"id":"a","severity":"low","match":{"action":"dns.*"},"burst":{"count":3,"within":"10m"}},
		{"id":"b","severity":"low","match":{"action":"dns.*"}},
		{"id":"c","severity":"low","match":{"action":"dns.record.*"},"burst":{"count":9,"within":"1h"}}]`
	_, err := burstBook(t).Parse([]byte(twice))
	require.NoError(t, err)
}

func TestBurst_ARuleThatCountsTakesNothingFromOthersInAReview(t *testing.T) {
	t.Parallel()
	b := burstBook(t)
	user, err := b.Parse([]byte(`[{"id":"a","severity":"low","match":{"action":["dns.*","zone.*"]},"burst":{"count":3,"within":"10m"}},
		{"id":"b","severity":"low","match":{"action":["dns.*","zone.*"]}},
		{"id":"c","severity":"low","match":{"action":["dns.*","zone.*"]},"burst":{"count":9,"within":"1h"}},
		{"id":"d","severity":"low","match":{"action":"dsn.*"},"burst":{"count":9,"within":"1h"}}]`))
	require.NoError(t, err)
	doubts := b.Review(user)
	require.Len(t, doubts, 1)
	assert.Equal(t, `rules[3] "d": match.action`, doubts[0].Field)
}
