package gateway

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/ackbus/ackbus/internal/run"
)

// wholeFrame is a frame as it goes over the wire.
func wholeFrame(subprotocol, text string) []byte {
	if subprotocol == "" {
		return []byte(text + "\n")
	}
	header := binary.BigEndian.AppendUint64([]byte{0x80 | opText, 0x80 | 127}, uint64(len(text)))
	return append(append(header, 0, 0, 0, 0), text...) // the mask is zero
}

// TestFloodOfLargeFrames has clients send complete frames of nearly the size that is allowed, one behind the other: what they are put
// together in is used again.
func TestFloodOfLargeFrames(t *testing.T) {
	const clients, each, size = 4, 16, 1<<20 - 100
	for _, subprotocol := range []string{"", SubprotocolJSON} {
		r := newRig(t, nil)
		frame := wholeFrame(subprotocol, `{"type":"ping","pad":"`+string(bytes.Repeat([]byte("x"), size))+`"}`)
		flood := func() {
			done := make(chan struct{}, clients)
			for range clients {
				c := r.login(subprotocol, "42")
				r.group.Go(func() {
					defer func() { done <- struct{}{} }()
					for range each {
						if _, err := c.conn.Write(frame); err != nil {
							t.Error(err)
							return
						}
						c.expect("pong")
					}
				})
			}
			for range clients {
				<-done
			}
		}
		if n := allocated(flood); n > clients*each*size/2 {
			t.Errorf("%q: %d frames of 1 MiB had %d bytes allocated", subprotocol, clients*each, n)
		}
		if n := r.gateway.arriving.used.Load(); n != 0 {
			t.Errorf("%q: %d bytes are held for nobody", subprotocol, n)
		}
	}
}

// TestDesksAreFew has more frames put together at once than there are desks: the others wait for one.
func TestDesksAreFew(t *testing.T) {
	d := newDesks()
	var taken [][]byte
	for range runtime.GOMAXPROCS(0) {
		taken = append(taken, d.borrow(10))
	}
	if len(d) != 0 {
		t.Fatalf("%d desks more than processors", len(d))
	}
	got := make(chan []byte, 1)
	group := run.New(t.Context())
	group.Go(func() { got <- d.borrow(5) })
	defer group.Wait()
	defer group.Stop()
	d.give(append(taken[0], "what was"...))
	if p := <-got; len(p) != 0 || cap(p) < 10 {
		t.Errorf("a desk of %d bytes with room for %d", len(p), cap(p))
	}
	d.give(make([]byte, deskKept+1))
	if p := d.borrow(1); cap(p) > deskKept {
		t.Errorf("a desk of %d bytes is kept", cap(p))
	}
}
