package bus

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// Drain finishes what is in flight: requests of the node and deliveries at it, whose publishers hear how they ended.
func TestDrainFinishes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 3)
		slowly := later(time.Second, confirms)
		connect(t, nodes[1], slowly, User("at"))
		connect(t, nodes[2], slowly, User("from"))
		var all sync.WaitGroup
		for _, c := range []struct {
			from *Bus
			to   string
		}{{nodes[0], "at"}, {nodes[1], "from"}} {
			all.Go(func() {
				r, err := c.from.Request(t.Context(), User(c.to), "e", JSON(1))
				wantOutcome(t, r, err, OutcomeConfirmed)
			})
		}
		pass(100 * time.Millisecond)
		start := time.Now()
		if err := nodes[1].Drain(t.Context()); err != nil {
			t.Error(err)
		}
		took(t, start, 900*time.Millisecond, time.Second)
		all.Wait()
		r, err := nodes[0].Request(t.Context(), User("at"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver)
		if err := nodes[1].Drain(t.Context()); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

// What a draining node has to report leaves before it closes, also where Redis answers slowly.
func TestDrainReports(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		nodes := settled(t, hub, 2)
		users(t, nodes[1], 20, func(m *Message, t Ticket) {
			var i int
			_ = m.Body.Decode(&i)
			t.Written()
			time.AfterFunc(time.Second+time.Duration(i)*20*time.Millisecond, func() { t.Confirm(Body{}) })
		})
		var all sync.WaitGroup
		all.Go(func() {
			<-time.After(500 * time.Millisecond)
			id := nodes[1].Node().ID.String()
			f.set(func(c relay.Crossing) relay.Fault {
				if c.Hop == relay.HopOut && c.Node == id {
					return relay.Fault{Delay: 200 * time.Millisecond}
				}
				return relay.Fault{}
			})
			if err := nodes[1].Drain(t.Context()); err != nil {
				t.Error(err)
			}
		})
		many(t, nodes[0], 20, 10*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
		all.Wait()
	})
}

// A drain that takes too long abandons the rest and says so.
func TestDrainGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		connect(t, nodes[1], staysSilent, User("42"))
		var all sync.WaitGroup
		all.Go(func() {
			r, err := nodes[0].Request(within(t, time.Minute), User("42"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeUnknown)
			if r.Deliveries[0].Node != "b" {
				t.Errorf("%+v", r.Deliveries[0])
			}
		})
		pass(100 * time.Millisecond)
		start := time.Now()
		if err := nodes[1].Drain(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		all.Wait()
		took(t, start, time.Second, 2*time.Second)
	})
}

// Close ends every call under way with ErrBusClosed, whatever it waits for, and may be called again, also at the same time.
func TestCloseAbandons(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := join(t, relay.NewHub(&relay.HubOptions{SubscribeDelay: 10 * time.Second}), "slow")
		nodes := settled(t, relay.NewHub(nil), 2)
		connect(t, nodes[1], staysSilent, User("42"))
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
				wantOutcome(t, r, err, OutcomeUnconfirmed)
				if !errors.Is(err, ErrBusClosed) {
					t.Errorf("%v", err)
				}
			})
		}
		all.Go(func() {
			if _, err := b.Subscribe(t.Context(), User("1"), nothing); !errors.Is(err, ErrBusClosed) {
				t.Errorf("subscribe: %v", err)
			}
		})
		pass(time.Second)
		for range 3 {
			for _, b := range []*Bus{nodes[0], b} {
				all.Go(func() {
					if err := b.Close(); err != nil {
						t.Error(err)
					}
				})
			}
		}
		start := time.Now()
		all.Wait()
		took(t, start, 0, 2*tick)
		if err := nodes[0].Ready(); !errors.Is(err, ErrBusClosed) {
			t.Errorf("ready: %v", err)
		}
	})
}

