package bus

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// The same ID again joins the first: same outcome and deliveries, and the client sees it once. From the same node, from another, and
// from the client's own.
func TestSameIDJoins(t *testing.T) {
	for _, c := range []struct {
		name  string
		level Level
		do    answer
		want  Outcome
	}{
		{"confirmed", Confirmed, confirms, OutcomeConfirmed},
		{"written", Written, staysSilent, OutcomeWritten},
		{"claimed", Claimed, neverWrites, OutcomeClaimed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 3)
				k := connect(t, nodes[1], c.do, User("42"))
				id := newID()
				var first *Receipt
				for _, from := range []*Bus{nodes[0], nodes[0], nodes[2], nodes[1]} {
					r, err := from.Request(t.Context(), User("42"), "e", JSON(1), WithID(id), WithLevel(c.level))
					wantOutcome(t, r, err, c.want)
					if first == nil {
						first = r
					}
					if r.ID != id || r.Expected != 1 || r.Nodes != 1 || r.Deliveries[0].Socket != k.socket ||
						!reflect.DeepEqual(r.Deliveries[0].Reply, first.Deliveries[0].Reply) {
						t.Errorf("%v: %+v", r, r.Deliveries)
					}
				}
				k.wantSeen(t, 1)
			})
		})
	}
}

// Publishers that use an ID at the same time share one delivery.
func TestSameIDAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(&relay.HubOptions{Delay: func() time.Duration { return time.Millisecond }}), 3)
		k := connect(t, nodes[1], func(_ *Message, t Ticket) {
			t.Written()
			time.AfterFunc(300*time.Millisecond, func() { t.Confirm(JSON("once")) })
		}, User("42"))
		id := newID()
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				<-time.After(time.Duration(i*40) * time.Millisecond) // some before it is confirmed, some after
				r, err := nodes[i%3].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
				if err != nil || string(r.Deliveries[0].Reply.Raw()) != `"once"` {
					t.Errorf("%d: %v, %v", i, r, err)
				}
			})
		}
		all.Wait()
		k.wantSeen(t, 1)
	})
}

// An ID is remembered for its deadline and 30 s, also when the endpoint has left; then it is new, and nothing is kept.
func TestIDIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 3)
		k := connect(t, nodes[1], confirms, User("42"))
		id := newID()
		ask := func(from *Bus) (*Receipt, error) {
			return from.Request(within(t, 5*time.Second), User("42"), "e", JSON(1), WithID(id))
		}
		r, err := ask(nodes[0])
		wantOutcome(t, r, err, OutcomeConfirmed)
		k.at.Detach()
		for _, d := range []time.Duration{0, 9 * time.Second, 10 * time.Second, 10 * time.Second} {
			pass(d)
			r, err = ask(nodes[2])
			wantOutcome(t, r, err, OutcomeConfirmed)
		}
		k.wantSeen(t, 1)
		pass(30 * time.Second)
		r, err = ask(nodes[2])
		wantOutcome(t, r, err, OutcomeNoReceiver)
		pass(time.Minute)
		wantForgotten(t, hub, nodes[1], User("42"))
	})
}

// wantForgotten holds a node against remembering nothing, and the address against being held.
func wantForgotten(t *testing.T, hub *relay.Hub, b *Bus, to Address) {
	t.Helper()
	if n := hub.Count(addressChannel(b.prefix, to)); n != 0 {
		t.Errorf("%v is still held by %d connections", to, n)
	}
	b.holdsMu.Lock()
	holds := len(b.holds)
	b.holdsMu.Unlock()
	if s := b.Stats(); holds != 0 || s.Records != 0 || len(b.claims.memory.table) != 0 || b.claims.memory.size != 0 {
		t.Errorf("%d holds, %d records, %d IDs, %d bytes", holds, s.Records, len(b.claims.memory.table), b.claims.memory.size)
	}
}

// After an outcome that did not meet the requirement the message goes again to those that did not confirm, marked; those that did
// confirm keep their reply.
func TestUnmetIDIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		do   answer
		want Outcome
	}{{"rejected", refuses, OutcomeRejected}, {"unconfirmed", staysSilent, OutcomeUnconfirmed},
		{"expired", neverWrites, OutcomeExpired}, {"dropped", isSlow, OutcomeDropped}} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				hub := relay.NewHub(nil)
				nodes := settled(t, hub, 3)
				good := connect(t, nodes[1], confirms, Group("g"))
				bad := connect(t, nodes[1], c.do, Group("g"))
				id := newID()
				ask := func(from *Bus) (*Receipt, error) {
					return from.Request(within(t, time.Second), Group("g"), "e", JSON(1), WithID(id), Require(All()))
				}
				r, err := ask(nodes[0])
				wantOutcome(t, r, err, c.want)
				bad.answers(confirms)
				for _, from := range []*Bus{nodes[2], nodes[0]} {
					r, err = ask(from)
					wantOutcome(t, r, err, OutcomeConfirmed)
					if r.Expected != 2 || len(r.Deliveries) != 2 {
						t.Errorf("%v: %+v", r, r.Deliveries)
					}
				}
				good.wantSeen(t, 1)
				bad.wantSeen(t, 2)
				if m := bad.messages(); m[0].Redelivered || !m[1].Redelivered || m[1].ID != id {
					t.Errorf("marked %v, %v", m[0].Redelivered, m[1].Redelivered)
				}
				good.at.Detach()
				bad.at.Detach()
				pass(2 * time.Minute)
				wantForgotten(t, hub, nodes[1], Group("g"))
			})
		})
	}
}

