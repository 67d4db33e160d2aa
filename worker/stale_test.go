package worker

import (
	"context"
	"errors"
	"testing"
	"time"
)

// pending is how many entries of a queue are with workers.
func pending(t *testing.T, n *node, q *Queue) (count int64) {
	t.Helper()
	for _, line := range lineNames {
		p, err := n.client().XPending(t.Context(), q.base+"wait:"+line, groupName).Result()
		if err == nil {
			count += p.Count
		}
	}
	return count
}

// The entry of a job that was deleted while it ran does not start the job that was enqueued under its ID since.
func TestEntryOfADeletedJob(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	begun, first, second := make(chan string, 10), make(chan struct{}), make(chan struct{})
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, what string) (string, error) {
			begun <- what
			if what == "first" {
				<-first
			} else {
				<-second
			}
			return what, nil
		}, Concurrency(3))
	})
	enqueue(t, q, "first", WithID("x"))
	receive(t, begun)
	if err := q.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, "second", WithID("x"))
	if what := receive(t, begun); what != "second" {
		t.Fatalf("%q began", what)
	}
	close(first)
	in := r.pool.intakes["q"]
	until(t, "the first has ended", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.taken == 1 && len(in.finished) == 0 && in.under == 0
	})
	for range 3 {
		in.audit(t.Context())
	}
	if got := pending(t, n, q); got != 1 {
		t.Errorf("%d entries are with workers, want that of the second alone", got)
	}
	close(second)
	r2, err := q.Await(within(t, 20*time.Second), "x")
	if err != nil || string(r2.Body.Raw()) != `"second"` || r2.Attempt != 1 {
		t.Errorf("%+v, %v; want the second's first attempt", r2, err)
	}
	if len(begun) > 0 {
		t.Errorf("%q was started again", <-begun)
	}
}

// Jobs that were deleted while they waited don't count, and take no room; a later job under the same ID starts when it is due, not
// when the first one would have.
func TestDeletedWhileWaiting(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Length: 3}); err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]EnqueueOption{nil, {WithID("x")}, {WithID("y"), WithPriority(High)}} {
		id := enqueue(t, q, "deleted", opts...)
		if err := q.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if i := info(t, q); i.Waiting != 0 {
		t.Errorf("%+v; want nothing waiting", i)
	}
	enqueue(t, q, "delayed", WithID("x"), Delay(time.Hour))
	enqueue(t, q, "plain")
	enqueue(t, q, "again", WithID("y"), WithPriority(Low))
	_, err := q.Enqueue(t.Context(), "one too many")
	wantError(t, err, ErrQueueFull)
	_, got := collecting(n, "q", Concurrency(1))
	for _, want := range []string{"plain", "again"} {
		if what := receive(t, got); what != want {
			t.Errorf("%q ran, want %q", what, want)
		}
	}
	until(t, "both are done", func() bool { return info(t, q).Done == 2 })
	if i := info(t, q); i.Waiting+i.Running != 0 || i.Delayed != 1 || len(got) != 0 {
		t.Errorf("%+v; want the delayed one left", i)
	}
	ghosts, err := n.client().HExists(t.Context(), q.base+"meta", "ghosts").Result()
	if err != nil || ghosts {
		t.Errorf("%v; want no entries of deleted jobs left", err)
	}
}

// A queue that drops the oldest passes over those that were deleted.
func TestDropOldestOfDeleted(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{Length: 2, DropOldest: true}); err != nil {
		t.Fatal(err)
	}
	deleted, oldest := enqueue(t, q, 1), enqueue(t, q, 2)
	if err := q.Delete(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, 3)
	if i := info(t, q); i.Waiting != 2 || i.Dropped != 0 {
		t.Errorf("%+v; want the place of the deleted one taken", i)
	}
	enqueue(t, q, 4)
	if i := info(t, q); i.Waiting != 2 || i.Dropped != 1 {
		t.Errorf("%+v; want one dropped", i)
	}
	if _, err := q.Job(t.Context(), oldest); !errors.Is(err, ErrNoJob) {
		t.Errorf("%v; want the oldest dropped", err)
	}
}

// Somebody who begins to await a job while it runs gets its result, although nobody had asked for it when it was started.
func TestAwaitedSinceItWasStarted(t *testing.T) {
	asker, doer := shared(t, "asker"), shared(t, "doer")
	q := doer.jobs.Queue("q")
	begun, release := make(chan struct{}), make(chan struct{})
	doer.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (string, error) {
			close(begun)
			<-release
			return "wanted", nil
		})
	})
	id := enqueue(t, q, 1)
	receive(t, begun)
	results := make(chan *Result, 1)
	group := newGroup(t)
	group.Go(func() {
		r, err := asker.jobs.Queue("q").Await(within(t, 20*time.Second), id)
		if err != nil {
			t.Error(err)
		}
		results <- r
	})
	until(t, "it is awaited", func() bool {
		askers, err := doer.client().HGet(t.Context(), q.base+"job:"+string(id), "k").Result()
		return err == nil && askers != ""
	})
	close(release)
	if r := receive(t, results); r == nil || string(r.Body.Raw()) != `"wanted"` {
		t.Errorf("%+v", r)
	}
	// Who asks now finds it in Redis: that notice may have been lost.
	if r, err := q.Result(t.Context(), id); err != nil || string(r.Body.Raw()) != `"wanted"` {
		t.Errorf("%+v, %v; want the result that was told", r, err)
	}
	end(group)
}

// A share of none is no bar: what the other lines don't use up is for all.
func TestWeightedTakesWhatThereIs(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	enqueue(t, q, "low", WithPriority(Low))
	taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 0, 0, 1, 1, 4, lineAgain, 1, lineHigh, 1, lineNormal, 0,
		lineLow, 0)
	if err != nil || len(asList(taken[5])) != jobParts {
		t.Errorf("%v, %v; want the low one", taken, err)
	}
}
