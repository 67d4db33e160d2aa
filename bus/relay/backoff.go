package relay

import (
	"context"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
)

// A backoff spaces attempts to reach Redis.
type backoff struct {
	least, most time.Duration
	tries       int
}

// next returns how long to wait before the coming attempt.
func (b *backoff) next() time.Duration {
	b.tries++
	return pause.Before(b.tries, b.least, b.most)
}

// reset makes the next wait the least one again.
func (b *backoff) reset() { b.tries = 0 }

// sleep waits for d, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool { return pause.For(ctx, d) }
