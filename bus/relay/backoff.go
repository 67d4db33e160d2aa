package relay

import (
	"context"
	"math/rand/v2"
	"time"
)

// A backoff spaces attempts to reach Redis: doubling from least to most, each a half to the whole of its step, so that the
// nodes of a cluster do not come back in one wave.
type backoff struct {
	least, most time.Duration
	step        time.Duration
}

// next returns how long to wait before the coming attempt.
func (b *backoff) next() time.Duration {
	b.step = min(max(2*b.step, b.least), b.most)
	return b.step/2 + rand.N(b.step/2)
}

// reset makes the next wait the least one again.
func (b *backoff) reset() { b.step = 0 }

// sleep waits for d, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
