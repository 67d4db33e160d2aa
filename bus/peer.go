package bus

import (
	"bytes"
	"time"

	"github.com/google/uuid"
)

// The rhythm of asking, and the patience with nodes that do not answer.
const (
	askEvery     = 350 * time.Millisecond // so that a silent node is known within 3 s
	askBytes     = 512 << 10              // reports heard since the last ask that make the next one due
	askAgain     = 50 * time.Millisecond
	silentAfter  = 2500 * time.Millisecond
	heardWithin  = time.Second
	calmAfterGap = 3 * time.Second
	forgetPeer   = 10 * time.Minute
	heldBytes    = 16 << 20 // batches that wait for a missing one
)

// peer is a node as a publisher knows it that has requests there: how far its reports were heard, and whether it answers.
type peer struct {
	id      uuid.UUID
	text    string // the ID as text
	name    string
	channel string // on which the node hears asks and cancels

	number  uint64        // in the tokens of asks
	open    int           // deliveries awaited from it
	heard   time.Duration // when anything last came from it
	asked   time.Duration // when it was last asked
	waiting time.Duration // since when an ask is unanswered; 0: none is
	unasked int           // bytes of reports since the last ask

	epoch uint64 // of the node's batches to this publisher
	next  uint64 // the batch that comes next
	held  map[uint64]batch
	bytes int // held
}

// batch is one numbered batch of a node's reports.
type batch struct {
	epoch   uint64
	number  uint64
	base    time.Duration // when it was begun, by this node's clock
	entries []byte
}

// take takes a batch. It reports whether the batch is the one that comes next; hole says that one before it is missing.
func (p *peer) take(b batch) (next, hole bool) {
	if b.epoch < p.epoch {
		return false, false // from before the node began anew
	}
	if b.epoch > p.epoch {
		p.epoch, p.next, p.held, p.bytes = b.epoch, 1, nil, 0
	}
	switch {
	case b.number < p.next:
		return false, false
	case b.number > p.next:
		p.hold(b)
		return false, true
	}
	p.next++
	return true, false
}

// hold keeps a batch that came before its time. What does not fit is asked for again.
func (p *peer) hold(b batch) {
	if _, known := p.held[b.number]; known || p.bytes+len(b.entries) > heldBytes {
		return
	}
	if p.held == nil {
		p.held = make(map[uint64]batch)
	}
	b.entries = bytes.Clone(b.entries)
	p.held[b.number] = b
	p.bytes += len(b.entries)
}

// unhold returns the held batch that comes next, if it is there.
func (p *peer) unhold() (batch, bool) {
	b, ok := p.held[p.next]
	if ok {
		delete(p.held, p.next)
		p.bytes -= len(b.entries)
		p.next++
	}
	return b, ok
}

// skip passes over batches that the node no longer has. It returns the first of them, 0 if there are none.
func (p *peer) skip(epoch, lowest uint64) (missed uint64) {
	if epoch < p.epoch {
		return 0
	}
	if epoch > p.epoch {
		p.epoch, p.next, p.held, p.bytes = epoch, 1, nil, 0
	}
	if lowest <= p.next {
		return 0
	}
	for number, b := range p.held {
		if number < lowest {
			delete(p.held, number)
			p.bytes -= len(b.entries)
		}
	}
	missed, p.next = p.next, lowest
	return missed
}

// delivery begins the delivery of an endpoint at this node.
func (p *peer) delivery(e *endpointEntry) Delivery {
	d := Delivery{Node: p.name, NodeID: p.id, User: string(e.user), Carrier: carriers[e.carrier]}
	if len(e.socket) > 0 {
		d.Socket = p.text + "." + string(e.socket)
	}
	return d
}
