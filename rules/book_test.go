package rules

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNewBook_ReportsFaultsOfDefaultRules(t *testing.T) {
	t.Parallel()
	last := Rule{ID: "last", Severity: low}
	for want, rules := range map[string][]Rule{
		"there are none":                                nil,
		`rules[1] "a": the last rule must grade`:        {last, {ID: "a", Severity: low, Match: Match{Action: oneOf{"x"}}}},
		`rules[0] "last": the last rule must grade`:     {{ID: "last", Severity: low, Disabled: true}},
		`rules[1] "last": id: "last": duplicate id`:     {last, last},
		`rules[0]: id: is required`:                     {{Severity: low, Match: Match{Action: oneOf{"x"}}}, last},
		`rules[0] "a": severity: is required`:           {{ID: "a", Match: Match{Action: oneOf{"x"}}}, last},
		`match.verb: "frob": must be one of`:            {{ID: "a", Severity: low, Match: Match{Verb: oneOf{"frob"}}}, last},
		`match.action: "a?": is not a pattern`:          {{ID: "a", Severity: low, Match: Match{Action: oneOf{"a?"}}}, last},
		`title: "{who}": there is no placeholder {who}`: {{ID: "a", Severity: low, Title: "{who}", Match: Match{Action: oneOf{"x"}}}, last},
	} {
		_, err := NewBook(rules, Vocabulary{})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "default rules: ")
	}
	b, err := NewBook([]Rule{last}, Vocabulary{})
	require.NoError(t, err)
	_, err = b.Parse([]byte(`[{"id":"mine","severity":"low","match":{"action":"dns.record.delete","verb":"create"}}]`))
	assert.NoError(t, err, "without a vocabulary verbs are not compared with actions")
}

// A default rule may name an action that is not in the vocabulary, and a user's
// rule may match it by a pattern.
func TestGrade_AnActionThatOnlyADefaultRuleNames(t *testing.T) {
	t.Parallel()
	b, err := NewBook([]Rule{{ID: "named", Severity: high, Match: Match{Action: oneOf{"frob.nicate"}}}, {ID: "last", Severity: low}}, Vocabulary{})
	require.NoError(t, err)
	c, err := b.NewClassifier(Config{})
	require.NoError(t, err)
	assert.Equal(t, "named", c.Grade(did("frob.nicate")).Rule)
	c, err = b.NewClassifier(Config{Rules: []Rule{{ID: "mine", Severity: high, Match: Match{Action: oneOf{"frob.*"}}}}})
	require.NoError(t, err)
	assert.Equal(t, "mine", c.Grade(did("frob.nicate")).Rule)
	assert.Equal(t, "mine", c.Grade(did("frob.nobody")).Rule)
	assert.Equal(t, "last", c.Grade(did("other")).Rule)
}

func TestBook_CompilesTheSameRulesOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	rules := func() []Rule {
		return []Rule{{ID: "mine", Severity: high, Match: Match{Action: []string{"dns.*"}}, Techniques: []string{"T1098"}}, {ID: "login", Disabled: true}}
	}
	require.NoError(t, b.Check(rules()))
	first, faults := b.compile(rules())
	require.Empty(t, faults)
	c, err := b.NewClassifier(Config{Rules: rules()})
	require.NoError(t, err)
	assert.Same(t, first, c.table)
	parsed, err := b.Parse([]byte(`[{"id":"mine","severity":"high","match":{"action":"dns.*"},"techniques":["T1098"]},{"id":"login","disabled":true}]`))
	require.NoError(t, err)
	again, _ := b.compile(parsed)
	assert.Same(t, first, again)
	assert.Len(t, b.cache.entries, 1)

	// Faults are kept as well.
	faulty := []Rule{{ID: "mine", Severity: "bad", Match: Match{Action: []string{"dns.*"}}}}
	wrong := b.Check(faulty)
	require.Error(t, wrong)
	assert.Equal(t, wrong, b.Check(faulty))
	assert.Len(t, b.cache.entries, 2)

	// What the caller changes afterwards is other rules, and changes none that are
	// in use.
	mine := rules()
	mine[0].Why = "Compiled here for the first time."
	c, err = b.NewClassifier(Config{Rules: mine})
	require.NoError(t, err)
	mine[0].Match.Action[0], mine[0].Techniques[0] = "zone.*", "T1485"
	verdict := c.Grade(did("dns.record.create"))
	assert.Equal(t, "mine", verdict.Rule)
	assert.Equal(t, oneOf{"T1098"}, verdict.Techniques)
	changed, err := b.NewClassifier(Config{Rules: mine})
	require.NoError(t, err)
	assert.NotSame(t, c.table, changed.table)
	assert.Equal(t, "mine", changed.Grade(did("zone.delete")).Rule)

	// Without rules of their own, all have the table of the default ones.
	c, err = b.NewClassifier(Config{})
	require.NoError(t, err)
	assert.Same(t, b.table, c.table)
}

