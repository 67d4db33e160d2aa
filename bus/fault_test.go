package bus

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// inCluster runs a test in virtual time, with n nodes that know each other on a hub that suffers the faults.
func inCluster(t *testing.T, n int, test func(t *testing.T, f *faults, hub *relay.Hub, nodes []*Bus)) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		f := new(faults)
		hub := f.hub()
		test(t, f, hub, settled(t, hub, n))
	})
}

// many sends n requests at once, to users 0 to n-1, and calls judge for each.
func many(t *testing.T, from *Bus, n int, timeout time.Duration, judge func(r *Receipt, err error), opts ...RequestOption) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			judge(from.Request(ctx, User(strconv.Itoa(i)), "e", JSON(i), opts...))
		})
	}
	all.Wait()
}

// users connects clients of users 0 to n-1.
func users(t *testing.T, at *Bus, n int, a answer) []*client {
	t.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = connect(t, at, a, User(strconv.Itoa(i)))
	}
	return clients
}

// Every request that a node had claimed ends as unknown, with its name, within 1 s of its process's death and within 3.5 s of its
// standing still or being cut off; when it goes on nothing is delivered any more.
func TestNodeFallsSilent(t *testing.T) {
	for _, c := range []struct {
		name         string
		strike, undo func(h *relay.Hub, id string) bool
		within       time.Duration
	}{
		{"kill", (*relay.Hub).Kill, nil, time.Second},
		{"stop", (*relay.Hub).Stop, (*relay.Hub).Continue, 3500 * time.Millisecond},
		{"cut", (*relay.Hub).Cut, (*relay.Hub).Mend, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, 3, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
				clients := users(t, nodes[1], 50, staysSilent)
				late := users(t, nodes[1], 51, staysSilent)[50]
				id := nodes[1].Node().ID
				pass(time.Second)
				var struck time.Time
				time.AfterFunc(300*time.Millisecond, func() {
					struck = time.Now()
					c.strike(hub, id.String())
				})
				many(t, nodes[0], 50, time.Minute, func(r *Receipt, err error) {
					wantOutcome(t, r, err, OutcomeUnknown)
					if d := r.Deliveries[0]; d.Node != "b" || d.NodeID != id || d.Outcome != OutcomeUnknown {
						t.Errorf("%+v", d)
					}
					took(t, struck, 0, c.within)
				})
				r, err := nodes[0].Request(within(t, time.Second), User("50"), "e", JSON(1))
				if err == nil || r == nil || r.Outcome == OutcomeUnconfirmed {
					t.Errorf("%v, %v", r, err)
				}
				if c.undo == nil {
					return
				}
				pass(4 * time.Second)
				c.undo(hub, id.String())
				pass(10 * time.Second)
				late.wantSeen(t, 0)
				for _, k := range clients {
					k.wantSeen(t, 1)
				}
				r, err = nodes[0].Request(within(t, time.Second), User("50"), "e", JSON(1))
				wantOutcome(t, r, err, OutcomeUnconfirmed)
			})
		})
	}
}

// A node that stands still for a moment costs time and no receipt.
func TestShortStop(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
		clients := users(t, nodes[1], 20, confirms)
		id := nodes[1].Node().ID.String()
		hub.Stop(id)
		time.AfterFunc(1500*time.Millisecond, func() { hub.Continue(id) })
		many(t, nodes[0], 20, 5*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
		for _, k := range clients {
			k.wantSeen(t, 1)
		}
	})
}

// Redis goes away in the middle of requests and comes again: the receipts come, the clients saw each message once.
func TestRedisAwayInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		name            string
		confirmed, away time.Duration // when the client confirms; for how long Redis is away, from 100 ms on
	}{
		{"confirmed before", 99 * time.Millisecond, time.Second},
		{"confirmed meanwhile", 700 * time.Millisecond, 2 * time.Second},
		{"confirmed afterwards", 4 * time.Second, 3 * time.Second},
		{"away for long", 700 * time.Millisecond, 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, 3, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
				clients := users(t, nodes[1], 20, later(c.confirmed, confirms))
				time.AfterFunc(100*time.Millisecond, func() { hub.Away(c.away) })
				start := time.Now()
				many(t, nodes[0], 20, 30*time.Second, func(r *Receipt, err error) {
					wantOutcome(t, r, err, OutcomeConfirmed)
					took(t, start, 0, max(c.confirmed, c.away)+time.Second)
				})
				for _, k := range clients {
					k.wantSeen(t, 1)
				}
			})
		})
	}
}

