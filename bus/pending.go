package bus

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// pending is one request under way, as its publisher knows it. It belongs to the requests machine until it is over, then to
// the goroutine that waits for it.
type pending struct {
	timer timer[pending]
	wake  chan struct{} // one slot: something to look at
	ended atomic.Bool   // over, and no news: the rest may be read without the machine's lock
	request
}

// request is what is used for one request alone; the pending around it is used again.
type request struct {
	seq      uint64
	id       uuid.UUID
	to       Address
	event    string
	body     Body
	channel  string
	opts     sendOptions
	size     int           // taken from the quota of its channel
	publish  bool          // published only: over once its count is known
	began    time.Duration // when it was handed over
	deadline time.Duration

	tries    []try         // the attempts, in order
	earlier  uint32        // attempts before the first of tries
	complete bool          // one attempt's claims equal its count
	recall   bool          // the caller chose the ID: nodes are asked first whether they know it
	again    bool          // the ID's first outcome was unmet, so it is delivered again
	resend   time.Duration // when the next attempt is due
	target   *peer         // the one node that may answer, where its count is trusted and it has not
	claims   []claim       // one for each node and source that answered
	expected int           // endpoints claimed
	open     int           // of these, not settled
	reached  int           // of these, at the level or beyond
	counts   Counts        // of those settled

	deliveries []Delivery
	one        [1]Delivery // most requests have no more
	failures   []Delivery  // of claims that sum up, MaxFailures at most
	news       []Delivery  // settled and not yet told to onDelivery

	over    bool
	gaveUp  bool // by the caller
	outcome Outcome
	elapsed time.Duration
	err     error // nothing was sent, or the ID was used for other content
}

// try is one attempt to reach all nodes that hold the address.
type try struct {
	sent    time.Duration
	count   int // copies that Redis counted
	claims  int // copies answered
	state   tryState
	guarded bool // sent with a count of the beacons
	members int  // whose beacons had to be there when it was sent
	proof   bool // and every member's subscriptions stood
}

type tryState uint8

const (
	tryOpen    tryState = iota // the count has not come yet
	tryCounted                 // the count is known
	tryLost                    // it may have been sent; the count will never come
	tryUnsent                  // nothing of it was sent
)

// claim is what one node holds for a request.
type claim struct {
	peer    *peer
	source  string
	attempt uint32 // the latest that it answered
	first   int    // index of its first delivery, unless it sums up
	n       int
	open    int
	written int // of the open ones that are summed up
	flags   claimFlags
}

// claimOf finds what the node said about copies from the source.
func (p *pending) claimOf(from *peer, source []byte) *claim {
	for i := range p.claims {
		if c := &p.claims[i]; c.peer.id == from.id && c.source == string(source) {
			return c
		}
	}
	return nil
}

// answered counts a node's answer to one copy. It returns nil for the duplicate of a copy that was answered already, and for a copy of
// before the deliveries were made again: its endpoints are not those of now.
func (p *pending) answered(from *peer, e *claimEntry) *claim {
	c := p.claimOf(from, e.source)
	switch {
	case e.attempt <= p.earlier:
		return nil
	case c == nil:
		p.claims = append(p.claims, claim{peer: from, source: string(e.source)})
		c = &p.claims[len(p.claims)-1]
	case e.attempt <= c.attempt:
		return nil
	}
	c.attempt, c.peer = e.attempt, from
	if i := int(e.attempt) - int(p.earlier) - 1; i >= 0 && i < len(p.tries) {
		p.tries[i].claims++
		p.checkComplete(i)
	}
	return c
}

// aim waits on the one node that may answer, so that its death is noticed before it has.
func (p *pending) aim(at *peer) {
	if at.open == 0 {
		at.waiting = 0 // an ask of before may have been lost
	}
	p.target = at
	at.open++
}

// hit says that the node has answered.
func (p *pending) hit(at *peer) {
	if p.target == at && at != nil {
		p.target = nil
		at.open--
	}
}

// claimed takes a node's answer to one copy.
func (p *pending) claimed(from *peer, e *claimEntry) {
	p.hit(from)
	c := p.answered(from, e)
	if c == nil || c.n > 0 || e.n == 0 {
		return // what a node claims is frozen
	}
	c.n, c.open, c.flags, c.first = e.n, e.n, e.flags, len(p.deliveries)
	p.expected += e.n
	p.open += e.n
	from.open += e.n
	if p.deliveries == nil && len(e.endpoints) == 1 {
		p.deliveries = p.one[:0]
	}
	for i := range e.endpoints {
		p.deliveries = append(p.deliveries, from.delivery(&e.endpoints[i]))
	}
	if p.opts.level == Claimed {
		p.reached += e.n
		p.settleAll(c, OutcomeClaimed)
	}
}

func (p *pending) checkComplete(i int) {
	if t := &p.tries[i]; t.state == tryCounted && t.claims >= t.count {
		p.complete = true
	}
}

