package rpc

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// A verdict is what a failed attempt means for the call.
type verdict uint8

const (
	verdictFinal    verdict = iota // the call is over
	verdictGone                    // the instance is not there: another may be
	verdictRefused                 // it took no call: another may
	verdictDoubtful                // it may have run the call
)

// judge turns what the bus says of an attempt at a node into an error and its meaning.
func judge(ctx context.Context, node string, receipt *bus.Receipt, err error) (verdict, error) {
	if receipt == nil {
		return verdictFinal, unsent(ctx, err)
	}
	d := deciding(receipt)
	d.Node = cmp.Or(d.Node, node)
	if receipt.Outcome == bus.OutcomeRejected {
		remote := remoteError(&d)
		if remote.notRun {
			return verdictRefused, remote
		}
		return verdictFinal, remote
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return verdictFinal, &Error{Code: CodeCancelled, Message: "given up while node " + d.Node + " had it", Cause: err}
	}
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= 0 && receipt.Outcome == bus.OutcomeUnknown { // too early for silence
		return verdictFinal, &Error{Code: CodeTimeout, Message: "time was over before " + nodeOf(&d) + " answered", Cause: err}
	}
	return silence(&d, receipt.Outcome, err)
}

// silence is the error of a delivery that was not answered.
func silence(d *bus.Delivery, outcome bus.Outcome, err error) (verdict, error) {
	node := nodeOf(d)
	switch {
	case outcome == bus.OutcomeNoReceiver:
		return verdictGone, &Error{Code: CodeUnavailable, Message: node + " is gone", Cause: err, notRun: true}
	case outcome == bus.OutcomeUnconfirmed:
		return verdictFinal, &Error{Code: CodeTimeout, Message: node + " did not answer in time", Cause: err}
	case outcome == bus.OutcomeExpired:
		return verdictFinal, &Error{Code: CodeTimeout, Message: "time was over before " + node + " came to it", Cause: err, notRun: true}
	case outcome == bus.OutcomeClosed && d.Written == 0:
		return verdictGone, &Error{Code: CodeUnavailable, Message: node + " ended before it came to it", Cause: err, notRun: true}
	}
	return verdictDoubtful, &Error{Code: CodeUnknown, Message: node + " fell silent: the call may have run", Cause: err}
}

func nodeOf(d *bus.Delivery) string {
	if d.Node == "" {
		return "a node"
	}
	return "node " + d.Node
}

// deciding is the delivery that decided the outcome.
func deciding(r *bus.Receipt) bus.Delivery {
	if i := slices.IndexFunc(r.Deliveries, func(d bus.Delivery) bool { return d.Outcome == r.Outcome }); i >= 0 {
		return r.Deliveries[i]
	}
	return bus.Delivery{Outcome: r.Outcome}
}

// unsent is the error of a request of which nothing has left.
func unsent(ctx context.Context, err error) *Error {
	e := &Error{Code: CodeInternal, Message: err.Error(), Cause: err, notRun: true}
	for _, known := range []struct {
		is   error
		code Code
	}{{bus.ErrUnavailable, CodeUnavailable}, {bus.ErrBusClosed, CodeUnavailable}, {bus.ErrOverloaded, CodeOverloaded},
		{bus.ErrTooLarge, CodeTooLarge}, {bus.ErrBody, CodeBadRequest}, {bus.ErrAddress, CodeBadRequest},
		{context.DeadlineExceeded, CodeTimeout}, {context.Canceled, CodeCancelled}} {
		if errors.Is(err, known.is) {
			e.Code = known.code
			return e
		}
	}
	if ctx.Err() != nil { // its cause is the caller's own
		return contextError(ctx, true)
	}
	return e
}

// contextError is the error of a call whose context has ended.
func contextError(ctx context.Context, notRun bool) *Error {
	e := &Error{Code: CodeCancelled, Message: "given up", Cause: context.Cause(ctx), notRun: notRun}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Code, e.Message = CodeTimeout, "time is over"
	}
	return e
}
