package bus

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// The rhythm of membership.
const (
	announceEvery = time.Second
	announceSlow  = 50 // members beyond which it goes slower
	missedMost    = 3  // announcements in a row, and a half, before a member is gone
	settleWithin  = time.Second
	suspectFor    = time.Second
)

// Tokens of the packets of membership.
const (
	rollToken = 1<<61 | 1 // a roll call, whose count says how many will answer
)

// members is what a node knows of the others: a pure state machine like requests.
type members struct {
	self    uuid.UUID
	name    string
	prefix  string
	gapped  time.Duration // when something of what the others announce may have been missed; 0: never
	table   map[uuid.UUID]*member
	me      announcement
	began   time.Duration
	counted int // members that heard the roll call; -1: not known yet
	settled bool
	changes uint64        // of who is a member, drains, or serves what
	told    time.Duration // when this node was last announced
	packets []relay.Packet
	log     func(event string, m *member)
}

type member struct {
	id   uuid.UUID
	name string
	announcement
	seen     time.Duration
	silent   bool // not heard for long; it is a member until Redis holds no connection of it any more
	answered bool // the roll call
}

func newMembers(self uuid.UUID, name, prefix string, observer bool) *members {
	m := &members{self: self, name: name, prefix: prefix, table: make(map[uuid.UUID]*member), counted: -1,
		log: func(string, *member) {}}
	if observer {
		m.me.flags |= memberObserver
	}
	return m
}

// start makes the node known and calls the roll.
func (m *members) start(now time.Duration) {
	m.began = now
	m.announce(now)
	m.packets = append(m.packets, relay.Packet{Channel: membersChannel(m.prefix), Payload: encodeRollCall(m.self), Token: rollToken})
}

func (m *members) announce(now time.Duration) {
	m.told = now
	m.send(membersChannel(m.prefix), 0)
}

func (m *members) send(channel string, also memberFlags) {
	m.me.number++
	a := m.me
	a.flags |= also
	m.packets = append(m.packets, relay.Packet{Channel: channel, Payload: encodeAnnounce(m.self, m.name, a)})
}

// leave is the goodbye, as is everything that the node tells about itself from now on.
func (m *members) leave() relay.Packet {
	m.me.flags |= memberLeaving
	m.me.number++
	return relay.Packet{Channel: membersChannel(m.prefix), Payload: encodeAnnounce(m.self, m.name, m.me)}
}

// rolled takes the count of the roll call.
func (m *members) rolled(now time.Duration, r relay.Result) {
	if r.Err == nil {
		m.counted = r.Count
	}
	m.checkSettled(now)
}

// called answers a roll call.
func (m *members) called(node uuid.UUID) {
	if node != m.self {
		m.send(replyChannel(m.prefix, node), memberAnswers)
	}
}

// announced takes what a member tells about itself.
func (m *members) announced(now time.Duration, c *control) {
	switch {
	case c.node == m.self:
		return
	case c.member.flags&memberLeaving != 0:
		m.drop(c.node, "member left")
		return
	}
	known := m.table[c.node]
	if known == nil {
		known = &member{id: c.node}
		m.table[c.node] = known
		m.changes++
		defer func() { m.log("member joined", known) }()
	}
	if known.name != string(c.name) {
		known.name = string(c.name)
	}
	known.seen, known.silent = now, false
	known.answered = known.answered || c.member.flags&memberAnswers != 0
	if c.member.number > known.number { // else it was overtaken on the way
		if !known.sameAs(c.member) {
			m.changes++
		}
		known.announcement = c.member
	}
	m.checkSettled(now)
}

// sameAs reports whether the member drains as before and serves what it did.
func (m *member) sameAs(a announcement) bool {
	return m.version == a.version && m.flags&memberDraining == a.flags&memberDraining
}

// died takes the news that Redis holds no connection of a member. One that was heard lately is not dead: it is subscribing its lanes
// again, or got no processor for a while, and its clients are there.
func (m *members) died(now time.Duration, id uuid.UUID) {
	if known := m.table[id]; known != nil && m.missed(now, known) {
		m.drop(id, "member died")
	}
}

// missed reports whether a member has not announced itself for long.
func (m *members) missed(now time.Duration, known *member) bool {
	return now-known.seen > missedMost*m.every()+m.every()/2
}

// every is how often members announce themselves.
func (m *members) every() time.Duration {
	return announceEvery * time.Duration(1+len(m.table)/announceSlow)
}

// drop forgets a member.
func (m *members) drop(id uuid.UUID, why string) {
	if known := m.table[id]; known != nil {
		delete(m.table, id)
		m.changes++
		m.log(why, known)
	}
}

// checkSettled settles once all that the roll call reached have answered it: what a member announced before says what it was then.
func (m *members) checkSettled(now time.Duration) {
	if m.settled {
		return
	}
	answered := 1 // this node
	for _, known := range m.table {
		if known.answered {
			answered++
		}
	}
	if m.counted >= 0 && answered >= m.counted || now-m.began >= settleWithin {
		m.settled = true
		m.me.flags |= memberSettled
	}
}

// advance lets time pass: the node is announced, and those that were not heard for long are silent.
func (m *members) advance(now time.Duration) {
	every := m.every()
	if now-m.told >= every-announceEvery/2 { // this is called about once a second
		m.announce(now)
	}
	m.checkSettled(now)
	for _, known := range m.table {
		if m.missed(now, known) && !known.silent {
			known.silent = true
			m.log("member silent", known)
		}
	}
}

// gap gives every member another chance: what it announced may have been missed.
func (m *members) gap(now time.Duration) {
	m.gapped = now
	for _, known := range m.table {
		known.seen, known.silent = now, false
	}
}

// heardAll reports whether whoever is a member has announced itself since the last gap.
func (m *members) heardAll(now time.Duration) bool {
	return m.settled && (m.gapped == 0 || now-m.gapped >= m.every()+m.every()/2)
}

// holders is how many members hold beacons.
func (m *members) holders() int {
	n := 0
	if m.me.flags&memberObserver == 0 {
		n = 1
	}
	for _, known := range m.table {
		if known.flags&memberObserver == 0 {
			n++
		}
	}
	return n
}

// doubtful appends the members that are to be looked at: the silent ones, or all.
func (m *members) doubtful(to []uuid.UUID, all bool) []uuid.UUID {
	for id, known := range m.table {
		if all || known.silent {
			to = append(to, id)
		}
	}
	return to
}

// nodes lists all members, this node first, the others by name.
func (m *members) nodes(now time.Duration) []Node {
	all := make([]Node, 0, len(m.table)+1)
	for _, known := range m.table {
		all = append(all, nodeOf(known.id, known.name, known.announcement, now-known.seen))
	}
	slices.SortFunc(all, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return slices.Insert(all, 0, nodeOf(m.self, m.name, m.me, 0))
}

func nodeOf(id uuid.UUID, name string, a announcement, seen time.Duration) Node {
	return Node{ID: id, Name: name, Sockets: a.sockets, Methods: a.methods, Version: a.version, Settled: a.flags&memberSettled != 0,
		Draining: a.flags&memberDraining != 0, Observer: a.flags&memberObserver != 0, Seen: seen}
}
