package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
)

// The subprotocols, one a codec.
const (
	protocolJSON    = "ackbus.v1.json"
	protocolMsgpack = "ackbus.v1.msgpack"
)

// closeUnauthorized is the code with which a gateway closes on a client that it does not let in.
const closeUnauthorized = 4001

// A socketConn carries one frame a WebSocket message.
type socketConn struct {
	*websocket.Conn
	reading
	format bus.Format
}

func dialWebSocket(ctx context.Context, u *url.URL, o *Options) (conn, error) {
	d := websocket.Dialer{HandshakeTimeout: dialTimeout, Subprotocols: []string{protocolJSON}, Proxy: http.ProxyFromEnvironment}
	format := bus.FormatJSON
	if o.Msgpack {
		d.Subprotocols, format = []string{protocolMsgpack}, bus.FormatMsgpack
	}
	c, response, err := d.DialContext(ctx, u.String(), nil)
	if err != nil {
		return nil, handshakeError(err, response)
	}
	if o.Msgpack && c.Subprotocol() != protocolMsgpack {
		_ = c.Close()
		return nil, fmt.Errorf("%w: %s does not speak %s", ErrRefused, u.Host, protocolMsgpack)
	}
	c.SetReadLimit(maxFrame)
	return &socketConn{Conn: c, reading: reading{conn: c}, format: format}, nil
}

// handshakeError says what a server answered that did not upgrade.
func handshakeError(err error, response *http.Response) error {
	if response == nil {
		return err
	}
	_ = response.Body.Close() // gorilla has read what it shows of it
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest:
		return fmt.Errorf("%w: the server answered %s", ErrRefused, response.Status)
	}
	return fmt.Errorf("client: the server answered %s: %w", response.Status, err)
}

func (c *socketConn) read(interval time.Duration) (frame, error) {
	c.expect(interval)
	_, p, err := c.ReadMessage()
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code == closeUnauthorized {
		return frame{}, fmt.Errorf("%w: unauthorized: %s", ErrRefused, closed.Text)
	}
	if err != nil {
		return frame{}, err
	}
	return decode(p, c.format)
}

func (c *socketConn) write(v any) error {
	p, err := encode(v, c.format)
	if err != nil {
		return err
	}
	kind := websocket.TextMessage
	if c.format == bus.FormatMsgpack {
		kind = websocket.BinaryMessage
	}
	return c.WriteMessage(kind, p)
}

// close, gently, sends a close frame and waits a while for the server's (RFC 6455, section 7.1.1).
func (c *socketConn) close(gently bool) {
	if gently {
		c.sayBye()
	}
	_ = c.Close()
}

func (c *socketConn) sayBye() {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	deadline := time.Now().Add(finishTimeout)
	if c.WriteControl(websocket.CloseMessage, bye, deadline) != nil {
		return
	}
	_ = c.SetReadDeadline(deadline)
	for {
		if _, _, err := c.NextReader(); err != nil {
			return
		}
	}
}
