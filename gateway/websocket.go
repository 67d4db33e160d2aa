package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
)

// The subprotocols. A client that names none speaks JSON.
const (
	SubprotocolJSON    = "ackbus.v1.json"
	SubprotocolMsgpack = "ackbus.v1.msgpack"
)

// Opcodes of WebSocket frames (RFC 6455, section 11.8).
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// readBuffer is what a connection keeps for reading. Larger frames borrow a buffer while they are read.
const readBuffer = 512

// errTooLarge and errNotText are errors of a carrier that can go on reading.
var (
	errTooLarge = errors.New("frame too large")
	errNotText  = errors.New("text messages carry JSON frames, binary messages msgpack: this was the other kind")
)

func (g *Gateway) newUpgrader() websocket.Upgrader {
	return websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  1, // the session writes its frames itself
		WriteBufferPool:  new(sync.Pool),
		Subprotocols:     []string{SubprotocolJSON, SubprotocolMsgpack},
		CheckOrigin:      func(r *http.Request) bool { return originAllowed(r, g.opts.AllowedOrigins) },
	}
}

// ServeHTTP upgrades the request to a WebSocket, whatever its path. It returns as soon as the session has begun: the session
// lives in a goroutine of the gateway's own. Refused are requests that are no upgrade (426), of foreign origins (403), from an
// address that connects too often (429), and all while the gateway drains, is full, or can't reach Redis (503).
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket endpoint", http.StatusUpgradeRequired)
		return
	}
	refusal := g.refusal()
	if refusal == "" && !g.hub.reserve(g.opts.MaxConnections) {
		refusal = "the node has all the connections that it takes"
	}
	if refusal != "" {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(g.opts.ReconnectDelay.Seconds()))))
		http.Error(w, refusal, http.StatusServiceUnavailable)
		return
	}
	if !g.handshakes.allow(r.RemoteAddr, time.Now()) {
		g.hub.cancel()
		http.Error(w, "too many connections from this address", http.StatusTooManyRequests)
		return
	}
	ws, err := g.upgrader.Upgrade(w, r, nil)
	if err != nil {
		g.hub.cancel() // the upgrader has answered
		return
	}
	var carried *Credentials
	if c, ok := upgradeCredentials(r, g.opts.Authenticate != nil); ok {
		carried = &c
	}
	g.begin(g.newWebSocket(ws), carried)
}

// begin starts a session whose place in the hub is reserved.
func (g *Gateway) begin(s *session, carried *Credentials) {
	g.hub.add(s)
	if g.draining.Load() { // it may have begun just before the session was added
		s.shut(endClosed)
	}
	if !g.group.Go(func() { s.run(carried) }) {
		s.finish(errClosed)
	}
}

// A webSocket is the carrier over gorilla's reader. The session writes whole frames to the connection itself, many at
// once; gorilla's own writes are the close frames that answer the peer's and protocol errors.
type webSocket struct {
	ws     *websocket.Conn
	opcode int
	limit  int
	buffer *[]byte // borrowed for the present frame
}

func (g *Gateway) newWebSocket(ws *websocket.Conn) *session {
	format, opcode := bus.FormatJSON, websocket.TextMessage
	if ws.Subprotocol() == SubprotocolMsgpack {
		format, opcode = bus.FormatMsgpack, websocket.BinaryMessage
	}
	s := g.newSession(ws.NetConn(), bus.CarrierWebSocket, format)
	s.carrier = &webSocket{ws: ws, opcode: opcode, limit: g.opts.MaxFrame}
	ws.SetPingHandler(s.answerPing)
	ws.SetPongHandler(s.hear)
	echo := ws.CloseHandler()
	ws.SetCloseHandler(func(code int, text string) error {
		if s.ended() {
			return nil // this is the answer to ours
		}
		return echo(code, text)
	})
	return s
}

// answerPing answers through the queue: gorilla's own answer would change the deadline of a write under way.
func (s *session) answerPing(payload string) error {
	s.heard.Store(s.gw.tick.Load())
	s.sayFrame(controlFrame(opPong, []byte(payload)))
	return nil
}

func (s *session) hear(string) error {
	s.heard.Store(s.gw.tick.Load())
	return nil
}

func (w *webSocket) next() ([]byte, error) {
	giveBuffer(w.buffer)
	w.buffer = nil
	kind, r, err := w.ws.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != w.opcode {
		return nil, errNotText
	}
	w.buffer = borrowBuffer()
	p := *w.buffer
	for {
		if len(p) == cap(p) {
			p = append(p, 0)[:len(p)]
		}
		n, err := r.Read(p[len(p):cap(p)])
		p = p[:len(p)+n]
		*w.buffer = p
		switch {
		case len(p) > w.limit:
			return nil, fmt.Errorf("%w: at most %d bytes are allowed", errTooLarge, w.limit)
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return nil, err
		}
	}
}

func (w *webSocket) frame(sealed []byte) []byte { return asWebSocket(sealed) }

func (w *webSocket) farewell(e ending) []byte {
	text := clipTo(e.text, 120)
	p := binary.BigEndian.AppendUint16(nil, uint16(e.code))
	return controlFrame(opClose, append(p, text...))
}

func (w *webSocket) codeOf(err error) int {
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		return e.Code
	}
	return websocket.CloseAbnormalClosure
}

// controlFrame is a frame of at most 125 bytes of payload.
func controlFrame(opcode byte, payload []byte) []byte {
	f := make([]byte, 2, 2+len(payload))
	putHeader(f, opcode, len(payload))
	return append(f, payload...)
}
