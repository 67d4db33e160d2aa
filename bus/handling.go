package bus

import (
	"context"
	"sync"
	"time"
)

// handling is the context of one call of a handler: it ends at the message's deadline, when the bus closes, and when the
// handler has returned. Most handlers never look at it, so what it costs is made at the first look.
type handling struct {
	bus      context.Context // ends with the bus
	deadline time.Time       // zero: none

	mu     sync.Mutex
	over   bool
	ctx    context.Context //nolint:containedctx // this is a context
	cancel context.CancelFunc
}

// Deadline is the message's.
func (h *handling) Deadline() (time.Time, bool) { return h.deadline, !h.deadline.IsZero() }

// Done is closed when the context ends.
func (h *handling) Done() <-chan struct{} { return h.made().Done() }

// Err says whether and why the context has ended.
func (h *handling) Err() error { return h.made().Err() }

// Value belongs to contexts made from this one: it finds the context that cancels them.
func (h *handling) Value(key any) any { return h.made().Value(key) }

func (h *handling) made() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		if h.deadline.IsZero() {
			h.ctx, h.cancel = context.WithCancel(h.bus)
		} else {
			h.ctx, h.cancel = context.WithDeadline(h.bus, h.deadline)
		}
		if h.over {
			h.cancel()
		}
	}
	return h.ctx
}

// end ends the context: the handler has returned.
func (h *handling) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if h.cancel != nil {
		h.cancel()
	}
}
