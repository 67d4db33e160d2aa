// Package pause has the pauses between tries.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// Before is the pause before a further try, the first of which is try 1: it doubles from least to most, each a half to the whole of its
// step, so that those who lost the same server do not come back in one wave.
func Before(try int, least, most time.Duration) time.Duration {
	step := most
	if doubled := max(try-1, 0); doubled < 63 && least < most>>doubled {
		step = least << doubled
	}
	return step/2 + rand.N(step-step/2+1)
}

// For waits, and reports false when ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
