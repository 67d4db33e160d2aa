package bus

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// Each outcome of a request to one user, whose clients do what is said, or to nobody.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []answer
		opts    []RequestOption
		want    Outcome
	}{
		{"confirmed", []answer{confirms}, nil, OutcomeConfirmed},
		{"one of two is any", []answer{refuses, later(tick, confirms)}, nil, OutcomeConfirmed},
		{"all", []answer{confirms, confirms}, []RequestOption{Require(All())}, OutcomeConfirmed},
		{"rejected", []answer{refuses}, nil, OutcomeRejected},
		{"unconfirmed", []answer{staysSilent}, nil, OutcomeUnconfirmed},
		{"closed", []answer{leaves}, nil, OutcomeClosed},
		{"dropped", []answer{isSlow}, nil, OutcomeDropped},
		{"expired", []answer{neverWrites}, nil, OutcomeExpired},
		{"too few", []answer{confirms, confirms}, []RequestOption{Require(AtLeast(3))}, OutcomeTooFew},
		{"nobody", nil, nil, OutcomeNoReceiver},
		{"nobody of all", nil, []RequestOption{Require(All())}, OutcomeNoReceiver},
		{"rejected goes first", []answer{staysSilent, leaves, isSlow, refuses}, nil, OutcomeRejected},
		{"unconfirmed before closed", []answer{isSlow, leaves, staysSilent}, nil, OutcomeUnconfirmed},
		{"closed before dropped", []answer{neverWrites, isSlow, leaves}, nil, OutcomeClosed},
		{"dropped before expired", []answer{neverWrites, isSlow}, nil, OutcomeDropped},
		{"a failure before too few", []answer{confirms, isSlow}, []RequestOption{Require(All())}, OutcomeDropped},
		{"written", []answer{staysSilent}, []RequestOption{WithLevel(Written)}, OutcomeWritten},
		{"all written", []answer{staysSilent, isSlow}, []RequestOption{WithLevel(Written), Require(All())}, OutcomeDropped},
		{"claimed", []answer{neverWrites}, []RequestOption{WithLevel(Claimed)}, OutcomeClaimed},
		{"claimed by too few", []answer{neverWrites}, []RequestOption{WithLevel(Claimed), Require(AtLeast(2))}, OutcomeTooFew},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 3)
				for i, a := range c.answers {
					connect(t, nodes[1+i%2], a, User("42"))
				}
				start := time.Now()
				r, err := nodes[0].Request(within(t, time.Second), User("42"), "paid", JSON(1), c.opts...)
				took(t, start, 0, time.Second+50*time.Millisecond)
				wantOutcome(t, r, err, c.want)
				if r.Expected != len(c.answers) || r.Nodes != min(len(c.answers), 2) || len(r.Deliveries) != len(c.answers) {
					t.Errorf("%v: expected %d, nodes %d, %d deliveries", r, r.Expected, r.Nodes, len(r.Deliveries))
				}
			})
		})
	}
}

// A receipt names who did what and when.
func TestReceiptNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(&relay.HubOptions{Delay: func() time.Duration { return time.Millisecond }}), 2)
		c := connect(t, nodes[1], func(_ *Message, t Ticket) {
			time.AfterFunc(5*time.Millisecond, t.Written)
			time.AfterFunc(50*time.Millisecond, func() { t.Confirm(JSON(map[string]bool{"ok": true})) })
		}, User("42"))
		start := time.Now()
		r, err := nodes[0].Request(t.Context(), User("42"), "paid", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.To != User("42") || r.Event != "paid" || r.Require != Any() || r.Elapsed != time.Since(start) || r.ID != c.messages()[0].ID {
			t.Errorf("%+v", r)
		}
		d := r.Deliveries[0]
		if d.Node != "b" || d.NodeID != nodes[1].Node().ID || d.Socket != c.socket || d.User != "42" || d.Carrier != CarrierTCP {
			t.Errorf("%+v", d)
		}
		var reply struct{ OK bool }
		if err := d.Reply.Decode(&reply); err != nil || !reply.OK {
			t.Errorf("reply %s, %v", d.Reply.Raw(), err)
		}
		if d.Settled-d.Written < 44*time.Millisecond || d.Written < 5*time.Millisecond || r.Elapsed < d.Settled {
			t.Errorf("written %v, settled %v, elapsed %v", d.Written, d.Settled, r.Elapsed)
		}
		if p, err := json.Marshal(r); err != nil || !strings.Contains(string(p), `"outcome":"confirmed"`) {
			t.Errorf("%s, %v", p, err)
		}
	})
}

