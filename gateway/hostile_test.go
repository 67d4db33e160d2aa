package gateway

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/gorilla/websocket"
)

// allocated is how many bytes f made the process allocate.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLineWithoutEnd sends far more than a line may have and no newline: it must cost no more memory than one line.
func TestLineWithoutEnd(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("", "42")
	block := bytes.Repeat([]byte("x"), 1<<20)
	if n := allocated(func() {
		r.group.Go(func() {
			for range 64 {
				if _, err := c.conn.Write(block); err != nil {
					return
				}
			}
		})
		if last := c.expectClose(1009); last["code"] != "too_large" {
			t.Errorf("last frame = %v", last)
		}
	}); n > 16<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

// TestHostileBytes sends each kind of garbage on a connection of its own; a client beside them is not affected.
func TestHostileBytes(t *testing.T) {
	r := newRig(t, nil)
	bystander := r.login(SubprotocolMsgpack, "42")
	deep := bytes.Repeat([]byte{0x91}, 1<<20-1)
	deepData := append([]byte("\x83\xa4type\xa3ack\xa2id\xa1x\xa4data"), deep[:1000]...)
	for _, p := range [][]byte{{0xdd, 0xff, 0xff, 0xff, 0xff}, deep, deepData, {}} {
		c := r.login(SubprotocolMsgpack, "1")
		if n := allocated(func() {
			check(t, c.ws.WriteMessage(websocket.BinaryMessage, p))
			c.expectError("bad_frame")
		}); n > 16<<20 {
			t.Errorf("%d bytes of garbage made %d be allocated", len(p), n)
		}
		c.say(fields{"type": "ping"})
		c.expect("pong")
	}
	json := bytes.Repeat([]byte("["), 1<<20-1)
	c := r.login("", "2")
	if _, err := c.conn.Write(append(json, '\n')); err != nil {
		t.Fatal(err)
	}
	c.expectError("bad_frame")
	bystander.say(fields{"type": "ping"})
	bystander.expect("pong")
}

// TestBrokenWebSocket breaks the framing itself: an unmasked frame from a client (RFC 6455, section 5.1).
func TestBrokenWebSocket(t *testing.T) {
	r := newRig(t, nil)
	c := r.connect(SubprotocolJSON, "user=42")
	c.expect("welcome")
	if _, err := c.conn.Write([]byte{0x81, 0x02, '{', '}'}); err != nil {
		t.Fatal(err)
	}
	c.expectClose(1002)
}
