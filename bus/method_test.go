package bus

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// serve has a handler at a method of the node, and at all its instances.
func serve(t *testing.T, b *Bus, method string, h Handler, opts ...SubscribeOption) {
	t.Helper()
	for _, to := range []Address{Method(method), MethodAt(method, b.Node().ID)} {
		if _, err := b.Subscribe(t.Context(), to, h, opts...); err != nil {
			t.Fatal(err)
		}
	}
}

func answersOK(context.Context, *Message) (Body, error) { return JSON("ok"), nil }

func TestMethodAddresses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		serve(t, nodes[1], "m", answersOK)
		serve(t, nodes[2], "m", answersOK)
		r, err := nodes[0].Request(t.Context(), MethodAt("m", nodes[1].Node().ID), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Deliveries[0].Node != "b" || r.Expected != 1 {
			t.Errorf("%+v", r)
		}
		r, err = nodes[0].Request(t.Context(), Method("m"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Expected != 2 {
			t.Errorf("%d endpoints, want both instances", r.Expected)
		}
		for _, foreign := range []Address{MethodAt("m", nodes[0].Node().ID), Socket(nodes[0].NewSocket())} {
			if _, err := nodes[1].Subscribe(t.Context(), foreign, answersOK); !errors.Is(err, ErrAddress) {
				t.Errorf("%s: %v", foreign, err)
			}
		}
	})
}

// A trusted count of nobody ends the request at once, even where the node is still held for a member.
func TestTrustedCountOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 2)
		id := nodes[1].Node().ID
		for _, gone := range []struct {
			why string
			to  Address
		}{
			{"not served there", MethodAt("absent", id)},
			{"killed", MethodAt("m", id)},
			{"never was", MethodAt("m", uuid.New())},
		} {
			if gone.why == "killed" {
				hub.Kill(id.String())
			}
			start := time.Now()
			r, err := nodes[0].Request(t.Context(), gone.to, "e", JSON(1), TrustCount())
			wantOutcome(t, r, err, OutcomeNoReceiver)
			took(t, start, 0, 5*time.Millisecond)
		}
	})
}

// A node that may have got a copy and says nothing is named.
func TestTrustedCountOfSomebodySilent(t *testing.T) {
	for why, strike := range map[string]func(h *relay.Hub, id string) bool{"killed": (*relay.Hub).Kill, "stopped": (*relay.Hub).Stop} {
		t.Run(why, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var f faults
				hub := f.hub()
				nodes := settled(t, hub, 2)
				id := nodes[1].Node().ID
				f.set(loses(relay.HopIn, func(c relay.Crossing) bool { return c.Node == id.String() }))
				time.AfterFunc(10*time.Millisecond, func() { strike(hub, id.String()) })
				start := time.Now()
				r, err := nodes[0].Request(within(t, time.Minute), MethodAt("m", id), "e", JSON(1), TrustCount())
				wantOutcome(t, r, err, OutcomeUnknown)
				took(t, start, 0, 3500*time.Millisecond)
				if d := r.Deliveries[0]; d.NodeID != id {
					t.Errorf("%+v does not name the node", d)
				}
			})
		})
	}
}

// A handler's context ends when the publisher gives up, also where the publisher had not heard of the handler yet.
func TestCancellingTravels(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
	}{{"while it is handled", 100 * time.Millisecond}, {"before it is claimed", 500 * time.Microsecond}} { // a hop takes 1 ms
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var f faults
				nodes := settled(t, f.hub(), 2)
				ended := make(chan time.Time, 1)
				serve(t, nodes[1], "m", func(ctx context.Context, _ *Message) (Body, error) {
					<-ctx.Done()
					if !errors.Is(context.Cause(ctx), ErrGivenUp) {
						t.Errorf("ended by %v", context.Cause(ctx))
					}
					ended <- time.Now()
					return Body{}, ctx.Err()
				})
				ctx, cancel := context.WithCancel(t.Context())
				var gave time.Time
				time.AfterFunc(c.after, func() { gave = time.Now(); cancel() })
				_, err := nodes[0].Request(ctx, MethodAt("m", nodes[1].Node().ID), "e", JSON(1))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
				if d := (<-ended).Sub(gave); d > 20*time.Millisecond {
					t.Errorf("the handler's context ended %v later", d)
				}
			})
		})
	}
}

// A requirement that another endpoint met takes nothing from a handler that is still at it.
func TestMetRequirementLeavesHandlersAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		done := make(chan error, 1)
		serve(t, nodes[1], "m", answersOK)
		serve(t, nodes[2], "m", func(ctx context.Context, _ *Message) (Body, error) {
			pass(time.Second)
			done <- ctx.Err()
			return Body{}, nil
		})
		r, err := nodes[0].Request(t.Context(), Method("m"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if err := <-done; err != nil {
			t.Errorf("the other handler's context: %v", err)
		}
	})
}

