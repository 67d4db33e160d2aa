package client

import (
	"bufio"
	"context"
	"io"
	"net"
	"time"

	"github.com/ackbus/ackbus/bus"
)

// maxFrame is how many bytes a frame of the server may have.
const maxFrame = 16 << 20

// A lineConn carries one JSON object a line.
type lineConn struct {
	net.Conn
	reading
	lines *bufio.Scanner
}

func dialTCP(ctx context.Context, address string) (conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxFrame)
	return &lineConn{Conn: c, reading: reading{conn: c}, lines: lines}, nil
}

func (c *lineConn) read(interval time.Duration) (frame, error) {
	c.expect(interval)
	if !c.lines.Scan() {
		if err := c.lines.Err(); err != nil {
			return frame{}, err
		}
		return frame{}, io.EOF
	}
	return decode(c.lines.Bytes(), bus.FormatJSON)
}

func (c *lineConn) write(v any) error {
	p, err := encode(v, bus.FormatJSON)
	if err != nil {
		return err
	}
	_, err = c.Write(append(p, '\n'))
	return err
}

// close, gently, reads on until the server closes too: closing with something unread would reset the connection, and with it what
// is still on its way.
func (c *lineConn) close(gently bool) {
	if tcp, ok := c.Conn.(*net.TCPConn); gently && ok && tcp.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(finishTimeout))
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	_ = c.Close()
}
