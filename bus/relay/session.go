package relay

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// orderChannels is how many channels one SUBSCRIBE names. Its confirmations fill Redis's output buffer for us: one
	// command for half a million would have us disconnected.
	orderChannels = 512
	// orderWindow is how many channels may wait for their confirmations.
	orderWindow = 16 * orderChannels
)

// An order is a command that was sent to Redis and is not confirmed in full.
type order struct {
	subs      []*subscription
	confirmed int
	subscribe bool
	pattern   bool
}

// A session is one connection of a lane, from dialing to its end.
type session struct {
	lane *lane
	id   uint64
	link *link
	in   pushReader
	wake chan struct{} // one slot: the writer may have something to do

	lease  atomic.Int64 // when the last probe that came back had left
	ended  atomic.Pointer[error]
	probed atomic.Bool // a probe came back

	// Guarded by lane.table.mu.
	orders      []*order // oldest first
	outstanding int
	restoring   int // channels that the lane has to hold again before it stands
	whole       bool
	probing     bool  // the probe channel is confirmed
	lastProbe   int64 // when the last probe was handed to the outbox
	probe       *errand
	kills       []*errand // of the lane's former connections: the lane does not say that it holds everything before
}

// openSession dials and subscribes to the probe channel.
func (l *lane) openSession(ctx context.Context) (*session, error) {
	link, err := l.relay.dialer.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := link.greet(ctx, l.relay.dialer.timeout); err != nil {
		link.close()
		return nil, err
	}
	s := &session{lane: l, id: l.relay.sessions.Add(1), link: link, in: pushReader{replyReader: link.in}, wake: make(chan struct{}, 1)}
	l.table.mu.Lock()
	if l.table.closing {
		l.table.mu.Unlock()
		link.close()
		return nil, ErrClosed
	}
	s.restoring = l.table.restartLocked()
	l.probe.state = holdAsked
	first := &order{subs: []*subscription{l.probe}, subscribe: true}
	s.orders, s.outstanding = []*order{first}, 1
	l.session = s
	s.exorciseLocked()
	s.restoredLocked()
	l.table.mu.Unlock()
	s.lease.Store(l.relay.now())
	err = s.send(first)
	return s, err
}

// end closes the connection. The first reason counts.
func (s *session) end(reason error) {
	s.ended.CompareAndSwap(nil, &reason)
	s.link.close()
}

// reason is why the session ended: what it was ended with, or else err.
func (s *session) reason(err error) error {
	if r := s.ended.Load(); r != nil {
		return *r
	}
	return err
}

