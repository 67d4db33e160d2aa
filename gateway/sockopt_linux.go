package gateway

import (
	"net"
	"syscall"
	"time"
)

// Options of tcp(7) that package syscall does not name.
const (
	tcpUserTimeout  = 18
	tcpNotSentLowAt = 25
)

// setUserTimeout bounds how long what was written may stay unacknowledged: keepalive does not probe while data is on the way.
func setUserTimeout(conn *net.TCPConn, d time.Duration) error {
	return setOption(conn, tcpUserTimeout, int(d.Milliseconds()))
}

// setUnsent bounds how much of what was written the kernel holds beyond what is on its way.
func setUnsent(conn *net.TCPConn, bytes int) error { return setOption(conn, tcpNotSentLowAt, bytes) }

func setOption(conn *net.TCPConn, option, value int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, option, value)
	})
	if err != nil {
		return err
	}
	return setErr
}
