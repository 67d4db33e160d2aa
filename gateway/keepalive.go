package gateway

import (
	"net"
	"time"
)

// watchPeer has the kernel find out when the peer is gone: a client that only listens need not send anything. A dead
// peer is noticed after about two intervals.
func watchPeer(conn net.Conn, interval time.Duration) {
	if interval == off {
		return
	}
	// Neither fails but on a connection that is gone, which the reader will notice.
	if tcp := tcpBelow(conn); tcp != nil {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: interval, Interval: max(interval/2, time.Second), Count: 2})
		_ = setUserTimeout(tcp, 2*interval)
	}
}

// unsentMost is how much the kernel holds of what is not on its way to the client yet.
const unsentMost = 64 << 10

// keepUnsent has what the client has no room for stay in the session's queue, where it is counted, can be dropped, and still expires,
// instead of in the kernel's buffer, of megabytes, where all of it would have to be read before anything new is.
func keepUnsent(conn net.Conn) {
	if tcp := tcpBelow(conn); tcp != nil {
		_ = setUnsent(tcp, unsentMost)
	}
}

// tcpBelow is the TCP connection of a connection, below TLS; nil: there is none.
func tcpBelow(conn net.Conn) *net.TCPConn {
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = inner.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}
