package lazy_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/internal/lazy"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

var (
	errLate    = errors.New("late")
	errParent  = errors.New("the parent's")
	errStopped = errors.New("stopped")
)

const limit = time.Second

// An ending is what happens to a context.
type ending func(ctx *lazy.Context, endParent context.CancelCauseFunc)

func stopped(ctx *lazy.Context, _ context.CancelCauseFunc)        { ctx.Stop(errStopped) }
func orphaned(_ *lazy.Context, endParent context.CancelCauseFunc) { endParent(errParent) }
func stoppedAgain(ctx *lazy.Context, _ context.CancelCauseFunc) {
	ctx.Stop(errStopped)
	ctx.Stop(errLate)
}
func stoppedFirst(ctx *lazy.Context, endParent context.CancelCauseFunc) {
	ctx.Stop(errStopped)
	endParent(errParent)
}

// A context says the same whether it was looked at from its beginning or only after its end.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		ending  ending        // nil: nothing happens to it
		limited bool          // it has a deadline
		late    error         // the deadline's cause
		after   time.Duration // when it is looked at in the end
		err     error
		cause   error
	}{
		"under way":           {},
		"before its deadline": {limited: true, late: errLate, after: limit / 2},
		"at its deadline":     {limited: true, after: limit, err: context.DeadlineExceeded, cause: context.DeadlineExceeded},
		"late":                {limited: true, late: errLate, after: limit, err: context.DeadlineExceeded, cause: errLate},
		"orphaned":            {ending: orphaned, err: context.Canceled, cause: errParent},
		"orphaned in time":    {ending: orphaned, limited: true, late: errLate, after: limit / 2, err: context.Canceled, cause: errParent},
		"stopped":             {ending: stopped, err: context.Canceled, cause: errStopped},
		"stopped in time":     {ending: stopped, limited: true, late: errLate, after: 2 * limit, err: context.Canceled, cause: errStopped},
		"stopped first":       {ending: stoppedFirst, limited: true, err: context.Canceled, cause: errStopped},
		"stopped twice":       {ending: stoppedAgain, err: context.Canceled, cause: errStopped},
	} {
		for _, early := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				parent, endParent := context.WithCancelCause(t.Context())
				defer endParent(nil)
				ctx := &lazy.Context{Parent: parent, Late: c.late}
				defer ctx.Stop(context.Canceled) // releases the timer
				if c.limited {
					ctx.Until = time.Now().Add(limit)
				}
				if early && ctx.Err() != nil {
					t.Errorf("%s: at the beginning: %v", name, ctx.Err())
				}
				if c.ending != nil {
					c.ending(ctx, endParent)
				}
				pause.For(t.Context(), c.after) // of virtual time
				synctest.Wait()
				if ctx.Err() != c.err || context.Cause(ctx) != c.cause { //nolint:errorlint // the very same
					t.Errorf("%s, looked at early %v: %v because of %v", name, early, ctx.Err(), context.Cause(ctx))
				}
				if closed(ctx) != (c.err != nil) {
					t.Errorf("%s, looked at early %v: its end is closed: %v", name, early, closed(ctx))
				}
			})
		}
	}
}

func closed(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

type key struct{}

// A context has the deadline that it was given, and its parent's values, also when it was stopped before anybody looked.
func TestDeadlineAndValues(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		ctx := &lazy.Context{Parent: context.WithValue(t.Context(), key{}, "of the parent")}
		if deadline, ok := ctx.Deadline(); ok || !deadline.IsZero() {
			t.Errorf("a deadline that nobody set: %v, %v", deadline, ok)
		}
		until := time.Now().Add(time.Hour)
		ctx.Limit(until)
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(until) {
			t.Errorf("deadline = %v, %v; want %v", deadline, ok, until)
		}
		if stopped {
			ctx.Stop(errStopped)
		}
		if v := ctx.Value(key{}); v != "of the parent" {
			t.Errorf("stopped %v: its value is %v", stopped, v)
		}
		ctx.Stop(context.Canceled)
	}
}

// Contexts made from one end with it, and need no goroutine for that.
func TestChildren(t *testing.T) {
	for _, until := range []time.Time{{}, time.Now().Add(time.Hour)} {
		ctx := &lazy.Context{Parent: context.Background(), Until: until}
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines, and %d with a child", before, n)
		}
		other, leave := context.WithCancel(ctx)
		leave()
		if child.Err() != nil || ctx.Err() != nil || other.Err() == nil {
			t.Errorf("one child was cancelled: %v, its parent %v, the other %v", other.Err(), ctx.Err(), child.Err())
		}
		ctx.Stop(errStopped)
		if !errors.Is(context.Cause(child), errStopped) {
			t.Errorf("the child ended because of %v", context.Cause(child))
		}
	}
}

// Whoever looks and whoever stops may come at once: all see one end, for one reason.
func TestAtOnce(t *testing.T) {
	reasons := []error{errLate, errParent, errStopped}
	for range 200 {
		ctx := &lazy.Context{Parent: t.Context()}
		group := run.New(context.Background())
		var mu sync.Mutex
		seen := make(map[error]bool)
		for _, reason := range reasons {
			group.Go(func() { ctx.Stop(reason) })
			group.Go(func() {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				seen[context.Cause(ctx)] = true
			})
			group.Go(func() { ctx.Limit(time.Now().Add(time.Hour)) })
		}
		group.Stop()
		group.Wait()
		if cause := context.Cause(ctx); len(seen) != 1 || !seen[cause] || cause == nil {
			t.Fatalf("reasons that were seen: %v; in the end it is %v", seen, cause)
		}
	}
}

// A context that nobody looks at costs itself and nothing more.
func TestUnseenCostsNothing(t *testing.T) {
	var ctx *lazy.Context
	parent, until := t.Context(), time.Now().Add(time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		ctx = &lazy.Context{Parent: parent, Until: until}
		ctx.Deadline()
		ctx.Stop(context.Canceled)
	}); n != 1 {
		t.Errorf("%v allocations; want 1", n)
	}
}
