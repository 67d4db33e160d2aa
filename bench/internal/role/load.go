package role

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ackbus/ackbus/internal/run"
)

// Patience is how long a request may take: so long that none fails because the machine is busy.
const Patience = 30 * time.Second

// A Sample is what one load measured.
type Sample struct {
	Requests    int64         `json:"requests"`
	Jobs        int64         `json:"jobs,omitempty"` // those outside the measured time included
	Failures    int64         `json:"failures"`
	Failure     string        `json:"failure,omitempty"` // the first one
	Elapsed     time.Duration `json:"elapsed_ns"`
	P50         time.Duration `json:"p50_ns"`
	P99         time.Duration `json:"p99_ns"`
	Most        time.Duration `json:"max_ns"`
	Allocations float64       `json:"allocations"` // per request, in the requesting process
	Bytes       float64       `json:"bytes"`       // allocated per request, likewise
	CPU         time.Duration `json:"cpu_ns"`      // of the requesting process, in all
}

// The stages of a load.
const (
	stageWarmup int32 = iota
	stageMeasured
	stageOver
)

// loading is a load under way.
type loading struct {
	call   func(ctx context.Context, worker int) error
	stage  atomic.Int32
	shards [8]shard // workers share them, so that a thousand need no histogram each
	failed atomic.Int64
	first  atomic.Pointer[string]
}

type shard struct {
	mu        sync.Mutex
	latencies *hdrhistogram.Histogram
	_         [64]byte // shards of their own cache lines
}

// Load keeps a number of requests in flight, each worker's next following its last, and measures those that end in time.
func Load(ctx context.Context, o Order, call func(ctx context.Context, worker int) error) Sample {
	l := &loading{call: call}
	for i := range l.shards {
		l.shards[i].latencies = NewLatencies()
	}
	workers := run.New(context.Background()) // they end by themselves: none may be cut short in the middle of a request
	for i := range o.InFlight {
		workers.Go(func() {
			// Of its own, as a caller's is: one for all would have them meet at its lock.
			ctx, cancel := context.WithTimeout(ctx, o.Warmup+o.Measured+Patience)
			defer cancel()
			l.work(ctx, i)
		})
	}
	Pause(ctx, o.Warmup)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := cpuTime(), time.Now()
	l.stage.Store(stageMeasured)
	l.measure(ctx, o.Measured)
	l.stage.Store(stageOver)
	s := Sample{Elapsed: time.Since(began), CPU: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	workers.Stop()
	workers.Wait()
	l.sum(&s)
	if s.Requests > 0 {
		s.Allocations = float64(after.Mallocs-before.Mallocs) / float64(s.Requests)
		s.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(s.Requests)
	}
	return s
}

// NewLatencies is a histogram of anything that ends in time, in nanoseconds.
func NewLatencies() *hdrhistogram.Histogram {
	return hdrhistogram.New(100, int64(2*Patience), 3)
}

func (l *loading) work(ctx context.Context, worker int) {
	sh := &l.shards[worker%len(l.shards)]
	for l.stage.Load() != stageOver && ctx.Err() == nil {
		began := time.Now()
		err := l.call(ctx, worker)
		took := time.Since(began)
		if err != nil {
			l.fail(err)
			continue
		}
		if l.stage.Load() == stageMeasured {
			sh.mu.Lock()
			_ = sh.latencies.RecordValue(int64(took)) // out of range is out of Patience, which fails
			sh.mu.Unlock()
		}
	}
}

// measure lets the measured time pass, and more where a busy machine has not managed one request.
func (l *loading) measure(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(Patience); ; {
		Pause(ctx, d)
		if l.any() || ctx.Err() != nil || time.Now().After(end) {
			return
		}
	}
}

// any reports whether a request was measured, or failed.
func (l *loading) any() bool {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		n := sh.latencies.TotalCount()
		sh.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return l.failed.Load() > 0
}

func (l *loading) fail(err error) {
	l.failed.Add(1)
	text := err.Error()
	l.first.CompareAndSwap(nil, &text)
}

func (l *loading) sum(s *Sample) {
	all := NewLatencies()
	for i := range l.shards {
		all.Merge(l.shards[i].latencies)
	}
	s.Requests, s.Failures = all.TotalCount(), l.failed.Load()
	if text := l.first.Load(); text != nil {
		s.Failure = *text
	}
	s.P50 = time.Duration(all.ValueAtPercentile(50))
	s.P99 = time.Duration(all.ValueAtPercentile(99))
	s.Most = time.Duration(all.Max())
}