// Redis goes away while a message is on its way there or back, or to a client.
func TestRedisAwayAtAnyMoment(t *testing.T) {
	for at := range 8 {
		inCluster(t, 2, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
			clients := users(t, nodes[1], 3, confirms)
			time.AfterFunc(time.Duration(at)*500*time.Microsecond+100*time.Microsecond, func() { hub.Away(time.Second) })
			many(t, nodes[0], 3, 10*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
			for _, k := range clients {
				k.wantSeen(t, 1)
			}
		})
	}
}

// A short request that ends while Redis is away takes no long one with it.
func TestRedisAwayBesidesShortRequests(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
		connect(t, nodes[1], later(8*time.Second, confirms), User("long"))
		connect(t, nodes[1], staysSilent, User("short"))
		var all sync.WaitGroup
		all.Go(func() {
			r, err := nodes[0].Request(within(t, 20*time.Second), User("long"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeConfirmed)
		})
		pass(100 * time.Millisecond)
		time.AfterFunc(100*time.Millisecond, func() { hub.Away(4 * time.Second) })
		_, err := nodes[0].Request(within(t, 500*time.Millisecond), User("short"), "e", JSON(1))
		if err == nil {
			t.Error("the short one was confirmed")
		}
		all.Wait()
	})
}

// Without Redis a request waits for it, as long as its deadline and 2 s at most; then nothing was sent, and the caller knows.
func TestRedisAwayAtTheStart(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
		k := connect(t, nodes[1], confirms, User("42"))
		hub.Away(-1)
		pass(10 * time.Second)
		for deadline, want := range map[time.Duration]time.Duration{300 * time.Millisecond: 300 * time.Millisecond,
			2 * time.Second: 2 * time.Second, 10 * time.Second: 2 * time.Second} {
			start := time.Now()
			r, err := nodes[0].Request(within(t, deadline), User("42"), "e", JSON(1))
			took(t, start, want-unsentSpare, want+50*time.Millisecond)
			if r != nil || !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v: %v, %v", deadline, r, err)
			}
			start = time.Now()
			_, err = nodes[0].Publish(within(t, deadline), User("42"), "e", JSON(1))
			took(t, start, want-unsentSpare, want+50*time.Millisecond)
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v: %v", deadline, err)
			}
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
		r, err := nodes[0].Request(ctx, User("42"), "e", JSON(1))
		if !errors.Is(err, cause) || r != nil && r.Outcome != OutcomeUnknown {
			t.Errorf("cancelled: %v, %v", r, err)
		}
		if nodes[0].Ready() == nil || nodes[0].Unreachable() < 10*time.Second {
			t.Errorf("ready %v, unreachable for %v", nodes[0].Ready(), nodes[0].Unreachable())
		}
		time.AfterFunc(time.Second, hub.Back)
		r, err = nodes[0].Request(t.Context(), User("42"), "e", JSON(2))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if nodes[0].Ready() != nil || nodes[0].Unreachable() != 0 {
			t.Errorf("ready %v, unreachable for %v", nodes[0].Ready(), nodes[0].Unreachable())
		}
		pass(10 * time.Second)
		for _, m := range k.messages() {
			if string(m.Body.Raw()) == "1" && m.Redelivered {
				t.Error("what was refused came later")
			}
		}
	})
}

// A real redis-server is killed and started again while the client acknowledges: the receipt comes, the client saw it once.
func TestRedisRestart(t *testing.T) {
	server := redistest.Start(t)
	var nodes []*Bus
	for _, name := range []string{"a", "b"} {
		b, err := Open(t.Context(), server.URL(), &Options{Name: name, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		nodes = append(nodes, b)
	}
	until(t, "the nodes know each other", func() bool { return len(nodes[0].Nodes()) == 2 && nodes[0].Ready() == nil })
	var seen sync.WaitGroup
	seen.Add(20)
	away := make(chan struct{})
	clients := users(t, nodes[1], 20, func(_ *Message, ticket Ticket) {
		ticket.Written()
		seen.Done()
		nodes[1].group.Go(func() {
			<-away
			ticket.Confirm(JSON("meanwhile"))
		})
	})
	var all sync.WaitGroup
	all.Go(func() {
		many(t, nodes[0], 20, 30*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
	})
	seen.Wait()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	close(away)
	start := time.Now()
	_, err := nodes[0].Publish(within(t, 300*time.Millisecond), User("0"), "e", JSON(1))
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) {
		t.Errorf("published without Redis: %v", err)
	}
	took(t, start, 0, 5*time.Second)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	for _, k := range clients {
		k.wantSeen(t, 1)
	}
}
