package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/run"
)

// A Node is one process attached to the bus.
type Node struct {
	ID       uuid.UUID
	Name     string
	Sockets  int           // endpoints attached with a socket
	Methods  int           // rpc methods served
	Version  uint64        // of the list of these methods; it changes when the list does
	Settled  bool          // it knows the other members
	Draining bool          // it takes no new sockets
	Observer bool          // a short-lived client
	Seen     time.Duration // since it was last heard of; 0 for this node itself
}

// A Bus attaches this process to the others. Its methods may be called from many goroutines.
type Bus struct {
	id     uuid.UUID
	idText string
	name   string
	prefix string
	opts   Options
	log    *slog.Logger
	relay  relay.Relay
	group  *run.Group
	epoch  time.Time            // when now was 0
	now    func() time.Duration // since the bus's epoch, by the monotonic clock; never 0

	directory  *directory
	sockets    atomic.Int64
	lastSocket atomic.Uint64
	metrics    *metrics

	requestsMu sync.Mutex
	requests   *requests
	pendings   sync.Pool

	claimsMu sync.Mutex
	claims   *claims

	membersMu  sync.Mutex
	members    *members
	membership atomic.Uint64 // changes of the members

	lanesMu  sync.Mutex
	down     map[int]bool
	cutSince time.Duration // since when no lane stands; 0: one does

	holdsMu sync.Mutex
	holds   map[string]*hold // by key of the address

	asleep   atomic.Bool   // the clock waits for something to do
	woken    chan struct{} // one slot
	reports  chan struct{} // one slot: batches are to be sealed
	draining atomic.Bool   // no new requests
	closing  atomic.Bool
	closed   chan struct{} // closed when closing begins
}

// Open attaches to Redis. ctx bounds the call. Errors that wrap ErrUnavailable say that Redis can't be reached.
func Open(ctx context.Context, redisURL string, opts *Options) (*Bus, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	r, err := relay.OpenRedis(ctx, redisURL, &relay.Options{Prefix: o.Prefix, Lanes: o.Lanes, Logger: o.Logger, Metrics: o.Metrics})
	if err != nil {
		return nil, fmt.Errorf("bus: open: %w", err)
	}
	return New(ctx, r, &o)
}

// New attaches to a relay, which it closes when it is closed itself, or when New fails. ctx bounds the call.
func New(ctx context.Context, r relay.Relay, opts *Options) (*Bus, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	epoch := time.Now()
	b := newBus(newID(), r, o, func() time.Duration { return time.Since(epoch) + time.Minute }) // so that 0 is long ago
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bus: start: %w", unavailable(err)), b.Close())
	}
	return b, nil
}

func newBus(id uuid.UUID, r relay.Relay, o Options, clock func() time.Duration) *Bus {
	b := &Bus{id: id, idText: id.String(), name: o.Name, prefix: o.Prefix, opts: o, relay: r,
		log: o.Logger.With(slog.String("node", o.Name)), group: run.New(context.Background()), now: clock, epoch: time.Now().Add(-clock()),
		directory: newDirectory(), requests: newRequests(id, o.Prefix), claims: newClaims(id, o.Name, o.Prefix, o.MaxAwaited),
		members: newMembers(id, o.Name, o.Prefix, o.Observer), down: make(map[int]bool), woken: make(chan struct{}, 1),
		reports: make(chan struct{}, 1), holds: make(map[string]*hold), closed: make(chan struct{})}
	b.metrics = newMetrics(b, o.Metrics)
	b.members.log = func(event string, m *member) {
		b.log.Debug(event, slog.String("member", m.name), slog.String("id", m.id.String()))
	}
	return b
}

// start attaches the node and has time pass for it.
func (b *Bus) start(ctx context.Context) error {
	if err := b.attach(ctx); err != nil {
		return err
	}
	b.group.Go(b.keepTime)
	b.group.Go(b.sendReports)
	b.group.Go(b.watchLiveness)
	return nil
}

// attach subscribes the node's own channels, and makes it known.
func (b *Bus) attach(ctx context.Context) error {
	if err := b.relay.Start(ctx, relay.Self{ID: b.idText, Observer: b.opts.Observer, Goodbye: b.goodbye}, receiver{b}); err != nil {
		return err
	}
	for _, channel := range []string{replyChannel(b.prefix, b.id), nodeChannel(b.prefix, b.idText), membersChannel(b.prefix)} {
		if _, err := b.relay.Subscribe(ctx, relay.Channel{Name: channel}); err != nil {
			return err
		}
	}
	b.withMembers(func(now time.Duration) { b.members.start(now) })
	return nil
}

// Node is this node as the others see it.
func (b *Bus) Node() Node { return b.Nodes()[0] }

// Nodes lists the members: this node first, the others by name.
func (b *Bus) Nodes() []Node {
	b.membersMu.Lock()
	defer b.membersMu.Unlock()
	b.members.me.sockets = int(b.sockets.Load())
	return b.members.nodes(b.now())
}

// Membership is a number that changes whenever a member joins, leaves, drains, or serves other methods.
func (b *Bus) Membership() uint64 { return b.membership.Load() }

// Serve makes known how many methods this node serves, and the version of their list. Package rpc calls it.
func (b *Bus) Serve(methods int, version uint64) {
	b.withMembers(func(now time.Duration) {
		b.members.me.methods, b.members.me.version = methods, version
		b.members.changes++
		b.members.announce(now)
	})
}

// Living reports of each node whether Redis holds a connection of it. ctx bounds the call.
func (b *Bus) Living(ctx context.Context, nodes ...uuid.UUID) ([]bool, error) {
	names := make([]string, len(nodes))
	for i, id := range nodes {
		names[i] = id.String()
	}
	counts, err := b.relay.Alive(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("bus: living nodes: %w", unavailable(err))
	}
	living := make([]bool, len(nodes))
	for i, n := range counts {
		living[i] = n > 0
	}
	return living, nil
}

// Timeout is how long a request may take whose context has no deadline: Options.Timeout.
func (b *Bus) Timeout() time.Duration { return b.opts.Timeout }

// Prefix begins every Redis key and channel of the bus.
func (b *Bus) Prefix() string { return b.prefix }

// Ready is nil while Redis is reached, every lane stands, and the members are known; otherwise it says what is missing.
func (b *Bus) Ready() error {
	b.lanesMu.Lock()
	down := len(b.down)
	b.lanesMu.Unlock()
	b.membersMu.Lock()
	settled := b.members.settled
	b.membersMu.Unlock()
	switch {
	case b.closing.Load():
		return ErrBusClosed
	case down > 0:
		return fmt.Errorf("%w: %d lanes are down", ErrUnavailable, down)
	case !settled:
		return errors.New("bus: the other members are not known yet")
	}
	return nil
}

// Steady reports whether what this node knows of the others is whole: Redis is reached, every lane stands, and whoever is a member
// has announced itself since a lane was down. Ready comes first: for a second or two it says so of a node whose knowledge has a gap.
func (b *Bus) Steady() bool {
	if b.Ready() != nil {
		return false
	}
	b.membersMu.Lock()
	defer b.membersMu.Unlock()
	return b.members.heardAll(b.now())
}

// Unreachable is for how long Redis has not been reached at all; 0 while it is.
func (b *Bus) Unreachable() time.Duration {
	b.lanesMu.Lock()
	defer b.lanesMu.Unlock()
	if b.cutSince == 0 {
		return 0
	}
	return b.now() - b.cutSince
}
