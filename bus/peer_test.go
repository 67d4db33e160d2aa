package bus

import (
	"testing"
)

// Batches that overtook another wait for it, each once, in memory of their own and within bounds.
func TestHeldBatches(t *testing.T) {
	p := &peer{next: 1}
	read := []byte("one")
	for _, number := range []uint64{3, 2, 3} {
		if next, hole := p.take(batch{epoch: 1, number: number, entries: read}); next || !hole {
			t.Fatalf("batch %d: next %v, hole %v", number, next, hole)
		}
	}
	copy(read, "two")
	if p.bytes != 2*len(read) {
		t.Errorf("%d bytes are held", p.bytes)
	}
	if next, _ := p.take(batch{epoch: 1, number: 1}); !next {
		t.Fatal("the first is not the next")
	}
	for _, number := range []uint64{2, 3} {
		if b, ok := p.unhold(); !ok || b.number != number || string(b.entries) != "one" {
			t.Errorf("batch %d %q, %v; want %d", b.number, b.entries, ok, number)
		}
	}
	if _, ok := p.unhold(); ok || p.bytes != 0 || len(p.held) != 0 {
		t.Errorf("%d bytes are held", p.bytes)
	}
	large := batch{epoch: 1, number: 6, entries: make([]byte, heldBytes)}
	p.take(large)
	large.number = 7
	if p.take(large); p.bytes > heldBytes {
		t.Errorf("%d bytes are held", p.bytes)
	}
	if next, hole := p.take(batch{epoch: 1, number: 4}); !next || hole {
		t.Error("batch 4 is the next")
	}
}

// What a node no longer has is passed over, and only that; what it says of an earlier epoch counts for nothing.
func TestSkippedBatches(t *testing.T) {
	p := &peer{next: 1}
	for _, number := range []uint64{1, 3, 6} {
		p.take(batch{epoch: 2, number: number, entries: []byte("x")})
	}
	for _, c := range []struct{ epoch, lowest, missed, next uint64 }{{1, 9, 0, 2}, {2, 2, 0, 2}, {2, 1, 0, 2}, {2, 5, 2, 5}} {
		if missed := p.skip(c.epoch, c.lowest); missed != c.missed || p.next != c.next {
			t.Errorf("%+v: missed %d, next %d", c, missed, p.next)
		}
	}
	if _, held := p.held[6]; !held || len(p.held) != 1 || p.bytes != 1 {
		t.Errorf("%d batches, %d bytes are held, want batch 6", len(p.held), p.bytes)
	}
	if missed := p.skip(3, 4); missed != 1 || p.next != 4 || p.epoch != 3 || len(p.held) != 0 || p.bytes != 0 {
		t.Errorf("anew: missed %d, %+v", missed, p)
	}
	if next, _ := p.take(batch{epoch: 2, number: 4}); next || p.next != 4 {
		t.Error("a batch of the epoch before was taken")
	}
}
