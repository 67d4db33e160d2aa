package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Request sends a message and awaits its receipt. ctx bounds it: its deadline (5 s by default, MaxTimeout at most) is the request's,
// and cancelling it ends the request at once. The receipt is not nil whenever the message was handed over; the error is nil
// exactly when the requirement was met. See ReceiptError.
func (b *Bus) Request(ctx context.Context, to Address, event string, body Body, opts ...RequestOption) (*Receipt, error) {
	p := b.takePending()
	defer b.free(p)
	for _, opt := range opts {
		opt.applyRequest(&p.opts)
	}
	if err := b.prepare(ctx, p, to, event, body); err != nil {
		return nil, fmt.Errorf("bus: request: %w", err)
	}
	p.recall = p.opts.id != uuid.Nil
	b.hand(ctx, p)
	cause := b.await(ctx, p)
	if p.err != nil {
		return nil, fmt.Errorf("bus: request %s to %s: %w", event, to, unsentError(ctx, p.err))
	}
	r := p.receipt()
	if !to.isOwn() {
		b.metrics.observe(r)
	}
	if r.Outcome.Err() != nil {
		return r, &ReceiptError{Receipt: r, Cause: cause}
	}
	return r, nil
}

// await returns when the request is over. It returns the cause where the caller gave up.
func (b *Bus) await(ctx context.Context, p *pending) (cause error) {
	done := ctx.Done()
	for {
		select {
		case <-p.wake:
		case <-done:
			done = nil
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				continue // the machine ends it at its deadline, when the nodes had their say
			}
			cause = context.Cause(ctx)
			b.cancel(p)
		}
		over, news := b.look(p)
		if len(news) > 0 {
			b.tell(p, news)
		}
		if over {
			if cause == nil && b.closing.Load() {
				cause = ErrBusClosed
			}
			return cause
		}
	}
}

// tell calls OnDelivery. If that panics, the request ends here: p is about to be used again.
func (b *Bus) tell(p *pending, news []Delivery) {
	told := false
	defer func() {
		if !told {
			b.cancel(p)
		}
	}()
	for _, d := range news {
		p.opts.onDelivery(d)
	}
	told = true
}

func (b *Bus) cancel(p *pending) {
	b.requestsMu.Lock()
	b.requests.cancel(b.now(), p)
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)
}

func (b *Bus) look(p *pending) (over bool, news []Delivery) {
	if p.ended.Load() {
		return true, nil
	}
	b.requestsMu.Lock()
	defer b.requestsMu.Unlock()
	news, p.news = p.news, nil
	return p.over, news
}

// takePending takes one from the pool, which is the bus's own: a channel of one synctest bubble must not turn up in another.
func (b *Bus) takePending() *pending {
	if p, ok := b.pendings.Get().(*pending); ok {
		return p
	}
	p := &pending{wake: make(chan struct{}, 1)}
	p.timer.owner = p
	return p
}

// markEnded lets the goroutine that waits take the request without the machine's lock, if it is over.
func (p *pending) markEnded() {
	if p.over && p.opts.onDelivery == nil {
		p.ended.Store(true)
	}
}

// wakeUp has the goroutine that waits look at the request.
func (p *pending) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// free gives the request back to the pool. A late wake-up of the one that takes it next is harmless: it looks, and waits on.
func (b *Bus) free(p *pending) {
	clear(p.claims)
	p.request = request{to: p.to, channel: p.channel, tries: p.tries[:0], claims: p.claims[:0]}
	p.ended.Store(false)
	select {
	case <-p.wake:
	default:
	}
	b.pendings.Put(p)
}
