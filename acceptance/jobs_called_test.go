package acceptance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

// Ten thousand calls from 100 callers, to workers in processes of their own: each caller gets its own result.
func TestJobsCalledByMany(t *testing.T) {
	const calls, callers = 10_000, 100
	y := newYard(t)
	c := y.clerk("q")
	for range 3 {
		y.hire("-queue", "q", "-concurrency", "10").works(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var next atomic.Int64
	group, wrong := run.New(ctx), make(chan string, calls)
	began := time.Now()
	for range callers {
		group.Go(func() {
			for n := next.Add(1); n <= calls; n = next.Add(1) {
				id := fmt.Sprint("call-", n)
				got, err := worker.Call[string](ctx, c.queue, object{}, worker.WithID(worker.JobID(id)))
				if err != nil || got != ledger.ResultOf(id) {
					wrong <- fmt.Sprintf("%s: %q, %v", id, got, err)
				}
			}
		})
	}
	await(group)
	close(wrong)
	for text := range wrong {
		t.Error(text)
	}
	took := time.Since(began)
	t.Logf("%d calls in %v: %.0f a second", calls, took.Round(time.Millisecond), calls/took.Seconds())
	if info, err := c.info(); err != nil || info.Done != calls || info.Waiting+info.Running+info.Delayed+info.Dead != 0 {
		t.Errorf("%+v, %v; want each done once", info, err)
	}
}

// await waits for goroutines that end by themselves.
func await(group *run.Group) {
	group.Stop()
	group.Wait()
}

// An ended is how a call came to its end.
type ended struct {
	id  worker.JobID
	at  time.Time
	err error
}

// calls starts callers, each of a job of its own. What they come to is sent once each.
func (c *clerk) calls(n int, prefix string, task object, opts ...worker.EnqueueOption) (ids []worker.JobID, ends <-chan ended) {
	all := make(chan ended, n)
	group := run.New(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	for i := range n {
		id := worker.JobID(fmt.Sprint(prefix, "-", i))
		ids = append(ids, id)
		group.Go(func() {
			_, err := c.queue.CallBody(ctx, task, append([]worker.EnqueueOption{worker.WithID(id)}, opts...)...)
			all <- ended{id, time.Now(), err}
		})
	}
	c.t.Cleanup(func() {
		cancel()
		await(group)
	})
	return ids, all
}

// Whoever awaits a job hears at once when somebody else deletes it, and why: while it waits, is delayed, or runs.
func TestJobsDeletedEndTheirCallers(t *testing.T) {
	const callers, prompt = 20, time.Second // mostly a millisecond, but for two busy cores
	y := newYard(t)
	c, stranger := y.clerk("q"), y.clerkAs("stranger", "q")
	for state, how := range map[string]struct {
		task object
		opts []worker.EnqueueOption
		in   func(worker.QueueInfo) int64
	}{
		"waiting": {in: func(i worker.QueueInfo) int64 { return i.Waiting }},
		"delayed": {opts: []worker.EnqueueOption{worker.Delay(time.Hour)}, in: func(i worker.QueueInfo) int64 { return i.Delayed }},
		"running": {task: object{"millis": 3_600_000}, in: func(i worker.QueueInfo) int64 { return i.Running }},
	} {
		t.Run(state, func(t *testing.T) {
			if state == "running" {
				w := y.hire("-queue", "q", "-concurrency", fmt.Sprint(callers)).works(t)
				defer w.dismiss(t)
			}
			ids, ends := c.calls(callers, state, how.task, how.opts...)
			eventually(t, "all are "+state, func() bool { info, err := c.info(); return err == nil && how.in(info) == callers })
			deleted := make(map[worker.JobID]time.Time, callers)
			var took []time.Duration
			for _, id := range ids {
				deleted[id] = time.Now()
				if err := stranger.queue.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				end := next(t, ends)
				if end.id != id || !errors.Is(end.err, worker.ErrDeleted) {
					t.Fatalf("%s was deleted, and the caller of %s got %v", id, end.id, end.err)
				}
				took = append(took, end.at.Sub(deleted[id]).Round(time.Microsecond))
			}
			slices.Sort(took)
			t.Logf("callers heard of the deletion within %v to %v, half of them within %v", took[0], took[callers-1], took[callers/2])
			if took[callers-1] > prompt {
				t.Errorf("%v: want all within %v", took, prompt)
			}
			eventually(t, "nothing is left", func() bool { info, err := c.info(); return err == nil && info.Running+info.Delayed == 0 })
		})
	}
}

// Whoever awaits a job hears at once when it dies, of its handler or with its worker, and why.
func TestJobsThatDieEndTheirCallers(t *testing.T) {
	const callers, prompt = 20, time.Second
	y := newYard(t)
	c := y.clerk("q")
	y.hire("-queue", "q").works(t)
	_, ends := c.calls(callers, "panics", object{"do": "panic"}, worker.MaxAttempts(1))
	for range callers {
		end := next(t, ends)
		var dead *worker.JobError
		if !errors.As(end.err, &dead) || !errors.Is(end.err, worker.ErrDead) || dead.Worker != "w0" ||
			dead.Message != "panic: as it was told to" {
			t.Fatalf("%v; want the panic, and who had it", end.err)
		}
		began := y.awaitEvent("it ran", func(e ledger.Event) bool { return e.Kind == ledger.Began && e.Job == string(end.id) })
		if took := end.at.Sub(time.Unix(0, began.At)); took > prompt {
			t.Errorf("the caller heard of the panic after %v", took)
		}
	}
	_, ends = c.calls(1, "doomed", object{"do": "eat"}, worker.MaxAttempts(1))
	y.awaitEvent("it runs", func(e ledger.Event) bool { return e.Kind == ledger.Ate })
	y.hire("-queue", "q").works(t)
	killed := time.Now()
	y.killed(c.log, y.workmen[0])
	end := next(t, ends)
	if !errors.Is(end.err, worker.ErrDead) {
		t.Errorf("%v; want the death of its worker", end.err)
	}
	t.Logf("%v after the kill the caller heard: %v", end.at.Sub(killed).Round(time.Millisecond), end.err)
}

// next takes what a channel brings.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
