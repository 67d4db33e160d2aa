package bus

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// What a publisher hears from nodes: their reports, their answers to asks, and their silence.

func (m *requests) peer(id uuid.UUID) *peer {
	p := m.peers[id]
	if p == nil {
		m.numbers++
		p = &peer{id: id, number: m.numbers, text: id.String(), channel: nodeChannel(m.prefix, id.String()), next: 1}
		m.peers[id] = p
	}
	return p
}

// reports takes a batch of a node's reports.
func (m *requests) reports(now time.Duration, node uuid.UUID, name []byte, b batch) error {
	from := m.peer(node)
	if from.name != string(name) {
		from.name = string(name)
	}
	from.heard = now
	from.waiting = 0
	from.unasked += len(b.entries)
	next, hole := from.take(b)
	switch {
	case hole && now-from.asked >= askAgain:
		m.ask(now, from, true)
	case from.unasked >= askBytes:
		m.ask(now, from, false)
	}
	if !next {
		return nil
	}
	if err := m.apply(now, from, b); err != nil {
		return err
	}
	return m.applyHeld(now, from)
}

// applyHeld takes the batches that waited for the one before them.
func (m *requests) applyHeld(now time.Duration, from *peer) error {
	for b, ok := from.unhold(); ok; b, ok = from.unhold() {
		if err := m.apply(now, from, b); err != nil {
			return err
		}
	}
	return nil
}

// apply takes the entries of a batch whose turn has come.
func (m *requests) apply(now time.Duration, from *peer, b batch) error {
	var (
		r     = reader{p: b.entries}
		claim claimEntry
		step  stepEntry
	)
	for len(r.p) > 0 {
		n := r.length()
		switch kind := entryKind(r.uint()); {
		case kind == entryClaim && n == 8:
			if claim.parse(&r); r.err == nil {
				m.claimed(now, from, &claim)
			}
		case kind == entryStep && n == 13:
			if step.parse(&r); r.err == nil {
				m.stepped(now, from, &step, b.base+step.at)
			}
		default:
			r.fail(errEnvelope)
		}
	}
	return r.err
}

func (m *requests) claimed(now time.Duration, from *peer, e *claimEntry) {
	p := m.table.get(e.seq)
	switch {
	case p == nil:
		m.late++
		if ghost := m.ghosts[e.seq]; ghost != nil {
			ghost.answered(from, e)
			if ghost.gaveUp && e.n > 0 {
				m.tellOff(from, e.seq, true)
			}
			m.lay(ghost)
		}
	case e.flags&claimConflict != 0:
		p.err = ErrIDConflict
		m.finish(now, p, endCancelled)
	default:
		p.claimed(from, e)
		if p.complete {
			m.quota.free(p)
		}
		m.evaluate(now, p)
	}
}

func (m *requests) stepped(now time.Duration, from *peer, s *stepEntry, at time.Duration) {
	p := m.table.get(s.seq)
	if p == nil {
		m.late++
		return
	}
	s.reply.bytes = bytes.Clone(s.reply.bytes) // the payload may be a hundred times larger
	p.stepped(from, s, min(max(at, p.began), now)-p.began)
	if len(p.news) > 0 {
		m.fx.wake(p)
	}
	if p.open == 0 || s.outcome != OutcomeWritten {
		m.evaluate(now, p)
	}
}

// tally takes a node's answer to an ask. What is missing follows it.
func (m *requests) tally(now time.Duration, node uuid.UUID, epoch, lowest, lost uint64) error {
	from := m.peers[node]
	if from == nil {
		return nil
	}
	from.heard, from.waiting = now, 0
	if missed := from.skip(epoch, lowest); missed > 0 {
		if missed <= lost {
			m.silent(now, from) // what the lost reports said nobody can tell
		}
		return m.applyHeld(now, from)
	}
	return nil
}

