package relaytest

import (
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Seeds are those that a test plays: from 0 to below n, or the one alone that the environment variable names.
func Seeds(tb testing.TB, variable string, n uint64) iter.Seq[uint64] {
	tb.Helper()
	first, end := uint64(0), n
	if text := os.Getenv(variable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			tb.Fatalf("%s: %v", variable, err)
		}
		first, end = seed, seed+1
	}
	return func(yield func(uint64) bool) {
		for seed := first; seed < end && yield(seed); seed++ {
		}
	}
}

// Schedules plays the schedules of the seeds (see Seeds). draw makes the steps of one, and play plays them from their beginning, each
// time in the same way, and returns what was wrong, if anything. The first that fails is shrunk (see Shrink) and fails the test, with
// how to play it again.
func Schedules[S any](tb testing.TB, variable string, n uint64, draw func(seed uint64) []S, play func(seed uint64, steps []S) string) {
	tb.Helper()
	played, began := 0, time.Now()
	for seed := range Seeds(tb, variable, n) {
		steps := draw(seed)
		played++
		if play(seed, steps) == "" {
			continue
		}
		steps = Shrink(steps, func(some []S) bool { return play(seed, some) != "" })
		var told strings.Builder
		for _, s := range steps {
			fmt.Fprintln(&told, s)
		}
		tb.Fatalf("seed %d: %s, after\n%sreplay with %s=%d", seed, play(seed, steps), &told, variable, seed)
	}
	tb.Logf("%.0f schedules a second", float64(played)/time.Since(began).Seconds())
}
