package worker

import (
	"context"
	"iter"
	"sync"

	"github.com/ackbus/ackbus/internal/run"
)

// Mapped is what became of one job of a Map.
type Mapped[Res any] struct {
	ID    JobID
	Index int // of the job in what was given, from 0
	Value Res
}

// Map calls every job of a sequence, as many at a time as InFlight says, and yields results as they come, in whatever order. A job that
// failed yields its error (a *JobError, mostly); the others go on. Breaking the loop, or the end of ctx, ends the waiting: the jobs that
// were enqueued go on. The sequence is read from a goroutine of its own, and not beyond what may be in flight.
func Map[Res any](ctx context.Context, q *Queue, jobs iter.Seq[any], opts ...EnqueueOption) iter.Seq2[Mapped[Res], error] {
	return func(yield func(Mapped[Res], error) bool) {
		o, err := collect(opts)
		if err != nil {
			yield(Mapped[Res]{}, q.fail("map over", err))
			return
		}
		m := &mapping[Res]{queue: q, opts: opts, group: run.New(ctx), answers: make(chan mapAnswer[Res]),
			places: make(chan struct{}, o.inFlight)}
		defer m.group.Wait()
		defer m.group.Stop()
		m.group.Go(func() { m.callAll(jobs) })
		for a := range m.answers {
			if !yield(a.mapped, a.err) {
				return
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(Mapped[Res]{}, q.fail("map over", err))
		}
	}
}

// A mapping is one Map under way.
type mapping[Res any] struct {
	queue   *Queue
	opts    []EnqueueOption
	group   *run.Group
	calls   sync.WaitGroup
	answers chan mapAnswer[Res]
	places  chan struct{}
}

type mapAnswer[Res any] struct {
	mapped Mapped[Res]
	err    error
}

// callAll calls a job for each place that is free, until the sequence or the mapping ends.
func (m *mapping[Res]) callAll(jobs iter.Seq[any]) {
	defer close(m.answers)
	defer m.calls.Wait()
	index := 0
	for job := range jobs {
		select {
		case m.places <- struct{}{}:
		case <-m.group.Context().Done():
			return
		}
		at := index
		index++
		m.calls.Add(1)
		if !m.group.Go(func() { m.call(job, at) }) {
			m.calls.Done()
			return
		}
	}
}

// call calls one job, and gives its place free once its answer was taken.
func (m *mapping[Res]) call(job any, index int) {
	defer m.calls.Done()
	var a mapAnswer[Res]
	a.mapped, a.err = mapOne[Res](m.group.Context(), m.queue, job, index, m.opts)
	select {
	case m.answers <- a:
	case <-m.group.Context().Done():
	}
	<-m.places
}

// mapOne calls one job.
func mapOne[Res any](ctx context.Context, q *Queue, job any, index int, opts []EnqueueOption) (Mapped[Res], error) {
	m := Mapped[Res]{Index: index}
	r, value, err := callInto[Res](ctx, q, job, opts)
	if r != nil {
		m.ID = r.ID
	}
	m.Value = value
	return m, err
}
