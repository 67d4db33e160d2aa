package bus

import (
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A client whose node dies before anybody heard of its claim comes to another node: what it gets there once more is marked.
func TestSentAgainIsMarked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		hub := f.hub()
		nodes := settled(t, hub, 3)
		before := connect(t, nodes[1], staysSilent, User("42"))
		f.set(loses(relay.HopIn, isReport))
		var asked sync.WaitGroup
		asked.Go(func() {
			r, err := nodes[0].Request(within(t, 10*time.Second), User("42"), "e", JSON(1))
			wantOutcome(t, r, err, OutcomeConfirmed)
		})
		pass(100 * time.Millisecond)
		before.wantSeen(t, 1)
		hub.Kill(nodes[1].Node().ID.String())
		after := connect(t, nodes[2], confirms, User("42"))
		f.stop()
		asked.Wait()
		after.wantSeen(t, 1)
		if first, again := before.messages()[0], after.messages()[0]; first.Redelivered || !again.Redelivered || first.ID != again.ID {
			t.Errorf("first %+v, again %+v", first, again)
		}
	})
}

// Numbers that are never done with don't hold the floor for ever: it is never further below than the window is wide.
func TestTheWindowMovesOn(t *testing.T) {
	w := newWindow()
	for range windowSize + 1000 {
		if w.take(); w.next-w.floor > windowSize {
			t.Fatalf("floor %d, next %d", w.floor, w.next)
		}
	}
}

// Reports that a publisher never asks past are kept up to a bound, and it is known which were given up.
func TestKeptReportsAreBounded(t *testing.T) {
	s := &stream{}
	for range 4 * keptBytes / batchBytes {
		s.buf = append(s.buf, make([]byte, batchBytes)...)
		if s.close(time.Second); s.bytes > keptBytes {
			t.Fatalf("%d bytes are kept", s.bytes)
		}
	}
	if s.lost == 0 || s.lost+1 != s.lowest() {
		t.Errorf("%d are lost, and the lowest is %d", s.lost, s.lowest())
	}
}

// Nodes that claim late let no more than 4 MiB of large requests be under way to one address.
func TestUnclaimedBytesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var f faults
		nodes := settled(t, f.hub(), 2)
		k := connect(t, nodes[1], confirms, User("42"))
		f.set(func(c relay.Crossing) relay.Fault {
			if c.Hop == relay.HopIn && isReport(c) {
				return relay.Fault{Delay: 100 * time.Millisecond}
			}
			return relay.Fault{}
		})
		body := Bytes(make([]byte, 1<<20))
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				r, err := nodes[0].Request(t.Context(), User("42"), "e", body)
				wantOutcome(t, r, err, OutcomeConfirmed)
			})
		}
		pass(50 * time.Millisecond) // nothing is claimed yet
		if n := len(k.messages()); n == 0 || n > quotaBytes>>20 {
			t.Errorf("%d MiB are under way unclaimed", n)
		}
		all.Wait()
	})
}
