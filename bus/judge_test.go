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
	if r.receipt.Outcome == OutcomeNoReceiver {
		for _, n := range s.nodes {
			for _, k := range n.sockets {
				if k.seen[r.id] > 0 {
					s.failf("%s: nobody is said to be there, and %s got it", r.receipt, k.id)
				}
			}
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
	for _, d := range r.receipt.Deliveries {
		at := s.socket(d.Socket).acked[r.id]
		if at > 0 && r.ended-at > makeUp && d.Outcome != OutcomeConfirmed && r.opts.level == Confirmed {
			s.failf("%s: %s confirmed %v before the end, and is said to be %v", r.receipt, d.Socket, r.ended-at, d.Outcome)
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
	if st := n.Stats(); st.Pending > 0 || st.Awaited > 0 || st.Records > 0 {
		s.failf("%s keeps %+v", n.name, st)
	}
	if n.requests.wheel.len() > 0 || n.claims.wheel.len() > 0 || len(n.claims.wrote) > 0 {
		s.failf("%s keeps timers: %d, %d", n.name, n.requests.wheel.len(), n.claims.wheel.len())
	}
	if w := n.requests.window; w.floor != w.next {
		s.failf("%s: floor %d, next %d", n.name, w.floor, w.next)
	}
}
