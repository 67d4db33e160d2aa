package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus"
)

func TestPing(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		for _, ref := range []any{nil, "r\"1\"", 7, -1.5} {
			ping := fields{"type": "ping"}
			if ref != nil {
				ping["ref"] = ref
			}
			c.say(ping)
			if got := c.expect("pong")["ref"]; fmt.Sprint(got) != fmt.Sprint(ref) {
				t.Errorf("ref = %#v, want %#v", got, ref)
			}
		}
	})
}

func TestJoinAndLeave(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		reach := func() error {
			_, err := r.publisher.Request(r.ctx(), bus.Group("news"), "e", bus.JSON(1), bus.WithLevel(bus.Claimed))
			return err
		}
		c.say(fields{"type": "join", "ref": "1", "group": "news"})
		c.say(fields{"type": "join", "ref": "2", "group": "news"})
		for _, ref := range []string{"1", "2"} {
			if ok := c.expect("ok"); ok["ref"] != ref {
				t.Errorf("ok = %v", ok)
			}
		}
		if err := reach(); err != nil {
			t.Errorf("joined: %v", err)
		}
		c.expect("message")
		c.say(fields{"type": "leave", "ref": "3", "group": "news"})
		c.say(fields{"type": "leave", "ref": "4", "group": "never joined"})
		c.expect("ok")
		c.expect("ok")
		if err := reach(); !errors.Is(err, bus.ErrNoReceiver) {
			t.Errorf("left: %v", err)
		}
	})
}

func TestSend(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		from, to := r.login(subprotocol, "1"), r.login(SubprotocolJSON, "2")
		for i := range 50 {
			from.say(fields{"type": "send", "ref": i, "to": "user:2", "event": fmt.Sprint(i), "data": fields{"n": i}})
		}
		for i := range 50 {
			if f := to.expect("message"); f["event"] != fmt.Sprint(i) || !reflect.DeepEqual(f["data"], fields{"n": float64(i)}) {
				t.Fatalf("message %d = %v", i, f)
			}
			if f := from.expect("ok"); fmt.Sprint(f["ref"]) != fmt.Sprint(i) {
				t.Fatalf("ok %d = %v", i, f)
			}
		}
	})
}

func TestSendWithReceipt(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		from, to := r.login(subprotocol, "1"), r.login(SubprotocolMsgpack, "2")
		r.answer(to, "done", nil)
		from.say(fields{"type": "send", "ref": "a", "to": "user:2", "event": "e", "data": 1, "receipt": true})
		f := from.expect("receipt")
		receipt, ok := f["receipt"].(fields)
		if !ok || f["ref"] != "a" || receipt["outcome"] != "confirmed" || receipt["to"] != "user:2" {
			t.Fatalf("frame = %v", f)
		}
		delivery := receipt["deliveries"].([]any)[0].(fields)
		if delivery["user"] != "2" || delivery["reply"] != "done" || delivery["carrier"] != "websocket" {
			t.Errorf("delivery = %v", delivery)
		}
		from.say(fields{"type": "send", "ref": "b", "to": "user:nobody", "event": "e", "receipt": true})
		if f := from.expect("receipt"); f["receipt"].(fields)["outcome"] != "no_receiver" {
			t.Errorf("frame = %v", f)
		}
	})
}

// TestGroupsBeyondTheLimit joins one more than allowed: the same code as for a hello with too many.
func TestGroupsBeyondTheLimit(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{MaxGroups: 1})
		c := r.login(subprotocol, "1")
		c.say(fields{"type": "join", "ref": "a", "group": "g"})
		c.expect("ok")
		c.say(fields{"type": "join", "ref": "b", "group": "h"})
		if f := c.expectError("forbidden"); f["ref"] != "b" || !strings.Contains(f["message"].(string), "1 groups at most") {
			t.Errorf("error = %v", f)
		}
		c.say(fields{"type": "leave", "ref": "c", "group": "g"})
		c.say(fields{"type": "join", "ref": "d", "group": "h"})
		c.expect("ok")
		c.expect("ok")
	})
}

// TestKindsOfTargets names, to who sends to a kind that is none, those that can be sent to.
func TestKindsOfTargets(t *testing.T) {
	r := newRig(t, nil)
	c := r.login(SubprotocolJSON, "1")
	for _, to := range []string{"planet:earth", "nobody", "all:x", ":x"} {
		c.say(fields{"type": "send", "ref": 1, "to": to, "event": "e"})
		text := c.expectError("bad_frame")["message"].(string)
		if !strings.HasPrefix(text, "to: ") || !strings.HasSuffix(text, "(kinds: user, group, socket, node, topic) or all") {
			t.Errorf("%s: %q", to, text)
		}
	}
	c.say(fields{"type": "send", "ref": 1, "to": "method:m", "event": "e"})
	c.expectError("forbidden")
}

func TestReservedTopics(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("", "1")
	c.say(fields{"type": "send", "ref": "a", "to": "topic:" + directoryTopic, "event": "e", "receipt": true})
	c.expectError("forbidden")
}