// stepped takes a step of one delivery, or of several that are summed up. at is when it happened.
func (p *pending) stepped(from *peer, s *stepEntry, at time.Duration) {
	c := p.claimOf(from, s.source)
	if c == nil || c.open == 0 {
		return
	}
	if c.flags&claimSummed != 0 {
		p.steppedSummed(c, s, at)
		return
	}
	if s.index >= c.n {
		return
	}
	d := &p.deliveries[c.first+s.index]
	if d.Outcome != OutcomeClaimed && d.Outcome != OutcomeWritten || d.Settled != 0 {
		return
	}
	p.fill(d, s, at)
	if s.outcome == OutcomeWritten && p.opts.level != Written {
		return
	}
	p.settled(c, s.outcome, 1)
	p.tell(d)
}

// fill writes the step into the delivery.
func (p *pending) fill(d *Delivery, s *stepEntry, at time.Duration) {
	d.Outcome = s.outcome
	if s.waited >= 0 && d.Written == 0 {
		d.Written = max(at-s.waited, time.Microsecond)
	}
	if s.outcome != OutcomeWritten || p.opts.level == Written {
		d.Settled = max(at, time.Microsecond)
		d.Written = min(d.Written, d.Settled) // the report of the writing may have travelled longer
	}
	d.Reply = s.reply
	if s.code != "" {
		d.Error = &Rejection{Code: s.code, Message: s.message}
	}
}

func (p *pending) steppedSummed(c *claim, s *stepEntry, at time.Duration) {
	if s.outcome == OutcomeWritten && p.opts.level != Written {
		c.written += s.n
		return
	}
	if s.outcome == OutcomeConfirmed || s.waited >= 0 {
		c.written = max(c.written-s.n, 0)
	}
	p.settled(c, s.outcome, min(s.n, c.open))
	if s.endpoint != nil {
		d := c.peer.delivery(s.endpoint)
		p.fill(&d, s, at)
		p.fail(d)
	}
}

// settled counts n deliveries of the claim as settled.
func (p *pending) settled(c *claim, o Outcome, n int) {
	c.open -= n
	c.peer.open -= n
	p.open -= n
	p.counts[o] += n
	if p.opts.level.reachedBy(o) && o != OutcomeClaimed {
		p.reached += n
	}
}

// fail lists a failure of a claim that sums up.
func (p *pending) fail(d Delivery) {
	if len(p.failures) < MaxFailures {
		p.failures = append(p.failures, d)
		p.tell(&d)
	}
}

func (p *pending) tell(d *Delivery) {
	if p.opts.onDelivery != nil {
		p.news = append(p.news, *d)
	}
}

// settleAll settles what is open of a claim with one outcome, where the node itself no longer says it.
func (p *pending) settleAll(c *claim, o Outcome) {
	p.settleOpen(c, func(*Delivery) Outcome { return o }, o)
}

// settleOpen settles what is open of a claim: each listed delivery as judge says, those summed up as summed says.
func (p *pending) settleOpen(c *claim, judge func(*Delivery) Outcome, summed Outcome) {
	if c.flags&claimSummed != 0 {
		for range min(c.open, MaxFailures-len(p.failures)) {
			if summed != OutcomeClaimed {
				p.fail(Delivery{Node: c.peer.name, NodeID: c.peer.id, Outcome: summed})
			}
		}
		p.settled(c, summed, c.open)
		return
	}
	for i := range c.n {
		d := &p.deliveries[c.first+i]
		if d.Settled != 0 || d.Outcome != OutcomeClaimed && d.Outcome != OutcomeWritten {
			continue
		}
		o := judge(d)
		d.Outcome = o
		p.settled(c, o, 1)
		p.tell(d)
	}
}

// silent settles what is open at a node that fell silent.
func (p *pending) silent(from *peer) {
	for i := range p.claims {
		if c := &p.claims[i]; c.peer == from && c.open > 0 {
			p.settleAll(c, OutcomeUnknown)
		}
	}
}

// attempt is the number of the latest attempt.
func (p *pending) attempt() uint32 { return p.earlier + uint32(len(p.tries)) }

// latest is the latest attempt.
func (p *pending) latest() *try { return &p.tries[len(p.tries)-1] }

// packet is the present attempt of a request on its way. It appends the envelope to buf.
func (p *pending) packet(self uuid.UUID, now time.Duration, floor uint64, buf []byte) relay.Packet {
	e := envelope{id: p.id, sender: self, seq: p.seq, floor: floor, attempt: p.attempt(), flags: p.flags(),
		event: []byte(p.event), headers: p.opts.headers, format: p.body.format, body: p.body.bytes}
	var to [len("method:") + MaxName]byte
	e.to = p.to.append(to[:0])
	if !p.publish {
		e.left = max(p.deadline-now, time.Millisecond)
	}
	return relay.Packet{Channel: p.channel, Payload: e.append(buf), Token: token(p.seq, e.attempt)}
}

func (p *pending) flags() flags {
	f := flagReceipt.when(!p.publish) | flagVolatile.when(p.opts.volatile) | flagChosen.when(p.opts.id != uuid.Nil) |
		flagAgain.when(p.again) | flagRecall.when(p.recall) | flagRepeat.when(p.again || len(p.tries) > 1)
	switch p.opts.level {
	case Written:
		f |= flagWritten
	case Claimed:
		f |= flagClaimed
	case Confirmed:
	}
	switch p.opts.detail {
	case DetailSummary:
		f |= flagSummary
	case DetailAll:
		f |= flagEach
	case DetailAuto:
	}
	return f
}
