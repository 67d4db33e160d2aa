package bus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// subscribe subscribes a handler that must be accepted.
func subscribe(t *testing.T, b *Bus, to Address, h Handler, opts ...SubscribeOption) *Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), to, h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counting answers with how often it was called.
func counting(n *atomic.Int32) Handler {
	return func(context.Context, *Message) (Body, error) { return JSON(n.Add(1)), nil }
}

func TestHandlerAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		for event, c := range map[string]struct {
			do   Handler
			want Outcome
			code string
		}{
			"replies": {func(_ context.Context, m *Message) (Body, error) { return m.Body, nil }, OutcomeConfirmed, ""},
			"rejects": {func(context.Context, *Message) (Body, error) { return Body{}, Reject("busy", "") }, OutcomeRejected, "busy"},
			"wraps": {func(context.Context, *Message) (Body, error) {
				return Body{}, errors.Join(errors.New("x"), Reject("busy", ""))
			}, OutcomeRejected, "busy"},
			"fails":     {func(context.Context, *Message) (Body, error) { return Body{}, errors.New("x") }, OutcomeRejected, CodeRejected},
			"panics":    {func(context.Context, *Message) (Body, error) { panic("x") }, OutcomeRejected, CodeInternal},
			"bad reply": {func(context.Context, *Message) (Body, error) { return JSON(func() {}), nil }, OutcomeRejected, CodeInternal},
			"large reply": {func(context.Context, *Message) (Body, error) { return Bytes(make([]byte, 1<<20+1)), nil },
				OutcomeRejected, CodeInternal},
			"waits": {func(ctx context.Context, _ *Message) (Body, error) {
				<-ctx.Done()
				return Body{}, ctx.Err()
			}, OutcomeUnconfirmed, ""},
		} {
			s := subscribe(t, nodes[1], Topic("x"), c.do)
			r, err := nodes[0].Request(within(t, time.Second), Topic("x"), event, JSON("hello"))
			s.Close()
			wantOutcome(t, r, err, c.want)
			d := r.Deliveries[0]
			if d.Carrier != CarrierHandler || d.Socket != "" || (c.code == "") != (d.Error == nil) ||
				d.Error != nil && d.Error.Code != c.code {
				t.Errorf("%s: %+v, error %v", event, d, d.Error)
			}
			if c.want == OutcomeConfirmed && string(d.Reply.Raw()) != `"hello"` {
				t.Errorf("%s: reply %s", event, d.Reply.Raw())
			}
		}
	})
}

