package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
)

func TestBadFrames(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		bad := []fields{
			{"type": "no such type", "ref": "r"},
			{"type": "ack"},
			{"type": "join", "ref": "r"},
			{"type": "join", "group": "g"},
			{"type": "send", "ref": "r", "to": "nowhere", "event": "e"},
			{"type": "send", "ref": "r", "to": "all", "event": "e", "timeout_ms": 600_001},
			{"type": "call", "ref": "r"},
			{"type": "call", "ref": []int{1}, "method": "m"},
			{},
		}
		for _, f := range bad {
			c.say(f)
			if e := c.expectError("bad_frame"); f["ref"] == "r" && e["ref"] != "r" {
				t.Errorf("%v was answered by %v", f, e)
			}
		}
		c.say(fields{"type": "ping"})
		c.expect("pong")
		c.say(fields{"type": "the tenth"})
		if last := c.expectClose(4009); last["code"] != "bad_frame" {
			t.Errorf("last frame = %v", last)
		}
	})
}

func TestWrongKindOfMessage(t *testing.T) {
	r := newRig(t, nil)
	c := r.login(SubprotocolJSON, "42")
	check(t, c.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)))
	c.expectError("bad_frame")
	check(t, c.ws.WriteMessage(websocket.TextMessage, []byte("{\"type\":\"ping\",\"ref\":\"\xff\"}")))
	c.expectError("bad_frame")
}

func TestFrameTooLarge(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{MaxFrame: 4096})
		c := r.login(subprotocol, "42")
		c.say(fields{"type": "ping", "pad": strings.Repeat("x", 4000)})
		c.expect("pong")
		// More than the buffers of both kernels hold: the gateway must read on for its answer to arrive.
		r.group.Go(func() { _ = c.send(fields{"type": "ping", "pad": strings.Repeat("x", 8<<20)}) })
		if last := c.expectClose(1009); last["code"] != "too_large" {
			t.Errorf("last frame = %v", last)
		}
	})
}

func TestRateLimit(t *testing.T) {
	r := newRig(t, &Options{Rate: 0.001, Burst: 2})
	c := r.login("", "42")
	for range 2 {
		c.say(fields{"type": "ping"})
		c.expect("pong")
	}
	c.say(fields{"type": "ping", "ref": "r"})
	if f := c.expectError("rate_limited"); f["ref"] != "r" {
		t.Errorf("frame = %v", f)
	}
	c.say(fields{"type": "call", "ref": "c", "method": "m"})
	if f := c.expect("reply"); f["error"].(fields)["code"] != "rate_limited" {
		t.Errorf("frame = %v", f)
	}
	r.answer(c, 1, nil)
	if _, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1)); err != nil {
		t.Errorf("acknowledgements are not limited: %v", err)
	}
}

func TestOverloaded(t *testing.T) {
	held := make(chan struct{})
	r := newRig(t, &Options{MaxOperations: 3, Call: func(ctx context.Context, _ Identity, _ string, _ bus.Body) (bus.Body, error) {
		select {
		case <-held:
		case <-ctx.Done():
		}
		return bus.Body{}, ctx.Err()
	}})
	c := r.login(SubprotocolJSON, "42")
	for i := range 3 {
		c.say(fields{"type": "call", "ref": i, "method": "m"})
	}
	c.say(fields{"type": "call", "ref": "more", "method": "m"})
	if f := c.expect("reply"); f["ref"] != "more" || f["error"].(fields)["code"] != "overloaded" {
		t.Errorf("frame = %v", f)
	}
	c.say(fields{"type": "join", "ref": "j", "group": "g"})
	c.expectError("overloaded")
	close(held)
	for range 3 {
		c.expect("reply")
	}
	c.say(fields{"type": "join", "ref": "j", "group": "g"})
	c.expect("ok")
}

func TestMaxConnections(t *testing.T) {
	r := newRig(t, &Options{MaxConnections: 1})
	c := r.login(SubprotocolJSON, "42")
	if status, header := r.upgrade(nil, ""); status != 503 || header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d, %v", status, header)
	}
	if last := r.connect("", "").expectClose(0); last["code"] != "overloaded" {
		t.Errorf("last frame = %v", last)
	}
	check(t, c.conn.Close())
	eventually(t, "a place is free", func() bool { status, _ := r.upgrade(nil, ""); return status == 101 })
}

func TestHandshakeRate(t *testing.T) {
	r := newRig(t, &Options{HandshakeRate: 0.001, HandshakeBurst: 2})
	r.login(SubprotocolJSON, "1")
	r.login("", "2")
	if status, _ := r.upgrade(nil, ""); status != 429 {
		t.Errorf("one too many: %d", status)
	}
	if last := r.connect("", "").expectClose(0); last["code"] != "rate_limited" {
		t.Errorf("last frame = %v", last)
	}
}

func TestHandshakesForget(t *testing.T) {
	h := &handshakes{rate: 1, burst: 2}
	now := time.Now()
	for i := range 300 {
		h.allow(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1).String(), now)
	}
	if !h.allow("[2001:db8::1]:1", now) || !h.allow("[2001:db8::2]:1", now) || h.allow("[2001:db8::3]:1", now) {
		t.Error("addresses of one /64 network do not count together")
	}
	if h.forget(now.Add(time.Hour)); len(h.of) != 0 {
		t.Errorf("%d addresses are remembered", len(h.of))
	}
}

func TestOptionDefaults(t *testing.T) {
	o, err := (*Options)(nil).withDefaults()
	if err != nil || o.HelloTimeout != 5*time.Second || o.QueueMessages != 4096 || o.MaxConnections != off || o.Logger == nil {
		t.Errorf("defaults = %+v, %v", o, err)
	}
	o, err = (&Options{PingInterval: -1, QueueBytes: -1, VolatileQueue: -1, Rate: -1, ReconnectDelay: -1}).withDefaults()
	if err != nil || o.PingInterval != off || o.QueueBytes != off || o.VolatileQueue != 0 || o.Rate > 0 || o.ReconnectDelay != 0 {
		t.Errorf("turned off = %+v, %v", o, err)
	}
	if _, err := (&Options{CloseTimeout: -1}).withDefaults(); err == nil {
		t.Error("CloseTimeout was turned off")
	}
}

func TestCodeLabel(t *testing.T) {
	for code, want := range map[int]string{1000: "1000", 4008: "4008", 4321: "other", 3000: "other", 0: "other"} {
		if got := codeLabel(code); got != want {
			t.Errorf("codeLabel(%d) = %s, want %s", code, got, want)
		}
	}
	if fmt.Sprint(endSilent.code) != codeLabel(endSilent.code) {
		t.Error("an ending of our own has no label")
	}
}
