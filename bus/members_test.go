package bus

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// Nobody is there: on a settled cluster that is known within 100 ms, whatever the requirement; also beside a node that just left, and
// within some seconds beside one that died.
func TestNoReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		nodes := settled(t, hub, 4)
		nobody := func(from *Bus, most time.Duration, opts ...RequestOption) {
			t.Helper()
			start := time.Now()
			r, err := from.Request(t.Context(), User("nobody"), "e", JSON(1), opts...)
			took(t, start, 0, most)
			wantOutcome(t, r, err, OutcomeNoReceiver)
		}
		nobody(nodes[0], 100*time.Millisecond)
		nobody(nodes[1], 100*time.Millisecond, Require(All()))
		nobody(nodes[1], 100*time.Millisecond, WithLevel(Claimed))
		nobody(nodes[2], 100*time.Millisecond, WithID(uuid.New()), FailFast())
		_ = nodes[3].Close()
		pass(10 * time.Millisecond)
		nobody(nodes[0], 100*time.Millisecond)
		hub.Kill(nodes[2].Node().ID.String())
		nobody(nodes[0], 5*time.Second)
		nobody(nodes[0], 100*time.Millisecond)
		k := connect(t, nodes[1], confirms, User("1"))
		k.at.Detach()
		r, err := nodes[0].Request(t.Context(), User("1"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver) // the channel lingers, and the node says that nobody is there
	})
}

// While a lane of the node that holds the user is down, nobody says that the user is not there.
func TestNoFalseNoReceiver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		nodes := settled(t, hub, 3)
		k := connect(t, nodes[1], confirms, User("42"))
		lane := hub.LaneOf(relay.Channel{Name: addressChannel("ackbus:", User("42"))})
		for i, fall := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
			hub.Fall(nodes[1].Node().ID.String(), lane, fall)
			start := time.Now()
			r, err := nodes[0].Request(within(t, 5*time.Second), User("42"), "e", JSON(1))
			if fall < 5*time.Second {
				wantOutcome(t, r, err, OutcomeConfirmed)
				took(t, start, fall, fall+1100*time.Millisecond)
				k.wantSeen(t, i+1)
				continue
			}
			wantOutcome(t, r, err, OutcomeUnknown)
		}
		pass(10 * time.Second)
		r, err := nodes[0].Request(t.Context(), User("42"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeConfirmed)
	})
}

// names lists the members that a node knows.
func names(b *Bus) []string {
	var all []string
	for _, n := range b.Nodes() {
		all = append(all, n.Name)
	}
	return all
}

func wantNames(t *testing.T, b *Bus, want ...string) {
	t.Helper()
	if got := names(b); !slices.Equal(got, want) {
		t.Errorf("%s knows %v, want %v", b.Node().Name, got, want)
	}
}

// Members know each other as soon as the roll has been called; who leaves is gone at once, who falls silent after a while.
func TestMembers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		a := join(t, hub, "a")
		pass(20 * time.Millisecond)
		if err := a.Ready(); err != nil {
			t.Errorf("alone: %v", err)
		}
		b, c := join(t, hub, "b"), join(t, hub, "c", func(o *Options) { o.Observer = true })
		pass(20 * time.Millisecond)
		for _, n := range []*Bus{b, c} {
			if err := n.Ready(); err != nil {
				t.Errorf("%s: %v", n.Node().Name, err)
			}
		}
		wantNames(t, a, "a", "b", "c")
		wantNames(t, b, "b", "a", "c")
		wantNames(t, c, "c", "a", "b")
		connect(t, b, confirms, User("42"))
		b.Draining()
		pass(1500 * time.Millisecond)
		n := a.Nodes()[1]
		if n.ID != b.Node().ID || n.Sockets != 1 || !n.Draining || !n.Settled || n.Observer || n.Seen > 2*time.Second {
			t.Errorf("%+v", n)
		}
		if n := a.Nodes()[2]; !n.Observer || n.Draining {
			t.Errorf("%+v", n)
		}
		_ = c.Close()
		pass(10 * time.Millisecond)
		wantNames(t, a, "a", "b")
		hub.Kill(b.Node().ID.String())
		pass(2 * time.Second)
		wantNames(t, a, "a", "b")
		pass(5 * time.Second)
		wantNames(t, a, "a")
		if s := a.Stats(); s.Nodes != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A newcomer that a member does not answer is settled after a second, and believes nobody to be nobody only with that member's lanes.
func TestSettledWithoutAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		nodes := settled(t, hub, 2)
		hub.Stop(nodes[1].Node().ID.String())
		pass(100 * time.Millisecond) // what it had sent has arrived
		late := join(t, hub, "late")
		pass(500 * time.Millisecond)
		if late.Ready() == nil {
			t.Error("ready without the answer of b")
		}
		start := time.Now()
		r, err := late.Request(t.Context(), User("nobody"), "e", JSON(1))
		wantOutcome(t, r, err, OutcomeNoReceiver)
		took(t, start, 500*time.Millisecond, 2*time.Second)
		if err := late.Ready(); err != nil {
			t.Error(err)
		}
		wantNames(t, late, "late", "a")
	})
}

// A node that can't be attached says so, and leaves nothing behind.
func TestNewFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hub := relay.NewHub(nil)
		for _, o := range []*Options{{Name: string(make([]byte, 300))}, {Name: "\n"}, {Timeout: -1}, {Timeout: MaxTimeout + 1},
			{MaxBody: -1}, {MaxAwaited: -1}, {QueueSize: -1}, {Lanes: -1}} {
			if b, err := New(t.Context(), hub.Relay(), o); b != nil || err == nil {
				t.Errorf("%+v: %v, %v", o, b, err)
			}
		}
		hub.Away(-1)
		if _, err := New(within(t, time.Second), hub.Relay(), &Options{Name: "a"}); err == nil {
			t.Error("attached without Redis")
		}
		hub.Back()
		b := join(t, hub, "b")
		pass(time.Second)
		wantNames(t, b, "b")
		if _, err := Open(t.Context(), "redis+cluster://x", nil); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("a cluster: %v", err)
		}
	})
}

// A member that announces itself while Redis holds no connection of it is subscribing again, and not dead.
func TestAMemberThatAnnouncesItselfIsNotDead(t *testing.T) {
	m := newMembers(uuid.UUID{1}, "a", "p:", false)
	id := uuid.UUID{2}
	m.announced(time.Second, &control{node: id, name: []byte("b")})
	m.died(4*time.Second, id)
	if m.table[id] == nil {
		t.Fatal("dropped three seconds after it was heard")
	}
	m.died(5*time.Second, id)
	if m.table[id] != nil {
		t.Fatal("still a member four seconds after it was last heard")
	}
}

// A newcomer believes what a member answered to its roll call, not what that one had announced before, whichever comes first.
func TestAnAnnouncementIsOvertaken(t *testing.T) {
	m := newMembers(uuid.UUID{1}, "a", "p:", false)
	id := uuid.UUID{2}
	announced := func(number uint64, methods int, flags memberFlags) {
		m.announced(time.Millisecond, &control{node: id, member: announcement{number: number, methods: methods, flags: flags}})
	}
	m.start(0)
	m.rolled(0, relay.Result{Count: 2})
	announced(1, 0, 0)
	if m.settled {
		t.Error("settled on what was announced before the roll call")
	}
	announced(3, 7, memberAnswers)
	if !m.settled {
		t.Error("not settled with the answer")
	}
	announced(2, 0, 0)
	if got := m.table[id].methods; got != 7 {
		t.Errorf("%d methods, want the 7 of the later announcement", got)
	}
}
