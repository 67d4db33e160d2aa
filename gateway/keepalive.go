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
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = inner.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// Neither fails but on a connection that is gone, which the reader will notice.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: interval, Interval: max(interval/2, time.Second), Count: 2})
	_ = setUserTimeout(tcp, 2*interval)
}
