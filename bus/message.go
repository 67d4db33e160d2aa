package bus

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// A Handler takes a message. The returned Body confirms it, an error rejects it (see Reject); for a message that was only
// published both are dropped. A Body that comes with an error goes along with the refusal. ctx ends at the message's deadline,
// when the publisher gives up (ErrGivenUp), and when the bus is closed.
type Handler func(ctx context.Context, m *Message) (Body, error)

// A Message is one message as an endpoint receives it. It is shared by all endpoints of a node and must not be changed.
type Message struct {
	ID    uuid.UUID
	To    Address
	Event string
	Body  Body
	// From is the ID of the node that sent the message.
	From uuid.UUID
	// Headers are what the sender attached, or nil.
	Headers map[string]string
	// Ack says that an acknowledgement is awaited.
	Ack bool
	// Volatile says that the message is not worth queueing: an endpoint that is not ready drops it.
	Volatile bool
	// Redelivered says that the message may have been seen before, perhaps at another endpoint.
	Redelivered bool
	// Deadline is when the message loses its worth, by this node's monotonic clock. Zero: never.
	Deadline time.Time

	encoded *[4][]byte
}

// Encoded returns what encode made of the message in the slot, 0 to 3, calling it once a slot: a fan-out encodes
// once a carrier. It may be called from Endpoint.Deliver alone, which is never called for one message from two goroutines at a time.
func (m *Message) Encoded(slot int, encode func(*Message) []byte) []byte {
	if m.encoded == nil {
		m.encoded = new([4][]byte)
	}
	if m.encoded[slot] == nil {
		m.encoded[slot] = encode(m)
	}
	return m.encoded[slot]
}
