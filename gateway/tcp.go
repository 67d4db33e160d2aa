package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
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

// take begins the session of a connection, or refuses it.
func (g *Gateway) take(conn net.Conn) {
	watchPeer(conn, g.opts.PingInterval)
	s := g.newTCP(conn)
	refused := endClosed
	switch {
	case g.refusal() != "":
		refused.text = g.refusal()
	case !g.handshakes.allow(conn.RemoteAddr().String(), time.Now()):
		refused = ending{code: 1008, error: codeRateLimited, text: "too many connections from this address"}
	case !g.hub.reserve(g.opts.MaxConnections):
		refused.text = "the node has all the connections that it takes"
	default:
		g.begin(s, nil)
		return
	}
	s.shut(refused)
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
	r      *bufio.Reader
	limit  int
	buffer *[]byte // borrowed for a line that is longer than the reader's buffer
}

func (g *Gateway) newTCP(conn net.Conn) *session {
	s := g.newSession(conn, bus.CarrierTCP, bus.FormatJSON)
	s.carrier = &lines{r: bufio.NewReaderSize(conn, readBuffer), limit: g.opts.MaxFrame}
	return s
}

// next skips empty lines. A line that is too long is read to its end without being kept.
func (l *lines) next() ([]byte, error) {
	for {
		giveBuffer(l.buffer)
		l.buffer = nil
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.long(line)
		}
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > l.limit {
			return nil, l.tooLong()
		}
		if len(line) > 0 {
			return line, nil
		}
	}
}

// long collects a line of which the reader's buffer holds the beginning.
func (l *lines) long(start []byte) ([]byte, error) {
	l.buffer = borrowBuffer()
	p := append(*l.buffer, start...)
	for {
		more, err := l.r.ReadSlice('\n')
		p = append(p, more...)
		*l.buffer = p
		switch {
		case err == nil:
			return p, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(p) > l.limit+2:
			return nil, l.tooLong()
		}
	}
}

func (l *lines) tooLong() error {
	return fmt.Errorf("%w: at most %d bytes are allowed", errTooLarge, l.limit)
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
