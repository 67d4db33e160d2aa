package relay

import (
	"net"
	"sync/atomic"
)

// A wire is a network connection that knows whether anything was written to it: what was not written can't have been
// published.
type wire struct {
	net.Conn
	raw     net.Conn // the connection below TLS, or the same
	written atomic.Int64
}

func newWire(conn, raw net.Conn) *wire { return &wire{Conn: conn, raw: raw} }

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	return n, err
}

// hungUp reports whether the other side has closed an idle connection. A publish into such a connection would count as
// written although nobody reads it any more.
func (w *wire) hungUp() bool { return peerClosed(w.raw) }
