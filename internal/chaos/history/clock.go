package history

import "time"

// A Clock reads the machine's monotonic clock.
type Clock struct {
	started time.Time
	reading int64 // of the machine's clock when it started
}

// NewClock starts a clock. Go's own clock carries it on, which costs no system call a reading.
func NewClock() Clock {
	started := time.Now()
	return Clock{started, monotonic()}
}

// Now is the time in nanoseconds.
func (c Clock) Now() int64 { return c.reading + time.Since(c.started).Nanoseconds() }
