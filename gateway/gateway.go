package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
)

// subscribeTimeout bounds how long New waits for Redis.
const subscribeTimeout = 10 * time.Second

// errClosed ends a session that never began.
var errClosed = errors.New("gateway: closed")

// backbone is what sessions need of a *bus.Bus.
type backbone interface {
	Attach(ctx context.Context, e bus.Endpoint, who bus.Profile, to ...bus.Address) (attachment, error)
	NewSocket() string
	Publish(ctx context.Context, to bus.Address, event string, body bus.Body, opts ...bus.PublishOption) (bus.Published, error)
	Request(ctx context.Context, to bus.Address, event string, body bus.Body, opts ...bus.RequestOption) (*bus.Receipt, error)
}

// busBackbone is a *bus.Bus as backbone.
type busBackbone struct{ *bus.Bus }

func (b busBackbone) Attach(ctx context.Context, e bus.Endpoint, who bus.Profile, to ...bus.Address) (attachment, error) {
	a, err := b.Bus.Attach(ctx, e, who, to...)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// A Gateway holds the sessions of one node. Make one with New; Drain or Close ends it, and must come before the bus is
// closed. Its methods may be called from many goroutines.
type Gateway struct {
	opts        Options
	backbone    backbone
	node        string               // the node's name
	unreachable func() time.Duration // for how long Redis has been out of reach
	announce    func()               // tells the other nodes that this one drains; nil: nobody
	directory   *bus.Subscription
	upgrader    websocket.Upgrader
	metrics     *metrics
	budget      *budget // of what waits for clients, or is worked on for them
	arriving    *budget // of frames that are being received
	desks       desks
	hub         hub
	handshakes  handshakes
	admission   admission
	group       *run.Group
	epoch       time.Time
	tick        atomic.Int64 // nanoseconds from epoch to the last sweep: a clock that costs nothing to read
	draining    atomic.Bool
	away        atomic.Bool // Redis is out of reach
	closeOnce   sync.Once
}

// New makes a gateway on the bus. It returns once other nodes can ask it for its sockets, 10 seconds at most. Errors are those of bad
// options, of metrics that are registered already, and of the bus.
func New(b *bus.Bus, opts *Options) (*Gateway, error) {
	if b == nil {
		return nil, errors.New("gateway: no bus")
	}
	g, err := newGateway(busBackbone{b}, b.Node().Name, b.Unreachable, opts)
	if err != nil {
		return nil, err
	}
	g.announce = b.Draining
	ctx, cancel := context.WithTimeout(context.Background(), subscribeTimeout)
	defer cancel()
	if g.directory, err = b.Subscribe(ctx, bus.Topic(directoryTopic), g.list); err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: subscribe: %w", err), g.Close())
	}
	return g, nil
}

func newGateway(b backbone, node string, unreachable func() time.Duration, opts *Options) (*Gateway, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Gateway{opts: o, backbone: b, node: node, unreachable: unreachable, budget: newBudget(o.NodeQueueBytes),
		arriving: newBudget(o.NodeReceiveBytes), desks: newDesks(), group: run.New(context.Background()), epoch: time.Now()}
	g.handshakes.rate, g.handshakes.burst = rate.Limit(o.HandshakeRate), o.HandshakeBurst
	g.admission.start(&g.opts)
	g.upgrader = g.newUpgrader()
	g.metrics = newMetrics(g.budget, g.arriving, &g.admission)
	if err := g.metrics.register(o.Metrics); err != nil {
		g.group.Stop()
		return nil, err
	}
	g.group.Go(g.watch)
	return g, nil
}
