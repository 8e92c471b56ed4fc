package burst

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/rules"
)

// classifier has the rules "few", three within ten minutes, and "many", five
// within a minute.
func classifier(t testing.TB) *rules.Classifier {
	t.Helper()
	book, err := rules.NewBook([]rules.Rule{
		{ID: "few", Severity: "high", Match: rules.Match{Action: []string{"*.delete"}}, Burst: &rules.Burst{Count: 3, Within: 10 * time.Minute}},
		{ID: "many", Severity: "low", Match: rules.Match{Action: []string{"*.delete"}}, Burst: &rules.Burst{Count: 5, Within: time.Minute}},
		{ID: "other", Severity: "low"},
	}, rules.Vocabulary{})
	require.NoError(t, err)
	c, err := book.NewClassifier(rules.Config{})
	require.NoError(t, err)
	return c
}

// noon is a boundary of the spans of both rules.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func entryAt(id string, when time.Time, actor string) *Entry {
	return &Entry{ID: id, When: when, Log: "v1", Account: "a", Actor: Actor{ID: actor, Shown: actor + "@example.com"}}
}

// taken are the alarms that are due, as text.
func taken(t *Tracker) (all []string) {
	for t.Due() {
		a := t.Take()
		all = append(all, fmt.Sprint(a.IDText(), a.Rule.ID, a.Actor, a.At, a.Since, a.Before))
	}
	return all
}

func TestTracker_RaisesOneAlarmInEachSpanThatABurstEndsIn(t *testing.T) {
	t.Parallel()
	few := classifier(t).BurstRule("few")
	for name, test := range map[string]struct {
		seconds []int // after noon
		want    []int // the minutes after noon at which the spans begin
	}{
		"too few":                            {[]int{0, 1}, nil},
		"at once":                            {[]int{5, 5, 5}, []int{0}},
		"all of a span":                      {[]int{0, 300, 599}, []int{0}},
		"a burst over a boundary":            {[]int{590, 595, 605}, []int{10}},
		"one on both sides of it":            {[]int{585, 590, 595, 605}, []int{0, 10}},
		"too far apart":                      {[]int{0, 300, 660}, nil},
		"just near enough":                   {[]int{60, 300, 659}, []int{10}},
		"it goes on":                         {[]int{0, 60, 120, 700, 760, 820, 1300, 1400, 1500}, []int{0, 10, 20}},
		"before a time divisible by nothing": {[]int{-3, -2, -1}, []int{-10}},
	} {
		tr := NewTracker()
		for i, s := range test.seconds {
			tr.Count(few, entryAt(fmt.Sprint(i), noon.Add(time.Duration(s)*time.Second), "alice"))
		}
		var got []int
		for tr.Due() {
			a := tr.Take()
			got = append(got, int(a.At.Sub(noon)/time.Minute))
			assert.Equal(t, a.At.Add(-9*time.Minute), a.Since)
			assert.Equal(t, a.At.Add(10*time.Minute), a.Before)
		}
		assert.Equal(t, test.want, got, name)
	}
}

func TestTracker_CountsActorsAccountsAndLogsSeparatelyAndAnEntryOnce(t *testing.T) {
	t.Parallel()
	few := classifier(t).BurstRule("few")
	tr := NewTracker()
	for range 5 {
		tr.Count(few, entryAt("0", noon, "erin"))
	}
	require.False(t, tr.Due(), "one entry five times is one")
	for i := range 2 {
		for _, change := range []func(*Entry){
			func(*Entry) {}, func(e *Entry) { e.Actor.ID = "bob" }, func(e *Entry) { e.Account = "b" }, func(e *Entry) { e.Log = "v2" },
			func(e *Entry) { e.ID = "again" },
		} {
			e := entryAt(fmt.Sprint(i), noon, "alice")
			change(e)
			tr.Count(few, e)
		}
	}
	// Alice has "0", "1" and "again", the last of them twice, and two in v2.
	require.Len(t, taken(tr), 1)
	// Those of the other log raise the same alarm, so none is raised again.
	e := entryAt("2", noon, "alice")
	e.Log = "v2"
	tr.Count(few, e)
	require.False(t, tr.Due())

	// Without an id, an address identifies an actor, however it is written.
	for i, email := range []string{"carol@example.com", "Carol@example.com", "CAROL@EXAMPLE.COM"} {
		e := entryAt(fmt.Sprint(i), noon, "")
		e.Actor = Actor{Email: email, Shown: email}
		tr.Count(few, e)
	}
	require.Len(t, taken(tr), 1)
	for i, when := range []time.Time{{}, {}, {}, time.Unix(-1, 0), time.Unix(-1, 0), time.Unix(-1, 0), noon.AddDate(8000, 0, 0), noon.AddDate(8000, 0, 0), noon.AddDate(8000, 0, 0)} {
		tr.Count(few, entryAt(fmt.Sprint(i), when, "dave"))
	}
	require.False(t, tr.Due(), "an entry without a time of its own is not counted")
}

