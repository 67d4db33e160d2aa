package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// A Job is one attempt at a job, as its handler sees it.
type Job struct {
	ID          JobID
	Queue       string
	Body        bus.Body
	Priority    Priority
	Attempt     int // from 1
	MaxAttempts int
	// Token grows with every start of the job: a system that refuses a lower one than it has seen is safe from attempts that go on after
	// their lease was lost.
	Token    uint64
	Enqueued time.Time     // by the enqueuer's clock
	Waited   time.Duration // from when it could have been started, by Redis's clock
}

type jobKey struct{}

// JobOf is the job that the handler which was given ctx works at.
func JobOf(ctx context.Context) (*Job, bool) {
	a, ok := ctx.Value(jobKey{}).(*attempt)
	if !ok {
		return nil, false
	}
	return a.job, true
}

// Progress tells those who await the job how far it has come, and notes it for Queue.Job. v is a bus.Body or is encoded as JSON. It
// is called with the handler's context. Reports in quick succession may arrive in another order. ErrLeaseLost: another worker has
// the job.
func Progress(ctx context.Context, v any) error {
	a, ok := ctx.Value(jobKey{}).(*attempt)
	if !ok {
		return fmt.Errorf("%w: Progress outside of a handler", ErrNoJob)
	}
	body, ok := v.(bus.Body)
	if !ok {
		body = bus.JSON(v)
	}
	if err := body.Err(); err != nil {
		return fmt.Errorf("worker: progress: %w", err)
	}
	return a.in.progress(ctx, a, body)
}

// progress notes and tells.
func (in *intake) progress(ctx context.Context, a *attempt, body bus.Body) error {
	n := notice{id: a.job.ID, worker: in.jobs.self.Name, attempt: uint64(a.job.Attempt), body: body}
	text := n.encode()
	if len(text) > maxTold {
		return fmt.Errorf("%w: progress of %d bytes: want %d at most", ErrTooLarge, len(text), maxTold)
	}
	reply, err := in.jobs.store.run(ctx, scriptProgress, in.queue.base, string(a.job.ID), a.job.Token, string(in.pool.id), text)
	if err != nil {
		return fmt.Errorf("worker: progress: %w", err)
	}
	askers, ok := reply.(string)
	if !ok {
		return fmt.Errorf("worker: progress: %w", ErrLeaseLost)
	}
	in.jobs.tellProgress(in.queue.name, askers, &n)
	return nil
}

// A handler is what a pool does with the jobs of a queue.
type handler func(ctx context.Context, job *Job) (bus.Body, error)

type handleOptions struct {
	concurrency int
	prefetch    int
	weights     [3]int // high, normal, low; zero: strict
	backoff     func(attempt int, err error) time.Duration
	err         error
}

// A HandleOption changes how a pool works at one queue.
type HandleOption func(*handleOptions)

// Concurrency is how many jobs of the queue the pool runs at once. Default: 10.
func Concurrency(n int) HandleOption {
	return func(o *handleOptions) {
		if o.concurrency = n; n < 1 {
			o.err = fmt.Errorf("%w: Concurrency(%d): want 1 or more", ErrOption, n)
		}
	}
}

// Prefetch is how many jobs the pool takes beyond those that it runs, so that the next starts without asking Redis. They wait for
// this pool even while others are idle, so it suits short jobs alone. Default: 0.
func Prefetch(n int) HandleOption {
	return func(o *handleOptions) {
		if o.prefetch = n; n < 0 {
			o.err = fmt.Errorf("%w: Prefetch(%d): want 0 or more", ErrOption, n)
		}
	}
}

// Weighted shares the jobs that are taken among the priorities, where each has some waiting. Default: strict, the higher priority first
// as long as it has any.
func Weighted(high, normal, low int) HandleOption {
	return func(o *handleOptions) {
		if o.weights = [3]int{high, normal, low}; high < 1 || normal < 1 || low < 1 {
			o.err = fmt.Errorf("%w: Weighted(%d, %d, %d): want 1 or more of each", ErrOption, high, normal, low)
		}
	}
}

// RetryWith chooses how long after a failed attempt the next one starts; attempt counts from 1. Default: Backoff.
func RetryWith(backoff func(attempt int, err error) time.Duration) HandleOption {
	return func(o *handleOptions) { o.backoff = backoff }
}

// Handle has fn handle the jobs of a queue once p runs. A job that can't be decoded as a Job, or a result that can't be encoded, is
// a failed attempt; the first goes to the dead letters at once. fn's context ends when the attempt's time limit or its lease is
// over, when the job is deleted, and when the pool stops waiting for it. What is wrong with a Handle surfaces from Run.
//
// A bus.Body as Res is the result as it is.
func Handle[In, Out any](p *Pool, queue string, fn func(context.Context, In) (Out, error), opts ...HandleOption) {
	p.HandleBody(queue, func(ctx context.Context, job *Job) (bus.Body, error) {
		var in In
		if err := job.Body.Decode(&in); err != nil {
			return bus.Body{}, Reject(err)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return bus.Body{}, err
		}
		if body, ok := any(out).(bus.Body); ok {
			return body, nil
		}
		return bus.JSON(out), nil
	}, opts...)
}

// HandleBody is Handle with job and result as they are.
func (p *Pool) HandleBody(queue string, fn func(ctx context.Context, job *Job) (bus.Body, error), opts ...HandleOption) {
	o := handleOptions{concurrency: 10, backoff: Backoff}
	for _, opt := range opts {
		opt(&o)
	}
	err := o.err
	if err == nil {
		err = CheckQueue(queue)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
	case fn == nil || o.backoff == nil:
		err = fmt.Errorf("%w: a nil function", ErrOption)
	case p.running:
		err = fmt.Errorf("%w: Handle %s after Run", ErrOption, queue)
	case p.intakes[queue] != nil:
		err = fmt.Errorf("%w: a second Handle for %s", ErrOption, queue)
	}
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	p.intakes[queue] = newIntake(p, queue, fn, o)
}