// The rejection's code and message reach the publisher, in the receipt and in the error.
func TestRejectionReads(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		connect(t, nodes[1], refuses, User("42"))
		r, err := nodes[0].Request(t.Context(), User("42"), "paid", JSON(1))
		wantOutcome(t, r, err, OutcomeRejected)
		want := Rejection{Code: "no_funds", Message: "the account is empty"}
		if got := r.Deliveries[0].Error; got == nil || *got != want {
			t.Errorf("error %v, want %v", got, want)
		}
		if !strings.Contains(err.Error(), "no_funds: the account is empty") {
			t.Errorf("%q does not say why", err)
		}
	})
}

// Failure does not end a request early: a receipt is worth having whole. With FailFast it does, and success always does.
func TestWhenItEnds(t *testing.T) {
	// Late enough for all claims to have come.
	yes, no, slowly := later(50*time.Millisecond, confirms), later(50*time.Millisecond, refuses), later(300*time.Millisecond, confirms)
	for _, c := range []struct {
		name    string
		answers []answer
		opts    []RequestOption
		want    Outcome
		after   time.Duration
		open    Outcome // the stage of the slow one
	}{
		{"success is early", []answer{yes, slowly}, nil, OutcomeConfirmed, 50 * time.Millisecond, OutcomeWritten},
		{"failure waits", []answer{no, slowly}, []RequestOption{Require(All())}, OutcomeRejected, 300 * time.Millisecond, OutcomeConfirmed},
		{"all, failing fast", []answer{no, slowly}, []RequestOption{Require(All()), FailFast()}, OutcomeRejected,
			50 * time.Millisecond, OutcomeWritten},
		{"two, failing fast", []answer{no, slowly}, []RequestOption{Require(AtLeast(2)), FailFast()}, OutcomeRejected,
			50 * time.Millisecond, OutcomeWritten},
		{"any is still possible", []answer{no, slowly}, []RequestOption{FailFast()}, OutcomeConfirmed,
			300 * time.Millisecond, OutcomeConfirmed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 3)
				for i, a := range c.answers {
					connect(t, nodes[1+i], a, User("42"))
				}
				start := time.Now()
				r, err := nodes[0].Request(t.Context(), User("42"), "paid", JSON(1), c.opts...)
				took(t, start, c.after, c.after+40*time.Millisecond)
				wantOutcome(t, r, err, c.want)
				i := slices.IndexFunc(r.Deliveries, func(d Delivery) bool { return d.Node == "c" })
				if got := r.Deliveries[i].Outcome; got != c.open {
					t.Errorf("the slow one is %v, want %v", got, c.open)
				}
			})
		})
	}
}

// OnDelivery hears each delivery once, in the order in which they settled, with no lock held: it may call the bus.
func TestOnDelivery(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		for i := range 5 {
			connect(t, nodes[1], func(_ *Message, t Ticket) {
				t.Written()
				time.AfterFunc(time.Duration(5-i)*50*time.Millisecond, func() { t.Confirm(JSON(i)) })
			}, Group("g"))
		}
		connect(t, nodes[1], confirms, User("other"))
		var order []int
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), Require(All()), OnDelivery(func(d Delivery) {
			var n int
			if err := d.Reply.Decode(&n); err != nil || d.Outcome != OutcomeConfirmed {
				t.Errorf("%+v, %v", d, err)
			}
			order = append(order, n)
			if _, err := nodes[0].Request(t.Context(), User("other"), "e", JSON(1)); err != nil {
				t.Errorf("from within: %v", err)
			}
		}))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if want := []int{4, 3, 2, 1, 0}; !slices.Equal(order, want) {
			t.Errorf("heard %v, want %v", order, want)
		}
	})
}

