package relay

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// errHubDropped and the others are the reasons of a fall.
var (
	errHubDropped = errors.New("relay: connection lost")
	errHubLease   = errors.New("relay: no probe came back")
)

// A memoryLane is one lane of a node: its connection, and what is on its way to the receiver.
type memoryLane struct {
	node    *memoryRelay
	index   int
	conn    *hubConn // nil while the lane is down
	held    int      // how many falls keep it down
	opening bool

	pipe     []*memorySegment
	carrying bool // somebody hands over from the pipe
}

// A memorySegment is what arrives at one time. Segments arrive in order: a connection is first in, first out.
type memorySegment struct {
	arrivals []memoryArrival
	ready    bool
}

// A memoryArrival is a message, or the lane's own event.
type memoryArrival struct {
	message Message
	event   *LaneEvent
}

// reachableLocked says whether a command on the lane's connection would be answered.
func (l *memoryLane) reachableLocked() bool {
	return l.conn != nil && !l.conn.halfOpen && !l.conn.expired && !l.node.stopped && !l.node.cut
}

// openLocked makes the lane's connection, with every channel that the node wants, the beacon last.
func (l *memoryLane) openLocked() {
	n, redis := l.node, &l.node.hub.redis
	l.conn = &hubConn{lane: l, held: make(map[Channel]struct{})}
	redis.subscribe(l.conn, Channel{Name: aliveChannel(hubPrefix, n.self.ID)})
	for _, ch := range l.wantedLocked() {
		redis.subscribe(l.conn, ch)
	}
	if !n.self.Observer {
		redis.subscribe(l.conn, Channel{Name: beaconChannel(hubPrefix, l.index)})
	}
}

func (l *memoryLane) wantedLocked() []Channel {
	var wanted []Channel
	for ch := range l.node.holds {
		if laneOf(ch, l.node.hub.opts.Lanes) == l.index {
			wanted = append(wanted, ch)
		}
	}
	slices.SortFunc(wanted, func(a, b Channel) int { return strings.Compare(a.Name, b.Name) })
	return wanted
}

// forgetLocked gives up what the connection still holds of channels that nobody wants any more.
func (l *memoryLane) forgetLocked() {
	n := l.node
	if !l.reachableLocked() {
		return
	}
	for ch := range l.conn.held {
		own := ch.Name == aliveChannel(hubPrefix, n.self.ID) || ch.Name == beaconChannel(hubPrefix, l.index)
		if !own && n.holds[ch] == nil {
			n.hub.redis.unsubscribe(l.conn, ch)
		}
	}
}

// reopenLocked lets the lane stand again, unless something keeps it down: then the end of that calls it.
func (l *memoryLane) reopenLocked() {
	n, h := l.node, l.node.hub
	if l.conn != nil || l.opening || !l.mayStandLocked() {
		return
	}
	l.opening = true
	h.afterLocked(h.delay(), func() {
		l.opening = false
		if l.conn != nil || !l.mayStandLocked() {
			return
		}
		l.openLocked()
		l.pushLocked(memoryArrival{event: &LaneEvent{Lane: l.index, Up: true}}, 0)
		n.hub.notifyLocked()
	})
}

func (l *memoryLane) mayStandLocked() bool {
	n := l.node
	return !n.leaving && !n.dead && !n.stopped && !n.cut && n.hub.aways == 0 && l.held == 0
}

// fallLocked ends the lane's connection and loses what was on its way.
func (l *memoryLane) fallLocked(reason error) {
	if l.conn == nil {
		return
	}
	l.giveUpLocked()
	l.loseLocked()
	l.pushLocked(memoryArrival{event: &LaneEvent{Lane: l.index, Reason: reason}}, 0)
	l.reopenLocked()
}

// giveUpLocked parts the lane from its connection. What was cut off, Redis goes on counting.
func (l *memoryLane) giveUpLocked() {
	h, conn := l.node.hub, l.conn
	if conn == nil {
		return
	}
	l.conn = nil
	switch {
	case l.node.cut:
		conn.halfOpen = true
		h.ghosts = append(h.ghosts, conn)
	case conn.halfOpen && h.opts.Ghost > 0:
		h.afterLocked(h.opts.Ghost, func() { h.redis.drop(conn) })
	default:
		h.redis.drop(conn)
	}
}

// loseLocked loses the messages on their way. Events of the lane are the node's own.
func (l *memoryLane) loseLocked() {
	for _, s := range l.pipe {
		s.arrivals = slices.DeleteFunc(s.arrivals, func(a memoryArrival) bool { return a.event == nil })
	}
}

// pushLocked sends something on its way. It arrives after d, and never before what was sent earlier.
func (l *memoryLane) pushLocked(a memoryArrival, d time.Duration) {
	if k := len(l.pipe); k > 0 && d <= 0 && !l.pipe[k-1].ready {
		l.pipe[k-1].arrivals = append(l.pipe[k-1].arrivals, a)
		return
	}
	s := &memorySegment{arrivals: []memoryArrival{a}}
	l.pipe = append(l.pipe, s)
	h := l.node.hub
	h.after(d, func() {
		h.mu.Lock()
		s.ready = true
		h.mu.Unlock()
		l.carry()
	})
}

// carry hands over what has arrived. One call at a time works; another leaves its work to that one.
func (l *memoryLane) carry() {
	n, mu := l.node, &l.node.hub.mu
	mu.Lock()
	if l.carrying {
		mu.Unlock()
		return
	}
	l.carrying = true
	n.calls++
	for {
		a, ok := l.takeLocked()
		if !ok {
			break
		}
		mu.Unlock()
		if a.event != nil {
			n.recv.Lane(*a.event)
		} else {
			n.recv.Receive(a.message)
			clear(a.message.Payload) // as Redis's relay uses the memory again: who keeps it shall notice
		}
		mu.Lock()
	}
	l.carrying = false
	n.calls--
	n.hub.notifyLocked()
	mu.Unlock()
}

func (l *memoryLane) takeLocked() (a memoryArrival, ok bool) {
	n := l.node
	if n.closed || n.dead || n.stopped {
		return a, false
	}
	for len(l.pipe) > 0 && l.pipe[0].ready {
		s := l.pipe[0]
		if len(s.arrivals) == 0 {
			l.pipe = l.pipe[1:]
			continue
		}
		if n.cut && s.arrivals[0].event == nil {
			return a, false
		}
		a, s.arrivals[0] = s.arrivals[0], memoryArrival{}
		s.arrivals = s.arrivals[1:]
		return a, true
	}
	return a, false
}
