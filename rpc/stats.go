package rpc

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats is what an instance has counted of one method.
type Stats struct {
	Calls    uint64 // that ended
	Errors   uint64 // of these, with an error
	InFlight int    // that run
	// P50 and P99 are how long half, and 99 in 100, of the calls ran at most, within the last one to two minutes. 0: none did.
	P50, P99 time.Duration
}

// statsWire is the shape of Stats outside.
type statsWire struct {
	Calls    uint64  `json:"calls"`
	Errors   uint64  `json:"errors"`
	InFlight int     `json:"in_flight"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
}

// MarshalJSON gives times in milliseconds.
func (s Stats) MarshalJSON() ([]byte, error) { return json.Marshal(s.wire()) }

// UnmarshalJSON reads what MarshalJSON gives.
func (s *Stats) UnmarshalJSON(p []byte) error {
	var w statsWire
	err := json.Unmarshal(p, &w)
	if err == nil {
		*s = w.stats()
	}
	return err
}

func (s Stats) wire() statsWire {
	return statsWire{s.Calls, s.Errors, s.InFlight, millis(s.P50), millis(s.P99)}
}

func (w statsWire) stats() Stats {
	return Stats{w.Calls, w.Errors, w.InFlight, duration(w.P50), duration(w.P99)}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

const (
	longestCall  = int64(11 * time.Minute / time.Microsecond)
	windowLength = time.Minute
)

// counters are what Stats is made of. The histogram covers the present minute and the one before; it is made with the first call.
type counters struct {
	mu       sync.Mutex
	calls    uint64
	errors   uint64
	took     *hdrhistogram.WindowedHistogram // microseconds
	rotation time.Time
}

// end counts a call that has ended.
func (c *counters) end(now time.Time, took time.Duration, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if failed {
		c.errors++
	}
	c.rotateLocked(now)
	_ = c.took.Current.RecordValue(min(max(took.Microseconds(), 1), longestCall)) // it can't be out of range
}

func (c *counters) rotateLocked(now time.Time) {
	if c.took == nil {
		c.took, c.rotation = hdrhistogram.NewWindowed(2, 1, longestCall, 2), now
	}
	age := now.Sub(c.rotation)
	if age < windowLength {
		return
	}
	c.took.Rotate()
	if age >= 2*windowLength {
		c.took.Rotate()
	}
	c.rotation = now
}

func (c *counters) stats(inFlight int) Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Calls: c.calls, Errors: c.errors, InFlight: inFlight}
	if c.took == nil {
		return s
	}
	c.rotateLocked(time.Now())
	merged := c.took.Merge()
	s.P50 = time.Duration(merged.ValueAtQuantile(50)) * time.Microsecond
	s.P99 = time.Duration(merged.ValueAtQuantile(99)) * time.Microsecond
	return s
}
