package fleet

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/health"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// Status is the state of an instance. Times are in UTC and zero for what has
// not happened.
type Status struct {
	ID        string `json:"id"`
	Connector string `json:"connector"`
	Tenant    string `json:"tenant"`
	Account   string `json:"account"`
	// State is one word: paused, starting, ok, retrying, failing or halted.
	// Reason says why, if it is none of the first three. docs/health.md has the
	// rules, which are those of one account.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Paused bool   `json:"paused"`
	// Halted says that its cursor cannot be used and that a person has to act:
	// see [ingest.ErrCursor].
	Halted      bool      `json:"halted"`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	// Failures counts the failures since LastSuccess. The most recent of them
	// were all of Step, since FailingSince. LastError is kept after a recovery.
	Failures     int       `json:"failures"`
	Step         Step      `json:"step,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	// NeedsAction says that it fails until a person acts.
	NeedsAction bool `json:"needs_action"`
	// Logs are the states of its logs.
	Logs []ingest.LogState `json:"logs,omitempty"`
	// Complete is the time up to which everything shown so far has been delivered,
	// and Lag how long ago that is, or zero when nothing has been read yet. In JSON it is
	// lag_seconds, and null until then.
	Complete time.Time     `json:"complete,omitzero"`
	Lag      time.Duration `json:"-"`
	// Backlog counts the windows of time that are open.
	Backlog int `json:"backlog"`
	// Events counts the events delivered since it was added.
	Events  int64    `json:"events"`
	Notices []string `json:"notices,omitempty"`
	// NextPoll is when the next poll is due. If it is in the past, the poll is
	// under way or waits for a worker.
	NextPoll time.Time `json:"next_poll,omitzero"`
}

// MarshalJSON implements [json.Marshaler].
func (s Status) MarshalJSON() ([]byte, error) {
	type plain Status
	out := struct {
		plain
		LagSeconds *int64 `json:"lag_seconds"`
	}{plain: plain(s)}
	if !s.Complete.IsZero() {
		lag := int64(s.Lag.Seconds())
		out.LagSeconds = &lag
	}
	return json.Marshal(out)
}

// judged is what the health of an instance is judged by.
type judged struct {
	feed             health.Feed
	step             Step
	success, failing *time.Time
	interval         wholeSeconds
}

// healthColumns are those that judged scans.
const healthColumns = `i.paused, s.halted, i.changed_at, s.last_success, i.interval_s,
	s.step, s.step_failures, s.failures, s.failing_since, s.last_error, s.needs_action, s.logs`

// fields are where the columns go, with the count of failures.
func (j *judged) fields(failures *int) []any {
	f := &j.feed
	return []any{&f.Paused, &f.Halted, &f.Begun, &j.success, &j.interval,
		&j.step, &f.Failures, failures, &j.failing, &f.Error, &f.NeedsAction, &f.Logs}
}

// judge says how the instance fares, after so many failures since its last
// success.
func (j *judged) judge(failures int, now time.Time) health.Verdict {
	f := j.feed
	f.LastSuccess, f.FailingSince, f.Interval = utcOf(j.success), utcOf(j.failing), time.Duration(j.interval)
	if failures > 0 {
		f.Step = steps[j.step]
	}
	return f.Judge(now)
}

// steps are the steps of a poll as health knows them.
var steps = map[Step]health.Step{
	"":        health.Poll, // of a release that did not note it
	StepBuild: health.Build, StepPoll: health.Poll, StepDeliver: health.Deliver, StepSave: health.Save,
}

// Status returns the state of all instances, ordered by tenant and id.
func (f *Fleet) Status(ctx context.Context) ([]Status, error) {
	rows, err := f.pool.Query(ctx, `SELECT i.id, i.connector, i.tenant, i.account,
			s.last_attempt, s.last_error_at, s.complete, s.backlog, s.events, s.notices, s.next_poll, `+healthColumns+`
		FROM fleet_instance i JOIN fleet_state s ON s.id = i.id ORDER BY i.tenant, i.id`)
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	now := time.Now()
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Status, error) { return scanStatus(row, now) })
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	return list, nil
}

func scanStatus(row pgx.CollectableRow, now time.Time) (s Status, err error) {
	var attempt, failure, complete, due *time.Time
	var j judged
	err = row.Scan(append([]any{&s.ID, &s.Connector, &s.Tenant, &s.Account,
		&attempt, &failure, &complete, &s.Backlog, &s.Events, &s.Notices, &due}, j.fields(&s.Failures)...)...)
	if err != nil {
		return s, err
	}
	verdict := j.judge(s.Failures, now)
	s.State, s.Reason = string(verdict.State), verdict.Reason
	s.Paused, s.Halted, s.Logs = j.feed.Paused, j.feed.Halted, j.feed.Logs
	s.LastAttempt, s.LastSuccess = utcOf(attempt), utcOf(j.success)
	s.LastError, s.LastErrorAt = j.feed.Error, utcOf(failure)
	if s.Failures > 0 {
		s.Step, s.FailingSince, s.NeedsAction = j.step, utcOf(j.failing), j.feed.NeedsAction
	}
	s.Complete, s.NextPoll = utcOf(complete), utcOf(due)
	if complete != nil {
		s.Lag = max(0, now.Sub(*complete))
	}
	return s, nil
}

// value is the time, in UTC, or the zero one for nil.
func utcOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Summary is the state of the fleet.
type Summary struct {
	// Instances counts all instances, and the next six those in each state; see
	// [Status].
	Instances int `json:"instances"`
	Paused    int `json:"paused"`
	Starting  int `json:"starting"`
	OK        int `json:"ok"`
	Retrying  int `json:"retrying"`
	Failing   int `json:"failing"`
	Halted    int `json:"halted"`
	// Overdue counts the instances whose poll has been due for more than a
	// minute: the workers do not keep up, or there are none.
	Overdue int `json:"overdue"`
	// Behind counts the instances with a backlog.
	Behind int `json:"behind"`
	// Lag is the longest lag of the instances that are neither paused nor
	// halted. In JSON it is lag_seconds.
	Lag time.Duration `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (s Summary) MarshalJSON() ([]byte, error) {
	type plain Summary
	return json.Marshal(struct {
		plain
		LagSeconds int64 `json:"lag_seconds"`
	}{plain(s), int64(s.Lag.Seconds())})
}

// Summary returns the state of the fleet.
func (f *Fleet) Summary(ctx context.Context) (s Summary, err error) {
	var lag float64
	err = f.pool.QueryRow(ctx, `SELECT count(*),
			count(*) FILTER (WHERE s.next_poll < now() - interval '1 minute'),
			count(*) FILTER (WHERE s.backlog > 0),
			coalesce(extract(epoch FROM now() - min(s.complete) FILTER (WHERE NOT i.paused AND NOT s.halted)), 0)::float8
		FROM fleet_instance i JOIN fleet_state s ON s.id = i.id`).
		Scan(&s.Instances, &s.Overdue, &s.Behind, &lag)
	if err != nil {
		return s, prefixed.Errorf("fleet", "%w", err)
	}
	s.Lag = time.Duration(max(0, lag) * float64(time.Second))
	if err := f.countStates(ctx, &s); err != nil {
		return s, prefixed.Errorf("fleet", "%w", err)
	}
	return s, nil
}

// countStates counts the instances in each state. Those that are well beyond
// doubt, which are mostly all, are not loaded for that.
func (f *Fleet) countStates(ctx context.Context, s *Summary) error {
	rows, err := f.pool.Query(ctx, `SELECT `+healthColumns+` FROM fleet_instance i JOIN fleet_state s ON s.id = i.id
		WHERE i.paused OR s.halted OR s.failures > 0 OR s.logs @? '$[*].error' OR s.last_success IS NULL
			OR s.last_success < now() - interval '15 minutes'`)
	if err != nil {
		return err
	}
	now, doubtful := time.Now(), 0
	counts := map[health.State]*int{health.Paused: &s.Paused, health.Starting: &s.Starting, health.OK: &s.OK,
		health.Retrying: &s.Retrying, health.Failing: &s.Failing, health.Halted: &s.Halted}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (none struct{}, err error) {
		var j judged
		var failures int
		if err := row.Scan(j.fields(&failures)...); err != nil {
			return none, err
		}
		doubtful++
		*counts[j.judge(failures, now).State]++
		return none, nil
	})
	s.OK += max(0, s.Instances-doubtful)
	return err
}
