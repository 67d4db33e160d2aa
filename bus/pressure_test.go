package bus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus/relay"
)

// Large requests to one address wait until earlier ones have been claimed: no more than 4 MiB are under way unclaimed.
func TestLargeRequestsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		nodes := settled(t, f.hub(), 2)
		connect(t, nodes[1], confirms, User("42"))
		var out, most, claimed atomic.Int64
		f.set(func(c relay.Crossing) relay.Fault {
			switch {
			case c.Hop == relay.HopOut && isMessage(c):
				most.Store(max(most.Load(), out.Add(int64(len(c.Payload)))))
			case c.Hop == relay.HopCount && isReport(c):
				claimed.Add(1)
				out.Store(0)
			}
			return relay.Fault{}
		})
		body := Bytes(make([]byte, 1<<20))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				r, err := nodes[0].Request(t.Context(), User("42"), "e", body)
				wantOutcome(t, r, err, OutcomeConfirmed)
			})
		}
		all.Wait()
		if n := most.Load(); n > 5<<20 || claimed.Load() == 0 {
			t.Errorf("%d bytes were under way unclaimed", n)
		}
		if n := len(nodes[0].requests.quota.taken); n != 0 {
			t.Errorf("%d channels still have something taken", n)
		}
	})
}

// Who waits for room gives up with its context, or when the bus closes.
func TestWaitingForRoom(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration // 0: none
		close   bool
		want    error
	}{
		"deadline": {100 * time.Millisecond, false, context.DeadlineExceeded},
		"closed":   {0, true, ErrBusClosed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var f faults
				nodes := settled(t, f.hub(), 2)
				connect(t, nodes[1], staysSilent, User("42"))
				f.set(loses(relay.HopIn, isMessage)) // nothing is claimed
				body := Bytes(make([]byte, 1<<20))
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() { _, _ = nodes[0].Request(within(t, 5*time.Second), User("42"), "e", body) })
				}
				pass(tick)
				ctx := t.Context()
				if c.timeout > 0 {
					ctx = within(t, c.timeout)
				}
				if c.close {
					time.AfterFunc(100*time.Millisecond, func() { _ = nodes[0].Close() })
				}
				all.Go(func() {
					start := time.Now()
					r, err := nodes[0].Request(ctx, User("42"), "e", body)
					took(t, start, 100*time.Millisecond, 150*time.Millisecond)
					if r != nil || !errors.Is(err, c.want) {
						t.Errorf("%v, %v; want %v", r, err, c.want)
					}
				})
				wantEnd(t, &all)
			})
		})
	}
}

// While Redis stands still nothing piles up: a full outbox makes callers wait for room, then they get a definite answer.
func TestOutboxFull(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := relay.NewHub(&relay.HubOptions{OutboxPackets: 20, Fault: func(c relay.Crossing) relay.Fault {
			if befalls := f.Load(); befalls != nil {
				return (*befalls)(c)
			}
			return relay.Fault{}
		}})
		nodes := settled(t, hub, 2)
		connect(t, nodes[1], confirms, User("42"))
		id := nodes[0].Node().ID.String()
		f.set(func(c relay.Crossing) relay.Fault {
			if c.Hop == relay.HopOut && c.Node == id {
				return relay.Fault{Delay: 10 * time.Millisecond} // each packet
			}
			return relay.Fault{}
		})
		var ends [2]atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				start := time.Now()
				r, err := nodes[0].Request(within(t, time.Second), User("42"), "e", JSON(1))
				took(t, start, 0, 1050*time.Millisecond)
				if err == nil {
					ends[0].Add(1)
				} else if r == nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				} else {
					ends[1].Add(1)
				}
			})
		}
		all.Wait()
		if ends[0].Load() == 0 || ends[1].Load() == 0 {
			t.Errorf("%d confirmed, %d not; want some of each", ends[0].Load(), ends[1].Load())
		}
		f.stop()
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// The metrics count requests and deliveries by outcome, and show what is under way.
func TestMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		registry := prometheus.NewPedanticRegistry()
		a := join(t, hub, "a", func(o *Options) { o.Metrics = registry })
		b := join(t, hub, "b")
		pass(2 * time.Second)
		connect(t, b, refuses, User("42"))
		for range 3 {
			_, _ = a.Request(t.Context(), User("42"), "e", JSON(1))
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]float64)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		for name, want := range map[string]float64{"ackbus_requests_total rejected": 3, "ackbus_deliveries_total tcp rejected": 3,
			"ackbus_request_duration_seconds": 3, "ackbus_nodes": 2, "ackbus_requests_pending": 0, "ackbus_requests_total confirmed": 0} {
			if n, ok := got[name]; !ok || n != want {
				t.Errorf("%s is %v, want %v", name, n, want)
			}
		}
	})
}
