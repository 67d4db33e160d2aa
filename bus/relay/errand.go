package relay

import (
	"context"
	"slices"
)

// An errand is a command of the relay itself. It goes ahead of the packets with the next pipeline, on their connection:
// what it learns holds for the Redis that they reach.
type errand struct {
	args    []string
	done    func(answer reply, err error) // called once, not from within post; must not block
	answer  reply
	replied bool
}

// report tells what became of the errand. transport is the error of one that was not answered.
func (e *errand) report(transport error) {
	if e.replied {
		transport = e.answer.err()
	}
	e.done(e.answer, transport)
}

// post hands over an errand without waiting.
func (o *outbox) post(e *errand) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	o.errands = append(o.errands, e)
	l := o.startLocked()
	o.mu.Unlock()
	if l != nil {
		o.writeAside(l) // the caller may hold locks
	}
}

// withdraw takes an errand back that was not sent yet.
func (o *outbox) withdraw(e *errand) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errands = slices.DeleteFunc(o.errands, func(other *errand) bool { return other == e })
}

// do runs a command and waits for its reply, at most until ctx ends.
func (o *outbox) do(ctx context.Context, args ...string) (reply, error) {
	var answer reply
	settled := make(chan error, 1)
	e := &errand{args: args}
	e.done = func(v reply, err error) {
		answer = v
		settled <- err
	}
	o.post(e)
	select {
	case err := <-settled:
		return answer, err
	case <-o.closed:
		return reply{}, ErrClosed
	case <-ctx.Done():
		o.withdraw(e)
		return reply{}, context.Cause(ctx)
	}
}
