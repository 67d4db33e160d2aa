package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/pause"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestBefore(t *testing.T) {
	const least, most = 10 * time.Millisecond, 250 * time.Millisecond
	for try, step := range map[int]time.Duration{
		-1: least, 0: least, 1: least, 2: 2 * least, 3: 4 * least, 5: 16 * least, 6: most, 7: most, 64: most, 1 << 40: most,
	} {
		spread := make(map[time.Duration]bool)
		for range 100 {
			d := pause.Before(try, least, most)
			if d < step/2 || d > step {
				t.Errorf("try %d: %v, want %v to %v", try, d, step/2, step)
			}
			spread[d] = true
		}
		if len(spread) < 50 {
			t.Errorf("try %d: %d different pauses of 100", try, len(spread))
		}
	}
	if d := pause.Before(3, 0, 0); d != 0 {
		t.Errorf("no pause at all: %v", d)
	}
}

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !pause.For(t.Context(), time.Second) || time.Since(start) != time.Second {
			t.Errorf("it took %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if pause.For(ctx, time.Hour) || time.Since(start) != time.Second {
			t.Errorf("after the context's end: %v", time.Since(start))
		}
	})
}
