//go:build !linux

package gateway

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system has no such option; the write timeout remains.
func setUserTimeout(*net.TCPConn, time.Duration) error { return nil }
