package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// A job that ends while Redis is away is completed when it is back: the handler's work is not done again.
func TestCompletedWhileRedisIsAway(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	n := attach(t, server.URL(), "c:", "one")
	q := n.jobs.Queue("q")
	begun, release := make(chan struct{}, 10), make(chan struct{})
	var runs atomic.Int64
	r := n.work(nil, func(p *Pool) {
		Handle(p, "q", func(context.Context, int) (int64, error) {
			begun <- struct{}{}
			<-release // whatever its context says
			return runs.Add(1), nil
		})
	})
	id := enqueue(t, q, 1, Keep(time.Minute))
	receive(t, begun)
	server.Kill()
	close(release)
	in := r.pool.intakes["q"]
	until(t, "it was said in vain more than once", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return len(in.finished) > 0 && in.pause > 100*time.Millisecond // which doubles with each time
	})
	server.Restart()
	got, err := q.Await(within(t, 20*time.Second), id)
	if err != nil || got.Attempt != 1 || runs.Load() != 1 {
		t.Errorf("%+v, %v after %d runs; want the first attempt's result", got, err, runs.Load())
	}
}
