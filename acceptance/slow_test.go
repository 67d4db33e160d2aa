package acceptance

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
)

// memoryLimit is what a node may take under attack, also with the race detector in it, which multiplies memory.
const memoryLimit = 200 << 20

func checkMemory(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		if got := n.metric(t, "process_resident_memory_bytes"); got > memoryLimit {
			t.Errorf("%s has %.0f bytes of memory, %d at most", n.name, got, memoryLimit)
		}
	}
}

// A client that never reads: volatile messages are dropped, others wait or expire, and when too many wait it is closed.
func TestClientThatNeverReads(t *testing.T) {
	c := newCluster(t)
	connect(t, c.gw2, overJSON, "bystander", confirm)
	b := publisher(t, c)
	for i, over := range carriers {
		deaf := dial(t, c.gw2, over, true)
		user := fmt.Sprint("deaf", i)
		if err := deaf.greet(user); err != nil {
			t.Fatal(err)
		}
		fill := func() {
			if _, err := b.Publish(t.Context(), bus.User(user), "fill", bus.JSON(strings.Repeat("x", 100<<10))); err != nil {
				t.Fatal(err)
			}
		}
		request := func(more object) *answer { return c.gw1.ask("user:"+user, more) }
		eventually(t, user+" is not ready", func() bool {
			fill()
			return request(object{"volatile": true, "timeout_ms": 50}).Outcome == "dropped"
		})
		d := request(object{"volatile": true}).wantOne(t, http.StatusGone, "dropped")
		if d.Written != 0 || d.Node != "gw-2" {
			t.Errorf("%s: dropped: %+v", over, d)
		}
		if d = request(object{"timeout_ms": 300}).wantOne(t, http.StatusGone, "expired"); d.Written != 0 {
			t.Errorf("%s: expired: %+v", over, d)
		}
		waiting := asking(t, 1, func(int) *answer { return request(object{"event": "waiting", "timeout_ms": 20000}) })
		eventually(t, user+" is too slow", func() bool {
			fill()
			return len(waiting.answers) > 0
		})
		if d = waiting.next(t).wantOne(t, http.StatusGone, "dropped"); d.Written != 0 {
			t.Errorf("%s: too slow: %+v", over, d)
		}
		expectEnd(t, deaf, 4008, "overloaded")
		bystander := c.gw1.ask("user:bystander", nil)
		if bystander.want(t, http.StatusOK, "confirmed"); bystander.took > patience/20 {
			t.Errorf("the bystander needed %v", bystander.took)
		}
	}
	checkMemory(t, c.gw1, c.gw2)
}

// expectEnd reads to the end, which comes with the code on a WebSocket, and behind an error on TCP.
func expectEnd(t *testing.T, w *wire, closeCode int, errorCode string) {
	t.Helper()
	var last frame
	for {
		f, err := w.next()
		if err == nil {
			last = f
			continue
		}
		if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) {
			if closed.Code != closeCode {
				t.Errorf("closed with %d %s, want %d", closed.Code, closed.Text, closeCode)
			}
		} else if !errors.Is(err, io.EOF) || last.Type != "error" || last.Code != errorCode || last.Message == "" {
			t.Errorf("the connection ended with %v after %+v, want an error %s", err, last, errorCode)
		}
		return
	}
}
