package bus

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// A numbered behaves as a map does, whatever lies in its ring and whatever had to leave it.
func TestNumberedIsAMap(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var got numbered[uint64]
		want := make(map[uint64]uint64)
		next, spread := uint64(1), uint64(1)<<random.IntN(15)
		for range 20_000 {
			seq := next - min(next-1, random.Uint64N(spread))
			switch random.IntN(5) {
			case 0, 1:
				next++
				seq = next
				fallthrough
			case 2:
				want[seq] = seq * 3
				got.set(seq, seq*3)
			default:
				delete(want, seq)
				got.delete(seq)
			}
			if got.get(seq) != want[seq] || got.len() != len(want) {
				t.Fatalf("seed %d: number %d is %d of %d, want %d of %d", seed, seq, got.get(seq), got.len(), want[seq], len(want))
			}
		}
		if all := maps.Collect(got.all()); !maps.Equal(all, want) {
			t.Fatalf("seed %d: %d numbers listed, want %d", seed, len(all), len(want))
		}
		if len(got.ring) > numberedMost {
			t.Fatalf("seed %d: a ring of %d", seed, len(got.ring))
		}
	}
}
