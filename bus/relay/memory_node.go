package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A memoryRelay is one node of a Hub. The hub's lock guards its fields.
type memoryRelay struct {
	hub  *Hub
	self Self
	recv Receiver

	started bool
	leaving bool // being closed: it holds nothing any more
	closed  bool
	dead    bool // killed: it calls nobody any more
	stopped bool // SIGSTOP: its connections stand and nobody reads them
	cut     bool // the link to Redis brings nothing, either way
	stops   int  // counts the times that it was stopped, to tell one from the next
	cuts    int  // likewise
	severed bool // Redis went away behind the cut: the connections are gone, which shows only at its end
	lanes   []*memoryLane
	holds   map[Channel]*memoryHold
	out     memoryOutbox

	calls int // calls of the receiver that have not returned
}

// opPublish is the one call that works while the node is being closed.
const opPublish = "publish"

// A memoryHold is a channel that the node wants.
type memoryHold struct {
	refs    int
	lingers int // counts the times that it was released, to tell one lingering from the next
}

// Start attaches the node.
func (n *memoryRelay) Start(ctx context.Context, self Self, r Receiver) error {
	h := n.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.aways > 0 {
		if err := n.waitLocked(ctx, "start"); err != nil {
			return err
		}
	}
	switch {
	case n.leaving:
		return fmt.Errorf("start: %w", ErrClosed)
	case n.started:
		return errors.New("relay: started twice")
	case self.ID == "" || r == nil:
		return errors.New("relay: start without an ID or a receiver")
	case h.nodeLocked(self.ID) != nil:
		return fmt.Errorf("relay: a node %q is attached already", self.ID)
	}
	n.self, n.recv, n.started = self, r, true
	h.nodes = append(h.nodes, n)
	for i := range h.opts.Lanes {
		l := &memoryLane{node: n, index: i}
		n.lanes = append(n.lanes, l)
		l.openLocked()
	}
	return nil
}

// Subscribe holds a channel.
func (n *memoryRelay) Subscribe(ctx context.Context, ch Channel) (release func(), err error) {
	h := n.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := n.usableLocked("subscribe"); err != nil {
		return nil, err
	}
	l := n.lanes[laneOf(ch, h.opts.Lanes)]
	for {
		if l.reachableLocked() {
			confirmed, err := n.confirmLocked(ctx, l, ch)
			if err != nil {
				return nil, err
			}
			if confirmed {
				break
			}
			continue
		}
		if err := n.waitLocked(ctx, "subscribe"); err != nil {
			return nil, err
		}
	}
	hold := n.holds[ch]
	if hold == nil {
		hold = &memoryHold{}
		n.holds[ch] = hold
		h.redis.subscribe(l.conn, ch)
	}
	hold.refs++
	var once sync.Once
	return func() { once.Do(func() { n.release(ch, hold) }) }, nil
}

// confirmLocked waits for as long as a confirmation takes. It reports false if the connection fell meanwhile.
func (n *memoryRelay) confirmLocked(ctx context.Context, l *memoryLane, ch Channel) (bool, error) {
	h := n.hub
	if n.holds[ch] != nil || h.opts.SubscribeDelay <= 0 || !h.blocking {
		return true, nil
	}
	conn, confirmed := l.conn, false
	h.afterLocked(h.opts.SubscribeDelay, func() {
		confirmed = true
		h.notifyLocked()
	})
	for !confirmed {
		if err := n.waitLocked(ctx, "subscribe"); err != nil {
			return false, err
		}
	}
	return l.conn == conn && l.reachableLocked(), nil
}

func (n *memoryRelay) release(ch Channel, hold *memoryHold) {
	h := n.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	hold.refs--
	hold.lingers++
	if hold.refs > 0 {
		return
	}
	if h.opts.Linger < 0 {
		n.giveUpLocked(ch)
		return
	}
	lingering := hold.lingers
	h.afterLocked(h.opts.Linger, func() {
		if hold.refs == 0 && hold.lingers == lingering {
			n.giveUpLocked(ch)
		}
	})
}

