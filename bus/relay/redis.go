package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// startTimeout bounds a Start whose context has no deadline.
const startTimeout = 5 * time.Second

// ErrUnavailable says that Redis could not be reached, or did not let us in.
var ErrUnavailable = errors.New("relay: Redis unavailable")

// Redis is the Relay over Redis pub/sub: one connection for what is published, and one for each lane.
//
// What can be lost: everything that is published while a lane is down, from shortly before its fall, which a LaneEvent tells. What
// is doubtful: packets in flight when their connection breaks (ErrLost). What is not: a packet reported as ErrNotSent reached
// nobody, and nothing is delivered that may have lain in a buffer for more than 2.5 s.
type Redis struct {
	opts     Options
	dialer   *dialer
	meters   *meters
	outbox   *outbox
	lanes    []*lane
	goodbye  func() Packet
	group    *run.Group
	receiver Receiver // set by Start, before any goroutine
	now      func() int64
	sessions atomic.Uint64 // numbers the sessions, so that an old probe is known as such

	hopeless   chan error // one slot: Redis answers, and refuses us
	closing    chan struct{}
	close      sync.Once
	unkillable sync.Once // it was logged that former connections can't be killed

	mu          sync.Mutex
	started     bool
	lastFailure error // of opening a lane
}

var _ Relay = (*Redis)(nil)

// OpenRedis returns a relay for the Redis at the URL: redis://, rediss://, unix://, or
// redis+sentinel://[user:password@]host:port,host:port/master[?db=n&sentinel_username=…&sentinel_password=…]. It only looks at
// the URL and the options; Start connects. ctx bounds the call alone.
func OpenRedis(ctx context.Context, url string, opts *Options) (*Redis, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := parseTarget(url)
	if err != nil {
		return nil, err
	}
	m, err := newMeters(o.Metrics)
	if err != nil {
		return nil, err
	}
	opened := time.Now()
	r := &Redis{
		opts: o, dialer: newDialer(t, &o), meters: m, group: run.New(context.WithoutCancel(ctx)),
		now: func() int64 { return timeSince(opened) }, hopeless: make(chan error, 1), closing: make(chan struct{}),
	}
	r.outbox = newOutbox(r.dialer, &r.opts, m, r.clock, r.beacons)
	for i := range o.Lanes {
		r.lanes = append(r.lanes, newLane(r, i))
	}
	return r, nil
}

func (r *Redis) clock() int64 { return r.now() }

// beacons are those of the lanes that could carry a channel: as the channel itself, or by a pattern.
func (r *Redis) beacons(channel string) []string {
	names := []string{beaconChannel(r.opts.Prefix, laneOf(Channel{Name: channel}, r.opts.Lanes))}
	if pattern := beaconChannel(r.opts.Prefix, patternLane); pattern != names[0] {
		names = append(names, pattern)
	}
	return names
}

