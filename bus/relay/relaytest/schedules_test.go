package relaytest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

const seedVariable = "ACKBUS_TEST_OF_SCHEDULES"

// A listener hears what a test says as it fails.
type listener struct{ testing.TB }

type lastWord string

func (listener) Helper() {}

func (listener) Fatalf(format string, args ...any) { panic(lastWord(fmt.Sprintf(format, args...))) }

// failure is what a test of schedules says that fails; empty if it does not. A schedule fails where it has a step of 5 and one of 7.
func failure(t *testing.T, n uint64, played *[]uint64) (said string) {
	t.Helper()
	defer func() {
		if word, failed := recover().(lastWord); failed {
			said = string(word)
		}
	}()
	relaytest.Schedules(listener{t}, seedVariable, n, func(seed uint64) []int {
		*played = append(*played, seed)
		if seed < 3 {
			return []int{5, 6}
		}
		return []int{1, 5, 6, 7, 8}
	}, func(_ uint64, steps []int) string {
		if slices.Contains(steps, 5) && slices.Contains(steps, 7) {
			return "it broke"
		}
		return ""
	})
	return ""
}

// The first schedule that fails is told with the steps that it needs and with its seed, which is then played alone.
func TestSchedules(t *testing.T) {
	var played []uint64
	if said := failure(t, 3, &played); said != "" || !slices.Equal(played, []uint64{0, 1, 2}) {
		t.Errorf("played %v, and said %q", played, said)
	}
	played = nil
	want := "seed 3: it broke, after\n5\n7\nreplay with " + seedVariable + "=3"
	if said := failure(t, 10, &played); said != want || len(played) != 4 {
		t.Errorf("played %v, and said %q, want %q", played, said, want)
	}
	for seed, want := range map[string]string{"3": want, "1": "", "x": seedVariable + ": "} {
		t.Setenv(seedVariable, seed)
		played = nil
		said := failure(t, 10, &played)
		if !strings.HasPrefix(said, want) || want == "" && said != "" {
			t.Errorf("with seed %s it said %q, want %q", seed, said, want)
		}
		if seed != "x" && len(played) != 1 {
			t.Errorf("with seed %s it played %v", seed, played)
		}
	}
}
