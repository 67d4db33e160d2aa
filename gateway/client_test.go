package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vmihailenco/msgpack/v5"
)

type fields = map[string]any

// A client speaks frames over one of the carriers.
type client struct {
	tb      testing.TB
	conn    net.Conn
	mu      sync.Mutex // gorilla allows one writer at a time
	write   func(f fields) error
	raw     func() ([]byte, error) // the next frame as it came
	receive func() (fields, error)
	ws      *websocket.Conn // nil on TCP
}

// carriers are the ways to connect, as subprotocol; empty is TCP.
var carriers = []string{SubprotocolJSON, SubprotocolMsgpack, ""}

func carrierName(subprotocol string) string {
	if subprotocol == "" {
		return "tcp"
	}
	return subprotocol
}

// dialer gives tight clients a small receive buffer, before the handshake announces a larger one.
func (r *rig) dialer() *net.Dialer {
	d := new(net.Dialer)
	if r.tight {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			var setErr error
			err := c.Control(func(fd uintptr) {
				setErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
			})
			return errors.Join(err, setErr)
		}
	}
	return d
}

// connect opens a connection without saying hello. The query is that of a WebSocket's URL.
func (r *rig) connect(subprotocol, query string) *client {
	r.tb.Helper()
	if subprotocol == "" {
		return r.connectTCP()
	}
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}, NetDialContext: r.dialer().DialContext}
	ws, response, err := dialer.Dial(r.url+"/ws?"+query, nil)
	if err != nil {
		r.tb.Fatal(err)
	}
	check(r.tb, response.Body.Close())
	r.tb.Cleanup(func() { ws.Close() })
	c := &client{tb: r.tb, conn: ws.NetConn(), ws: ws}
	kind, marshal, unmarshal := websocket.TextMessage, json.Marshal, json.Unmarshal
	if subprotocol == SubprotocolMsgpack {
		kind, marshal, unmarshal = websocket.BinaryMessage, msgpack.Marshal, msgpack.Unmarshal
	}
	c.write = func(f fields) error {
		p, err := marshal(f)
		return errors.Join(err, ws.WriteMessage(kind, p))
	}
	c.raw = func() ([]byte, error) {
		got, p, err := ws.ReadMessage()
		if err == nil && got != kind {
			err = fmt.Errorf("a message of kind %d, want %d", got, kind)
		}
		return p, err
	}
	c.receive = c.decodeWith(unmarshal)
	return c
}

func (r *rig) connectTCP() *client {
	r.tb.Helper()
	conn, err := r.dialer().Dial("tcp", r.tcp)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.tb.Cleanup(func() { conn.Close() })
	lines := bufio.NewReader(conn)
	c := &client{tb: r.tb, conn: conn, raw: func() ([]byte, error) { return lines.ReadBytes('\n') }}
	c.write = func(f fields) error {
		p, err := json.Marshal(f)
		_, writeErr := conn.Write(append(p, '\n'))
		return errors.Join(err, writeErr)
	}
	c.receive = c.decodeWith(json.Unmarshal)
	return c
}

func (c *client) decodeWith(unmarshal func(p []byte, v any) error) func() (fields, error) {
	return func() (fields, error) {
		p, err := c.raw()
		if err != nil {
			return nil, err
		}
		var f fields
		err = unmarshal(p, &f)
		return f, err
	}
}

// login connects and is welcomed.
func (r *rig) login(subprotocol, user string, groups ...string) *client {
	r.tb.Helper()
	c := r.connect(subprotocol, "")
	c.say(fields{"type": "hello", "user": user, "groups": groups})
	c.expect("welcome")
	return c
}

func (c *client) send(f fields) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(f)
}

func (c *client) say(f fields) {
	c.tb.Helper()
	if err := c.send(f); err != nil {
		c.tb.Fatalf("sending %v: %v", f, err)
	}
}

// next is the next frame from the gateway.
func (c *client) next() (fields, error) {
	check(c.tb, c.conn.SetReadDeadline(time.Now().Add(patience)))
	return c.receive()
}

// expect is the next frame, which must be of the type.
func (c *client) expect(kind string) fields {
	c.tb.Helper()
	f, err := c.next()
	if err != nil {
		c.tb.Fatalf("waiting for %s: %v", kind, err)
	}
	if f["type"] != kind {
		c.tb.Fatalf("got %v, want a frame of type %s", f, kind)
	}
	return f
}

// unreadable is what no message may be: empty, of more than one line, or about packages.
var unreadable = regexp.MustCompile(`^$|[\r\n]|\b(bus|gateway|relay): `)

// expectError is the next frame, which must be an error with the code.
func (c *client) expectError(code string) fields {
	c.tb.Helper()
	f := c.expect("error")
	text, _ := f["message"].(string)
	if f["code"] != code || unreadable.MatchString(text) {
		c.tb.Fatalf("got %v, want an error with code %s and a message for a client", f, code)
	}
	return f
}

// expectClose reads to the end, which must come with the code on a WebSocket. It returns the last frame before it.
func (c *client) expectClose(code int) fields {
	c.tb.Helper()
	var last fields
	for {
		f, err := c.next()
		if err == nil {
			last = f
			continue
		}
		var closed *websocket.CloseError
		switch {
		case c.ws == nil && errors.Is(err, io.EOF):
		case c.ws != nil && errors.As(err, &closed) && closed.Code == code:
		default:
			c.tb.Fatalf("the connection ended with %v, want code %d", err, code)
		}
		return last
	}
}

// answer acknowledges every message until the connection ends, and hands other frames and messages over.
func (r *rig) answer(c *client, reply any, seen func(f fields)) {
	check(r.tb, c.conn.SetReadDeadline(time.Time{}))
	r.group.Go(func() {
		for {
			f, err := c.receive()
			if err != nil {
				return
			}
			if seen != nil {
				seen(f)
			}
			if f["type"] == "message" && f["ack"] == true {
				if c.send(fields{"type": "ack", "id": f["id"], "data": reply}) != nil {
					return
				}
			}
		}
	})
}

// upgrade tries to open a WebSocket and closes it. It returns the status and the header of the answer.
func (r *rig) upgrade(header http.Header, query string) (status int, answer http.Header) {
	r.tb.Helper()
	ws, response, err := websocket.DefaultDialer.Dial(r.url+"/?"+query, header)
	if err == nil {
		ws.Close()
	}
	if response == nil {
		r.tb.Fatal(err)
	}
	check(r.tb, response.Body.Close())
	return response.StatusCode, response.Header
}
