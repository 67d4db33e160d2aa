package gateway

import (
	"context"
	"slices"
	"sync"
)

// A hub holds the sessions of a gateway.
type hub struct {
	mu       sync.Mutex
	sessions []*session
	reserved int           // places given to handshakes under way, those of the sessions included
	empty    chan struct{} // closed when the last session is gone, if somebody waits for that
}

// reserve takes one of limit places, for a handshake.
func (h *hub) reserve(limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved >= limit {
		return false
	}
	h.reserved++
	return true
}

// cancel gives a place back whose handshake failed.
func (h *hub) cancel() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved--
	h.tellLocked()
}

// add puts a session into the place that was reserved for it.
func (h *hub) add(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.place = len(h.sessions)
	h.sessions = append(h.sessions, s)
}

// remove does nothing for a session that was never added.
func (h *hub) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.place < 0 {
		return
	}
	last := h.sessions[len(h.sessions)-1]
	h.sessions[s.place], last.place = last, s.place
	h.sessions[len(h.sessions)-1] = nil
	h.sessions = h.sessions[:len(h.sessions)-1]
	s.place = -1
	h.reserved--
	h.tellLocked()
}

func (h *hub) tellLocked() {
	if h.reserved == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
}

// wait returns nil once there is neither a session nor a handshake. ctx bounds the wait.
func (h *hub) wait(ctx context.Context) error {
	h.mu.Lock()
	if h.reserved == 0 {
		h.mu.Unlock()
		return nil
	}
	if h.empty == nil {
		h.empty = make(chan struct{})
	}
	empty := h.empty
	h.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *hub) all() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sessions)
}

// some copies the sessions from place at on, as many as into holds. Who moves while somebody walks through the hub in
// this way may be missed by that walk.
func (h *hub) some(into []*session, at int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at >= len(h.sessions) {
		return 0
	}
	return copy(into, h.sessions[at:])
}
