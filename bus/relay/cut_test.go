package relay_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// A cable dials connections that can be cut: nothing comes through any more, and neither side is told.
type cable struct {
	mu      sync.Mutex
	cut     bool
	plugged *sync.Cond
	lost    []net.Conn // closed while they were cut: the other side does not learn of it
}

func newCable(t *testing.T) *cable {
	t.Helper()
	c := &cable{}
	c.plugged = sync.NewCond(&c.mu)
	t.Cleanup(func() {
		for _, conn := range c.lost {
			_ = conn.Close()
		}
	})
	return c
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	c.plugged.Broadcast()
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	cut := c.cut
	c.mu.Unlock()
	if cut {
		<-ctx.Done() // as when no answer comes
		return nil, ctx.Err()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, cable: c}, nil
}

// A cutConn hands over nothing while its cable is cut. What was read from the network before is held back, as a full
// network would.
type cutConn struct {
	net.Conn
	cable    *cable
	closed   bool
	silent   bool // it was closed while it was cut
	deadline time.Time
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.cable.mu.Lock()
	defer c.cable.mu.Unlock()
	for c.cable.cut && !c.closed {
		if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
			return 0, context.DeadlineExceeded
		}
		c.cable.plugged.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write pretends: the kernel takes bytes also when nobody will ever get them.
func (c *cutConn) Write(p []byte) (int, error) {
	c.cable.mu.Lock()
	cut := c.cable.cut
	c.cable.mu.Unlock()
	if cut {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cutConn) SetReadDeadline(t time.Time) error {
	c.cable.mu.Lock()
	c.deadline = t
	c.cable.mu.Unlock()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), c.cable.plugged.Broadcast)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *cutConn) Close() error {
	c.cable.mu.Lock()
	defer c.cable.mu.Unlock()
	if c.cable.cut && !c.closed {
		c.cable.lost = append(c.cable.lost, c.Conn)
		c.silent = true
	}
	c.closed = true
	c.cable.plugged.Broadcast()
	if c.silent {
		return c.Conn.SetDeadline(time.Now()) // ends what is under way
	}
	return c.Conn.Close()
}

// uncounted wants Redis to count no former connection of the receiver: each channel once, beacons once for each node.
func uncounted(t *testing.T, server *redistest.Server, channel string, beacons ...string) {
	t.Helper()
	counts, err := server.Client().PubSubNumSub(t.Context(), append(beacons, channel)...).Result()
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range counts {
		want := int64(2)
		if name == channel {
			want = 1
		}
		if n != want {
			t.Errorf("once the lanes stand again Redis counts %d of %s", n, name)
		}
	}
}

// stalls measures from now on how long this process did not run when it was due.
func stalls(t *testing.T) func() time.Duration {
	t.Helper()
	const every = 5 * time.Millisecond
	var late time.Duration
	group := run.New(t.Context())
	group.Go(func() {
		for last := time.Now(); pause.For(group.Context(), every); last = time.Now() {
			if d := time.Since(last); d > 3*every {
				late += d - every
			}
		}
	})
	return func() time.Duration {
		group.Stop()
		group.Wait()
		return late
	}
}

// A cut link is noticed within 3 s although no connection says a word, and nothing that was held back comes out later.
func TestCutLink(t *testing.T) {
	server := redistest.Start(t)
	line := newCable(t)
	sent, got := newJournal(), newJournal()
	publisher := startRedis(t, server.URL(), nil, sent)
	receiver := startRedis(t, server.URL(), &relay.Options{Dial: line.dial}, got)
	subscribe(t, receiver, "a")
	line.set(true)
	cutAt, stalled := time.Now(), stalls(t)
	if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte("held back"), Token: 1}); err != nil {
		t.Fatal(err)
	}
	if r := sent.result(t, 1); r.Err != nil || r.Count != 1 {
		t.Fatalf("Redis still counts the cut one: %+v", r)
	}
	if err := receiver.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte("into the void"), Token: 1}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all lanes fell", func() bool { falls, _ := got.lanes(); return falls == 4 })
	took, late := time.Since(cutAt), stalled()
	if took > 3*time.Second+late {
		t.Errorf("the cut was noticed after %v, of which this machine stood still for %v", took, late)
	}
	// It was written, unless this machine was so slow that the connection had been given up before.
	if r := got.result(t, 1); !errors.Is(r.Err, relay.ErrLost) && !errors.Is(r.Err, relay.ErrNotSent) {
		t.Errorf("published into a cut link: %+v", r)
	}
	if n := server.Client().PubSubNumSub(t.Context(), "a").Val()["a"]; n != 1 {
		t.Fatalf("Redis counts the cut one %d times", n)
	}
	line.set(false)
	got.mended(t, 4)
	uncounted(t, server, "a", "ackbus:lane:0", "ackbus:lane:3")
	if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte("fresh"), Token: 2}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "messages arrive again", func() bool { return got.has("fresh") })
	if got.has("held back") {
		t.Error("a message was delivered after the gap")
	}
	got.orderly(t)
}
