package worker

import (
	"context"
	"sync"
	"time"
)

// handling is the context of one attempt: it ends with the time limit, the lease, the job or the pool, and when the handler has
// returned. Most handlers never look at it, so what it costs is made at the first look.
type handling struct {
	attempt *attempt
	pool    context.Context // ends with the pool

	mu       sync.Mutex
	deadline time.Time       // zero: none, or it has not begun
	over     error           // why it ended before the first look
	ctx      context.Context //nolint:containedctx // this is a context
	cancel   context.CancelCauseFunc
}

// Deadline is when the attempt's time limit is over.
func (h *handling) Deadline() (time.Time, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.deadline, !h.deadline.IsZero()
}

// Done is closed when the context ends.
func (h *handling) Done() <-chan struct{} { return h.made().Done() }

// Err says whether and why the context has ended.
func (h *handling) Err() error { return h.made().Err() }

// Value knows the attempt, and what contexts made from this one look for: the context that cancels them.
func (h *handling) Value(key any) any {
	if key == (jobKey{}) {
		return h.attempt
	}
	return h.made().Value(key)
}

// limit sets the deadline, before the handler begins.
func (h *handling) limit(deadline time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline = deadline
}

func (h *handling) made() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		pool := h.pool
		if h.over != nil {
			pool = context.WithoutCancel(pool) // whose end came later
		}
		ctx, cancel := context.WithCancelCause(pool)
		h.ctx, h.cancel = ctx, cancel
		if h.over != nil {
			cancel(h.over)
		}
		if !h.deadline.IsZero() {
			limited, release := context.WithDeadlineCause(ctx, h.deadline, ErrTimeLimit)
			h.ctx, h.cancel = limited, func(cause error) { cancel(cause); release() }
		}
	}
	return h.ctx
}

// end ends the context, the first time for the reason that it gives.
func (h *handling) end(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ended := h.pool.Err() != nil || !h.deadline.IsZero() && !time.Now().Before(h.deadline)
	switch {
	case h.cancel != nil:
		h.cancel(why)
	case h.over == nil && !ended: // else the first look finds what had ended it
		h.over = why
	}
}
