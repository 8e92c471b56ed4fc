package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is how an instance fares. Times are zero for what has not happened.
type Status struct {
	ID        string `json:"id"`
	Connector string `json:"connector"`
	Tenant    string `json:"tenant"`
	Account   string `json:"account"`
	Paused    bool   `json:"paused"`
	// Halted says that its cursor cannot be used and that a person has to act:
	// see [ingest.ErrCursor].
	Halted      bool      `json:"halted"`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	// Failures counts those in a row since LastSuccess. LastError is kept after
	// a recovery.
	Failures    int       `json:"failures"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Complete is the time up to which everything has been delivered, and Lag
	// how long ago that is, or zero when nothing has been read yet.
	Complete time.Time     `json:"complete,omitzero"`
	Lag      time.Duration `json:"lag_ns"`
	// Backlog counts the windows of time that are open.
	Backlog int `json:"backlog"`
	// Events counts those delivered since it was added.
	Events  int64    `json:"events"`
	Notices []string `json:"notices,omitempty"`
	// NextPoll is when the next poll is due. In the past it means that the poll
	// waits for a worker or is under way.
	NextPoll time.Time `json:"next_poll,omitzero"`
}

// Status returns how all instances fare, ordered by tenant and id.
func (f *Fleet) Status(ctx context.Context) ([]Status, error) {
	rows, err := f.pool.Query(ctx, `SELECT i.id, i.connector, i.tenant, i.account, i.paused, s.halted,
			s.last_attempt, s.last_success, s.failures, s.last_error, s.last_error_at, s.complete,
			s.backlog, s.events, s.notices, s.next_poll
		FROM fleet_instance i JOIN fleet_state s ON s.id = i.id ORDER BY i.tenant, i.id`)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	now := time.Now()
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Status, err error) {
		var attempt, success, failure, complete, next *time.Time
		err = row.Scan(&s.ID, &s.Connector, &s.Tenant, &s.Account, &s.Paused, &s.Halted,
			&attempt, &success, &s.Failures, &s.LastError, &failure, &complete, &s.Backlog, &s.Events, &s.Notices, &next)
		s.LastAttempt, s.LastSuccess, s.LastErrorAt = value(attempt), value(success), value(failure)
		s.Complete, s.NextPoll = value(complete), value(next)
		if complete != nil {
			s.Lag = max(0, now.Sub(*complete))
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return list, nil
}

// value is the time, in UTC, or the zero one for nil.
func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Summary is how the fleet fares.
type Summary struct {
	// Instances counts all of them. Paused, Halted and Failing, which have
	// failed since their last success, are parts of it.
	Instances int `json:"instances"`
	Paused    int `json:"paused"`
	Halted    int `json:"halted"`
	Failing   int `json:"failing"`
	// Overdue counts those whose poll has been due for more than a minute: the
	// workers do not keep up, or there are none.
	Overdue int `json:"overdue"`
	// Behind counts those with a backlog.
	Behind int `json:"behind"`
	// Lag is the longest of those that are neither paused nor halted.
	Lag time.Duration `json:"lag_ns"`
}

// Summary returns how the fleet fares.
func (f *Fleet) Summary(ctx context.Context) (s Summary, err error) {
	var lag float64
	err = f.pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE i.paused), count(*) FILTER (WHERE s.halted),
			count(*) FILTER (WHERE s.failures > 0 AND NOT i.paused AND NOT s.halted),
			count(*) FILTER (WHERE s.next_poll < now() - interval '1 minute'),
			count(*) FILTER (WHERE s.backlog > 0),
			coalesce(extract(epoch FROM now() - min(s.complete) FILTER (WHERE NOT i.paused AND NOT s.halted)), 0)::float8
		FROM fleet_instance i JOIN fleet_state s ON s.id = i.id`).
		Scan(&s.Instances, &s.Paused, &s.Halted, &s.Failing, &s.Overdue, &s.Behind, &lag)
	if err != nil {
		return s, fmt.Errorf("fleet: %w", err)
	}
	s.Lag = time.Duration(max(0, lag) * float64(time.Second))
	return s, nil
}