// The times that OnDelivery is told hold against each other, also where reports travel at different speeds.
func TestOnDeliveryTimes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		nodes := settled(t, f.hub(), 2)
		connect(t, nodes[1], later(100*time.Millisecond, confirms), User("42"))
		var batches atomic.Int32
		f.set(func(c relay.Crossing) relay.Fault {
			if c.Hop == relay.HopOut && isReport(c) && batches.Add(1) == 2 { // the one that says written
				return relay.Fault{Delay: 200 * time.Millisecond}
			}
			return relay.Fault{}
		})
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1), OnDelivery(func(d Delivery) {
			if d.Written > d.Settled {
				t.Errorf("written %v, settled %v", d.Written, d.Settled)
			}
		}))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// What can't be sent is refused before anything leaves, with a nil receipt.
func TestRefusedRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := join(t, relay.NewHub(nil), "a", func(o *Options) { o.MaxBody = 1000 })
		gone, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("gone before")
		cancel(cause)
		past, cancelPast := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancelPast()
		var many []RequestOption
		for i := range MaxHeaders + 1 {
			many = append(many, WithHeader(string(rune('a'+i)), "x"))
		}
		for name, c := range map[string]struct {
			ctx   context.Context
			to    Address
			event string
			body  Body
			opts  []RequestOption
			want  error
		}{
			"nobody":            {t.Context(), Address{}, "e", Body{}, nil, ErrAddress},
			"a bad socket":      {t.Context(), Socket("x"), "e", Body{}, nil, ErrAddress},
			"a user without ID": {t.Context(), User(""), "e", Body{}, nil, ErrAddress},
			"a large body":      {t.Context(), User("42"), "e", Bytes(make([]byte, 1001)), nil, ErrTooLarge},
			"a bad body":        {t.Context(), User("42"), "e", JSON(func() {}), nil, ErrBody},
			"many headers":      {t.Context(), User("42"), "e", Body{}, many, ErrTooLarge},
			"large headers": {t.Context(), User("42"), "e", Body{},
				[]RequestOption{WithHeader("k", strings.Repeat("x", MaxHeaderBytes))}, ErrTooLarge},
			"a cancelled context": {gone, User("42"), "e", Body{}, nil, cause},
			"a past deadline":     {past, User("42"), "e", Body{}, nil, context.DeadlineExceeded},
		} {
			r, err := b.Request(c.ctx, c.to, c.event, c.body, c.opts...)
			if r != nil || !errors.Is(err, c.want) {
				t.Errorf("%s: %v, %v; want %v", name, r, err, c.want)
			}
		}
		for _, event := range []string{"", strings.Repeat("x", 256), "\xff"} {
			if r, err := b.Request(t.Context(), User("42"), event, Body{}); r != nil || err == nil {
				t.Errorf("event %q: %v, %v", event, r, err)
			}
		}
		if s := b.Stats(); s.Pending != 0 {
			t.Errorf("%d pending", s.Pending)
		}
		_ = b.Close()
		if r, err := b.Request(t.Context(), User("42"), "e", Body{}); r != nil || !errors.Is(err, ErrBusClosed) {
			t.Errorf("closed: %v, %v", r, err)
		}
		if _, err := b.Publish(t.Context(), User("42"), "e", Body{}); !errors.Is(err, ErrBusClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := b.Subscribe(t.Context(), User("42"), nothing); !errors.Is(err, ErrBusClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// What travels with a message arrives with it.
func TestMessageFields(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		c := connect(t, nodes[1], confirms, User("42"))
		start := time.Now()
		_, err := nodes[0].Request(within(t, time.Second), User("42"), "paid", JSON(1), WithHeader("traceparent", "00-1"), Volatile())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[0].Publish(t.Context(), User("42"), "paid", Bytes([]byte{0, 1})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m, p := c.messages()[0], c.messages()[1]
		if !m.Ack || !m.Volatile || m.Redelivered || m.From != nodes[0].Node().ID ||
			m.Headers["traceparent"] != "00-1" || m.To != User("42") {
			t.Errorf("%+v", m)
		}
		if d := m.Deadline.Sub(start); d < 999*time.Millisecond || d > time.Second+time.Millisecond {
			t.Errorf("deadline after %v", d)
		}
		if p.Ack || p.Volatile || p.Redelivered || !p.Deadline.IsZero() || p.Body.Format() != FormatRaw {
			t.Errorf("%+v", p)
		}
	})
}

func nothing(context.Context, *Message) (Body, error) { return Body{}, nil }
