package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	firstRetry   = time.Second
	longestRetry = 10 * time.Minute
)

// Backoff is the default wait before the next attempt: 1 s after the first, doubling, jittered by a fifth, 10 min at most.
func Backoff(attempt int, _ error) time.Duration {
	const doublings = 20 // more would only overflow
	d := min(firstRetry<<min(max(attempt-1, 0), doublings), longestRetry)
	spread := d / 5
	return min(d-spread+rand.N(2*spread+1), longestRetry)
}

// RetryAfter is returned by a handler whose attempt failed with err, to choose when the next one starts. The attempt counts. A nil
// err is an unnamed one.
func RetryAfter(d time.Duration, err error) error { return &steering{retry, d, err} }

// Reject is returned by a handler that knows that no further attempt will help: the job goes to the dead letters at once.
func Reject(err error) error { return &steering{reject, 0, err} }

// Snooze is returned by a handler that wants the job later: the attempt does not count, and is no failure.
func Snooze(d time.Duration) error { return &steering{snooze, d, nil} }

type direction uint8

const (
	retry direction = iota
	reject
	snooze
)

// A steering is an error that says what is to become of the job.
type steering struct {
	to    direction
	after time.Duration
	err   error
}

// Error says what was asked for, and why.
func (s *steering) Error() string {
	switch {
	case s.to == snooze:
		return fmt.Sprintf("snoozed for %v", s.after)
	case s.err == nil:
		return "failed"
	default:
		return s.err.Error()
	}
}

// Unwrap gives the error that the handler failed with.
func (s *steering) Unwrap() error { return s.err }

func steeringOf(err error) *steering {
	s, ok := errors.AsType[*steering](err)
	if !ok {
		return nil
	}
	return s
}