// Which alarms there are does not depend on the order in which entries come, on
// how often each comes, nor on when the state is saved, forgotten as far as
// nothing can come any more, and loaded.
func TestTracker_TheSameEntriesRaiseTheSameAlarms(t *testing.T) {
	t.Parallel()
	c := classifier(t)
	tried, raised := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tried++
		type one struct {
			rule *rules.BurstRule
			*Entry
		}
		var all []one
		for i := range rapid.IntRange(0, 60).Draw(t, "entries") {
			when := noon.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "second")) * time.Second)
			e := entryAt(fmt.Sprint(i), when, rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "actor"))
			e.Log = rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "log")
			all = append(all, one{c.BurstRule("few"), e}, one{c.BurstRule("many"), e})
		}
		inOrder := NewTracker()
		for _, e := range all {
			inOrder.Count(e.rule, e.Entry)
		}
		want := taken(inOrder)
		raised += len(want)

		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffled := append(slices.Clone(all), all[:len(all)/3]...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		tr := NewTracker()
		var got []string
		for i, e := range shuffled {
			if rng.IntN(4) == 0 {
				rest := shuffled[i:]
				tr.Prune(func(log string, first, last time.Time) bool {
					return slices.ContainsFunc(rest, func(e one) bool { return (log == "" || e.Log == log) && !e.When.Before(first) && !e.When.After(last) })
				})
				saved := tr.Save()
				require.True(t, saved == nil || json.Valid(saved))
				var err error
				tr, err = Load(saved, c)
				require.NoError(t, err)
				require.Equal(t, string(saved), string(tr.Save()))
			}
			tr.Count(e.rule, e.Entry)
			if rng.IntN(2) == 0 && tr.Due() {
				a := tr.Take()
				got = append(got, fmt.Sprint(a.IDText(), a.Rule.ID, a.Actor, a.At, a.Since, a.Before))
			}
		}
		got = append(got, taken(tr)...)
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got)
	})
	t.Logf("%d alarms in %d runs", raised, tried)
	least := tried
	if testing.Short() {
		least = 0
	}
	require.Greater(t, raised, least, "there is nothing to test")
}

func TestTracker_ForgetsWhatNothingCanComeNearOf(t *testing.T) {
	t.Parallel()
	few := classifier(t).BurstRule("few")
	tr := NewTracker()
	for i := range 5 {
		tr.Count(few, entryAt(fmt.Sprint(i), noon, "alice"))
	}
	require.Len(t, taken(tr), 1)
	until := func(end time.Time) func(string, time.Time, time.Time) bool {
		return func(_ string, _, last time.Time) bool { return last.After(end) }
	}
	tr.Prune(until(noon.Add(9 * time.Minute)))
	require.NotNil(t, tr.Save())
	tr.Prune(until(noon.Add(12 * time.Minute)))
	require.Nil(t, tr.Save(), "an entry that comes now is too far away")
}

// An alarm that has not been taken is not forgotten with what it is about.
func TestTracker_KeepsWhatIsDue(t *testing.T) {
	t.Parallel()
	c := classifier(t)
	tr := NewTracker()
	for i := range 3 {
		tr.Count(c.BurstRule("few"), entryAt(fmt.Sprint(i), noon, "alice"))
	}
	tr.Prune(func(string, time.Time, time.Time) bool { return false })
	again, err := Load(tr.Save(), c)
	require.NoError(t, err)
	require.Equal(t, taken(tr), taken(again))
	again.Prune(func(string, time.Time, time.Time) bool { return false })
	require.Nil(t, again.Save())
}

func TestTracker_IsBoundedAndForgetsWhatIsFarthestAway(t *testing.T) {
	t.Parallel()
	few := classifier(t).BurstRule("few")
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		tr := NewTracker()
		tr.most = 100
		for i := range 1000 {
			when := noon.Add(time.Duration(i) * step)
			for j := range 3 {
				tr.Count(few, entryAt(fmt.Sprint(i, j), when, "alice"))
			}
			require.Len(t, taken(tr), 1, "what is near is still counted")
			require.LessOrEqual(t, tr.ids, tr.most)
		}
		require.Zero(t, tr.Forgotten(), "nobody needs what is hours away")
	}
	// A crowd at one time is too much.
	var states []string
	for range 2 {
		tr := NewTracker()
		tr.most = 100
		for i := range 300 {
			tr.Count(few, entryAt(fmt.Sprint(i), noon, fmt.Sprint("actor-", i)))
		}
		require.Equal(t, 300, tr.ids+tr.Forgotten())
		states = append(states, string(tr.Save()))
	}
	require.Equal(t, states[0], states[1], "what is forgotten does not depend on chance")
}

