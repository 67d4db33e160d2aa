package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// MaxTimeout is how long a request may take at most.
const MaxTimeout = 10 * time.Minute

// Published is what is known of a message that was only published.
type Published struct {
	ID        uuid.UUID `json:"id"`
	Receivers int       `json:"receivers"` // connections that Redis handed it to: a hint, not a promise
}

// Publish sends a message without awaiting a receipt. It returns once Redis has counted the connections that it handed the
// message to; ctx bounds the call (default 5 s). ErrUnavailable: nothing was sent. ErrUnknown: it may have been.
func (b *Bus) Publish(ctx context.Context, to Address, event string, body Body, opts ...PublishOption) (Published, error) {
	p := b.takePending()
	defer b.free(p)
	for _, opt := range opts {
		opt.applyPublish(&p.opts)
	}
	p.publish = true
	if err := b.prepare(ctx, p, to, event, body); err != nil {
		return Published{}, fmt.Errorf("publish: %w", err)
	}
	done := Published{ID: p.id}
	b.hand(ctx, p)
	cause := b.await(ctx, p)
	switch {
	case p.err == nil && p.latest().state == tryCounted:
		done.Receivers = p.latest().count
		return done, nil
	case p.err == nil || errors.Is(p.err, relay.ErrLost):
		return done, fmt.Errorf("bus: publish %s to %s: %w", event, to, errors.Join(ErrUnknown, cause))
	}
	return Published{}, fmt.Errorf("bus: publish %s to %s: %w", event, to, unsentError(ctx, p.err))
}

// prepare checks what is to be sent, and fills in the request.
func (b *Bus) prepare(ctx context.Context, p *pending, to Address, event string, body Body) error {
	if err := errors.Join(to.check(), checkEvent(event), b.checkBody(body), checkHeaders(p.opts.headers)); err != nil {
		return err
	}
	if b.closing.Load() || b.draining.Load() {
		return ErrBusClosed
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	now := b.now()
	wall := b.epoch.Add(now)
	if p.to != to { // p has often been to the same address before
		p.to, p.channel = to, addressChannel(b.prefix, to)
	}
	p.id, p.event, p.body = p.opts.id, event, body
	if p.id == uuid.Nil {
		p.id = newIDAt(wall)
	}
	left := b.opts.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(deadline.Sub(wall), MaxTimeout)
	}
	p.began, p.deadline = now, now+left
	return nil
}

func checkEvent(event string) error {
	if event == "" || len(event) > MaxName || !isPlain(event) && !utf8.ValidString(event) {
		return fmt.Errorf("bus: bad event %q: want 1 to %d bytes of UTF-8", clip(event), MaxName)
	}
	return nil
}

func (b *Bus) checkBody(body Body) error {
	if body.err != nil {
		return body.err
	}
	if len(body.bytes) > b.opts.MaxBody {
		return fmt.Errorf("%w: the body has %d bytes, at most %d are allowed", ErrTooLarge, len(body.bytes), b.opts.MaxBody)
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// hand registers the request and hands its first attempt to the relay.
func (b *Bus) hand(ctx context.Context, p *pending) {
	if err := b.takeQuota(ctx, p); err != nil {
		p.err, p.over = err, true
		p.wakeUp()
		return
	}
	now := p.began
	b.requests.start(now, p)
	floor := b.requests.window.floor
	b.requestsMu.Unlock()
	b.rouse()

	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	packet := p.packet(b.id, now, floor, (*buf)[:0])
	packet.Patience = patience(p.deadline - now)
	err := b.relayPublish(ctx, packet, p.deadline-now)
	if *buf = packet.Payload; cap(*buf) <= 64<<10 {
		buffers.Put(buf)
	}
	if err != nil {
		b.unsent(packet.Token, err)
	}
}

// patience is how long a first attempt may wait for Redis: a little less than the request, so that it ends as not sent and not
// as unknown.
func patience(left time.Duration) time.Duration {
	if left > unsentMost+unsentSpare {
		return unsentMost
	}
	return max(left-min(left/10, unsentSpare), time.Millisecond)
}

// relayPublish hands a packet over, and waits for room only where there is none.
func (b *Bus) relayPublish(ctx context.Context, packet relay.Packet, most time.Duration) error {
	err := b.relay.Publish(ctx, packet)
	if !errors.Is(err, relay.ErrFull) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	packet.Wait = true
	return b.relay.Publish(ctx, packet)
}

// unsent tells the machine that the relay did not take a packet.
func (b *Bus) unsent(token uint64, err error) {
	b.published([]relay.Result{{Token: token, Err: errors.Join(relay.ErrNotSent, err)}})
}

// unsentError is the error of a call that sent nothing.
func unsentError(ctx context.Context, err error) error {
	err = unavailable(err)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// unavailable turns an error of the relay into one of the bus.
func unavailable(err error) error {
	switch {
	case errors.Is(err, relay.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, relay.ErrClosed):
		return fmt.Errorf("%w (%w)", ErrBusClosed, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrIDConflict),
		errors.Is(err, ErrBusClosed), errors.Is(err, ErrOverloaded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// newID makes an ID for now.
func newID() uuid.UUID { return newIDAt(time.Now()) }

// newIDAt makes an ID: UUIDv7 (RFC 9562, section 5.7), so that IDs sort by time. It is no secret.
func newIDAt(t time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(t.UnixMilli())<<16|uint64(rand.Uint32())&0xfff|7<<12)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&(1<<62-1)|1<<63)
	return id
}
