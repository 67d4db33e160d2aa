package gateway

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// shortBeat is a heartbeat that a test can wait for.
const shortBeat = 30 * time.Millisecond

// A client on a machine that stands still for two heartbeats is silent too, so a client that was closed may try again.
func TestClientThatAnswersPings(t *testing.T) {
	const beat, tries = 100 * time.Millisecond, 3
	for range tries {
		if r := newRig(t, &Options{PingInterval: beat}); r.staysFor(6) { // twice what a silent client gets
			return
		}
	}
	t.Errorf("of %d clients that answer each was closed", tries)
}

// staysFor connects a client that answers pings, and reports whether it got as many before it was closed.
func (r *rig) staysFor(pings int) bool {
	r.tb.Helper()
	c := r.connect(SubprotocolJSON, "user=42")
	if f := c.expect("welcome"); f["ping_ms"] != float64(r.gateway.pingMillis()) {
		r.tb.Errorf("welcome = %v", f)
	}
	got, answer := 0, c.ws.PingHandler()
	enough := errors.New("enough")
	c.ws.SetPingHandler(func(data string) error {
		if got++; got == pings {
			return enough
		}
		return answer(data)
	})
	_, err := c.next()
	return errors.Is(err, enough)
}

func TestClientThatIsSilent(t *testing.T) {
	r := newRig(t, &Options{PingInterval: shortBeat})
	start := time.Now() // before the first heartbeat could be due
	r.connect(SubprotocolMsgpack, "user=42").expect("welcome")
	eventually(t, "it is closed", func() bool { return len(r.gateway.hub.all()) == 0 })
	if took := time.Since(start); took < 2*shortBeat {
		t.Errorf("closed after %v, before two heartbeats were missed", took)
	}
	if n := counterOf(r.gateway.metrics.disconnects.WithLabelValues("1006")); n != 1 {
		t.Errorf("%v closed without a goodbye", n)
	}
}

// TestSilentTCPClientStays: it has nothing to say, and its kernel answers for it.
func TestSilentTCPClientStays(t *testing.T) {
	r := newRig(t, &Options{PingInterval: shortBeat})
	r.login("", "42")
	websockets := r.connect(SubprotocolJSON, "user=1") // does not read on, so it is closed
	websockets.expect("welcome")
	eventually(t, "the silent WebSocket is closed", func() bool { return len(r.gateway.hub.all()) == 1 })
	if s := r.only(); s.who.User != "42" || s.ended() {
		t.Error("the silent TCP client was closed")
	}
}

func TestPingFromClient(t *testing.T) {
	r := newRig(t, nil)
	c := r.connect(SubprotocolJSON, "user=42")
	c.expect("welcome")
	pong := make(chan string, 1)
	c.ws.SetPongHandler(func(data string) error { pong <- data; return nil })
	r.answer(c, nil, nil)
	check(t, c.ws.WriteControl(websocket.PingMessage, []byte("payload"), time.Now().Add(patience)))
	if got := receive(t, "the pong", pong); got != "payload" {
		t.Errorf("pong = %q", got)
	}
}

func TestCloseFromClient(t *testing.T) {
	r := newRig(t, nil)
	c := r.connect(SubprotocolJSON, "user=42")
	c.expect("welcome")
	check(t, c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Now().Add(patience)))
	c.expectClose(1000)
	eventually(t, "the session is gone", func() bool { return len(r.gateway.hub.all()) == 0 })
	if n := counterOf(r.gateway.metrics.disconnects.WithLabelValues("1000")); n != 1 {
		t.Errorf("%v closed as the client said", n)
	}
}
