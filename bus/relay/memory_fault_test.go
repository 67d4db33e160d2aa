package relay_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// oneLane keeps the words of a test few.
var oneLane = relay.HubOptions{Lanes: 1}

// errorWord is an error in a word or two.
func errorWord(err error) string {
	for name, target := range map[string]error{
		"not sent": relay.ErrNotSent, "lost": relay.ErrLost, "refused": relay.ErrRefused,
	} {
		if errors.Is(err, target) {
			return name
		}
	}
	return err.Error()
}

// TestMemoryCrossingFaults befalls packets by their payload.
func TestMemoryCrossingFaults(t *testing.T) {
	opts := oneLane
	opts.Fault = func(c relay.Crossing) relay.Fault {
		hop := map[relay.Hop]string{relay.HopOut: "out ", relay.HopIn: "in ", relay.HopCount: "count "}[c.Hop]
		switch hop + string(c.Payload) {
		case "in loss":
			return relay.Fault{Err: relay.ErrLost}
		case "in twice":
			return relay.Fault{Copies: 1}
		case "in late":
			return relay.Fault{Delay: time.Second}
		case "out unsent":
			return relay.Fault{Err: relay.ErrNotSent}
		case "out refused":
			return relay.Fault{Err: relay.ErrRefused}
		case "count uncounted":
			return relay.Fault{Err: relay.ErrLost}
		}
		return relay.Fault{}
	}
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		for _, payload := range []string{"loss", "twice", "unsent", "refused", "uncounted", "late", "behind"} {
			a.publish(t, payload, 0)
		}
		b.after(t, 0, "twice", "twice", "uncounted")
		a.after(t, 0, "1: 1", "2: 1", "3: not sent", "4: refused", "5: lost", "6: 1", "7: 1")
		b.after(t, time.Second, "late", "behind")
	})
}

func TestMemoryFall(t *testing.T) {
	opts := oneLane
	opts.Delay = func() time.Duration { return time.Millisecond }
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		a.publish(t, "in flight", 0)
		w.advance(time.Millisecond) // at Redis: it is counted, and the copy on its way
		if !w.Fall("b", 0, time.Second) || w.Fall("b", 1, 0) || w.Fall("nobody", 0, 0) {
			t.Error("Fall says wrongly what there is")
		}
		b.after(t, time.Millisecond, "down 0")
		a.after(t, 0, "1: 1")
		a.send(t, relay.Packet{Channel: "c", Payload: []byte("nobody"), Guard: true})
		a.after(t, 2*time.Millisecond, "2: 0 of 1")
		w.advance(time.Second)
		a.send(t, relay.Packet{Channel: "c", Payload: []byte("again"), Guard: true})
		a.after(t, 2*time.Millisecond, "3: 1 of 2")
		b.after(t, 0, "up 0", "again")
	})
}

func TestMemoryKill(t *testing.T) {
	opts := relay.HubOptions{Lanes: 2, Delay: func() time.Duration { return time.Millisecond }}
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		a.hold(t, "c")
		b.hold(t, "c")
		b.publish(t, "last words", 0) // written
		b.publish(t, "unsaid", 0)
		alive(t, a, 2, 2)
		w.Kill("b")
		a.after(t, 2*time.Millisecond, "last words")
		alive(t, a, 2, 0)
		a.publish(t, "to the dead", 0)
		a.after(t, 2*time.Millisecond, "to the dead", "1: 1")
		if err := b.Publish(t.Context(), relay.Packet{Channel: "c"}); !errors.Is(err, relay.ErrClosed) {
			t.Errorf("a dead node publishes: %v", err)
		}
		b.after(t, time.Minute)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		b.after(t, 0, "1: lost", "2: not sent")
	})
}

// alive wants so many lanes of the nodes a and b.
func alive(t *testing.T, n *inbox, want ...int) {
	t.Helper()
	if got, err := n.Alive(t.Context(), []string{"a", "b"}); err != nil || !slices.Equal(got, want) {
		t.Errorf("alive: %v, %v, want %v", got, err, want)
	}
}

func TestMemoryStop(t *testing.T) {
	inWorlds(t, oneLane, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		w.Stop("b")
		a.publish(t, "early", 0)
		b.publish(t, "own", 0)
		a.after(t, 0, "1: 1")
		b.after(t, 2400*time.Millisecond)
		w.Continue("b")
		b.after(t, 0, "early", "own", "1: 1")

		w.Stop("b")
		a.publish(t, "late", 0)
		b.after(t, 2600*time.Millisecond)
		a.publish(t, "later", 0)
		a.after(t, 0, "2: 1", "3: 1")
		w.Continue("b")
		b.after(t, 0, "down 0", "up 0")
		a.publish(t, "heard", 0)
		b.after(t, 0, "heard")
	})
}