// Whenever Close comes, every call ends.
func TestCloseAtAnyMoment(t *testing.T) {
	for i := range 40 {
		inBubble(t, func(t *testing.T) {
			var f faults
			nodes := settled(t, f.hub(), 2)
			users(t, nodes[1], 10, later(2*time.Millisecond, confirms))
			var all sync.WaitGroup
			for user := range 10 {
				all.Go(func() {
					for {
						r, err := nodes[0].Request(within(t, 5*time.Second), User(strconv.Itoa(user)), "e", JSON(1))
						switch {
						case errors.Is(err, ErrBusClosed):
							return
						case err != nil:
							t.Errorf("%v, %v", r, err)
							return
						}
					}
				})
			}
			<-time.After(20*time.Millisecond + time.Duration(i)*137*time.Microsecond)
			if err := nodes[0].Close(); err != nil {
				t.Error(err)
			}
			wantEnd(t, &all)
		})
	}
}

// A request that passed its checks just before Close began, and is handed over while the goodbye is on its way, ends too.
func TestRequestDuringGoodbye(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		nodes := settled(t, f.hub(), 2)
		connect(t, nodes[1], staysSilent, User("42"))
		for _, after := range []time.Duration{0, time.Microsecond, time.Millisecond, 1500 * time.Microsecond} {
			b := nodes[0]
			if after > 0 {
				b = join(t, relay.NewHub(&relay.HubOptions{Delay: func() time.Duration { return time.Millisecond }}), "lone")
			}
			p := b.takePending()
			if err := b.prepare(t.Context(), p, User("42"), "e", JSON(1)); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			all.Go(func() { _ = b.Close() })
			all.Go(func() {
				<-time.After(after)
				b.hand(t.Context(), p)
				_ = b.await(t.Context(), p)
				b.free(p)
			})
			wantEnd(t, &all)
		}
	})
}

// Close ends the context of a handler that runs, waits for it, and hands it nothing more.
func TestCloseEndsHandlers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		var calls atomic.Int32
		subscribe(t, nodes[1], User("42"), func(ctx context.Context, _ *Message) (Body, error) {
			calls.Add(1)
			<-ctx.Done()
			return Body{}, ctx.Err()
		})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				r, err := nodes[0].Request(within(t, time.Minute), User("42"), "e", JSON(1))
				wantOutcome(t, r, err, OutcomeUnknown)
			})
		}
		pass(100 * time.Millisecond)
		if err := nodes[1].Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("the handler was called %d times, want 1: four messages were still queued", n)
		}
	})
}

// kept counts all that a node keeps for requests, its own and those that it answered.
func kept(b *Bus) int {
	s := b.Stats()
	n := s.Pending + s.Awaited + s.Records
	b.claimsMu.Lock()
	n += b.claims.wheel.len() + len(b.claims.wrote)
	for _, s := range b.claims.streams {
		n += len(s.kept)
	}
	b.claimsMu.Unlock()
	b.requestsMu.Lock()
	defer b.requestsMu.Unlock()
	w := b.requests.window
	return n + b.requests.wheel.len() + len(b.requests.quota.taken) + int(w.next-w.floor)
}

// Requests in great number leave nothing behind: no pending entry, no record, no goroutine, no batch, no key, no channel.
func TestNothingIsLeft(t *testing.T) {
	leak.Check(t)
	server := redistest.Start(t)
	look := server.Client()
	at := func(name string) *Bus {
		b, err := Open(t.Context(), server.URL(), &Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		until(t, name+" is ready", func() bool { return b.Ready() == nil })
		return b
	}
	a, b := at("a"), at("b")
	channels := func() int {
		all, err := look.PubSubChannels(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before, goroutines := channels(), runtime.NumGoroutine()
	s := subscribe(t, b, Topic("x"), nothing, Concurrency(8))
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range requestsInGreatNumber / 64 {
				if _, err := a.Request(t.Context(), Topic("x"), "e", JSON(1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	s.Close()
	for _, n := range []*Bus{a, b} {
		until(t, n.Node().Name+" forgets", func() bool { return kept(n) == 0 })
	}
	until(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	until(t, "the channels are given up", func() bool { return channels() <= before })
	if n, err := look.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
	for _, n := range []*Bus{a, b} {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	until(t, "no channel is left", func() bool { return channels() == 0 })
}
