package judge

import (
	"slices"
	"testing"
)

func TestSpans(t *testing.T) {
	all := merged([]span{{50, 60}, {10, 20}, {15, 30}, {30, 40}, {52, 55}})
	if want := []span{{10, 40}, {50, 60}}; !slices.Equal(all, want) {
		t.Errorf("%v, want %v", all, want)
	}
	for _, c := range []struct {
		s    span
		want int64
	}{{span{0, 5}, 0}, {span{0, 15}, 5}, {span{12, 13}, 1}, {span{35, 55}, 10}, {span{0, 100}, 40}, {span{41, 49}, 0}, {span{60, 70}, 0},
		{span{55, 70}, 5}} {
		if got := c.s.within(c.s.of(all)); got.Nanoseconds() != c.want {
			t.Errorf("%v: %d, want %d", c.s, got, c.want)
		}
	}
}
