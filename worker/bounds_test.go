package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// large is a job that few fit of into one answer.
var large = strings.Repeat("x", 1<<20-2)

// Jobs that together are too large for one answer are started over several.
func TestLargeJobs(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	const jobs = 12
	for range jobs {
		enqueue(t, q, large, Keep(time.Minute))
	}
	taken, err := n.jobs.store.list(t.Context(), 7, scriptExchange, q.base, "w", 0, 0, jobs, jobs, 1, lineNormal, jobs)
	if err != nil {
		t.Fatal(err)
	}
	started, later := len(asList(taken[5]))/jobParts, len(asList(taken[6]))/3
	if started > 5 || started+later != jobs {
		t.Errorf("%d started and %d left for later; want 5 at most, and none lost", started, later)
	}
	takeOver(t, n, "w")
	begun, release := make(chan struct{}, jobs), make(chan struct{})
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, text string) (string, error) {
			begun <- struct{}{}
			<-release
			return text, nil
		}, Concurrency(jobs))
	})
	for range jobs { // at once, although one answer does not hold them
		receive(t, begun)
	}
	close(release)
	until(t, "all are done", func() bool { i := info(t, q); return i.Done == jobs && i.Running+i.Waiting == 0 })
}

// Results that together are too large for one answer are found over several.
func TestLargeResults(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, text string) (string, error) { return text, nil })
	})
	args := []any{""}
	var waiters []*waiter
	const jobs = 8
	for range jobs {
		id := enqueue(t, q, large, Keep(time.Minute))
		args = append(args, string(id))
		waiters = append(waiters, &waiter{queue: q, id: id, wake: make(chan struct{}, 1)})
	}
	until(t, "all are done", func() bool { return info(t, q).Done == jobs })
	found, err := q.list(t.Context(), 2*jobs, scriptLook, args...)
	if err != nil || asNumber(found[0]) != stateOver || asNumber(found[2*jobs-2]) != stateLater {
		t.Fatalf("%v; want the first found and the last later", err)
	}
	for left := waiters; len(left) > 0; {
		later := n.jobs.look(q, left)
		if len(later) >= len(left) {
			t.Fatalf("%d of %d left", len(later), len(left))
		}
		left = later
	}
	for _, w := range waiters {
		if _, over, err := w.news(); over == nil || err != nil {
			t.Errorf("%+v, %v; want every result", over, err)
		}
	}
}

// One exchange carries no more than Redis can take in within its time.
func TestCut(t *testing.T) {
	finished := make([]settling, 10)
	for i := range finished {
		finished[i].parts[1] = large
	}
	now, later := cut(finished)
	if len(now) != 5 || len(now)+len(later) != 10 {
		t.Errorf("%d now, %d later; want 5 of a MiB", len(now), len(later))
	}
	if now, later = cut(make([]settling, mostSettlings+1)); len(now) != mostSettlings || len(later) != 1 {
		t.Errorf("%d now, %d later", len(now), len(later))
	}
	if now, later = cut(nil); len(now)+len(later) != 0 {
		t.Error("something of nothing")
	}
}

// A pool works at more queues than it has connections for commands: each listens on one of its own.
func TestManyQueues(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	const queues = commandConns + 8
	n.work(nil, func(p *Pool) {
		for i := range queues {
			Handle(p, fmt.Sprint("q", i), double, Concurrency(1))
		}
	})
	for i := range queues {
		until(t, "its listener blocks", func() bool { return info(t, n.jobs.Queue(fmt.Sprint("q", i))).Workers == 1 })
	}
	for range 2 {
		for i := range queues {
			if got, err := Call[int](within(t, 20*time.Second), n.jobs.Queue(fmt.Sprint("q", i)), i); err != nil || got != 2*i {
				t.Fatalf("queue %d: %d, %v", i, got, err)
			}
		}
	}
}

// Names that come from outside don't pile up; one queue is one for all who use it at a time.
func TestQueuesAreForgotten(t *testing.T) {
	n := shared(t, "one")
	kept := n.jobs.Queue("kept")
	const names = 20_000
	for i := range names {
		n.jobs.Queue(fmt.Sprint("random-", i))
		if i%1000 == 0 {
			runtime.GC()
		}
	}
	n.jobs.mu.Lock()
	remembered := len(n.jobs.queues)
	n.jobs.mu.Unlock()
	if remembered > names/2 {
		t.Errorf("%d queues of %d are remembered", remembered, names)
	}
	if n.jobs.Queue("kept") != kept {
		t.Error("a queue that is used became another")
	}
	runtime.KeepAlive(kept)
}

// The bound of dead letters is the queue's; what is dropped is counted.
func TestDeadLettersLimit(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	if err := q.SetLimits(t.Context(), Limits{DeadLetters: 2}); err != nil {
		t.Fatal(err)
	}
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (int, error) { return 0, Reject(errTest) }, Concurrency(1))
	})
	var ids []JobID
	for i := range 5 {
		id := enqueue(t, q, i)
		until(t, "it is dead", func() bool { return info(t, q).Died == int64(i)+1 })
		ids = append(ids, id)
	}
	if i := info(t, q); i.Dead != 2 || i.DeadDropped != 3 || i.Limits.DeadLetters != 2 {
		t.Errorf("%+v; want 2 kept and 3 dropped", i)
	}
	if _, err := q.Job(t.Context(), ids[2]); !errors.Is(err, ErrNoJob) {
		t.Errorf("%v; want the longest dead dropped", err)
	}
	if err := q.SetLimits(t.Context(), Limits{DeadLetters: -1}); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, 9)
	until(t, "it is dead", func() bool { return info(t, q).Dead == 3 })
}

// A server that is up and unfit for work counts as one that can't be reached: nothing was done.
func TestRefusals(t *testing.T) {
	n := shared(t, "one")
	for _, text := range []string{"MISCONF Redis is configured to save RDB snapshots", "NOREPLICAS Not enough good replicas to write.",
		"BUSY Redis is busy running a script", "LOADING Redis is loading the dataset in memory", "READONLY You can't write"} {
		err := n.client().Eval(t.Context(), "return redis.error_reply(ARGV[1])", nil, text).Err()
		wantError(t, redisError(err), ErrUnavailable)
	}
}
