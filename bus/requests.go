package bus

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// The rhythm of a request.
const (
	resendFirst = 250 * time.Millisecond
	resendMost  = time.Second
	unsentMost  = 2 * time.Second // wait for Redis before anything was sent
	unsentSpare = 50 * time.Millisecond
	grace       = 30 * time.Millisecond // with ticks on top, the 40 ms in which nodes may still report
	lateness    = 3 * time.Second       // no copy is under way for longer
	tick        = 5 * time.Millisecond
	recallTries = 2 // attempts that ask whether an ID is known, before it is sent all the same
)

// requests is the publisher's side of every request of a node: a pure state machine. Each method is one event at a time
// now; what is to be done about it is left in fx. Callers hold the lock of whoever owns it.
type requests struct {
	self    uuid.UUID
	prefix  string
	table   numbered[*pending]
	ghosts  map[uint64]*pending // over, while copies may be under way
	wheel   *wheel[pending]
	window  *window
	peers   map[uuid.UUID]*peer
	numbers uint64 // given to peers

	members  int           // whose subscriptions must stand before nobody is nobody
	settled  bool          // members is known
	fallen   int           // lanes of this node that are down
	calm     time.Duration // until when nobody is called silent
	kept     time.Duration // when housekeeping was last done
	suspects time.Duration // until when members are looked at, whether they are alive

	late  uint64 // reports for requests that are over
	quota quota
	fx    effects
}

// effects is what a machine wants done.
type effects struct {
	packets []relay.Packet
	first   *pending   // over, or with news; most steps wake nobody or one
	woken   []*pending // the others
}

// wake has a request looked at by the goroutine that waits for it.
func (fx *effects) wake(p *pending) {
	if fx.first == nil {
		fx.first = p
		return
	}
	fx.woken = append(fx.woken, p)
}

// askToken marks the packets of asks; the rest of such a token is the peer's number.
const askToken = 1 << 63

// attemptBits of a token hold the attempt, the rest the sequence number.
const attemptBits = 10

func token(seq uint64, attempt uint32) uint64 {
	return seq<<attemptBits | uint64(attempt)&(1<<attemptBits-1)
}

func newRequests(self uuid.UUID, prefix string) *requests {
	return &requests{self: self, prefix: prefix,
		ghosts: make(map[uint64]*pending), wheel: newWheel[pending](tick, 512),
		window: newWindow(), quota: newQuota(), peers: make(map[uuid.UUID]*peer)}
}

// take hands over what the machine wants done. It ends a step: what is over belongs to who waits for it from now on.
func (m *requests) take() effects {
	fx := m.fx
	if fx.first != nil {
		fx.first.markEnded()
	}
	for _, p := range fx.woken {
		p.markEnded()
	}
	m.fx = effects{}
	return fx
}

// start takes a request that is about to be sent, and numbers it.
func (m *requests) start(now time.Duration, p *pending) {
	p.began = now
	p.seq = m.window.take()
	p.tries = append(p.tries[:0], try{sent: now})
	p.resend = now + resendFirst
	m.table.set(p.seq, p)
	m.schedule(now, p)
	if !p.opts.trustCount {
		return
	}
	if node, err := uuid.Parse(p.to.boundTo()); err == nil {
		p.aim(m.peer(node))
	}
}

func (m *requests) schedule(now time.Duration, p *pending) {
	when := p.deadline
	if !p.complete && !p.publish {
		when = min(when, p.resend)
		if late := p.tries[0].sent + lateness; late > now {
			when = min(when, late)
		}
	}
	m.wheel.schedule(&p.timer, when)
}

// published takes what became of an attempt's packet.
func (m *requests) published(now time.Duration, r relay.Result) {
	if r.Token&askToken != 0 {
		m.asked(now, r)
		return
	}
	seq := r.Token >> attemptBits
	p := m.table.get(seq)
	if p == nil {
		p = m.ghosts[seq]
	}
	if p == nil || token(seq, p.attempt()) != r.Token { // one attempt is out at a time
		return
	}
	m.counted(now, p, r)
	if p.over {
		m.lay(p)
		return
	}
	if p.complete {
		m.quota.free(p)
	}
	if p.publish || p.attempt() == 1 && p.latest().state == tryUnsent {
		p.err = r.Err
		m.finish(now, p, endSettled)
		return
	}
	m.evaluate(now, p)
}

// counted takes what became of the latest attempt.
func (m *requests) counted(now time.Duration, p *pending, r relay.Result) {
	t := p.latest()
	switch {
	case r.Err == nil:
		t.state, t.count = tryCounted, r.Count
		// Who left or came meanwhile stands in for nobody, and while a lane of this node is down it can't tell.
		t.proof = t.guarded && m.settled && m.fallen == 0 && r.Beacon >= max(t.members, m.members)
		if t.guarded && !t.proof {
			m.suspects = now + suspectFor
		}
		p.checkComplete(len(p.tries) - 1)
	case errors.Is(r.Err, relay.ErrLost):
		t.state = tryLost
	default:
		t.state = tryUnsent
	}
}

