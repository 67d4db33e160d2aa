package worker

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// quietly has a client connect without a word: go-redis writes every connection that could not be made to stderr, by a logger that it has
// for the whole process, and that is the user's to set. So a connection that could not be made fails at its first use instead.
func quietly(o *redis.Options) {
	dial := redis.NewDialer(o)
	o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return &stillborn{dialError{err}}, nil //nolint:nilerr // it is told at the first use
		}
		return conn, nil
	}
}

// A dialError says that there is no connection, so that nothing was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// stillborn is a connection that could not be made.
type stillborn struct{ err error }

func (c *stillborn) Read([]byte) (int, error)  { return 0, c.err }
func (c *stillborn) Write([]byte) (int, error) { return 0, c.err }

// Close implements net.Conn.
func (*stillborn) Close() error { return nil }

// LocalAddr implements net.Conn.
func (*stillborn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn.
func (*stillborn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline implements net.Conn.
func (*stillborn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*stillborn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*stillborn) SetWriteDeadline(time.Time) error { return nil }
