package gateway

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ackbus/ackbus/internal/pieces"
)

// maxHello is how many bytes a frame may have before the client is known.
const maxHello = 64 << 10

// Errors of a frame that is not taken to its end. The carrier that returned one keeps nothing of what follows.
var (
	errTooLarge = errors.New("frame too large")
	errCrowded  = errors.New("too much is being received by this node; try again later")
)

// An inbox holds the frame that a session is receiving, where it did not come at once. It is the reader's own, but for its atomics.
type inbox struct {
	budget *budget // of all inboxes of the node
	desks  desks   // of the node
	buffer *[]byte // borrowed for the beginning
	rest   pieces.Collection
	desk   []byte       // borrowed for the whole where there is a rest; nil: none
	held   atomic.Int64 // what of the budget is held for rest
	since  atomic.Int64 // the gateway's tick when the reader began to wait for the rest of a frame; 0: it does not
	stale  bool         // since is set
}

// begin makes room for a frame that does not fit into the reader's buffer.
func (in *inbox) begin() {
	if in.buffer == nil {
		in.buffer = borrowBuffer()
	}
}

// begun reports whether there is a frame.
func (in *inbox) begun() bool { return in.buffer != nil }

// size is how many bytes of the frame there are.
func (in *inbox) size() int { return len(*in.buffer) + in.rest.Len() }

// room is where the next bytes go, at least one; added counts in what came. There is none where all sessions together receive too much.
func (in *inbox) room() ([]byte, error) {
	if p := *in.buffer; len(p) < cap(p) {
		return p[len(p):cap(p)], nil
	}
	if in.rest.Full() {
		if !in.budget.admit(pieces.Size) {
			return nil, errCrowded
		}
		in.held.Add(pieces.Size)
	}
	return in.rest.Room(), nil
}

func (in *inbox) added(n int) {
	if p := *in.buffer; len(p) < cap(p) {
		*in.buffer = p[:len(p)+n]
		return
	}
	in.rest.Added(n)
}

// add copies bytes in, and counts them against the limit, to which the end of the line does not count.
func (in *inbox) add(p []byte, limit, end int) error {
	if in.size()+len(p) > limit+end {
		return tooLarge(limit)
	}
	for len(p) > 0 {
		room, err := in.room()
		if err != nil {
			return err
		}
		n := copy(room, p)
		in.added(n)
		p = p[n:]
	}
	return nil
}

// whole is the frame in one piece. It is valid, and counts against the budget, until clear, which must come as soon as it is decoded.
func (in *inbox) whole() []byte {
	if in.rest.Len() == 0 {
		return *in.buffer
	}
	in.desk = append(in.desks.borrow(in.size()), *in.buffer...)
	in.desk = in.rest.MoveTo(in.desk)
	return in.desk
}

// await notes that the reader blocks in the midst of a frame.
func (in *inbox) await(tick int64) {
	if !in.stale {
		in.stale = true
		in.since.Store(max(tick, 1))
	}
}

// clear lets go of the frame.
func (in *inbox) clear() {
	if in.stale {
		in.stale = false
		in.since.Store(0)
	}
	if in.buffer == nil {
		return
	}
	giveBuffer(in.buffer)
	in.buffer = nil
	if in.desk != nil {
		in.desks.give(in.desk)
		in.desk = nil
	}
	if held := in.held.Load(); held > 0 {
		in.rest.Drop()
		in.held.Store(0)
		in.budget.give(int(held))
	}
}

func tooLarge(limit int) error {
	return fmt.Errorf("%w: at most %d bytes are allowed", errTooLarge, limit)
}
