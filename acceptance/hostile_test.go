package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// An attack is done to a node, and looks at how the node defends itself.
type attack func(t *testing.T, n *node)

var attacks = map[string]attack{
	"tcp garbage":        garbageOnTCP,
	"tcp line":           lineWithoutEnd,
	"tcp no hello":       noHello,
	"msgpack length":     endlessArray,
	"msgpack depth":      deepMsgpack,
	"msgpack megabytes":  megabytesOfMsgpack,
	"http large":         largeBodies,
	"http deep":          deepBodies,
	"websocket breaking": brokenWebSocket,
}

// Hostile bytes get clear errors, cost little memory, and don't touch the requests of others.
func TestHostileBytes(t *testing.T) {
	const attackers = 3 // of each kind at a time
	c := newCluster(t)
	for i, over := range carriers {
		connect(t, c.gw2, over, fmt.Sprint("u", i), confirm)
	}
	stop := make(chan struct{})
	calm := asking(t, 1, func(int) *answer { return bystander(c, stop) })
	group := run.New(t.Context())
	for _, do := range attacks {
		for range attackers {
			group.Go(func() { do(t, c.gw2) })
		}
	}
	group.Stop()
	peak := c.gw2.metric(t, "process_resident_memory_bytes")
	eventually(t, "the attacks are over", func() bool {
		peak = max(peak, c.gw2.metric(t, "process_resident_memory_bytes"))
		select {
		case <-group.Stopped():
			return true
		default:
			return false
		}
	})
	t.Logf("at most %.0f MB of memory", peak/(1<<20))
	if peak > memoryLimit {
		t.Errorf("%.0f bytes of memory, %d at most", peak, memoryLimit)
	}
	close(stop)
	calm.next(t).want(t, http.StatusOK, "confirmed")
}

// bystander asks each of the clients in turn. It returns the last answer, or the first that is not as it should be.
func bystander(c *cluster, stop <-chan struct{}) *answer {
	for i := 0; ; i++ {
		a := c.gw1.ask(fmt.Sprint("user:u", i%3), nil)
		if a.Outcome != "confirmed" {
			return a
		}
		if a.took > 2*time.Second { // two cores, which the attackers share
			a.failed = fmt.Errorf("the bystander needed %v", a.took)
			return a
		}
		select {
		case <-stop:
			return a
		default:
		}
	}
}

// victim is a connection that has said hello, or nil.
func victim(t *testing.T, n *node, over string) *wire {
	w, err := open(t, n, over, false)
	if err == nil {
		err = w.greet("hostile")
	}
	if err != nil {
		t.Errorf("%s: %v", over, err)
		return nil
	}
	return w
}

// refused reads the error that a frame must have brought about.
func refused(t *testing.T, what string, w *wire, code string) {
	if f, err := w.next(); err != nil || f.Type != "error" || f.Code != code || f.Message == "" {
		t.Errorf("%s: got %+v, %v, want an error %s", what, f, err, code)
	}
}

// alive checks that a connection still works.
func alive(t *testing.T, what string, w *wire) {
	if err := w.write(object{"type": "ping", "ref": "r"}); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if f, err := w.next(); err != nil || f.Type != "pong" {
		t.Errorf("%s: got %+v, %v, want a pong", what, f, err)
	}
}

