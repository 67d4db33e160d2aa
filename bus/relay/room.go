package relay

import (
	"context"
	"fmt"
)

// An applicant waits for room.
type applicant struct {
	bytes    int
	admitted chan struct{} // closed once the room is the applicant's
}

func (o *outbox) hasRoomLocked(bytes int) bool {
	return o.packets == 0 || o.packets < o.maxPackets && o.bytes+bytes <= o.maxBytes
}

// awaitRoomLocked lets go of the lock, and returns without it once room was set aside for the caller, or with an error.
func (o *outbox) awaitRoomLocked(ctx context.Context, bytes int) error {
	a := &applicant{bytes: bytes, admitted: make(chan struct{})}
	place := o.line.PushBack(a)
	o.mu.Unlock()
	select {
	case <-a.admitted:
		return nil
	case <-o.closed:
		return ErrClosed
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-a.admitted:
		o.releaseLocked(1, bytes)
	default:
		o.line.Remove(place)
		o.admitLocked() // a smaller one behind may fit
	}
	return fmt.Errorf("%w: %w", ErrFull, context.Cause(ctx))
}

// releaseLocked gives room back and lets in those who wait for it.
func (o *outbox) releaseLocked(packets, bytes int) {
	o.packets -= packets
	o.bytes -= bytes
	o.admitLocked()
}

func (o *outbox) admitLocked() {
	for front := o.line.Front(); front != nil; front = o.line.Front() {
		a := front.Value.(*applicant)
		if !o.hasRoomLocked(a.bytes) {
			return
		}
		o.packets++
		o.bytes += a.bytes
		o.line.Remove(front)
		close(a.admitted)
	}
}
