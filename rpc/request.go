package rpc

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A Request is one call, as handlers and the interceptors of either side see it.
type Request struct {
	Method string
	Body   bus.Body
	// Headers travel with the call; nil: none. At the caller's side an interceptor may set them, at the server's they
	// must not be changed.
	Headers map[string]string
	// Incoming says that this is the server's side.
	Incoming bool
	// Stream says that the answer is a stream: the invoker ends with it, and its body says nothing.
	Stream bool
	// Each says that every instance is called; only the caller's side has it.
	Each bool
	// Idempotent says that the method may be run twice for the call.
	Idempotent bool
	// ID is the message's, From the caller's node. Only the server's side has them.
	ID   uuid.UUID
	From uuid.UUID

	known   bool         // the method, at the caller's side
	options *callOptions // of the caller; nil: none
	intake  *intake      // of the items of a stream, at the caller's side
	tell    func(bus.Delivery)
}

// An Invoker carries out a call, or passes it on: a handler that is not typed, and what an interceptor wraps.
type Invoker func(ctx context.Context, r *Request) (bus.Body, error)

// An Interceptor wraps an invoker. The same shape serves both sides: at the caller's the innermost invoker chooses an instance and
// calls it, at the server's it is the handler.
type Interceptor func(next Invoker) Invoker

// intercepted wraps an invoker; the first interceptor is the outermost.
func intercepted(innermost Invoker, by []Interceptor) Invoker {
	for _, wrap := range slices.Backward(by) {
		innermost = wrap(innermost)
	}
	return innermost
}

// RequestFrom is the call that a handler with this context, or one that descends from it, works at; nil outside of one.
func RequestFrom(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

type requestKey struct{}
