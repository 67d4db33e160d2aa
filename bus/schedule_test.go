package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// A schedule is a cluster under virtual time, in one goroutine: the two machines of every node over the in-memory relay, with
// delays and faults drawn from a seed, and what the guarantees say held against what the clients did.
type schedule struct {
	t     *testing.T
	seed  uint64
	ends  *Counts // of receipts, over all schedules
	rng   *rand.Rand
	clock relaytest.Clock
	hub   *relay.Hub
	nodes []*simNode
	asked []*simRequest
	noise float64 // how likely a crossing is to fail
	calm  bool    // nobody is struck
}

type simNode struct {
	*Bus
	s       *schedule
	live    *liveness
	dead    bool
	stopped bool
	halted  bool // was stopped at some time
	sockets []*simSocket
}

// simSocket is a client's socket. Its client remembers what it saw and what it said.
type simSocket struct {
	node   *simNode
	at     *Attachment
	id     string
	to     []Address
	seen   map[uuid.UUID]int
	acked  map[uuid.UUID]time.Duration // when
	closed bool
}

type simRequest struct {
	*pending
	from     *simNode
	deadline time.Duration
	ended    time.Duration
	receipt  *Receipt
}

func newSchedule(t *testing.T, seed uint64, ends *Counts) *schedule {
	s := &schedule{t: t, ends: ends, seed: seed, rng: rand.New(rand.NewPCG(seed, 1))}
	s.noise = []float64{0, 0, 0.01, 0.1}[s.rng.IntN(4)]
	most := []int{1, 20, 200}[s.rng.IntN(3)]
	s.hub = relay.NewHub(&relay.HubOptions{After: s.clock.After, Merge: s.rng.IntN(2) == 0,
		Delay: func() time.Duration { return time.Duration(s.rng.IntN(most*100)) * time.Microsecond },
		Fault: s.fault})
	for i := range 3 {
		s.start("node-" + strconv.Itoa(i))
	}
	return s
}

func (s *schedule) fault(c relay.Crossing) relay.Fault {
	if s.noise == 0 || s.rng.Float64() > s.noise {
		return relay.Fault{}
	}
	switch c.Hop {
	case relay.HopIn:
		if s.rng.IntN(2) == 0 {
			return relay.Fault{Copies: 1}
		}
		return relay.Fault{Err: relay.ErrLost}
	case relay.HopCount:
		return relay.Fault{Err: relay.ErrLost}
	case relay.HopOut:
	}
	return relay.Fault{Delay: time.Duration(s.rng.IntN(400)) * time.Millisecond}
}

func (s *schedule) start(name string) *simNode {
	o, err := (&Options{Name: name, Logger: slog.New(slog.DiscardHandler)}).withDefaults()
	if err != nil {
		s.t.Fatal(err)
	}
	id := uuid.UUID{15: byte(len(s.nodes)), 0: byte(s.seed), 1: byte(s.seed >> 8)}
	n := &simNode{s: s, live: newLiveness(), Bus: newBus(id, s.hub.Relay(), o, func() time.Duration { return s.clock.Now() + time.Minute })}
	if err := n.attach(s.t.Context()); err != nil {
		n.dead = true // Redis is away
		n.end()
		return n
	}
	s.nodes = append(s.nodes, n)
	n.every(tick, func() { n.advance() })
	n.every(time.Second, n.chores)
	n.every(lookEvery, func() { n.checkLiveness(n.live) })
	n.every(time.Millisecond, func() {
		if len(n.reports) > 0 {
			<-n.reports
			n.sealReports()
		}
	})
	return n
}

// end lets go of the node without a goodbye, for which the clock would have to go on.
func (n *simNode) end() {
	_ = n.relay.Close()
	n.group.Stop()
	n.group.Wait()
}

// every runs f again and again, as long as the node's process runs.
func (n *simNode) every(d time.Duration, f func()) {
	n.s.clock.After(d, func() {
		if n.dead {
			return
		}
		if !n.stopped {
			f()
		}
		n.every(d, f)
	})
}

// connect attaches a socket to the addresses.
func (n *simNode) connect(to ...Address) {
	k := &simSocket{node: n, id: n.NewSocket(), to: to, seen: make(map[uuid.UUID]int), acked: make(map[uuid.UUID]time.Duration)}
	at, err := n.Attach(n.s.t.Context(), k, Profile{Socket: k.id, User: to[0].Name(), Carrier: CarrierTCP}, to...)
	if err != nil {
		return // a lane is down: the client will try elsewhere
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
		s.clock.After(pause(), func() {
			switch {
			case k.closed || k.node.dead:
				t.Close()
			case s.rng.IntN(8) == 0:
				t.Reject("no", "not now")
			default:
				k.acked[m.ID] = k.node.now()
				t.Confirm(JSON(k.id))
			}
		})
	})
}

