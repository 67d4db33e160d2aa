package relaytest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// mended awaits that each lane of the node that fell stands again, and that at least as many as said fell.
func mended(t *testing.T, n *node, least int) {
	t.Helper()
	n.got.await(t, "the lanes fell and stand again", func() bool {
		falls, down := 0, 0
		for _, e := range n.got.events {
			if e.Up {
				down--
			} else {
				down++
				falls++
			}
		}
		return falls >= least && down == 0
	})
}

func testSever(t *testing.T, f Factory) {
	if f.Sever == nil {
		t.Skip("connections cannot be severed here")
	}
	a, b := start(t, f, Options{}), start(t, f, Options{})
	var names []string
	for i := range 4 * f.Lanes {
		names = append(names, fmt.Sprintf("%s:%d", unique(f), i))
		b.subscribe(t, names[i])
	}
	pattern := unique(f)
	b.hold(t, relay.Channel{Name: pattern + "*", Pattern: true})
	f.Sever(t, []string{a.id, b.id})
	mended(t, a, f.Lanes)
	mended(t, b, f.Lanes)
	for _, name := range append(names, pattern+"x") {
		got := a.publish(t, relay.Packet{Channel: name, Guard: true})
		if got.Count != 1 || got.Beacon != 2 {
			t.Errorf("once all lanes stand again: %+v", got)
		}
		b.got.items(t, name, 1)
	}
	alive(t, a, []string{a.id, b.id}, []int{f.Lanes, f.Lanes})
}

func testAway(t *testing.T, f Factory) {
	if f.Away == nil {
		t.Skip("Redis cannot be taken away here")
	}
	a, b := start(t, f, Options{}), start(t, f, Options{})
	name := unique(f)
	b.subscribe(t, name)
	back := f.Away(t)
	b.got.await(t, "all lanes fell", func() bool { return len(b.got.events) >= f.Lanes })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.Alive(short, []string{b.id}); err == nil {
		t.Error("alive without Redis")
	}
	if _, err := b.Subscribe(short, relay.Channel{Name: unique(f)}); err == nil {
		t.Error("subscribe without Redis")
	}
	refused(t, a, name, 0)
	refused(t, a, name, 50*time.Millisecond)
	patient := a.send(t, relay.Packet{Channel: name, Payload: envelope(0, 0, nil), Patience: patience})
	back()
	if r := a.got.result(t, patient); r.Err != nil {
		t.Errorf("a packet that waited for Redis: %+v", r)
	}
	mended(t, a, f.Lanes)
	mended(t, b, f.Lanes)
	if got := a.publish(t, relay.Packet{Channel: name, Guard: true}); got.Count != 1 || got.Beacon != 2 {
		t.Errorf("once Redis is back: %+v", got)
	}
	b.subscribe(t, unique(f))
}

// refused publishes while Redis is away, until the relay has found out: from then on nothing is in doubt.
func refused(t *testing.T, n *node, name string, patience time.Duration) {
	t.Helper()
	eventually(t, "a packet is not sent", func() bool {
		r := n.got.result(t, n.send(t, relay.Packet{Channel: name, Payload: envelope(0, 0, nil), Patience: patience}))
		if !errors.Is(r.Err, relay.ErrNotSent) && !errors.Is(r.Err, relay.ErrLost) {
			t.Fatalf("without Redis: %+v", r)
		}
		return errors.Is(r.Err, relay.ErrNotSent)
	})
}
