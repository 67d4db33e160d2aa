package relay

import (
	"bufio"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A link is one connection to Redis with the go-redis client that it alone belongs to. Once it is lost it is lost.
type link struct {
	addr   string
	client *redis.Client
	wire   *wire

	failure  atomic.Pointer[error] // why it was closed
	identity identity              // once it was greeted

	// go-redis only greets; then these are the connection.
	in  *replyReader
	out *bufio.Writer
	// writing, of an outbox's link, is held from the start of a pipeline until it was written. It is free whenever no pipeline is in
	// flight.
	writing sync.Mutex
	before  int64 // bytes that were written before the pipeline in flight; guarded by writing
}

// greet makes go-redis introduce us, and takes the connection over.
func (l *link) greet(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// A user without the right to PING may still publish.
	if err := l.client.Conn().Ping(ctx).Err(); err != nil && !replied(err, "NOPERM") {
		return err
	}
	l.in, l.out = newReplyReader(l.wire), bufio.NewWriterSize(l.wire, 64<<10)
	return l.wire.SetDeadline(time.Time{}) // from now on outbox.tick and lane.tick keep the time
}

// fail closes the connection, whoever is reading or writing. The first reason counts.
func (l *link) fail(reason error) {
	l.failure.CompareAndSwap(nil, &reason)
	l.close()
}

// close ends the connection, whoever is reading or writing, and the client with it. It may be called more than once.
func (l *link) close() {
	// Neither error tells anything that the reader and the writer of the connection do not learn.
	_ = l.wire.Close()
	_ = l.client.Close()
}
