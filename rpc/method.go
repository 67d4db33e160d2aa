package rpc

import (
	"context"
	"iter"
	"reflect"
	"sync"

	"github.com/ackbus/ackbus/bus"
)

// method is one method that a server serves.
type method struct {
	server      *Server
	description description
	concurrency int
	queue       int
	handler     Invoker
	invoke      Invoker // the handler within the server's interceptors

	counters counters
	slots    *slots

	mu   sync.Mutex
	held []*bus.Subscription // none: it is not served
}

// Handle serves a method: fn is called for each call that this instance gets, several at a time (Concurrency), with a
// context that ends with the caller's. What fn returns as an error becomes what the caller reads: see Error. A body that
// does not fit into a Req is refused as CodeBadRequest, naming the field. A bad or double name, and a nil fn, surface from Start.
func Handle[Req, Res any](s *Server, name string, fn func(context.Context, Req) (Res, error), opts ...MethodOption) {
	handler := func(ctx context.Context, r *Request) (bus.Body, error) {
		if r.Headers[itemsHeader] != "" {
			return bus.Body{}, errStreaming(name, false)
		}
		var argument Req
		if err := decode(r.Body, &argument); err != nil {
			return bus.Body{}, badArgument(r.Body, new(Req), err)
		}
		result, err := fn(ctx, argument)
		if err != nil {
			return bus.Body{}, err
		}
		return encode(result, r.Body.Format()), nil
	}
	if fn == nil {
		handler = nil
	}
	s.register(typed[Req, Res](name, false), handler, opts)
}

// HandleStream serves a method that answers with a stream: what the sequence yields goes to the caller in order, and an error ends it.
// The sequence is stopped when the caller stops, gives up or dies, and when time is over (bus.MaxTimeout at most). Yielding waits
// while the caller is slow. See Handle otherwise.
func HandleStream[Req, Res any](s *Server, name string, fn func(context.Context, Req) iter.Seq2[Res, error], opts ...MethodOption) {
	handler := func(ctx context.Context, r *Request) (bus.Body, error) {
		var argument Req
		if err := decode(r.Body, &argument); err != nil {
			return bus.Body{}, badArgument(r.Body, new(Req), err)
		}
		return streamOut(ctx, s, r, func(ctx context.Context, add func(bus.Body) error) error {
			for item, err := range fn(ctx, argument) {
				if err == nil {
					err = add(encode(item, r.Body.Format()))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if fn == nil {
		handler = nil
	}
	s.register(typed[Req, Res](name, true), handler, opts)
}

// HandleFunc serves a method whose argument and result are not Go types: fn gets the body as it came, and answers in any format. See
// Handle otherwise.
func (s *Server) HandleFunc(name string, fn Invoker, opts ...MethodOption) {
	handler := func(ctx context.Context, r *Request) (bus.Body, error) {
		if r.Headers[itemsHeader] != "" {
			return bus.Body{}, errStreaming(name, false)
		}
		return fn(ctx, r)
	}
	if fn == nil {
		handler = nil
	}
	s.register(description{Name: name}, handler, opts)
}

func typed[Req, Res any](name string, streaming bool) description {
	return description{Name: name, Streaming: streaming, Request: schemaOf(reflect.TypeFor[Req]()),
		Reply: schemaOf(reflect.TypeFor[Res]())}
}
