package relay

import "sync/atomic"

// Sending reports whether a pipeline is in flight and nothing waits behind it.
func (r *Redis) Sending() bool {
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	return r.outbox.packets > 0 && len(r.outbox.queue) == 0
}

// Go runs fn in a goroutine that ends with the relay.
func (r *Redis) Go(fn func()) { r.group.Go(fn) }

// LastFailure is why a lane could not be opened lately.
func (r *Redis) LastFailure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastFailure
}

// Skip lets the relay's clock jump forward, as it does for a process that was stopped. It is called before Start; the
// returned function jumps.
func (r *Redis) Skip() (jump func(nanoseconds int64)) {
	var ahead atomic.Int64
	now := r.now
	r.now = func() int64 { return now() + ahead.Load() }
	return func(ns int64) { ahead.Add(ns) }
}

// LaneOf is the lane of a channel.
func (r *Redis) LaneOf(name string) int { return laneOf(Channel{Name: name}, len(r.lanes)) }
