package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

// eachCarrier runs a test once for each carrier.
func eachCarrier(t *testing.T, f func(t *testing.T, subprotocol string)) {
	for _, subprotocol := range carriers {
		t.Run(carrierName(subprotocol), func(t *testing.T) { f(t, subprotocol) })
	}
}

func TestRequestIsConfirmed(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "user": "42", "groups": []string{"news", "news"}})
		welcome := c.expect("welcome")
		if welcome["user"] != "42" || welcome["node"] != "gw-1" || !reflect.DeepEqual(welcome["groups"], []any{"news"}) {
			t.Errorf("welcome = %v", welcome)
		}
		r.answer(c, fields{"seen": true}, nil)
		receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "payment.settled", bus.JSON(fields{"amount": 100}))
		if err != nil {
			t.Fatal(err)
		}
		d := receipt.Deliveries[0]
		var reply fields
		if err := d.Reply.Decode(&reply); err != nil || reply["seen"] != true {
			t.Errorf("reply = %s, %v", d.Reply.Raw(), err)
		}
		if d.Socket != welcome["socket"] || d.Node != "gw-1" || d.User != "42" || d.Written <= 0 || d.Settled < d.Written {
			t.Errorf("delivery = %+v", d)
		}
		if tcp := subprotocol == ""; tcp != (d.Carrier == bus.CarrierTCP) {
			t.Errorf("carrier = %s", d.Carrier)
		}
	})
}

func TestMessageFrame(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42", "news")
		for _, test := range []struct {
			to   bus.Address
			body bus.Body
			want any
		}{
			{bus.Group("news"), bus.JSON("hé\"llo\n"), "hé\"llo\n"},
			{bus.User("42"), bus.Msgpack(fields{"a": "b"}), fields{"a": "b"}},
			{bus.Everyone(), bus.Body{}, nil},
		} {
			id := uuid.Must(uuid.NewV7())
			if _, err := r.publisher.Publish(r.ctx(), test.to, "ev\tent", test.body, bus.WithID(id)); err != nil {
				t.Fatal(err)
			}
			f := c.expect("message")
			if !reflect.DeepEqual(f["data"], test.want) {
				t.Errorf("data = %#v, want %#v", f["data"], test.want)
			}
			if f["id"] != id.String() || f["event"] != "ev\tent" || f["to"] != test.to.String() {
				t.Errorf("frame = %v", f)
			}
			if f["ack"] != false || f["redelivered"] != nil {
				t.Errorf("frame = %v", f)
			}
		}
	})
}

// TestPrettyJSON publishes JSON with newlines, which must not break a carrier of lines.
func TestPrettyJSON(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("", "42")
	body, err := bus.Encoded(bus.FormatJSON, []byte("{\n \"a\" : [\r\n1,\n2]\n}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.publisher.Publish(r.ctx(), bus.User("42"), "e", body); err != nil {
		t.Fatal(err)
	}
	if f := c.expect("message"); !reflect.DeepEqual(f["data"], fields{"a": []any{1.0, 2.0}}) {
		t.Errorf("data = %v", f["data"])
	}
}

func TestNack(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		refuse := func(f fields) {
			f["id"], f["type"] = c.expect("message")["id"], "nack"
			c.say(f)
		}
		for _, test := range []struct{ code, message, wantCode, wantMessage string }{{"busy", "later", "busy", "later"},
			{"", "", bus.CodeRejected, "the client refused it without a message"}} {
			r.group.Go(func() { refuse(fields{"code": test.code, "message": test.message}) })
			receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1))
			if !errors.Is(err, bus.ErrRejected) {
				t.Fatal(err)
			}
			if got := receipt.Deliveries[0].Error; got == nil || got.Code != test.wantCode || got.Message != test.wantMessage {
				t.Errorf("error = %+v, want %s %q", got, test.wantCode, test.wantMessage)
			}
		}
	})
}

