package worker

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestDrainFinishesWhatRuns(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun, release := make(chan string, 3), make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			begun <- what
			<-release
			return what, ctx.Err()
		}, Concurrency(1), Prefetch(1))
	})
	id := enqueue(t, q, "running", Keep(time.Minute))
	receive(t, begun)
	ahead := enqueue(t, q, "ahead")
	until(t, "it is fetched ahead", func() bool { job, err := q.Job(t.Context(), ahead); return err == nil && job.State == StateRunning })
	enqueue(t, q, "waiting")
	r.end()
	until(t, "what was not begun is given back", func() bool { i := info(t, q); return i.Waiting == 2 && i.Running == 1 })
	close(release)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if got, err := q.Result(t.Context(), id); err != nil || string(got.Body.Raw()) != `"running"` {
		t.Errorf("%+v, %v", got, err)
	}
	job, err := q.Job(t.Context(), ahead)
	if err != nil || job.Attempt != 0 || job.State != StateWaiting {
		t.Errorf("%+v, %v; want it waiting, without an attempt", job, err)
	}
	if i := info(t, q); i.Workers != 0 {
		t.Errorf("%d workers after the drain", i.Workers)
	}
}

// A handler that outlasts the drain loses its context, and its job goes to another worker without having lost an attempt.
func TestDrainEnds(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun := make(chan struct{})
	r := n.work(&PoolOptions{Drain: 20 * time.Millisecond}, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			close(begun)
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
	})
	id := enqueue(t, q, 1, MaxAttempts(1), Keep(time.Minute))
	receive(t, begun)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	job, err := q.Job(t.Context(), id)
	if err != nil || job.State != StateWaiting || job.Attempt != 0 || len(job.Attempts) != 1 {
		t.Fatalf("%+v, %v; want it waiting, its attempt noted and not counted", job, err)
	}
	n.work(nil, func(p *Pool) { Handle(p, "q", double) })
	if got, err := q.Await(within(t, 10*time.Second), id); err != nil || string(got.Body.Raw()) != "2" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCloseEndsPoolsAndCalls(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun := make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			close(begun)
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
	})
	ended := make(chan error, 1)
	group := newGroup(t)
	group.Go(func() {
		_, err := q.CallBody(within(t, 20*time.Second), 1)
		ended <- err
	})
	receive(t, begun)
	for range 2 {
		if err := n.jobs.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, receive(t, ended), ErrClosed)
	end(group)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	_, err := q.Enqueue(t.Context(), 1)
	if err == nil {
		t.Error("enqueued through a closed door")
	}
	_, err = q.CallBody(t.Context(), 1)
	wantError(t, err, ErrClosed)
}

// A call's end leaves the job alone.
func TestCallerGivesUp(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	release := make(chan struct{})
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (string, error) {
			<-release
			return "done", ctx.Err()
		})
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errTest) })
	_, err := q.CallBody(ctx, 1, Keep(time.Minute))
	given, ok := errors.AsType[*WaitError](err)
	if !ok || !errors.Is(err, errTest) {
		t.Fatalf("%v; want a WaitError with the cause", err)
	}
	close(release)
	if r, err := q.Await(within(t, 10*time.Second), given.ID); err != nil || string(r.Body.Raw()) != `"done"` {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConcurrency(t *testing.T) {
	n := shared(t, "one")
	var runs, most atomic.Int64
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (int, error) {
			now := runs.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			<-time.After(time.Millisecond)
			runs.Add(-1)
			return 0, nil
		}, Concurrency(3), Prefetch(5))
	})
	q := n.jobs.Queue("q")
	jobs := make([]any, 200)
	for i := range jobs {
		jobs[i] = i
	}
	if _, err := q.EnqueueBatch(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	until(t, "all are done", func() bool { return info(t, q).Done == 200 })
	if most.Load() != 3 {
		t.Errorf("%d ran at once, want 3", most.Load())
	}
}

