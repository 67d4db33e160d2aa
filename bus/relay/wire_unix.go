//go:build unix

package relay

import (
	"net"
	"syscall"
)

// peerClosed looks, without waiting and without taking anything, whether the end of the stream or an error is there to be read.
func peerClosed(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false // a connection from a test: it tells when it is used
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	// Not raw.Read, which would wait for the goroutine that is reading. The socket never blocks.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		closed = (n == 0 && err == nil) || (err != nil && err != syscall.EAGAIN && err != syscall.EINTR)
	})
	return closed || err != nil
}
