package health

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after is a feed in a state of affairs at a time after it began.
type after struct {
	at   time.Duration
	feed func(*Feed)
	// want is the state, and why what the reason has in it.
	want State
	why  string
}

// The table is the state machine as docs/health.md draws it: each row is a way
// into a state, or what does not lead out of it.
func TestFeed_EveryWayBetweenTheStates(t *testing.T) {
	t.Parallel()
	succeeded := func(at time.Duration) func(*Feed) {
		return func(f *Feed) { f.LastSuccess = began.Add(at) }
	}
	fails := func(step Step, since time.Duration, failures int) func(*Feed) {
		return func(f *Feed) {
			f.Step, f.FailingSince, f.Failures, f.Error = step, began.Add(since), failures, "down"
		}
	}
	needsAction := func(f *Feed) { f.NeedsAction = true }
	doing := func(step Step, since time.Duration) func(*Feed) {
		return func(f *Feed) { f.Doing, f.DoingSince = step, began.Add(since) }
	}
	log := func(since time.Duration, act bool) func(*Feed) {
		return func(f *Feed) {
			f.Logs = []ingest.LogState{{Name: "Log 1"}, {Name: "Log 2", Error: "refused", NeedsAction: act, Since: began.Add(since)}}
		}
	}
	and := func(changes ...func(*Feed)) func(*Feed) {
		return func(f *Feed) {
			for _, change := range changes {
				change(f)
			}
		}
	}
	const minute = time.Minute
	for name, c := range map[string]after{
		"nothing has happened":                      {0, nil, Starting, ""},
		"nothing for almost a quarter of an hour":   {15*minute - 1, nil, Starting, ""},
		"nothing for a quarter of an hour":          {15 * minute, nil, Failing, "no batch has been delivered since 2026-01-02T03:04:05Z: 15m0s are usual at most"},
		"a success":                                 {minute, succeeded(minute), OK, ""},
		"silence after a success":                   {20 * minute, succeeded(minute), Failing, "no batch has been delivered since 2026-01-02T03:05:05Z"},
		"the silence of a long interval":            {20 * minute, and(succeeded(minute), func(f *Feed) { f.Interval = time.Hour }), OK, ""},
		"silence longer than three long intervals":  {181 * minute, and(succeeded(minute), func(f *Feed) { f.Interval = time.Hour }), Failing, "3h0m0s are usual"},
		"a poll fails":                              {minute, and(succeeded(0), fails(Poll, minute, 1)), Retrying, "the feed cannot be read since 2026-01-02T03:05:05Z: down"},
		"a first poll fails":                        {minute, fails(Poll, minute, 1), Retrying, "the feed cannot be read"},
		"polls fail for less than their patience":   {14 * minute, and(succeeded(0), fails(Poll, 0, 100)), Retrying, ""},
		"polls fail for a quarter of an hour":       {15 * minute, and(succeeded(0), fails(Poll, 0, 100)), Failing, "the feed cannot be read"},
		"the first poll is refused":                 {1, and(fails(Poll, 0, 1), needsAction), Failing, "a person has to act: the feed cannot be read"},
		"a poll is refused":                         {minute, and(succeeded(0), fails(Poll, minute, 1), needsAction), Failing, "a person has to act: "},
		"the token is mended":                       {2 * minute, succeeded(2 * minute), OK, ""},
		"the output fails":                          {minute, and(succeeded(0), fails(Deliver, minute, 1)), Retrying, "the events cannot be delivered"},
		"twice, for long":                           {10 * minute, and(succeeded(0), fails(Deliver, minute, 2)), Retrying, ""},
		"three times, but not for two minutes":      {3*minute - 1, and(succeeded(0), fails(Deliver, minute, 3)), Retrying, ""},
		"three times, for two minutes":              {3 * minute, and(succeeded(0), fails(Deliver, minute, 3)), Failing, "the events cannot be delivered since"},
		"the output is refused":                     {minute, and(succeeded(0), fails(Deliver, minute, 1), needsAction), Failing, "a person has to act: the events"},
		"the cursor cannot be saved":                {3 * minute, and(succeeded(0), fails(Save, minute, 3)), Failing, "the cursor cannot be saved"},
		"the cursor cannot be loaded":               {3 * minute, fails(Load, minute, 3), Failing, "the cursor cannot be loaded"},
		"the configuration cannot be used":          {minute, and(fails(Build, minute, 1), needsAction), Failing, "the configuration cannot be used"},
		"one log of two fails":                      {minute, and(succeeded(minute), log(minute, false)), Retrying, "Log 2 cannot be read since 2026-01-02T03:05:05Z: refused"},
		"one log of two fails for long":             {20 * minute, and(succeeded(20*minute), log(minute, false)), Failing, "Log 2 cannot be read"},
		"one log of two is refused":                 {minute, and(succeeded(minute), log(minute, true)), Failing, "a person has to act: Log 2 cannot be read since 2026-01-02T03:05:05Z: refused"},
		"both say the same of a failed poll":        {minute, and(fails(Poll, 0, 1), log(0, false)), Retrying, "Log 2 cannot be read since 2026-01-02T03:04:05Z: refused"},
		"one log and the output":                    {minute, and(succeeded(0), fails(Deliver, minute, 1), log(minute, true)), Failing, "refused; the events cannot be delivered"},
		"a delivery under way":                      {3*minute - 1, and(succeeded(0), doing(Deliver, minute)), OK, ""},
		"a delivery that does not end":              {3 * minute, and(succeeded(0), doing(Deliver, minute)), Failing, "a delivery has been under way since 2026-01-02T03:05:05Z"},
		"a first delivery that does not end":        {2 * minute, doing(Deliver, 0), Failing, "a delivery has been under way"},
		"a save that does not end":                  {3 * minute, and(succeeded(0), doing(Save, minute)), Failing, "saving the cursor has been under way"},
		"a load that does not end":                  {2 * minute, doing(Load, 0), Failing, "loading the cursor has been under way"},
		"a poll may take long":                      {14 * minute, and(succeeded(0), doing(Poll, minute)), OK, ""},
		"an attempt after one that failed":          {5 * minute, and(succeeded(0), fails(Deliver, 2*minute, 1), doing(Deliver, 2*minute)), Retrying, "the events cannot be delivered since"},
		"the token's file after a refusal":          {minute, and(fails(Build, minute, 1), log(0, true), needsAction), Failing, "a person has to act: the configuration cannot be used since 2026-01-02T03:05:05Z: down; a person has to act: Log 2 cannot be read"},
		"paused while it fails":                     {time.Hour, and(fails(Poll, 0, 9), func(f *Feed) { f.Paused = true }), Paused, ""},
		"halted":                                    {time.Hour, and(fails(Poll, 0, 1), needsAction, func(f *Feed) { f.Halted = true }), Halted, "the feed cannot be read"},
		"resumed after a long pause":                {0, succeeded(-24 * time.Hour), OK, ""},
		"resumed after a long pause, and is silent": {15 * minute, succeeded(-24 * time.Hour), Failing, "since 2026-01-02T03:04:05Z"},
	} {
		f := Feed{Begun: began, Interval: 5 * time.Minute}
		if c.feed != nil {
			c.feed(&f)
		}
		v := f.Judge(began.Add(c.at))
		assert.Equal(t, c.want, v.State, name)
		if c.why == "" {
			assert.True(t, v.State == Retrying || v.State == Paused || v.Reason == "", "%s: %s", name, v.Reason)
		} else {
			assert.Contains(t, v.Reason, c.why, name)
		}
		assert.Equal(t, c.want != Failing && c.want != Halted, v.State.Well(), name)
		assert.Contains(t, States(), v.State)
	}
}

func TestJudge_NamesEveryTroubleAndThoseThatLastFirst(t *testing.T) {
	t.Parallel()
	v := Judge(began, Subject{Begun: true, Troubles: []Trouble{
		{What: "one", Patience: Patience{For: time.Hour}, Since: began},
		{What: "two", NeedsAction: true},
		{What: "three", Error: "why", Failures: 1, Patience: Patience{Failures: 2}},
	}})
	assert.Equal(t, Verdict{State: Failing, Reason: "a person has to act: two; one since 2026-01-02T03:04:05Z; three: why"}, v)
	assert.Equal(t, 2, strings.Count(v.Reason, "; "))
}
