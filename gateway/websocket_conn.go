package gateway

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gorilla/websocket"
)

// A webSocketConn is the connection as gorilla sees it.
type webSocketConn struct {
	net.Conn

	in     *inbox // nil until the session is made
	tick   *atomic.Int64
	echoes bool // a close frame is the answer to the peer's
}

// Read notes that the rest of a message is waited for.
func (c *webSocketConn) Read(p []byte) (int, error) {
	if c.in != nil && c.in.begun() {
		c.in.await(c.tick.Load())
	}
	return c.Conn.Read(p)
}

// Write keeps back gorilla's own close frame for a message that is too large: the session closes, and says before what was wrong.
func (c *webSocketConn) Write(p []byte) (int, error) {
	if !c.echoes && len(p) >= 4 && p[0] == 0x80|opClose && binary.BigEndian.Uint16(p[2:]) == websocket.CloseMessageTooBig {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// A hijacker has gorilla take a webSocketConn over.
type hijacker struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &webSocketConn{Conn: conn}, buffered, nil
}
