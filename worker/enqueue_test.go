package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

// collecting runs a pool that hands out the jobs that it got.
func collecting(n *node, queue string, opts ...HandleOption) (*running, chan string) {
	got := make(chan string, 10_000)
	return n.work(nil, func(p *Pool) {
		Handle(p, queue, func(_ context.Context, what string) (string, error) {
			got <- what
			return what, nil
		}, opts...)
	}), got
}

func TestEnqueueUnderAChosenID(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	for range 3 {
		if id := enqueue(t, q, "once", WithID("invoice-7")); id != "invoice-7" {
			t.Fatalf("ID %q", id)
		}
	}
	_, got := collecting(n, "q")
	receive(t, got)
	until(t, "it is done", func() bool { return info(t, q).Done == 1 })
	enqueue(t, q, "once", WithID("invoice-7")) // its completion is remembered
	enqueue(t, q, "end")
	if next := receive(t, got); next != "end" {
		t.Fatalf("%q ran again", next)
	}
}

func TestUnique(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	first := enqueue(t, q, "a", Unique("key", 0))
	_, err := q.Enqueue(t.Context(), "b", Unique("key", 0))
	if held, ok := errors.AsType[*DuplicateError](err); !ok || held.ID != first || held.Key != "key" {
		t.Fatalf("%v; want the key held by %s", err, first)
	}
	_, got := collecting(n, "q")
	receive(t, got)
	until(t, "it is done", func() bool { return info(t, q).Done == 1 })
	second := enqueue(t, q, "c", Unique("key", 0)) // finished: the key is free
	receive(t, got)

	third := enqueue(t, q, "d", Unique("window", time.Minute))
	receive(t, got)
	_, err = q.Enqueue(t.Context(), "e", Unique("window", time.Minute))
	if held, ok := errors.AsType[*DuplicateError](err); !ok || held.ID != third {
		t.Fatalf("%v; want the key held by %s (the other was %s)", err, third, second)
	}
	enqueue(t, q, "f", Unique("short", 50*time.Millisecond))
	until(t, "the window is over", func() bool {
		_, err := q.Enqueue(t.Context(), "g", Unique("short", 50*time.Millisecond))
		return err == nil
	})
}

func TestDelay(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	due := make(map[string]time.Time)
	put := func(what string, at time.Time, opts ...EnqueueOption) {
		due[what] = at
		enqueue(t, q, what, opts...)
	}
	start := time.Now()
	soon, later := start.Add(150*time.Millisecond), start.Add(400*time.Millisecond)
	put("later", later, Delay(400*time.Millisecond))
	put("soon", soon, At(soon))
	put("never", time.Time{}, Delay(time.Hour))
	put("past", start, At(start.Add(-time.Hour)))
	put("now", start)
	_, got := collecting(n, "q") // in which order they come depends on how long all that took
	for range 4 {
		what := receive(t, got)
		const clocks = 5 * time.Millisecond // Redis counts whole milliseconds, by its own
		if early := time.Until(due[what]); what == "never" || early > clocks {
			t.Errorf("%q came %v before it was due", what, early)
		}
	}
}

func TestPriorities(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []HandleOption
		want string
	}{
		{"strict", nil, "hhhhhhnnnnnnllllll"},
		{"weighted", []HandleOption{Weighted(3, 2, 1)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := shared(t, "one")
			q := n.jobs.Queue("q")
			for range 6 {
				for p, what := range map[Priority]string{High: "h", Normal: "n", Low: "l"} {
					enqueue(t, q, what, WithPriority(p))
				}
			}
			_, got := collecting(n, "q", append(c.opts, Concurrency(1))...)
			var order strings.Builder
			for range 18 {
				order.WriteString(receive(t, got))
			}
			if c.want != "" && order.String() != c.want {
				t.Errorf("%s, want %s", order.String(), c.want)
			}
			if c.want == "" { // of the first six: three, two, one
				first := order.String()[:6]
				if strings.Count(first, "h") != 3 || strings.Count(first, "n") != 2 || strings.Count(first, "l") != 1 {
					t.Errorf("%s, want 3 h, 2 n and 1 l first", order.String())
				}
			}
		})
	}
}

func TestStartWithin(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	id := enqueue(t, q, "late", StartWithin(time.Millisecond))
	clock := func() int64 { now, _ := n.client().Time(t.Context()).Result(); return now.UnixMilli() }
	for start := clock(); clock() < start+5; {
	}
	_, got := collecting(n, "q")
	_, err := q.Await(within(t, 10*time.Second), id)
	wantError(t, err, ErrExpired)
	enqueue(t, q, "in time", StartWithin(time.Minute))
	if what := receive(t, got); what != "in time" {
		t.Errorf("%q ran", what)
	}
	if d, err := q.Dead(t.Context(), 0, 10); err != nil || d.Total != 1 || d.Jobs[0].Code != codeExpired {
		t.Errorf("%+v, %v; want the late one", d, err)
	}
}

