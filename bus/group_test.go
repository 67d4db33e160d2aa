package bus

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// crowd connects n clients of the group, in turn to the nodes.
func crowd(t *testing.T, nodes []*Bus, n int, to Address, a func(i int) answer) []*client {
	t.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = connect(t, nodes[i%len(nodes)], a(i), to)
	}
	return clients
}

func allConfirm(int) answer { return confirms }

// someRefuse has the listed clients refuse.
func someRefuse(who ...int) func(i int) answer {
	return func(i int) answer {
		if slices.Contains(who, i) {
			return refuses
		}
		return confirms
	}
}

// failing lists the sockets of deliveries that did not reach confirmed, in order.
func failing(r *Receipt) []string {
	var sockets []string
	for _, d := range r.Deliveries {
		if d.Outcome != OutcomeConfirmed {
			sockets = append(sockets, d.Socket)
		}
	}
	slices.Sort(sockets)
	return sockets
}

func sockets(clients []*client, who ...int) []string {
	var ids []string
	for _, i := range who {
		ids = append(ids, clients[i].socket)
	}
	slices.Sort(ids)
	return ids
}

func TestGroupOfSixty(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		crowd(t, nodes[1:], 60, Group("g"), allConfirm)
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Nodes != 2 || r.Expected != 60 || r.Counts != (Counts{OutcomeConfirmed: 60}) || len(r.Deliveries) != 60 {
			t.Errorf("%v: counts %v, %d deliveries", r, r.Counts, len(r.Deliveries))
		}
		seen := make(map[string]bool)
		for _, d := range r.Deliveries {
			seen[d.Socket] = true
		}
		if len(seen) != 60 {
			t.Errorf("%d different sockets", len(seen))
		}
	})
}

func TestThreeOfSixtyRefuse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		clients := crowd(t, nodes[1:], 60, Group("g"), someRefuse(3, 31, 44))
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeRejected)
		if r.Counts != (Counts{OutcomeConfirmed: 57, OutcomeRejected: 3}) {
			t.Errorf("counts %v", r.Counts)
		}
		if got, want := failing(r), sockets(clients, 3, 31, 44); !slices.Equal(got, want) {
			t.Errorf("failing %v, want %v", got, want)
		}
	})
}

// Ten of sixty are enough as soon as ten have confirmed; the rest shows its stage.
func TestTenOfSixty(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		crowd(t, nodes[1:], 60, Group("g"), func(i int) answer {
			return func(_ *Message, t Ticket) {
				t.Written()
				time.AfterFunc(time.Duration(i+1)*100*time.Millisecond, func() { t.Confirm(Body{}) })
			}
		})
		start := time.Now()
		r, err := nodes[0].Request(within(t, 10*time.Second), Group("g"), "e", JSON(1), Require(AtLeast(10)))
		took(t, start, time.Second, time.Second+20*time.Millisecond)
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Counts != (Counts{OutcomeConfirmed: 10, OutcomeWritten: 50}) || r.Expected != 60 {
			t.Errorf("counts %v of %d", r.Counts, r.Expected)
		}
	})
}

// Above a hundred endpoints a receipt sums up: it counts all and lists those that failed.
func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []int // endpoints of each node
		opts   []RequestOption
		refuse []int
		listed int
	}{
		{"one node", []int{150}, nil, []int{7, 90, 149}, 3},
		{"two nodes, neither above the bound", []int{80, 80}, nil, []int{7, 90, 159}, 3},
		{"two nodes, one above the bound", []int{150, 60}, nil, []int{7, 90, 209}, 3},
		{"two nodes, one at the bound", []int{150, 100}, nil, []int{7, 90, 149}, 3},
		{"nobody fails", []int{150}, nil, nil, 0},
		{"all in detail", []int{150}, []RequestOption{WithDetail(DetailAll)}, []int{7, 90, 149}, 150},
		{"few summed up", []int{5, 5}, []RequestOption{WithDetail(DetailSummary)}, []int{7}, 1},
		{"a hundred are not too many", []int{50, 50}, nil, []int{7, 90}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				nodes := settled(t, relay.NewHub(nil), 1+len(c.shares))
				var clients []*client
				for i, n := range c.shares {
					first := len(clients)
					clients = append(clients, crowd(t, nodes[1+i:2+i], n, Group("g"), func(i int) answer {
						return someRefuse(c.refuse...)(first + i)
					})...)
				}
				r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), append(c.opts, Require(All()))...)
				want := OutcomeConfirmed
				if len(c.refuse) > 0 {
					want = OutcomeRejected
				}
				wantOutcome(t, r, err, want)
				counts := Counts{OutcomeConfirmed: len(clients) - len(c.refuse), OutcomeRejected: len(c.refuse)}
				if r.Counts != counts || r.Expected != len(clients) {
					t.Errorf("counts %v of %d", r.Counts, r.Expected)
				}
				if len(r.Deliveries) != c.listed {
					t.Errorf("%d deliveries listed, want %d", len(r.Deliveries), c.listed)
				}
				if got, want := failing(r), sockets(clients, c.refuse...); !slices.Equal(got, want) {
					t.Errorf("failing %d, want %d", len(got), len(want))
				}
			})
		})
	}
}

