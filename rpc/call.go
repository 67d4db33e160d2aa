package rpc

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ackbus/ackbus/bus"
)

// Call calls a method and returns its result. ctx bounds the call, and the handler's context with it; without a deadline it is
// ClientOptions.Timeout. req and the result may be of type bus.Body, which is passed on as it is.
func Call[Res, Req any](ctx context.Context, c *Client, name string, req Req, opts ...CallOption) (Res, error) {
	var result Res
	reply, err := c.Call(ctx, name, encode(req, bus.FormatMsgpack), opts...)
	if err != nil {
		return result, err
	}
	err = readResult(name, reply, &result)
	return result, err
}

// readResult decodes what a method answered.
func readResult(name string, reply bus.Body, result any) error {
	if err := decode(reply, result); err != nil {
		return &Error{Code: CodeInternal, Message: fmt.Sprintf("the result of %s does not fit into %T: %v", name, result, err), Cause: err}
	}
	return nil
}

// Call calls a method with a body that is encoded already, and returns the reply as it came. See the function Call.
func (c *Client) Call(ctx context.Context, name string, body bus.Body, opts ...CallOption) (bus.Body, error) {
	r := Request{Method: name, Body: body}
	if len(opts) > 0 {
		r.take(opts)
	}
	if c.invoke == nil {
		return c.call(ctx, &r)
	}
	return c.invoked(ctx, new(r))
}

// take applies options to a call.
func (r *Request) take(opts []CallOption) {
	o := new(callOptions)
	for _, opt := range opts {
		opt.applyCall(o)
	}
	if o.receipt != nil {
		*o.receipt = nil // nothing has been sent
	}
	r.options, r.Headers, r.Idempotent = o, o.headers, o.idempotent
}

// invoked passes the call through the interceptors, which see whether the method is declared idempotent.
func (c *Client) invoked(ctx context.Context, r *Request) (bus.Body, error) {
	if c.invoke == nil {
		return c.carryOut(ctx, r)
	}
	ctx, cancel := c.bounded(ctx) // here, since an interceptor may make the call again
	defer cancel()
	if t := c.current(); t != nil && t.methods[r.Method] != nil {
		r.found(t.methods[r.Method])
	}
	return c.invoke(ctx, r)
}

// found tells the interceptors that are around the call what is known of the method.
func (r *Request) found(way *route) {
	r.known, r.Idempotent = true, r.Idempotent || way.idempotent
}

// carryOut is the innermost invoker.
func (c *Client) carryOut(ctx context.Context, r *Request) (bus.Body, error) {
	if r.Each {
		return bus.Body{}, c.callAll(ctx, r)
	}
	return c.call(ctx, r)
}

// call makes attempts until an instance has answered, or none is left.
func (c *Client) call(ctx context.Context, r *Request) (bus.Body, error) {
	route := c.atHand(r)
	if route == nil || c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = c.bounded(ctx)
		defer cancel()
	}
	if route == nil {
		var err error
		if route, err = c.find(ctx, r.Method, r.options.isCertain()); err != nil {
			return bus.Body{}, err
		}
	}
	r.found(route)
	if route.streaming != (r.intake != nil) {
		return bus.Body{}, errStreaming(r.Method, route.streaming)
	}
	a := attempts{client: c, request: *r, options: r.options, route: route}
	if a.options == nil {
		a.options = &c.noOptions
	}
	return a.run(ctx)
}

// bounded is the context of a call, which ends at its deadline if it has one, or else at the client's.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, cmp.Or(c.timeout, c.bus.Timeout()))
}

// errStreaming is also read by people who call over HTTP or a socket, where no stream can be had.
func errStreaming(name string, streaming bool) *Error {
	message := "method " + name + " answers with one result, and was called for a stream"
	if streaming {
		message = "method " + name + " answers with a stream, and was called for one result"
	}
	return &Error{Code: CodeBadRequest, Message: message, Details: map[string]bool{"streaming": streaming}, notRun: true}
}

// atHand is the way to a method without waiting; nil where it may have to be waited for.
func (c *Client) atHand(r *Request) *route {
	t := c.current()
	if t == nil || r.options.isCertain() && !c.whole.Load() {
		return nil
	}
	return t.methods[r.Method]
}

// find is the way to a method. A method that is not known is waited for as long as it may yet become known.
// A call that asks for a certain instance, or for all of them, waits, once, until all are known.
func (c *Client) find(ctx context.Context, name string, certain bool) (*route, error) {
	if err := checkMethod(name); err != nil {
		return nil, &Error{Code: CodeBadRequest, Message: err.Error(), notRun: true}
	}
	if certain && !c.whole.Load() {
		c.await(ctx, "")
		c.whole.Store(ctx.Err() == nil)
	}
	t, whole := c.await(ctx, name)
	switch {
	case t != nil && t.methods[name] != nil:
		return t.methods[name], nil
	case ctx.Err() != nil:
		return nil, contextError(ctx, true)
	case !whole:
		return nil, &Error{Code: CodeUnavailable, Message: "nobody is known to serve " + clip(name) + ", but not every node has told",
			Cause: c.bus.Ready(), notRun: true}
	}
	return nil, unknownMethod(name, t.names())
}

// unknownMethod says what may have been meant.
func unknownMethod(name string, names []string) *Error {
	e := &Error{Code: CodeUnknownMethod, Message: "nobody serves " + clip(name), notRun: true}
	if meant := near(name, names); len(meant) > 0 {
		e.Details = map[string][]string{"near": meant}
		e.Message += "; near are"
		for i, other := range meant {
			if i > 0 {
				e.Message += ","
			}
			e.Message += " " + other
		}
	}
	return e
}