func TestCall(t *testing.T) {
	opts := &Options{Call: func(_ context.Context, who Identity, method string, body bus.Body) (bus.Body, error) {
		switch method {
		case "who":
			return bus.JSON(who.User), nil
		case "echo":
			return body, nil
		case "busy":
			return bus.Body{}, bus.Reject("busy", "later")
		case "slow":
			return bus.Body{}, fmt.Errorf("waiting: %w", context.DeadlineExceeded)
		}
		return bus.Body{}, errors.New("secret detail")
	}}
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, opts)
		c := r.login(subprotocol, "42")
		for method, want := range map[string]fields{
			"who":  {"data": "42"},
			"echo": {"data": fields{"a": []any{true, nil, "x"}}},
			"busy": {"error": fields{"code": "busy", "message": "later"}},
			"slow": {"error": fields{"code": "timeout", "message": "it took too long"}},
			"else": {"error": fields{"code": "internal", "message": "failed"}},
		} {
			c.say(fields{"type": "call", "ref": method, "method": method, "data": fields{"a": []any{true, nil, "x"}}})
			want["type"], want["ref"] = "reply", method
			if got := c.expect("reply"); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", method, got, want)
			}
		}
	})
}

func TestCallWithoutMethods(t *testing.T) {
	r := newRig(t, nil)
	c := r.login(SubprotocolJSON, "42")
	c.say(fields{"type": "call", "ref": "a", "method": "m"})
	if f := c.expect("reply"); f["error"].(fields)["code"] != "unknown_method" {
		t.Errorf("frame = %v", f)
	}
}

// Whatever the bus says to a client's frame, the client reads it in one line, with the field that it is about.
func TestClientErrors(t *testing.T) {
	_, nobody := bus.ParseAddress("user:")
	for _, c := range []struct {
		err        error
		code, want string
	}{
		{bus.Reject("broke", "no money"), "broke", "no money"},
		{fmt.Errorf("%w: at most 1 byte is allowed", bus.ErrTooLarge), "too_large", "data: message too large: at most 1 byte"},
		{errors.Join(bus.ErrOverloaded, context.DeadlineExceeded), "overloaded", "to: too much is on its way"},
		{fmt.Errorf("%w: JSON: it ends too early", bus.ErrBody), "bad_frame", "data: bad body"},
		{nobody, "bad_frame", "to: bad address: user needs a name"},
		{errors.Join(bus.ErrUnknown, context.DeadlineExceeded), "internal", "it may have been sent"},
		{fmt.Errorf("%w: dial tcp 10.0.0.5:6379", bus.ErrUnavailable), "internal", "Redis can't be reached; try again"},
		{bus.ErrBusClosed, "internal", "the node is going away"},
		{context.DeadlineExceeded, "timeout", "it took too long"},
		{errors.New("secret detail"), "internal", "failed"},
	} {
		code, text := clientError(fmt.Errorf("bus: publish e to all: %w", c.err))
		if code != c.code || !strings.HasPrefix(text, c.want) || unreadable.MatchString(text) {
			t.Errorf("%v: %s %q, want %s %q", c.err, code, text, c.code, c.want)
		}
	}
}

func TestAuthorize(t *testing.T) {
	asked := make(chan Action, 8)
	allow := func(_ context.Context, a Action) error {
		asked <- a
		if a.Target == "news" {
			return nil
		}
		return bus.Reject("x", "only news")
	}
	r := newRig(t, &Options{Authenticate: byToken, Authorize: allow})
	c := r.connect(SubprotocolJSON, "token=good")
	welcome := c.expect("welcome")
	c.say(fields{"type": "join", "ref": "1", "group": "news"})
	c.expect("ok")
	who := Identity{User: "42", Groups: []string{"staff"}, Rights: "of 42"}
	want := Action{Identity: who, Socket: welcome["socket"].(string), Carrier: bus.CarrierWebSocket, Kind: ActionJoin, Target: "news"}
	if got := <-asked; !reflect.DeepEqual(got, want) {
		t.Errorf("action = %+v, want %+v", got, want)
	}
	c.say(fields{"type": "join", "ref": "2", "group": "other"})
	if f := c.expectError("forbidden"); f["ref"] != "2" || f["message"] != "only news" {
		t.Errorf("frame = %v", f)
	}
	c.say(fields{"type": "send", "ref": "3", "to": "user:1", "event": "e"})
	c.expectError("forbidden")
}

func TestAuthenticationWithoutAuthorization(t *testing.T) {
	r := newRig(t, &Options{Authenticate: byToken, Call: func(context.Context, Identity, string, bus.Body) (bus.Body, error) {
		return bus.JSON("called"), nil
	}})
	c := r.connect(SubprotocolJSON, "token=good")
	c.expect("welcome")
	c.say(fields{"type": "join", "ref": "1", "group": "g"})
	c.expectError("forbidden")
	c.say(fields{"type": "send", "ref": "2", "to": "all", "event": "e"})
	c.expectError("forbidden")
	c.say(fields{"type": "call", "ref": "3", "method": "m"})
	if f := c.expect("reply"); f["error"].(fields)["code"] != "forbidden" {
		t.Errorf("frame = %v", f)
	}
}
