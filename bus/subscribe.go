package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/ackbus/ackbus/bus/relay"
)

// A Subscription is a Go handler's place at an address.
type Subscription struct {
	at  *Attachment
	key string
}

type subscribeOptions struct {
	once        bool
	concurrency int
	size        int
}

// A SubscribeOption changes one subscription.
type SubscribeOption func(*subscribeOptions)

// Once ends the subscription with the first message.
func Once() SubscribeOption { return func(o *subscribeOptions) { o.once = true } }

// Concurrency lets the handler run n times at once; below 1 counts as 1, which is the default and keeps order.
func Concurrency(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.concurrency = max(n, 1) }
}

// QueueSize is how many messages may wait for the handler; what does not fit is rejected as overloaded. 0 is Options.QueueSize,
// below that none waits: only those that can be handled at once are taken.
func QueueSize(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.size = n }
}

// Subscribe has h handle the messages to an address. It returns once Redis has confirmed the address; ctx bounds the call. Messages
// wait in one queue of Options.QueueSize (see QueueSize); what does not fit is rejected as overloaded.
func (b *Bus) Subscribe(ctx context.Context, to Address, h Handler, opts ...SubscribeOption) (*Subscription, error) {
	if err := to.check(); err != nil {
		return nil, err
	}
	if to.kind == "socket" {
		return nil, fmt.Errorf("%w: a handler can't subscribe to a socket", ErrAddress)
	}
	if !b.mayHold(to) {
		return nil, fmt.Errorf("%w: %s is not at this node (%s, %s)", ErrAddress, clip(to.String()), b.name, b.idText)
	}
	return b.subscribe(ctx, to.String(), to, relay.Channel{Name: addressChannel(b.prefix, to)}, h, opts)
}

// SubscribePattern has h handle the messages to every topic that matches the glob-style pattern, as Redis knows it: * any text,
// ? one byte, [ab] one of them, \ takes the next literally. It is like Subscribe otherwise.
func (b *Bus) SubscribePattern(ctx context.Context, pattern string, h Handler, opts ...SubscribeOption) (*Subscription, error) {
	if err := checkName("topic", pattern); err != nil {
		return nil, err
	}
	channel := relay.Channel{Name: patternChannel(b.prefix, pattern), Pattern: true}
	return b.subscribe(ctx, channel.Name, Topic(pattern), channel, h, opts)
}

func (b *Bus) subscribe(ctx context.Context, key string, to Address, channel relay.Channel, h Handler,
	opts []SubscribeOption,
) (*Subscription, error) {
	if h == nil {
		return nil, errors.New("bus: subscribe: the handler is nil")
	}
	o := subscribeOptions{concurrency: 1}
	for _, opt := range opts {
		opt(&o)
	}
	q := &queue{bus: b, handler: h, size: max(cmp.Or(o.size, b.opts.QueueSize), 0), concurrency: o.concurrency}
	s := &Subscription{key: key, at: b.attachment(q, Profile{Carrier: CarrierHandler}, 1)}
	if o.once {
		q.once = s.Close
	}
	err := s.at.join(ctx, key, to, channel)
	if err != nil && (!o.once || !errors.Is(err, errDetached)) { // once, its message may have come already
		return nil, err
	}
	return s, nil
}

// Close ends the subscription. What is queued is still handled. It is idempotent, and may be called from the handler.
func (s *Subscription) Close() { s.at.Detach() }