func TestBatch(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	jobs := make([]any, 2000)
	for i := range jobs {
		jobs[i] = fmt.Sprint(i)
	}
	jobs[7] = make(chan int) // can't be encoded
	results, err := q.EnqueueBatch(within(t, 20*time.Second), jobs)
	wantError(t, err, bus.ErrBody)
	if results[7].Err == nil || results[8].Err != nil || results[8].ID == "" {
		t.Errorf("%+v and %+v; want an error and an ID", results[7], results[8])
	}
	if i := info(t, q); i.Waiting != 1999 || i.Oldest < 0 {
		t.Errorf("%+v; want 1999 waiting", i)
	}
	_, got := collecting(n, "q", Concurrency(50), Prefetch(50))
	seen := make(map[string]bool)
	for range 1999 {
		seen[receive(t, got)] = true
	}
	if len(seen) != 1999 {
		t.Errorf("%d different jobs ran, want 1999", len(seen))
	}
	until(t, "all are done", func() bool { i := info(t, q); return i.Done == 1999 && i.Running == 0 })
}

// The jobs of a batch wait in its order, whoever else enqueues meanwhile (up to what one script carries).
func TestBatchKeepsOrder(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	const others, size = 4, 100
	var all sync.WaitGroup
	group := newGroup(t)
	for i := range others {
		all.Add(1)
		group.Go(func() {
			defer all.Done()
			batch := make([]any, size)
			for k := range batch {
				batch[k] = fmt.Sprint(i, " ", k)
			}
			if _, err := q.EnqueueBatch(t.Context(), batch); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, got := collecting(n, "q", Concurrency(1))
	var next [others]int
	for range others * size {
		var i, k int
		if _, err := fmt.Sscan(receive(t, got), &i, &k); err != nil || k != next[i] {
			t.Fatalf("job %d of batch %d came, want %d: %v", k, i, next[i], err)
		}
		next[i]++
	}
}

// Many goroutines that enqueue lose nothing and get different IDs.
func TestManyEnqueue(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	group := run.New(t.Context())
	ids := make(chan JobID, 1600)
	for range 16 {
		group.Go(func() {
			for range 100 {
				id, err := q.Enqueue(t.Context(), "x")
				if err != nil {
					t.Error(err)
				}
				ids <- id
			}
		})
	}
	end(group)
	close(ids)
	different := make(map[JobID]bool)
	for id := range ids {
		different[id] = true
	}
	if i := info(t, q); len(different) != 1600 || i.Waiting != 1600 {
		t.Errorf("%d IDs, %d waiting; want 1600", len(different), i.Waiting)
	}
}

func TestWrongInput(t *testing.T) {
	n := shared(t, "one")
	ctx := t.Context()
	q := n.jobs.Queue("q")
	for name, c := range map[string]struct {
		queue *Queue
		job   any
		opts  []EnqueueOption
		want  error
	}{
		"queue":    {n.jobs.Queue("a{b"), 1, nil, ErrName},
		"no queue": {n.jobs.Queue(""), 1, nil, ErrName},
		"ID":       {q, 1, []EnqueueOption{WithID("a/b")}, ErrName},
		"attempts": {q, 1, []EnqueueOption{MaxAttempts(101)}, ErrOption},
		"negative": {q, 1, []EnqueueOption{MaxAttempts(-1)}, ErrOption},
		"priority": {q, 1, []EnqueueOption{WithPriority(7)}, ErrOption},
		"window":   {q, 1, []EnqueueOption{Unique("k", -1)}, ErrOption},
		"unique":   {q, 1, []EnqueueOption{Unique("\xff", 0)}, ErrOption},
		"body":     {q, func() {}, nil, bus.ErrBody},
		"large":    {q, strings.Repeat("x", 2<<20), nil, ErrTooLarge},
	} {
		_, err := c.queue.Enqueue(ctx, c.job, c.opts...)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := q.Result(ctx, "none")
	wantError(t, err, ErrNoJob)
	_, err = q.Await(ctx, "none")
	wantError(t, err, ErrNoJob)
}

// A result that is kept can be read later, by anybody.
func TestKeep(t *testing.T) {
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	id := enqueue(t, q, "kept", Keep(time.Minute))
	_, err := q.Result(t.Context(), id)
	wantError(t, err, ErrNotFinished)
	_, got := collecting(n, "q")
	receive(t, got)
	r, err := q.Await(within(t, 10*time.Second), id)
	if err != nil || string(r.Body.Raw()) != `"kept"` {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, "it can be read", func() bool {
		r, err = q.Result(t.Context(), id)
		return err == nil
	})
	if string(r.Body.Raw()) != `"kept"` || r.Worker != "one" {
		t.Errorf("%+v", r)
	}
	if job, err := q.Job(t.Context(), id); err != nil || job.State != StateDone || job.Result == nil {
		t.Errorf("%+v, %v; want it done", job, err)
	}
}

func TestProgress(t *testing.T) {
	asker, doer := shared(t, "asker"), shared(t, "doer")
	go1 := make(chan struct{})
	doer.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ int) (string, error) {
			if err := Progress(ctx, 50); err != nil {
				return "", err
			}
			select {
			case <-go1:
			case <-ctx.Done():
			}
			return "done", ctx.Err()
		})
	})
	heard := make(chan string, 1)
	got, err := Call[string](within(t, 20*time.Second), asker.jobs.Queue("q"), 1, OnProgress(func(b bus.Body) {
		heard <- string(b.Raw())
		close(go1)
	}))
	if err != nil || got != "done" {
		t.Fatalf("%q, %v", got, err)
	}
	if p := receive(t, heard); p != "50" {
		t.Errorf("progress %q, want 50", p)
	}
	wantError(t, Progress(t.Context(), 1), ErrNoJob)
}
