package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// isLoopback reports whether an address to listen on is out of reach of other machines. A name counts by what it
// resolves to: all of it must be loopback.
func isLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("bad address %q: want host:port, as in 127.0.0.1:7070", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, fmt.Errorf("bad address %q: want a port from 0 to 65535", address)
	}
	if host == "" {
		return false, nil // every address of the machine
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false, fmt.Errorf("bad address %q: %w", address, err)
	}
	for _, a := range found {
		if !a.IP.IsLoopback() {
			return false, nil
		}
	}
	return true, nil
}
