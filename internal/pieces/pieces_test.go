package pieces

import (
	"bytes"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestMoveTo collects lengths around the borders of a piece, in steps that do not divide it, twice in a row.
func TestMoveTo(t *testing.T) {
	var c Collection
	for _, n := range []int{0, 1, Size - 1, Size, Size + 1, 3*Size + 7} {
		want := bytes.Repeat([]byte("ackbus."), n)[:n]
		for rest := want; len(rest) > 0; {
			step := copy(c.Room(), rest[:min(len(rest), 1000)])
			c.Added(step)
			rest = rest[step:]
		}
		if c.Len() != n || c.Full() != (n%Size == 0) {
			t.Errorf("of %d bytes there are %d, full: %v", n, c.Len(), c.Full())
		}
		if got := c.MoveTo([]byte("> ")); string(got) != "> "+string(want) {
			t.Errorf("%d bytes came out as %d others", n, len(got))
		}
		if c.Len() != 0 {
			t.Errorf("%d bytes are left", c.Len())
		}
	}
}

// TestDrop leaves nothing of what was dropped to who comes next.
func TestDrop(t *testing.T) {
	var c Collection
	c.Added(copy(c.Room(), "gone"))
	c.Drop()
	c.Added(copy(c.Room(), "here"))
	if got := c.MoveTo(nil); string(got) != "here" {
		t.Errorf("got %q", got)
	}
}
