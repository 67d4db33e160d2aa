package relay

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall lacks: how long written bytes may stay unacknowledged.
const tcpUserTimeout = 18

// limitUnacknowledged makes a cut link an error after wireTimeout, where the kernel would try for a quarter of an hour.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// Refused for unix sockets: those can't be cut.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(wireTimeout.Milliseconds()))
	})
}
