package relay

import (
	"context"
	"fmt"
)

// One pipeline carries at most so much.
const (
	hubPipelinePackets = 1024
	hubPipelineBytes   = 1 << 20
)

// A memoryOutbox is what a node has handed over. One pipeline is in flight at a time, so order holds.
type memoryOutbox struct {
	node   *memoryRelay
	queue  []*memoryPacket
	flight *memoryFlight
	down   bool // the node has noticed that it is cut off

	packets, bytes int // in the queue and in flight

	due       []Result // to be told
	spare     []Result
	scheduled bool
	telling   bool
}

// A memoryPacket is a packet in the outbox.
type memoryPacket struct {
	Packet
	queued bool
	fate   error // what the publisher will hear without Redis having heard of it
}

// A memoryFlight is one pipeline on its way to Redis, and back.
type memoryFlight struct {
	packets []*memoryPacket
	results []Result // nil before Redis has run it
	told    bool     // its packets have their results; Redis may still run it
	void    bool     // Redis will not run it
	parked  bool     // it waits for the link, or for the process
}

// Publish hands a packet over.
func (n *memoryRelay) Publish(ctx context.Context, p Packet) error {
	h, o := n.hub, &n.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := n.usableLocked(opPublish); err != nil {
		return err
	}
	for !o.roomLocked(len(p.Payload)) {
		if !p.Wait || !h.blocking {
			return fmt.Errorf("publish: %w", ErrFull)
		}
		if err := n.waitLocked(ctx, opPublish); err != nil {
			return err
		}
	}
	p.Payload = append([]byte(nil), p.Payload...)
	o.addLocked(&memoryPacket{Packet: p, queued: true})
	o.flushLocked()
	return nil
}

// roomLocked says whether there is room. A packet larger than the whole outbox fits an empty one.
func (o *memoryOutbox) roomLocked(size int) bool {
	opts := &o.node.hub.opts
	packets := opts.OutboxPackets < 0 || o.packets < opts.OutboxPackets
	bytes := opts.OutboxBytes < 0 || o.bytes+size <= opts.OutboxBytes
	return o.packets == 0 || packets && bytes
}

func (o *memoryOutbox) addLocked(p *memoryPacket) {
	o.packets++
	o.bytes += len(p.Payload)
	if p.Patience > 0 || !o.linkLocked() {
		o.patienceLocked(p)
	}
	if p.queued {
		o.queue = append(o.queue, p)
	}
}

// linkLocked says whether the node believes that it has a connection. Cut off, it does not hear that Redis is away.
func (o *memoryOutbox) linkLocked() bool { return !o.down && (o.node.cut || o.node.hub.aways == 0) }

// patienceLocked lets a packet wait as long as its patience lasts.
func (o *memoryOutbox) patienceLocked(p *memoryPacket) {
	if p.Patience <= 0 {
		o.dropLocked(p)
		return
	}
	o.node.hub.afterLocked(p.Patience, func() {
		if p.queued {
			o.dropLocked(p)
			o.pruneLocked()
		}
	})
}

// pruneLocked shortens the queue by what was given up at its head.
func (o *memoryOutbox) pruneLocked() {
	for len(o.queue) > 0 && !o.queue[0].queued {
		o.queue[0] = nil
		o.queue = o.queue[1:]
	}
}

// dropLocked gives up a queued packet. It leaves the queue itself when its turn comes.
func (o *memoryOutbox) dropLocked(p *memoryPacket) {
	p.queued = false
	o.settleLocked(p, Result{Token: p.Token, Err: fmt.Errorf("%w: no connection", ErrNotSent)})
}

// settleLocked ends a packet: its room is free, its result due.
func (o *memoryOutbox) settleLocked(p *memoryPacket, r Result) {
	o.packets--
	o.bytes -= len(p.Payload)
	o.node.hub.notifyLocked()
	if p.Token != 0 {
		o.due = append(o.due, r)
		o.tellSoonLocked()
	}
}

// fallLocked is the loss of the connection: what was written is in doubt, what was not waits.
func (o *memoryOutbox) fallLocked() {
	o.voidLocked()
	if f := o.flight; f != nil {
		o.doubtLocked(f, fmt.Errorf("%w: connection lost", ErrLost))
	}
	for _, p := range o.queue {
		if p.queued && p.Patience <= 0 {
			o.dropLocked(p)
		}
	}
}

// voidLocked has Redis never run what is in flight.
func (o *memoryOutbox) voidLocked() {
	if o.flight != nil {
		o.flight.void = true
	}
}

// doubtLocked ends a pipeline whose counts will not come.
func (o *memoryOutbox) doubtLocked(f *memoryFlight, err error) {
	o.flight = nil
	f.told = true
	for _, p := range f.packets {
		o.settleLocked(p, Result{Token: p.Token, Err: err})
	}
}

// endLocked is the end of the relay: everything handed over gets its result. What was written may still be published.
func (o *memoryOutbox) endLocked() {
	if f := o.flight; f != nil {
		o.doubtLocked(f, fmt.Errorf("%w: %w", ErrLost, ErrClosed))
	}
	for _, p := range o.queue {
		if p.queued {
			p.queued = false
			o.settleLocked(p, Result{Token: p.Token, Err: fmt.Errorf("%w: %w", ErrNotSent, ErrClosed)})
		}
	}
	o.queue = nil
	if len(o.due) > 0 {
		o.tellSoonLocked()
	}
}

// tellSoonLocked has the results told from another stack than the caller's, who may hold locks.
func (o *memoryOutbox) tellSoonLocked() {
	if !o.scheduled {
		o.scheduled = true
		o.node.hub.after(0, o.tell)
	}
}

// tell tells the receiver the results that are due. One call at a time works; another leaves its work to that one.
func (o *memoryOutbox) tell() {
	n, mu := o.node, &o.node.hub.mu
	mu.Lock()
	o.scheduled = false
	if o.telling {
		mu.Unlock()
		return
	}
	o.telling = true
	n.calls++
	for len(o.due) > 0 && (n.closed || !n.dead && !n.stopped) {
		results := o.due
		o.due = o.spare[:0]
		mu.Unlock()
		n.recv.Published(results)
		clear(results) // so that a receiver that keeps them is found out
		mu.Lock()
		o.spare = results
	}
	o.telling = false
	n.calls--
	n.hub.notifyLocked()
	mu.Unlock()
}
