package acceptance

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/internal/run"
)

// The three carriers.
const (
	overJSON    = "ackbus.v1.json"
	overMsgpack = "ackbus.v1.msgpack"
	overTCP     = "tcp"
)

var carriers = []string{overJSON, overMsgpack, overTCP}

// carrierOf is what a receipt calls the carrier.
func carrierOf(over string) string {
	if over == overTCP {
		return overTCP
	}
	return "websocket"
}

// A frame is whatever a node sends; its type says which fields count.
type frame struct {
	Type        string  `json:"type"`
	Ref         any     `json:"ref"`
	ID          string  `json:"id"`
	Event       string  `json:"event"`
	Data        any     `json:"data"`
	Ack         bool    `json:"ack"`
	Redelivered bool    `json:"redelivered"`
	Code        string  `json:"code"`
	Message     string  `json:"message"`
	Error       problem `json:"error"` // of a reply
	Node        string  `json:"node"`
}

// A wire carries frames. One goroutine may read while another writes.
type wire struct {
	conn    net.Conn
	read    func() (frame, error)
	write   func(object) error
	raw     func(p []byte) error // one frame's bytes, whatever they are
	closing func() error         // as a client should
}

// dial opens a connection; a tight one holds little that the client has not read.
func dial(t *testing.T, n *node, over string, tight bool) *wire {
	t.Helper()
	w, err := open(t, n, over, tight)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// open is dial for any goroutine.
func open(t *testing.T, n *node, over string, tight bool) (w *wire, err error) {
	d := net.Dialer{Timeout: patience}
	if tight {
		d.Control = smallBuffer
	}
	if over == overTCP {
		w, err = dialTCP(&d, n.tcp)
	} else {
		w, err = dialWebSocket(&d, n.ws, over)
	}
	if err == nil {
		t.Cleanup(func() { w.conn.Close() })
	}
	return w, err
}

func smallBuffer(_, _ string, c syscall.RawConn) error {
	var setErr error
	err := c.Control(func(fd uintptr) {
		setErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
	})
	return errors.Join(err, setErr)
}

func dialTCP(d *net.Dialer, address string) (*wire, error) {
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(conn)
	w := &wire{conn: conn, closing: conn.Close}
	w.raw = func(p []byte) error {
		_, err := conn.Write(append(p, '\n'))
		return err
	}
	w.write = func(o object) error {
		p, err := json.Marshal(o)
		return errors.Join(err, w.raw(p))
	}
	w.read = func() (f frame, err error) {
		p, err := lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(p, &f)
		}
		return f, err
	}
	return w, nil
}

func dialWebSocket(d *net.Dialer, url, over string) (*wire, error) {
	dialer := websocket.Dialer{Subprotocols: []string{over}, NetDialContext: d.DialContext, HandshakeTimeout: patience}
	ws, response, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	kind, marshal, unmarshal := websocket.TextMessage, json.Marshal, json.Unmarshal
	if over == overMsgpack {
		kind, marshal, unmarshal = websocket.BinaryMessage, msgpack.Marshal, unmarshalMsgpack
	}
	w := &wire{conn: ws.NetConn()}
	w.raw = func(p []byte) error { return ws.WriteMessage(kind, p) }
	w.write = func(o object) error {
		p, err := marshal(o)
		return errors.Join(err, w.raw(p))
	}
	w.read = func() (f frame, err error) {
		got, p, err := ws.ReadMessage()
		if err == nil && got != kind {
			err = errors.New("a frame of the other kind")
		}
		if err == nil {
			err = unmarshal(p, &f)
		}
		return f, err
	}
	w.closing = func() error {
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		return errors.Join(ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(patience)), ws.Close())
	}
	return w, nil
}

// unmarshalMsgpack decodes into fields by their JSON names.
func unmarshalMsgpack(p []byte, v any) error {
	var fields object
	if err := msgpack.Unmarshal(p, &fields); err != nil {
		return err
	}
	p, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(p, v)
}

// greet says hello and awaits the welcome.
func (w *wire) greet(user string, groups ...string) error {
	if groups == nil {
		groups = []string{}
	}
	if err := w.write(object{"type": "hello", "user": user, "groups": groups}); err != nil {
		return err
	}
	f, err := w.next()
	if err == nil && f.Type != "welcome" {
		err = errors.New(f.Type + " " + f.Code + " " + f.Message + " instead of welcome")
	}
	return err
}

// next reads one frame, which must come.
func (w *wire) next() (frame, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return frame{}, err
	}
	return w.read()
}

// A reaction is what a client does about a message: the frame to answer with, or nil for silence.
type reaction func(f frame) object

func confirm(f frame) object { return object{"type": "ack", "id": f.ID, "data": object{"got": f.Data}} }
func silent(frame) object    { return nil }
func refuse(f frame) object {
	return object{"type": "nack", "id": f.ID, "code": "broke", "message": "no money"}
}

// A client is a connected user that remembers what it saw.
type client struct {
	user  string
	wire  *wire
	ended chan struct{} // closed with the connection

	mu    sync.Mutex // guards all below, and writing
	seen  []frame    // messages, in order
	react reaction
}

// connect returns a client that reacts to each message; it is welcome already.
func connect(t *testing.T, n *node, over, user string, react reaction, groups ...string) *client {
	t.Helper()
	c := &client{user: user, wire: dial(t, n, over, false), ended: make(chan struct{}), react: react}
	if err := c.wire.greet(user, groups...); err != nil {
		t.Fatalf("%s at %s: %v", user, n.name, err)
	}
	if err := c.wire.conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	life := run.New(t.Context())
	life.Go(c.listen)
	life.Stop()
	t.Cleanup(func() {
		c.wire.conn.Close()
		life.Wait()
	})
	return c
}

func (c *client) listen() {
	defer close(c.ended)
	for {
		f, err := c.wire.read()
		if err != nil {
			return
		}
		if f.Type == "message" && !c.take(f) {
			return
		}
	}
}

func (c *client) take(f frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, f)
	if reply := c.react(f); reply != nil && f.Ack {
		return c.wire.write(reply) == nil
	}
	return true
}

// now reacts to later messages in another way.
func (c *client) now(react reaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.react = react
}

// say writes a frame, such as the acknowledgement of a message that the client was silent about.
func (c *client) say(t *testing.T, o object) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.wire.write(o); err != nil {
		t.Fatal(err)
	}
}

// messages are those that the client saw of an event.
func (c *client) messages(event string) []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var of []frame
	for _, f := range c.seen {
		if f.Event == event {
			of = append(of, f)
		}
	}
	return of
}

// leave closes the connection as a client should.
func (c *client) leave(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	err := c.wire.closing()
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	<-c.ended
}