func TestRejectionWithDetails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		serve(t, nodes[1], "m", func(context.Context, *Message) (Body, error) {
			return JSON(map[string]int{"left": 3}), Reject("no_funds", "the account is empty")
		})
		r, err := nodes[0].Request(t.Context(), Method("m"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		var details map[string]int
		if err := r.Deliveries[0].Reply.Decode(&details); err != nil || details["left"] != 3 {
			t.Errorf("%v, %v", details, err)
		}
	})
}

// QueueSize bounds what waits beside what is handled.
func TestQueueSize(t *testing.T) {
	for _, c := range []struct{ size, taken int }{{-1, 2}, {1, 3}, {3, 5}} {
		inBubble(t, func(t *testing.T) {
			nodes := settled(t, relay.NewHub(nil), 1)
			release := make(chan struct{})
			serve(t, nodes[0], "m", func(context.Context, *Message) (Body, error) {
				<-release
				return Body{}, nil
			}, Concurrency(2), QueueSize(c.size))
			time.AfterFunc(time.Second, func() { close(release) })
			outcomes := make(chan Outcome, 8)
			for range 8 {
				nodes[0].group.Go(func() {
					r, _ := nodes[0].Request(t.Context(), MethodAt("m", nodes[0].id), "e", JSON(1))
					outcomes <- r.Outcome
				})
			}
			seen := make(map[Outcome]int)
			for range 8 {
				seen[<-outcomes]++
			}
			if seen[OutcomeConfirmed] != c.taken || seen[OutcomeRejected] != 8-c.taken {
				t.Errorf("size %d: %v, want %d taken", c.size, seen, c.taken)
			}
		})
	}
}

func TestServedMethodsAreMadeKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		before := nodes[0].Membership()
		nodes[1].Serve(3, 7)
		pass(10 * time.Millisecond)
		if n := nodes[0].Nodes()[1]; n.Methods != 3 || n.Version != 7 || nodes[0].Membership() == before {
			t.Errorf("%+v, membership %d then %d", n, before, nodes[0].Membership())
		}
		before = nodes[0].Membership()
		pass(5 * time.Second)
		if now := nodes[0].Membership(); now != before {
			t.Errorf("membership changed from %d to %d without a change", before, now)
		}
		if alive, err := nodes[0].Living(t.Context(), nodes[1].id, uuid.New()); err != nil || !alive[0] || alive[1] {
			t.Errorf("%v, %v", alive, err)
		}
	})
}

// A callback that panics ends its request, and what is used again is nobody else's.
func TestOnDeliveryPanics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		connect(t, nodes[1], confirms, User("1"))
		connect(t, nodes[1], later(time.Second, confirms), User("1"))
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = nodes[0].Request(t.Context(), User("1"), "e", JSON(1), Require(All()), OnDelivery(func(Delivery) { panic("mine") }))
		}()
		if n := nodes[0].requests.table.len(); n != 0 {
			t.Errorf("%d requests are still under way", n)
		}
		r, err := nodes[0].Request(t.Context(), User("1"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// An ask that was lost while nothing was open is no silence of the next request.
func TestALostAskIsNoSilenceLater(t *testing.T) {
	d := newDesk(t)
	at := d.peer(uuid.UUID{7})
	d.ask(d.clock, at, false)
	d.pass(10 * time.Second)
	p := &pending{wake: make(chan struct{}, 1)}
	p.to, p.channel, p.deadline = MethodAt("m", uuid.UUID{7}), "p:n:7", d.clock+5*time.Second
	p.timer.owner = p
	p.opts.trustCount = true
	d.start(d.clock, p)
	d.count(p, 1)
	d.pass(time.Second)
	if p.over {
		t.Fatalf("%v after a second", p.outcome)
	}
}

// An acknowledgement that overtakes the news of the writing says that the message was written.
func TestAcknowledgedIsWritten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		connect(t, nodes[1], func(_ *Message, t Ticket) {
			time.AfterFunc(time.Millisecond, func() {
				t.Confirm(JSON("ok"))
				t.Written()
			})
		}, User("1"))
		r, err := nodes[0].Request(t.Context(), User("1"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if d := r.Deliveries[0]; d.Written == 0 || d.Written > d.Settled {
			t.Errorf("written after %v, settled after %v", d.Written, d.Settled)
		}
	})
}

// A caller that gives up before the one instance has claimed its call tells it all the same: the copy may have arrived.
func TestGivingUpBeforeTheClaim(t *testing.T) {
	d := newDesk(t)
	at := uuid.UUID{7}
	p := &pending{wake: make(chan struct{}, 1), request: request{to: MethodAt("m", at), channel: "p:n:7", deadline: d.clock + time.Minute}}
	p.timer.owner = p
	p.opts.trustCount = true
	d.start(d.clock, p)
	d.cancel(d.clock, p)
	packets := d.take().packets
	if len(packets) != 1 || packets[0].Channel != nodeChannel("p:", at.String()) ||
		!bytes.Equal(packets[0].Payload, encodeCancel(d.self, p.seq, true)) {
		t.Fatalf("%+v; want one cancel to the node", packets)
	}
}
