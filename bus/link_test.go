package bus

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// What is lost, doubled or held up on the way costs time, not a receipt, and the clients see each message once.
func TestBadLinks(t *testing.T) {
	some := func(n int64, f func(relay.Crossing) relay.Fault) func(relay.Crossing) relay.Fault {
		var i atomic.Int64
		return func(c relay.Crossing) relay.Fault {
			if i.Add(1)%n != 0 {
				return relay.Fault{}
			}
			return f(c)
		}
	}
	anything := func(relay.Crossing) bool { return true }
	for _, c := range []struct {
		name    string
		befalls func(relay.Crossing) relay.Fault
		lasts   time.Duration
	}{
		{"every count is lost", loses(relay.HopCount, anything), time.Second},
		{"every second count is lost", some(2, loses(relay.HopCount, anything)), 2 * time.Second},
		{"every message is lost", loses(relay.HopIn, isMessage), time.Second},
		{"every third message is lost", some(3, loses(relay.HopIn, isMessage)), time.Minute},
		{"every report is lost", loses(relay.HopIn, isReport), 1500 * time.Millisecond},
		{"every third report is lost", some(3, loses(relay.HopIn, isReport)), time.Minute},
		{"no pipeline is answered", loses(relay.HopOut, anything), time.Second},
		{"everything comes twice", func(c relay.Crossing) relay.Fault { return relay.Fault{Copies: 1} }, time.Minute},
		{"copies and reports come late", some(3, func(c relay.Crossing) relay.Fault {
			if c.Hop == relay.HopIn {
				return relay.Fault{Delay: 300 * time.Millisecond}
			}
			return relay.Fault{}
		}), time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, 2, func(t *testing.T, f *faults, _ *relay.Hub, nodes []*Bus) {
				clients := users(t, nodes[1], 30, confirms)
				f.set(c.befalls)
				time.AfterFunc(c.lasts, f.stop)
				start := time.Now()
				many(t, nodes[0], 30, 10*time.Second, func(r *Receipt, err error) {
					wantOutcome(t, r, err, OutcomeConfirmed)
					if r.Expected != 1 || r.Nodes != 1 {
						t.Errorf("%v: %d of %d nodes", r, r.Expected, r.Nodes)
					}
				}, Require(All()))
				took(t, start, 0, 5*time.Second)
				for _, k := range clients {
					k.wantSeen(t, 1)
				}
				f.stop()
				pass(20 * time.Second)
				for _, b := range nodes {
					if s := b.Stats(); s.Pending != 0 || s.Awaited != 0 || s.Records != 0 {
						t.Errorf("%s keeps %+v", b.Node().Name, s)
					}
				}
			})
		})
	}
}

// The publisher's own lane falls: what was reported meanwhile is asked for.
func TestGapOfPublisher(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, _ *faults, hub *relay.Hub, nodes []*Bus) {
		clients := users(t, nodes[1], 20, later(500*time.Millisecond, confirms))
		time.AfterFunc(200*time.Millisecond, func() { hub.Fall(nodes[0].Node().ID.String(), relay.AllLanes, 900*time.Millisecond) })
		start := time.Now()
		many(t, nodes[0], 20, 10*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
		took(t, start, 0, 2*time.Second)
		for _, k := range clients {
			k.wantSeen(t, 1)
		}
	})
}

// Reports that pile up while nothing can be sent leave in payloads of a bounded size, and all of them arrive.
func TestReportsAreBounded(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, f *faults, _ *relay.Hub, nodes []*Bus) {
		reply := Bytes(make([]byte, 10_000))
		users(t, nodes[1], 400, func(_ *Message, t Ticket) {
			t.Written()
			time.AfterFunc(300*time.Millisecond, func() { t.Confirm(reply) })
		})
		var largest atomic.Int64
		id := nodes[1].Node().ID.String()
		f.set(func(c relay.Crossing) relay.Fault {
			if c.Node != id || c.Hop != relay.HopOut || !isReport(c) {
				return relay.Fault{}
			}
			largest.Store(max(largest.Load(), int64(len(c.Payload))))
			return relay.Fault{Delay: 200 * time.Millisecond}
		})
		many(t, nodes[0], 400, 10*time.Second, func(r *Receipt, err error) { wantOutcome(t, r, err, OutcomeConfirmed) })
		if n := largest.Load(); n > relay.MaxPayload {
			t.Errorf("a payload of %d bytes, %d are allowed", n, relay.MaxPayload)
		}
	})
}

// Where every count is lost nobody can know whether all were reached: the receipt does not say that too few were there.
func TestCountsNeverCome(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, f *faults, _ *relay.Hub, nodes []*Bus) {
		k := connect(t, nodes[1], confirms, User("42"))
		f.set(loses(relay.HopCount, isMessage))
		for _, c := range []struct {
			require Requirement
			want    Outcome
		}{{Any(), OutcomeConfirmed}, {AtLeast(1), OutcomeConfirmed}, {All(), OutcomeUnknown}, {AtLeast(2), OutcomeUnknown}} {
			start := time.Now()
			r, err := nodes[0].Request(within(t, 3*time.Second), User("42"), "e", JSON(1), Require(c.require))
			wantOutcome(t, r, err, c.want)
			if c.want == OutcomeConfirmed {
				took(t, start, 0, 100*time.Millisecond)
			}
		}
		k.wantSeen(t, 4)
		r, err := nodes[0].Request(within(t, 3*time.Second), User("nobody"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeUnknown)
		if p, err := nodes[0].Publish(within(t, 3*time.Second), User("42"), "e", JSON(1)); !errors.Is(err, ErrUnknown) || p.ID == uuid.Nil {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
