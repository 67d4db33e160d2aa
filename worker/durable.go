package worker

import (
	"context"
	"time"
)

// durableWithin is how long replicas are waited for. It must end well before commandTimeout.
const durableWithin = time.Second

// durably enqueues a batch and waits for replicas. WAIT counts what its own connection wrote, so both travel in one pipeline. What
// became of each job is noted in it; the error is that of all.
func (q *Queue) durably(ctx context.Context, batch []*enqueuing, replicas int) error {
	if err := q.announce(ctx); err != nil {
		return err
	}
	s := q.jobs.store
	compiled := s.scripts[scriptEnqueue]
	if err := compiled.Load(ctx, s.client).Err(); err != nil { // a pipeline can't fall back to EVAL
		return redisError(err)
	}
	pipe := s.client.Pipeline()
	enqueued := pipe.EvalSha(ctx, compiled.Hash(), []string{q.base}, enqueueArgs(batch)...)
	reached := pipe.Do(ctx, "WAIT", replicas, durableWithin.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its own error
	reply, err := enqueued.Slice()
	if err != nil {
		return redisError(err)
	}
	if err := q.received(batch, reply); err != nil {
		return err
	}
	n, err := reached.Int()
	if err != nil {
		n = 0 // how many have it is not known
	}
	for _, e := range batch {
		if n < replicas && e.outcome() == nil {
			e.err = &NotDurableError{ID: e.id, Wanted: replicas, Reached: n}
		}
	}
	return nil
}
