package bus

import (
	"errors"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// judge holds a request against the guarantees.
func (s *schedule) judge(r *simRequest) {
	if r.from.dead {
		return
	}
	if r.ended == 0 {
		s.failf("request %s never ended", r.id)
		return
	}
	if late := r.ended - r.deadline; late > 50*time.Millisecond && !r.from.halted {
		s.failf("request %s ended %v after its deadline", r.id, late)
	}
	if r.receipt == nil {
		if !errors.Is(r.err, relay.ErrNotSent) {
			s.failf("request %s: %v", r.id, r.err)
		}
		return
	}
	for _, d := range r.receipt.Deliveries {
		if d.Outcome == OutcomeConfirmed && s.socket(d.Socket).acked[r.id] == 0 {
			s.failf("%s: %s is said to have confirmed, and did not", r.receipt, d.Socket)
		}
		if d.Written > d.Settled && d.Settled > 0 || d.Settled > r.receipt.Elapsed {
			s.failf("%s: written %v, settled %v, elapsed %v", r.receipt, d.Written, d.Settled, r.receipt.Elapsed)
		}
	}
	s.ends[r.receipt.Outcome]++
	s.judgeCalm(r)
	s.judgeCounts(r.receipt)
	s.judgeNobody(r)
	if r.from.trouble == 0 && !s.away {
		s.judgeSeen(r)
		s.judgeTimes(r)
	}
}

// judgeSeen holds that what is lost is sent again: who is there, and has no trouble, gets a message in time, whatever the links lose.
func (s *schedule) judgeSeen(r *simRequest) {
	const makeUp = 2900 * time.Millisecond // four or five attempts
	for _, k := range s.at(r.to) {
		if k.node.trouble == 0 && !k.node.late && !k.closed && k.seen[r.id] == 0 && r.ended-r.began > makeUp {
			s.failf("%s: %s was there all the time, and did not get it", r.receipt, k.id)
		}
	}
}

// judgeNobody holds that nobody is said to be there only where nobody is. Who came late may not be known to everybody yet, and who is cut
// off from a Redis that was away is held by nobody.
func (s *schedule) judgeNobody(r *simRequest) {
	if r.receipt.Outcome != OutcomeNoReceiver {
		return
	}
	for _, n := range s.nodes {
		for _, k := range n.sockets {
			there := slices.Contains(k.to, r.to) && !k.closed && !n.dead && !n.late && !r.from.late && (n.silence == 0 || !s.away)
			if there || k.seen[r.id] > 0 {
				s.failf("%s: nobody is said to be there, and %s is", r.receipt, k.id)
			}
		}
	}
}

// judgeTimes holds that a publisher without trouble of its own learns in time what became of deliveries: that somebody confirmed, that a
// node is dead, and that it fell silent.
func (s *schedule) judgeTimes(r *simRequest) {
	const makeUp, slack = 2500 * time.Millisecond, 150 * time.Millisecond
	for _, d := range r.receipt.Deliveries {
		k := s.socket(d.Socket)
		if k.node == nil {
			continue
		}
		n, acked, told := k.node, k.acked[r.id], r.ended
		if at := r.told[d.Socket]; at > 0 {
			told = at
		}
		switch {
		case n.trouble == 0 && acked > 0 && r.ended-acked > makeUp && d.Outcome != OutcomeConfirmed && r.opts.level == Confirmed:
			s.failf("%s: %s confirmed %v before the end, and is said to be %v", r.receipt, d.Socket, r.ended-acked, d.Outcome)
		case d.Outcome != OutcomeUnknown || s.noise > 0 || n.troubles > 1:
		case n.trouble == 0:
			s.failf("%s: %s had no trouble, and is said to be unknown", r.receipt, d.Socket)
		case n.dead && told-max(n.trouble, r.began) > time.Second+slack:
			s.failf("%s: %s is told as dead %v after its death", r.receipt, n.name, told-max(n.trouble, r.began))
		case n.silence > told && told-max(n.trouble, r.began) > 3*time.Second+slack:
			s.failf("%s: %s is told as silent after %v", r.receipt, n.name, told-max(n.trouble, r.began))
		}
	}
}

// judgeCalm holds a request of a schedule in which nobody is struck to more: what was lost on the way is made up for.
func (s *schedule) judgeCalm(r *simRequest) {
	const makeUp = 2500 * time.Millisecond
	if !s.calm {
		return
	}
	here := s.at(r.to)
	if r.receipt.Outcome == OutcomeConfirmed && r.opts.require == All() && r.receipt.Expected != len(here) {
		s.failf("%s: %d are there", r.receipt, len(here))
	}
	if s.noise > 0.01 {
		return
	}
	o, long := r.receipt.Outcome, s.noise == 0 || r.ended-r.began > makeUp
	if long && (o == OutcomeUnknown || (o == OutcomeNoReceiver) != (len(here) == 0)) {
		s.failf("%s: in a calm", r.receipt)
	}
	for _, k := range here {
		if s.noise == 0 && k.seen[r.id] != 1 {
			s.failf("%s: %s got it %d times", r.receipt, k.id, k.seen[r.id])
		}
	}
}

// at lists the sockets at an address.
func (s *schedule) at(to Address) (here []*simSocket) {
	for _, n := range s.nodes {
		for _, k := range n.sockets {
			if slices.Contains(k.to, to) {
				here = append(here, k)
			}
		}
	}
	return here
}

func (s *schedule) judgeCounts(r *Receipt) {
	sum := 0
	for _, n := range r.Counts {
		sum += n
	}
	if sum < r.Expected {
		s.failf("%s: counts %v are fewer than expected", r, r.Counts)
	}
	if r.Outcome == OutcomeConfirmed && r.Counts[OutcomeConfirmed] == 0 {
		s.failf("%s: counts %v", r, r.Counts)
	}
}

// judgeRest looks for what a node keeps when everything is over.
func (s *schedule) judgeRest(n *simNode) {
	if n.dead {
		return
	}
	if kept := n.kept(); kept != (simKept{}) {
		s.failf("%s keeps %+v", n.name, kept)
	}
	for _, k := range n.sockets {
		if len(k.owes) > 0 && !k.closed {
			s.failf("%s was not told that %d messages are over", k.id, len(k.owes))
		}
	}
}
