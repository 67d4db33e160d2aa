package worker

import (
	"time"

	"github.com/ackbus/ackbus/internal/lazy"
)

// handling is the context of one attempt: it ends with the time limit, the lease, the job or the pool, and when the handler has returned.
type handling struct {
	lazy.Context

	attempt *attempt
}

// Value knows the attempt.
func (h *handling) Value(key any) any {
	if key == (jobKey{}) {
		return h.attempt
	}
	return h.Context.Value(key)
}

// end ends the context, unless the pool or the time limit has ended it before: that is found by looking.
func (h *handling) end(why error) {
	deadline, limited := h.Deadline()
	if h.Parent.Err() != nil || limited && !time.Now().Before(deadline) {
		_ = h.Err()
	}
	h.Stop(why)
}
