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
type listener struct {
	testing.TB
	name string
}

type lastWord string

func (listener) Helper() {}

func (listener) Logf(string, ...any) {}

func (l listener) Name() string { return l.name }

func (listener) Fatalf(format string, args ...any) { panic(lastWord(fmt.Sprintf(format, args...))) }

// A toyStep is one of a toy's schedules.
type toyStep struct{ N int }

func (s toyStep) String() string { return fmt.Sprint(s.N) }

// A toy is what is played: it breaks where there is a step of 5 and one of 7, unless it was mended, and panics at 9.
type toy struct {
	mended bool
	drawn  []uint64 // seeds
	played [][]toyStep
}

func (y *toy) draw(seed uint64) []toyStep {
	y.drawn = append(y.drawn, seed)
	switch {
	case seed < 3:
		return []toyStep{{5}, {6}}
	case seed == 50:
		return []toyStep{{8}, {9}}
	}
	return []toyStep{{1}, {5}, {6}, {7}, {8}}
}

func (y *toy) play(_ uint64, steps []toyStep) string {
	y.played = append(y.played, steps)
	if slices.Contains(steps, toyStep{9}) {
		panic("nine")
	}
	if !y.mended && slices.Contains(steps, toyStep{5}) && slices.Contains(steps, toyStep{7}) {
		return "it broke"
	}
	return ""
}

// failure plays the toy's schedules in a directory of the test's own, and returns what the test says that fails; empty if it does not.
func (y *toy) failure(n uint64) (said string) {
	defer func() {
		if word, failed := recover().(lastWord); failed {
			said = string(word)
		}
	}()
	relaytest.Schedules(listener{name: "TestToy/of_some_kind"}, seedVariable, n, y.draw, y.play)
	return ""
}

// The first schedule that fails is told with the steps that it needs and with its seed, which is then played alone.
func TestSchedules(t *testing.T) {
	t.Chdir(t.TempDir())
	var y toy
	if said := y.failure(3); said != "" || !slices.Equal(y.drawn, []uint64{0, 1, 2}) {
		t.Errorf("played %v, and said %q", y.drawn, said)
	}
	want := "seed 3: it broke, after\n5\n7\nreplay with " + seedVariable + "=3\n"
	y = toy{}
	if said := y.failure(10); !strings.HasPrefix(said, want) || len(y.drawn) != 4 {
		t.Errorf("played %v, and said %q, want %q", y.drawn, said, want)
	}
	for seed, want := range map[string]string{"3": want, "1": "", "x": seedVariable + ": ", "50": "seed 50: panic: nine\n"} {
		t.Setenv(seedVariable, seed)
		y = toy{}
		said := y.failure(10)
		if !strings.HasPrefix(said, want) || want == "" && said != "" {
			t.Errorf("with seed %s it said %q, want %q", seed, said, want)
		}
		if seed != "x" && len(y.drawn) != 1 {
			t.Errorf("with seed %s it played %v", seed, y.drawn)
		}
	}
}

// With the race detector as many are played as can be.
func TestMany(t *testing.T) {
	if got := relaytest.Many(10, 3); got != 10 && got != 3 {
		t.Errorf("%d", got)
	}
}
