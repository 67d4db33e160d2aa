package bus

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// The first answer settles a delivery; what comes later changes nothing, is told so, and is counted.
func TestFirstAnswerWins(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(t Ticket) bool
		want  Outcome
	}{
		{"confirm", func(t Ticket) bool { return t.Confirm(JSON(1)) }, OutcomeConfirmed},
		{"reject", func(t Ticket) bool { return t.Reject("no", "") }, OutcomeRejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 2)
				k := connect(t, nodes[1], func(_ *Message, ticket Ticket) {
					if !ticket.Awaited() || !c.first(ticket) {
						t.Error("the first answer did not count")
					}
					if ticket.Confirm(Body{}) || ticket.Reject("x", "y") {
						t.Error("the second answer counted")
					}
					ticket.Written()
					ticket.Close()
					ticket.Drop("x", "")
					ticket.Expire()
				}, User("42"))
				r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
				wantOutcome(t, r, err, c.want)
				if n := nodes[1].Stats().IgnoredSteps; n != 6 {
					t.Errorf("%d ignored, want 6", n)
				}
				k.wantSeen(t, 1)
			})
		})
	}
}

// The zero ticket, which an endpoint gets with what was only published, takes every step.
func TestTicketOfPublished(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		k := connect(t, nodes[1], func(m *Message, ticket Ticket) {
			ticket.Written()
			if m.Ack || ticket.Awaited() || ticket.Confirm(JSON(1)) || ticket.Reject("x", "") {
				t.Error("somebody waits")
			}
			ticket.Close()
			ticket.Drop("", "")
			ticket.Expire()
		}, User("42"))
		if _, err := nodes[0].Publish(t.Context(), User("42"), "e", JSON(1)); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		k.wantSeen(t, 1)
		if s := nodes[1].Stats(); s.Records != 0 || s.Awaited != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// What an endpoint answers is cut, or refused, to what a receipt carries.
func TestAnswersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		k := connect(t, nodes[1], func(_ *Message, ticket Ticket) { ticket.Confirm(Bytes(make([]byte, 1<<20+1))) }, User("42"))
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		if e := r.Deliveries[0].Error; e == nil || e.Code != CodeInternal {
			t.Errorf("%v", e)
		}
		k.answers(func(_ *Message, ticket Ticket) {
			ticket.Reject(strings.Repeat("é", 1000), strings.Repeat("é", 10_000))
		})
		r, err = nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		if e := r.Deliveries[0].Error; len(e.Code) > MaxName || len(e.Message) > MaxHeaderBytes || !strings.HasSuffix(e.Code, "é") {
			t.Errorf("code of %d bytes, message of %d", len(e.Code), len(e.Message))
		}
		k.answers(func(_ *Message, ticket Ticket) { ticket.Reject("", "") })
		r, err = nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		if e := r.Deliveries[0].Error; e == nil || e.Code != CodeRejected {
			t.Errorf("%v", e)
		}
	})
}

// An endpoint whose time is over is told, and its acknowledgement counts no more.
func TestForget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		written, unwritten := connect(t, nodes[1], staysSilent, User("42")), connect(t, nodes[1], neverWrites, User("42"))
		quick := connect(t, nodes[1], later(tick, refuses), User("42"))
		r, err := nodes[0].Request(within(t, time.Second), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		if r.Counts != (Counts{OutcomeRejected: 1, OutcomeUnconfirmed: 1, OutcomeExpired: 1}) {
			t.Errorf("counts %v", r.Counts)
		}
		pass(time.Millisecond)
		for _, k := range []*client{written, unwritten} {
			if got := k.over(); !slices.Equal(got, []uuid.UUID{r.ID}) || !k.ticket().Over() || k.ticket().Confirm(Body{}) {
				t.Errorf("forgotten %v", got)
			}
		}
		if got := quick.over(); len(got) != 0 {
			t.Errorf("forgotten %v, though it had answered", got)
		}
	})
}

// A message is encoded once a slot, however many sockets of a carrier it goes to.
func TestEncodedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		calls := 0
		crowd(t, nodes[1:], 20, Group("g"), func(i int) answer {
			return func(m *Message, ticket Ticket) {
				p := m.Encoded(i%2, func(*Message) []byte {
					calls++
					return []byte{byte(i % 2)}
				})
				ticket.Confirm(Bytes(p))
			}
		})
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if calls != 2 {
			t.Errorf("encoded %d times, want 2", calls)
		}
	})
}

// A handler that ends its goroutine (testing.T.FailNow does) takes its subscription with it no more than one that panics.
func TestHandlerExits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		subscribe(t, nodes[1], User("42"), func(_ context.Context, m *Message) (Body, error) {
			if m.Event == "exit" {
				runtime.Goexit()
			}
			return Body{}, nil
		})
		start := time.Now()
		r, err := nodes[0].Request(within(t, time.Second), User("42"), "exit", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		took(t, start, 0, 100*time.Millisecond)
		r, err = nodes[0].Request(within(t, time.Second), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}
