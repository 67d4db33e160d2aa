package client

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func TestAnswers(t *testing.T) {
	s := newScript(t)
	r := runClient(t, Options{URL: s.url(), User: "42", Handle: func(m Message) Answer {
		switch m.ID {
		case "ok":
			return Answer{Data: []byte(`{"got":1}`)}
		case "no":
			return Answer{Kind: Refuse, Code: "c", Message: "m"}
		case "leave":
			return Answer{Kind: Leave}
		}
		return Answer{Kind: Silent}
	}})
	c := s.welcome()
	for _, id := range []string{"silent", "ok", "no"} {
		c.message(id)
	}
	if ack := c.expect("ack", "ok"); string(ack.Data) != `{"got":1}` {
		t.Errorf("got %s", ack.Data)
	}
	if nack := c.expect("nack", "no"); nack.Code != "c" || nack.Message != "m" {
		t.Errorf("got %+v", nack)
	}
	c.message("leave")
	c.ended()
	if err := r.wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

// A message that comes again, also over another connection, is acknowledged again and not handled again.
func TestSameMessageIsHandledOnce(t *testing.T) {
	s := newScript(t)
	var handled atomic.Int64
	runClient(t, Options{URL: s.url(), Handle: func(Message) Answer {
		return Answer{Data: []byte(fmt.Sprint(handled.Add(1)))}
	}})
	for range 2 {
		c := s.welcome()
		for range 2 {
			c.message("a")
			if ack := c.expect("ack", "a"); string(ack.Data) != "1" {
				t.Errorf("got %s", ack.Data)
			}
		}
		_ = c.conn.Close()
	}
	if n := handled.Load(); n != 1 {
		t.Errorf("handled %d times", n)
	}
}

func TestNoAcknowledgementWhereNoneIsAwaited(t *testing.T) {
	s := newScript(t)
	runClient(t, Options{URL: s.url()})
	c := s.welcome()
	c.send(`{"type":"message","id":"a","event":"e","data":1,"to":"all","ack":false}`)
	c.message("b")
	c.expect("ack", "b")
}

// Count counts messages, waits until the delayed acknowledgements are written, and closes so that they arrive.
func TestCount(t *testing.T) {
	s := newScript(t)
	r := runClient(t, Options{URL: s.url(), Count: 2, Delay: 50 * time.Millisecond})
	c := s.welcome()
	began := time.Now()
	for _, id := range []string{"a", "a", "b", "c"} {
		c.message(id)
	}
	c.expect("ack", "a")
	if since := time.Since(began); since < 50*time.Millisecond {
		t.Errorf("acknowledged after %v", since)
	}
	c.expect("ack", "a")
	c.expect("ack", "b")
	c.ended()
	_ = c.conn.Close()
	if err := r.wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestRefused(t *testing.T) {
	s := newScript(t)
	r := runClient(t, Options{URL: s.url(), Token: "t"})
	c := s.accept()
	c.expect("hello", "")
	c.send(`{"type":"error","code":"unauthorized","message":"the token has expired"}`)
	if err := r.wait(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
}

func TestOnce(t *testing.T) {
	s := newScript(t)
	r := runClient(t, Options{URL: s.url(), Once: true})
	_ = s.welcome().conn.Close()
	if err := r.wait(); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// After a drain the client comes back when it was told to.
func TestDrain(t *testing.T) {
	s := newScript(t)
	runClient(t, Options{URL: s.url()})
	c := s.welcome()
	c.send(`{"type":"drain","reconnect_ms":200}`)
	c.message("a") // what is in flight is still acknowledged
	c.expect("ack", "a")
	closed := time.Now()
	_ = c.conn.Close()
	s.welcome()
	if since := time.Since(closed); since < 200*time.Millisecond {
		t.Errorf("it came back after %v", since)
	}
}

// The client pings at the interval that the welcome names, and gives a silent server up.
func TestPing(t *testing.T) {
	s := newScript(t)
	runClient(t, Options{URL: s.url()})
	c := s.accept()
	c.expect("hello", "")
	c.send(`{"type":"welcome","socket":"s","node":"n","groups":[],"ping_ms":20}`)
	c.expect("ping", "")
	c.expect("ping", "")
	s.welcome()
}

func TestContextEndsTheClient(t *testing.T) {
	s := newScript(t)
	r := runClient(t, Options{URL: s.url()})
	c := s.welcome()
	r.group.Stop()
	c.ended()
	_ = c.conn.Close()
	if err := r.wait(); err != nil {
		t.Errorf("got %v", err)
	}
	away := runClient(t, Options{URL: "tcp://127.0.0.1:1"})
	away.group.Stop()
	if err := away.wait(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestBadURLs(t *testing.T) {
	for _, o := range []Options{
		{URL: ""}, {URL: "http://x/ws"}, {URL: "tcp://x"}, {URL: "ws://"}, {URL: "tcp://x:1", Msgpack: true}, {URL: "ws://%"},
	} {
		if err := Run(t.Context(), o); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", o.URL, err)
		}
	}
}

func TestSeenForgetsTheOldest(t *testing.T) {
	s := newSeen()
	for i := range remembered + 2 {
		s.remember(fmt.Sprint(i), Answer{})
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true, fmt.Sprint(remembered + 1): true} {
		if _, found := s.answer(id); found != want {
			t.Errorf("%s: %v", id, found)
		}
	}
	if len(s.answers) != remembered {
		t.Errorf("%d are remembered", len(s.answers))
	}
}

// The pauses grow to their limit, but a server that asks for one gets it, with some jitter.
func TestPauses(t *testing.T) {
	c := &client{}
	for i := range 20 {
		most := min(leastPause<<i, mostPause)
		if d := c.wait(nil); d < most/2 || d > most {
			t.Errorf("pause %d: %v, want %v to %v", i, d, most/2, most)
		}
	}
	if d := c.wait(&session{reconnect: time.Second}); d < time.Second || d > 1500*time.Millisecond {
		t.Errorf("asked for 1s: %v", d)
	}
}

// No frame of a server, however hostile, makes the client panic or take what is no JSON for data.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"type":"message","id":"a","data":[1]}`, `{`, "\x81\xa4type\xa7message", "\xdd\xff\xff\xff\xff", "\x91\x91\x91",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, p []byte, packed bool) {
		format := bus.FormatJSON
		if packed {
			format = bus.FormatMsgpack
		}
		if frame, err := decode(p, format); err == nil && frame.Data != nil {
			if _, err := bus.JSON(frame.Data).AsJSON(); err != nil {
				t.Errorf("%q: data %q: %v", p, frame.Data, err)
			}
		}
	})
}