func TestMemoryCut(t *testing.T) {
	opts := oneLane
	opts.Ghost = time.Minute
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		w.Cut("b")
		a.publish(t, "held up", 0)
		b.publish(t, "written", 0)
		a.after(t, 2*time.Second, "1: 1")
		w.Mend("b")
		b.after(t, 0, "held up", "written", "1: 1")

		w.Cut("b")
		a.publish(t, "counted", 0)
		b.publish(t, "in doubt", 0)
		b.after(t, 2600*time.Millisecond, "down 0", "2: lost")
		b.publishElsewhere(t, time.Hour)
		b.publishElsewhere(t, 0)
		b.after(t, time.Second, "4: not sent")
		w.Mend("b")
		b.after(t, 0, "up 0", "3: 0")
		a.publish(t, "haunted", 0)
		a.after(t, 0, "2: 1", "3: 2") // the lane, and the ghost of what it was
		b.after(t, time.Minute, "haunted")
		a.publish(t, "laid", 0)
		a.after(t, 0, "4: 1")
	})
}

// TestMemoryPowerLoss has a machine go off: nobody tells Redis.
func TestMemoryPowerLoss(t *testing.T) {
	inWorlds(t, oneLane, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		w.Cut("b")
		w.Kill("b")
		a.publish(t, "x", 0)
		a.after(t, time.Hour, "1: 1")
		if !w.Mend("b") || w.Mend("b") {
			t.Error("Mend says wrongly what there is")
		}
		a.publish(t, "y", 0)
		a.after(t, 0, "2: 0")
		b.after(t, 0)
	})
}

func TestMemoryDeafen(t *testing.T) {
	inWorlds(t, oneLane, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		w.Deafen("b", relay.AllLanes)
		a.publish(t, "unheard", 0)
		b.publish(t, "unheard too", 0)
		a.after(t, 0, "1: 1")
		b.after(t, 2400*time.Millisecond, "1: 1")
		b.after(t, 200*time.Millisecond, "down 0", "up 0")
		a.publish(t, "heard", 0)
		b.after(t, 0, "heard")
	})
}

func TestMemoryAway(t *testing.T) {
	opts := oneLane
	opts.Delay = func() time.Duration { return time.Millisecond }
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		a.publish(t, "in flight", 0)
		a.publish(t, "impatient", 0)
		a.publishElsewhere(t, time.Minute)
		a.publishElsewhere(t, time.Second)
		w.Away(2 * time.Second)
		a.after(t, 0, "down 0", "1: lost", "2: not sent")
		b.after(t, 0, "down 0")
		if _, err := a.Alive(t.Context(), []string{"b"}); err == nil {
			t.Error("alive without Redis")
		}
		a.after(t, time.Second, "4: not sent")
		a.publish(t, "at once", 0)
		a.after(t, 0, "5: not sent")
		a.after(t, time.Second+2*time.Millisecond, "up 0", "3: 0")
		b.after(t, 0, "up 0")
		a.publish(t, "heard", 0)
		b.after(t, 2*time.Millisecond, "heard")
	})
}

// TestMemoryAwayBehindCut has Redis restart while a node cannot see it.
func TestMemoryAwayBehindCut(t *testing.T) {
	inWorlds(t, oneLane, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		w.Cut("b")
		b.publish(t, "written", 0)
		w.Away(time.Second)
		b.after(t, 2*time.Second)
		a.after(t, 0, "down 0", "up 0")
		a.publish(t, "forgotten", 0)
		a.after(t, 0, "1: 0")
		w.Mend("b")
		b.after(t, 0, "down 0", "up 0", "1: lost")
		a.publish(t, "heard", 0)
		b.after(t, 0, "heard")
	})
}

// TestMemoryAwayLosesFlight has Redis back before a slow pipeline would have reached it.
func TestMemoryAwayLosesFlight(t *testing.T) {
	opts := oneLane
	opts.Fault = func(c relay.Crossing) relay.Fault {
		if string(c.Payload) == "slow" && c.Hop == relay.HopOut {
			return relay.Fault{Delay: time.Minute}
		}
		return relay.Fault{}
	}
	inWorlds(t, opts, func(t *testing.T, w *world) {
		a, b := w.node(t, "a"), w.node(t, "b")
		b.hold(t, "c")
		a.publish(t, "slow", 0)
		w.Away(0)
		a.after(t, 0, "down 0", "up 0", "1: lost")
		a.publish(t, "quick", 0)
		b.after(t, time.Hour, "down 0", "up 0", "quick")
	})
}
