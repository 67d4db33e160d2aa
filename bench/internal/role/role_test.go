package role

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestLoadKeepsSoManyInFlight(t *testing.T) {
	leak.Check(t)
	var now, most, calls atomic.Int64
	full := make(chan struct{})
	o := Order{InFlight: 7, Warmup: time.Millisecond, Measured: 50 * time.Millisecond}
	s := Load(t.Context(), o, func(ctx context.Context, _ int) error {
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n))
		if calls.Add(1) == 7 {
			close(full)
		}
		select { // none goes on before all are there
		case <-full:
		case <-ctx.Done():
		}
		if calls.Load()%2 == 0 {
			return errors.New("even")
		}
		return nil
	})
	if most.Load() != 7 {
		t.Errorf("%d calls at once at most, want 7", most.Load())
	}
	if s.Requests == 0 || s.Failures == 0 || s.Failure != "even" || s.P50 <= 0 || s.P99 < s.P50 || s.Elapsed < 50*time.Millisecond {
		t.Errorf("%+v: want requests, failures and their reason", s)
	}
}

// A pool of the test's own: what is sent on jobs starts at once.
type testPool struct {
	jobs   chan Job
	opened int
}

func (p *testPool) open(ctx context.Context, inFlight int, start func(Job)) (func() error, error) {
	if inFlight != 3 {
		return nil, errors.New("wanted 3")
	}
	p.opened++
	group := run.New(ctx)
	group.Go(func() {
		for {
			select {
			case j := <-p.jobs:
				start(j)
			case <-group.Context().Done():
				return
			}
		}
	})
	return func() error {
		group.Stop()
		group.Wait()
		return nil
	}, nil
}

func TestPoolDrainsWhatAProducerEnqueued(t *testing.T) {
	leak.Check(t)
	p := testPool{jobs: make(chan Job, 1<<20)}
	producer := ProducerActs(func(_ context.Context, j Job) error {
		p.jobs <- j
		return nil
	})
	pool := PoolActs(p.open)
	sent, err := producer[ActTrickle](t.Context(), Order{Measured: 20 * time.Millisecond})
	if err != nil || sent.Jobs == 0 {
		t.Fatalf("%+v, %v: want jobs", sent, err)
	}
	drained, err := pool[ActDrain](t.Context(), Order{InFlight: 3, Jobs: sent.Jobs})
	if err != nil || drained.Requests != sent.Jobs || drained.Elapsed <= 0 || drained.P50 <= 0 {
		t.Errorf("%+v, %v: want all %d jobs", drained, err, sent.Jobs)
	}
	if p.opened != 1 {
		t.Errorf("opened %d times, want once", p.opened)
	}
}

func TestPoolOpensAndClosesInTurns(t *testing.T) {
	leak.Check(t)
	p := testPool{jobs: make(chan Job, 10)}
	acts := PoolActs(p.open)
	o := Order{InFlight: 3}
	if _, err := acts[ActClose](t.Context(), o); err == nil {
		t.Error("a pool that is not open was closed")
	}
	if _, err := acts[ActOpen](t.Context(), Order{InFlight: 1}); err == nil {
		t.Error("an error of opening was lost")
	}
	for range 2 {
		if _, err := acts[ActOpen](t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if _, err := acts[ActOpen](t.Context(), o); err == nil {
			t.Error("an open pool was opened")
		}
		p.jobs <- NewJob()
		if s, err := acts[ActClose](t.Context(), Order{Jobs: 1}); err != nil || s.Requests != 1 {
			t.Errorf("%+v, %v: want the one job", s, err)
		}
	}
	if _, err := acts[ActOpen](t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := acts[ActClose](ended, Order{Jobs: 1})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "0 jobs started, not 1") {
		t.Errorf("%v: want how many have started", err)
	}
}

func TestOrders(t *testing.T) {
	a := Actor{Acts: map[string]Act{
		"good": func(context.Context, Order) (Sample, error) { return Sample{Requests: 3}, nil },
		"bad":  func(context.Context, Order) (Sample, error) { return Sample{}, errors.New("no") },
	}}
	for name, c := range map[string]struct {
		order Order
		want  string
	}{
		"an act that fails": {Order{Act: "bad"}, "no"},
		"an unknown act":    {Order{Act: "dance"}, "this role does not dance"},
		"a load":            {Order{InFlight: 1}, "this role makes no requests"},
	} {
		if got := a.carryOut(t.Context(), c.order); got.Error != c.want {
			t.Errorf("%s: %q, want %q", name, got.Error, c.want)
		}
	}
	if got := a.carryOut(t.Context(), Order{Act: "good"}); got.Error != "" || got.Load.Requests != 3 || got.Usage.Goroutines == 0 {
		t.Errorf("%+v: want the act's sample and the usage", got)
	}
	p, err := json.Marshal(NewJob())
	if err != nil || len(p) != BodySize {
		t.Errorf("a job has %d bytes, %v: want %d", len(p), err, BodySize)
	}
}
