package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func TestCall(t *testing.T) {
	leak.Check(t)
	asker, doer := shared(t, "asker"), shared(t, "doer")
	doer.work(nil, func(p *Pool) { Handle(p, "double", double) })
	got, err := Call[int](within(t, 10*time.Second), asker.jobs.Queue("double"), 21)
	if err != nil || got != 42 {
		t.Fatalf("%d, %v; want 42", got, err)
	}
	r, err := asker.jobs.Queue("double").CallBody(within(t, 10*time.Second), bus.Msgpack(4))
	if err != nil || string(r.Body.Raw()) != "8" || r.Worker != "doer" || r.Attempt != 1 {
		t.Fatalf("%+v, %v; want 8 by doer at its first attempt", r, err)
	}
}

// Many callers at once get each their own results.
func TestManyCalls(t *testing.T) {
	leak.Check(t)
	asker, doer := shared(t, "asker"), shared(t, "doer")
	for _, n := range []*node{asker, doer} { // one of them is the asker itself
		n.work(nil, func(p *Pool) { Handle(p, "double", double, Concurrency(20)) })
	}
	const callers, calls = 50, 40
	ctx := within(t, 60*time.Second)
	group := run.New(t.Context())
	var mu sync.Mutex
	var failures []error
	for c := range callers {
		group.Go(func() {
			for i := range calls {
				n := c*calls + i
				got, err := Call[int](ctx, asker.jobs.Queue("double"), n)
				if err == nil && got != 2*n {
					err = fmt.Errorf("double of %d is %d", n, got)
				}
				if err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
				}
			}
		})
	}
	end(group)
	if len(failures) > 0 {
		t.Fatalf("%d of %d calls failed: %v", len(failures), callers*calls, failures[0])
	}
}

// An awaited job that fails for good ends its caller with the last error.
func TestCallOfADyingJob(t *testing.T) {
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "fails", func(context.Context, int) (int, error) {
			return 0, RetryAfter(time.Millisecond, bus.Reject("no_funds", "the account is empty"))
		})
	})
	_, err := Call[int](within(t, 10*time.Second), n.jobs.Queue("fails"), 1, MaxAttempts(3))
	wantError(t, err, ErrDead)
	failed, ok := errors.AsType[*JobError](err)
	if !ok || failed.Code != "no_funds" || failed.Attempts != 3 || failed.Worker != "one" {
		t.Fatalf("%+v; want no_funds after 3 attempts at one", failed)
	}
}

// A result that is too large to be told is fetched.
func TestLargeResult(t *testing.T) {
	asker, doer := shared(t, "asker"), shared(t, "doer")
	doer.work(nil, func(p *Pool) {
		p.HandleBody("q", func(_ context.Context, job *Job) (bus.Body, error) { return job.Body, nil })
	})
	large := bus.Bytes(make([]byte, maxTold+1))
	for _, n := range []*node{asker, doer} {
		r, err := n.jobs.Queue("q").CallBody(within(t, 20*time.Second), large)
		if err != nil || len(r.Body.Raw()) != maxTold+1 {
			t.Fatalf("%v; want %d bytes back", err, maxTold+1)
		}
	}
}

// A worker that dies between completing a job and telling of it leaves the result where its caller finds it.
func TestCallFindsWhatNobodyTold(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	results := make(chan *Result, 1)
	group := newGroup(t)
	group.Go(func() {
		r, err := q.CallBody(within(t, 20*time.Second), 1)
		if err != nil {
			t.Error(err)
		}
		results <- r
	})
	until(t, "it waits", func() bool { return info(t, q).Waiting == 1 })
	taken, err := n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 0, 0, 1, 1, 1, lineNormal, 1)
	if err != nil {
		t.Fatal(err)
	}
	job := asList(taken[5])
	result := (&notice{id: JobID(asText(job[2])), worker: "w", attempt: 1, body: bus.JSON("found")}).encode()
	_, err = n.jobs.store.list(t.Context(), 6, scriptExchange, q.base, "w", 1, "d", job[0], job[1], job[2], job[4], "0", result, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r := receive(t, results); r == nil || string(r.Body.Raw()) != `"found"` {
		t.Errorf("%+v", r)
	}
	end(group)
}
