package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

func benchmarkNode(b *testing.B) *Jobs {
	b.Helper()
	server := redistest.Start(b)
	quiet := slog.New(slog.DiscardHandler)
	at, err := bus.Open(b.Context(), server.URL(), &bus.Options{Name: "bench", Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = at.Close() })
	jobs, err := Open(b.Context(), at, server.URL(), &Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = jobs.Close() })
	return jobs
}

func benchmarkPool(b *testing.B, jobs *Jobs, fn func(context.Context, *Job) (bus.Body, error), opts ...HandleOption) {
	b.Helper()
	p := jobs.Pool(nil)
	p.HandleBody("q", fn, opts...)
	ctx, cancel := context.WithCancel(context.Background())
	group := run.New(context.Background())
	group.Go(func() { _ = p.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		group.Stop()
		group.Wait()
	})
}

// payload is 128 bytes.
func payload() bus.Body { return bus.Bytes([]byte(strings.Repeat("x", 128))) }

func BenchmarkEnqueue(b *testing.B) {
	for _, producers := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			q := benchmarkNode(b).Queue("q")
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			group := run.New(b.Context())
			b.ResetTimer()
			for range producers {
				all.Add(1)
				group.Go(func() {
					defer all.Done()
					for left.Add(-1) >= 0 {
						if _, err := q.Enqueue(b.Context(), payload()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			end(group)
		})
	}
}

func BenchmarkEnqueueBatch(b *testing.B) {
	q := benchmarkNode(b).Queue("q")
	const size = 500
	batch := make([]any, size)
	for i := range batch {
		batch[i] = payload()
	}
	for n := 0; n < b.N; n += size {
		if _, err := q.EnqueueBatch(b.Context(), batch[:min(size, b.N-n)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkDrain(b *testing.B) {
	for _, prefetch := range []int{0, 50, 200} {
		b.Run(fmt.Sprintf("prefetch=%d", prefetch), func(b *testing.B) {
			jobs := benchmarkNode(b)
			q := jobs.Queue("q")
			batch := make([]any, b.N)
			for i := range batch {
				batch[i] = payload()
			}
			if _, err := q.EnqueueBatch(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan struct{})
			b.ResetTimer()
			benchmarkPool(b, jobs, func(context.Context, *Job) (bus.Body, error) {
				if left.Add(-1) == 0 {
					close(done)
				}
				return bus.Body{}, nil
			}, Concurrency(50), Prefetch(prefetch))
			<-done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

func BenchmarkStartOnIdleQueue(b *testing.B) {
	jobs := benchmarkNode(b)
	started := make(chan time.Time, 1)
	benchmarkPool(b, jobs, func(context.Context, *Job) (bus.Body, error) {
		started <- time.Now()
		return bus.Body{}, nil
	})
	q := jobs.Queue("q")
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := q.Enqueue(b.Context(), payload()); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-started).Sub(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}

func BenchmarkCall(b *testing.B) {
	jobs := benchmarkNode(b)
	benchmarkPool(b, jobs, func(_ context.Context, job *Job) (bus.Body, error) { return job.Body, nil }, Concurrency(50))
	q := jobs.Queue("q")
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := q.CallBody(b.Context(), payload()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
