// Package backoff computes how long a host waits before it retries a failed
// step. The runner and the fleet share it, so that both recover alike.
package backoff

import (
	"math"
	"time"
)

const (
	// First is the pause after the first failure. It doubles from there.
	First = 5 * time.Second
	// Longest is the longest pause, jitter included, after a failure that a
	// person has to fix, and after any other failure when the interval is
	// shorter.
	Longest = time.Minute
)

// Limit is how long a pause may be: the larger of interval and [Longest], or
// Longest alone when a person has to act, because whoever fixes a token waits for
// the result.
func Limit(interval time.Duration, needsAction bool) time.Duration {
	if needsAction {
		return Longest
	}
	return max(Longest, interval)
}

// Pause is how long to wait after failures in a row, of which there is at least
// one. It is never longer than [Limit]. It is never shorter than asked, the wait that the server asks
// for.
//
// The caller adds up to a tenth as jitter; the limits leave room for it.
func Pause(failures int, interval, asked time.Duration, needsAction bool) time.Duration {
	limit := Limit(interval, needsAction) * 10 / 11
	d := First
	for n := 1; n < failures && d < limit; n++ {
		d *= 2
	}
	return max(min(d, limit), asked)
}

// While is how long to wait before retrying a log that has been failing while
// the rest of its feed is read: about as long as it has been failing, within
// the limits of [Pause].
func While(failing, interval, asked time.Duration, needsAction bool) time.Duration {
	return max(min(Pause(math.MaxInt, interval, 0, needsAction), max(failing, First)), asked)
}
