package bus

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
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

// newID makes an ID for now.
func newID() uuid.UUID { return newIDAt(time.Now()) }

// newIDAt makes an ID: UUIDv7 (RFC 9562, section 5.7), so that IDs sort by time. It is no secret.
func newIDAt(t time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(t.UnixMilli())<<16|uint64(rand.Uint32())&0xfff|7<<12)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&(1<<62-1)|1<<63)
	return id
}
