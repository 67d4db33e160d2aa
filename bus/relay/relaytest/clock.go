package relaytest

import "time"

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
	c.events.push(clockEvent{at: c.now + max(d, 0), number: c.number, run: f})
}

// Step runs the next event, and reports false if there is none.
func (c *Clock) Step() bool {
	if len(c.events) == 0 {
		return false
	}
	e := c.events.pop()
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

// StepBefore runs the next event if it is due by the end, and else sets the clock there and reports false.
func (c *Clock) StepBefore(end time.Duration) bool {
	if len(c.events) > 0 && c.events[0].at <= end {
		return c.Step()
	}
	c.now = end
	return false
}

// clockHeap is ordered by time, then by number. It is container/heap without its interfaces: a schedule has many thousand events.
type clockHeap []clockEvent

func (e *clockEvent) before(o *clockEvent) bool {
	return e.at < o.at || e.at == o.at && e.number < o.number
}

func (h *clockHeap) push(e clockEvent) {
	*h = append(*h, e)
	a := *h
	for i := len(a) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a[i].before(&a[parent]) {
			return
		}
		a[i], a[parent] = a[parent], a[i]
		i = parent
	}
}

func (h *clockHeap) pop() clockEvent {
	a := *h
	first, last := a[0], len(a)-1
	a[0], a[last] = a[last], clockEvent{}
	a = a[:last]
	*h = a
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if a[child].before(&a[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
}
