package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"

	"github.com/ackbus/ackbus/bus"
)

// outflow is the instance's end of a stream. What is added while a batch is under way is the next batch: no timer, and no added latency
// for a slow writer.
type outflow struct {
	bus  *bus.Bus
	to   bus.Address
	work chan struct{} // one slot: there is something to send
	room chan struct{} // one slot: there is room again
	done chan struct{} // closed when nothing is sent any more

	mu     sync.Mutex
	buf    []byte
	items  int    // in buf
	total  uint64 // added so far
	closed bool
	err    error
}

// errReaderLeft is the cause of a handler's context that ended because its reader left.
var errReaderLeft = &Error{Code: CodeCancelled, Message: "the reader of the stream has left"}

// errServerEnds is the cause of a handler's context that ended because its server was closed.
var errServerEnds = &Error{Code: CodeDraining, Message: "the server is closed"}

// streamOut has produce add the items of a stream, and answers the call when all have arrived.
func streamOut(ctx context.Context, s *Server, r *Request, produce func(context.Context, func(bus.Body) error) error) (bus.Body, error) {
	id := r.Headers[itemsHeader]
	if id == "" || len(id) > 32 || strings.ContainsFunc(id, func(c rune) bool { return c < '0' || c > '9' && c < 'a' || c > 'z' }) {
		return bus.Body{}, errStreaming(r.Method, true)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	release := s.watch.over(r.From, cancel)
	defer release()
	closed := context.AfterFunc(s.group.Context(), func() { cancel(errServerEnds) })
	defer closed()
	o := &outflow{bus: s.bus, to: bus.MethodAt(itemsPrefix+id, r.From), work: make(chan struct{}, 1), room: make(chan struct{}, 1),
		done: make(chan struct{})}
	if !s.group.Go(func() { o.send(ctx, cancel) }) {
		return bus.Body{}, errServerEnds
	}
	defer o.close()
	err := produce(ctx, func(item bus.Body) error { return o.add(ctx, item) })
	o.close()
	<-o.done
	if err == nil {
		err = o.err
	}
	return encode(streamEnd{o.total}, r.Body.Format()), err
}

// add takes an item, and waits while there is no room for it.
func (o *outflow) add(ctx context.Context, item bus.Body) error {
	if item.Err() != nil {
		return item.Err()
	}
	for {
		o.mu.Lock()
		full := o.items >= batchItems || o.items > 0 && len(o.buf)+len(item.Raw()) > batchBytes
		err := o.err
		if err == nil && !full {
			o.appendLocked(item)
		}
		o.mu.Unlock()
		if err != nil || !full {
			signal(o.work)
			return err
		}
		select {
		case <-o.room:
		case <-o.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (o *outflow) appendLocked(item bus.Body) {
	if o.items == 0 {
		o.buf = binary.AppendUvarint(o.buf[:0], o.total)
	}
	o.buf = appendItem(o.buf, item)
	o.items++
	o.total++
}

func signal(slot chan struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

// close says that nothing is added any more.
func (o *outflow) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	signal(o.work)
}

// take takes what has been collected.
func (o *outflow) take() (batch []byte, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.items == 0 {
		return nil, o.closed
	}
	batch = o.buf
	o.buf, o.items = make([]byte, 0, min(2*len(batch), batchBytes+batchBytes/8)), 0
	return batch, false
}

// send pushes batches, one after another, until the stream is closed or the reader is gone.
func (o *outflow) send(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(o.done)
	for {
		batch, closed := o.take()
		if closed {
			return
		}
		if batch == nil {
			select {
			case <-o.work:
				continue
			case <-ctx.Done():
				o.fail(context.Cause(ctx))
				return
			}
		}
		signal(o.room)
		if err := o.push(ctx, batch); err != nil {
			o.fail(err)
			cancel(err)
			return
		}
	}
}

func (o *outflow) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

// push sends a batch, and returns when the reader has come to it. Nobody counted there may be nobody yet: after a restart
// of Redis, say.
func (o *outflow) push(ctx context.Context, batch []byte) error {
	receipt, err := o.bus.Request(ctx, o.to, itemsEvent, bus.Bytes(batch), bus.TrustCount())
	if errors.Is(err, bus.ErrNoReceiver) {
		receipt, err = o.bus.Request(ctx, o.to, itemsEvent, bus.Bytes(batch))
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case receipt == nil:
		return unsent(ctx, err)
	case errors.Is(err, bus.ErrNoReceiver):
		return errReaderLeft
	}
	if d := deciding(receipt); d.Error != nil && d.Error.Code == codeStopped {
		return errReaderLeft
	}
	return &Error{Code: CodeUnavailable, Message: "the stream broke", Cause: err}
}
