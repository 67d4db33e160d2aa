package bus

import (
	"math/bits"
	"time"
)

// A timer is embedded in what it wakes, its owner. The zero timer with an owner is ready to be scheduled.
type timer[T any] struct {
	prev, next *timer[T]     // nil while it is not scheduled
	when       time.Duration // when it fires: what was asked, rounded up to a whole tick
	owner      *T
}

// scheduled reports whether the timer is to fire.
func (t *timer[T]) scheduled() bool { return t.next != nil }

// A wheel fires timers, each at the first whole tick that is not before what was asked: never early, and less than a tick
// late. Scheduling and stopping cost the same however many there are, and nothing is allocated. Times count from the bus's
// epoch. A timer further off than a turn of the wheel stays in its slot for more turns. It is not safe for
// concurrent use.
type wheel[T any] struct {
	tick     time.Duration
	now      int64      // the last tick that has fired
	slots    []timer[T] // each the head of a ring of timers, in the order in which they were scheduled
	occupied []uint64   // a bit for each slot that is not empty
	firing   timer[T]   // the head of those whose tick is firing
	count    int
}

// newWheel makes a wheel whose turn is slots ticks, rounded up to a multiple of 64.
func newWheel[T any](tick time.Duration, slots int) *wheel[T] {
	words := max(1, (slots+63)/64)
	w := &wheel[T]{tick: tick, slots: make([]timer[T], words*64), occupied: make([]uint64, words)}
	for i := range w.slots {
		w.slots[i].prev, w.slots[i].next = &w.slots[i], &w.slots[i]
	}
	w.firing.prev, w.firing.next = &w.firing, &w.firing
	return w
}

// len is how many timers are scheduled.
func (w *wheel[T]) len() int { return w.count }

// schedule sets the timer, anew if it is scheduled already. What is due already fires at the next tick that advance comes to.
func (w *wheel[T]) schedule(t *timer[T], when time.Duration) {
	const forever = 1 << 62 // 146 years: rounding up can't overflow
	w.stop(t)
	when = min(when, forever)
	due := int64(when / w.tick)
	if when%w.tick > 0 {
		due++
	}
	due = max(due, w.now+1)
	t.when = time.Duration(due) * w.tick
	slot := w.slotOf(due)
	t.insertBefore(&w.slots[slot])
	w.occupied[slot/64] |= 1 << (slot % 64)
	w.count++
}

// stop makes sure that the timer does not fire. It may be stopped already.
func (w *wheel[T]) stop(t *timer[T]) {
	if !t.scheduled() {
		return
	}
	t.unlink()
	w.count--
	slot := w.slotOf(int64(t.when / w.tick))
	if head := &w.slots[slot]; head.next == head {
		w.occupied[slot/64] &^= 1 << (slot % 64)
	}
}

// advance fires every timer whose tick has come by now, in the order of their ticks and, within one, of scheduling. A timer is no
// longer scheduled when it fires. fire may schedule and stop any timer; it may not call advance.
func (w *wheel[T]) advance(now time.Duration, fire func(*T)) {
	for target := int64(now / w.tick); w.now < target; {
		ahead, ok := w.ahead()
		if !ok || w.now+ahead > target {
			w.now = target
			return
		}
		w.now += ahead
		w.fireTick(fire)
	}
}

// fireTick fires the timers of the tick that is now. They move to a ring of their own first, so that fire may change the slot.
func (w *wheel[T]) fireTick(fire func(*T)) {
	slot := w.slotOf(w.now)
	head, due := &w.slots[slot], time.Duration(w.now)*w.tick
	for t := head.next; t != head; {
		next := t.next
		if t.when == due {
			t.unlink()
			t.insertBefore(&w.firing)
		}
		t = next
	}
	if head.next == head {
		w.occupied[slot/64] &^= 1 << (slot % 64)
	}
	for w.firing.next != &w.firing {
		t := w.firing.next
		w.stop(t)
		fire(t.owner)
	}
}

// ahead is how many ticks away the next slot is that is not empty, 1 to a whole turn.
func (w *wheel[T]) ahead() (ticks int64, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	start := w.slotOf(w.now + 1)
	word := start / 64
	set := w.occupied[word] >> (start % 64) << (start % 64)
	for set == 0 { // ends: a timer is scheduled, at the latest in the part of the first word that was cut off
		word = (word + 1) % len(w.occupied)
		set = w.occupied[word]
	}
	slot := word*64 + bits.TrailingZeros64(set)
	return int64((slot-start+len(w.slots))%len(w.slots)) + 1, true
}

func (w *wheel[T]) slotOf(tick int64) int { return int(tick % int64(len(w.slots))) }

func (t *timer[T]) insertBefore(at *timer[T]) {
	t.prev, t.next = at.prev, at
	at.prev.next, at.prev = t, t
}

func (t *timer[T]) unlink() {
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next = nil, nil
}
