package worker

import (
	"context"
	"fmt"
	"runtime"
	"slices"
)

// What became of a job that was to be enqueued, as the script says it.
const (
	verdictKnown = iota
	verdictTaken
	verdictFull
	verdictDuplicate
)

// An enqueuing is one job on its way into a queue.
type enqueuing struct {
	id      JobID
	spec    []byte
	asker   string
	options string
	unique  string
	done    chan struct{} // one slot
	verdict int64
	err     error
}

const (
	batchJobs  = 512
	batchBytes = 1 << 20
	couriers   = 2 // while Redis works at one batch, the next is on its way to it
)

func (e *enqueuing) size() int64 { return int64(min(len(e.spec)+len(e.options)+256, maxWaitingBytes)) }

// submit hands jobs to those who send: what many goroutines enqueue while batches are under way is the next batch. It waits for
// room, which ctx bounds, and returns how many were handed over.
func (q *Queue) submit(ctx context.Context, under ...*enqueuing) (n int, err error) {
	for n < len(under) {
		first := n
		if err := q.room.Acquire(ctx, under[n].size()); err != nil {
			return n, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
		for n++; n < len(under) && q.room.TryAcquire(under[n].size()); {
			n++
		}
		q.put(under[first:n])
	}
	return n, nil
}

// put has jobs be sent that there is room for.
func (q *Queue) put(under []*enqueuing) {
	q.mu.Lock()
	q.waiting = append(q.waiting, under...)
	start := min(couriers-q.couriers, (len(q.waiting)+batchJobs-1)/batchJobs)
	q.couriers += start
	q.mu.Unlock()
	for range start {
		if !q.jobs.group.Go(q.send) {
			q.abandon()
		}
	}
}

// await returns what became of a job that was submitted. When ctx ends first, a job that was not sent yet is withdrawn.
func (q *Queue) await(ctx context.Context, e *enqueuing) error {
	select {
	case <-e.done:
		return e.outcome()
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(q.waiting, e)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i >= 0 {
		q.room.Release(e.size())
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	<-e.done // it is under way, and bounded
	return e.outcome()
}

func (e *enqueuing) outcome() error {
	switch {
	case e.err != nil:
		return e.err
	case e.verdict == verdictFull:
		return ErrQueueFull
	default:
		return nil
	}
}

// send sends batches until nothing waits.
func (q *Queue) send() {
	for {
		runtime.Gosched() // more jobs may be about to come: they go along
		q.mu.Lock()
		batch := q.batchLocked()
		if len(batch) == 0 {
			q.couriers--
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		err := q.sendBatch(q.jobs.group.Context(), batch)
		for _, e := range batch {
			if err != nil {
				e.err = err
			}
			q.room.Release(e.size())
			e.done <- struct{}{}
		}
	}
}

func (q *Queue) batchLocked() []*enqueuing {
	n, bytes := 0, 0
	for n < len(q.waiting) && n < batchJobs && bytes < batchBytes {
		bytes += len(q.waiting[n].spec)
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

// abandon ends what waits, because the Jobs was closed.
func (q *Queue) abandon() {
	q.mu.Lock()
	q.couriers--
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	for _, e := range waiting {
		e.err = ErrClosed
		q.room.Release(e.size())
		e.done <- struct{}{}
	}
}

// sendBatch runs the script on one batch.
func (q *Queue) sendBatch(ctx context.Context, batch []*enqueuing) error {
	if err := q.announce(ctx); err != nil {
		return err
	}
	reply, err := q.jobs.store.list(ctx, 3, scriptEnqueue, q.base, enqueueArgs(batch)...)
	if err != nil {
		return err
	}
	return q.received(batch, reply)
}

func enqueueArgs(batch []*enqueuing) []any {
	args := make([]any, 0, 1+4*len(batch))
	args = append(args, len(batch))
	for _, e := range batch {
		args = append(args, string(e.id), e.spec, e.asker, e.options)
	}
	return args
}

// received hands out what the script answered, and tells those who await jobs that had to make room.
func (q *Queue) received(batch []*enqueuing, reply []any) error {
	verdicts, holders, dropped := asList(reply[0]), asList(reply[1]), asList(reply[2])
	if len(verdicts) != len(batch) {
		return fmt.Errorf("%w: %d verdicts on %d jobs", ErrUnknown, len(verdicts), len(batch))
	}
	for i, e := range batch {
		e.verdict, e.err = asNumber(verdicts[i]), nil
		if e.verdict == verdictDuplicate {
			if len(holders) > 0 {
				e.err = &DuplicateError{Key: e.unique, ID: JobID(asText(holders[0]))}
				holders = holders[1:]
			}
		}
	}
	for i := 0; i+1 < len(dropped); i += 2 {
		id := JobID(asText(dropped[i]))
		q.jobs.log.Warn("job dropped: the queue is full", "queue", q.name, "job", id)
		q.jobs.tell(q.name, asText(dropped[i+1]), &notice{id: id, code: codeDropped})
	}
	return nil
}
