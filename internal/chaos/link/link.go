package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

const dialTimeout = 2 * time.Second

// A Shape is what a direction of a link does to bytes. The zero value passes them on.
type Shape struct {
	// Delay is how long each byte is on its way; up to Jitter is added.
	Delay, Jitter time.Duration
	// Slice is how many bytes are written at once, with a short pause between; 0: as many as came.
	Slice int
	// Hold stops the direction; what came is passed on when it no longer holds.
	Hold bool
	// Swallow drops what comes. The connections that lost something are reset when the shape changes: TCP has no holes.
	Swallow bool
}

// A Link listens, and connects each connection to its target.
type Link struct {
	listener net.Listener
	group    *run.Group

	mu       sync.Mutex // guards all below
	target   string
	up, down Shape
	changed  chan struct{} // closed when a shape changes
	pairs    map[*pair]struct{}
}

// New returns a link that listens on loopback, to be closed by the caller. ctx bounds its life.
func New(ctx context.Context) (*Link, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	l := &Link{listener: listener, group: run.New(ctx), changed: make(chan struct{}), pairs: make(map[*pair]struct{})}
	context.AfterFunc(l.group.Context(), func() {
		_ = listener.Close() // accept tells
		l.Reset()
	})
	l.group.Go(l.accept)
	return l, nil
}

// Addr is where the link listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Target says where new connections lead. Without one they are reset.
func (l *Link) Target(addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = addr
}

// Set changes what the directions do: up from whoever connected, down towards it.
func (l *Link) Set(up, down Shape) {
	l.mu.Lock()
	l.up, l.down = up, down
	close(l.changed)
	l.changed = make(chan struct{})
	var holed []*pair
	for p := range l.pairs {
		if p.holed.Load() {
			holed = append(holed, p)
		}
	}
	l.mu.Unlock()
	for _, p := range holed {
		p.reset()
	}
}

// Reset ends all connections with RST.
func (l *Link) Reset() {
	l.mu.Lock()
	all := make([]*pair, 0, len(l.pairs))
	for p := range l.pairs {
		all = append(all, p)
	}
	l.mu.Unlock()
	for _, p := range all {
		p.reset()
	}
}

// Close ends the link and everything on it, and waits.
func (l *Link) Close() {
	l.group.Stop()
	l.group.Wait()
}

func (l *Link) accept() {
	for {
		conn, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && !l.group.Go(func() { l.connect(conn) }) {
			_ = conn.Close()
		}
	}
}

// connect carries one connection until it ends.
func (l *Link) connect(near net.Conn) {
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	dialer := net.Dialer{Timeout: dialTimeout}
	far, err := dialer.DialContext(l.group.Context(), "tcp", target)
	if err != nil {
		abort(near)
		return
	}
	p := &pair{link: l, near: near, far: far, gone: make(chan struct{})}
	l.mu.Lock()
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	if l.group.Context().Err() != nil {
		p.reset() // the end may have come before it was listed
	}
	p.carry()
	l.mu.Lock()
	delete(l.pairs, p)
	l.mu.Unlock()
}

// shape is what a direction does now, and what is closed when that changes.
func (l *Link) shape(up bool) (Shape, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if up {
		return l.up, l.changed
	}
	return l.down, l.changed
}

// abort closes with RST, so that the other side does not take it for an orderly end.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is gone needs none
	}
	_ = conn.Close()
}