// A summary lists a hundred failures at most, and counts all of them. OnDelivery hears those that it lists.
func TestManyFailures(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 3)
		crowd(t, nodes[1:], 300, Group("g"), func(int) answer { return refuses })
		heard := 0
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1), OnDelivery(func(Delivery) { heard++ }))
		wantOutcome(t, r, err, OutcomeRejected)
		if r.Counts != (Counts{OutcomeRejected: 300}) || len(r.Deliveries) != MaxFailures || heard != MaxFailures {
			t.Errorf("counts %v, %d listed, %d heard", r.Counts, len(r.Deliveries), heard)
		}
		if d := r.Deliveries[0]; d.Socket == "" || d.Error == nil || d.Error.Code != "no_funds" || d.Written == 0 {
			t.Errorf("%+v", d)
		}
	})
}

// OnDelivery hears of a summary's failures also where it is their node that failed.
func TestSummaryOfDeadNode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 3)
		crowd(t, nodes[1:2], 150, Group("g"), func(int) answer { return staysSilent })
		crowd(t, nodes[2:], 20, Group("g"), allConfirm)
		time.AfterFunc(time.Second, func() { hub.Kill(nodes[1].Node().ID.String()) })
		var heard Counts
		r, err := nodes[0].Request(within(t, 10*time.Second), Group("g"), "e", JSON(1), Require(All()),
			OnDelivery(func(d Delivery) { heard[d.Outcome]++ }))
		wantOutcome(t, r, err, OutcomeUnknown)
		if r.Counts != (Counts{OutcomeConfirmed: 20, OutcomeUnknown: 150}) || len(failing(r)) != MaxFailures {
			t.Errorf("counts %v, %d listed", r.Counts, len(r.Deliveries))
		}
		if heard[OutcomeUnknown] != MaxFailures {
			t.Errorf("heard %v, want the %d unknown ones that are listed", heard, MaxFailures)
		}
	})
}

// A node awaits no more acknowledgements than it may; what comes on top is refused at once, and there is room again.
func TestMaxAwaited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		a := settled(t, hub, 1)[0]
		b := join(t, hub, "b", func(o *Options) { o.MaxAwaited = 10 })
		pass(2 * time.Second)
		crowd(t, []*Bus{b}, 6, Group("g"), func(int) answer { return staysSilent })
		var all sync.WaitGroup
		all.Go(func() {
			r, err := a.Request(within(t, time.Second), Group("g"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeUnconfirmed)
		})
		pass(100 * time.Millisecond)
		start := time.Now()
		r, err := a.Request(within(t, time.Second), Group("g"), "e", JSON(1))
		took(t, start, 0, 20*time.Millisecond)
		wantOutcome(t, r, err, OutcomeRejected)
		if d := r.Deliveries[5]; r.Counts[OutcomeRejected] != 6 || d.Error.Code != CodeOverloaded {
			t.Errorf("counts %v, %v", r.Counts, d.Error)
		}
		all.Wait()
		pass(100 * time.Millisecond)
		r, err = a.Request(within(t, time.Second), Group("g"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeUnconfirmed)
	})
}

// What is still open of a summary when its caller gives up is not called written unless it was.
func TestSummaryGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nodes := settled(t, relay.NewHub(nil), 2)
		crowd(t, nodes[1:], 150, Group("g"), func(i int) answer {
			switch {
			case i < 60:
				return confirms
			case i < 100:
				return staysSilent
			}
			return neverWrites
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r, err := nodes[0].Request(ctx, Group("g"), "e", JSON(1), Require(All()))
		wantOutcome(t, r, err, OutcomeUnknown)
		if r.Counts != (Counts{OutcomeConfirmed: 60, OutcomeUnconfirmed: 40, OutcomeUnknown: 50}) {
			t.Errorf("counts %v, want 60 confirmed, 40 unconfirmed, 50 unknown", r.Counts)
		}
	})
}

// The other addresses: a socket, a node by name and by ID, a topic, everyone.
func TestAddresses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		nodes := settled(t, hub, 3)
		twin := join(t, hub, "b")
		a := connect(t, nodes[1], confirms, User("1"), Group("g"), Everyone())
		connect(t, nodes[2], confirms, User("1"), Group("g"), Everyone())
		for _, b := range append([]*Bus{twin}, nodes...) {
			for _, to := range []Address{NodeNamed(b.Node().Name), NodeNamed(b.Node().ID.String())} {
				if _, err := b.Subscribe(t.Context(), to, nothing); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass(2 * time.Second)
		for _, c := range []struct {
			to   Address
			want int
		}{{Socket(a.socket), 1}, {User("1"), 2}, {Group("g"), 2}, {Everyone(), 2}, {NodeNamed("c"), 1}, {NodeNamed("b"), 2},
			{NodeNamed(twin.Node().ID.String()), 1}, {NodeNamed("x"), 0},
			{Socket(nodes[1].NewSocket()), 0}, {Topic("x"), 0}, {Group("G"), 0}} {
			r, err := nodes[0].Request(t.Context(), c.to, "e", JSON(1), Require(All()))
			want := OutcomeConfirmed
			if c.want == 0 {
				want = OutcomeNoReceiver
			}
			wantOutcome(t, r, err, want)
			if r.Expected != c.want {
				t.Errorf("%v: expected %d, want %d", c.to, r.Expected, c.want)
			}
		}
		a.at.Leave(Group("g"))
		r, err := nodes[0].Request(t.Context(), Group("g"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
		if r.Expected != 1 {
			t.Errorf("expected %d after one left", r.Expected)
		}
		if s := nodes[1].Node().Sockets; s != 1 {
			t.Errorf("%d sockets", s)
		}
		a.at.Detach()
		a.at.Detach()
		if s := nodes[1].Node().Sockets; s != 0 {
			t.Errorf("%d sockets after it left", s)
		}
	})
}
