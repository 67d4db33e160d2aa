package bus

import (
	"time"

	"github.com/google/uuid"
)

// A simSocket is a client's socket. Its client remembers what it saw and what it said.
type simSocket struct {
	node   *simNode
	at     *Attachment
	id     string
	to     []Address
	seen   map[uuid.UUID]int
	acked  map[uuid.UUID]time.Duration // when
	owes   map[uuid.UUID]bool          // an answer
	closed bool
}

// connect attaches a socket to the addresses.
func (n *simNode) connect(to ...Address) {
	k := &simSocket{node: n, id: n.NewSocket(), to: to, seen: make(map[uuid.UUID]int), acked: make(map[uuid.UUID]time.Duration),
		owes: make(map[uuid.UUID]bool)}
	at, err := n.Attach(n.s.t.Context(), k, Profile{Socket: k.id, User: to[0].Name(), Carrier: CarrierTCP})
	if err != nil {
		n.s.failf("attach: %v", err)
		return
	}
	for _, address := range to {
		if at.Join(n.s.t.Context(), address) != nil { // a lane is down: the client will try elsewhere
			at.Detach()
			return
		}
	}
	k.at = at
	n.sockets = append(n.sockets, k)
}

// Deliver writes after a while, and has the client answer, or not.
func (k *simSocket) Deliver(m *Message, t Ticket) {
	s := k.node.s
	k.seen[m.ID]++
	if k.seen[m.ID] > 1 {
		s.failf("socket %s got %s twice", k.id, m.ID)
	}
	k.inTime(m.ID)
	if m.Ack {
		k.owes[m.ID] = true
	}
	pause := func() time.Duration { return time.Duration(s.rng.IntN(30_000)) * time.Microsecond }
	s.clock.After(pause(), func() {
		if k.closed || k.node.dead {
			t.Close()
			return
		}
		t.Written()
		if !m.Ack || s.rng.IntN(10) == 0 {
			return
		}
		s.clock.After(pause(), func() { k.answer(m, t) })
	})
}

func (k *simSocket) answer(m *Message, t Ticket) {
	delete(k.owes, m.ID)
	switch {
	case k.closed || k.node.dead:
		t.Close()
	case k.node.s.rng.IntN(8) == 0:
		t.Reject("no", "not now")
	default:
		k.acked[m.ID] = k.node.now()
		t.Confirm(JSON(k.id))
	}
}

// Forget is what the node says at the deadline of what was not answered.
func (k *simSocket) Forget(id uuid.UUID) {
	delete(k.owes, id)
	k.inTime(id)
}

// inTime holds that nothing of a request whose publisher has no trouble comes much later than its deadline.
func (k *simSocket) inTime(id uuid.UUID) {
	const most = 2500 * time.Millisecond
	r := k.node.s.byID[id]
	if late := k.node.now() - r.deadline; late > most && r.from.trouble == 0 && k.node.trouble == 0 {
		k.node.s.failf("socket %s hears of %s %v after its deadline", k.id, id, late)
	}
}

func (k *simSocket) close() {
	k.closed = true
	k.at.Detach()
}

func (s *schedule) socket(id string) *simSocket {
	for _, n := range s.nodes {
		for _, k := range n.sockets {
			if k.id == id {
				return k
			}
		}
	}
	return &simSocket{}
}
