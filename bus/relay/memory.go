package relay

import (
	"context"
	"sync"
	"time"
)

// hubPrefix begins the names of the beacon and alive channels on a Hub.
const hubPrefix = "ackbus:"

// HubOptions tune a Hub. The zero value, and a nil pointer, are all defaults.
type HubOptions struct {
	// Lanes is how many lanes each node has. Default 4, at least 1.
	Lanes int
	// After runs f once d has passed. Default time.AfterFunc, which testing/synctest makes virtual. It must not run f before it
	// has returned, and it is called with the hub's lock held. With an After of one's own nothing on the hub starts a
	// goroutine or blocks: all that happens does so in calls of the Relay and in f, in an order that depends on nothing
	// but the calls. What would have had to block fails instead: Start, Subscribe and Alive with ErrNotSent, a
	// Publish that should wait with ErrFull.
	After func(d time.Duration, f func())
	// Delay is asked how long each hop takes: a pipeline to Redis, its counts back, each copy to a lane, and a lane's
	// reconnect. Order on a connection holds whatever it says. Default none. It is called one call at a time and must not
	// call the hub.
	Delay func() time.Duration
	// Fault is asked what befalls each crossing. Default nothing. It is called one call at a time and must not call the hub.
	Fault func(c Crossing) Fault
	// Merge concatenates the payloads of one channel that wait in an outbox, up to MaxPayload, as over Redis.
	Merge bool
	// SubscribeDelay is how long Redis takes to confirm a channel. Default none; none with an After of one's own.
	SubscribeDelay time.Duration
	// Linger is how long a released channel is kept. Default 10 s; negative: it is given up at once.
	Linger time.Duration
	// Lease is how long a lane that hears nothing trusts itself. Default 2.5 s; negative: for ever.
	Lease time.Duration
	// Ghost is how long Redis goes on counting a connection that was cut off, after the link is mended or the lane has
	// been opened again. Default none.
	Ghost time.Duration
	// OutboxPackets and OutboxBytes bound what a node has handed over and that has no result yet. Default 65,536 and 32 MiB;
	// negative: no bound.
	OutboxPackets int
	OutboxBytes   int
}

func (o *HubOptions) withDefaults() HubOptions {
	var out HubOptions
	if o != nil {
		out = *o
	}
	hubDefault(&out.Lanes, 4)
	out.Lanes = max(out.Lanes, 1)
	hubDefault(&out.Linger, 10*time.Second)
	hubDefault(&out.Lease, 2500*time.Millisecond)
	hubDefault(&out.OutboxPackets, 65_536)
	hubDefault(&out.OutboxBytes, 32<<20)
	return out
}

func hubDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// A Hub is a pretend Redis in memory: what is published by one of its relays reaches the others as it would over Redis
// pub/sub, with the delays and faults that a test wants. It is meant for tests and for programs of one process.
type Hub struct {
	opts     HubOptions
	blocking bool // whether callers may be made to wait: not with a scheduler of the test's own

	mu     sync.Mutex // guards all below, and everything of every memoryRelay; never held while a Receiver is called
	redis  hubRedis
	nodes  []*memoryRelay // attached, in the order of Start
	ghosts []*hubConn     // what Redis counts though its node has given it up
	aways  int            // how many times over Redis is away

	waiting int           // callers that wait for a change
	changed chan struct{} // closed, and made anew, when something changed that callers may wait for
}

// NewHub returns a Hub without nodes. nil options are all defaults.
func NewHub(opts *HubOptions) *Hub {
	h := &Hub{opts: opts.withDefaults(), redis: newHubRedis(), changed: make(chan struct{})}
	h.blocking = h.opts.After == nil
	return h
}

// Relay returns a relay for one more node.
func (h *Hub) Relay() Relay {
	n := &memoryRelay{hub: h, holds: make(map[Channel]*memoryHold)}
	n.out.node = n
	return n
}

// Count is the number of connections that hold the channel now, without those of patterns: PUBSUB NUMSUB.
func (h *Hub) Count(channel string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.redis.count(channel)
}

// LaneOf is the lane that carries the channel or pattern, on every node.
func (h *Hub) LaneOf(ch Channel) int { return laneOf(ch, h.opts.Lanes) }

// after schedules f, which takes the hub's lock by itself.
func (h *Hub) after(d time.Duration, f func()) {
	if h.opts.After != nil {
		h.opts.After(max(d, 0), f)
		return
	}
	// Never at once: in a synctest bubble such timers run in the caller, and two at a time crash the race detector
	// (golang/go#78156).
	time.AfterFunc(max(d, 1), f)
}

// afterLocked schedules f to run with the hub's lock held.
func (h *Hub) afterLocked(d time.Duration, f func()) {
	h.after(d, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		f()
	})
}

func (h *Hub) delay() time.Duration {
	if h.opts.Delay == nil {
		return 0
	}
	return max(h.opts.Delay(), 0)
}

func (h *Hub) fault(c Crossing) Fault {
	if h.opts.Fault == nil {
		return Fault{}
	}
	return h.opts.Fault(c)
}

// nodeLocked is the node that is attached under the ID and was not killed, or nil.
func (h *Hub) nodeLocked(id string) *memoryRelay {
	for _, n := range h.nodes {
		if n.self.ID == id && !n.dead {
			return n
		}
	}
	return nil
}

// waitLocked waits, without the lock, until something changes or ctx ends.
func (h *Hub) waitLocked(ctx context.Context) error {
	h.waiting++
	changed := h.changed
	h.mu.Unlock()
	var err error
	select {
	case <-changed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	h.mu.Lock()
	h.waiting--
	return err
}

func (h *Hub) notifyLocked() {
	if h.waiting > 0 {
		close(h.changed)
		h.changed = make(chan struct{})
	}
}
