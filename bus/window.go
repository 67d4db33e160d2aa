package bus

// windowSize bounds how far a publisher's sequence may run ahead of its floor, and with it what nodes remember for it.
const windowSize = 1 << 18

// window hands out a publisher's sequence numbers and knows its floor: below it nothing is sent again and no copy can still
// be under way, so nodes may forget.
type window struct {
	next  uint64 // the next number
	floor uint64
	done  [windowSize / 64]uint64 // bits of the numbers from floor to next that are done with
}

func newWindow() *window { return &window{next: 1, floor: 1} }

// take hands out a number. When the window is full the oldest number falls below the floor: its request is not sent again.
func (w *window) take() uint64 {
	seq := w.next
	w.next++
	if seq-w.floor >= windowSize {
		w.release(w.floor)
	}
	return seq
}

// release says that the number is done with.
func (w *window) release(seq uint64) {
	if seq < w.floor || seq >= w.next {
		return
	}
	*w.word(seq) |= w.bit(seq)
	for w.floor < w.next && *w.word(w.floor)&w.bit(w.floor) != 0 {
		*w.word(w.floor) &^= w.bit(w.floor)
		w.floor++
	}
}

func (w *window) word(seq uint64) *uint64 { return &w.done[seq/64%(windowSize/64)] }
func (w *window) bit(seq uint64) uint64   { return 1 << (seq % 64) }
