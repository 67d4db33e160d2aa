package bus

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrGivenUp is the cause of a handler's context that ended because the publisher's did.
var ErrGivenUp = errors.New("bus: the publisher gave up")

// handling is the context of one call of a handler: it ends at the message's deadline, when the publisher gives up, when the bus
// closes, and when the handler has returned. Most handlers never look at it, so what it costs is made at the first look.
type handling struct {
	bus      context.Context // ends with the bus
	deadline time.Time       // zero: none

	mu     sync.Mutex
	over   error           // why it ended before the first look
	ctx    context.Context //nolint:containedctx // this is a context
	cancel context.CancelCauseFunc
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
		h.ctx, h.cancel = context.WithCancelCause(h.bus)
		if !h.deadline.IsZero() {
			ctx, release := context.WithDeadline(h.ctx, h.deadline)
			cancel := h.cancel
			h.ctx, h.cancel = ctx, func(cause error) { cancel(cause); release() }
		}
		if h.over != nil {
			h.cancel(h.over)
		}
	}
	return h.ctx
}

// end ends the context: the handler has returned.
func (h *handling) end() { h.stop(context.Canceled) }

// giveUp ends the context: the publisher waits no longer.
func (h *handling) giveUp() { h.stop(ErrGivenUp) }

func (h *handling) stop(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == nil {
		h.over = cause
	}
	if h.cancel != nil {
		h.cancel(cause)
	}
}
