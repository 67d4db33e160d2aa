package worker

import (
	"context"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// A worker that was taken for dead gets its own job again. What the handler that had it before says then counts for nothing, although the
// worker is the same.
func TestLateAttemptAtTheSameWorker(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun, again, said, release := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, what string) (string, error) {
			job, _ := JobOf(ctx)
			switch {
			case what != "slow":
				return what, nil
			case job.Attempt == 1:
				close(begun)
				<-again // whatever its context says
				close(said)
				return "late", nil
			default:
				close(again)
				<-release
				return "in time", nil
			}
		}, Concurrency(3))
	})
	id := enqueue(t, q, "slow", Keep(time.Minute))
	receive(t, begun)
	takeOver(t, n, r.pool.id)
	receive(t, said)
	for range 3 { // what the first attempt said has come to Redis by then
		if _, err := Call[string](within(t, 20*time.Second), q, "quick"); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	got, err := q.Await(within(t, 20*time.Second), id)
	if err != nil || string(got.Body.Raw()) != `"in time"` || got.Attempt != 2 {
		t.Errorf("%+v, %v; want the result of the second attempt", got, err)
	}
	if i := info(t, q); i.Done != 4 || i.Running+i.Waiting+i.Delayed != 0 {
		t.Errorf("%+v; want 4 done, and nothing left", i)
	}
}

// A tick that another node has fired is not fired again, also when its job is long over, and leaves nothing to tell.
func TestFiredTickIsNotFiredAgain(t *testing.T) {
	leak.Check(t)
	first, second := shared(t, "first"), shared(t, "second")
	q := first.jobs.Queue("q")
	ran := newTally()
	first.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ string) (int, error) {
			job, _ := JobOf(ctx)
			ran.add(string(job.ID))
			return 0, nil
		})
	})
	plan := Schedule{Every: time.Hour, Job: "x"}
	a, b := scheduling(t, first, plan), scheduling(t, second, plan)
	if _, err := q.list(t.Context(), 3, scriptFire, a.Name, ""); err != nil { // a new schedule begins now
		t.Fatal(err)
	}
	tick := time.Now().Add(time.Hour).Truncate(time.Hour)
	for i, fires := range []*schedule{a, b, a} {
		if err := fires.fire(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
		until(t, "no job is left", func() bool { is := info(t, q); return is.Done > 0 && is.Waiting+is.Running+is.Delayed == 0 })
		if done := info(t, q).Done; done != 1 {
			t.Fatalf("%d jobs for one tick after %d nodes fired it", done, i+1)
		}
	}
	if err := b.fire(t.Context(), tick.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	until(t, "the next tick is fired", func() bool { return info(t, q).Done == 2 })
	if id := "s@" + tick.UTC().Format(time.RFC3339); ran.count(id) != 1 {
		t.Errorf("%s ran %d times", id, ran.count(id))
	}
}
