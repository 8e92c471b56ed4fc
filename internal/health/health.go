// Package health judges the health of a feed or a worker. The command that
// reads one account, the fleet and its workers share it, so that a word such as
// "failing" means the same everywhere.
//
// docs/health.md shows the states and their transitions.
package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// State is a state of health.
type State string

// The states, from best to worst.
const (
	// Paused: an operator has paused it.
	Paused State = "paused"
	// Starting: it has not succeeded yet, and nothing has failed.
	Starting State = "starting"
	// OK: the last attempt succeeded, in all its parts.
	OK State = "ok"
	// Retrying: something fails, but not for long, and may recover.
	Retrying State = "retrying"
	// Failing: it needs attention. Retries continue.
	Failing State = "failing"
	// Halted: an operator has to act; there are no retries before.
	Halted State = "halted"
)

// States are all states, from best to worst.
func States() []State { return []State{Paused, Starting, OK, Retrying, Failing, Halted} }

// Well reports whether a probe should succeed: no attention is needed.
func (s State) Well() bool { return s != Failing && s != Halted }

// Patience is how long something may fail before it needs attention.
type Patience struct {
	// Failures in a row, and For since the first of them, have both to be
	// reached.
	Failures int
	For      time.Duration
}

// The patience with the steps of a host itself, and with those of others.
var (
	// OutputPatience is for outputs and stores, whose failures do not depend on
	// the poll interval.
	OutputPatience = Patience{Failures: 3, For: 2 * time.Minute}
	// shortestPatience is the least patience with the vendor.
	shortestPatience = 15 * time.Minute
)

// feedPatience is how long a feed may bring nothing.
func feedPatience(interval time.Duration) time.Duration { return max(3*interval, shortestPatience) }

// Trouble is a current failure.
type Trouble struct {
	// What is the failure, such as "the output cannot be written".
	What string
	// Error is the cause, or empty.
	Error string
	// NeedsAction says that it does not recover without a person.
	NeedsAction bool
	// Since is when the first of Failures in a row was.
	Since    time.Time
	Failures int
	Patience Patience
}

// lasting reports whether the trouble needs attention.
func (t Trouble) lasting(now time.Time) bool {
	return t.NeedsAction || t.Failures >= t.Patience.Failures && now.Sub(t.Since) >= t.Patience.For
}

func (t Trouble) String() string {
	text := t.What
	if !t.Since.IsZero() {
		text += " since " + t.Since.UTC().Format(time.RFC3339)
	}
	if t.Error != "" {
		text += ": " + t.Error
	}
	if t.NeedsAction {
		text = "a person has to act: " + text
	}
	return text
}

// Subject is what is judged.
type Subject struct {
	Paused, Halted bool
	// Begun says that it has succeeded before.
	Begun    bool
	Troubles []Trouble
}

// Verdict is a state and the reason for it.
type Verdict struct {
	State State
	// Reason names every trouble, lasting ones first. It is empty when there is
	// none.
	Reason string
}

// Judge is the state machine: the first of these that holds is the state.
//
//	paused     a person has paused it
//	halted     its cursor cannot be used
//	failing    a trouble needs a person, or outlasts the patience with it
//	retrying   there is a trouble
//	starting   it has not succeeded yet
//	ok         else
func Judge(now time.Time, s Subject) Verdict {
	var lasting, passing []string
	for _, t := range s.Troubles {
		if t.lasting(now) {
			lasting = append(lasting, t.String())
		} else {
			passing = append(passing, t.String())
		}
	}
	v := Verdict{State: OK, Reason: strings.Join(append(lasting, passing...), "; ")}
	switch {
	case s.Paused:
		v.State = Paused
	case s.Halted:
		v.State = Halted
	case len(lasting) > 0:
		v.State = Failing
	case len(passing) > 0:
		v.State = Retrying
	case !s.Begun:
		v.State = Starting
	}
	return v
}

// Step is the part of reading a feed that fails.
type Step int

// The steps.
const (
	NoStep  Step = iota
	Build        // the source, from its configuration and secrets
	Load         // the cursor
	Poll         // the source
	Deliver      // to the sink
	Save         // the cursor
)

// what describes the failure of a step.
var what = map[Step]string{
	Build:   "the configuration cannot be used",
	Load:    "the cursor cannot be loaded",
	Poll:    "the feed cannot be read",
	Deliver: "the events cannot be delivered",
	Save:    "the cursor cannot be saved",
}

// endless describes a step that does not end. A poll may take long.
var endless = map[Step]string{
	Load:    "loading the cursor has been under way",
	Deliver: "a delivery has been under way",
	Save:    "saving the cursor has been under way",
}

// Feed is what a host knows about a feed.
type Feed struct {
	Paused, Halted bool
	// Begun is when its polling began: with the process, or when it was added,
	// changed or resumed.
	Begun time.Time
	// LastSuccess is when a batch was last delivered and saved, or zero for
	// never.
	LastSuccess time.Time
	// Interval is the time between two polls.
	Interval time.Duration
	// Step is the step that currently fails, with Failures in a row since
	// FailingSince, because of Error. NoStep means that none does.
	Step         Step
	Failures     int
	FailingSince time.Time
	Error        string
	NeedsAction  bool
	// Doing is the step under way since DoingSince, or NoStep.
	Doing      Step
	DoingSince time.Time
	// Logs are the states of its logs.
	Logs []ingest.LogState
}

// Judge judges the feed.
func (f Feed) Judge(now time.Time) Verdict {
	return Judge(now, Subject{Paused: f.Paused, Halted: f.Halted, Begun: !f.LastSuccess.IsZero(), Troubles: f.troubles(now)})
}

func (f Feed) troubles(now time.Time) (list []Trouble) {
	vendor := Patience{For: feedPatience(f.Interval)}
	for _, s := range f.Logs {
		if s.Failed() {
			list = append(list, Trouble{What: s.Name + " cannot be read", Error: s.Error, NeedsAction: s.NeedsAction,
				Since: s.Since, Failures: 1, Patience: vendor})
		}
	}
	// The errors of the logs say more than the failure of the poll that they
	// caused.
	if f.Step != NoStep && (f.Step != Poll || len(list) == 0) {
		patience := OutputPatience
		if f.Step == Poll {
			patience = vendor
		}
		step := Trouble{What: what[f.Step], Error: f.Error, NeedsAction: f.NeedsAction,
			Since: f.FailingSince, Failures: f.Failures, Patience: patience}
		if f.Step == Build || f.Step == Load {
			// No log is asked before it works again.
			list = slices.Insert(list, 0, step)
		} else {
			list = append(list, step)
		}
	}
	if text := endless[f.Doing]; text != "" && f.Doing != f.Step && now.Sub(f.DoingSince) >= OutputPatience.For {
		list = append(list, Trouble{What: text, Since: f.DoingSince, Patience: Patience{For: OutputPatience.For}})
	}
	silent := f.Begun
	if f.LastSuccess.After(silent) {
		silent = f.LastSuccess
	}
	if quiet := now.Sub(silent); quiet >= vendor.For && !f.Paused && !f.Halted {
		list = append(list, Trouble{What: "no batch has been delivered", Since: silent,
			Error: fmt.Sprintf("%s are usual at most", vendor.For), Patience: vendor})
	}
	return list
}