// One that fails fast delivers an unmet ID again, too.
func TestUnmetIDIsSentAgainFailFast(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		k := connect(t, nodes[1], refuses, User("42"))
		id := newID()
		ask := func() (*Receipt, error) {
			return nodes[0].Request(within(t, time.Second), User("42"), "e", JSON(1), WithID(id), FailFast())
		}
		r, err := ask()
		wantOutcome(t, r, err, OutcomeRejected)
		k.answers(confirms)
		r, err = ask()
		wantOutcome(t, r, err, OutcomeConfirmed)
		k.wantSeen(t, 2)
	})
}

// Two that send an unmet ID again at the same time share the second delivery, too.
func TestUnmetIDAgainAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(&relay.HubOptions{Delay: func() time.Duration { return time.Millisecond }}), 3)
		k := connect(t, nodes[1], refuses, User("42"))
		id := newID()
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeRejected)
		k.answers(later(100*time.Millisecond, confirms))
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if _, err := nodes[i%3].Request(t.Context(), User("42"), "e", JSON(1), WithID(id)); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		all.Wait()
		k.wantSeen(t, 2)
	})
}

// A client that has seen an ID and gets it again, at whatever level it was asked for, is told so.
func TestIDAgainAtAnotherLevel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		k := connect(t, nodes[1], confirms, User("42"))
		id := newID()
		for _, l := range []Level{Written, Confirmed} {
			r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(id), WithLevel(l))
			wantOutcome(t, r, err, l.outcome())
		}
		for _, m := range k.messages()[1:] {
			if !m.Redelivered {
				t.Error("it came again and is not marked")
			}
		}
	})
}

// A user who moved to another socket in between may see an ID again, and then is told so.
func TestIDAfterMove(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		k := connect(t, nodes[1], confirms, User("42"))
		id := newID()
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeConfirmed)
		for _, at := range []*Bus{nodes[1], nodes[2]} {
			k.at.Detach()
			k = connect(t, at, confirms, User("42"))
			r, err = nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
			wantOutcome(t, r, err, OutcomeConfirmed)
			for _, m := range k.messages() {
				if !m.Redelivered {
					t.Errorf("at %s it came again and is not marked", at.Node().Name)
				}
			}
		}
	})
}

// An ID with other content is a conflict, and delivers nothing.
func TestIDConflict(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		k := connect(t, nodes[1], confirms, User("42"), Group("g"))
		id := newID()
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeConfirmed)
		for _, c := range []struct {
			to    Address
			event string
			body  Body
		}{{User("42"), "e", JSON(2)}, {User("42"), "f", JSON(1)}, {User("42"), "e", Bytes([]byte("1"))}, {Group("g"), "e", JSON(1)}} {
			for _, from := range []*Bus{nodes[0], nodes[2]} {
				r, err := from.Request(t.Context(), c.to, c.event, c.body, WithID(id))
				if r != nil || !errors.Is(err, ErrIDConflict) || errors.Is(err, ErrUnavailable) {
					t.Errorf("%v %s %s: %v, %v", c.to, c.event, c.body.Raw(), r, err)
				}
			}
		}
		k.wantSeen(t, 1)
		r, err = nodes[2].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// What is published twice under an ID is delivered once, whether it was published or requested before.
func TestPublishSameID(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		k := connect(t, nodes[1], confirms, User("42"))
		publish := func(from *Bus, id uuid.UUID) {
			if p, err := from.Publish(t.Context(), User("42"), "e", JSON(1), WithID(id)); err != nil || p.ID != id || p.Receivers != 1 {
				t.Errorf("%+v, %v", p, err)
			}
			synctest.Wait()
		}
		id := newID()
		for _, from := range []*Bus{nodes[0], nodes[0], nodes[2]} {
			publish(from, id)
		}
		k.wantSeen(t, 1)
		pass(40 * time.Second)
		publish(nodes[0], id)
		k.wantSeen(t, 2)

		other := newID()
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), WithID(other))
		wantOutcome(t, r, err, OutcomeConfirmed)
		publish(nodes[2], other)
		k.wantSeen(t, 3)
	})
}

// A joined request that lost its report hears it when it asks, also long after the first one's deadline.
func TestLateJoinerHears(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		nodes := settled(t, f.hub(), 3)
		k := connect(t, nodes[1], confirms, User("42"))
		id := newID()
		r, err := nodes[0].Request(within(t, time.Second), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeConfirmed)
		pass(10 * time.Second)
		f.set(loses(relay.HopIn, isReport))
		time.AfterFunc(2200*time.Millisecond, f.stop)
		r, err = nodes[2].Request(t.Context(), User("42"), "e", JSON(1), WithID(id))
		wantOutcome(t, r, err, OutcomeConfirmed)
		k.wantSeen(t, 1)
	})
}

// IDs of messages that a pattern brought are remembered, and forgotten, like others.
func TestSameIDByPattern(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 2)
		n := 0
		s, err := nodes[1].SubscribePattern(t.Context(), "chat.*", func(context.Context, *Message) (Body, error) {
			n++
			return JSON(n), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		subscribe(t, nodes[1], Topic("chat.1"), nothing)
		id := newID()
		for range 3 {
			r, err := nodes[0].Request(t.Context(), Topic("chat.1"), "e", JSON(1), WithID(id), Require(All()))
			wantOutcome(t, r, err, OutcomeConfirmed)
			if r.Expected != 2 {
				t.Errorf("expected %d", r.Expected)
			}
		}
		s.Close()
		if n != 1 {
			t.Errorf("handled %d times", n)
		}
		pass(2 * time.Minute)
		nodes[1].holdsMu.Lock()
		defer nodes[1].holdsMu.Unlock()
		if len(nodes[1].holds) != 0 {
			t.Errorf("still held: %v", nodes[1].holds)
		}
	})
}
