package rpc

import (
	"sync"
	"sync/atomic"
)

// slots bound how many calls of a method run at once. The bus bounds each of a method's addresses, and this the two together, so that
// nobody waits here unless single calls and calls to every instance meet.
type slots struct {
	limit   int64
	taken   atomic.Int64
	waiting atomic.Int64

	mu    sync.Mutex
	freed sync.Cond
}

func newSlots(limit int) *slots {
	s := &slots{limit: int64(limit)}
	s.freed.L = &s.mu
	return s
}

// take waits for a slot. It reports whether it had to wait.
func (s *slots) take() (waited bool) {
	if s.tryTake() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.Add(1)
	for !s.tryTake() {
		s.freed.Wait()
	}
	s.waiting.Add(-1)
	return true
}

func (s *slots) tryTake() bool {
	for {
		n := s.taken.Load()
		if n >= s.limit {
			return false
		}
		if s.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *slots) release() {
	s.taken.Add(-1)
	if s.waiting.Load() == 0 { // whoever comes now sees the slot that is free
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freed.Signal()
}