// garbageOnTCP is answered nine times, and ends the connection the tenth time.
func garbageOnTCP(t *testing.T, n *node) {
	w := victim(t, n, overTCP)
	if w == nil {
		return
	}
	lines := []string{"\x00\xff\xfe\x80", "{", `{"type":"ack"}`, `{"type":7}`, `[]`, `{"type":"fly"}`, "null", `"hello"`,
		`{"type":"ack","id":"1","data":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}"}
	for _, line := range lines {
		if err := w.raw([]byte(line)); err != nil {
			t.Errorf("%.20q: %v", line, err)
		}
		refused(t, fmt.Sprintf("%.20q", line), w, "bad_frame")
	}
	alive(t, "after nine bad frames", w)
	if err := w.raw([]byte("}")); err != nil {
		t.Error(err)
	}
	expectEnd(t, w, 4009, "bad_frame")
}

// lineWithoutEnd ends as soon as it is over the limit, whatever is still to come.
func lineWithoutEnd(t *testing.T, n *node) {
	w := victim(t, n, overTCP)
	if w == nil {
		return
	}
	block := bytes.Repeat([]byte("x"), 1<<20)
	var sent sync.WaitGroup
	sent.Go(func() {
		for range 32 {
			if _, err := w.conn.Write(block); err != nil {
				return
			}
		}
	})
	if f, err := w.next(); err == nil && (f.Type != "error" || f.Code != "too_large") {
		t.Errorf("a line without an end: got %+v", f)
	} else if err != nil {
		t.Errorf("a line without an end: no error frame, but %v", err)
	}
	w.conn.Close()
	sent.Wait()
}

func noHello(t *testing.T, n *node) {
	w, err := open(t, n, overTCP, false)
	if err != nil {
		t.Error(err)
		return
	}
	if err := w.raw([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r")); err != nil {
		t.Error(err)
	}
	expectEnd(t, w, 0, "bad_frame")
}

// endlessArray announces four billion elements in five bytes.
func endlessArray(t *testing.T, n *node) {
	w := victim(t, n, overMsgpack)
	if w == nil {
		return
	}
	for _, p := range []string{"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff",
		"\x82\xa4type\xa3ack\xa2id\xdd\xff\xff\xff\xff"} {
		if err := w.raw([]byte(p)); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		refused(t, fmt.Sprintf("%q", p), w, "bad_frame")
	}
	alive(t, "after announced lengths", w)
}

// deepMsgpack nests as deep as one frame allows.
func deepMsgpack(t *testing.T, n *node) {
	w := victim(t, n, overMsgpack)
	if w == nil {
		return
	}
	deep := bytes.Repeat([]byte{0x91}, 1<<20-64)
	for _, p := range [][]byte{deep, append([]byte("\x83\xa4type\xa3ack\xa2id\xa11\xa4data"), deep...)} {
		if err := w.raw(p); err != nil {
			t.Error(err)
		}
		refused(t, "deep msgpack", w, "bad_frame")
	}
	alive(t, "after deep msgpack", w)
}

func megabytesOfMsgpack(t *testing.T, n *node) {
	w := victim(t, n, overMsgpack)
	if w == nil {
		return
	}
	var sent sync.WaitGroup
	sent.Go(func() { _ = w.raw(bytes.Repeat([]byte{0x91}, 4<<20)) }) // refused before all of it is sent
	expectEnd(t, w, 1009, "too_large")
	w.conn.Close()
	sent.Wait()
}

// brokenWebSocket breaks the framing itself: an unmasked frame from a client (RFC 6455, section 5.1).
func brokenWebSocket(t *testing.T, n *node) {
	w := victim(t, n, overJSON)
	if w == nil {
		return
	}
	if _, err := w.conn.Write([]byte{0x81, 0x02, '{', '}'}); err != nil {
		t.Error(err)
	}
	expectEnd(t, w, 1002, "")
}

// An endless body gives the same byte as long as it is asked, up to a limit that no answer should let it reach.
func endless(b byte, most int64) io.Reader { return io.LimitReader(same(b), most) }

type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

func largeBodies(t *testing.T, n *node) {
	const size = 256 << 20
	start := `{"to":"user:u0","event":"hostile","data":"`
	announced := endless('x', size)
	unannounced := io.MultiReader(strings.NewReader(start), endless('x', size)) // chunked
	fitting := strings.NewReader(start + strings.Repeat("x", 1<<20) + `"}`)     // a body that may be read, with data that may not be sent
	for what, body := range map[string]io.Reader{"announced": announced, "chunked": unannounced, "fitting": fitting} {
		request, err := http.NewRequest(http.MethodPost, n.http+"/v1/request", body)
		if err != nil {
			t.Error(err)
			return
		}
		if what == "announced" {
			request.ContentLength = size
		}
		status, text, err := roundTrip(n, request)
		if err != nil || status != http.StatusRequestEntityTooLarge || !strings.Contains(text, `"too_large"`) {
			t.Errorf("a large body, %s: %d %s %v", what, status, text, err)
		}
	}
}

func roundTrip(n *node, request *http.Request) (status int, text string, err error) {
	res, err := n.caller.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	return res.StatusCode, string(p), err
}

func deepBodies(t *testing.T, n *node) {
	deep := 1 << 19
	for what, data := range map[string]string{
		"closed": strings.Repeat("[", deep) + strings.Repeat("]", deep),
		"open":   strings.Repeat(`{"a":`, deep/3),
		"modest": strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		a := n.post(n.asking, strings.NewReader(`{"to":"user:u0","event":"hostile","data":`+data+`}`))
		if a.failed != nil || a.status != http.StatusBadRequest || a.Error.Code != "bad_request" {
			t.Errorf("deep JSON, %s: %.300s", what, a)
		}
	}
}