// Start attaches the node and connects. It tries until every lane stands, ctx ends (a context without a deadline is given 5 s), or
// Redis answers that it will not let us in. Its error wraps ErrUnavailable, and the relay is closed then.
func (r *Redis) Start(ctx context.Context, self Self, receiver Receiver) error {
	if self.ID == "" || receiver == nil {
		return errors.New("relay: start without a node ID or a receiver")
	}
	r.mu.Lock()
	again := r.started
	r.started = true
	r.mu.Unlock()
	if again {
		return errors.New("relay: started twice")
	}
	r.receiver, r.outbox.receiver, r.goodbye = receiver, receiver, self.Goodbye
	for _, l := range r.lanes {
		l.attach(self)
	}
	r.group.Go(func() { r.outbox.run(r.group.Context(), r.group) })
	r.group.Go(r.watch)
	if r.dialer.master != "" {
		r.group.Go(r.watchMaster)
	}
	for _, l := range r.lanes {
		r.group.Go(func() { l.run(r.group.Context()) })
	}
	if err := r.awaitLanes(ctx); err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

func (r *Redis) awaitLanes(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	for _, l := range r.lanes {
		select {
		case <-l.stood:
		case err := <-r.hopeless:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case <-r.group.Context().Done():
			return ErrClosed
		case <-ctx.Done():
			r.mu.Lock()
			defer r.mu.Unlock()
			return fmt.Errorf("%w: %w (%w)", ErrUnavailable, context.Cause(ctx), errOr(r.lastFailure, errNoPipeline))
		}
	}
	return nil
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// failed notes why a lane could not be opened, for Start.
func (r *Redis) failed(err error) {
	if isHopeless(err) {
		select {
		case r.hopeless <- err:
		default:
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastFailure = err
}

// watch ticks the lanes and reports the outbox's load.
func (r *Redis) watch() {
	tick := time.NewTicker(leaseTick)
	defer tick.Stop()
	reported := 0
	defer func() { r.meters.outbox.Sub(float64(reported)) }()
	for {
		select {
		case <-tick.C:
		case <-r.group.Context().Done():
			return
		}
		now := r.now()
		for _, l := range r.lanes {
			l.tick(now)
		}
		r.outbox.tick(now)
		load := r.outbox.load()
		r.meters.outbox.Add(float64(load - reported)) // shared with other relays
		reported = load
	}
}

// Publish implements Relay.
func (r *Redis) Publish(ctx context.Context, p Packet) error { return r.outbox.publish(ctx, &p) }

// Subscribe implements Relay. Its error wraps ErrRefused when Redis does not permit the channel, ErrTooManyPatterns beyond
// 1,000 patterns, ErrClosed, or the context's.
func (r *Redis) Subscribe(ctx context.Context, ch Channel) (release func(), err error) {
	l := r.lanes[laneOf(ch, len(r.lanes))]
	sub, err := l.subscribe(ctx, ch)
	if err != nil {
		return nil, err
	}
	var once sync.Once
	return func() { once.Do(func() { l.release(sub, r.opts.Linger) }) }, nil
}

// Alive implements Relay. It asks over the connection on which packets are published.
func (r *Redis) Alive(ctx context.Context, nodes []string) ([]int, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	args := append(make([]string, 0, 2+len(nodes)), "PUBSUB", "NUMSUB")
	for _, id := range nodes {
		args = append(args, aliveChannel(r.opts.Prefix, id))
	}
	answer, err := r.outbox.do(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("relay: count lanes: %w", err)
	}
	if len(answer.parts) != 2*len(nodes) {
		return nil, fmt.Errorf("relay: count lanes: odd answer of %d parts", len(answer.parts))
	}
	counts := make([]int, len(nodes))
	for i := range counts {
		counts[i] = int(answer.parts[2*i+1].number)
	}
	return counts, nil
}

// Close implements Relay. It returns once every goroutine has ended and every packet was reported. It must not be called from
// the receiver.
func (r *Redis) Close() error {
	r.close.Do(func() {
		close(r.closing)
		r.leave()
		r.outbox.close()
		r.group.Stop()
		r.group.Wait()
		r.outbox.abandon()
	})
	return nil
}

// leave ends what is under way in good order, as far as that takes no longer than closeTime.
func (r *Redis) leave() {
	ctx, cancel := context.WithTimeout(r.group.Context(), closeTime)
	defer cancel()
	for _, l := range r.lanes {
		l.leave()
	}
	for _, l := range r.lanes {
		select {
		case <-l.left:
		case <-ctx.Done():
		}
	}
	r.sayGoodbye(ctx)
	r.outbox.flush(ctx, closeLull)
}

// sayGoodbye publishes what the node wants published last.
func (r *Redis) sayGoodbye(ctx context.Context) {
	if r.goodbye == nil {
		return
	}
	if p := r.goodbye(); p.Channel != "" {
		_ = r.outbox.publish(ctx, &p) // without room for it the others find out by themselves
	}
}