func (k *simSocket) Forget(uuid.UUID) {}

func (k *simSocket) close() {
	k.closed = true
	k.at.Detach()
}

func (s *schedule) pick() *simNode {
	for range 20 {
		if n := s.nodes[s.rng.IntN(len(s.nodes))]; !n.dead && !n.stopped {
			return n
		}
	}
	return nil
}

func (s *schedule) address() Address {
	switch s.rng.IntN(6) {
	case 0:
		return Group("g")
	case 1:
		return Everyone()
	case 2:
		return User("nobody")
	}
	return User(strconv.Itoa(s.rng.IntN(4)))
}

// ask begins a request.
func (s *schedule) ask() {
	n := s.pick()
	if n == nil {
		return
	}
	r := &simRequest{pending: &pending{wake: make(chan struct{}, 1)}, from: n}
	r.timer.owner = r.pending
	r.opts.require = []Requirement{Any(), Any(), All(), AtLeast(2)}[s.rng.IntN(4)]
	r.opts.level = []Level{Confirmed, Confirmed, Confirmed, Written, Claimed}[s.rng.IntN(5)]
	r.opts.detail = []Detail{DetailAuto, DetailAll, DetailSummary}[s.rng.IntN(3)]
	r.opts.failFast = s.rng.IntN(6) == 0
	if err := n.prepare(context.Background(), r.pending, s.address(), "e", JSON(1)); err != nil {
		s.failf("prepare: %v", err)
		return
	}
	r.pending.deadline = n.now() + time.Duration(100+s.rng.IntN(5000))*time.Millisecond
	r.deadline = r.pending.deadline
	s.asked = append(s.asked, r)
	n.hand(context.Background(), r.pending)
	n.until(r)
}

// until waits for the end of a request and looks when it was.
func (n *simNode) until(r *simRequest) {
	n.s.clock.After(time.Millisecond, func() {
		switch {
		case n.dead:
		case !r.over:
			n.until(r)
		default:
			r.ended = n.now()
			if r.err == nil {
				r.receipt = r.pending.receipt()
			}
		}
	})
}

// strike lets something happen to somebody.
func (s *schedule) strike() {
	n := s.pick()
	if n == nil {
		return
	}
	pause := time.Duration(s.rng.IntN(5000)) * time.Millisecond
	switch s.rng.IntN(8) {
	case 0:
		s.hub.Kill(n.idText)
		n.dead = true
	case 1:
		s.hub.Stop(n.idText)
		n.stopped, n.halted = true, true
		s.clock.After(pause, func() {
			n.stopped = false
			s.hub.Continue(n.idText)
		})
	case 2:
		s.hub.Cut(n.idText)
		s.clock.After(pause, func() { s.hub.Mend(n.idText) })
	case 3:
		s.hub.Fall(n.idText, s.rng.IntN(4), pause/10)
	case 4:
		s.hub.Deafen(n.idText, relay.AllLanes)
	case 5:
		s.hub.Away(pause / 4)
	case 6:
		if n := s.start("late-" + strconv.Itoa(len(s.nodes))); !n.dead {
			n.connect(User("1"), Group("g"), Everyone())
		}
	case 7:
		if len(n.sockets) > 0 {
			n.sockets[s.rng.IntN(len(n.sockets))].close()
		}
	}
}

func (s *schedule) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("seed %d at %v: %s", s.seed, s.clock.Now(), fmt.Sprintf(format, args...))
}

// run plays the schedule to its end.
func (s *schedule) run(faults int) {
	s.calm = faults == 0
	for i := range 6 {
		s.nodes[i%3].connect(User(strconv.Itoa(i%4)), Group("g"), Everyone())
	}
	s.clock.Advance(2 * time.Second)
	for range 60 {
		s.clock.After(time.Duration(s.rng.IntN(6000))*time.Millisecond, s.ask)
	}
	for range faults {
		s.clock.After(time.Duration(s.rng.IntN(6000))*time.Millisecond, s.strike)
	}
	s.clock.Advance(20 * time.Second)
	for _, r := range s.asked {
		s.judge(r)
	}
	for _, n := range s.nodes {
		s.judgeRest(n)
		n.end()
	}
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

// TestSchedules plays many schedules. ACKBUS_SEED replays one.
func TestSchedules(t *testing.T) {
	var ends Counts
	for seed := range relaytest.Seeds(t, "ACKBUS_SEED", schedules) {
		newSchedule(t, seed, &ends).run(int(seed % 5))
		if t.Failed() {
			t.Fatalf("replay with ACKBUS_SEED=%d go test -run TestSchedules ./bus", seed)
		}
	}
	text, _ := json.Marshal(ends)
	t.Logf("what came of the requests: %s", text)
}

const schedules = 300
