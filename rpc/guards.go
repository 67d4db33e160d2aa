package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/pause"
)

// Authorize passes on the calls that allowed lets through. Its error ends the others: as CodeForbidden, unless the error has a code.
func Authorize(allowed func(context.Context, *Request) error) Interceptor {
	return func(next Invoker) Invoker {
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			err := allowed(ctx, r)
			if err == nil {
				return next(ctx, r)
			}
			if !hasCode(err) {
				err = &Error{Code: CodeForbidden, Message: err.Error(), Cause: err, notRun: !r.Incoming}
			}
			return bus.Body{}, err
		}
	}
}

// hasCode reports whether the error was made with a code.
func hasCode(err error) bool {
	_, local := errors.AsType[*Error](err)
	_, remote := errors.AsType[*RemoteError](err)
	_, refusal := errors.AsType[*bus.Rejection](err)
	return local || remote || refusal
}

// Limit lets at most n calls through at once, at a server of each method, and ends the others at once as CodeOverloaded. n
// below 1 counts as 1.
func Limit(n int) Interceptor {
	return func(next Invoker) Invoker {
		slots := newSlots(max(n, 1))
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			if !slots.tryTake() {
				return bus.Body{}, &Error{Code: CodeOverloaded, Message: fmt.Sprintf("%d calls run", slots.limit), notRun: !r.Incoming}
			}
			defer slots.release()
			return next(ctx, r)
		}
	}
}

// Retry makes calls of the caller's side again that failed for the moment: an idempotent one (Idempotent) that ended as
// CodeUnknown, and any that certainly did not run because of CodeUnavailable, CodeOverloaded or CodeDraining. It makes up
// to times more attempts, the first after a pause of about first, each pause about twice the one before it, a minute at
// most, and none for which the context's deadline comes too early. Streams and calls of every instance pass as they are.
func Retry(times int, first time.Duration) Interceptor {
	return func(next Invoker) Invoker {
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			for try := 1; ; try++ {
				reply, err := next(ctx, r)
				if err == nil || try > times || !r.mayRetry(err) || !rest(ctx, pause.Before(try, first, longestPause)) {
					return reply, err
				}
			}
		}
	}
}

func (r *Request) mayRetry(err error) bool {
	if r.Incoming || r.Stream || r.Each {
		return false
	}
	code := CodeOf(err)
	passes := code == CodeUnavailable || code == CodeOverloaded || code == CodeDraining
	return passes && !MayHaveRun(err) || r.Idempotent && (passes || code == CodeUnknown)
}

const longestPause = time.Minute

// rest waits, and reports whether the context outlives it.
func rest(ctx context.Context, d time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= d {
		return false
	}
	return pause.For(ctx, d)
}