// evaluate ends the request if it can be ended, and otherwise sees to the next attempt.
func (m *requests) evaluate(now time.Duration, p *pending) {
	switch {
	case p.over:
	case p.met():
		m.finish(now, p, endMet)
	case p.opts.failFast && p.hopeless() && !p.repeats():
		m.finish(now, p, endFailFast)
	case !p.complete || p.open > 0:
		m.schedule(now, p)
	case p.expected == 0 && p.recall: // nobody knows the ID
		p.recall = false
		p.reset()
		m.send(now, p, false)
	case p.expected > 0 && p.repeats():
		p.again = true
		p.reset()
		m.send(now, p, false)
	case p.expected > 0 || p.opts.trustCount || p.proven() && !p.awaitsCopies(now):
		m.finish(now, p, endSettled)
	case !p.latest().guarded:
		p.complete = false
		m.send(now, p, true)
	default: // nobody answered, and not every member stood, or a copy is not accounted for: tried again
		p.complete = false
		m.schedule(now, p)
	}
}

// send makes the next attempt; guard counts the beacons with it.
func (m *requests) send(now time.Duration, p *pending, guard bool) {
	wait := min(resendFirst<<min(len(p.tries), 8), resendMost)
	p.recall = p.recall && len(p.tries) < recallTries
	p.resend = now + wait
	p.tries = append(p.tries, try{sent: now, guarded: guard, members: m.members})
	packet := p.packet(m.self, now, m.window.floor, nil)
	packet.Guard, packet.Patience = guard, max(min(wait, p.deadline-now), time.Millisecond)
	m.fx.packets = append(m.fx.packets, packet)
	m.schedule(now, p)
}

// due is a request's timer.
func (m *requests) due(now time.Duration, p *pending) {
	switch {
	case p.over: // no copy can be under way any more
		p.complete = true
		m.lay(p)
	case now >= p.deadline+grace || now >= p.deadline && p.open == 0 && p.latest().state != tryOpen:
		m.finish(now, p, endDeadline)
	case now >= p.deadline:
		m.wheel.schedule(&p.timer, p.deadline+grace)
	case m.deserted(now, p):
		m.finish(now, p, endSettled)
	case p.latest().state == tryOpen || p.seq < m.window.floor:
		p.resend = now + resendFirst // its count is still awaited, or it may not be sent again
		m.schedule(now, p)
	default:
		m.send(now, p, p.expected == 0)
	}
}

// deserted reports whether copies were handed to somebody of whom nothing was heard for so long that nothing is to be hoped for,
// though Redis answers, and this node's own ears are open.
func (m *requests) deserted(now time.Duration, p *pending) bool {
	if p.open > 0 || p.latest().state != tryCounted || m.fallen > 0 || now < m.calm || now-p.resend > heardWithin {
		return false
	}
	first := &p.tries[0]
	return first.state == tryCounted && first.claims < first.count && now-first.sent >= lateness
}

// cancel ends a request whose caller gave up.
func (m *requests) cancel(now time.Duration, p *pending) {
	if !p.over {
		m.finish(now, p, endCancelled)
	}
}

// abandon ends every request: the bus is being closed.
func (m *requests) abandon(now time.Duration) {
	for _, p := range m.underWay(func(*pending) bool { return true }) {
		m.finish(now, p, endCancelled)
	}
}

func (m *requests) finish(now time.Duration, p *pending, why end) {
	m.table.delete(p.seq)
	m.wheel.stop(&p.timer)
	m.quota.free(p)
	if why != endSettled {
		m.withdraw(p, why == endCancelled)
	}
	if p.complete || p.publish || p.attempt() == 1 && p.latest().state == tryUnsent {
		m.window.release(p.seq)
	} else {
		m.haunt(now, p, why == endCancelled)
	}
	p.conclude(now, why)
	m.fx.wake(p)
}

// haunt keeps what is needed of a request that is over to know when every copy of it has been answered. Until then the
// floor must not pass it: a node would discard a copy that comes late.
func (m *requests) haunt(now time.Duration, p *pending, gaveUp bool) {
	ghost := &pending{request: request{seq: p.seq, over: true, gaveUp: gaveUp, earlier: p.earlier, tries: slices.Clone(p.tries),
		claims: slices.Clone(p.claims)}}
	ghost.timer.owner = ghost
	m.ghosts[p.seq] = ghost
	m.wheel.schedule(&ghost.timer, now+lateness)
}

// lay lets a ghost go whose copies have all been answered.
func (m *requests) lay(ghost *pending) {
	if ghost.complete {
		delete(m.ghosts, ghost.seq)
		m.wheel.stop(&ghost.timer)
		m.window.release(ghost.seq)
	}
}

// withdraw tells nodes with open deliveries that nobody waits for them any more, and whether the caller gave up.
func (m *requests) withdraw(p *pending, gaveUp bool) {
	if gaveUp && p.target != nil { // it may have the copy, which went the same way, and its claim be under way
		m.tellOff(p.target, p.seq, true)
	}
	for i := range p.claims {
		if c := &p.claims[i]; c.open > 0 {
			m.tellOff(c.peer, p.seq, gaveUp)
		}
	}
}

func (m *requests) tellOff(at *peer, seq uint64, gaveUp bool) {
	m.fx.packets = append(m.fx.packets, relay.Packet{Channel: at.channel, Payload: encodeCancel(m.self, seq, gaveUp)})
}

// advance lets time pass: timers, asks, and who fell silent.
func (m *requests) advance(now time.Duration) {
	m.wheel.advance(now, func(p *pending) { m.due(now, p) })
	if now-m.kept >= askEvery/5 {
		m.keep(now)
	}
}

// idle reports whether time may pass unseen.
func (m *requests) idle() bool {
	if m.wheel.len() > 0 {
		return false
	}
	for _, p := range m.peers {
		if p.open > 0 || p.unasked > 0 {
			return false
		}
	}
	return true
}
