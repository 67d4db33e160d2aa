package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func TestDrain(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{ReconnectDelay: 1500 * time.Millisecond})
		idle, busy, silent := r.login(subprotocol, "idle"), r.login(subprotocol, "busy"), r.connect(subprotocol, "")
		result := make(chan error, 1)
		r.group.Go(func() {
			_, err := r.publisher.Request(r.ctx(), bus.User("busy"), "e", bus.JSON(1))
			result <- err
		})
		id := busy.expect("message")["id"]
		drained := make(chan error, 1)
		r.group.Go(func() { drained <- r.gateway.Drain(r.ctx()) })
		if f := idle.expect("drain"); f["reconnect_ms"] == 0 {
			t.Errorf("frame = %v", f)
		}
		idle.expectClose(1001)
		silent.expectClose(1001)
		busy.expect("drain")
		if status, header := r.upgrade(nil, "user=1"); status != 503 || header.Get("Retry-After") != "2" {
			t.Errorf("a new WebSocket: %d, %v", status, header)
		}
		if last := r.connect("", "").expectClose(0); last["code"] != "overloaded" {
			t.Errorf("a new TCP client: %v", last)
		}
		if _, err := r.publisher.Publish(r.ctx(), bus.User("busy"), "still", bus.JSON(1)); err != nil {
			t.Fatal(err)
		}
		busy.expect("message") // delivered as before
		busy.say(fields{"type": "ack", "id": id})
		busy.expectClose(1001)
		if err := <-result; err != nil {
			t.Errorf("what was in flight: %v", err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
}

func TestDrainLimit(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		result := make(chan error, 1)
		r.group.Go(func() {
			_, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1))
			result <- err
		})
		c.expect("message")
		r.group.Go(func() { c.expectClose(1001) })
		ctx, cancel := context.WithTimeout(r.ctx(), 50*time.Millisecond)
		defer cancel()
		if err := r.gateway.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		if err := <-result; !errors.Is(err, bus.ErrClosed) {
			t.Errorf("request: %v", err)
		}
	})
}

func TestDrainAwaitsAnswers(t *testing.T) {
	held := make(chan struct{})
	r := newRig(t, &Options{Call: func(context.Context, Identity, string, bus.Body) (bus.Body, error) {
		<-held
		return bus.JSON("answer"), nil
	}})
	c := r.login("", "42")
	c.say(fields{"type": "call", "ref": "1", "method": "m"})
	s := r.only()
	eventually(t, "the call is under way", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ops.count == 1
	})
	drained := make(chan error, 1)
	r.group.Go(func() { drained <- r.gateway.Drain(r.ctx()) })
	c.expect("drain")
	close(held)
	if f := c.expect("reply"); f["data"] != "answer" {
		t.Errorf("frame = %v", f)
	}
	c.expectClose(1001)
	check(t, <-drained)
}

func TestClose(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		r.group.Go(func() { c.expectClose(1001) })
		check(t, r.gateway.Close())
		check(t, r.gateway.Close())
		if n := len(r.gateway.hub.all()); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if status, _ := r.upgrade(nil, "user=1"); status != 503 {
			t.Errorf("after Close: %d", status)
		}
	})
}

// openAway opens the gateway with a bus whose Redis is out of reach for as long as away says.
func (r *rig) openAway(away *atomic.Int64, opts *Options) {
	r.tb.Helper()
	unreachable := func() time.Duration { return time.Duration(away.Load()) }
	g, err := newGateway(busBackbone{r.bus}, "gw-1", unreachable, quiet(opts))
	if err != nil {
		r.tb.Fatal(err)
	}
	r.serve(g)
}

func TestRedisOutOfReach(t *testing.T) {
	var away atomic.Int64
	r := newBuses(t)
	r.openAway(&away, &Options{RedisPatience: 100 * time.Millisecond})
	c := r.login(SubprotocolJSON, "42")
	stay := r.login("", "stay")
	acked := make(chan error, 1)
	r.group.Go(func() {
		_, err := r.publisher.Request(r.ctx(), bus.User("stay"), "e", bus.JSON(1))
		acked <- err
	})
	id := stay.expect("message")["id"]
	away.Store(int64(time.Second))
	c.expect("drain")
	c.expectClose(1001)
	stay.expect("drain")
	if status, _ := r.upgrade(nil, "user=1"); status != 503 {
		t.Errorf("a new client: %d", status)
	}
	away.Store(0)
	eventually(t, "new clients are taken again", func() bool { status, _ := r.upgrade(nil, "user=1"); return status == 101 })
	stay.say(fields{"type": "ack", "id": id})
	check(t, <-acked)
	stay.say(fields{"type": "ping"})
	stay.expect("pong") // who had something in flight may stay
}
