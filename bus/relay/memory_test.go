package relay_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// TestMemoryMerge has packets wait behind one in flight. What is merged must not overtake a guarded packet.
func TestMemoryMerge(t *testing.T) {
	opts := relay.HubOptions{Lanes: 1, Merge: true, Delay: func() time.Duration { return time.Millisecond }}
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		for _, payload := range []string{"first", "1", "2", "guarded", "3", "4"} {
			a.send(t, relay.Packet{Channel: "c", Payload: []byte(payload), Guard: payload == "guarded"})
			a.send(t, relay.Packet{Channel: "elsewhere", Payload: []byte("between")})
		}
		b.after(t, 10*time.Millisecond, "first", "12", "guarded", "34")
		a.after(t, 0, "1: 1", "2: 0", "3: 1", "4: 0", "5: 1", "6: 0", "7: 1 of 2", "8: 0", "9: 1", "10: 0", "11: 1", "12: 0")
	})
}

// TestMemoryReleaseBehindCut has a channel given up while Redis cannot be told.
func TestMemoryReleaseBehindCut(t *testing.T) {
	opts := relay.HubOptions{Lanes: 1, Linger: -1}
	inWorlds(t, opts, func(t *testing.T, w *world) {
		b := w.node(t, "b")
		release := b.hold(t, "c")
		w.Cut("b")
		release()
		if got := w.Count("c"); got != 1 {
			t.Errorf("count %d though Redis has not been told", got)
		}
		w.Mend("b")
		if got := w.Count("c"); got != 0 {
			t.Errorf("count %d once the link is mended", got)
		}
		w.advance(0)
	})
}

// A guardedReceiver takes a lock that its owner holds while it publishes.
type guardedReceiver struct {
	inbox
	lock sync.Mutex
}

func (g *guardedReceiver) Receive(m relay.Message) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.inbox.Receive(m)
}

func (g *guardedReceiver) Published(results []relay.Result) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.inbox.Published(results)
}

func (g *guardedReceiver) Lane(e relay.LaneEvent) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.inbox.Lane(e)
}

// TestMemoryCallsBackLater calls everything with a lock held that the receiver takes.
func TestMemoryCallsBackLater(t *testing.T) {
	inWorlds(t, relay.HubOptions{Lanes: 1}, func(t *testing.T, w *world) {
		g := &guardedReceiver{inbox: inbox{Relay: w.Relay(), world: w, id: "g"}}
		t.Cleanup(func() { _ = g.Close() })
		g.lock.Lock()
		if err := g.Start(t.Context(), relay.Self{ID: "g"}, g); err != nil {
			t.Fatal(err)
		}
		g.hold(t, "c")
		g.publish(t, "itself", 0)
		g.lock.Unlock()
		g.after(t, 0, "itself", "1: 1")
		g.lock.Lock()
		w.Away(time.Second)
		g.publish(t, "unsent", 0)
		g.lock.Unlock()
		g.after(t, time.Second, "down 0", "up 0", "2: not sent")
	})
}

// TestMemoryStartErrors wants an error, and no panic, for what makes no sense.
func TestMemoryStartErrors(t *testing.T) {
	hub := relay.NewHub(nil)
	first, second := hub.Relay(), hub.Relay()
	in := &inbox{}
	if err := first.Publish(t.Context(), relay.Packet{}); err == nil {
		t.Error("publish before start")
	}
	for what, err := range map[string]error{
		"no ID":       first.Start(t.Context(), relay.Self{}, in),
		"no receiver": first.Start(t.Context(), relay.Self{ID: "a"}, nil),
	} {
		if err == nil {
			t.Errorf("start with %s", what)
		}
	}
	if err := first.Start(t.Context(), relay.Self{ID: "a"}, in); err != nil {
		t.Fatal(err)
	}
	for what, r := range map[string]relay.Relay{"twice": first, "under an ID that is taken": second} {
		if err := r.Start(t.Context(), relay.Self{ID: "a"}, in); err == nil {
			t.Errorf("start %s", what)
		}
	}
	hub.Kill("a")
	if err := second.Start(t.Context(), relay.Self{ID: "a"}, in); err != nil {
		t.Errorf("start under the ID of the dead: %v", err)
	}
	_, _ = first.Close(), second.Close()
	if err := second.Start(t.Context(), relay.Self{ID: "b"}, in); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
}

