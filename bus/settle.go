package bus

import (
	"time"

	"github.com/ackbus/ackbus/internal/lazy"
)

// What becomes of the deliveries that a node holds.

// step takes a step of one delivery, as its endpoint tells it. It reports whether the step counted.
func (c *claims) step(now time.Duration, r *record, i int, o Outcome, m memo) bool {
	s := &r.slots[i]
	if s.settled || o == OutcomeWritten && s.wrote > 0 {
		c.ignored++
		return false
	}
	if o == OutcomeConfirmed && s.wrote == 0 {
		s.wrote = max(now, 1) // the acknowledgement has overtaken the news of the writing
	}
	if o != OutcomeWritten {
		c.settle(now, r, i, o, m)
		return true
	}
	s.wrote, s.outcome = max(now, 1), OutcomeWritten
	switch {
	case r.level == Written:
		c.settle(now, r, i, o, m)
	case r.over:
		c.overdue(now, r, i)
	case r.summed:
		c.count(r, OutcomeWritten)
	default:
		c.wrote = append(c.wrote, wroteRef{r, i})
	}
	return true
}

// writing notes that a write begins.
func (c *claims) writing(r *record, i int) bool {
	s := &r.slots[i]
	s.writing = !s.settled
	return s.writing
}

// begin is the step by which a handler takes a message, and whose context it is that ends when the publisher gives up. It reports
// whether the step counted.
func (c *claims) begin(now time.Duration, r *record, i int, h *lazy.Context) bool {
	if !c.step(now, r, i, OutcomeWritten, memo{}) {
		return false
	}
	if !r.slots[i].settled {
		r.slots[i].handling = h
		if r.givenUp {
			c.giveUp(r)
		}
	}
	return true
}

// giveUp ends the contexts of the handlers that are at it, and of those that come to it.
func (c *claims) giveUp(r *record) {
	r.givenUp = true
	for i := range r.slots {
		if h := r.slots[i].handling; h != nil {
			c.fx.ended = append(c.fx.ended, h)
		}
	}
}

// settle ends one delivery and reports it.
func (c *claims) settle(now time.Duration, r *record, i int, o Outcome, m memo) {
	c.close(r, i, o)
	m.at = now
	if r.memory != nil {
		c.memory.keep(r, i, m)
	}
	if r.counted(o) {
		c.count(r, o)
		return
	}
	c.tellCountsOf(now, r) // that it was written, before what came of it
	e := r.step(now, i)
	e.reply, e.code, e.message = m.reply, m.code, m.message
	c.tell(now, r, e)
}

// close ends one delivery.
func (c *claims) close(r *record, i int, o Outcome) {
	r.slots[i].outcome, r.slots[i].settled, r.slots[i].handling = o, true, nil
	r.open--
	c.awaited--
	if r.open > 0 {
		return
	}
	for _, w := range r.watchers {
		c.settleBelow(w.stream, w.seq)
	}
}

// tell reports a step to everyone who awaits it.
func (c *claims) tell(now time.Duration, r *record, e stepEntry) {
	for _, w := range r.watchers {
		if !w.mute {
			w.stream.addStep(now, max(r.deadline, w.until), w.seq, e)
			c.report(w.stream)
		}
	}
}

// count has a step reported in sum.
func (c *claims) count(r *record, o Outcome) {
	r.told[o]++
	if !r.telling {
		r.telling = true
		c.telling = append(c.telling, r)
	}
	for _, w := range r.watchers {
		c.report(w.stream)
	}
}

// tellCounts reports the steps that were counted since the last time.
func (c *claims) tellCounts(now time.Duration) {
	for _, r := range c.telling {
		r.telling = false
		c.tellCountsOf(now, r)
	}
	c.telling = c.telling[:0]
}

// tellWritten reports the deliveries that were written a while ago and have not settled since.
func (c *claims) tellWritten(now time.Duration) {
	for _, ref := range c.wrote {
		s := &ref.r.slots[ref.i]
		if s.settled || s.reported {
			continue
		}
		s.reported = true
		c.tell(now, ref.r, ref.r.step(now, ref.i))
	}
	clear(c.wrote)
	c.wrote = c.wrote[:0]
}

// due is a record's timer: first at its deadline, then when no copy can come any more. What is being written at the deadline is told
// when it has been: until then nobody knows.
func (c *claims) due(now time.Duration, r *record) {
	last := r.over
	if !last {
		r.over = true
		c.wheel.schedule(&r.timer, now+lateness) // first: settling stops it where no copy can come
	}
	for i := range r.slots {
		if s := &r.slots[i]; !s.settled && (!s.writing || s.wrote > 0 || last) {
			c.overdue(now, r, i)
		}
	}
	if !last {
		return
	}
	for _, w := range r.watchers {
		w.stream.outlive(w.seq, r, r.of(w.stream, w.seq) && !w.mute)
	}
}

// overdue ends one delivery whose time is over.
func (c *claims) overdue(now time.Duration, r *record, i int) {
	s := &r.slots[i]
	c.fx.forgotten = append(c.fx.forgotten, forgotten{s.to, r.id})
	switch {
	case s.wrote > 0:
		c.settle(now, r, i, OutcomeUnconfirmed, memo{})
	case s.writing:
		c.settle(now, r, i, OutcomeUnknown, memo{})
	default:
		c.settle(now, r, i, OutcomeExpired, memo{})
	}
}

// settleBelow forgets what has settled of a number that is below its publisher's floor: no copy of it can come any more.
func (c *claims) settleBelow(s *stream, seq uint64) {
	if seq >= s.floor {
		return
	}
	filed := s.records.get(seq)
	kept := filed[:0]
	for _, r := range filed {
		if r.open > 0 {
			kept = append(kept, r)
		} else if len(r.watchers) == 1 {
			c.wheel.stop(&r.timer)
		}
	}
	s.refile(seq, kept)
}

func (c *claims) tellCountsOf(now time.Duration, r *record) {
	if r.told == nil {
		return
	}
	for o, n := range r.told {
		if n > 0 {
			c.tell(now, r, stepEntry{source: r.source, n: n, outcome: Outcome(o), waited: -time.Microsecond})
		}
	}
	*r.told = Counts{}
}
