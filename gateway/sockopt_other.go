//go:build !linux

package gateway

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system has no such option; the write timeout remains.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }

// setUnsent does nothing where the system has no such option: its send buffer holds what the client has no room for.
func setUnsent(*net.TCPConn, int) error { return nil }
