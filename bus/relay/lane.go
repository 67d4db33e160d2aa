package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

const (
	laneLeastBackoff = 50 * time.Millisecond
	laneMostBackoff  = 500 * time.Millisecond
	// laneSteady is how long a lane has to stand for its next reconnect to be a first one again.
	laneSteady = 2 * time.Second
)

// ErrTooManyPatterns says that the node holds as many patterns as Redis can be asked to try at each PUBLISH.
var ErrTooManyPatterns = errors.New("relay: too many patterns")

// A lane is one pub/sub connection and its successors.
type lane struct {
	relay *Redis
	index int
	table *table
	probe *subscription   // the lane's own channel for its probes
	tail  []*subscription // own channels subscribed last: alive, and the beacon of a node that is not an observer
	stood chan struct{}   // closed at the first rise
	left  chan struct{}   // closed once the lane is closing and Redis holds nothing for it
	first bool            // it has not stood yet; of the reader alone

	// Guarded by table.mu.
	session *session   // nil between connections
	ghosts  []identity // former connections that Redis may not know to be gone
}

func newLane(r *Redis, index int) *lane {
	return &lane{relay: r, index: index, table: newTable(), stood: make(chan struct{}), left: make(chan struct{}), first: true}
}

// attach makes the lane's own channels, which never go.
func (l *lane) attach(self Self) {
	own := func(name string) *subscription {
		sub := l.table.putLocked(Channel{Name: name})
		sub.own, sub.wanted = true, true
		return sub
	}
	prefix := l.relay.opts.Prefix
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	l.probe = own(probeChannel(prefix, self.ID, l.index))
	l.tail = []*subscription{own(aliveChannel(prefix, self.ID))}
	if !self.Observer {
		l.tail = append(l.tail, own(beaconChannel(prefix, l.index)))
	}
}

// run keeps the lane connected until ctx ends.
func (l *lane) run(ctx context.Context) {
	for try := 1; ; try++ {
		opened := l.relay.now()
		stood, err := l.serve(ctx)
		if ctx.Err() != nil || l.closing() {
			return
		}
		if stood {
			l.relay.meters.gaps.Inc()
			l.relay.opts.Logger.Warn("lane fell", "lane", l.index, "error", err)
			l.relay.receiver.Lane(LaneEvent{Lane: l.index, Reason: err})
		} else {
			l.relay.opts.Logger.Debug("lane can't be opened", "lane", l.index, "error", err)
			l.relay.failed(err)
		}
		if stood && l.relay.now()-opened > int64(laneSteady) {
			try = 1
		}
		if !pause.For(ctx, pause.Before(try, laneLeastBackoff, laneMostBackoff)) {
			return
		}
	}
}

// serve opens one connection and reads it to its end. stood reports whether the lane stood on it.
func (l *lane) serve(ctx context.Context) (stood bool, err error) {
	s, err := l.openSession(ctx)
	if s == nil {
		return false, err
	}
	defer l.closeSession(s)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { s.end(ErrClosed) })
	defer stop()
	writer := run.New(ctx)
	writer.Go(func() { s.write(writer.Context()) })
	defer writer.Wait()
	defer writer.Stop()
	return s.read()
}

// closeSession leaves the lane without a connection, and thus without anything confirmed.
func (l *lane) closeSession(s *session) {
	s.end(errDialedOnce)
	l.table.mu.Lock()
	l.session = nil
	l.table.fellLocked()
	l.leftLocked()
	l.hauntLocked(s.link.identity)
	errands := s.kills
	if s.probe != nil {
		errands = append(errands, s.probe)
	}
	l.table.mu.Unlock()
	for _, e := range errands {
		l.relay.outbox.withdraw(e)
	}
}

// read takes what Redis sends until the connection ends.
func (s *session) read() (stood bool, err error) {
	defer func() {
		s.end(err) // stops the writer as well
		err = s.reason(err)
	}()
	for {
		p, err := s.in.next()
		// The age is taken after the read and before anything of it is used: this process may have been stopped while it lay
		// in the buffers.
		if now := s.lane.relay.now(); s.stale(now) {
			return stood, errSilent
		} else if err = s.take(&p, err, now); err != nil {
			return stood, err
		}
		if !stood && s.stands() {
			stood = true
			s.lane.rise()
		}
	}
}

func (s *session) take(p *push, err error, now int64) error {
	switch {
	case err != nil && isReply(err):
		return s.refused(err)
	case err != nil:
		return err
	case !p.isMessage():
		return s.confirmed(p)
	case p.channel == s.lane.probe.channel.Name && p.pattern == "":
		s.probeCame(p.payload, now)
	default:
		s.lane.relay.receiver.Receive(Message{Channel: p.channel, Pattern: p.pattern, Payload: p.payload})
	}
	return nil
}

// stands reports whether every channel is confirmed and a probe has come through.
func (s *session) stands() bool {
	if !s.probed.Load() {
		return false
	}
	s.lane.table.mu.Lock()
	defer s.lane.table.mu.Unlock()
	return s.whole
}

func (l *lane) rise() {
	if l.first {
		l.first = false
		close(l.stood)
		return
	}
	l.relay.meters.reconnects.Inc()
	l.relay.opts.Logger.Info("lane stands again", "lane", l.index)
	l.relay.receiver.Lane(LaneEvent{Lane: l.index, Up: true})
}

// subscribe returns once the channel is confirmed.
func (l *lane) subscribe(ctx context.Context, ch Channel) (*subscription, error) {
	l.table.mu.Lock()
	if l.table.closing {
		l.table.mu.Unlock()
		return nil, ErrClosed
	}
	sub, err := l.table.wantLocked(ch)
	if err != nil || sub.state == holdStands {
		l.table.mu.Unlock()
		return sub, err
	}
	settled := l.table.awaitLocked(sub)
	l.wakeLocked()
	l.table.mu.Unlock()
	select {
	case <-settled:
		l.table.mu.Lock()
		defer l.table.mu.Unlock()
		return sub, sub.refused
	case <-l.relay.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		l.release(sub, 0)
		return nil, fmt.Errorf("relay: subscribe to %q: %w", ch.Name, context.Cause(ctx))
	}
}

// release counts one user less of the channel, which lingers for the given time.
func (l *lane) release(sub *subscription, linger time.Duration) {
	until := int64(0)
	if linger > 0 {
		until = l.relay.now() + int64(linger)
	}
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	l.table.releaseLocked(sub, until)
	l.wakeLocked()
}

// leave gives up every channel, those that others rely on first. What Redis has appended until it confirms is handed over.
func (l *lane) leave() {
	t := l.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closing = true
	if l.session != nil {
		l.session.probing = false
	}
	for _, sub := range l.tail {
		t.forgetLocked(sub)
	}
	for _, pattern := range []bool{false, true} { // those of a kind share commands
		for _, sub := range t.subs {
			if sub.channel.Pattern == pattern {
				t.forgetLocked(sub)
			}
		}
	}
	l.leftLocked()
	l.wakeLocked()
}

// leftLocked notes that Redis holds nothing for a lane that is closing.
func (l *lane) leftLocked() {
	if !l.table.closing || l.session != nil && len(l.table.subs) > 0 {
		return
	}
	select {
	case <-l.left:
	default:
		close(l.left)
	}
}

func (l *lane) closing() bool {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	return l.table.closing
}

func (l *lane) wakeLocked() {
	if l.session != nil {
		l.session.wakeUp()
	}
}