func (n *memoryRelay) giveUpLocked(ch Channel) {
	delete(n.holds, ch)
	if n.leaving || n.dead {
		return
	}
	if l := n.lanes[laneOf(ch, n.hub.opts.Lanes)]; l.reachableLocked() {
		n.hub.redis.unsubscribe(l.conn, ch)
	}
}

// Alive counts the lanes of nodes.
func (n *memoryRelay) Alive(_ context.Context, nodes []string) ([]int, error) {
	h := n.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := n.usableLocked("alive"); err != nil {
		return nil, err
	}
	if h.aways > 0 || n.cut || n.stopped {
		return nil, fmt.Errorf("alive: %w: Redis is not reached", ErrNotSent)
	}
	counts := make([]int, len(nodes))
	for i, id := range nodes {
		counts[i] = h.redis.count(aliveChannel(hubPrefix, id))
	}
	return counts, nil
}

// Close detaches the node. With a scheduler of the test's own it does so at once. Otherwise what is in flight arrives, for at
// most 250 ms, and it returns once the receiver has been told all results and no call of it is under way, so it is not to be
// called from within the receiver.
func (n *memoryRelay) Close() error {
	h := n.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if !n.leaving {
		n.leaving = true
		n.dropLocked()
		h.notifyLocked()
		n.sayGoodbyeLocked()
		n.settleDownLocked()
		n.closed = true
		h.nodes = slices.DeleteFunc(h.nodes, func(o *memoryRelay) bool { return o == n })
		n.out.endLocked()
		h.notifyLocked()
	}
	for h.blocking && (!n.closed || n.calls > 0 || len(n.out.due) > 0) {
		_ = h.waitLocked(context.Background()) // it does not end
	}
	return nil
}

// sayGoodbyeLocked publishes what the node wants published last. It lets go of the lock meanwhile.
func (n *memoryRelay) sayGoodbyeLocked() {
	if n.self.Goodbye == nil {
		return
	}
	n.hub.mu.Unlock()
	defer n.hub.mu.Lock()
	if p := n.self.Goodbye(); p.Channel != "" {
		_ = n.Publish(context.Background(), p) // as over Redis
	}
}

// settleDownLocked waits until nothing was in flight to or from the node for a lull.
func (n *memoryRelay) settleDownLocked() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for h := n.hub; h.blocking && n.reachesLocked() && ctx.Err() == nil; {
		lull, done := context.WithTimeout(ctx, closeLull)
		err := h.waitLocked(lull)
		done()
		if err != nil && n.idleLocked() {
			return
		}
	}
}

// reachesLocked says whether Redis and a running node reach each other.
func (n *memoryRelay) reachesLocked() bool {
	return n.started && !n.dead && !n.stopped && !n.cut && n.hub.aways == 0
}

func (n *memoryRelay) idleLocked() bool {
	flying := slices.ContainsFunc(n.lanes, func(l *memoryLane) bool { return len(l.pipe) > 0 })
	return !flying && n.out.packets == 0 && len(n.out.due) == 0 && n.calls == 0
}

// dropLocked ends the node's connections, as the end of its process does.
func (n *memoryRelay) dropLocked() {
	for _, l := range n.lanes {
		l.giveUpLocked()
	}
}

func (n *memoryRelay) usableLocked(op string) error {
	switch {
	case n.closed || n.dead || n.leaving && op != opPublish:
		return fmt.Errorf("%s: %w", op, ErrClosed)
	case !n.started:
		return fmt.Errorf("relay: %s before start", op)
	}
	return nil
}

// waitLocked waits, without the lock, until something changes on the hub or ctx ends. It fails at once where nobody may be
// blocked, and when the node was closed.
func (n *memoryRelay) waitLocked(ctx context.Context, op string) error {
	if !n.hub.blocking {
		return fmt.Errorf("%s: %w: Redis is not reached", op, ErrNotSent)
	}
	err := n.hub.waitLocked(ctx)
	if n.closed || n.dead || n.leaving && op != opPublish {
		return fmt.Errorf("%s: %w", op, ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
