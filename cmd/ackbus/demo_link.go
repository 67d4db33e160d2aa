package main

import (
	"context"
	"errors"
	"net"
	"sync"
)

// A link is a way to Redis that can be cut: every connection ends without a word, and none can be made again.
type link struct {
	mu    sync.Mutex // guards all below
	conns []net.Conn
	down  bool
}

var errCut = errors.New("the link is cut")

func newLink() *link { return new(link) }

// dial is a relay's Dial.
func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errors.Join(errCut, conn.Close())
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, conn := range l.conns {
		_ = conn.Close() // the relay may have closed it already
	}
}
