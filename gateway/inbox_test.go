package gateway

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"
)

// begin sends a frame of about size bytes up to the last.
func (c *client) begin(subprotocol string, size int) {
	c.tb.Helper()
	var header []byte
	if subprotocol != "" {
		opcode := byte(opText)
		if subprotocol == SubprotocolMsgpack {
			opcode = opBinary
		}
		header = binary.BigEndian.AppendUint64([]byte{0x80 | opcode, 0x80 | 127}, uint64(size+1))
		header = append(header, 0, 0, 0, 0) // the mask
	}
	if _, err := c.conn.Write(append(header, bytes.Repeat([]byte("x"), size)...)); err != nil {
		c.tb.Log(err) // it may be closed already
	}
}

// TestUnfinishedFramesAreBounded has many clients send the most of a frame each: they are closed until the rest fits, and a client
// that sends less is not.
func TestUnfinishedFramesAreBounded(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		const limit = 512 << 10
		r := newRig(t, &Options{NodeReceiveBytes: limit})
		small := r.login(subprotocol, "small")
		small.begin(subprotocol, 40<<10)
		ends := make(chan bool, 8)
		for range cap(ends) {
			c := r.login(subprotocol, "large")
			r.group.Go(func() {
				c.begin(subprotocol, 200<<10)
				f, err := c.next()
				ends <- err == nil && f["type"] == "error" && f["code"] == "overloaded"
			})
		}
		for range cap(ends) - 2 { // two of them may stay
			if !<-ends {
				t.Error("a client was closed without a word")
			}
		}
		eventually(t, "the rest fits", func() bool { return r.gateway.arriving.used.Load() <= limit })
		if _, alive := r.gateway.sessionOf("small"); !alive {
			t.Error("the client that sent little was closed")
		}
		check(t, r.gateway.Close())
		if n := r.gateway.arriving.used.Load(); n != 0 {
			t.Errorf("%d bytes are held for nobody", n)
		}
	})
}

// sessionOf is the open session of a user.
func (g *Gateway) sessionOf(user string) (*session, bool) {
	for _, s := range g.hub.all() {
		if info, open := s.info(); open && info.User == user {
			return s, true
		}
	}
	return nil, false
}

// TestUnfinishedFrame begins a frame, small or large, and falls silent.
func TestUnfinishedFrame(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, &Options{FrameTimeout: 100 * time.Millisecond})
		idle := r.login(subprotocol, "idle")
		for _, size := range []int{10, 100 << 10} {
			c := r.login(subprotocol, "42")
			c.begin(subprotocol, size)
			if last := c.expectClose(1008); subprotocol == "" && last["code"] != "timeout" {
				t.Errorf("last frame = %v", last)
			}
		}
		idle.say(fields{"type": "ping"})
		idle.expect("pong")
	})
}

// TestLargeFrames sends frames of many lengths one after another, in pieces and at once.
func TestLargeFrames(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.login(subprotocol, "42")
		for _, size := range []int{400, 600, 4 << 10, 5000, 20 << 10, 70 << 10, 1<<20 - 400, 10} {
			c.say(fields{"type": "ping", "ref": strings.Repeat("r", 200), "pad": strings.Repeat("x", size)})
			if f := c.expect("pong"); f["ref"] != strings.Repeat("r", 200) {
				t.Errorf("%d bytes: %v", size, f)
			}
		}
		if n := r.gateway.arriving.used.Load(); n != 0 {
			t.Errorf("%d bytes are held for nobody", n)
		}
	})
}

// TestFrameBeforeHello sends more than a hello needs.
func TestFrameBeforeHello(t *testing.T) {
	eachCarrier(t, func(t *testing.T, subprotocol string) {
		r := newRig(t, nil)
		c := r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "user": "42", "pad": strings.Repeat("x", maxHello)})
		if last := c.expectClose(1009); last["code"] != "too_large" || !strings.Contains(last["message"].(string), "65536") {
			t.Errorf("last frame = %v", last)
		}
		c = r.connect(subprotocol, "")
		c.say(fields{"type": "hello", "user": "42", "pad": strings.Repeat("x", maxHello-100)})
		c.expect("welcome")
	})
}

// TestDeclaredLength announces what is too large and sends nothing of it.
func TestDeclaredLength(t *testing.T) {
	r := newRig(t, nil)
	for _, length := range []uint64{1<<20 + 1, 1 << 62, 1 << 63} {
		c := r.login(SubprotocolJSON, "42")
		header := binary.BigEndian.AppendUint64([]byte{0x80 | opText, 0x80 | 127}, length)
		if _, err := c.conn.Write(append(header, 0, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		if last := c.expectClose(1009); last["code"] != "too_large" {
			t.Errorf("%d bytes: last frame = %v", length, last)
		}
	}
}

// TestHalfClosed ends its side of the connection right after what it asks, and reads on.
func TestHalfClosed(t *testing.T) {
	r := newRig(t, nil)
	for _, greeted := range []bool{false, true} {
		c := r.connect("", "")
		if c.say(fields{"type": "hello", "user": "42"}); greeted {
			c.expect("welcome")
		}
		c.say(fields{"type": "send", "ref": 1, "to": "user:nobody", "event": "e", "receipt": true})
		c.say(fields{"type": "ping", "ref": 2})
		check(t, c.conn.(*net.TCPConn).CloseWrite())
		if !greeted {
			c.expect("welcome")
		}
		answers := map[any]bool{}
		for range 2 {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			answers[f["type"]] = true
		}
		if !answers["pong"] || !answers["receipt"] {
			t.Errorf("answers = %v", answers)
		}
		c.expectClose(1000)
	}
	eventually(t, "the sessions end", func() bool { return len(r.gateway.hub.all()) == 0 })
}
