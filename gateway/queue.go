package gateway

import "time"

// An item is one frame on its way to a client.
type item struct {
	frame    []byte
	deadline time.Time // when the frame loses its worth; zero: never
	wait     *awaited  // the delivery that a publisher waits for, or nil
	message  bool      // a message of the bus, not a frame of the session itself
	last     bool      // nothing is written after it
}

// A queue is what waits to be written to one socket, in order. It counts what was taken from it until that is
// written. It is not safe for concurrent use.
type queue struct {
	items []item
	next  int // index of the first item that was not taken
	count int // items waiting or being written
	taken int // items being written
	bytes int // of the frames that wait
}

func (q *queue) waiting() int { return len(q.items) - q.next }

// has reports whether a frame of n bytes may wait as well. One may always wait alone, and what is being written does not count:
// a large message must not make a client slow that is just reading another.
func (q *queue) has(n, maxCount, maxBytes int) bool {
	held := q.count - q.taken
	return held == 0 || held < maxCount && q.bytes+n <= maxBytes
}

// keep counts an item in that waits elsewhere; unkeep counts it out.
func (q *queue) keep(it item) {
	q.count++
	q.bytes += len(it.frame)
}

func (q *queue) unkeep(it item) {
	q.count--
	q.bytes -= len(it.frame)
}

func (q *queue) push(it item) {
	if q.next > 64 && q.next*2 > len(q.items) { // a client that never quite catches up must not grow the slice
		q.items = shift(q.items, q.next)
		q.next = 0
	}
	q.items = append(q.items, it)
	q.keep(it)
}

func (q *queue) pop() item {
	it := q.items[q.next]
	q.items[q.next] = item{}
	if q.next++; q.next == len(q.items) {
		q.items, q.next = q.items[:0], 0
	}
	q.taken++
	q.bytes -= len(it.frame)
	return it
}

// written counts out n items that pop had handed out.
func (q *queue) written(n int) {
	q.count -= n
	q.taken -= n
}

// cut removes the waiting items that drop picks and returns them.
func (q *queue) cut(drop func(item) bool) []item {
	var dropped []item
	kept := q.items[:0]
	for _, it := range q.items[q.next:] {
		if !drop(it) {
			kept = append(kept, it)
			continue
		}
		dropped = append(dropped, it)
		q.unkeep(it)
	}
	clear(q.items[len(kept):])
	q.items, q.next = kept, 0
	return dropped
}

// trim gives back the memory of an idle queue.
func (q *queue) trim() {
	if q.waiting() == 0 {
		q.items = nil
	}
}

func shift(items []item, n int) []item {
	left := copy(items, items[n:])
	clear(items[left:])
	return items[:left]
}
