package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// A held call runs until its context ends, and tells why it did.
func held(begun chan<- string, ended chan<- error) func(context.Context, Identity, string, bus.Body) (bus.Body, error) {
	return func(ctx context.Context, _ Identity, method string, _ bus.Body) (bus.Body, error) {
		begun <- method
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return bus.Body{}, context.Cause(ctx)
	}
}

func receive[T any](t *testing.T, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
	}
	return got
}

// A client that disconnects gives its calls up, at once and with the reason.
func TestDisconnectCancelsCalls(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		begun, ended := make(chan string, 2), make(chan error, 2)
		r := newRig(t, &Options{Call: held(begun, ended)})
		c, other := r.login(subprotocol, "42"), r.login(subprotocol, "43")
		c.say(fields{"type": "call", "ref": 1, "method": "a", "timeout_ms": 600_000})
		c.say(fields{"type": "call", "ref": 2, "method": "b"})
		receive(t, "both begin", begun)
		receive(t, "both begin", begun)
		left := time.Now()
		check(t, c.conn.Close())
		for range 2 {
			if err := receive(t, "both end", ended); !errors.Is(err, errGone) {
				t.Errorf("a call ended with %v", err)
			}
		}
		if took := time.Since(left); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		other.say(fields{"type": "call", "ref": 1, "method": "c", "timeout_ms": 10})
		receive(t, "the other client's begins", begun)
		if err := receive(t, "it ends in time", ended); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another client's call ended with %v", err)
		}
	})
}

func TestCallTimeout(t *testing.T) {
	begun, ended := make(chan string, 1), make(chan error, 1)
	r := newRig(t, &Options{Call: held(begun, ended)})
	c := r.login(SubprotocolJSON, "42")
	before := time.Now()
	c.say(fields{"type": "call", "ref": "a", "method": "m", "timeout_ms": 50})
	got := c.expect("reply")["error"].(fields)
	if took := time.Since(before); got["code"] != "timeout" || took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("%v after %v", got, took)
	}
	for _, bad := range []any{-1, 600_001, 1.5, "5", true} {
		c.say(fields{"type": "call", "ref": "a", "method": "m", "timeout_ms": bad})
		c.expectError("bad_frame")
	}
}

// So many calls of a client run at a time; further ones are refused at once, and later ones run again.
func TestCallsAreBounded(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		begun, free := make(chan string, 3), make(chan bus.Body)
		r := newRig(t, &Options{MaxOperations: 2, Call: func(ctx context.Context, _ Identity, method string, _ bus.Body) (bus.Body, error) {
			begun <- method
			select {
			case result := <-free:
				return result, nil
			case <-ctx.Done():
				return bus.Body{}, ctx.Err()
			}
		}})
		c := r.login(subprotocol, "42")
		for _, ref := range []string{"a", "b"} {
			c.say(fields{"type": "call", "ref": ref, "method": ref})
			receive(t, "the call begins", begun)
		}
		c.say(fields{"type": "call", "ref": "c", "method": "c"})
		if f := c.expect("reply"); f["ref"] != "c" || f["error"].(fields)["code"] != "overloaded" {
			t.Errorf("one more: %v", f)
		}
		free <- bus.JSON("done")
		if f := c.expect("reply"); f["data"] != "done" {
			t.Errorf("one of two: %v", f)
		}
		s, _ := r.gateway.sessionOf("42")
		eventually(t, "there is room again", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ops.count == 1
		})
		c.say(fields{"type": "call", "ref": "d", "method": "d"})
		receive(t, "one more call begins", begun)
		free <- bus.JSON("done")
		free <- bus.JSON("done")
		c.expect("reply")
		c.expect("reply")
	})
}

func TestCallDetails(t *testing.T) {
	failures := map[string]*CallError{
		"plain":        {Code: "no_paper", Message: "tray 2"},
		"json":         {Code: "no_paper", Message: "tray 2", Details: bus.JSON(map[string]any{"tray": "2"})},
		"msgpack":      {Code: "no_paper", Message: "tray 2", Details: bus.Msgpack([]string{"x"})},
		"untranslated": {Code: "no_paper", Message: "tray 2", Details: bus.JSON(func() {})},
	}
	r := newRig(t, &Options{Call: func(_ context.Context, _ Identity, method string, _ bus.Body) (bus.Body, error) {
		return bus.Body{}, fmt.Errorf("call: %w", failures[method])
	}})
	for _, subprotocol := range carriers {
		c := r.login(subprotocol, "42")
		for method, details := range map[string]any{"plain": nil, "json": fields{"tray": "2"}, "msgpack": []any{"x"}, "untranslated": nil} {
			want := fields{"code": "no_paper", "message": "tray 2"}
			if details != nil {
				want["details"] = details
			}
			c.say(fields{"type": "call", "ref": method, "method": method})
			if f := c.expect("reply"); f["ref"] != method || !reflect.DeepEqual(f["error"], want) {
				t.Errorf("%s: %v, want %v", method, f, want)
			}
		}
	}
}

// A drain lets calls end, and the client read their results.
func TestDrainAwaitsCalls(t *testing.T) {
	begun, free := make(chan string, 1), make(chan bus.Body)
	r := newRig(t, &Options{Call: func(_ context.Context, _ Identity, method string, _ bus.Body) (bus.Body, error) {
		begun <- method
		return <-free, nil
	}})
	c := r.login(SubprotocolJSON, "42")
	c.say(fields{"type": "call", "ref": "a", "method": "m"})
	receive(t, "the call begins", begun)
	drained := make(chan error, 1)
	r.group.Go(func() { drained <- r.gateway.Drain(r.ctx()) })
	c.expect("drain")
	free <- bus.JSON("done")
	if f := c.expect("reply"); f["data"] != "done" {
		t.Errorf("frame = %v", f)
	}
	check(t, c.conn.Close())
	check(t, receive(t, "the gateway drains", drained))
}

// Methods are called, not sent to: a message to their address would run every instance, past what Authorize says of calls.
func TestMethodAddresses(t *testing.T) {
	r := newRig(t, nil)
	ran := make(chan struct{}, 1)
	handler := func(context.Context, *bus.Message) (bus.Body, error) {
		ran <- struct{}{}
		return bus.Body{}, nil
	}
	if _, err := r.publisher.Subscribe(t.Context(), bus.Method("math.sum"), handler); err != nil {
		t.Fatal(err)
	}
	at := bus.MethodAt("math.sum", r.publisher.Node().ID)
	if _, err := r.publisher.Subscribe(t.Context(), at, handler); err != nil {
		t.Fatal(err)
	}
	c := r.login(SubprotocolJSON, "42")
	for _, to := range []string{"method:math.sum", at.String()} {
		for _, receipt := range []bool{false, true} {
			c.say(fields{"type": "send", "ref": "a", "to": to, "event": "e", "receipt": receipt})
			if f := c.expectError("forbidden"); f["message"] != "to: a method is called, not sent to: see the call frame" {
				t.Errorf("frame = %v", f)
			}
		}
	}
	select {
	case <-ran:
		t.Error("the method was reached")
	default:
	}
}
