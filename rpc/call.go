package rpc

import (
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
	r.options, r.Headers, r.Idempotent = o, o.headers, o.idempotent
}

// invoked passes the call through the interceptors, which see whether the method is declared idempotent.
func (c *Client) invoked(ctx context.Context, r *Request) (bus.Body, error) {
	if c.invoke == nil {
		return c.carryOut(ctx, r)
	}
	if t := c.current(); t != nil && t.methods[r.Method] != nil {
		r.Idempotent = r.Idempotent || t.methods[r.Method].idempotent
	}
	return c.invoke(ctx, r)
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
	route, err := c.find(ctx, r.Method, r.options)
	if err != nil {
		return bus.Body{}, err
	}
	if route.streaming != (r.intake != nil) {
		return bus.Body{}, errStreaming(r.Method, route.streaming)
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = c.bounded(ctx)
		defer cancel()
	}
	a := attempts{client: c, request: *r, options: r.options, route: route}
	if a.options == nil {
		a.options = &c.noOptions
	}
	return a.run(ctx)
}

// bounded is the context of a call, which ends at its deadline if it has one, or else at the client's.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || c.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

func errStreaming(name string, streaming bool) *Error {
	message := "method " + name + " does not answer with a stream"
	if streaming {
		message = "method " + name + " answers with a stream: it takes CallStream"
	}
	return &Error{Code: CodeBadRequest, Message: message, notRun: true}
}

// find is the way to a method. A method that is not known is waited for as long as it may yet become known.
// One that asks for a certain instance waits, once, until all instances are known.
func (c *Client) find(ctx context.Context, name string, o *callOptions) (*route, error) {
	t := c.current()
	if certain := o != nil && (o.sticky || o.node != ""); certain && !c.whole.Load() {
		t, _ = c.await(ctx, "")
		c.whole.Store(ctx.Err() == nil)
	}
	if t != nil && t.methods[name] != nil {
		return t.methods[name], nil
	}
	if err := checkMethod(name); err != nil {
		return nil, &Error{Code: CodeBadRequest, Message: err.Error(), notRun: true}
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
