package bus

import (
	"context"
	"errors"
	"time"
)

// How much may be under way to one channel without an answer: Redis drops a subscriber that is 32 MiB behind. Small requests are
// bounded by their number.
const (
	quotaBytes = 4 << 20
	quotaSmall = 512
)

// quota counts the bytes of requests that nobody has claimed yet, by channel. It belongs to the requests machine.
type quota struct {
	taken map[string]int
	rooms map[string]chan struct{} // of channels on which somebody waits; closed when something was freed there
}

func newQuota() quota {
	return quota{taken: make(map[string]int), rooms: make(map[string]chan struct{})}
}

// take counts the request, and reports whether it fits. One that is alone always does.
func (q *quota) take(p *pending) bool {
	size := len(p.body.bytes)
	if size < quotaSmall {
		return true
	}
	taken := q.taken[p.channel]
	if taken > 0 && taken+size > quotaBytes {
		return false
	}
	q.taken[p.channel] = taken + size
	p.size = size
	return true
}

// free gives back what the request took.
func (q *quota) free(p *pending) {
	if p.size == 0 {
		return
	}
	if q.taken[p.channel] -= p.size; q.taken[p.channel] == 0 {
		delete(q.taken, p.channel)
	}
	p.size = 0
	if room := q.rooms[p.channel]; room != nil {
		close(room)
		delete(q.rooms, p.channel)
	}
}

// wait returns a channel that is closed when something of the bus channel is freed.
func (q *quota) wait(channel string) <-chan struct{} {
	room := q.rooms[channel]
	if room == nil {
		room = make(chan struct{})
		q.rooms[channel] = room
	}
	return room
}

// takeQuota waits until the request fits. Without an error it returns with requestsMu held.
func (b *Bus) takeQuota(ctx context.Context, p *pending) error {
	waited := false
	for {
		b.requestsMu.Lock()
		if b.closing.Load() { // nobody would end it any more
			b.requestsMu.Unlock()
			return ErrBusClosed
		}
		if b.requests.quota.take(p) {
			if waited {
				p.began = b.now()
			}
			return nil
		}
		waited = true
		room, left := b.requests.quota.wait(p.channel), p.deadline-b.now()
		b.requestsMu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-room:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-b.closed:
			timer.Stop()
			return ErrBusClosed
		case <-timer.C:
			return errors.Join(ErrOverloaded, context.DeadlineExceeded)
		}
		timer.Stop()
	}
}
