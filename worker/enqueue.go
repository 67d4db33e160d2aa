package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// Enqueue takes a job in: a value that is encoded as JSON, or a bus.Body. ctx bounds the call, not the job. Without an error Redis
// has the job. ErrUnavailable, ErrMemory, ErrQueueFull and *DuplicateError say that it has not; ErrUnknown says that it may: the ID
// is returned then too, and with WithID enqueueing again does no harm.
func (q *Queue) Enqueue(ctx context.Context, job any, opts ...EnqueueOption) (JobID, error) {
	o, err := collect(opts)
	if err != nil {
		return "", q.fail("enqueue in", err)
	}
	id, _, err := q.enqueue(ctx, job, &o)
	return id, err
}

// Enqueued is what became of one job of a batch.
type Enqueued struct {
	ID  JobID
	Err error
}

// EnqueueBatch takes many jobs in, with the same options. It is faster than many calls of Enqueue, and not all or nothing: the list
// has the ID and the error of each; the error is the first of them.
func (q *Queue) EnqueueBatch(ctx context.Context, jobs []any, opts ...EnqueueOption) ([]Enqueued, error) {
	o, err := collect(opts)
	if err == nil && o.id != "" && len(jobs) > 1 {
		err = fmt.Errorf("%w: WithID for %d jobs", ErrOption, len(jobs))
	}
	if err != nil {
		return nil, q.fail("enqueue in", err)
	}
	results := make([]Enqueued, len(jobs))
	under := make([]*enqueuing, len(jobs))
	for i, job := range jobs {
		if under[i], results[i].Err = q.prepare(job, &o); under[i] != nil {
			results[i].ID = under[i].id
		}
	}
	q.enqueueAll(ctx, under, &o, func(i int, err error) { results[i].Err = err })
	for _, r := range results {
		if r.Err != nil {
			return results, q.fail("enqueue in", r.Err)
		}
	}
	return results, nil
}

// enqueueAll sends many jobs (nil ones are left out), and says what became of each.
func (q *Queue) enqueueAll(ctx context.Context, under []*enqueuing, o *enqueueOptions, became func(i int, err error)) {
	submitted := make([]error, len(under))
	if o.replicas > 0 {
		q.durablyAll(ctx, under, submitted, o.replicas)
	} else {
		ready := slices.DeleteFunc(slices.Clone(under), func(e *enqueuing) bool { return e == nil })
		n, err := q.submit(ctx, ready...)
		for i, e := range under {
			switch {
			case e == nil:
			case n > 0:
				n--
			default:
				submitted[i] = err
			}
		}
	}
	for i, e := range under {
		if e == nil {
			continue
		}
		err := submitted[i]
		switch {
		case err == nil && o.replicas > 0:
			err = e.outcome()
		case err == nil:
			err = q.await(ctx, e)
		}
		if o.waitForRoom && errors.Is(err, ErrQueueFull) {
			err = q.insist(ctx, e, o)
		}
		became(i, err)
	}
}

// durablyAll sends many jobs in batches that replicas are waited for.
func (q *Queue) durablyAll(ctx context.Context, under []*enqueuing, failed []error, replicas int) {
	var batch []*enqueuing
	var at []int
	var bytes int
	flush := func() {
		if len(batch) == 0 {
			return
		}
		if err := q.durably(ctx, batch, replicas); err != nil {
			for _, i := range at {
				failed[i] = err
			}
		}
		batch, at, bytes = nil, nil, 0
	}
	for i, e := range under {
		if e != nil {
			batch, at, bytes = append(batch, e), append(at, i), bytes+len(e.spec)
		}
		if len(batch) == batchJobs || bytes >= batchBytes {
			flush()
		}
	}
	flush()
}

// enqueue takes one job in; known says that the queue had it already.
func (q *Queue) enqueue(ctx context.Context, job any, o *enqueueOptions) (id JobID, known bool, err error) {
	e, err := q.prepare(job, o)
	if err != nil {
		return "", false, q.fail("enqueue in", err)
	}
	err = q.try(ctx, e, o)
	if o.waitForRoom && errors.Is(err, ErrQueueFull) {
		err = q.insist(ctx, e, o)
	}
	if err != nil {
		return e.id, false, q.fail("enqueue in", err)
	}
	return e.id, e.verdict == verdictKnown, nil
}

// try sends one job, and returns what became of it.
func (q *Queue) try(ctx context.Context, e *enqueuing, o *enqueueOptions) error {
	if o.replicas > 0 {
		if err := q.durably(ctx, []*enqueuing{e}, o.replicas); err != nil {
			return err
		}
		return e.outcome()
	}
	if _, err := q.submit(ctx, e); err != nil {
		return err
	}
	return q.await(ctx, e)
}

// insist tries again until there is room.
func (q *Queue) insist(ctx context.Context, e *enqueuing, o *enqueueOptions) error {
	const longest = 250 * time.Millisecond
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longest) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ErrQueueFull, context.Cause(ctx))
		}
		if err := q.try(ctx, e, o); !errors.Is(err, ErrQueueFull) {
			return err
		}
	}
}

// prepare encodes a job.
func (q *Queue) prepare(job any, o *enqueueOptions) (*enqueuing, error) {
	if err := CheckQueue(q.name); err != nil {
		return nil, err
	}
	body, ok := job.(bus.Body)
	if !ok {
		body = bus.JSON(job)
	}
	if err := body.Err(); err != nil {
		return nil, err
	}
	if n := len(body.Raw()); n > q.jobs.maxBody {
		return nil, fmt.Errorf("%w: %d bytes, and Options.MaxBody is %d", ErrTooLarge, n, q.jobs.maxBody)
	}
	id := o.id
	if id == "" {
		var err error
		if id, err = newJobID(); err != nil {
			return nil, err
		}
	}
	options, err := o.script()
	if err != nil {
		return nil, err
	}
	s := spec{body: body, priority: o.priority, attempts: uint64(o.attempts), limit: uint64(milliseconds(o.limit)),
		keep: uint64(milliseconds(o.kept())), enqueued: uint64(time.Now().UnixMilli())}
	return &enqueuing{id: id, spec: s.encode(), asker: o.asker, options: options, unique: o.unique, done: make(chan struct{}, 1)}, nil
}
