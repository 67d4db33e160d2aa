package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// ServeTCP takes clients from the listener, which it closes at the end. ctx ends the accepting alone: the sockets live until Drain
// or Close. While the gateway drains, new clients are told so. It returns nil when ctx ended or the gateway was closed, else
// the listener's error.
func (g *Gateway) ServeTCP(ctx context.Context, l net.Listener) error {
	accepting := run.New(ctx)
	defer accepting.Wait()
	defer accepting.Stop()
	accepting.Go(func() {
		select {
		case <-accepting.Context().Done():
		case <-g.group.Context().Done():
		}
		_ = l.Close() // Accept says what matters
	})
	paced := g.Listen(l)
	for pause := time.Duration(0); ; {
		conn, err := paced.Accept()
		switch {
		case err == nil:
			pause = 0
			g.take(conn)
		case ctx.Err() != nil || g.group.Context().Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("gateway: accept: %w", err)
		default: // out of file descriptors, mostly: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			g.opts.Logger.Warn("accepting a connection", "error", err, "again_in", pause)
			wait(accepting.Context(), pause)
		}
	}
}

// take begins the session of a connection, at once or when it is its turn, or refuses it.
func (g *Gateway) take(conn net.Conn) {
	watchPeer(conn, g.opts.PingInterval)
	switch {
	case g.refusal() != "":
		g.refuse(conn, endClosed.because(g.refusal()))
		return
	case !g.handshakes.allow(conn.RemoteAddr().String(), time.Now()):
		g.refuse(conn, ending{code: 1008, error: codeRateLimited, text: "too many connections from this address"})
		return
	case !g.hub.reserve(g.opts.MaxConnections):
		g.refuse(conn, endClosed.because("the node has all the connections that it takes"))
		return
	}
	wait, ok := g.admission.turn(time.Now())
	switch {
	case !ok:
		g.hub.cancel()
		g.refuse(conn, endTooMany)
	case wait <= 0:
		g.begin(g.newTCP(conn), nil)
	case !g.group.Go(func() { g.takeLater(conn, wait) }):
		g.hub.cancel()
		_ = conn.Close() // the gateway is closed
	}
}

// takeLater is take for a connection that has its place in the hub and waits for its turn.
func (g *Gateway) takeLater(conn net.Conn, wait time.Duration) {
	_ = g.admission.wait(g.group.Context(), wait) // why it ended early, refusal knows
	if refusal := g.refusal(); refusal != "" {
		g.hub.cancel()
		g.refuse(conn, endClosed.because(refusal))
		return
	}
	g.begin(g.newTCP(conn), nil)
}

// refuse says why the connection is not taken, and closes it.
func (g *Gateway) refuse(conn net.Conn, why ending) {
	s := g.newTCP(conn)
	s.shut(why)
	if !g.group.Go(func() { s.run(nil) }) {
		s.finish(errClosed)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// lines is the carrier of one JSON object a line.
type lines struct {
	conn net.Conn
	r    *bufio.Reader // reads from the lines themselves
	in   *inbox
	tick *atomic.Int64
	deaf bool // a line was not taken to its end: nothing that follows is kept
}

func (g *Gateway) newTCP(conn net.Conn) *session {
	s := g.newSession(conn, bus.CarrierTCP, bus.FormatJSON)
	l := &lines{conn: conn, in: &s.inbox, tick: &g.tick}
	l.r = bufio.NewReaderSize(l, readBuffer)
	s.carrier = l
	return s
}

// next skips empty lines.
func (l *lines) next(limit int) ([]byte, error) {
	for {
		l.in.clear()
		if l.deaf {
			return nil, discard(l.conn)
		}
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.long(line, limit)
		}
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > limit {
			l.deaf = true
			return nil, tooLarge(limit)
		}
		if len(line) > 0 {
			return line, nil
		}
	}
}

// long collects a line of which the reader's buffer holds the beginning.
func (l *lines) long(start []byte, limit int) ([]byte, error) {
	l.in.begin()
	for more, err := start, bufio.ErrBufferFull; ; more, err = l.r.ReadSlice('\n') {
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if refused := l.in.add(more, limit, len("\r\n")); refused != nil {
			l.deaf = true
			return nil, refused
		}
		if err == nil {
			return l.in.whole(), nil
		}
	}
}

// Read is where the buffered reader gets its bytes: who has begun a line is waited for from here on.
func (l *lines) Read(p []byte) (int, error) {
	if l.in.begun() || l.r.Buffered() > 0 {
		l.in.await(l.tick.Load())
	}
	return l.conn.Read(p)
}

// discard reads what comes to its end: a connection with unread bytes is reset when it is closed, and what was said last is lost with
// it (RFC 9112, section 9.6).
func discard(r io.Reader) error {
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
		return err
	}
	return io.EOF
}

func (l *lines) frame(sealed []byte) []byte { return asLine(sealed) }

// farewell is the error frame that says why; drain has said it before.
func (l *lines) farewell(e ending) []byte {
	if e.error == "" {
		return nil
	}
	return asLine(sealError(bus.FormatJSON, nil, e.error, e.text))
}

func (l *lines) codeOf(err error) int {
	if errors.Is(err, io.EOF) {
		return 1000 // the peer closed
	}
	return 1006
}
