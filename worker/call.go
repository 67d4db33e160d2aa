package worker

import (
	"context"
	"errors"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// A Result is what a job came to.
type Result struct {
	ID      JobID
	Body    bus.Body      // what the handler returned
	Worker  string        // the readable name of the node that did it
	Attempt int           // which attempt it was, from 1
	Waited  time.Duration // from when it could have been started, for this attempt
	Ran     time.Duration // how long the attempt took
}

// Call enqueues a job and awaits its result. ctx bounds the waiting (and the enqueueing): the job goes on without it, and the
// *WaitError then holds its ID. A job that dies, expires, is deleted or dropped ends the call at once with a *JobError. With Durable, a
// *NotDurableError comes besides the result.
func Call[Res any](ctx context.Context, q *Queue, job any, opts ...EnqueueOption) (Res, error) {
	_, res, err := callInto[Res](ctx, q, job, opts)
	return res, err
}

// callInto calls, and decodes the result.
func callInto[Res any](ctx context.Context, q *Queue, job any, opts []EnqueueOption) (r *Result, res Res, err error) {
	r, lacking, err := q.call(ctx, job, opts)
	if err == nil {
		if err = r.Body.Decode(&res); err != nil {
			err = q.fail("result of job "+string(r.ID)+" in", err)
		}
	}
	return r, res, q.besides(err, lacking)
}

// CallBody is Call with the result as it is. The Result is there too where a job is dead: without a body.
func (q *Queue) CallBody(ctx context.Context, job any, opts ...EnqueueOption) (*Result, error) {
	r, lacking, err := q.call(ctx, job, opts)
	return r, q.besides(err, lacking)
}

// besides says that too few replicas have a job, besides what became of it.
func (q *Queue) besides(err error, lacking *NotDurableError) error {
	switch {
	case lacking == nil:
		return err
	case err == nil:
		return q.fail("call", lacking)
	default:
		return errors.Join(err, lacking)
	}
}

// call enqueues and awaits; lacking says that the job was taken in by fewer replicas than asked.
func (q *Queue) call(ctx context.Context, job any, opts []EnqueueOption) (r *Result, lacking *NotDurableError, err error) {
	o, err := collect(opts)
	if err != nil {
		return nil, nil, q.fail("call", err)
	}
	if o.id == "" {
		if o.id, err = newJobID(); err != nil {
			return nil, nil, err
		}
	}
	o.asker = q.jobs.self.ID.String()
	w, err := q.wait(o.id)
	if err != nil {
		return nil, nil, q.fail("call", err)
	}
	defer q.jobs.awaited.remove(w)
	_, known, err := q.enqueue(ctx, job, &o)
	lacking, taken := errors.AsType[*NotDurableError](err)
	if err != nil && !taken {
		return nil, nil, err
	}
	if known { // it may be over already
		if err := q.join(ctx, w); err != nil {
			return nil, lacking, err
		}
	}
	q.jobs.awaited.taken(w)
	r, err = q.attend(ctx, w, o.onProgress)
	return r, lacking, err
}

// Await awaits the result of a job that was enqueued before, by anybody. ctx bounds the waiting. ErrNoJob: the queue knows no such
// job; one that finished is known only if its result is kept.
func (q *Queue) Await(ctx context.Context, id JobID, opts ...EnqueueOption) (*Result, error) {
	o, err := collect(opts)
	if err == nil {
		err = checkID(id)
	}
	if err != nil {
		return nil, q.fail("await", err)
	}
	w, err := q.wait(id)
	if err != nil {
		return nil, q.fail("await", err)
	}
	defer q.jobs.awaited.remove(w)
	if err := q.join(ctx, w); err != nil {
		return nil, err
	}
	q.jobs.awaited.taken(w)
	return q.attend(ctx, w, o.onProgress)
}

// Result reads the result of a job that has finished and whose result is kept. A dead job gives its *JobError. ErrNotFinished: it is
// under way; ErrNoJob: the queue knows no such job.
func (q *Queue) Result(ctx context.Context, id JobID) (*Result, error) {
	states, err := q.list(ctx, 2, scriptLook, "", string(id))
	switch {
	case err != nil:
		return nil, q.fail("result in", err)
	case asNumber(states[0]) == stateNone:
		return nil, q.fail("result in", ErrNoJob)
	case asNumber(states[0]) == stateUnderWay:
		return nil, q.fail("result in", ErrNotFinished)
	}
	n, err := decodeNotice([]byte(asText(states[1])))
	if err != nil {
		return nil, q.fail("result in", err)
	}
	return n.result(id)
}

// wait registers somebody who awaits a job, before anything can happen to it.
func (q *Queue) wait(id JobID) (*waiter, error) {
	w := &waiter{queue: q, id: id, wake: make(chan struct{}, 1)}
	return w, q.jobs.awaited.add(w)
}

// join has the worker tell this node too, or learns that it is over.
func (q *Queue) join(ctx context.Context, w *waiter) error {
	states, err := q.list(ctx, 2, scriptLook, q.jobs.self.ID.String(), string(w.id))
	if err == nil && asNumber(states[0]) == stateNone {
		err = ErrNoJob
	}
	if err != nil {
		return q.fail("await job in", err)
	}
	q.jobs.looked(w, asNumber(states[0]), asText(states[1]))
	return nil
}

// attend waits until the job is over, or ctx.
func (q *Queue) attend(ctx context.Context, w *waiter, onProgress func(bus.Body)) (*Result, error) {
	for {
		progress, over, failed := w.news()
		if onProgress != nil {
			for _, p := range progress {
				onProgress(p)
			}
		}
		switch {
		case failed != nil:
			return nil, q.fail("await job in", failed)
		case over != nil:
			return over.result(w.id)
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return nil, &WaitError{ID: w.id, Cause: context.Cause(ctx)}
		}
	}
}

// result is what a notice says.
func (n *notice) result(id JobID) (*Result, error) {
	r := &Result{ID: id, Body: n.body, Worker: n.worker, Attempt: int(n.attempt),
		Waited: time.Duration(n.waited) * time.Microsecond, Ran: time.Duration(n.ran) * time.Microsecond}
	if n.code != "" {
		return r, &JobError{ID: id, Code: n.code, Message: n.message, Worker: n.worker, Attempts: int(n.attempt)}
	}
	return r, nil
}