// TestMemoryWaits has calls wait for Redis, as long as their contexts allow.
func TestMemoryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{Hub: relay.NewHub(&relay.HubOptions{SubscribeDelay: time.Second})}
		n := w.node(t, "n")
		begun := time.Now()
		n.hold(t, "slow")
		if took := time.Since(begun); took != time.Second {
			t.Errorf("subscribe took %v", took)
		}
		w.Away(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Subscribe(ctx, relay.Channel{Name: "c"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("subscribe without Redis: %v", err)
		}
		w.node(t, "newcomer")
		if took := time.Since(begun); took != time.Minute+time.Second {
			t.Errorf("start took until %v", took)
		}
		n.hold(t, "c")
	})
}

// TestMemoryNeverWaits has the same calls fail at once where nobody may be blocked.
func TestMemoryNeverWaits(t *testing.T) {
	var clock relaytest.Clock
	w := &world{Hub: relay.NewHub(&relay.HubOptions{After: clock.After, OutboxPackets: 1}), advance: clock.Advance}
	n := w.node(t, "n")
	n.publish(t, "x", 0)
	if err := n.Publish(t.Context(), relay.Packet{Channel: "c", Wait: true}); !errors.Is(err, relay.ErrFull) {
		t.Errorf("publish into a full outbox: %v", err)
	}
	w.Away(time.Minute)
	if _, err := n.Subscribe(t.Context(), relay.Channel{Name: "c"}); !errors.Is(err, relay.ErrNotSent) {
		t.Errorf("subscribe without Redis: %v", err)
	}
	if err := w.Relay().Start(t.Context(), relay.Self{ID: "m"}, n); !errors.Is(err, relay.ErrNotSent) {
		t.Errorf("start without Redis: %v", err)
	}
}

// TestMemoryLaneOf has the lane of a channel fall, and only what it carries lost.
func TestMemoryLaneOf(t *testing.T) {
	inWorlds(t, relay.HubOptions{Lanes: 4}, func(t *testing.T, w *world) {
		n := w.node(t, "n")
		names := []string{"a", "b", "c", "d", "e", "f"}
		for _, name := range names {
			n.hold(t, name)
		}
		fallen := w.LaneOf(relay.Channel{Name: "a"})
		w.Fall("n", fallen, time.Second)
		for _, name := range names {
			want := 1
			if w.LaneOf(relay.Channel{Name: name}) == fallen {
				want = 0
			}
			if got := w.Count(name); got != want {
				t.Errorf("count of %s: %d, want %d", name, got, want)
			}
		}
		if got := w.LaneOf(relay.Channel{Name: "a*", Pattern: true}); got != 0 {
			t.Errorf("patterns are on lane %d", got)
		}
	})
}

// TestMemoryLingerBeginsAnew has a channel wanted again for a moment while it lingers.
func TestMemoryLingerBeginsAnew(t *testing.T) {
	inWorlds(t, relay.HubOptions{}, func(t *testing.T, w *world) {
		n := w.node(t, "n")
		n.hold(t, "c")()
		w.advance(6 * time.Second)
		n.hold(t, "c")()
		w.advance(6 * time.Second)
		if got := w.Count("c"); got != 1 {
			t.Errorf("count %d, 6 s after the second release", got)
		}
		w.advance(5 * time.Second)
		if got := w.Count("c"); got != 0 {
			t.Errorf("count %d, 11 s after the second release", got)
		}
	})
}
