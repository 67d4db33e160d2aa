package rpc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
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
// error, with its name in the Reply, and goes on; one that is known and was not reached, since its connection to Redis is being
// made again or its process has just died, ends as CodeUnavailable. Where nobody was called the one pair has an error. Leaving
// the loop cancels what still runs. ctx bounds it all; without a deadline it is ClientOptions.Timeout.
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
		e := each{answers: make(chan bus.Delivery), left: make(chan struct{}), closed: c.group.Context().Done()}
		ctx, cancel := c.bounded(ctx)
		defer cancel()
		closed := context.AfterFunc(c.group.Context(), cancel) // also while the loop's body runs
		defer closed()
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
		switch {
		case e.lost:
			yield(Reply[bus.Body]{}, &Error{Code: CodeCancelled, Message: "the client is closed"})
		case e.failed != nil && e.told == 0:
			yield(Reply[bus.Body]{}, e.failed)
		}
	}
}

// each is a call of every instance. What is not a channel may be read once answers is closed.
type each struct {
	answers chan bus.Delivery
	left    chan struct{}
	closed  <-chan struct{} // with the client
	told    int
	lost    bool // there were answers, and the client was closed
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
	case <-e.closed:
		e.lost = true
	}
}

// callAll is the innermost invoker of a call of every instance.
func (c *Client) callAll(ctx context.Context, r *Request) error {
	route, err := c.find(ctx, r.Method, true)
	if err != nil {
		return err
	}
	r.found(route)
	if route.streaming {
		return errStreaming(r.Method, true)
	}
	heard := make(map[uuid.UUID]bool)
	tell := func(d bus.Delivery) {
		heard[d.NodeID] = true
		r.tell(d)
	}
	opts := []bus.RequestOption{bus.Require(bus.All()), bus.WithDetail(bus.DetailAll), bus.OnDelivery(tell)}
	for key, value := range r.Headers {
		opts = append(opts, bus.WithHeader(key, value))
	}
	receipt, err := c.bus.Request(ctx, bus.Method(r.Method), r.Method, r.Body, opts...)
	if r.options.receipt != nil {
		*r.options.receipt = receipt
	}
	switch {
	case receipt == nil:
		return unsent(ctx, err)
	case receipt.Outcome == bus.OutcomeNoReceiver:
		return &Error{Code: CodeUnavailable, Message: "no instance of " + r.Method + " can be reached", Cause: err, notRun: true}
	}
	missed := c.missed(r.Method, heard)
	for _, in := range missed {
		r.tell(bus.Delivery{Node: in.name, NodeID: in.node, Outcome: bus.OutcomeNoReceiver})
	}
	if err != nil {
		_, err = judge(ctx, "", receipt, err)
	} else if len(missed) > 0 {
		err = &Error{Code: CodeUnavailable, Message: fmt.Sprintf("%d instances of %s were not reached", len(missed), r.Method)}
	}
	return err
}

// missed lists the instances that serve the method, as far as is known, and that Redis counted nobody for: it handed no copy of the
// call to them. Where a copy went to somebody who did not say his name, he may be one of them, and has had his answer.
func (c *Client) missed(method string, heard map[uuid.UUID]bool) []*instance {
	t := c.table.Load()
	if heard[uuid.Nil] || t == nil || t.methods[method] == nil {
		return nil
	}
	nodes := c.bus.Nodes()
	return slices.DeleteFunc(slices.Clone(t.methods[method].all), func(in *instance) bool {
		serves := func(n bus.Node) bool { return n.ID == in.node && n.Version == t.versions[n.ID] && !n.Draining }
		return heard[in.node] || !slices.ContainsFunc(nodes, serves)
	})
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
	case d.Outcome == bus.OutcomeNoReceiver:
		return reply, &Error{Code: CodeUnavailable, Message: "node " + d.Node + " was not reached", notRun: true}
	case errors.Is(ctx.Err(), context.Canceled):
		return reply, &Error{Code: CodeCancelled, Message: "given up while node " + d.Node + " had it", Cause: context.Cause(ctx)}
	}
	_, err := silence(d, d.Outcome, d.Outcome.Err())
	return reply, err
}

func errClientClosed() *Error {
	return &Error{Code: CodeUnavailable, Message: "the client is closed", notRun: true}
}
