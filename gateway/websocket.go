package gateway

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
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

// errNotText is of a message that is skipped.
var errNotText = errors.New("text messages carry JSON frames, binary messages msgpack: this was the other kind")

func (g *Gateway) newUpgrader() websocket.Upgrader {
	return websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  1, // the session writes its frames itself
		WriteBufferPool:  new(sync.Pool),
		Subprotocols:     []string{SubprotocolJSON, SubprotocolMsgpack},
		CheckOrigin:      func(*http.Request) bool { return true }, // ServeHTTP has seen to it
		Error:            upgradeFailed,
	}
}

// ServeHTTP upgrades the request to a WebSocket, whatever its path. It returns as soon as the session has begun: the session
// lives in a goroutine of the gateway's own. Where many connect at a time, it waits for its turn. Refused are requests that are no
// upgrade (426), have a garbled query (400), are of foreign origins (403), or from an address that connects too often (429), and all
// while the gateway drains, is full, can't reach Redis, or has too many waiting (503).
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		refuseUpgrade(w, http.StatusUpgradeRequired, codeBadRequest, "this is a WebSocket endpoint: want an upgrade")
		return
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // part of it would not count, without a word
		refuseUpgrade(w, http.StatusBadRequest, codeBadRequest, "the query can't be read: "+plain.Text(err))
		return
	}
	refusal, code := g.refusal(), codeUnavailable
	if refusal == "" && !g.hub.reserve(g.opts.MaxConnections) {
		refusal, code = "the node has all the connections that it takes", codeOverloaded
	}
	if refusal != "" {
		g.unavailable(w, g.reconnectSeconds(), code, refusal)
		return
	}
	if !g.handshakes.allow(r.RemoteAddr, time.Now()) {
		g.hub.cancel()
		w.Header().Set("Retry-After", "1")
		refuseUpgrade(w, http.StatusTooManyRequests, codeRateLimited, "too many connections from this address")
		return
	}
	if !originAllowed(r, g.opts.AllowedOrigins) { // before it takes the turn of somebody
		g.hub.cancel()
		refuseUpgrade(w, http.StatusForbidden, codeForbidden, "the origin of this page is not allowed")
		return
	}
	if !g.admit(w, r) {
		g.hub.cancel()
		return
	}
	g.upgrade(w, r)
}

// upgrade makes the session of a request whose place in the hub is reserved.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request) {
	ws, err := g.upgrader.Upgrade(hijacker{w}, r, nil)
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

// Codes of the HTTP answer to an upgrade, besides those of error frames.
const (
	codeBadRequest  = "bad_request"
	codeUnavailable = "unavailable"
)

// reconnectSeconds is in how many seconds a client should come again that was refused for what may last.
func (g *Gateway) reconnectSeconds() int { return int(math.Ceil(g.opts.ReconnectDelay.Seconds())) }

// unavailable refuses an upgrade for now.
func (g *Gateway) unavailable(w http.ResponseWriter, retryAfter int, code, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	refuseUpgrade(w, http.StatusServiceUnavailable, code, message)
}

// refuseUpgrade answers in the form of the HTTP API.
func refuseUpgrade(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	p, err := json.Marshal(map[string]bus.Rejection{"error": {Code: code, Message: message}})
	if err != nil {
		return // can't be, for two strings
	}
	_, _ = w.Write(append(p, '\n')) // who hangs up misses the answer
}

// upgradeFailed is how gorilla answers what is no proper upgrade.
func upgradeFailed(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	code := codeBadRequest
	if status >= http.StatusInternalServerError {
		code = codeInternal
	}
	w.Header().Set("Sec-WebSocket-Version", "13")
	refuseUpgrade(w, status, code, strings.TrimPrefix(reason.Error(), "websocket: "))
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
	conn   *webSocketConn
	opcode int
	in     *inbox
	deaf   bool // a message was not taken to its end: nothing that follows is kept
}

func (g *Gateway) newWebSocket(ws *websocket.Conn) *session {
	format, opcode := bus.FormatJSON, websocket.TextMessage
	if ws.Subprotocol() == SubprotocolMsgpack {
		format, opcode = bus.FormatMsgpack, websocket.BinaryMessage
	}
	conn := ws.NetConn().(*webSocketConn) // ServeHTTP has seen to it
	s := g.newSession(conn.Conn, bus.CarrierWebSocket, format)
	conn.in, conn.tick = &s.inbox, &g.tick
	s.carrier = &webSocket{ws: ws, conn: conn, opcode: opcode, in: &s.inbox}
	ws.SetPingHandler(s.answerPing)
	ws.SetPongHandler(s.hear)
	echo := ws.CloseHandler()
	ws.SetCloseHandler(func(code int, text string) error {
		if s.ended() {
			return nil // this is the answer to ours
		}
		conn.echoes = true
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

// next believes what a header says of its length where that is too much, before the bytes have come.
func (w *webSocket) next(limit int) ([]byte, error) {
	w.in.clear()
	if w.deaf {
		return nil, discard(w.conn.Conn)
	}
	w.ws.SetReadLimit(int64(limit))
	p, err := w.message()
	if errors.Is(err, websocket.ErrReadLimit) {
		err = tooLarge(limit)
	}
	w.deaf = errors.Is(err, errTooLarge) || errors.Is(err, errCrowded)
	return p, err
}

func (w *webSocket) message() ([]byte, error) {
	kind, r, err := w.ws.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != w.opcode {
		return nil, errNotText
	}
	w.in.begin()
	for {
		room, err := w.in.room()
		if err != nil {
			return nil, err
		}
		n, err := r.Read(room)
		w.in.added(n)
		switch {
		case errors.Is(err, io.EOF):
			return w.in.whole(), nil
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
