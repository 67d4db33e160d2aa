package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/internal/lazy"
	"github.com/ackbus/ackbus/internal/pause"
)

// The context of an attempt says the same whether its handler looked at it before its end or after.
func TestHandling(t *testing.T) {
	const limit = time.Second
	for name, c := range map[string]struct {
		end       error         // nil: nobody ends it
		at, after time.Duration // when it is ended, and when it is looked at
		pool      bool          // its pool has ended before it is looked at
		err       error
		cause     error
	}{
		"under way":          {after: limit / 2},
		"over its limit":     {after: 2 * limit, err: context.DeadlineExceeded, cause: ErrTimeLimit},
		"lost":               {end: ErrLeaseLost, after: limit / 2, err: context.Canceled, cause: ErrLeaseLost},
		"lost, looked later": {end: ErrLeaseLost, after: 2 * limit, err: context.Canceled, cause: ErrLeaseLost},
		"returned":           {end: context.Canceled, after: 2 * limit, err: context.Canceled, cause: context.Canceled},
		"given up":           {end: errTest, at: 2 * limit, after: 3 * limit, err: context.DeadlineExceeded, cause: ErrTimeLimit},
		"drained":            {end: ErrDraining, after: limit / 2, pool: true, err: context.Canceled, cause: ErrDraining},
		"its pool has ended": {after: limit / 2, pool: true, err: context.Canceled, cause: context.Canceled},
	} {
		for _, early := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				a := &attempt{job: &Job{ID: "x"}}
				pool, cancel := context.WithCancel(t.Context())
				defer cancel()
				a.ctx = &handling{attempt: a, Context: lazy.Context{Parent: pool, Late: ErrTimeLimit}}
				a.ctx.Limit(time.Now().Add(limit))
				var child context.Context
				if early {
					var stop context.CancelFunc
					child, stop = context.WithCancel(a.ctx)
					defer stop()
				}
				pause.For(t.Context(), c.at) // of virtual time
				if c.end != nil {
					a.ctx.end(c.end)
					a.ctx.end(errors.New("a second reason"))
				}
				if c.pool {
					cancel()
				}
				pause.For(t.Context(), c.after-c.at)
				synctest.Wait()
				if a.ctx.Err() != c.err || context.Cause(a.ctx) != c.cause { //nolint:errorlint // the very same
					t.Errorf("%s, looked early %v: %v because of %v", name, early, a.ctx.Err(), context.Cause(a.ctx))
				}
				if early && (child.Err() == nil) != (c.err == nil) {
					t.Errorf("%s: a context made from it: %v", name, child.Err())
				}
				if job, ok := JobOf(a.ctx); !ok || job.ID != "x" {
					t.Errorf("%s: its job is %v", name, job)
				}
				a.ctx.end(context.Canceled)
			})
		}
	}
}
