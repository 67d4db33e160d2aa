package rpc

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// A Reply is what one instance answered to a call of all.
type Reply[Res any] struct {
	Value   Res
	Node    string    // the node's name; empty where nobody knows which node it was
	NodeID  uuid.UUID // uuid.Nil where it is not known
	Elapsed time.Duration
}

// CallEach calls every instance of a method, and yields the answers as they come. Of an instance that failed it yields the
// error, with its name in the Reply, and goes on. Where nobody was called the one pair has an error. Leaving the loop
// cancels what still runs. ctx bounds it all.
func CallEach[Res, Req any](ctx context.Context, c *Client, name string, req Req, opts ...CallOption) iter.Seq2[Reply[Res], error] {
	return func(yield func(Reply[Res], error) bool) {
		for reply, err := range c.CallEach(ctx, name, encode(req, bus.FormatMsgpack), opts...) {
			typed := Reply[Res]{Node: reply.Node, NodeID: reply.NodeID, Elapsed: reply.Elapsed}
			if err == nil {
				err = readResult(name, reply.Value, &typed.Value)
			}
			if !yield(typed, err) {
				return
			}
		}
	}
}

// CallEach is the function CallEach with a body that is encoded already.
func (c *Client) CallEach(ctx context.Context, name string, body bus.Body, opts ...CallOption) iter.Seq2[Reply[bus.Body], error] {
	return func(yield func(Reply[bus.Body], error) bool) {
		e := each{answers: make(chan bus.Delivery), left: make(chan struct{})}
		ctx, cancel := c.bounded(ctx)
		defer cancel()
		r := Request{Method: name, Body: body, tell: e.tell}
		r.take(opts)
		r.Each = true
		// The loop's body runs here and the request there: it has to end in its own time even where the body panics.
		if !c.group.Go(func() { e.run(ctx, c, r) }) {
			yield(Reply[bus.Body]{}, errClientClosed())
			return
		}
		defer func() {
			close(e.left)
			cancel()
			for range e.answers { // closed when the request is over
			}
		}()
		for d := range e.answers {
			if !yield(replyOf(ctx, &d)) {
				return
			}
		}
		if e.failed != nil && e.told == 0 {
			yield(Reply[bus.Body]{}, e.failed)
		}
	}
}

// each is a call of every instance. What is not a channel may be read once answers is closed.
type each struct {
	answers chan bus.Delivery
	left    chan struct{}
	told    int
	failed  error
}

func (e *each) run(ctx context.Context, c *Client, r Request) {
	defer close(e.answers)
	_, e.failed = c.invoked(ctx, &r)
}

// tell hands an answer to the loop, if it has not been left.
func (e *each) tell(d bus.Delivery) {
	e.told++
	select {
	case e.answers <- d:
	case <-e.left:
	}
}

// callAll is the innermost invoker of a call of every instance.
func (c *Client) callAll(ctx context.Context, r *Request) error {
	route, err := c.find(ctx, r.Method, r.options)
	if err != nil {
		return err
	}
	if route.streaming {
		return errStreaming(r.Method, true)
	}
	opts := []bus.RequestOption{bus.Require(bus.All()), bus.WithDetail(bus.DetailAll), bus.OnDelivery(r.tell)}
	for key, value := range r.Headers {
		opts = append(opts, bus.WithHeader(key, value))
	}
	receipt, err := c.bus.Request(ctx, bus.Method(r.Method), r.Method, r.Body, opts...)
	if r.options.receipt != nil {
		*r.options.receipt = receipt
	}
	if err == nil {
		return nil
	}
	if receipt != nil && receipt.Outcome == bus.OutcomeNoReceiver {
		return &Error{Code: CodeUnavailable, Message: "no instance of " + r.Method + " can be reached", Cause: err, notRun: true}
	}
	_, err = judge(ctx, "", receipt, err)
	return err
}

// replyOf is what one instance answered.
func replyOf(ctx context.Context, d *bus.Delivery) (Reply[bus.Body], error) {
	reply := Reply[bus.Body]{Value: d.Reply, Node: d.Node, NodeID: d.NodeID, Elapsed: d.Settled}
	switch {
	case d.Outcome == bus.OutcomeConfirmed:
		return reply, nil
	case d.Outcome == bus.OutcomeRejected:
		reply.Value = bus.Body{}
		return reply, remoteError(d)
	case errors.Is(ctx.Err(), context.Canceled):
		return reply, &Error{Code: CodeCancelled, Message: "given up while node " + d.Node + " had it", Cause: context.Cause(ctx)}
	}
	_, err := silence(d, d.Outcome, d.Outcome.Err())
	return reply, err
}

func errClientClosed() *Error {
	return &Error{Code: CodeUnavailable, Message: "the client is closed", notRun: true}
}