func TestFirstAckWins(t *testing.T) {
	r := newRig(t, nil)
	c := r.login(SubprotocolJSON, "42")
	unknown := counterOf(r.gateway.metrics.unknownAcks)
	r.group.Go(func() {
		id := c.expect("message")["id"]
		c.say(fields{"type": "ack", "id": uuid.NewString(), "data": 0})
		c.say(fields{"type": "ack", "id": "no such thing", "data": 0})
		c.say(fields{"type": "ack", "id": id, "data": 1})
		c.say(fields{"type": "ack", "id": id, "data": 2})
		c.say(fields{"type": "nack", "id": id})
	})
	receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1))
	if err != nil {
		t.Fatal(err)
	}
	if reply := string(receipt.Deliveries[0].Reply.Raw()); reply != "1" {
		t.Errorf("reply = %s, want that of the first acknowledgement", reply)
	}
	eventually(t, "four unknown acknowledgements counted", func() bool { return counterOf(r.gateway.metrics.unknownAcks)-unknown == 4 })
}

func TestOrder(t *testing.T) {
	const n = 2000
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		r.group.Go(func() {
			for i := range n {
				if _, err := r.publisher.Publish(r.ctx(), bus.User("42"), fmt.Sprint(i), bus.JSON(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range n {
			if f := c.expect("message"); f["event"] != fmt.Sprint(i) {
				t.Fatalf("message %d is %v", i, f)
			}
		}
	})
}

func TestClosedBeforeAck(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		r.group.Go(func() {
			c.expect("message")
			c.conn.Close()
		})
		receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1))
		if !errors.Is(err, bus.ErrClosed) || receipt.Deliveries[0].Written == 0 {
			t.Fatalf("receipt = %v, %v, want closed after the write", receipt, err)
		}
		eventually(t, "the session is gone", func() bool { return len(r.gateway.hub.all()) == 0 })
		if _, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1)); !errors.Is(err, bus.ErrNoReceiver) {
			t.Errorf("after the close: %v", err)
		}
	})
}

func TestLevelWritten(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("", "42")
	receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(1), bus.WithLevel(bus.Written))
	if err != nil || receipt.Outcome != bus.OutcomeWritten {
		t.Fatalf("receipt = %v, %v", receipt, err)
	}
	if f := c.expect("message"); f["ack"] != false {
		t.Errorf("frame = %v: no acknowledgement is awaited", f)
	}
}

func TestBodyThatCannotBeTranslated(t *testing.T) {
	r := newRig(t, nil)
	r.login(SubprotocolJSON, "42")
	receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.Msgpack(fields{"x": nan()}))
	if !errors.Is(err, bus.ErrRejected) || receipt.Deliveries[0].Error.Code != "bad_body" {
		t.Fatalf("receipt = %v, %v", receipt, err)
	}
}

func TestLargeMessageBothWays(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		big := strings.Repeat("x", 900<<10)
		r.answer(c, big, nil)
		receipt, err := r.publisher.Request(r.ctx(), bus.User("42"), "e", bus.JSON(big))
		if err != nil {
			t.Fatal(err)
		}
		var reply string
		if err := receipt.Deliveries[0].Reply.Decode(&reply); err != nil || reply != big {
			t.Errorf("reply of %d bytes, %v", len(reply), err)
		}
	})
}

// The end of an earlier delivery under an ID takes nothing from a later one to the same socket: its acknowledgement counts.
func TestEarlierDeliveryOfTheIDEnds(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("", "42")
	id := bus.WithID(uuid.MustParse(someID))
	ask := func(timeout time.Duration, level bus.Level) (*bus.Receipt, error) {
		ctx, cancel := context.WithTimeout(r.ctx(), timeout)
		defer cancel()
		return r.publisher.Request(ctx, bus.User("42"), "e", bus.JSON(1), id, bus.WithLevel(level))
	}
	first, last := make(chan error, 1), make(chan error, 1)
	r.group.Go(func() {
		_, err := ask(time.Second, bus.Confirmed)
		first <- err
	})
	c.expect("message")
	if _, err := ask(time.Second, bus.Written); err != nil {
		t.Fatal(err)
	}
	c.expect("message")
	r.group.Go(func() {
		_, err := ask(4*time.Second, bus.Confirmed)
		last <- err
	})
	c.expect("message")
	if err := <-first; !errors.Is(err, bus.ErrUnconfirmed) {
		t.Fatalf("the first: %v", err)
	}
	c.say(fields{"type": "ack", "id": someID})
	if err := <-last; err != nil {
		t.Errorf("acknowledged, and %v", err)
	}
}
