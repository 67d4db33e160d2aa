// Package run owns goroutines. Every goroutine of the project starts through a Group, so that each has somebody who asks
// it to stop and somebody who waits until it has.
package run

import (
	"context"
	"sync"
)

// A Group is a set of goroutines with one life. The zero value is not usable; make one with New.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	running int
	stopped bool
	idle    chan struct{} // closed when stopped and nothing runs
}

// New returns a group whose context descends from ctx: when ctx ends, the goroutines are asked to stop.
func New(ctx context.Context) *Group {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{ctx: ctx, cancel: cancel, idle: make(chan struct{})}
}

// Context ends when the group is asked to stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs fn in a goroutine of the group. It reports false, and runs nothing, once the group has been stopped.
func (g *Group) Go(fn func()) bool {
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return false
	}
	g.running++
	g.mu.Unlock()
	go func() {
		defer g.done()
		fn()
	}()
	return true
}

func (g *Group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.stopped && g.running == 0 {
		close(g.idle)
	}
}

// Stop asks the goroutines to stop without waiting for them. It may be called more than once, also from within the group.
func (g *Group) Stop() {
	g.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.stopped = true
	if g.running == 0 {
		close(g.idle)
	}
}

// Wait returns once Stop was called and every goroutine of the group has ended.
func (g *Group) Wait() { <-g.idle }

// Stopped is closed once the group was stopped and every goroutine of it has ended.
func (g *Group) Stopped() <-chan struct{} { return g.idle }
