package bus

import (
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A simNode is a node of a schedule: what its goroutines would do is done by the schedule's clock.
type simNode struct {
	*Bus
	s        *schedule
	live     *liveness
	dead     bool
	stopped  bool
	halted   bool          // was stopped at some time
	ticking  bool          // its clock does not sleep
	sealing  bool          // its reports are about to leave
	late     bool          // it came when the others knew each other
	trouble  time.Duration // when it first had any; 0: it had none
	troubles int           // how many
	silence  time.Duration // until when it is stopped or cut off
	held     time.Duration // until when what it publishes is held up
	open     []*simRequest
	sockets  []*simSocket
}

// start starts a node. It is dead at once if Redis is away.
func (s *schedule) start(name string) *simNode {
	o, err := (&Options{Name: name, Logger: slog.New(slog.DiscardHandler)}).withDefaults()
	if err != nil {
		s.t.Fatal(err)
	}
	id := uuid.UUID{15: byte(len(s.nodes)), 0: byte(s.seed), 1: byte(s.seed >> 8)}
	n := &simNode{s: s, live: newLiveness(), Bus: newBus(id, s.hub.Relay(), o, func() time.Duration { return s.clock.Now() + time.Minute })}
	if err := n.attach(s.t.Context()); err != nil {
		n.dead = true
		n.end()
		return n
	}
	s.nodes = append(s.nodes, n)
	n.keepTime()
	n.every(choreEvery, n.chores)
	n.every(lookEvery, func() { n.checkLiveness(n.live) })
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
	var again func()
	again = func() {
		if n.dead {
			return
		}
		if !n.stopped {
			f()
		}
		n.s.clock.After(d, again)
	}
	n.s.clock.After(d, again)
}

// keepTime is the bus's: ticks while something is under way.
func (n *simNode) keepTime() {
	n.ticking = true
	var next func()
	next = func() {
		if n.dead {
			return
		}
		if !n.stopped {
			idle := n.advance()
			n.asleep.Store(idle)
			n.ticking = !idle
		}
		if n.ticking {
			n.s.clock.After(tick, next)
		}
	}
	n.s.clock.After(tick, next)
}

// look does what goroutines of a node do when they are woken: reports leave, the clock goes on, requests end.
func (n *simNode) look() {
	if n.dead || n.stopped {
		return
	}
	if len(n.reports) > 0 && !n.sealing {
		n.sealing = true
		n.s.clock.After(time.Duration(n.s.rng.IntN(1000))*time.Microsecond, n.seal)
	}
	if len(n.woken) > 0 {
		<-n.woken
		if !n.ticking {
			n.keepTime()
		}
	}
	if slices.ContainsFunc(n.open, func(r *simRequest) bool { return len(r.wake) > 0 }) {
		n.hear()
	}
}

// hear tells the callers of requests what came of them.
func (n *simNode) hear() {
	n.open = slices.DeleteFunc(n.open, func(r *simRequest) bool {
		if len(r.wake) == 0 {
			return false
		}
		<-r.wake
		r.hear()
		if !r.over {
			return false
		}
		r.ended = n.now()
		if r.err == nil {
			r.receipt = r.pending.receipt()
		}
		return true
	})
}

func (n *simNode) seal() {
	n.sealing = false
	if n.dead || n.stopped || len(n.reports) == 0 {
		return
	}
	<-n.reports
	n.sealReports()
}

// stop has the process stand still.
func (n *simNode) stop(lasting time.Duration) {
	n.s.hub.Stop(n.idText)
	n.stopped, n.halted, n.silence = true, true, n.now()+lasting
	n.s.clock.After(lasting, func() {
		n.stopped = false
		n.s.hub.Continue(n.idText)
	})
}

// simKept is how much a node keeps of requests: nothing once they are over and forgotten.
type simKept struct {
	pending, awaited, records int
	timers                    [2]int // of the two machines
	written                   int    // and not reported
	window                    uint64 // numbers from the floor on
}

func (n *simNode) kept() simKept {
	st := n.Stats()
	return simKept{st.Pending, st.Awaited, st.Records, [2]int{n.requests.wheel.len(), n.claims.wheel.len()}, len(n.claims.wrote),
		n.requests.window.next - n.requests.window.floor}
}

// rests reports whether nothing is under way at a node, and nothing kept.
func (n *simNode) rests() bool { return len(n.open) == 0 && n.kept() == simKept{} }
