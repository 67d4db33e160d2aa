package relay

import "time"

// A Hop is one part of a payload's way.
type Hop int

// The hops.
const (
	// HopOut is a packet's way from the publisher to Redis.
	HopOut Hop = iota + 1
	// HopIn is the way of one copy from Redis to a lane.
	HopIn
	// HopCount is the count's way back to the publisher.
	HopCount
)

// A Crossing is one payload on one hop.
type Crossing struct {
	Hop     Hop
	Node    string // the ID of the publisher, for HopIn that of the receiver
	Lane    int    // for HopIn, the receiver's lane
	Channel string
	Pattern string // for HopIn, the pattern that matched, or empty
	Payload []byte // not to be changed; with Merge, on HopIn, it may be several packets' payloads
	Guard   bool   // a guarded packet, for HopOut and HopCount
}

// A Fault is what befalls a crossing. The zero value lets it pass.
type Fault struct {
	// Err ends the crossing. On HopOut nothing is published and the result has this error: ErrNotSent, ErrRefused, or ErrLost
	// for a packet that was written and never reached Redis. On HopIn the copy, which was counted, is lost. On
	// HopCount the packet was published and the result has this error: ErrLost.
	Err error
	// Delay comes on top of HubOptions.Delay. What travels behind on the same connection waits too.
	Delay time.Duration
	// Copies, on HopIn, is how many more copies arrive, which Redis did not count.
	Copies int
}

func (n *memoryRelay) crossingLocked(hop Hop, p *memoryPacket) Crossing {
	return Crossing{Hop: hop, Node: n.self.ID, Channel: p.Channel, Payload: p.Payload, Guard: p.Guard}
}

// AllLanes stands for every lane of a node.
const AllLanes = -1

// Fall loses the connection of a lane, or of AllLanes, and what was in flight on it. It stands again after d at the
// earliest. It reports false if there is no such node or lane.
func (h *Hub) Fall(nodeID string, lane int, d time.Duration) bool {
	return h.lanes(nodeID, lane, func(l *memoryLane) {
		l.held++
		l.fallLocked(errHubDropped)
		h.afterLocked(d, func() {
			l.held--
			l.reopenLocked()
		})
	})
}

// Deafen leaves the present connection of a lane, or of AllLanes, half-open: Redis counts it, and nothing arrives on it
// any more. Once its lease has run out the lane falls and is opened anew. It reports false if there is no such node or lane.
func (h *Hub) Deafen(nodeID string, lane int) bool {
	return h.lanes(nodeID, lane, func(l *memoryLane) {
		conn := l.conn
		if conn == nil || conn.halfOpen {
			return
		}
		conn.halfOpen = true
		l.loseLocked()
		h.leaseLocked(func() { l.expireLocked(conn) })
	})
}

func (h *Hub) lanes(nodeID string, lane int, f func(l *memoryLane)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodeLocked(nodeID)
	if n == nil || lane < AllLanes || lane >= len(n.lanes) {
		return false
	}
	for _, l := range n.lanes {
		if lane == AllLanes || lane == l.index {
			f(l)
		}
	}
	return true
}

// leaseLocked runs f with the lock held once a lease that begins now has run out.
func (h *Hub) leaseLocked(f func()) {
	if h.opts.Lease > 0 {
		h.afterLocked(h.opts.Lease, f)
	}
}

// expireLocked ends a connection's lease. A stopped process notices when it is continued.
func (l *memoryLane) expireLocked(conn *hubConn) {
	if l.conn != conn || conn == nil {
		return
	}
	conn.expired = true
	if !l.node.stopped {
		l.fallLocked(errHubLease)
	}
}

// Kill ends the node's process, as SIGKILL does: its connections are gone from the counts, and its receiver is called no more
// (results that are still owed come when its relay is closed). What it had written is still published. It reports false
// if there is no such node.
func (h *Hub) Kill(nodeID string) bool {
	return h.node(nodeID, func(n *memoryRelay) {
		n.dropLocked()
		n.dead = true
		h.notifyLocked()
	})
}

// Stop halts the node's process, as SIGSTOP does: its connections count, and nothing is received or sent until Continue.
// It reports false if there is no such node.
func (h *Hub) Stop(nodeID string) bool {
	return h.node(nodeID, func(n *memoryRelay) {
		if n.stopped {
			return
		}
		n.stopped = true
		n.stops++
		stop := n.stops
		h.leaseLocked(func() {
			for _, l := range n.lanes {
				if n.stopped && n.stops == stop {
					l.expireLocked(l.conn)
				}
			}
		})
	})
}

