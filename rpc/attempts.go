package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// attempts is one call on its way from instance to instance. Each is tried once, believing Redis when it counts nobody; if they all are
// gone by its count, each once more until that is proven: in the moments after a restart of Redis nobody is counted who is there.
type attempts struct {
	client  *Client
	request Request
	options *callOptions
	route   *route
	tried   []*instance
	proving bool
	spent   time.Duration // by the bus's clock, on the attempts so far
	gone    error         // of the last that is not there
	there   error         // of the last that is, and whose answer another may better
	ran     bool          // one of these may have run it
	absent  *table        // in which nobody serves the method any more
}

// run makes attempts until an instance has answered for good, or none is left.
func (a *attempts) run(ctx context.Context) (bus.Body, error) {
	for {
		in := a.client.choose(a.route, a.options, a.tried)
		if in == nil {
			if a.fresher(ctx) || a.again(ctx) {
				continue
			}
			return bus.Body{}, a.told(a.failure(ctx))
		}
		reply, v, err := a.try(ctx, in)
		if v == verdictFinal || ctx.Err() != nil || v == verdictDoubtful && !a.mayRepeat(in) {
			return reply, a.told(err)
		}
		if _, has := ctx.Deadline(); !has { // the bus gives each request its time, and this is one call
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, max(a.client.bus.Timeout()-a.spent, time.Millisecond)) //nolint:fatcontext // once
			defer cancel()
		}
		if v == verdictGone {
			a.gone = err
		} else {
			a.there, a.ran = err, a.ran || v == verdictDoubtful
		}
		a.tried = append(a.tried, in)
	}
}

// told is the error that the caller gets. Where an earlier attempt may have run the call, that holds for the whole of it.
func (a *attempts) told(err error) error {
	if !a.ran {
		return err
	}
	if local, ok := errors.AsType[*Error](err); ok {
		local.notRun = false
	} else if remote, ok := errors.AsType[*RemoteError](err); ok {
		remote.notRun = false
	}
	return err
}

// mayRepeat reports whether a call that the instance may have run may be run by another.
func (a *attempts) mayRepeat(in *instance) bool {
	if a.request.intake != nil && a.request.intake.hasBegun() {
		return false // the reader has seen items of it
	}
	return a.request.Idempotent || in.idempotent
}

// fresher takes what has become known since the call began: a client that has just started may have known one instance of several.
func (a *attempts) fresher(ctx context.Context) bool {
	if a.options.node != "" || ctx.Err() != nil {
		return false
	}
	t, _ := a.client.await(ctx, "")
	if t == nil || t.methods[a.request.Method] == nil || t.methods[a.request.Method] == a.route {
		return false
	}
	a.route = t.methods[a.request.Method]
	return true
}

// again begins the second round, if nobody was there in the first.
func (a *attempts) again(ctx context.Context) bool {
	if a.proving || a.there != nil || ctx.Err() != nil {
		return false
	}
	t, whole := a.client.await(ctx, "")
	if t == nil || t.methods[a.request.Method] == nil {
		if whole {
			a.absent = t
		}
		return false
	}
	a.route, a.proving, a.tried = t.methods[a.request.Method], true, a.tried[:0]
	return true
}

// failure is the error of a call that no instance is left for.
func (a *attempts) failure(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return contextError(ctx, !a.ran)
	case a.there != nil:
		return a.there
	case a.absent != nil:
		return unknownMethod(a.request.Method, a.absent.names())
	case a.options.node != "":
		return &Error{Code: CodeUnavailable, Message: fmt.Sprintf("no node %s serves %s", clip(a.options.node), a.request.Method),
			Cause: a.gone, notRun: true}
	}
	return &Error{Code: CodeUnavailable, Message: "no instance of " + a.request.Method + " can be reached", Cause: a.gone, notRun: true}
}

// try makes one attempt.
func (a *attempts) try(ctx context.Context, in *instance) (bus.Body, verdict, error) {
	var room [4]bus.RequestOption
	opts := room[:0]
	if !a.proving {
		opts = append(opts, bus.TrustCount())
	}
	for key, value := range a.request.Headers {
		opts = append(opts, bus.WithHeader(key, value))
	}
	in.inFlight.Add(1)
	receipt, err := a.client.bus.Request(ctx, in.address, a.request.Method, a.request.Body, opts...)
	in.inFlight.Add(-1)
	if a.options.receipt != nil {
		*a.options.receipt = receipt
	}
	if err == nil {
		return receipt.Deliveries[0].Reply, verdictFinal, nil
	}
	if receipt != nil {
		a.spent += receipt.Elapsed
	}
	v, err := judge(ctx, in.name, receipt, err)
	if v == verdictGone || v == verdictDoubtful {
		a.client.shun(in)
	}
	return bus.Body{}, v, err
}
