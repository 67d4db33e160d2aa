package gateway

import (
	"runtime"
	"slices"
)

// deskKept is how large a desk may have become to be used again.
const deskKept = 4 << 20

// desks are where large frames are put together and decoded: one for each processor, since that is all work of a processor. So however
// many clients send large frames at once, few copies of them exist besides what counts against the budget. Whoever has one must not wait
// for anybody.
type desks chan []byte

func newDesks() desks {
	d := make(desks, runtime.GOMAXPROCS(0))
	for range cap(d) {
		d <- nil
	}
	return d
}

// borrow returns an empty slice with room for n bytes, as soon as a desk is free.
func (d desks) borrow(n int) []byte { return slices.Grow(<-d, n) }

// give takes back what borrow gave.
func (d desks) give(p []byte) {
	if cap(p) > deskKept {
		p = nil
	}
	d <- p[:0]
}
