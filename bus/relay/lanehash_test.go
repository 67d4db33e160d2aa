package relay

import "testing"

// TestLaneOf pins the hash: nodes of different releases must agree on it.
func TestLaneOf(t *testing.T) {
	cases := []struct {
		ch    Channel
		lanes int
		want  int
	}{
		{Channel{Name: ""}, 4, 2166136261 % 4},
		{Channel{Name: "a"}, 1 << 16, 0xe40c292c % (1 << 16)},
		{Channel{Name: "foobar"}, 1 << 16, 0xbf9cf968 % (1 << 16)}, // from the FNV reference's test vectors
		{Channel{Name: "foobar"}, 1, 0},
		{Channel{Name: "foobar", Pattern: true}, 4, patternLane},
	}
	for _, c := range cases {
		if got := laneOf(c.ch, c.lanes); got != c.want {
			t.Errorf("lane of %+v among %d: %d, want %d", c.ch, c.lanes, got, c.want)
		}
	}
}

func TestChannelNames(t *testing.T) {
	for got, want := range map[string]string{
		beaconChannel("p:", 3):     "p:lane:3",
		aliveChannel("p:", "n"):    "p:alive:n",
		probeChannel("p:", "n", 2): "p:probe:n:2",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
