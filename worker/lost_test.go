package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// What was fetched ahead does not begin once the worker was taken for dead: others have it.
func TestNothingBeginsWithALostLease(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun, causes, lost, release := make(chan string, 10), make(chan error, 10), make(chan struct{}), make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			begun <- what
			if ctx.Err() != nil {
				causes <- context.Cause(ctx)
			}
			if job, _ := JobOf(ctx); what == "first" && job.Attempt == 1 {
				<-ctx.Done()
				close(lost)
				<-release
			}
			return what, nil
		}, Concurrency(1), Prefetch(1))
	})
	enqueue(t, q, "first")
	receive(t, begun)
	ahead := enqueue(t, q, "ahead", MaxAttempts(1))
	until(t, "it is fetched ahead", func() bool { job, err := q.Job(t.Context(), ahead); return err == nil && job.State == StateRunning })
	takeOver(t, n, r.pool.id)
	receive(t, lost)
	close(release)
	until(t, "all are done", func() bool { i := info(t, q); return i.Done == 2 && i.Running+i.Waiting == 0 })
	for len(causes) > 0 {
		t.Errorf("a handler began with a context that had ended: %v", <-causes)
	}
}

// A queue whose heartbeats fail is fenced although those of the pool's other queues come through: others judge by each.
func TestFenceOfOneQueue(t *testing.T) {
	n := shared(t, "one")
	p := n.jobs.Pool(nil)
	Handle(p, "a", double)
	Handle(p, "b", double)
	a, b := p.intakes["a"], p.intakes["b"]
	a.beat(time.Now().Add(-silentSelf - time.Second))
	b.beat(time.Now())
	for _, in := range p.intakes {
		in.guard(in.silent() > silentSelf)
	}
	if !errors.Is(a.fenced, ErrLeaseLost) || b.fenced != nil {
		t.Errorf("a: %v, b: %v; want the one without heartbeats fenced", a.fenced, b.fenced)
	}
	a.beat(time.Now())
	a.guard(a.silent() > silentSelf)
	if a.fenced != nil {
		t.Errorf("%v; want the fence lifted", a.fenced)
	}
}

// A handler that ends its goroutine has failed; its place is free again.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, ends bool) (bool, error) {
			if ends {
				goexit()
			}
			return ends, nil
		}, Concurrency(1))
	})
	q := n.jobs.Queue("q")
	_, err := Call[bool](within(t, 20*time.Second), q, true, MaxAttempts(1))
	wantError(t, err, ErrDead)
	if _, err := Call[bool](within(t, 20*time.Second), q, false); err != nil {
		t.Error(err)
	}
}

// A worker that has just joined takes over as fast as one that has been there. On a busy machine one may be held up.
func TestNewcomerTakesOver(t *testing.T) {
	leak.Check(t)
	heir := shared(t, "heir")
	until(t, "the server has been up for long enough", func() bool { return heir.jobs.store.up(t.Context()) >= calmAfter })
	var took []time.Duration
	for _, queue := range []string{"q1", "q2", "q3"} {
		took = append(took, newcomerTakesOver(t, heir, queue))
		if last := took[len(took)-1]; last < goneAfter {
			t.Fatalf("it took over after %v, want about 1.7 s", last)
		} else if last <= calmAfter {
			return
		}
	}
	t.Errorf("newcomers took over after %v, want about 1.7 s", took)
}

// newcomerTakesOver has a worker die, and says how long after it joined the heir ran the job.
func newcomerTakesOver(t *testing.T, heir *node, queue string) time.Duration {
	t.Helper()
	dying := attachMortal(t, "dying")
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	dying.work(&PoolOptions{Drain: -1}, func(p *Pool) {
		Handle(p, queue, func(context.Context, int) (int, error) {
			close(begun)
			<-release
			return 0, nil
		})
	})
	enqueue(t, heir.jobs.Queue(queue), 1)
	receive(t, begun)
	dying.die()
	got := make(chan time.Time, 1)
	joined := time.Now()
	heir.work(nil, func(p *Pool) {
		Handle(p, queue, func(context.Context, int) (int, error) {
			got <- time.Now()
			return 0, nil
		})
	})
	return receive(t, got).Sub(joined)
}
