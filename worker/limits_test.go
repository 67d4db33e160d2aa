package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	r, got := collecting(n, "q")
	_ = r
	if err := q.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		enqueue(t, q, "paused")
	}
	until(t, "the pool has asked", func() bool {
		in := r.pool.intakes["q"]
		in.mu.Lock()
		defer in.mu.Unlock()
		return !in.notBefore.IsZero()
	})
	if i := info(t, q); !i.Paused || i.Done != 0 || i.Waiting+i.Running != 3 {
		t.Errorf("%+v; want 3 that wait", i)
	}
	if len(got) > 0 {
		t.Error("a job of a paused queue ran")
	}
	if err := q.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		receive(t, got)
	}
}

func TestRunningLimit(t *testing.T) {
	a, b := shared(t, "a"), shared(t, "b")
	q := a.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Running: 2}); err != nil {
		t.Fatal(err)
	}
	var runs, most atomic.Int64
	for _, n := range []*node{a, b} {
		n.work(nil, func(p *Pool) {
			Handle(p, "q", func(context.Context, int) (int, error) {
				now := runs.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				<-time.After(2 * time.Millisecond)
				runs.Add(-1)
				return 0, nil
			})
		})
	}
	for i := range 60 {
		enqueue(t, q, i)
	}
	until(t, "all are done", func() bool { return info(t, q).Done == 60 })
	if most.Load() != 2 {
		t.Errorf("%d ran at once over the cluster, want 2", most.Load())
	}
}

func TestRate(t *testing.T) {
	a, b := shared(t, "a"), shared(t, "b")
	q := a.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Rate: 50, Burst: 5}); err != nil {
		t.Fatal(err)
	}
	for range 25 {
		enqueue(t, q, "x")
	}
	start := time.Now()
	_, gotA := collecting(a, "q")
	_, gotB := collecting(b, "q")
	for range 25 {
		select {
		case <-gotA:
		case <-gotB:
		case <-time.After(10 * time.Second):
			t.Fatal("no job within 10 s")
		}
	}
	if took := time.Since(start); took < 380*time.Millisecond || took > 10*time.Second {
		t.Errorf("5 at once and 20 at 50/s took %v, want 400 ms", took)
	}
	if l := info(t, q).Limits; l != (Limits{Rate: 50, Per: time.Second, Burst: 5}) {
		t.Errorf("limits %+v", l)
	}
}

func TestLength(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Length: 3}); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, "delayed", Delay(time.Hour))
	enqueue(t, q, "a")
	enqueue(t, q, "b")
	_, err := q.Enqueue(t.Context(), "c")
	wantError(t, err, ErrQueueFull)
	for wait := 50 * time.Millisecond; wait < 10*time.Second; wait *= 2 { // a busy machine may need more to hear from Redis at all
		if _, err = q.Enqueue(within(t, wait), "c", WaitForRoom()); !errors.Is(err, ErrUnavailable) {
			break
		}
	}
	wantError(t, err, ErrQueueFull)
	wantError(t, err, context.DeadlineExceeded)
	_, got := collecting(n, "q")
	if _, err = q.Enqueue(within(t, 10*time.Second), "c", WaitForRoom()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b", "c"} {
		if what := receive(t, got); what != want && want == "c" {
			t.Errorf("%q, want %q", what, want)
		}
	}
	wantError(t, q.SetLimits(t.Context(), Limits{Length: -1}), ErrOption)
}

func TestDropOldest(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Length: 2, DropOldest: true}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	group := newGroup(t)
	group.Go(func() {
		_, err := q.CallBody(within(t, 10*time.Second), "oldest", WithPriority(Low))
		ended <- err
	})
	until(t, "it waits", func() bool { return info(t, q).Waiting == 1 })
	enqueue(t, q, "a")
	enqueue(t, q, "b")
	wantError(t, receive(t, ended), ErrDropped)
	end(group)
	enqueue(t, q, "c")
	if i := info(t, q); i.Dropped != 2 || i.Waiting != 2 {
		t.Errorf("%+v; want 2 dropped and 2 waiting", i)
	}
	_, got := collecting(n, "q")
	if what := receive(t, got) + receive(t, got); what != "bc" && what != "cb" {
		t.Errorf("%q ran, want b and c", what)
	}
	until(t, "both are done", func() bool { return info(t, q).Done == 2 })
	enqueue(t, q, "d", Delay(time.Hour))
	enqueue(t, q, "e", Delay(time.Hour))
	_, err := q.Enqueue(t.Context(), "f")
	if !errors.Is(err, ErrQueueFull) {
		t.Errorf("%v; want ErrQueueFull: delayed jobs are not dropped", err)
	}
}
