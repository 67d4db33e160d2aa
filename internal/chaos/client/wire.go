package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket" //nolint:depguard // a client of the gateway, as a stranger would write one
	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

const (
	dialTimeout  = 3 * time.Second
	writeTimeout = 3 * time.Second
)

// A frame is whatever a node sends; its type says which fields count.
type frame struct {
	Type        string       `json:"type"`
	ID          string       `json:"id"`
	To          string       `json:"to"`
	Data        *history.Key `json:"data"`
	Ack         bool         `json:"ack"`
	Redelivered bool         `json:"redelivered"`
	Socket      string       `json:"socket"`
	Node        string       `json:"node"`
	Code        string       `json:"code"`
	Reconnect   int          `json:"reconnect_ms"`
}

type object map[string]any

// A wire carries frames. One goroutine may read while another writes.
type wire struct {
	conn  net.Conn
	read  func() (frame, error)
	write func(object) error

	interrupted atomic.Bool
}

func dial(ctx context.Context, n Node, over string) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if over == overTCP {
		return dialTCP(ctx, n.TCP)
	}
	return dialWebSocket(ctx, n.WebSocket, over)
}

func dialTCP(ctx context.Context, address string) (*wire, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(conn)
	return &wire{
		conn: conn,
		read: func() (f frame, err error) {
			line, err := lines.ReadBytes('\n')
			if err == nil {
				err = json.Unmarshal(line, &f)
			}
			return f, err
		},
		write: func(o object) error {
			line, err := json.Marshal(o)
			if err != nil {
				return err
			}
			return writeWithin(conn, func() error {
				_, err := conn.Write(append(line, '\n'))
				return err
			})
		},
	}, nil
}

func dialWebSocket(ctx context.Context, address, over string) (*wire, error) {
	dialer := websocket.Dialer{Subprotocols: []string{over}, HandshakeTimeout: dialTimeout}
	ws, response, err := dialer.DialContext(ctx, "ws://"+address+"/ws", nil)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close() // gorilla has read it
	kind, marshal, unmarshal := websocket.TextMessage, json.Marshal, json.Unmarshal
	if over == overMsgpack {
		kind, marshal, unmarshal = websocket.BinaryMessage, msgpack.Marshal, unmarshalMsgpack
	}
	conn := ws.NetConn()
	return &wire{
		conn: conn,
		read: func() (f frame, err error) {
			got, p, err := ws.ReadMessage()
			if err == nil && got != kind {
				err = errors.New("a frame of the other kind")
			}
			if err == nil {
				err = unmarshal(p, &f)
			}
			return f, err
		},
		write: func(o object) error {
			p, err := marshal(o)
			if err != nil {
				return err
			}
			return writeWithin(conn, func() error { return ws.WriteMessage(kind, p) })
		},
	}, nil
}

func writeWithin(conn net.Conn, write func() error) error {
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return write()
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

// greet says hello and returns the welcome.
func (w *wire) greet(user string, groups []string) (frame, error) {
	if err := w.write(object{"type": "hello", "user": user, "groups": groups}); err != nil {
		return frame{}, err
	}
	f, err := w.next()
	if err == nil && f.Type != "welcome" {
		err = fmt.Errorf("%s %s instead of welcome", f.Type, f.Code)
	}
	return f, err
}

// next reads a frame, which must come in time: the node answers each ping.
func (w *wire) next() (frame, error) {
	const patience = 6 * time.Second
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return frame{}, err
	}
	if w.interrupted.Load() {
		w.interrupt() // the deadline above may have undone it
	}
	return w.read()
}

// interrupt makes next fail, now and later.
func (w *wire) interrupt() {
	w.interrupted.Store(true)
	_ = w.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone needs none
}
