package relaytest

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// patience is how long the suite waits for what must happen, and lingering what it sets the linger to.
const (
	patience  = 20 * time.Second
	lingering = 200 * time.Millisecond
)

// A node is a started relay with its receiver.
type node struct {
	relay.Relay
	id     string
	got    *recorder
	tokens atomic.Uint64
}

// start starts a node that is closed at the end of the test.
func start(t *testing.T, f Factory, o Options) *node {
	t.Helper()
	return startAs(t, f, o, false)
}

func startAs(t *testing.T, f Factory, o Options, observer bool) *node {
	t.Helper()
	n := &node{Relay: f.New(t, o), id: uuid.NewString(), got: newRecorder()}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		n.got.verify(t)
	})
	if err := n.Start(within(t), relay.Self{ID: n.id, Observer: observer}, n.got); err != nil {
		t.Fatalf("start: %v", err)
	}
	return n
}

// within is a context for a call that must not take for ever.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// unique is a channel name that no other case uses.
func unique(f Factory) string { return f.Prefix + "relaytest:" + uuid.NewString() }

// subscribe holds a channel.
func (n *node) subscribe(t *testing.T, name string) (release func()) {
	t.Helper()
	return n.hold(t, relay.Channel{Name: name})
}

func (n *node) hold(t *testing.T, ch relay.Channel) (release func()) {
	t.Helper()
	release, err := n.Subscribe(within(t), ch)
	if err != nil {
		t.Fatalf("subscribe %v: %v", ch, err)
	}
	return release
}

// send hands over a packet with a token of its own, and returns the token.
func (n *node) send(t *testing.T, p relay.Packet) uint64 {
	t.Helper()
	p.Token = n.tokens.Add(1)
	if err := n.Publish(within(t), p); err != nil {
		t.Fatalf("publish to %s: %v", p.Channel, err)
	}
	return p.Token
}

// publish publishes and awaits the result, which must not be an error.
func (n *node) publish(t *testing.T, p relay.Packet) relay.Result {
	t.Helper()
	if p.Payload == nil {
		p.Payload = envelope(0, 0, nil)
	}
	r := n.got.result(t, n.send(t, p))
	if r.Err != nil {
		t.Fatalf("publish to %s: %v", p.Channel, r.Err)
	}
	return r
}

// count publishes and returns the count.
func (n *node) count(t *testing.T, channel string) int {
	t.Helper()
	return n.publish(t, relay.Packet{Channel: channel}).Count
}

// awaitCount publishes until the count is as wanted.
func (n *node) awaitCount(t *testing.T, channel string, want int) {
	t.Helper()
	eventually(t, "the count of "+channel+" is "+strconv.Itoa(want), func() bool { return n.count(t, channel) == want })
}

// eventually asks again and again, 5 ms apart, until done.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	end := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