// Continue undoes Stop. What arrived in the meantime is received now; if the lease has run out it is discarded instead, and
// the lanes fall and are opened anew. It reports false if there is no such node.
func (h *Hub) Continue(nodeID string) bool {
	return h.node(nodeID, func(n *memoryRelay) {
		n.stopped = false
		for _, l := range n.lanes {
			if l.conn != nil && l.conn.expired {
				l.fallLocked(errHubLease)
			}
		}
		n.resumeLocked()
	})
}

// Cut cuts the node's link to Redis without a goodbye: its connections count, and nothing comes through either way. Once
// the lease has run out the node notices: its lanes fall, what it had written is ErrLost, and what it publishes waits for
// Mend. Redis counts the old connections until HubOptions.Ghost after Mend, also if the node is killed or closed. It
// reports false if there is no such node.
func (h *Hub) Cut(nodeID string) bool {
	return h.node(nodeID, func(n *memoryRelay) {
		if n.cut {
			return
		}
		n.cut = true
		n.cuts++
		n.out.down = h.aways > 0 // it has no connection now, and will get none
		cut := n.cuts
		h.leaseLocked(func() {
			if n.cut && n.cuts == cut && !n.closed && !n.dead {
				n.noticeLocked()
			}
		})
	})
}

// noticeLocked is the node's finding that its link is cut.
func (n *memoryRelay) noticeLocked() {
	for _, l := range n.lanes {
		l.expireLocked(l.conn)
	}
	n.out.down = true
	n.out.fallLocked()
}

// Mend undoes Cut. Unless the node had noticed, everything that was held up arrives now. It reports false if there is no
// such node and no connection left of one.
func (h *Hub) Mend(nodeID string) bool {
	left := h.mendGhosts(nodeID)
	return h.node(nodeID, func(n *memoryRelay) {
		n.cut = false
		n.out.down = false
		if n.severed {
			n.severed = false
			n.loseRedisLocked()
		}
		n.resumeLocked()
	}) || left
}

func (h *Hub) mendGhosts(nodeID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	var rest, gone []*hubConn
	for _, c := range h.ghosts {
		if c.lane.node.self.ID == nodeID {
			gone = append(gone, c)
		} else {
			rest = append(rest, c)
		}
	}
	h.ghosts = rest
	drop := func() {
		for _, c := range gone {
			h.redis.drop(c)
		}
	}
	if h.opts.Ghost > 0 {
		h.afterLocked(h.opts.Ghost, drop)
	} else {
		drop()
	}
	return len(gone) > 0
}

// Away kills Redis for the time d, or if d is negative until Back: every connection is lost with all that was in flight.
// Pipelines that had not been answered are ErrLost, packets wait as long as their patience lasts, Alive fails. It is
// back when all overlapping times have ended.
func (h *Hub) Away(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.aways++
	h.redis = newHubRedis()
	h.ghosts = nil
	for _, n := range h.nodes {
		switch {
		case n.dead:
			n.out.voidLocked()
		case n.cut:
			n.severed = true
		default:
			n.loseRedisLocked()
		}
	}
	if d >= 0 {
		h.afterLocked(d, h.backLocked)
	}
}

// Back ends one Away of negative time. It is called once for each.
func (h *Hub) Back() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.backLocked()
}

// loseRedisLocked is what a node sees of a Redis that went away.
func (n *memoryRelay) loseRedisLocked() {
	for _, l := range n.lanes {
		l.fallLocked(errHubDropped)
	}
	n.out.fallLocked()
}

func (h *Hub) backLocked() {
	h.aways--
	if h.aways > 0 {
		return
	}
	for _, n := range h.nodes {
		n.resumeLocked()
	}
	h.notifyLocked()
}

func (h *Hub) node(nodeID string, f func(n *memoryRelay)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodeLocked(nodeID)
	if n != nil {
		f(n)
	}
	return n != nil
}

// resumeLocked goes on with all that was held up.
func (n *memoryRelay) resumeLocked() {
	h := n.hub
	for _, l := range n.lanes {
		h.after(0, l.carry)
		l.forgetLocked()
		l.reopenLocked()
	}
	n.out.resumeLocked()
	h.notifyLocked()
}
