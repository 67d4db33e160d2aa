package bus

import (
	"context"
	"errors"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

const drainLook = 20 * time.Millisecond

// Draining tells the others that this node takes no new sockets. Everything else goes on.
func (b *Bus) Draining() {
	b.withMembers(func(now time.Duration) {
		b.members.me.flags |= memberDraining
		b.members.announce(now)
	})
}

// Drain finishes what is in flight, requests of this node and deliveries at it, and closes the bus. ctx bounds it: when it
// ends, the rest is abandoned and its error returned.
func (b *Bus) Drain(ctx context.Context) error {
	b.Draining()
	b.directory.clear() // copies that come from now on are answered: nobody is here
	ticker := time.NewTicker(drainLook)
	defer ticker.Stop()
	for {
		s := b.Stats()
		if s.Awaited == 0 && s.Unreported == 0 {
			b.draining.Store(true) // no new requests: handlers that made them have ended
		}
		if s.Pending == 0 && b.draining.Load() && s.Awaited == 0 && s.Unreported == 0 {
			return b.Close()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), b.Close())
		}
	}
}

// Close abandons what is in flight: requests end with the outcome known so far and the cause ErrBusClosed. It says goodbye to the
// others, and returns once every goroutine of the bus has ended. It is idempotent.
func (b *Bus) Close() error {
	if !b.closing.CompareAndSwap(false, true) {
		b.group.Wait()
		return nil
	}
	close(b.closed)
	b.requestsMu.Lock()
	b.requests.abandon(b.now())
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)
	err := b.relay.Close()
	b.group.Stop()
	b.group.Wait()
	return err
}

// goodbye is what the others are told once Redis counts this node no more, so that nobody has to find out. It is nothing where
// nobody knows the node.
func (b *Bus) goodbye() relay.Packet {
	b.membersMu.Lock()
	defer b.membersMu.Unlock()
	if b.members.began == 0 {
		return relay.Packet{}
	}
	return b.members.leave()
}

// noteReach keeps since when no lane stands. The caller holds lanesMu.
func (b *Bus) noteReach(now time.Duration) {
	switch {
	case len(b.down) < b.opts.Lanes:
		b.cutSince = 0
	case b.cutSince == 0:
		b.cutSince = now
	}
}
