// Package relay carries payloads between nodes over Redis pub/sub. It is the only code that knows pub/sub.
//
// What can happen to a payload: it arrives once (Redis delivers at most once), or not at all. It is never delivered twice by
// Redis. Payloads to one channel arrive in the order in which they were handed over. A lane that may have missed
// something says so with a LaneEvent. A Result counts the connections that Redis appended a payload to: copies, not nodes,
// and a hint, not a promise.
package relay

import (
	"context"
	"errors"
	"time"
)

// Errors of a Result and of the calls of a Relay.
var (
	// ErrNotSent says that not a byte of the packet was written: nobody can have received it.
	ErrNotSent = errors.New("relay: not sent")
	// ErrLost says that the packet was written, at least in part, and its count never came: it may have been published.
	ErrLost = errors.New("relay: count lost")
	// ErrFull says that the outbox has no room and the packet was not to wait.
	ErrFull = errors.New("relay: outbox full")
	// ErrClosed says that the relay was closed.
	ErrClosed = errors.New("relay: closed")
	// ErrRefused says that Redis answered with an error (no permission, out of memory): nothing was published.
	ErrRefused = errors.New("relay: refused by Redis")
)

// MaxPayload is how many bytes of concatenated envelopes share one PUBLISH; a larger envelope goes alone.
const MaxPayload = 256 << 10

const (
	// closeTime bounds what Close still waits for.
	closeTime = 250 * time.Millisecond
	// closeLull is how long nothing has to be published before Close takes it that everything was answered.
	closeLull = 5 * time.Millisecond
)

// A Relay carries payloads. Its methods may be called from many goroutines.
type Relay interface {
	// Start attaches the node and its receiver and returns once every lane stands. ctx bounds the call.
	// It is called once, before all else.
	Start(ctx context.Context, self Self, r Receiver) error
	// Publish copies the packet into the outbox. With Packet.Wait it blocks while the outbox is full, until ctx ends;
	// otherwise it never blocks and a full outbox is ErrFull. A nil error is a promise that Receiver.Published
	// is called exactly once for the packet if its Token is not zero.
	Publish(ctx context.Context, p Packet) error
	// Subscribe returns once the channel is held: confirmed by Redis on the lane's present connection. ctx bounds the call,
	// and a call that ends in an error holds nothing. Each successful Subscribe is matched by one call of release,
	// after which the channel lingers before it is given up.
	Subscribe(ctx context.Context, ch Channel) (release func(), err error)
	// Alive counts, for each node ID, how many of its lanes Redis holds connections of.
	Alive(ctx context.Context, nodes []string) ([]int, error)
	// Close gives up every channel, so that Redis counts this node no more, goes on handing over what had arrived until Redis
	// has confirmed that, sends what is queued, and drops the connections. Publish works until then, so that the copies that
	// were counted can be answered; nothing else does. All of it takes 250 ms at most, and no time where no connection stands:
	// then packets still queued are reported as ErrNotSent or ErrLost. It is idempotent.
	Close() error
}

// Self is the node that a relay is attached to.
type Self struct {
	ID       string // the node's ID, unique in the cluster
	Observer bool   // a short-lived client: it holds no beacons, so nobody counts on its subscriptions
	// Goodbye is the packet that Close publishes once Redis counts the node no more, so that nobody takes its beacons for
	// another's. Its channel may be empty: then nothing is. Nil: nothing is.
	Goodbye func() Packet
}

// A Channel is a Redis channel, or a glob-style pattern over channels.
type Channel struct {
	Name    string
	Pattern bool
}

// A Packet is one payload on its way to a channel.
type Packet struct {
	Channel string
	Payload []byte // one envelope; copied by Publish, so the caller may use it again
	// Token comes back in the Result. Zero: nobody asks for a result.
	Token uint64
	// Guard publishes in one transaction with a count of the beacons of the lanes that could carry the channel.
	Guard bool
	// Wait lets Publish block for room.
	Wait bool
	// Patience is how long the packet may wait, for a connection or behind others, before anything of it was written; then it
	// is reported as ErrNotSent, also where the process itself stood still. Zero: it waits behind others as long as need
	// be, and is not sent unless a connection stands or is being made right now.
	Patience time.Duration
}

// A Result is what became of a packet.
type Result struct {
	Token uint64
	// Count is the number of connections that Redis appended the payload to.
	Count int
	// Beacon, of a guarded packet, is how many nodes hold all their subscriptions on the lanes that could carry it: the least
	// of the counts of the channel's own lane and of the lane that carries patterns.
	Beacon int
	// Err is nil, or wraps ErrNotSent, ErrLost, ErrRefused or ErrClosed.
	Err error
}

// A Message is one payload as it arrived. Payload is good until Receive returns: what is kept of it has to be copied.
type Message struct {
	Channel string
	Pattern string // the pattern that matched, or empty
	Payload []byte
}

// A LaneEvent says that a lane fell, or that it stands again with every channel confirmed. From the one to the other, and for
// what was published shortly before the fall, there is a gap.
type LaneEvent struct {
	Lane   int
	Up     bool
	Reason error // of a fall
}

// A Receiver takes what a relay brings. Its methods are called from the relay's own goroutines and must not block.
type Receiver interface {
	// Receive takes one payload. Payloads of one channel come in order, from one goroutine at a time.
	Receive(m Message)
	// Published takes the results of packets with a token, many at once. The slice is used again after the call.
	Published(results []Result)
	// Lane takes the falls and rises of lanes; the first rise of each lane, before Start returns, is not reported.
	Lane(e LaneEvent)
}
