package role

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The acts of those who enqueue jobs.
const (
	ActEnqueue = "enqueue" // as a load, by so many at once
	ActBatch   = "batch"   // likewise, many jobs a call
	ActTrickle = "trickle" // one at a time, with pauses, so that each finds an idle queue
)

// trickleEvery is the pause between two jobs of a trickle.
const trickleEvery = 5 * time.Millisecond

// A Job is what every job carries, BodySize bytes as JSON.
type Job struct {
	Sent int64  `json:"sent"` // nanoseconds of Unix time; producer and pool are on one machine
	Text string `json:"text"`
}

// jobText makes a job BodySize bytes long.
const jobText = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" +
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

// NewJob is a job that is sent now.
func NewJob() Job { return Job{Sent: time.Now().UnixNano(), Text: jobText} }

// ProducerActs are the acts of one who enqueues.
func ProducerActs(enqueue func(ctx context.Context, j Job) error) map[string]Act {
	return map[string]Act{
		ActEnqueue: EnqueueAct(1, func(ctx context.Context) error { return enqueue(ctx, NewJob()) }),
		ActTrickle: func(ctx context.Context, o Order) (Sample, error) {
			var s Sample
			for began := time.Now(); s.Elapsed < o.Measured && ctx.Err() == nil; s.Elapsed = time.Since(began) {
				if err := enqueue(ctx, NewJob()); err != nil {
					return s, err
				}
				s.Jobs++
				Pause(ctx, trickleEvery)
			}
			return s, nil
		},
	}
}

// EnqueueAct enqueues so many jobs a call, as a load. Requests counts the jobs that were measured, Jobs all that Redis has.
func EnqueueAct(jobs int64, enqueue func(ctx context.Context) error) Act {
	return func(ctx context.Context, o Order) (Sample, error) {
		var all atomic.Int64
		s := Load(ctx, o, func(ctx context.Context, _ int) error {
			err := enqueue(ctx)
			if err == nil {
				all.Add(jobs)
			}
			return err
		})
		s.Requests, s.Jobs = s.Requests*jobs, all.Load()
		return s, nil
	}
}

// A shift is what a pool has started since it opened.
type shift struct {
	began time.Time
	end   func() error // closes the pool

	mu        sync.Mutex
	n, wanted int64
	last      time.Time
	waits     *hdrhistogram.Histogram // from enqueueing to the start
	reached   chan struct{}           // closed once n is wanted
}

func newShift() *shift { return &shift{began: time.Now(), waits: NewLatencies()} }

// start counts a job whose handler has begun.
func (s *shift) start(j Job) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.last = s.n+1, now
	_ = s.waits.RecordValue(min(max(now.UnixNano()-j.Sent, 1), int64(Patience))) // a backlog waits longer; that is not asked
	if s.n == s.wanted && s.reached != nil {
		close(s.reached)
	}
}

// await returns once n jobs have started.
func (s *shift) await(ctx context.Context, n int64) error {
	reached := make(chan struct{})
	s.mu.Lock()
	if s.wanted, s.reached = n, reached; s.n >= n {
		close(reached)
		s.reached = nil
	}
	s.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shift) sample() Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Sample{
		Requests: s.n, Jobs: s.n, Elapsed: max(s.last.Sub(s.began), 0), P50: time.Duration(s.waits.ValueAtPercentile(50)),
		P99: time.Duration(s.waits.ValueAtPercentile(99)), Most: time.Duration(s.waits.Max()),
	}
}
