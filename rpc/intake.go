package rpc

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// intake is the caller's end of a stream: an endpoint that takes batches, and confirms each when the reader comes to it.
// The sender has one on its way, so what waits here is one batch.
type intake struct {
	news chan struct{} // one slot: something waits, or the call is over
	over chan struct{} // closed when the call is over

	mu      sync.Mutex
	from    uuid.UUID // the node whose items these are: the first that sent some
	waiting []arrival
	stopped bool

	came  uint64 // items; belongs to the reader
	reply bus.Body
	err   error
}

// arrival is a batch that nobody has taken.
type arrival struct {
	payload []byte
	ticket  bus.Ticket
}

// maxWaiting is how many batches wait for the reader.
const maxWaiting = 2

func newIntake() *intake {
	return &intake{news: make(chan struct{}, 1), over: make(chan struct{})}
}

// Deliver takes a batch.
func (in *intake) Deliver(m *bus.Message, t bus.Ticket) {
	in.mu.Lock()
	if in.from == uuid.Nil {
		in.from = m.From
	}
	stopped, full := in.stopped || in.from != m.From, len(in.waiting) >= maxWaiting
	if !stopped && !full {
		in.waiting = append(in.waiting, arrival{m.Body.Raw(), t})
	}
	in.mu.Unlock()
	switch {
	case stopped:
		t.Reject(codeStopped, "the reader has left")
	case full:
		t.Reject(string(CodeOverloaded), fmt.Sprintf("%d batches wait for the reader", maxWaiting))
	default:
		in.wake()
	}
}

// Forget is nothing to a stream: a sender that waits no longer ends the call as well.
func (in *intake) Forget(uuid.UUID) {}

func (in *intake) wake() {
	select {
	case in.news <- struct{}{}:
	default:
	}
}

// hasBegun reports whether items have come.
func (in *intake) hasBegun() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.from != uuid.Nil
}

// end takes the answer to the call.
func (in *intake) end(reply bus.Body, err error) {
	in.reply, in.err = reply, err
	close(in.over)
	in.wake()
}

// next waits for a batch, confirms it and returns its items. None and no error is the end of the stream. ctx is the client's.
func (in *intake) next(ctx context.Context) ([]bus.Body, error) {
	for {
		if batch, ok := in.pop(); ok {
			batch.ticket.Confirm(bus.Body{})
			first, items, err := decodeBatch(batch.payload)
			if err == nil && (first != in.came || len(items) == 0) {
				err = fmt.Errorf("%w: it begins with item %d, want %d", errBatch, first, in.came)
			}
			if err != nil {
				return nil, &Error{Code: CodeInternal, Message: err.Error(), Cause: err}
			}
			in.came += uint64(len(items))
			return items, nil
		}
		select {
		case <-in.over:
			if in.empty() {
				return nil, in.outcome()
			}
		default:
			select {
			case <-in.news:
			case <-ctx.Done():
				return nil, &Error{Code: CodeCancelled, Message: "the client is closed", Cause: context.Cause(ctx)}
			}
		}
	}
}

func (in *intake) outcome() error {
	if in.err != nil {
		return in.err
	}
	return ending(in.reply, in.came)
}

func (in *intake) pop() (arrival, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.waiting) == 0 {
		return arrival{}, false
	}
	next := in.waiting[0]
	in.waiting = append(in.waiting[:0], in.waiting[1:]...)
	return next, true
}

func (in *intake) empty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.waiting) == 0
}

// stop refuses what waits and what comes: the reader has left.
func (in *intake) stop() {
	in.mu.Lock()
	waiting := in.waiting
	in.waiting, in.stopped = nil, true
	in.mu.Unlock()
	for _, batch := range waiting {
		batch.ticket.Reject(codeStopped, "the reader has left")
	}
}