// The form of the state is a promise: another release reads it.
func TestState_HasTheFormThatItsDocumentationShows(t *testing.T) {
	t.Parallel()
	c := classifier(t)
	tr := NewTracker()
	for i := range 4 {
		e := entryAt(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), "al\"ice")
		e.Actor.Type, e.Actor.Email = "user", "alice@example.com"
		tr.Count(c.BurstRule("few"), e)
	}
	const want = `{"version":1,"rows":[{"rule":"few","within":"10m","account":"a",` +
		`"actor":{"id":"al\"ice","type":"user","email":"alice@example.com","shown":"al\"ice@example.com"},` +
		`"counted":{"v1":{"2026-03-02T12:00:00Z":"X+zrZv/Ibzg=","2026-03-02T12:01:00Z":"a4ayc/80/OE=",` +
		`"2026-03-02T12:02:00Z":"1HNeOiZeFu4=","2026-03-02T12:03:00Z":"TgdAhWK+24s="}},` +
		`"raised":["2026-03-02T12:00:00Z"],"due":["2026-03-02T12:00:00Z"]}]}`
	require.Equal(t, want, string(tr.Save()))
}

func TestLoad_RefusesWhatItDidNotWriteAndLeavesOutWhatIsNoLongerInForce(t *testing.T) {
	t.Parallel()
	c := classifier(t)
	row := func(more string) string {
		return `{"version":1,"rows":[{"rule":"few","within":"10m","actor":{"id":"x"}` + more + `}]}`
	}
	for text, want := range map[string]string{
		`{`:             "",
		`[]`:            "version",
		`{"rows":[]}`:   "version",
		`{"version":2}`: `it has version "2", and this release reads version 1`,
		`null`:          "version",
		row(`,"counted":{"v1":{"2026-03-02T12:00:01Z":"AAAAAAAAAAA="}}`):                                       "not a multiple of 60 seconds",
		row(`,"counted":{"v1":{"1969-03-02T12:00:00Z":"AAAAAAAAAAA="}}`):                                       "since 1970",
		row(`,"counted":{"v1":{"noon":"AAAAAAAAAAA="}}`):                                                       "is not a time",
		row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":"AAAA"}}`):                                               "damaged",
		row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":""}}`):                                                   "damaged",
		row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":7}}`):                                                    "damaged",
		row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":"AAAAAAAAAAEAAAAAAAAAAQ=="}}`):                           "do not ascend",
		row(`,"counted":{"v1":{"2026-03-02T12:01:00Z":"AAAAAAAAAAA=","2026-03-02T12:00:00Z":"AAAAAAAAAAA="}}`): "do not ascend",
		row(`,"raised":["2026-03-02T12:01:00Z"]`):                                                              "not a multiple of 600 seconds",
		row(`,"raised":["2026-03-02T12:10:00Z","2026-03-02T12:00:00Z"]`):                                       "do not ascend",
		row(`,"due":["2026-03-02T12:00:00Z"]`):                                                                 "was not raised",
		row(`},{"rule":"few","within":"10m","actor":{"id":"x"}`):                                               "twice",
	} {
		_, err := Load(json.RawMessage(text), c)
		require.ErrorContains(t, err, want, text)
	}
	for _, text := range []string{
		strings.ReplaceAll(row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":"AAAAAAAAAAA="}}`), "10m", "20m"),
		strings.ReplaceAll(row(`,"counted":{"v1":{"2026-03-02T12:00:00Z":"AAAAAAAAAAA="}}`), "few", "gone"),
		row(`,"surprise":{}`),
	} {
		tr, err := Load(json.RawMessage(text), c)
		require.NoError(t, err, text)
		require.Nil(t, tr.Save(), text)
	}
}

func FuzzLoad(f *testing.F) {
	c := classifier(f)
	tr := NewTracker()
	for i := range 6 {
		tr.Count(c.BurstRule("few"), entryAt(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), "alice"))
	}
	f.Add([]byte(tr.Save()))
	f.Add([]byte(`{"version":1,"rows":[{"rule":"few","within":"10m","counted":{"v1":{}},"raised":["2026-03-02T12:00:00Z"],"due":["2026-03-02T12:00:00Z"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tr, err := Load(text, c)
		if err != nil {
			return
		}
		saved := tr.Save()
		again, err := Load(saved, c)
		require.NoError(t, err, "%s", saved)
		require.Equal(t, string(saved), string(again.Save()))
		for i := range 4 {
			tr.Count(c.BurstRule("few"), entryAt(fmt.Sprint(i), noon, "x"))
		}
		_ = taken(tr)
		tr.Prune(func(string, time.Time, time.Time) bool { return false })
		require.Nil(t, tr.Save())
	})
}
