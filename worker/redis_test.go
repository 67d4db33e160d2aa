package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// Redis is killed and restarted under load, with an append-only file: nothing that was taken in is lost, and nothing is done twice as far
// as Redis can tell.
func TestRedisRestart(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	n := attach(t, server.URL(), "r:", "one")
	q := n.jobs.Queue("q")
	ran := newTally()
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, what string) (string, error) {
			ran.add(what)
			return what, nil
		}, Concurrency(8))
	})
	taken := make(map[string]bool)
	for i := range 600 {
		if i == 200 {
			server.Restart()
		}
		what := fmt.Sprint(i)
		_, err := q.Enqueue(within(t, 20*time.Second), what, WithID(JobID("job-"+what)))
		for errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknown) {
			_, err = q.Enqueue(within(t, 20*time.Second), what, WithID(JobID("job-"+what)))
		}
		if err != nil {
			t.Fatal(err)
		}
		taken[what] = true
	}
	until(t, "all are done", func() bool { i := info(t, q); return i.Done == 600 && i.Running+i.Waiting+i.Delayed == 0 })
	for what := range taken {
		if ran.count(what) == 0 {
			t.Errorf("%s never ran", what)
		}
	}
}

// A flush takes the jobs and the groups with it: callers learn of it, and the queue works again.
func TestFlush(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t)
	n := attach(t, server.URL(), "f:", "one")
	q := n.jobs.Queue("q")
	n.work(nil, func(p *Pool) { Handle(p, "q", double) })
	if _, err := Call[int](within(t, 20*time.Second), q, 1); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	group := newGroup(t)
	group.Go(func() {
		_, err := q.CallBody(within(t, 20*time.Second), 1, Delay(time.Hour))
		ended <- err
	})
	until(t, "it waits", func() bool { return info(t, q).Delayed == 1 })
	if err := server.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	wantError(t, receive(t, ended), ErrGone)
	end(group)
	if got, err := Call[int](within(t, 20*time.Second), q, 2); err != nil || got != 4 {
		t.Fatalf("%d, %v; want 4: the groups are made again", got, err)
	}
	if err := server.Client().ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := Call[int](within(t, 20*time.Second), q, 3); err != nil || got != 6 {
		t.Fatalf("%d, %v; want 6: the scripts are loaded again", got, err)
	}
}

// While Redis stands still a worker ends its handlers' contexts, before anybody could take its jobs over; afterwards all goes on.
func TestRedisStandsStill(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t)
	n := attach(t, server.URL(), "p:", "one")
	q := n.jobs.Queue("q")
	begun, causes := make(chan int, 10), make(chan error, 10)
	var begins atomic.Int64
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (int, error) {
			job, _ := JobOf(ctx)
			begun <- job.Attempt
			if begins.Add(1) > 1 {
				return job.Attempt, nil
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return 0, ctx.Err()
		})
	})
	id := enqueue(t, q, 1, Keep(time.Minute), MaxAttempts(1))
	receive(t, begun)
	server.Pause()
	stopped := time.Now()
	wantError(t, receive(t, causes), ErrLeaseLost)
	if took := time.Since(stopped); took > silentOther {
		t.Errorf("its context ended after %v, when others may have taken over", took)
	}
	server.Resume()
	r, err := q.Await(within(t, 20*time.Second), id)
	if err != nil || string(r.Body.Raw()) != "1" {
		t.Fatalf("%+v, %v; want it done, and the lost attempt not counted", r, err)
	}
}

// A Redis that is full refuses new jobs with an error of its own, and lets those be finished that it has.
func TestMaxMemory(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	n := attach(t, server.URL(), "m:", "one")
	q := n.jobs.Queue("q")
	for i := range 50 {
		enqueue(t, q, i)
	}
	dead := enqueue(t, q, -1)
	set := func(limit string) {
		if err := server.Client().ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("1mb")
	_, err := q.Enqueue(t.Context(), 1)
	wantError(t, err, ErrMemory)
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, i int) (int, error) {
			if i == -1 {
				return 0, Reject(errTest)
			}
			return i, nil
		})
	})
	until(t, "all are finished", func() bool { i := info(t, q); return i.Done == 50 && i.Dead == 1 })
	set("0")
	if err := q.RetryDead(t.Context(), dead); err != nil {
		t.Error(err)
	}
	enqueue(t, q, 1)
}

func TestDurable(t *testing.T) {
	server := redistest.Start(t)
	n := attach(t, server.URL(), "d:", "one")
	q := n.jobs.Queue("q")
	id, err := q.Enqueue(t.Context(), 1, Durable(1))
	lacking, ok := errors.AsType[*NotDurableError](err)
	if !ok || lacking.Wanted != 1 || lacking.Reached != 0 || lacking.ID != id {
		t.Fatalf("%v; want 0 of 1 replicas", err)
	}
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", server.Addr()[len("127.0.0.1:"):])
	_ = replica
	until(t, "the replica follows", func() bool {
		_, err := q.Enqueue(t.Context(), 2, Durable(1))
		return err == nil
	})
	all, err := q.EnqueueBatch(t.Context(), make([]any, 2*batchJobs), Durable(1))
	if err != nil || len(all) != 2*batchJobs {
		t.Errorf("%v; want all on the replica", err)
	}
	all, err = q.EnqueueBatch(t.Context(), []any{1, func() {}}, Durable(2))
	if lacking, ok := errors.AsType[*NotDurableError](all[0].Err); !ok || lacking.Reached != 1 || err == nil {
		t.Errorf("%+v, %v; want 1 of 2 replicas", all[0], err)
	}
	wantError(t, all[1].Err, bus.ErrBody)
}

func TestRedisAway(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t)
	n := attach(t, server.URL(), "a:", "one")
	q := n.jobs.Queue("q")
	enqueue(t, q, 1)
	var dials dialLog
	redis.SetLogger(&dials)
	server.Kill()
	_, err := q.Enqueue(within(t, 10*time.Second), 1)
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) {
		t.Errorf("%v; want ErrUnavailable or ErrUnknown", err)
	}
	_, err = q.Enqueue(within(t, 10*time.Second), 1)
	wantError(t, err, ErrUnavailable)
	_, err = q.Info(within(t, 10*time.Second))
	wantError(t, err, ErrUnavailable)
	if said := dials.said.Load(); said > 0 {
		t.Errorf("go-redis logged %d failed dials past our logger", said)
	}
}

// dialLog counts what go-redis logs of connections that could not be made.
type dialLog struct{ said atomic.Int64 }

// Printf implements the logger of go-redis.
func (l *dialLog) Printf(_ context.Context, format string, _ ...any) {
	if strings.Contains(format, "failed to dial") {
		l.said.Add(1)
	}
}
