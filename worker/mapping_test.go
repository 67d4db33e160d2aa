package worker

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// numbers yields 0 to n-1, and counts how many were asked for.
func numbers(n int, asked *atomic.Int64) iter.Seq[any] {
	return func(yield func(any) bool) {
		for i := range n {
			asked.Add(1)
			if !yield(i) {
				return
			}
		}
	}
}

func TestMap(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	n.work(nil, func(p *Pool) {
		Handle(p, "q", func(_ context.Context, i int) (int, error) {
			if i == 13 {
				return 0, Reject(errTest)
			}
			return i * i, nil
		})
	})
	var asked atomic.Int64
	seen, failed := make(map[int]bool), 0
	for r, err := range Map[int](within(t, 30*time.Second), n.jobs.Queue("q"), numbers(200, &asked), InFlight(20)) {
		if err != nil {
			if !errors.Is(err, ErrDead) || r.Index != 13 {
				t.Errorf("%+v, %v", r, err)
			}
			failed++
			continue
		}
		if r.Value != r.Index*r.Index || r.ID == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Index] = true
	}
	if len(seen) != 199 || failed != 1 || asked.Load() != 200 {
		t.Errorf("%d results, %d failures, %d asked for", len(seen), failed, asked.Load())
	}
}

// Nothing is asked for beyond what may be in flight, and breaking off ends all.
func TestMapIsBounded(t *testing.T) {
	leak.Check(t)
	n := shared(t, "one")
	q := n.jobs.Queue("q")
	var asked atomic.Int64
	ctx, cancel := context.WithCancelCause(t.Context())
	group := newGroup(t)
	results := make(chan error, 10)
	group.Go(func() {
		for _, err := range Map[int](ctx, q, numbers(1000, &asked), InFlight(5)) {
			results <- err
		}
	})
	until(t, "five are in flight", func() bool { return info(t, q).Waiting == 5 })
	if asked.Load() > 6 {
		t.Errorf("%d were asked for, 5 may be in flight", asked.Load())
	}
	cancel(errTest)
	wantError(t, receive(t, results), errTest)
	end(group)

	n.work(nil, func(p *Pool) { Handle(p, "q", double) })
	for range Map[int](within(t, 30*time.Second), q, numbers(1000, &asked), InFlight(5)) {
		break
	}
	for _, err := range Map[int](t.Context(), q, numbers(1, &asked), InFlight(0)) {
		wantError(t, err, ErrOption)
	}
}
