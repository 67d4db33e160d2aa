package acceptance

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/acceptance/internal/ledger"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

// Many jobs are enqueued and awaited while each second one of four workers is killed and replaced, and Redis is killed once: a checker
// that sees nothing but what the processes and Redis wrote finds each effect, and each job completed exactly once. Long: 100,000 jobs.
func TestJobsOfKilledWorkers(t *testing.T) {
	const callers, batch, workmen = 20, 50, 4
	jobs := shortOr(4_000, 100_000)
	y := newYard(t)
	c := y.clerk("work")
	args := []string{"-queue", "work", "-concurrency", "10"}
	for range workmen {
		y.hire(args...).works(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), shortOr(3*time.Minute, 35*time.Minute))
	defer cancel()
	var next, over atomic.Int64
	group, failed := run.New(ctx), make(chan error, callers)
	for range callers {
		group.Go(func() {
			for first := next.Add(batch) - batch; first < int64(jobs) && ctx.Err() == nil; first = next.Add(batch) - batch {
				if err := c.batch(ctx, int(first), batch, &over); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	kill := time.NewTicker(time.Second)
	defer kill.Stop()
	killed, restarted := 0, false
	for began := time.Now(); over.Load() < int64(jobs); {
		select {
		case <-kill.C:
			y.killed(c.log, y.workmen[killed])
			killed++
			y.hire(args...)
		case err := <-failed:
			t.Fatal(err)
		case <-ctx.Done():
			info, err := c.info()
			t.Fatalf("%d of %d jobs are over: %+v, %v", over.Load(), jobs, info, err)
		}
		if !restarted && over.Load() > int64(jobs)/2 {
			restarted = true
			y.redis.Restart()
			c.log.Append(ledger.Event{Kind: ledger.Outage})
		}
		if over.Load() >= int64(jobs) {
			t.Logf("%d jobs in %v: %d workers killed, Redis once", jobs, time.Since(began).Round(time.Millisecond), killed)
		}
	}
	group.Stop()
	group.Wait()
	info, err := c.info()
	if err != nil || info.Done != int64(jobs) || info.Waiting+info.Running+info.Delayed+info.Dead != 0 || !restarted {
		t.Errorf("%+v, %v; want %d done and nothing left", info, err, jobs)
	}
	y.check()
}

// batch enqueues jobs, awaits every one, and writes both down.
func (c *clerk) batch(ctx context.Context, first, n int, over *atomic.Int64) error {
	for i := range n {
		id := worker.JobID(fmt.Sprintf("job-%06d", first+i))
		err := insist(ctx, func() error {
			_, err := c.queue.Enqueue(ctx, object{"millis": 15}, worker.WithID(id), worker.MaxAttempts(100))
			return err
		})
		if err != nil {
			return err
		}
		c.log.Append(ledger.Event{Kind: ledger.Taken, Job: string(id)})
	}
	for i := range n {
		id := worker.JobID(fmt.Sprintf("job-%06d", first+i))
		var r *worker.Result
		err := insist(ctx, func() (err error) {
			r, err = c.queue.Await(ctx, id)
			return err
		})
		var text string
		if err == nil {
			err = r.Body.Decode(&text)
		}
		if err != nil {
			return err
		}
		c.log.Append(ledger.Event{Kind: ledger.Result, Job: string(id), Worker: r.Worker, Attempt: r.Attempt, Text: text})
		over.Add(1)
	}
	return nil
}

// killed kills a worker and writes it down.
func (y *yard) killed(log *ledger.Log, w *workman) {
	w.kill()
	log.Append(ledger.Event{Kind: ledger.Killed, Worker: w.name})
}
