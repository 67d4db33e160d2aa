package relaytest

import (
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Many is how many schedules to play: n, or with the race detector as many as withRace says.
func Many(n, withRace uint64) uint64 {
	if raceDetector {
		return withRace
	}
	return n
}

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

// Schedules plays the schedules that were kept since they failed, then those of the seeds (see Seeds; one that is named is played
// alone). draw makes the steps of one, and play plays them from their beginning, each time in the same way, and returns what was
// wrong, if anything; a panic of it is wrong too. The first that fails is shrunk (see Shrink), kept below testdata/schedules, and fails
// the test, with how to play it again. The steps are kept as JSON: what of them matters is exported, and read as it was written.
func Schedules[S any](tb testing.TB, variable string, n uint64, draw func(seed uint64) []S, play func(seed uint64, steps []S) string) {
	tb.Helper()
	play = catching(play)
	if os.Getenv(variable) == "" {
		playKept(tb, play)
	}
	played, began := 0, time.Now()
	for seed := range Seeds(tb, variable, n) {
		steps := draw(seed)
		played++
		if play(seed, steps) == "" {
			continue
		}
		steps = Shrink(steps, func(some []S) bool { return play(seed, some) != "" })
		wrong := play(seed, steps)
		tb.Fatalf("seed %d: %s, after\n%sreplay with %s=%d\n%s", seed, wrong, told(steps), variable, seed,
			keep(tb.Name(), kept[S]{Seed: seed, Wrong: wrong, Steps: steps}, play))
	}
	tb.Logf("%.0f schedules a second", float64(played)/time.Since(began).Seconds())
}

// catching is play with its panics as what is wrong.
func catching[S any](play func(uint64, []S) string) func(uint64, []S) string {
	return func(seed uint64, steps []S) (wrong string) {
		defer func() {
			if p := recover(); p != nil {
				wrong = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return play(seed, steps)
	}
}

// told lists the steps, each in a line.
func told[S any](steps []S) string {
	var lines strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&lines, s)
	}
	return lines.String()
}