func TestWrongPools(t *testing.T) {
	n := shared(t, "one")
	for name, prepare := range map[string]func(*Pool){
		"nothing":     func(*Pool) {},
		"queue":       func(p *Pool) { Handle(p, "{", double) },
		"twice":       func(p *Pool) { Handle(p, "q", double); Handle(p, "q", double) },
		"concurrency": func(p *Pool) { Handle(p, "q", double, Concurrency(0)) },
		"prefetch":    func(p *Pool) { Handle(p, "q", double, Prefetch(-1)) },
		"weights":     func(p *Pool) { Handle(p, "q", double, Weighted(1, 0, 1)) },
		"nil":         func(p *Pool) { p.HandleBody("q", nil) },
		"backoff":     func(p *Pool) { Handle(p, "q", double, RetryWith(nil)) },
		"cron":        func(p *Pool) { p.Schedule(Schedule{Name: "s", Queue: "q", Cron: "when I like"}) },
		"both":        func(p *Pool) { p.Schedule(Schedule{Name: "s", Queue: "q", Cron: "@hourly", Every: time.Minute}) },
		"often":       func(p *Pool) { p.Schedule(Schedule{Name: "s", Queue: "q", Every: time.Millisecond}) },
		"ID": func(p *Pool) {
			p.Schedule(Schedule{Name: "s", Queue: "q", Cron: "@hourly", Options: []EnqueueOption{WithID("x")}})
		},
	} {
		p := n.jobs.Pool(nil)
		prepare(p)
		if err := p.Run(t.Context()); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
	p := n.jobs.Pool(&PoolOptions{Lease: time.Millisecond})
	Handle(p, "q", double)
	wantError(t, p.Run(t.Context()), ErrOption)
}

// A job that no handler can read is dead at once.
func TestJobThatCantBeDecoded(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) { Handle(p, "q", double) })
	_, err := Call[int](within(t, 10*time.Second), n.jobs.Queue("q"), "not a number")
	failed, ok := errors.AsType[*JobError](err)
	if !ok || failed.Attempts != 1 {
		t.Fatalf("%v; want it dead after the first attempt", err)
	}
	n.client().HSet(t.Context(), n.jobs.Queue("q").base+"job:odd", "d", "\x09")
	n.client().XAdd(t.Context(), xadd(n.jobs.Queue("q").base+"wait:normal", "odd"))
	until(t, "it is dead", func() bool { return info(t, n.jobs.Queue("q")).Dead == 2 })
}

// Raw bodies and msgpack come through as they are.
func TestBodies(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		p.HandleBody("q", func(_ context.Context, job *Job) (bus.Body, error) { return job.Body, nil })
	})
	for _, b := range []bus.Body{bus.JSON(map[string]int{"a": 1}), bus.Msgpack("x"), bus.Bytes([]byte{0, 255}), {}} {
		r, err := n.jobs.Queue("q").CallBody(within(t, 10*time.Second), b)
		if err != nil || r.Body.Format() != b.Format() || !bytes.Equal(r.Body.Raw(), b.Raw()) {
			t.Errorf("%v came back as %+v, %v", b, r, err)
		}
	}
}

// While one exchange is under way, half of the places go along with the next; alone, or beside a job to be started, what there is goes at
// once.
func TestGathering(t *testing.T) {
	n := shared(t, "one")
	in := newIntake(n.jobs.Pool(nil), "q", nil, handleOptions{concurrency: 10})
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range []struct {
		finished, under, held int
		goes                  bool
	}{{1, 0, 0, true}, {2, 1, 0, false}, {3, 1, 0, true}, {10, 1, 0, true}, {0, 1, 1, true}, {2, 1, 1, true}} {
		in.finished, in.under, in.held, in.reserved = make([]settling, c.finished), c.under, make([]entry, c.held), 0
		if p, goes := in.planLocked(time.Now()); goes != c.goes || goes && len(p.settlings) != c.finished {
			t.Errorf("%d finished beside %d exchanges: goes %v with %d", c.finished, c.under, goes, len(p.settlings))
		}
	}
}
