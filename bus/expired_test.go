package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// A copy that something on the way held up until the record of its request was forgotten by time is not delivered again, also where
// the publisher's floor has not passed it yet.
func TestACopyThatOutlivedItsRecord(t *testing.T) {
	c := newClaims(uuid.UUID{2}, "n", "p:", 100)
	now := time.Second
	come := func(seq, floor uint64, attempt uint32) int {
		_, n := c.arrive(now, &envelope{id: uuid.UUID{byte(seq)}, sender: uuid.UUID{1}, seq: seq, floor: floor, attempt: attempt,
			flags: flagReceipt, left: time.Second, to: []byte("user:1")}, nil, []*Attachment{{}})
		c.take()
		return n
	}
	if n := come(5, 1, 1); n != 1 {
		t.Fatalf("delivered to %d", n)
	}
	for end := now + time.Second + lateness + 2*tick; now < end; now += tick {
		c.advance(now)
		c.take()
	}
	s := c.stream(now, uuid.UUID{1})
	if s.records.len() != 0 {
		t.Fatal("the record is still there")
	}
	if n := come(5, 1, 2); n != 0 {
		t.Fatalf("delivered again, to %d", n)
	}
	if n := come(6, 6, 1); n != 1 || len(s.expired) != 0 {
		t.Fatalf("delivered to %d; %d numbers kept below the floor", n, len(s.expired))
	}
}

// A request that joined another's record has its own time: it may be sent again when the record has been forgotten.
func TestARequestOutlivesTheRecordThatItJoined(t *testing.T) {
	c := newClaims(uuid.UUID{2}, "n", "p:", 100)
	now := time.Second
	come := func(publisher byte, seq uint64, left time.Duration) int {
		_, n := c.arrive(now, &envelope{id: uuid.UUID{7}, sender: uuid.UUID{publisher}, seq: seq, floor: 1, attempt: 1,
			flags: flagReceipt | flagChosen, left: left, to: []byte("user:1")}, nil, []*Attachment{{}})
		c.take()
		return n
	}
	if first, joined := come(1, 5, time.Second), come(3, 9, time.Minute); first != 1 || joined != 0 {
		t.Fatalf("delivered to %d and %d; want the second to join the first", first, joined)
	}
	for end := now + time.Second + lateness + 2*tick; now < end; now += tick {
		c.advance(now)
		c.take()
	}
	if c.stream(now, uuid.UUID{3}).hasExpired(9) || !c.stream(now, uuid.UUID{1}).hasExpired(5) {
		t.Fatal("the number that joined counts as over with the record")
	}
}

// A message that is being written at its deadline has not expired: the client may get it. What became of it is told when that is known.
func TestBeingWrittenAtTheDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		level Level
		step  func(Ticket)
		want  Outcome
	}{
		"written a little later": {Confirmed, Ticket.Written, OutcomeUnconfirmed},
		"confirmed at once":      {Confirmed, func(t Ticket) { t.Confirm(Body{}) }, OutcomeConfirmed},
		"level written":          {Written, Ticket.Written, OutcomeWritten},
		"the socket closed":      {Confirmed, Ticket.Close, OutcomeClosed},
		"nobody knows":           {Confirmed, func(Ticket) {}, OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 2)
				deadline := time.Now().Add(time.Second)
				k := connect(t, nodes[1], func(_ *Message, ticket Ticket) {
					if !ticket.Writing() {
						t.Error("may not be written in time")
					}
					time.AfterFunc(time.Until(deadline.Add(2*tick)), func() { c.step(ticket) })
				}, User("42"))
				ctx, cancel := context.WithDeadline(t.Context(), deadline)
				defer cancel()
				r, err := nodes[0].Request(ctx, User("42"), "e", JSON(1), WithLevel(c.level))
				wantOutcome(t, r, err, c.want)
				pass(2 * lateness)
				if k.ticket().Writing() {
					t.Error("may be written when it is over")
				}
				if n := nodes[1].claims.awaited; n != 0 {
					t.Errorf("%d deliveries are still open", n)
				}
			})
		})
	}
}

// A message whose time has come to its end by the node's account, though not quite by its clock, is told as expired and not handled.
func TestExpiredIsNotHandled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := settled(t, relay.NewHub(nil), 1)[0]
		tickets := make(chan Ticket, 1)
		connect(t, b, func(_ *Message, ticket Ticket) { tickets <- ticket }, User("43"))
		var caller sync.WaitGroup
		caller.Go(func() {
			r, err := b.Request(t.Context(), User("43"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeExpired)
		})
		ticket := <-tickets
		ticket.Expire()
		var calls atomic.Int32
		q := &queue{bus: b, handler: counting(&calls), size: 1, concurrency: 1}
		q.Deliver(&Message{Deadline: time.Now().Add(time.Millisecond)}, ticket)
		pass(10 * time.Millisecond)
		caller.Wait()
		if calls.Load() != 0 {
			t.Error("handled, though it was told that it expired")
		}
	})
}

// A record whose number its publisher has passed is gone with its deadline: no copy of it can come.
func TestARecordBelowTheFloorEndsAtItsDeadline(t *testing.T) {
	c := newClaims(uuid.UUID{2}, "n", "p:", 100)
	now := time.Second
	c.arrive(now, &envelope{id: uuid.UUID{5}, sender: uuid.UUID{1}, seq: 5, floor: 1, attempt: 1, flags: flagReceipt, left: time.Second,
		to: []byte("user:1")}, nil, []*Attachment{{}})
	c.ask(now, uuid.UUID{1}, 0, 0, 6, false)
	if c.wheel.len() != 1 {
		t.Fatal("an open delivery is not kept")
	}
	for end := now + time.Second + 2*tick; now < end; now += tick {
		c.advance(now)
		c.take()
	}
	if n := c.wheel.len(); n != 0 || c.stream(now, uuid.UUID{1}).records.len() != 0 {
		t.Errorf("%d records are kept after the deadline", n)
	}
}
