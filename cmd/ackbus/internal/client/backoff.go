package client

import (
	"math/rand/v2"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 10 * time.Second
)

// A backoff says how long to wait before each further try, so that a server that comes back is not met by all at once.
type backoff struct{ pause time.Duration }

func newBackoff() *backoff { return &backoff{firstPause} }

func (b *backoff) next() time.Duration {
	pause := b.pause
	b.pause = min(2*b.pause, mostPause)
	return jitter(pause)
}

// jitter spreads a pause over itself and half of it more.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/2+1) }
