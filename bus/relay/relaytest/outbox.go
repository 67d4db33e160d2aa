package relaytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/run"
)

// outboxPackets is the size of the outbox that is filled.
const outboxPackets = 16

// fill publishes without waiting until the outbox has no room. Redis is stalled.
func fill(t *testing.T, n *node, name string) {
	t.Helper()
	for range 100 * outboxPackets {
		p := relay.Packet{Channel: name, Payload: envelope(0, 0, nil), Token: n.tokens.Add(1), Patience: patience}
		err := n.Publish(t.Context(), p)
		if errors.Is(err, relay.ErrFull) {
			n.tokens.Add(^uint64(0))
			return
		}
		if err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	t.Fatalf("the outbox of %d packets is never full", outboxPackets)
}

func testFull(t *testing.T, f Factory) {
	if f.Stall == nil {
		t.Skip("Redis cannot be stalled here")
	}
	n := start(t, f, Options{OutboxPackets: outboxPackets})
	name := unique(f)
	resume := f.Stall(t, n.id)
	fill(t, n, name)
	waits := relay.Packet{Channel: name, Payload: envelope(0, 1, nil), Wait: true, Patience: patience}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := n.Publish(ctx, waits); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish into a full outbox: %v", err)
	}
	g := run.New(t.Context())
	errs := make(chan error, 1)
	waits.Token = n.tokens.Add(1)
	g.Go(func() { errs <- n.Publish(g.Context(), waits) })
	resume()
	if err := <-errs; err != nil {
		t.Errorf("publish once there is room: %v", err)
	}
	g.Stop()
	g.Wait()
	for _, r := range n.got.resultsOf(t, n.tokens.Load()) {
		if r.Err != nil {
			t.Errorf("result: %+v", r)
		}
	}
}

func testClose(t *testing.T, f Factory) {
	if err := f.New(t, Options{}).Close(); err != nil {
		t.Errorf("close before start: %v", err)
	}
	n := start(t, f, Options{})
	name := unique(f)
	n.subscribe(t, name)
	for range 1000 {
		n.send(t, relay.Packet{Channel: name, Payload: envelope(0, 0, nil), Wait: true})
	}
	together(t, 4, func(int) error { return n.Close() })
	if err := n.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	closedResults(t, n)
	if err := n.Publish(t.Context(), relay.Packet{Channel: name}); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("publish after close: %v", err)
	}
	if _, err := n.Subscribe(t.Context(), relay.Channel{Name: name}); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if _, err := n.Alive(t.Context(), []string{n.id}); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("alive after close: %v", err)
	}
	other := start(t, f, Options{})
	other.awaitCount(t, name, 0)
	alive(t, other, []string{n.id}, []int{0})
}

// closedResults wants a result for each token, now that the relay is closed, and returns how many were not sent.
func closedResults(t *testing.T, n *node) (unsent int) {
	t.Helper()
	n.got.mu.Lock()
	defer n.got.mu.Unlock()
	if got, want := len(n.got.results), int(n.tokens.Load()); got != want {
		t.Errorf("%d results after close, want %d", got, want)
	}
	for _, r := range n.got.results {
		switch {
		case errors.Is(r.Err, relay.ErrNotSent):
			unsent++
		case r.Err != nil && !errors.Is(r.Err, relay.ErrLost):
			t.Errorf("result: %+v", r)
		}
	}
	return unsent
}

// testCloseQueued closes under a stalled Redis, with somebody who waits for room.
func testCloseQueued(t *testing.T, f Factory) {
	if f.Stall == nil {
		t.Skip("Redis cannot be stalled here")
	}
	n := start(t, f, Options{OutboxPackets: outboxPackets})
	resume := f.Stall(t, n.id)
	defer resume()
	name := unique(f)
	fill(t, n, name)
	g := run.New(t.Context())
	errs := make(chan error, 1)
	g.Go(func() {
		errs <- n.Publish(g.Context(), relay.Packet{Channel: name, Payload: envelope(0, 0, nil), Wait: true})
	})
	began := time.Now()
	if err := n.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Redis is stalled, and Close took %v", took)
	}
	if err := <-errs; !errors.Is(err, relay.ErrClosed) {
		t.Errorf("publish that waited while the relay was closed: %v", err)
	}
	g.Stop()
	g.Wait()
	if closedResults(t, n) == 0 {
		t.Error("nothing was queued")
	}
}
