// Package lazy has a context that costs next to nothing until somebody looks at it.
package lazy

import (
	"context"
	"sync"
	"time"
)

// A Context ends with its parent, at its deadline, and when it is stopped. Most handlers never look at theirs, so what it costs is made at
// the first look: a call of Done, Err or Value. What ends it before that is not seen, unless it was stopped: then that is why it ended.
// The fields are set before anybody else has it; it is not copied.
type Context struct {
	Parent context.Context
	Until  time.Time // its deadline; zero: none
	Late   error     // the cause of an end at the deadline; nil: context.DeadlineExceeded

	mu      sync.Mutex
	stopped error           // why, before the first look; nil: it was not
	ctx     context.Context // what was made at the first look
	cancel  context.CancelCauseFunc
}

// Limit sets the deadline of a context that others have already. After the first look only Deadline knows of it.
func (c *Context) Limit(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Until = until
}

// Deadline is when the context ends at the latest.
func (c *Context) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Until, !c.Until.IsZero()
}

// Done is closed when the context ends.
func (c *Context) Done() <-chan struct{} { return c.look().Done() }

// Err says whether and why the context has ended.
func (c *Context) Err() error { return c.look().Err() }

// Value is the parent's. Contexts made from this one find in it the context that cancels them.
func (c *Context) Value(key any) any { return c.look().Value(key) }

// Stop ends the context. The first cause counts.
func (c *Context) Stop(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cancel != nil:
		c.cancel(cause)
	case c.stopped == nil:
		c.stopped = cause
	}
}

func (c *Context) look() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ctx != nil:
	case c.stopped != nil:
		c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(c.Parent)) // whose end came later
		c.cancel(c.stopped)
	case c.Until.IsZero():
		c.ctx, c.cancel = context.WithCancelCause(c.Parent)
	default:
		ctx, cancel := context.WithCancelCause(c.Parent)
		limited, release := context.WithDeadlineCause(ctx, c.Until, c.Late)
		c.ctx, c.cancel = limited, func(cause error) { cancel(cause); release() }
	}
	return c.ctx
}