// Once takes one message, whoever sends how many at once; the next finds nobody.
func TestOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		var calls atomic.Int32
		subscribe(t, nodes[1], Topic("x"), counting(&calls), Once())
		var ends [outcomes]atomic.Int32
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				r, err := nodes[i%2].Request(t.Context(), Topic("x"), "e", JSON(1))
				if r == nil {
					t.Error(err)
					return
				}
				ends[r.Outcome].Add(1)
			})
		}
		all.Wait()
		if n, rest := ends[OutcomeConfirmed].Load(), ends[OutcomeClosed].Load()+ends[OutcomeNoReceiver].Load(); n != 1 || rest != 19 {
			t.Errorf("%d confirmed, %d closed or without a receiver", n, rest)
		}
		r, err := nodes[0].Request(t.Context(), Topic("x"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver)
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

func TestConcurrency(t *testing.T) {
	for _, c := range []struct{ n, want int32 }{{1, 1}, {-3, 1}, {4, 4}, {100, 20}} {
		inBubble(t, func(t *testing.T) {
			nodes := settled(t, relay.NewHub(nil), 2)
			var running, most atomic.Int32
			subscribe(t, nodes[1], Topic("x"), func(context.Context, *Message) (Body, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				<-time.After(10 * time.Millisecond)
				return Body{}, nil
			}, Concurrency(int(c.n)))
			start := time.Now()
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if _, err := nodes[0].Request(t.Context(), Topic("x"), "e", JSON(1)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if most.Load() != c.want {
				t.Errorf("Concurrency(%d): %d at once, want %d", c.n, most.Load(), c.want)
			}
			took(t, start, time.Duration(20/c.want)*10*time.Millisecond, time.Duration(20/c.want)*10*time.Millisecond+50*time.Millisecond)
		})
	}
}

// Two thousand messages of one publisher to one address are handled in the order in which they were handed over.
func TestOrder(t *testing.T) {
	const n = 2000
	send := func(t *testing.T, from, at *Bus, settle func()) {
		var order []int
		var mu sync.Mutex
		subscribe(t, at, Topic("x"), func(_ context.Context, m *Message) (Body, error) {
			var i int
			err := m.Body.Decode(&i)
			mu.Lock()
			defer mu.Unlock()
			order = append(order, i)
			return Body{}, err
		})
		for i := range n {
			if i%100 == 50 {
				if _, err := from.Request(t.Context(), Topic("x"), "e", JSON(i)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := from.Publish(t.Context(), Topic("x"), "e", JSON(i)); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		until(t, "all messages are handled", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(order) == n
		})
		if !slices.IsSorted(order) {
			t.Errorf("handled out of order: %v", order)
		}
	}
	t.Run("memory", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			i := 0
			nodes := settled(t, relay.NewHub(&relay.HubOptions{Merge: true, Delay: func() time.Duration {
				i++
				return time.Duration(i*7919%13) * time.Millisecond
			}}), 2)
			send(t, nodes[0], nodes[1], func() { pass(time.Second) })
		})
	})
	t.Run("redis", func(t *testing.T) {
		send(t, open(t, "from"), open(t, "at"), func() {})
	})
}

// open attaches a node to the Redis that the package's tests share.
func open(t *testing.T, name string, change ...func(*Options)) *Bus {
	t.Helper()
	o := Options{Name: name, Prefix: redistest.Prefix(t)}
	for _, f := range change {
		f(&o)
	}
	b, err := Open(t.Context(), redistest.Shared(t).URL(), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	until(t, name+" is ready", func() bool { return b.Ready() == nil })
	return b
}

// A pattern and a channel that both match bring two copies; each subscription is one endpoint.
func TestSubscribePattern(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		var exact, glob, other atomic.Int32
		subscribe(t, nodes[1], Topic("chat.42"), counting(&exact))
		p, err := nodes[1].SubscribePattern(t.Context(), "chat.*", func(_ context.Context, m *Message) (Body, error) {
			if m.To != Topic("chat.42") && m.To != Topic("chat.") {
				t.Errorf("to %v", m.To)
			}
			return JSON(glob.Add(1)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[2].SubscribePattern(t.Context(), "chat.4[0-9]", counting(&other)); err != nil {
			t.Fatal(err)
		}
		r, err := nodes[0].Request(t.Context(), Topic("chat.42"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Expected != 3 || r.Nodes != 2 || exact.Load() != 1 || glob.Load() != 1 || other.Load() != 1 {
			t.Errorf("%v: expected %d, nodes %d", r, r.Expected, r.Nodes)
		}
		r, err = nodes[0].Request(t.Context(), Topic("chat."), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
		p.Close()
		for _, to := range []Address{Topic("chat."), Topic("Chat.x"), User("chat.42"), Topic("chat")} {
			r, err = nodes[0].Request(t.Context(), to, "e", JSON(1))
			wantOutcome(t, r, err, OutcomeNoReceiver)
		}
		for _, bad := range []string{"", "a\n", string(make([]byte, 300))} {
			if _, err := nodes[1].SubscribePattern(t.Context(), bad, nothing); !errors.Is(err, ErrAddress) {
				t.Errorf("pattern %q: %v", bad, err)
			}
		}
	})
}

// What does not fit into the queue is refused; what is queued too long expires.
func TestQueueOfHandler(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		a := settled(t, hub, 1)[0]
		b := join(t, hub, "small", func(o *Options) { o.QueueSize = 2 })
		pass(time.Second)
		var handled atomic.Int32
		subscribe(t, b, Topic("x"), func(context.Context, *Message) (Body, error) {
			handled.Add(1)
			<-time.After(2 * time.Second)
			return Body{}, nil
		})
		var ends [outcomes]atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				r, err := a.Request(within(t, time.Second), Topic("x"), "e", JSON(1))
				if r == nil || err == nil {
					t.Error(r, err)
					return
				}
				ends[r.Outcome].Add(1)
				if d := r.Deliveries[0]; r.Outcome == OutcomeRejected && d.Error.Code != CodeOverloaded {
					t.Error(d.Error)
				}
			})
			pass(time.Millisecond)
		}
		all.Wait()
		pass(5 * time.Second)
		if ends[OutcomeUnconfirmed].Load() != 1 || ends[OutcomeExpired].Load() != 2 || ends[OutcomeRejected].Load() != 1 ||
			handled.Load() != 1 {
			t.Errorf("%d unconfirmed, %d expired, %d rejected, %d handled; want 1, 2, 1, 1", ends[OutcomeUnconfirmed].Load(),
				ends[OutcomeExpired].Load(), ends[OutcomeRejected].Load(), handled.Load())
		}
	})
}

// Close may be called from the handler; afterwards nobody is there.
func TestCloseFromHandler(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		var s *Subscription
		s = subscribe(t, nodes[1], User("42"), func(context.Context, *Message) (Body, error) {
			s.Close()
			s.Close()
			return Body{}, nil
		})
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		start := time.Now()
		r, err = nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		took(t, start, 0, 100*time.Millisecond)
		wantOutcome(t, r, err, OutcomeNoReceiver)
	})
}

// Addresses that are not this node's to subscribe to, and calls that make no sense.
func TestRefusedSubscriptions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		a, b := nodes[0], nodes[1]
		for _, to := range []Address{{}, User(""), Socket(a.NewSocket()), NodeNamed("b"), NodeNamed(b.Node().ID.String()), {"all", "x"}} {
			if _, err := a.Subscribe(t.Context(), to, nothing); !errors.Is(err, ErrAddress) {
				t.Errorf("%v: %v", to, err)
			}
			if _, err := a.Attach(t.Context(), &client{}, Profile{}, to); !errors.Is(err, ErrAddress) {
				t.Errorf("attach to %v: %v", to, err)
			}
		}
		for _, socket := range []string{b.NewSocket(), "x"} {
			if _, err := a.Attach(t.Context(), &client{}, Profile{Socket: socket}); !errors.Is(err, ErrAddress) {
				t.Errorf("socket %q: %v", socket, err)
			}
		}
		if _, err := a.Subscribe(t.Context(), User("42"), nil); err == nil {
			t.Error("a nil handler was taken")
		}
		if n := a.Node().Sockets; n != 0 {
			t.Errorf("%d sockets", n)
		}
	})
}

// A subscription whose context ends before Redis has confirmed holds nothing.
func TestSubscribeInVain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(&relay.HubOptions{SubscribeDelay: time.Second, Linger: -1})
		nodes := settled(t, hub, 2)
		if _, err := nodes[1].Subscribe(within(t, 100*time.Millisecond), User("42"), nothing); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		pass(5 * time.Second)
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver)
		if n := len(nodes[1].directory.places); n != 0 {
			t.Errorf("%d places", n)
		}
	})
}
