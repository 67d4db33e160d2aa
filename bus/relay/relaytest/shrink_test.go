package relaytest_test

import (
	"slices"
	"testing"

	"github.com/ackbus/ackbus/bus/relay/relaytest"
)

// What is left is what the failure needs, in order, also where its steps stand apart.
func TestShrink(t *testing.T) {
	var steps []int
	for i := range 40 {
		steps = append(steps, i)
	}
	needs := func(wanted ...int) func([]int) bool {
		return func(some []int) bool {
			return !slices.ContainsFunc(wanted, func(one int) bool { return !slices.Contains(some, one) })
		}
	}
	for _, wanted := range [][]int{{0}, {39}, {3, 4, 30}, {0, 20, 21, 39}} {
		if got := relaytest.Shrink(steps, needs(wanted...)); !slices.Equal(got, wanted) {
			t.Errorf("want %v, got %v", wanted, got)
		}
	}
	if got := relaytest.Shrink(steps, needs()); len(got) > 0 {
		t.Errorf("what fails by itself needs no step: %v", got)
	}
}
