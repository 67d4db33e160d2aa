package relaytest

import (
	"container/heap"
	"time"
)

// A Clock is virtual time in one goroutine: what is scheduled runs in Step, in order of time and, at the same time, in the order
// in which it was scheduled. Its After is made for relay.HubOptions. It is not safe for concurrent use. The zero value is
// ready and stands at zero.
type Clock struct {
	now    time.Duration
	number uint64
	events clockHeap
}

type clockEvent struct {
	at     time.Duration
	number uint64
	run    func()
}

// Now is the time since the clock began.
func (c *Clock) Now() time.Duration { return c.now }

// After schedules f for the time d from now; a negative d is zero.
func (c *Clock) After(d time.Duration, f func()) {
	c.number++
	heap.Push(&c.events, clockEvent{at: c.now + max(d, 0), number: c.number, run: f})
}

// Step runs the next event, and reports false if there is none.
func (c *Clock) Step() bool {
	if len(c.events) == 0 {
		return false
	}
	e := heap.Pop(&c.events).(clockEvent)
	c.now = e.at
	e.run()
	return true
}

// Advance runs all that is due within d, and sets the clock forward by d.
func (c *Clock) Advance(d time.Duration) {
	end := c.now + d
	for len(c.events) > 0 && c.events[0].at <= end {
		c.Step()
	}
	c.now = end
}

// clockHeap is ordered by time, then by number.
type clockHeap []clockEvent

func (h clockHeap) Len() int { return len(h) }

func (h clockHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].number < h[j].number
}

func (h clockHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *clockHeap) Push(e any) { *h = append(*h, e.(clockEvent)) }

func (h *clockHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = clockEvent{}
	*h = old[:len(old)-1]
	return e
}
