package judge

import (
	"slices"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	// grace is how long after its deadline a call may end.
	grace = 50 * time.Millisecond
	// carriage is how long an HTTP call may be on its way: the node's time begins when it has read it.
	carriage = 20 * time.Millisecond
	// refusal is how long a call may wait for Redis before it is refused.
	refusal = 2 * time.Second
	// aftermath is how long after a fault calls may still be refused: lanes and outboxes connect again.
	aftermath = 3 * time.Second
	// drainTime is how long a node that leaves has for what it has in hand.
	drainTime = 8 * time.Second
	// proxies is the process that carries bytes between the others.
	proxies = "chaos"
	// answers is who is touched where HTTP calls don't get through.
	answers = "answers"
	// machine is who is touched by what happens to Redis.
	machine = "redis"
)

// hindrance is the part of a call's time that must have been lost for its outcome not to be held against anybody.
const hindrance = 4

// judgeCalls looks at whether, when, and how calls end.
func judgeCalls(w *world, v *Verdict) {
	for _, stray := range w.stray {
		v.violatef(Identity, []history.Event{stray}, "%s of a call that nobody made", stray.Kind)
	}
	for _, key := range w.keys {
		c := w.calls[key]
		w.judgeEnd(v, c)
		w.judgeFailure(v, c)
	}
}

func (w *world) judgeEnd(v *Verdict, c *call) {
	v.examine(OneOutcome)
	if len(c.ends) == 0 {
		if w.died(c) {
			v.excuse(OneOutcome)
		} else {
			v.violatef(OneOutcome, []history.Event{c.begin}, "%s to %s never ended", c.name(), c.To)
		}
		return
	}
	if len(c.ends) > 1 {
		v.violatef(OneOutcome, append([]history.Event{c.begin}, c.ends...), "%s to %s ended %d times", c.name(), c.To, len(c.ends))
	}
	if end := c.end(); end.End.Failure != history.Broken && (c.Entry == "" || !w.cutOff(c)) {
		late, excused := time.Duration(end.At-c.Deadline), w.excuse(c)
		v.measure(OneOutcome, late-excused)
		if late > grace {
			v.excuse(OneOutcome)
		}
		if late > grace+excused {
			v.violatef(OneOutcome, []history.Event{c.begin, *end}, "%s to %s ended %v after its deadline, with stalls of %v",
				c.name(), c.To, late, excused)
		}
	}
}

// excuse is what is added to the bound on a call's end. A publisher on the bus has its deadline's time and its own watchdog; one that asks
// by HTTP is told by the node, whose time began later, through the proxies.
func (w *world) excuse(c *call) time.Duration {
	end := c.end().At
	if c.Entry == "" {
		return w.stalled(span{c.Deadline, end}, c.Publisher)
	}
	actors := []string{c.Publisher, c.Entry, proxies}
	return w.carried(span{c.begin.At, end}, actors...) + w.stalled(span{c.Deadline, end}, actors...)
}

// carried is how long it may take until a node has read an HTTP call: what stands still on the way only counts until then. Where that
// does not come to an end soon, all of the call may have stood still.
func (w *world) carried(s span, actors ...string) time.Duration {
	const rounds = 8
	took := carriage
	for range rounds {
		longer := carriage + w.stalled(span{s.from, s.from + took.Nanoseconds()}, actors...)
		if longer == took {
			return took
		}
		took = longer
	}
	return carriage + w.stalled(s, actors...)
}

// cutOff reports whether the answer may have been held up on its way from the node: TCP takes a while to send again.
func (w *world) cutOff(c *call) bool {
	around := span{c.begin.At - aftermath.Nanoseconds(), c.end().At}
	return slices.ContainsFunc(w.faults, func(f fault) bool {
		return f.meets(around) && f.touches(c.Entry) && f.touches(answers)
	})
}

// died reports whether the publisher was killed before the call had to end.
func (w *world) died(c *call) bool {
	for _, f := range w.faults {
		last := c.Deadline + (grace + carriage + w.stalled(span{c.begin.At, f.from}, c.Publisher, c.Entry, proxies)).Nanoseconds()
		if f.Does == history.Kills && f.touches(c.Publisher) && f.to >= c.begin.At && f.from <= last {
			return true
		}
	}
	return false
}

func (w *world) judgeFailure(v *Verdict, c *call) {
	end := c.end()
	if end == nil || end.End.Receipt != nil {
		return
	}
	v.examine(Refusals)
	w.judgeWait(v, c)
	around := span{c.begin.At - aftermath.Nanoseconds(), end.At}
	switch end.End.Failure {
	case "":
		if !c.Publish {
			v.violatef(Refusals, []history.Event{c.begin, *end}, "%s to %s ended with nothing", c.name(), c.To)
		}
		return
	case history.Unavailable, history.Overloaded, history.Ambiguous:
		if w.touched(around, machine, c.From, c.Publisher) || w.hindered(c) {
			v.excuse(Refusals)
			return
		}
	case history.Broken:
		if c.Entry != "" && w.mayBreak(c) || w.hindered(c) {
			v.excuse(Refusals)
			return
		}
	}
	v.violatef(Refusals, []history.Event{c.begin, *end}, "%s to %s: %s, and nothing was wrong", c.name(), c.To, end.End.Failure)
}

// mayBreak reports whether a fault takes the answer with it. A node that drains answers what it was asked well before it began to, and what
// ends in the time that it has.
func (w *world) mayBreak(c *call) bool {
	around := span{c.begin.At - aftermath.Nanoseconds(), c.end().At}
	return slices.ContainsFunc(w.faults, func(f fault) bool {
		if !f.meets(around) || !f.touches(c.Entry) {
			return false
		}
		asked := w.carried(span{c.begin.At, f.from}, c.Publisher, c.Entry, proxies).Nanoseconds()
		answered := f.Does == history.Drains && c.begin.At+asked < f.from && c.Deadline+asked < f.from+drainTime.Nanoseconds()
		return !answered
	})
}

// judgeWait holds calls that were refused against the time for which they may wait for Redis.
func (w *world) judgeWait(v *Verdict, c *call) {
	end := c.end()
	if end.End.Failure != history.Unavailable || c.Publish || c.Entry != "" && w.cutOff(c) {
		return
	}
	took, excused := time.Duration(end.At-c.begin.At), w.stalled(c.span(), c.Publisher, c.Entry, proxies)
	if c.Entry != "" {
		excused += carriage
	}
	v.measure(Refusals, took-excused)
	if took > refusal+grace+excused {
		v.violatef(Refusals, []history.Event{c.begin, *end}, "%s to %s was refused after %v, with stalls of %v", c.name(), c.To, took,
			excused)
	}
}

// hindered reports whether one of the processes stood still for much of the call: the machine had no time for it.
func (w *world) hindered(c *call) bool {
	return w.slowed(c.span(), duration(c.begin.At, c.span().to))
}