// Every field of a rule is in its key, and no two lists of rules have the same.
func TestAppendRules_TellsAllRulesApart(t *testing.T) {
	t.Parallel()
	key := func(rules ...Rule) string { return string(appendRules(nil, rules)) }
	seen := map[string]string{key(): "none", key(Rule{}): "an empty one", key(Rule{}, Rule{}): "two"}
	add := func(name string, rules ...Rule) {
		k := key(rules...)
		assert.Empty(t, seen[k], "%s has the key of %s", name, seen[k])
		seen[k] = name
	}
	var walk func(name string, v reflect.Value, r *Rule)
	walk = func(name string, v reflect.Value, r *Rule) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
			add(name, *r)
		case reflect.Bool:
			v.SetBool(true)
			add(name, *r)
		case reflect.Int, reflect.Int64:
			for _, n := range []int64{1, -1, 300} {
				v.SetInt(n)
				add(fmt.Sprint(name, " ", n), *r)
			}
		case reflect.Pointer:
			if v.Type() == reflect.TypeFor[*Burst]() {
				b := new(Burst)
				v.Set(reflect.ValueOf(b))
				add(name, *r)
				walk(name, reflect.ValueOf(b).Elem(), r)
				break
			}
			for _, value := range []bool{true, false} {
				v.Set(reflect.ValueOf(&value))
				add(fmt.Sprint(name, " ", value), *r)
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.String {
				for _, list := range [][]string{{"x"}, {"x", "y"}, {"xy"}, {""}} {
					v.Set(reflect.ValueOf(list))
					add(fmt.Sprintf("%s %q", name, list), *r)
				}
				break
			}
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			walk(name+"[0]", v.Index(0), r)
		case reflect.Struct:
			for i := range v.NumField() {
				walk(name+"."+v.Type().Field(i).Name, v.Field(i), r)
			}
		default:
			t.Fatalf("%s is of a kind that keys do not know", name)
		}
		v.Set(was)
	}
	var r Rule
	walk("Rule", reflect.ValueOf(&r).Elem(), &r)
	assert.Greater(t, len(seen), 50)
	add("no techniques", Rule{Techniques: []string{}})
	add("two rules, one empty", Rule{ID: "x"}, Rule{})

	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRules(t), drawRules(t)
		assert.Equal(t, reflect.DeepEqual(a, b), key(a...) == key(b...))
		assert.Equal(t, key(a...), key(cloneAll(a)...))
	})
}

func TestCache_IsBounded(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	one := func(i, size int) []Rule {
		return []Rule{{ID: fmt.Sprint("mine-", i), Severity: high, Why: strings.Repeat("x", size), Match: Match{Action: []string{"dns.*"}}}}
	}
	kept, _ := b.compile(one(0, 0))
	for i := range 2 * maxTables {
		require.NoError(t, b.Check(one(i, 0)))
		again, _ := b.compile(one(0, 0))
		require.Same(t, kept, again, "what is in use stays")
		require.LessOrEqual(t, len(b.cache.entries), maxTables)
	}
	assert.Len(t, b.cache.entries, maxTables)
	for i := range 9 {
		require.NoError(t, b.Check(one(i, maxKeyBytes/4)))
	}
	sum := 0
	for key := range b.cache.entries {
		sum += len(key)
	}
	assert.Equal(t, sum, b.cache.bytes)
	assert.LessOrEqual(t, sum, maxKeyBytes)
	entries := len(b.cache.entries)
	require.NoError(t, b.Check(one(0, maxKeyBytes)), "rules that are too long for the cache are compiled all the same")
	assert.Len(t, b.cache.entries, entries)
}

func TestBook_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				user := []Rule{{ID: fmt.Sprint("mine-", (i+j)%5), Severity: high, Match: Match{Action: []string{"dns.*"}}}, {ID: "login", Drop: true}}
				c, err := b.NewClassifier(Config{Rules: user})
				if !assert.NoError(t, err) {
					return
				}
				assert.Equal(t, user[0].ID, c.Grade(did("dns.record.create")).Rule)
				assert.NotEmpty(t, c.Grade(did("frob.nicate")).Title)
				_, trials := c.Explain(did("zone.delete"))
				assert.NotEmpty(t, trials)
			}
		})
	}
	wg.Wait()
}
