// Package selection says which events a person asks for: a span of time, and
// filters by severity, action, actor, zone and rule.
package selection

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is a span of time. Since belongs to it and Until does not. Both are in
// UTC and whole seconds.
type Span struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Contains reports whether t is in the span.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Since) && t.Before(s.Until) }

// Length is how long the span is.
func (s Span) Length() time.Duration { return s.Until.Sub(s.Since) }

// Forms are the forms that [ParseSpan] takes, for a message or a help text.
const Forms = "7d, 2w or 36h (ago), today, yesterday, now, 2026-03 (a month), 2026-03-31 (a day), or 2026-03-31T14:00:00Z"

var errForm = errors.New("must be " + Forms)

// ParseSpan reads the two ends of a span. An empty until is now. Days and months
// begin at midnight in the location. As the end of a span, a day or a month is
// included in full, so --since 2026-03 --until 2026-03 is March. An end in the
// future is cut down to now.
//
// The error names the flag of the end that is wrong, --since or --until.
func ParseSpan(since, until string, now time.Time, in *time.Location) (Span, error) {
	from, _, err := parseEnd(since, now, in)
	if err != nil {
		return Span{}, fmt.Errorf("--since: %q: %w", since, err)
	}
	end := now
	if until != "" {
		if _, end, err = parseEnd(until, now, in); err != nil {
			return Span{}, fmt.Errorf("--until: %q: %w", until, err)
		}
	}
	if end.After(now) {
		end = now
	}
	span := Span{Since: from.UTC().Truncate(time.Second), Until: end.UTC().Truncate(time.Second)}
	switch {
	case !span.Since.Before(now):
		return Span{}, fmt.Errorf("--since: %q: must be in the past", since)
	case !span.Since.Before(span.Until):
		return Span{}, fmt.Errorf("--since: %q: must be before --until, which is %s", since, span.Until.Format(time.RFC3339))
	}
	return span, nil
}

// parseEnd returns the beginning and the end of what s names, which are the same
// for an instant.
func parseEnd(s string, now time.Time, in *time.Location) (begin, end time.Time, err error) {
	s = strings.TrimSpace(s)
	local := now.In(in)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, in)
	switch s {
	case "now":
		return now, now, nil
	case "today":
		return midnight, midnight.AddDate(0, 0, 1), nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), midnight, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, in); err == nil {
		return t, t.AddDate(0, 0, 1), nil
	}
	if t, err := time.ParseInLocation("2006-01", s, in); err == nil {
		return t, t.AddDate(0, 1, 0), nil
	}
	ago, err := parseAgo(s)
	if err != nil {
		return begin, end, err
	}
	return now.Add(-ago), now.Add(-ago), nil
}

// parseAgo reads a positive duration, also in days (d) and weeks (w).
func parseAgo(s string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > 10_000 {
				return 0, errForm
			}
			return time.Duration(n) * length, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errForm
	}
	return d, nil
}