// keep asks the nodes that are waited on, and gives up those that fell silent.
func (m *requests) keep(now time.Duration) {
	if m.fallen > 0 {
		return
	}
	stalled := now-m.kept > heardWithin // this process itself stood still: answers may lie unread
	m.kept = now
	for _, p := range m.known() {
		if stalled {
			p.waiting = 0
		}
		switch {
		case p.open == 0 && p.unasked == 0:
			if now-p.heard > forgetPeer {
				delete(m.peers, p.id)
			}
			continue
		case now-p.asked >= askEvery:
			m.ask(now, p, true)
		}
		if p.open > 0 && p.waiting > 0 && now-p.waiting >= silentAfter && now >= m.calm {
			m.silent(now, p)
		}
	}
}

// ask tells a node how far it was heard; with resend it asks for what is missing.
func (m *requests) ask(now time.Duration, p *peer, resend bool) {
	p.asked, p.unasked = now, 0
	if p.waiting == 0 {
		p.waiting = now
	}
	m.fx.packets = append(m.fx.packets, relay.Packet{Channel: p.channel, Token: askToken | p.number,
		Payload: encodeAsk(m.self, p.epoch, p.next-1, m.window.floor, resend)})
}

// asked takes what became of an ask. That it could not be sent tells of this node, not of the peer.
func (m *requests) asked(now time.Duration, r relay.Result) {
	switch {
	case r.Err == nil:
	case !errors.Is(r.Err, relay.ErrFull):
		m.trouble(now)
	default:
		for _, p := range m.peers {
			if p.number == r.Token&^askToken {
				p.waiting, p.asked = 0, 0
			}
		}
	}
}

// silent settles what is open at a node of which nothing more will be heard.
func (m *requests) silent(now time.Duration, from *peer) {
	if from.open == 0 {
		return
	}
	for _, p := range m.underWay(func(p *pending) bool { return p.claimsOpen(from) }) {
		switch {
		case p.over:
		case p.target == from:
			m.finish(now, p, endSettled)
		default:
			p.silent(from)
			m.evaluate(now, p)
			if !p.over && len(p.news) > 0 {
				m.fx.wake(p)
			}
		}
	}
}

func (p *pending) claimsOpen(at *peer) bool {
	if p.target == at {
		return true
	}
	for i := range p.claims {
		if p.claims[i].peer == at && p.claims[i].open > 0 {
			return true
		}
	}
	return false
}

// died takes the news that a node is gone for good.
func (m *requests) died(now time.Duration, node uuid.UUID) {
	if p := m.peers[node]; p != nil {
		m.silent(now, p)
		delete(m.peers, node)
	}
}

// lane takes the fall and the rise of one of this node's lanes. While one is down, and for a while after, silence tells
// of this node and not of others.
func (m *requests) lane(now time.Duration, up bool) {
	if up {
		m.fallen--
	} else {
		m.fallen++
	}
	m.trouble(now)
}

func (m *requests) trouble(now time.Duration) {
	m.calm = now + calmAfterGap
	for _, p := range m.peers {
		p.waiting = 0
	}
}

// membership takes a change of the members. Requests that found nobody may be able to tell now.
func (m *requests) membership(now time.Duration, members int, settled bool) {
	changed := members != m.members || settled != m.settled
	m.members, m.settled = members, settled
	if !changed || !settled {
		return
	}
	for _, p := range m.underWay((*pending).foundNobody) {
		m.send(now, p, true)
	}
}

// awaited appends the nodes that are waited on.
func (m *requests) awaited(ids []uuid.UUID) []uuid.UUID {
	for _, p := range m.known() {
		if p.open > 0 {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// known lists the peers, always in the same order, so that a schedule of events has one course.
func (m *requests) known() []*peer {
	return slices.SortedFunc(maps.Values(m.peers), func(a, b *peer) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// underWay lists the requests that are wanted, in the order in which they began.
func (m *requests) underWay(wanted func(*pending) bool) []*pending {
	var list []*pending
	for _, p := range m.table.all() {
		if wanted(p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pending) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

// foundNobody reports whether the last guarded attempt found nobody, which proved nothing.
func (p *pending) foundNobody() bool {
	last := p.latest()
	return !p.publish && p.expected == 0 && last.guarded && last.state == tryCounted && last.claims >= last.count
}
