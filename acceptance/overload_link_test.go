package acceptance

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/time/rate"

	"github.com/ackbus/ackbus/internal/run"
)

const (
	linkPiece  = 4 << 10  // what takes its turn at once
	linkBuffer = 64 << 10 // of a socket: the link itself holds little, as a cable does
)

// A narrowLink carries so many bytes a second in each direction, over all of its connections together. What does not fit waits with who
// sends it.
type narrowLink struct {
	target   string
	listener net.Listener
	up, down *rate.Limiter
	group    *run.Group
}

func newNarrowLink(t *testing.T, target string) *narrowLink {
	t.Helper()
	config := net.ListenConfig{Control: linkBuffers}
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &narrowLink{target: target, listener: listener, group: run.New(context.Background()), // ends with the test
		up: rate.NewLimiter(rate.Inf, linkPiece), down: rate.NewLimiter(rate.Inf, linkPiece)}
	context.AfterFunc(l.group.Context(), func() { listener.Close() })
	l.group.Go(l.accept)
	t.Cleanup(func() {
		l.group.Stop()
		l.group.Wait()
	})
	return l
}

func linkBuffers(_, _ string, c syscall.RawConn) error {
	var in, out error
	err := c.Control(func(fd uintptr) {
		in = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, linkBuffer)
		out = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, linkBuffer)
	})
	return errors.Join(err, in, out)
}

// url is where Redis is, through the link.
func (l *narrowLink) url() string { return "redis://" + l.listener.Addr().String() + "/0" }

func (l *narrowLink) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		if !l.group.Go(func() { l.connect(near) }) {
			near.Close()
		}
	}
}

// connect carries one connection until either end closes it.
func (l *narrowLink) connect(near net.Conn) {
	dialer := net.Dialer{Timeout: patience, Control: linkBuffers}
	far, err := dialer.DialContext(l.group.Context(), "tcp", l.target)
	if err != nil {
		near.Close()
		return
	}
	var once sync.Once
	ended := make(chan struct{})
	end := func() {
		once.Do(func() {
			near.Close()
			far.Close()
			close(ended)
		})
	}
	stop := context.AfterFunc(l.group.Context(), end)
	defer stop()
	back := run.New(l.group.Context())
	back.Go(func() {
		defer end()
		l.carry(back.Context(), near, far, l.down)
	})
	l.carry(back.Context(), far, near, l.up)
	end()
	back.Stop()
	back.Wait()
}

func (l *narrowLink) carry(ctx context.Context, to, from net.Conn, pace *rate.Limiter) {
	piece := make([]byte, linkPiece)
	for {
		n, err := from.Read(piece)
		if err != nil || pace.WaitN(ctx, n) != nil {
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}
