package bus

import (
	"slices"
	"time"
)

// failures is the order in which the outcomes of deliveries decide the outcome of a receipt whose requirement is not met.
var failures = [...]Outcome{OutcomeRejected, OutcomeUnknown, OutcomeUnconfirmed, OutcomeClosed, OutcomeDropped, OutcomeExpired}

// end says why a request is over.
type end uint8

const (
	endMet       end = iota // the requirement is met
	endSettled              // every delivery has settled, or nobody is there
	endFailFast             // the requirement can't be met any more
	endDeadline             // time is over
	endCancelled            // the caller gave up
)

// conclude ends the request: what is still open gets its outcome, and the receipt its own.
func (p *pending) conclude(now time.Duration, why end) {
	p.elapsed = now - p.began
	if why == endDeadline || why == endCancelled {
		p.giveUp(now)
	}
	if why != endMet {
		p.countUnclaimed()
	}
	p.releasePeers()
	p.outcome = p.verdict(why)
	p.over = true
}

// giveUp settles what nobody has reported in time. A message that was written at a node which is alive is unconfirmed; of
// the rest nobody knows.
func (p *pending) giveUp(now time.Duration) {
	for i := range p.claims {
		c := &p.claims[i]
		if c.open == 0 {
			continue
		}
		heard := now-c.peer.heard <= heardWithin
		if c.flags&claimSummed != 0 && heard && p.opts.level == Confirmed {
			written := min(c.written, c.open)
			p.settled(c, OutcomeUnconfirmed, written)
		}
		p.settleOpen(c, func(d *Delivery) Outcome {
			if d.Outcome == OutcomeWritten && heard {
				return OutcomeUnconfirmed
			}
			return OutcomeUnknown
		}, OutcomeUnknown)
	}
}

// countUnclaimed adds the copies that somebody may have received and nobody claimed.
func (p *pending) countUnclaimed() {
	n := p.unclaimed()
	if n == 0 && (!p.complete || p.expected == 0 && p.lost()) {
		n = 1 // nobody knows whether there were more
	}
	p.counts[OutcomeUnknown] += n
	d := Delivery{Outcome: OutcomeUnknown}
	if p.target != nil {
		d.Node, d.NodeID = p.target.name, p.target.id
	}
	for range min(n, MaxFailures-len(p.failures)) {
		p.fail(d)
	}
}

// releasePeers stops waiting on nodes, and counts what is open by its stage.
func (p *pending) releasePeers() {
	p.hit(p.target)
	for i := range p.claims {
		c := &p.claims[i]
		c.peer.open -= c.open
		if c.flags&claimSummed != 0 {
			written := min(c.written, c.open)
			p.counts[OutcomeWritten] += written
			p.counts[OutcomeClaimed] += c.open - written
		} else if c.open > 0 {
			for _, d := range p.deliveries[c.first : c.first+c.n] {
				if d.Outcome <= OutcomeWritten && d.Settled == 0 {
					p.counts[d.Outcome]++
				}
			}
		}
		c.open = 0
	}
	p.open = 0
}

func (p *pending) verdict(why end) Outcome {
	if why == endMet {
		return p.opts.level.outcome()
	}
	for _, o := range failures {
		if p.counts[o] > 0 {
			return o
		}
	}
	if p.expected > 0 {
		return OutcomeTooFew
	}
	return OutcomeNoReceiver
}

// receipt is what the caller gets of a request that is over.
func (p *pending) receipt() *Receipt {
	whole := &struct { // one allocation where there is one delivery
		Receipt
		one [1]Delivery
	}{Receipt: Receipt{ID: p.id, To: p.to, Event: p.event, Outcome: p.outcome, Require: p.opts.require, Expected: p.expected,
		Counts: p.counts, Elapsed: p.elapsed}}
	r := &whole.Receipt
	r.Deliveries = append(append(whole.one[:0], p.deliveries...), p.failures...)
	for i := range p.claims {
		if p.claims[i].n > 0 && p.firstOfNode(i) {
			r.Nodes++
		}
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		d.Settled = min(d.Settled, p.elapsed)
		d.Written = min(d.Written, p.elapsed)
		if d.Settled > 0 {
			d.Written = min(d.Written, d.Settled)
		}
	}
	if p.opts.detail == DetailSummary || p.opts.detail == DetailAuto && p.expected > SummaryAbove {
		r.Deliveries = failed(r.Deliveries, p.opts.level)
	}
	return r
}

