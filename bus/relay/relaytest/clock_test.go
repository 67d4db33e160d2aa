package relaytest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestClockRunsInOrder(t *testing.T) {
	var clock relaytest.Clock
	var ran []time.Duration
	at := func(d time.Duration) {
		clock.After(d, func() {
			if want := max(d, 0); clock.Now() != want {
				t.Errorf("it is %v, want %v", clock.Now(), want)
			}
			ran = append(ran, d)
		})
	}
	for _, d := range []time.Duration{3, 1, 2, 1, -1, 0} {
		at(d)
	}
	clock.Advance(2)
	if want := []time.Duration{-1, 0, 1, 1, 2}; !slices.Equal(ran, want) || clock.Now() != 2 {
		t.Errorf("ran %v by %v, want %v", ran, clock.Now(), want)
	}
	clock.After(0, func() { clock.After(0, func() { ran = append(ran, 0) }) })
	if clock.Advance(0); len(ran) != 6 {
		t.Error("what follows at once did not run")
	}
	if !clock.Step() || clock.Now() != 3 || clock.Step() {
		t.Errorf("the last step ended at %v", clock.Now())
	}
}
