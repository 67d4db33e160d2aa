package acceptance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

// Among ordinary jobs there are some whose handler panics, one that eats memory until its process is killed, whoever takes it, and some
// that hang and ignore their context. Those end as dead letters that say why, and the ordinary ones go on.
func TestJobsFlowPastBadHandlers(t *testing.T) {
	const attempts, hangs = 3, 3
	most := shortOr[int64](64<<20, 512<<20)
	y := newYard(t)
	c := y.clerk("q")
	args := []string{"-queue", "q", "-concurrency", "4"}
	for range 2 {
		y.hire(args...).works(t)
	}
	flow := c.trickle(20 * time.Millisecond)
	panics := c.enqueue(object{"do": "panic"}, worker.MaxAttempts(attempts))
	var hung []worker.JobID
	for range hangs {
		hung = append(hung, c.enqueue(object{"do": "hang"}, worker.MaxAttempts(1), worker.TimeLimit(300*time.Millisecond)))
	}
	dead := func(n int) {
		eventually(t, "the bad jobs are dead", func() bool { info, err := c.info(); return err == nil && info.Dead == int64(n) })
	}
	dead(1 + hangs)
	eats := c.enqueue(object{"do": "eat"}, worker.MaxAttempts(attempts))
	for range attempts {
		ate := y.awaitEvent("a worker has eaten much memory", func(e ledger.Event) bool {
			return e.Kind == ledger.Ate && e.Number >= most && !slices.ContainsFunc(y.workmen, func(w *workman) bool {
				return w.name == e.Worker && w.gone()
			})
		})
		w := y.workmen[slices.IndexFunc(y.workmen, func(w *workman) bool { return w.name == ate.Worker })]
		y.killed(c.log, w) // as the kernel does where memory runs out
		y.hire(args...).works(t)
	}
	ends := map[worker.JobID]string{panics: "panic: as it was told to", eats: "died"}
	for _, id := range hung {
		ends[id] = "time limit"
	}
	dead(len(ends))
	for id, why := range ends {
		job, err := c.queue.Job(t.Context(), id)
		if err != nil || job.State != worker.StateDead || len(job.Attempts) == 0 {
			t.Fatalf("%+v, %v; want it dead", job, err)
		}
		for _, a := range job.Attempts {
			if !strings.Contains(a.Error, why) || a.Worker == "" {
				t.Errorf("attempt %+v; want %q", a, why)
			}
		}
	}
	if job, err := c.queue.Job(t.Context(), eats); err != nil || len(job.Attempts) != attempts {
		t.Errorf("%+v, %v; want every worker that it killed", job, err)
	}
	flow.end(t)
	if info, err := c.info(); err != nil || info.Done != int64(flow.jobs) || info.Waiting+info.Running+info.Delayed != 0 {
		t.Errorf("%+v, %v; want each of the %d ordinary jobs done", info, err, flow.jobs)
	}
}

func (w *workman) gone() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// A flow is ordinary jobs, one after another, whose results are awaited.
type flow struct {
	group *run.Group
	jobs  int
	took  []time.Duration // from enqueueing to the result
}

// trickle starts a flow.
func (c *clerk) trickle(every time.Duration) *flow {
	f := &flow{group: run.New(c.t.Context())}
	results := make(chan time.Duration, 1<<16)
	f.group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		calls := run.New(context.Background())
		for {
			select {
			case <-tick.C:
			case <-f.group.Context().Done():
				calls.Stop()
				calls.Wait()
				close(results)
				for d := range results {
					f.took = append(f.took, d)
				}
				return
			}
			f.jobs++
			began := time.Now()
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if _, err := c.queue.CallBody(ctx, object{"millis": 1}); err == nil {
					results <- time.Since(began)
				}
			})
		}
	})
	return f
}

// end ends the flow once every result is there.
func (f *flow) end(t *testing.T) {
	t.Helper()
	f.group.Stop()
	f.group.Wait()
	slices.Sort(f.took)
	if len(f.took) != f.jobs || f.jobs == 0 {
		t.Fatalf("%d of %d ordinary jobs came back", len(f.took), f.jobs)
	}
	n := len(f.took)
	t.Logf("%d ordinary jobs meanwhile: half took %v, 99 of 100 %v, the slowest %v", n, f.took[n/2].Round(time.Microsecond),
		f.took[n*99/100].Round(time.Microsecond), f.took[n-1].Round(time.Microsecond))
}

// A worker whose every place hangs gives the places back, and its queue goes on.
func TestJobsFlowWhereAllPlacesHang(t *testing.T) {
	const places = 2
	y := newYard(t)
	c := y.clerk("q")
	w := y.hire("-queue", "q", "-concurrency", "2").works(t)
	for range places {
		c.enqueue(object{"do": "hang"}, worker.MaxAttempts(1), worker.TimeLimit(300*time.Millisecond))
	}
	hung := func() int { return len(y.happened(func(e ledger.Event) bool { return e.Kind == ledger.Began })) }
	eventually(t, "all places hang", func() bool { return hung() == places })
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := c.queue.CallBody(ctx, object{"millis": 1})
	if err != nil || r.Worker != w.name {
		t.Fatalf("%+v, %v; want the same worker to go on", r, err)
	}
	t.Logf("with both places of the only worker hung, the next job came back after %v", time.Since(began).Round(time.Millisecond))
	var gone *worker.JobError
	_, err = c.queue.CallBody(ctx, object{"do": "hang"}, worker.MaxAttempts(1), worker.TimeLimit(300*time.Millisecond))
	if !errors.As(err, &gone) || !errors.Is(err, worker.ErrDead) || !strings.Contains(gone.Message, "time limit") {
		t.Errorf("%v; want the caller to hear of the time limit", err)
	}
}
