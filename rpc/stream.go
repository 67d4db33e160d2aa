package rpc

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"strconv"

	"github.com/ackbus/ackbus/bus"
)

// A stream is a call whose items come ahead of its answer. The caller attaches an address of its own for the time of the call, and
// names it in a header; the instance sends batches there, one at a time, and the confirmation of a batch is the credit for the next.

const (
	itemsHeader = "ackbus-items"            // of the call: where its items go
	itemsPrefix = reservedPrefix + "items." // of the address
	itemsEvent  = reservedPrefix + "items"
	codeStopped = "stopped" // the reader has left
)

// streamEnd is the answer to the call.
type streamEnd struct {
	Items uint64 `json:"items"`
}

// CallStream calls a method that answers with a stream, and yields its items in order. If the stream fails, the last pair
// has the error. Leaving the loop cancels the call. While the loop's body is slow, at most three batches wait and the
// method is held up. ctx bounds the whole stream; without a deadline it is bus.MaxTimeout.
func CallStream[Res, Req any](ctx context.Context, c *Client, name string, req Req, opts ...CallOption) iter.Seq2[Res, error] {
	return func(yield func(Res, error) bool) {
		for body, err := range c.CallStream(ctx, name, encode(req, bus.FormatMsgpack), opts...) {
			var item Res
			if err == nil {
				err = readResult(name, body, &item)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// CallStream is the function CallStream with a body that is encoded already.
func (c *Client) CallStream(ctx context.Context, name string, body bus.Body, opts ...CallOption) iter.Seq2[bus.Body, error] {
	return func(yield func(bus.Body, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, bus.MaxTimeout)
		defer cancel()
		in := newIntake()
		id := strconv.FormatUint(rand.Uint64(), 16)
		address := bus.MethodAt(itemsPrefix+id, c.bus.Node().ID)
		at, err := c.bus.Attach(ctx, in, bus.Profile{Carrier: bus.CarrierHandler}, address)
		if err != nil {
			yield(bus.Body{}, unsent(ctx, err))
			return
		}
		defer at.Detach()
		closed := context.AfterFunc(c.group.Context(), cancel) // also while the loop's body runs
		defer closed()
		r := Request{Method: name, Body: body, intake: in}
		r.take(opts)
		r.Stream = true
		r.Headers = maps.Clone(r.Headers)
		if r.Headers == nil {
			r.Headers = make(map[string]string, 1)
		}
		r.Headers[itemsHeader] = id
		if !c.group.Go(func() { in.end(c.invoked(ctx, &r)) }) {
			yield(bus.Body{}, errClientClosed())
			return
		}
		defer func() {
			in.stop()
			cancel()
			<-in.over
		}()
		c.read(in, yield)
	}
}

// read yields what comes in until the call is over.
func (c *Client) read(in *intake, yield func(bus.Body, error) bool) {
	for {
		items, err := in.next(c.group.Context())
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(bus.Body{}, err)
		}
		if err != nil || items == nil {
			return
		}
	}
}

// ending is the error of a stream whose call ended with the reply, after so many items had come.
func ending(reply bus.Body, came uint64) error {
	var end streamEnd
	if err := decode(reply, &end); err != nil || end.Items != came {
		return &Error{Code: CodeInternal, Cause: err,
			Message: fmt.Sprintf("the stream ended after %d items, and %d had come", end.Items, came)}
	}
	return nil
}