// firstOfNode reports whether no earlier claim with endpoints is of the same node.
func (p *pending) firstOfNode(i int) bool {
	for j := range i {
		if p.claims[j].peer == p.claims[i].peer && p.claims[j].n > 0 {
			return false
		}
	}
	return true
}

// failed keeps the deliveries that did not reach the level, MaxFailures at most.
func failed(all []Delivery, level Level) []Delivery {
	var kept []Delivery
	for _, d := range all {
		if !level.reachedBy(d.Outcome) && len(kept) < MaxFailures {
			kept = append(kept, d)
		}
	}
	return kept
}

// reset forgets what earlier deliveries under the ID came to, before they are made again.
func (p *pending) reset() {
	for i := range p.claims {
		p.claims[i].peer.open -= p.claims[i].open
	}
	p.earlier += uint32(len(p.tries))
	p.tries = p.tries[:0]
	p.claims, p.deliveries, p.failures, p.counts = p.claims[:0], nil, nil, Counts{}
	p.expected, p.open, p.reached, p.complete = 0, 0, 0, false
}

// unclaimed is how many copies somebody may have received of whom nothing was heard: those of the first attempt beyond the nodes
// that answered any. Where nobody holds an endpoint each copy has to be answered for itself: the nodes that answer now may be
// others than those that got an earlier one.
func (p *pending) unclaimed() (n int) {
	for i := range p.tries {
		switch t := &p.tries[i]; {
		case t.state != tryCounted:
		case p.expected == 0:
			n = max(n, t.count-t.claims)
		case i == 0:
			n = max(0, t.count-len(p.claims))
		}
	}
	return n
}

// awaitsCopies reports whether an answer to some copy may still be under way.
func (p *pending) awaitsCopies(now time.Duration) bool {
	for i := range p.tries {
		if t := &p.tries[i]; t.state == tryCounted && t.claims < t.count && now-t.sent < lateness {
			return true
		}
	}
	return false
}

// lost reports whether some attempt may have been received without anybody knowing.
func (p *pending) lost() bool {
	for i := range p.tries {
		if p.tries[i].state == tryLost || p.tries[i].state == tryOpen {
			return true
		}
	}
	return false
}

// met reports whether the requirement is met.
func (p *pending) met() bool {
	switch need := p.opts.require.n; need {
	case 0:
		return p.reached >= 1
	case -1:
		return p.complete && p.expected > 0 && p.reached == p.expected && p.unclaimed() == 0
	default:
		return p.reached >= need
	}
}

// hopeless reports whether the requirement can't be met any more.
func (p *pending) hopeless() bool {
	failed := p.expected - p.open - p.reached
	switch need := p.opts.require.n; need {
	case -1:
		return failed > 0
	case 0:
		return p.complete && p.expected > 0 && p.expected-failed < 1
	default:
		return p.complete && p.expected > 0 && p.expected-failed < need
	}
}

// proven reports whether nobody is there: a guarded attempt is complete without an endpoint while every member's subscriptions stood.
func (p *pending) proven() bool {
	for i := range p.tries {
		if t := &p.tries[i]; t.proof && t.state == tryCounted && t.claims >= t.count {
			return true
		}
	}
	return false
}

// repeats reports whether the deliveries are made again where the requirement is not met: some claim belongs to an earlier request with
// the ID.
func (p *pending) repeats() bool {
	return !p.again && slices.ContainsFunc(p.claims, func(c claim) bool { return c.flags&claimJoined != 0 })
}