// write sends orders until ctx or the connection ends.
func (s *session) write(ctx context.Context) {
	for {
		o := s.nextOrder()
		if o == nil {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if err := s.send(o); err != nil {
			s.end(err)
			return
		}
	}
}

// nextOrder takes what is next in line: channels of one kind, to be done with one command.
func (s *session) nextOrder() *order {
	t := s.lane.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.outstanding >= orderWindow {
		return nil
	}
	o := &order{}
	taken := 0
	for _, sub := range t.pending {
		if !s.joinLocked(o, sub) {
			break
		}
		taken++
	}
	clear(t.pending[:taken])
	t.pending = t.pending[taken:]
	if len(o.subs) == 0 {
		return nil
	}
	s.orders = append(s.orders, o)
	s.outstanding += len(o.subs)
	return o
}

// joinLocked adds the subscription to the order, or passes over it because nothing is to do for it any more. It reports
// false when it needs an order of its own.
func (s *session) joinLocked(o *order, sub *subscription) bool {
	subscribe := sub.wanted && sub.state == holdNone
	if !subscribe && (sub.wanted || sub.state != holdStands) {
		sub.queued = false
		s.restoredOneLocked(sub) // given up before its turn came
		return true
	}
	if len(o.subs) == 0 {
		o.subscribe, o.pattern = subscribe, sub.channel.Pattern
	} else if o.subscribe != subscribe || o.pattern != sub.channel.Pattern || len(o.subs) >= orderChannels ||
		sub.alone || o.subs[0].alone {
		return false
	}
	sub.queued = false
	sub.state = holdLeaves
	if subscribe {
		sub.state = holdAsked
	}
	o.subs = append(o.subs, sub)
	return true
}

// send writes the command that the order is.
func (s *session) send(o *order) error {
	args := make([]string, 1, len(o.subs)+1)
	args[0] = o.command()
	for _, sub := range o.subs {
		args = append(args, sub.channel.Name)
	}
	if err := s.link.wire.SetWriteDeadline(time.Now().Add(s.lane.relay.dialer.timeout)); err != nil {
		return err
	}
	writeCommand(s.link.out, args...)
	return s.link.out.Flush()
}

func (o *order) command() string {
	switch {
	case o.subscribe && o.pattern:
		return "PSUBSCRIBE"
	case o.subscribe:
		return "SUBSCRIBE"
	case o.pattern:
		return "PUNSUBSCRIBE"
	default:
		return "UNSUBSCRIBE"
	}
}

// confirmed takes one confirmation. They come in the order of the commands.
func (s *session) confirmed(c *push) error {
	l := s.lane
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	if len(s.orders) == 0 {
		return fmt.Errorf("relay: %s of %q was not asked for", c.kind, c.channel)
	}
	o := s.orders[0]
	sub := o.subs[o.confirmed]
	if sub.channel.Name != c.channel {
		return fmt.Errorf("relay: %s of %q came in place of %q", c.kind, c.channel, sub.channel.Name)
	}
	o.confirmed++
	s.outstanding--
	if o.confirmed == len(o.subs) {
		s.orders = s.orders[1:]
	}
	l.table.confirmedLocked(sub, o.subscribe)
	s.restoredOneLocked(sub)
	if o.subscribe {
		s.ownConfirmedLocked(sub)
	}
	l.leftLocked()
	if len(l.table.pending) > 0 && s.outstanding <= orderWindow/2 {
		s.wakeUp()
	}
	return nil
}

// refused takes an error reply: Redis refuses a command as a whole, and it answers in order. What had company is asked
// for again alone, so that one forbidden channel does not cost the others.
func (s *session) refused(err error) error {
	t := s.lane.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(s.orders) == 0 || s.orders[0].confirmed > 0 || !s.orders[0].subscribe {
		return err
	}
	o := s.orders[0]
	s.orders = s.orders[1:]
	s.outstanding -= len(o.subs)
	for _, sub := range o.subs {
		sub.state = holdNone
		switch {
		case len(o.subs) > 1:
			sub.alone = true
			t.enqueueLocked(sub)
		case sub.own || sub.granted || isAbsence(err):
			// Somebody relies on it: the lane must not stand without it.
			return fmt.Errorf("%w: subscribe to %q: %w", ErrRefused, sub.channel.Name, err)
		default:
			t.deleteLocked(sub)
			sub.wanted = false
			t.settleLocked(sub, fmt.Errorf("%w: subscribe to %q: %w", ErrRefused, sub.channel.Name, err))
			s.restoredOneLocked(sub)
		}
	}
	s.wakeUp()
	return nil
}

func (s *session) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// restoredOneLocked counts down what has to be held before the lane stands.
func (s *session) restoredOneLocked(sub *subscription) {
	if !sub.restoring {
		return
	}
	sub.restoring = false
	s.restoring--
	s.restoredLocked()
}

// restoredLocked asks, once it is so, for what says to others that the lane holds everything: the alive channel, the beacon
// last.
func (s *session) restoredLocked() {
	if s.restoring > 0 || len(s.kills) > 0 {
		return
	}
	for _, sub := range s.lane.tail {
		s.lane.table.enqueueLocked(sub)
	}
	s.wakeUp()
}

func (s *session) ownConfirmedLocked(sub *subscription) {
	switch {
	case !sub.own:
	case sub == s.lane.probe:
		s.probing = true
		s.postProbeLocked(s.lane.relay.now())
	case sub == s.lane.tail[len(s.lane.tail)-1]:
		s.whole = true
	}
}
