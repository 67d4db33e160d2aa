package bus

import "iter"

// The places of a numbered.
const (
	numberedLeast = 64
	numberedMost  = 4096
)

// numbered is a map by sequence number, 0 excepted. Such numbers come in order and most leave soon, so those at hand lie in a ring,
// where finding one is reading an array; what is still there when the ring comes round again moves to a map.
type numbered[V any] struct {
	ring []numberedPlace[V] // a power of two
	rest map[uint64]V
	n    int
}

type numberedPlace[V any] struct {
	seq   uint64 // 0: empty
	value V
}

func (m *numbered[V]) len() int { return m.n }

// place is where the number lies if it lies in the ring.
func (m *numbered[V]) place(seq uint64) *numberedPlace[V] {
	if len(m.ring) == 0 {
		return nil
	}
	return &m.ring[seq&uint64(len(m.ring)-1)]
}

// get returns the zero value for a number that is not there.
func (m *numbered[V]) get(seq uint64) V {
	if at := m.place(seq); at != nil && at.seq == seq {
		return at.value
	}
	return m.rest[seq]
}

func (m *numbered[V]) set(seq uint64, v V) {
	if _, old := m.rest[seq]; old {
		m.rest[seq] = v
		return
	}
	at := m.place(seq)
	for at == nil || at.seq != 0 && at.seq != seq && len(m.ring) < numberedMost {
		m.grow()
		at = m.place(seq)
	}
	if at.seq != seq {
		m.n++
	}
	if at.seq != 0 && at.seq != seq {
		m.moveOut(at)
	}
	at.seq, at.value = seq, v
}

// moveOut makes room in the ring.
func (m *numbered[V]) moveOut(at *numberedPlace[V]) {
	if m.rest == nil {
		m.rest = make(map[uint64]V)
	}
	m.rest[at.seq] = at.value
}

// grow doubles the ring. Numbers that did not meet before don't meet in it.
func (m *numbered[V]) grow() {
	old := m.ring
	m.ring = make([]numberedPlace[V], max(2*len(old), numberedLeast))
	for i := range old {
		if old[i].seq != 0 {
			*m.place(old[i].seq) = old[i]
		}
	}
}

func (m *numbered[V]) delete(seq uint64) {
	if at := m.place(seq); at != nil && at.seq == seq && seq != 0 {
		*at = numberedPlace[V]{}
		m.n--
		return
	}
	if _, there := m.rest[seq]; there {
		delete(m.rest, seq)
		m.n--
	}
}

// all is every number and its value, in no order. What is at hand may be deleted.
func (m *numbered[V]) all() iter.Seq2[uint64, V] {
	return func(yield func(uint64, V) bool) {
		for i := range m.ring {
			if at := m.ring[i]; at.seq != 0 && !yield(at.seq, at.value) {
				return
			}
		}
		for seq, v := range m.rest {
			if !yield(seq, v) {
				return
			}
		}
	}
}

// shrink gives memory back if nothing is there.
func (m *numbered[V]) shrink() {
	if m.n == 0 {
		m.ring, m.rest = nil, nil
	}
}
