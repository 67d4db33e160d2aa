package chaos

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
)

// watchRedis is a watchdog from outside: it writes down when Redis does not answer at once. It returns when ctx ends. A Redis that does not
// answer at all is a fault, which is written down by itself.
func (c *cluster) watchRedis(ctx context.Context) {
	const every, worthTelling = 5 * time.Millisecond, 2 * time.Millisecond
	var conn net.Conn
	defer func() { hangUp(conn) }()
	for pause.For(ctx, every) {
		sent := c.log.Now()
		if conn = ping(ctx, conn, c.redis.Addr()); conn != nil && c.log.Now()-sent > worthTelling.Nanoseconds() {
			c.log.Append(history.Event{Kind: history.Stalled, Actor: "redis", Since: sent})
		}
	}
}

// ping returns the connection for the next one, or nil where there was no answer.
func ping(ctx context.Context, conn net.Conn, addr string) net.Conn {
	const patience = 10 * time.Second
	if conn == nil {
		dialer := net.Dialer{Timeout: patience}
		dialed, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil
		}
		conn = dialed
	}
	err := conn.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = conn.Write([]byte("PING\r\n"))
	}
	if err == nil {
		_, err = bufio.NewReaderSize(conn, 16).ReadString('\n')
	}
	if err != nil {
		hangUp(conn)
		return nil
	}
	return conn
}

func hangUp(conn net.Conn) {
	if conn != nil {
		_ = conn.Close()
	}
}
